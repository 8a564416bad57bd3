"""The verdicts do not depend on how the readings come."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clean.judge import Judge
from clean.settings import Settings
from clean.state import REORDER
from contracts.batches import CLEAN_SCHEMA, RawBatch
from contracts.errors import DataError
from contracts.quality import Quality, Reason
from contracts.tags import Kind, TagRule

RULES = {
    "gauge": TagRule(low=-50.0, high=900.0),
    "plain": TagRule(),
    "counter": TagRule(kind=Kind.COUNTER),
}
SECOND = 1_000_000
SETTINGS = Settings(max_delay_s=60.0)

Readings = list[dict[str, Any]]
Make = Callable[..., RawBatch]


def new_judge() -> Judge:
    return Judge(RULES.__getitem__, SETTINGS)


def bits(table: pa.Table) -> list[Any]:
    """All columns, bit by bit, in order of arrival."""
    table = table.sort_by("arrival").combine_chunks()
    clean = table["value_clean"].to_numpy().view(np.int64)
    return [table.drop_columns(["value_clean"]).to_pylist(), clean.tolist()]


@st.composite
def streams(draw: st.DrawFn) -> Readings:
    """Readings of three tags, interleaved, with faults, repeats, lateness and gaps."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    size = draw(st.integers(1, 400))
    readings, clock = [], dict.fromkeys(RULES, 0)
    for _ in range(size):
        tag = str(rng.choice(list(RULES)))
        clock[tag] += int(rng.choice([1, 1, 1, 1, 1, 1, 40]))
        late = int(rng.choice([0, 0, 0, 0, 3, 30]))
        wild = [None, -9999.0, 65535.0, 1e4, -60.0, float(rng.normal(100, 1))]
        value = rng.choice(np.array(wild, object)) if rng.random() < 0.1 else rng.normal(20, 0.1)
        text = "x" if value is None and rng.random() < 0.3 else None
        timed = rng.random() > 0.02
        readings.append(
            {
                "tag": tag,
                "at": clock[tag] - late if timed else None,
                "received_time": clock[tag] * SECOND,
                "value": None if value is None else round(float(value), 2),
                "text": text,
                "source_quality": int(rng.choice([0] * 18 + [1, 2])),
            }
        )
    return readings


def run(table: pa.Table, cuts: list[int], *, restore: bool = False) -> pa.Table:
    judge, parts = new_judge(), []
    edges = [0, *sorted(cuts), table.num_rows]
    for low, high in pairwise(edges):
        parts.append(judge.push(RawBatch(table.slice(low, high - low))).table)
        if restore:
            judge = Judge.restore(judge.memory(), RULES.__getitem__, SETTINGS)
    return pa.concat_tables([*parts, judge.finish().table])


@settings(deadline=None, max_examples=40)
@given(streams(), st.data())
def test_verdicts_are_the_same_for_any_cutting_into_batches(
    batch: Make, readings: Readings, data: st.DataObject
) -> None:
    table = batch(readings).table
    whole = bits(run(table, []))
    cuts = data.draw(st.lists(st.integers(0, len(readings)), max_size=8))
    assert bits(run(table, cuts)) == whole
    assert len(whole[1]) == len(readings)


@pytest.mark.parametrize("size", [1, 17, 1000])
def test_verdicts_are_the_same_for_chunks_of_any_size(batch: Make, size: int) -> None:
    rng = np.random.default_rng(1)
    readings = [{"tag": "plain", "value": float(x)} for x in rng.standard_t(2, 1200)]
    table = batch(readings).table
    assert bits(run(table, list(range(size, len(readings), size)))) == bits(run(table, []))


@settings(deadline=None, max_examples=40)
@given(streams(), st.data())
def test_verdicts_are_the_same_when_killed_and_restored_at_any_point(
    batch: Make, readings: Readings, data: st.DataObject
) -> None:
    table = batch(readings).table
    cuts = data.draw(st.lists(st.integers(0, len(readings)), max_size=4))
    assert bits(run(table, cuts, restore=True)) == bits(run(table, []))


