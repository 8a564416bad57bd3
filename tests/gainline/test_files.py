from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from contracts.errors import DataError
from gainline.config import Settings, TagSection
from gainline.files import clean_file
from gainline.tables import read_table, write_table

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def readings(values: list[float | None]) -> pa.Table:
    times = [BEGAN + timedelta(minutes=place) for place in range(len(values))]
    return pa.table(
        {
            "note": [f"row {place}" for place in range(len(values))],
            "tag": ["line1/temperature"] * len(values),
            "source_time": pa.array(times, pa.timestamp("us", "UTC")),
            "value": pa.array(values, pa.float64()),
        }
    )


def cleaned(tmp_path: Path, table: pa.Table, settings: Settings) -> pa.Table:
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    write_table(table, source)
    clean_file(settings, source, target)
    return read_table(target)


@pytest.mark.parametrize("values", [[], [1.0], [None, None], [float("nan"), 1.0]])
def test_every_row_comes_back_in_its_place_whatever_it_is(
    tmp_path: Path, values: list[float | None]
) -> None:
    table = readings(values)
    out = cleaned(tmp_path, table, Settings())
    assert out.column_names == [*table.column_names, "value_clean", "quality", "reasons"]
    assert out["note"].to_pylist() == table["note"].to_pylist()


def test_a_csv_file_with_a_head_and_no_row_stays_one(tmp_path: Path) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("tag,source_time,value\n")
    clean_file(Settings(), source, target)
    assert target.read_text().splitlines() == [
        '"tag","source_time","value","value_clean","quality","reasons"'
    ]


def test_the_rules_of_the_configuration_apply(tmp_path: Path) -> None:
    settings = Settings(tags=(TagSection(pattern="line1/*", high=100.0, sentinels=(-7.0,)),))
    out = cleaned(tmp_path, readings([20.0, 21.0, -7.0, 20.0, 500.0, 21.0]), settings)
    assert out["quality"].to_pylist() == [0, 0, 2, 0, 2, 0]
    assert out["reasons"].to_pylist()[2] == ["sentinel"]
    assert out["reasons"].to_pylist()[4] == ["range"]


def test_a_column_of_text_is_named(tmp_path: Path) -> None:
    table = readings([1.0, 2.0])
    table = table.set_column(3, "value", pa.array(["warm", "cold"]))
    with pytest.raises(DataError, match="value"):
        cleaned(tmp_path, table, Settings())


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            "a,2026-01-01T00:00:00Z,1\na,2026-01-01T00:00:01Z,warm",
            "'value' is text, such as 'warm'",
        ),
        ("a,2026-01-01T00:00:00Z,1\na,2026-01-01 00:00:01,2", "'source_time' is text, such as"),
    ],
)
def test_the_cell_of_a_csv_file_that_is_in_the_way_is_shown(
    tmp_path: Path, rows: str, words: str
) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(f"tag,source_time,value\n{rows}\n")
    with pytest.raises(DataError, match=words) as raised:
        clean_file(Settings(), source, target)
    assert str(raised.value).startswith(str(source))
    assert not target.exists()


def test_a_tag_of_a_csv_file_may_be_a_number(tmp_path: Path) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("tag,source_time,value\n007,2026-01-01T00:00:00Z,1\n")
    clean_file(Settings(), source, target)
    assert target.read_text().splitlines()[1].startswith('"007",')


def test_a_name_that_promises_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "in.parquet"
    write_table(readings([1.0]), source)
    with pytest.raises(DataError, match=r"cannot be written as \.xlsx"):
        clean_file(Settings(), source, tmp_path / "out.xlsx")
