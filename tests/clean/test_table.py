"""The judge of a whole table."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from clean.judge import Judge
from clean.settings import Settings
from clean.table import judge_table
from contracts.batches import RawBatch
from contracts.errors import DataError
from contracts.moments import TIME
from contracts.tags import TagRule

Make = Callable[..., RawBatch]
START = datetime(2026, 1, 1, tzinfo=UTC)


def rules(_tag: str) -> TagRule:
    return TagRule()


def series(values: Sequence[object] | pa.Array, **more: Sequence[object]) -> pa.Table:
    times = [START + timedelta(seconds=i) for i in range(len(values))]
    table = {"tag": ["a"] * len(values), "source_time": pa.array(times, TIME), "value": values}
    return pa.table(table | more)


def test_rows_come_back_in_place_with_three_columns_more() -> None:
    table = series([1.0, None, 3.0], note=["x", None, "z"])
    out = judge_table(table, rules)
    assert out.select(table.column_names) == table
    assert out.column_names[-3:] == ["value_clean", "quality", "reasons"]
    assert out["quality"].type == pa.int8()
    assert out["reasons"].to_pylist() == [[], ["missing"], []]


def test_infinite_values_are_missing() -> None:
    out = judge_table(series([1.0, float("inf"), float("nan"), -float("inf")]), rules)
    assert out["reasons"].to_pylist()[1:] == [["missing"]] * 3
    assert out["value_clean"].to_pylist()[1:] == [None] * 3


@pytest.mark.parametrize("kind", [pa.int32(), pa.float32(), pa.int64(), pa.bool_()])
def test_any_numeric_type_is_taken(kind: pa.DataType) -> None:
    out = judge_table(series(pa.array([1, 0, 1]).cast(kind)), rules)
    assert out["value_clean"].to_pylist() == [1.0, 0.0, 1.0]
    assert out["value"].type == kind


def test_a_time_without_a_zone_is_utc_and_any_zone_and_unit_is_taken() -> None:
    table = series([1.0, 2.0, 3.0])
    times = table["source_time"]
    for one in (pa.timestamp("us"), pa.timestamp("ns"), pa.timestamp("ms", tz="Asia/Shanghai")):
        other = table.set_column(1, "source_time", times.cast(one))
        assert judge_table(other, rules)["quality"].to_pylist() == [0, 0, 0]


def test_a_reading_without_a_time_keeps_its_place() -> None:
    table = series([1.0, 2.0, 3.0, 4.0])
    times = pa.array([None, START, None, START + timedelta(seconds=9)], TIME)
    out = judge_table(table.set_column(1, "source_time", times), rules)
    assert out["quality"].to_pylist() == [0, 0, 0, 0]


@pytest.mark.parametrize("rows", [0, 1])
def test_a_table_of_no_row_and_of_one_row_is_answered(rows: int) -> None:
    out = judge_table(series([1.0]).slice(0, rows), rules)
    assert out.num_rows == rows
    assert out["reasons"].type == pa.list_(pa.string())


def test_a_column_of_nothing_but_null_is_missing() -> None:
    out = judge_table(series(pa.nulls(3)), rules)
    assert out["quality"].to_pylist() == [2, 2, 2]


@pytest.mark.parametrize("name", ["tag", "source_time", "value"])
def test_a_missing_column_is_named(name: str) -> None:
    with pytest.raises(DataError, match=f"'{name}'"):
        judge_table(series([1.0]).drop_columns([name]), rules)


def test_a_column_of_another_type_is_named_with_the_remedy() -> None:
    with pytest.raises(DataError, match=r"'value' is text, such as .* in row 1: write a number"):
        judge_table(series(["x"]), rules)
    with pytest.raises(DataError, match="'source_time' has the type int64"):
        judge_table(series([1.0]).set_column(1, "source_time", pa.array([1])), rules)


def test_a_row_without_a_tag_is_refused() -> None:
    with pytest.raises(DataError, match="empty cells"):
        judge_table(series([1.0]).set_column(0, "tag", pa.array([None], pa.string())), rules)


def test_a_table_with_verdicts_is_refused() -> None:
    with pytest.raises(DataError, match="'quality' is there already"):
        judge_table(series([1.0], quality=[0]), rules)


def test_the_stream_gives_the_verdicts_of_the_table(batch: Make) -> None:
    rng = np.random.default_rng(2)
    values = [None if rng.random() < 0.02 else float(x) for x in rng.standard_t(2, 600)]
    out = judge_table(series(values), rules)
    judge = Judge(rules, Settings(max_delay_s=60.0))
    stream = pa.concat_tables(
        [judge.push(batch([{"value": v} for v in values])).table, judge.finish().table]
    ).sort_by("arrival")
    for name in ("value_clean", "quality"):
        assert out[name].to_pylist() == stream[name].to_pylist()


def test_a_recording_of_a_plant_keeps_all_but_a_few_readings(
    recording: Callable[[str], pa.Table],
) -> None:
    table = recording("gas_turbine")
    out = judge_table(table, rules)
    assert out.select(table.column_names) == table
    assert np.mean(out["quality"].to_numpy() == 2) < 0.005