@settings(deadline=None, max_examples=40)
@given(streams())
def test_a_tag_is_judged_as_if_it_were_alone(batch: Make, readings: Readings) -> None:
    whole = run(batch(readings).table, []).sort_by("arrival").to_pylist()
    for tag in RULES:
        alone = run(batch([one for one in readings if one["tag"] == tag]).table, [])
        columns = ("value", "value_clean", "quality", "reasons")
        assert [[row[c] for c in columns] for row in alone.sort_by("arrival").to_pylist()] == [
            [row[c] for c in columns] for row in whole if row["tag"] == tag
        ]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_order_does_not_matter_within_the_lateness_bound(batch: Make, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.where(rng.random(150) < 0.05, 40.0, rng.normal(20, 0.1, 150))
    readings = [{"tag": "plain", "at": i, "value": float(v)} for i, v in enumerate(values)]
    # a reading held up by less than REORDER + 1 places is overtaken by at most REORDER others
    keys = np.arange(150) + rng.uniform(0, REORDER + 1, 150) * (rng.random(150) < 0.2)
    mixed = [readings[i] for i in np.argsort(keys, kind="stable")]
    tidy = run(batch(readings).table, []).sort_by("source_time")
    messy = run(batch(mixed).table, []).sort_by("source_time")
    for column in ("value_clean", "quality", "reasons"):
        assert messy[column].to_pylist() == tidy[column].to_pylist()


@settings(deadline=None, max_examples=40)
@given(streams())
def test_every_reading_comes_back_once_and_whole(batch: Make, readings: Readings) -> None:
    table = batch(readings).table
    out = run(table, [len(readings) // 2]).sort_by("arrival")
    assert out.schema == CLEAN_SCHEMA
    assert out.select(table.column_names).combine_chunks() == table.combine_chunks()
    assert all(row["reasons"] for row in out.to_pylist() if row["quality"] != Quality.GOOD)


def test_a_batch_comes_back_in_order_of_arrival(batch: Make) -> None:
    readings = [{"tag": t, "at": i, "value": 1.0} for i in range(40) for t in RULES]
    out = new_judge().push(batch(readings)).table["arrival"].to_pylist()
    assert out
    assert out == sorted(out)


def test_expire_judges_what_has_waited_too_long_and_a_last_far_value_is_uncertain(
    batch: Make,
) -> None:
    judge = new_judge()
    values = [*np.random.default_rng(3).normal(20, 0.1, 100), 90.0]
    first = judge.push(batch([{"tag": "plain", "value": float(v)} for v in values])).table
    assert first.num_rows == 101 - 14
    assert judge.expire(100 * SECOND + 60 * SECOND).table.num_rows == 13
    last = judge.expire(100 * SECOND + 60 * SECOND + 1).table.to_pylist()
    assert [(row["quality"], row["reasons"]) for row in last] == [(Quality.UNCERTAIN, Reason.SPIKE)]
    assert judge.finish().table.num_rows == 0


def test_expired_readings_are_still_neighbours_of_the_next(batch: Make) -> None:
    judge, values = new_judge(), np.random.default_rng(3).normal(20, 0.1, 140)
    values[100] = 90.0
    readings = [{"tag": "plain", "value": float(v)} for v in values]
    judge.push(batch(readings[:100]))
    judge.expire(10_000 * SECOND)
    out = judge.push(batch(readings[100:], first=100)).table.to_pylist()
    assert [row["arrival"] for row in out if row["quality"] == Quality.BAD] == [100]


def test_memory_of_an_empty_judge_restores(batch: Make) -> None:
    judge = Judge.restore(new_judge().memory(), RULES.__getitem__, SETTINGS)
    assert judge.push(batch([{"tag": "plain", "value": 1.0}])).table.num_rows == 0
    assert judge.finish().table.num_rows == 1


def test_a_damaged_memory_is_refused_with_the_remedy() -> None:
    with pytest.raises(DataError, match="backup"):
        Judge.restore(b"\x08" + bytes(30), RULES.__getitem__, SETTINGS)


def test_readings_are_dropped_from_memory_once_they_have_left(batch: Make) -> None:
    judge = new_judge()
    table = batch([{"tag": "plain", "at": i, "value": 1.0} for i in range(2000)]).table
    times = pa.array(np.arange(2000) * SECOND)
    for turn in range(200):
        moved = pa.array(times.to_numpy() + turn * 2000 * SECOND).cast(table.schema.field(2).type)
        judge.push(RawBatch(table.set_column(2, table.schema.field(2), moved)))
    assert judge._held._size < 150_000
