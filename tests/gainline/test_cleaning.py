from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clean.featured import SCHEMA
from contracts.errors import DataError, TransientError
from gainline.cli import run
from gainline.config.loading import Settings
from gainline.config.sections import TagSection
from gainline.files import long_tables
from gainline.files.tables import read_table, write_table
from gainline.judging.cleaning import clean_file
from gainline.judging.flagging import Standard, flag_of

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


def test_features_of_waveforms_go_into_a_file_of_their_own(tmp_path: Path) -> None:
    times = [BEGAN + timedelta(milliseconds=place) for place in range(4000)]
    wave = np.random.default_rng(1).normal(size=4000)
    table = pa.table({"tag": ["m/vibration_raw"] * 4000, "source_time": times, "value": wave})
    source, target, made = (tmp_path / name for name in ("in.csv", "in.parquet", "made.csv"))
    write_table(table, target)
    write_table(table, source)
    for given in (source, target):
        words = [str(given), str(given), "--features", str(made)]
        assert run(["clean", *words]) == 0
        assert read_table(given)["value"].to_pylist() == wave.tolist()
        found = read_table(made)
        assert found.column_names == SCHEMA.names
        assert found["tag"].to_pylist().count("m/vibration_raw/rms") == 4
    assert run(["clean", str(target), str(made), "--features", str(made)]) == 2


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


def test_a_long_file_is_judged_batch_by_batch_as_if_it_were_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.random.default_rng(1).standard_t(2, 9000)
    one = readings([None if at % 50 == 0 else value for at, value in enumerate(values.tolist())])
    tags = pa.array(np.random.default_rng(2).choice(["l/a", "l/b", "l/c"], 9000))
    table = one.set_column(1, "tag", tags)
    at_once = cleaned(tmp_path, table, Settings())
    monkeypatch.setattr(long_tables, "BATCH_ROWS", 700)
    in_batches = cleaned(tmp_path, table, Settings())
    assert in_batches.combine_chunks() == at_once.combine_chunks()
    assert pq.ParquetFile(tmp_path / "out.parquet").num_row_groups > 9


EXTRA = {
    "dictionary": pa.array(["x", None]).dictionary_encode(),
    "long strings": pa.array(["x", None], pa.large_string()),
    "viewed strings": pa.array(["x", None], pa.string_view()),
    "bytes": pa.array([b"\xff", None]),
    "struct": pa.array([{"x": [1]}, None]),
    "list": pa.array([["a", "b"], None]),
    "decimal": pa.array([Decimal("1.50"), None]),
    "duration": pa.array([1, None], pa.duration("ms")),
    "zoned": pa.array([1, None], pa.timestamp("ns", "Asia/Shanghai")),
}


@pytest.mark.parametrize("extra", EXTRA.values(), ids=EXTRA.keys())
def test_a_column_of_any_type_comes_back_as_it_was(tmp_path: Path, extra: pa.Array) -> None:
    table = readings([1.0, 2.0]).append_column("extra", extra)
    table = table.replace_schema_metadata({"made by": "a logger"})
    out = cleaned(tmp_path, table, Settings())
    assert out.select(table.column_names) == table
    assert out.schema.metadata == table.schema.metadata
    assert out.schema.field("reasons").type == pa.list_(pa.string())


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())],
    ids=str,
)
def test_a_tag_of_any_type_of_string_keeps_its_type(tmp_path: Path, kind: pa.DataType) -> None:
    table = readings([1.0, 2.0])
    tag = table["tag"].cast(kind)
    out = cleaned(tmp_path, table.set_column(1, "tag", tag), Settings())
    assert out["tag"].type == kind
    assert out["quality"].to_pylist() == [0, 0]


def test_columns_of_one_name_pass_through_unless_they_are_needed(tmp_path: Path) -> None:
    table = readings([1.0])
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    twice = pa.Table.from_arrays([*table.columns, table["note"]], [*table.column_names, "note"])
    pq.write_table(twice, source)
    clean_file(Settings(), source, target)
    assert pq.ParquetFile(target).schema_arrow.names.count("note") == 2
    pq.write_table(twice.rename_columns(["value", *table.column_names[1:], "note"]), source)
    with pytest.raises(DataError, match=r"one column 'value' and has 2"):
        clean_file(Settings(), source, target)


def test_in_and_out_may_be_one_file(tmp_path: Path) -> None:
    file = tmp_path / "in.parquet"
    write_table(readings([1.0, None]), file)
    clean_file(Settings(), file, file)
    assert read_table(file)["quality"].to_pylist() == [0, 2]


def test_a_file_that_is_damaged_in_the_middle_leaves_out_as_it_was(tmp_path: Path) -> None:
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    write_table(readings([float(n) for n in range(4000)]), source)
    whole = source.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:60] + b"\x55" * 400 + whole[460:], b""):
        source.write_bytes(damaged)
        target.write_text("before")
        with pytest.raises(DataError, match="not a Parquet table"):
            clean_file(Settings(), source, target)
        assert target.read_text() == "before"
        assert sorted(each.name for each in tmp_path.iterdir()) == ["in.parquet", "out.parquet"]


def test_a_target_that_cannot_be(tmp_path: Path) -> None:
    source = tmp_path / "in.parquet"
    write_table(readings([1.0]), source)
    with pytest.raises(DataError, match="there is no folder"):
        clean_file(Settings(), source, tmp_path / "nowhere" / "out.parquet")
    with pytest.raises(DataError, match="is a folder; name a file in it"):
        clean_file(Settings(), source, tmp_path)
    with pytest.raises(TransientError, match="make room and try again"):
        clean_file(Settings(), source, Path("/dev/full"))
    with pytest.raises(DataError, match="is a folder; name a file in it"):
        clean_file(Settings(), tmp_path, tmp_path / "out.parquet")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tag;source_time;value\na;2026-01-01T00:00:00Z;1,5\n", "';' stands between the cells"),
        ('tag,source_time,value\na,2026-01-01T00:00:00Z,"1,5"\n', "such as '1,5' in row 1"),
        ("tag,source_time,value\na,1767225600000,1\n", "'source_time' has the type int64"),
        ("tag,source_time,value,n\na,2026-01-01T00:00:00Z,1,\xe9\n", "'n' is not UTF-8"),
        ("", "not a CSV table"),
        ("tag,source_time,value\na,2026-01-01T00:00:00Z\n", "Expected 3 columns, got 2"),
    ],
)
def test_a_csv_file_that_is_not_as_it_must_be(tmp_path: Path, text: str, words: str) -> None:
    source = tmp_path / "in.csv"
    source.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=words):
        clean_file(Settings(), source, tmp_path / "out.csv")


def test_times_of_a_csv_file_may_have_any_offset(tmp_path: Path) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.parquet"
    source.write_text(
        "\ufefftag,source_time,value\na,2026-01-01T00:00:00Z,1\n"
        "a,2026-01-01T08:00:00+08:00,1\na,2025-12-31T19:00:00-0500,2\n"
    )
    clean_file(Settings(), source, target)
    assert read_table(target)["reasons"].to_pylist() == [[], ["duplicate"], ["conflict"]]


def test_flags_of_another_standard_stand_in_a_column_more(tmp_path: Path) -> None:
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    write_table(readings([1.0, None, float("inf"), 1.0]), source)
    for standard, said in (
        (Standard.QARTOD, [1, 9, 9, 1]),
        (Standard.OPCUA, [0, 0x809B0000, 0x809B0000, 0]),
    ):
        flag = flag_of(standard)
        clean_file(Settings(), source, target, flag)
        out = read_table(target)
        assert out.column_names[-1] == flag.name
        assert out[flag.name].to_pylist() == said


def test_of_times_with_and_without_a_zone_one_of_each_is_shown(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text(
        "tag,source_time,value\na,2026-01-01T00:00:00Z,1\n"
        "a,2026-01-01T02:01:00+02:00,1\na,2026-01-01T00:02:00,1\n"
    )
    with pytest.raises(DataError, match=r"00Z' in row 1 and '2026-01-01T00:02:00' in row 3: write"):
        clean_file(Settings(), source, tmp_path / "out.csv")


def test_times_without_a_zone_are_utc(tmp_path: Path) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.parquet"
    source.write_text("tag,source_time,value\na,2026-03-29 02:30:00,1\na,2026-03-29 02:30:00,1\n")
    clean_file(Settings(), source, target)
    assert read_table(target)["reasons"].to_pylist() == [[], ["duplicate"]]


def test_digits_that_a_number_would_lose_come_back_from_csv(tmp_path: Path) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(
        "article,serial,count,tag,source_time,value\n"
        "007,12345678901234567890123,1,a,2026-01-01T00:00:00Z,07\n"
        ",NA,,a,2026-01-01T00:01:00Z,8\n"
    )
    clean_file(Settings(), source, target)
    first, second = target.read_text().splitlines()[1:]
    assert first.startswith('"007","12345678901234567890123",1,"a",2026-01-01 00:00:00Z,7,7,0')
    assert second.startswith(',"NA",,"a",')


@pytest.mark.parametrize("row", [",2026-01-01T00:00:00Z,1", '"",2026-01-01T00:00:00Z,1'])
def test_an_empty_cell_of_csv_is_no_tag(tmp_path: Path, row: str) -> None:
    source = tmp_path / "in.csv"
    source.write_text(f"tag,source_time,value\nnull,2026-01-01T00:00:00Z,1\n{row}\n")
    with pytest.raises(DataError, match="'tag' has empty cells: give every row a tag"):
        clean_file(Settings(), source, tmp_path / "out.csv")


def test_a_reading_without_a_time_says_so_and_is_good(tmp_path: Path) -> None:
    table = readings([1.0, 2.0, 3.0])
    times = pa.array([None, BEGAN, None], pa.timestamp("us", "UTC"))
    out = cleaned(tmp_path, table.set_column(2, "source_time", times), Settings())
    assert out["reasons"].to_pylist() == [["time"], [], ["time"]]
    assert out["quality"].to_pylist() == [0, 0, 0]


def test_rows_out_of_order_keep_their_places(tmp_path: Path) -> None:
    order = np.random.default_rng(4).permutation(300)
    table = readings([20.0 + at % 7 for at in range(300)]).take(pa.array(order))
    out = cleaned(tmp_path, table, Settings())
    assert out.select(table.column_names) == table
    assert out["quality"].null_count == 0


US = pa.timestamp("us")


@pytest.mark.parametrize(
    "times",
    [
        pa.array([-(10**15), -(10**15) + 1], US),  # 1938
        pa.array([10**16, 10**16 + 1], US),  # 2286
        pa.array([-(2**63) + 1, 2**63 - 1], US),
        pa.array([10**18 + 1, 10**18 + 1001], pa.timestamp("ns", "UTC")),
        pa.array([0, 1], pa.timestamp("s", "Asia/Shanghai")),
        pa.array([0, 1], pa.date32()),
        pa.array([0, 1], US).dictionary_encode(),
    ],
    ids=lambda array: str(array.type),
)
def test_times_of_any_century_and_unit_are_taken(tmp_path: Path, times: pa.Array) -> None:
    table = readings([1.0, 2.0]).set_column(2, "source_time", times)
    out = cleaned(tmp_path, table, Settings())
    assert out["quality"].to_pylist() == [0, 0]
    assert out["source_time"] == read_table(tmp_path / "in.parquet")["source_time"]


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (pa.array([1767225600]), "the type int64, and a number is no time"),
        (pa.array([1767225600.5]), "the type double, and a number is no time"),
        (pa.array([10**15], pa.timestamp("s")), "values that no timestamp"),
        (pa.array([[0]]), r"the type list<element: int64>: make it timestamp"),
    ],
)
def test_what_is_no_time_is_said(tmp_path: Path, times: pa.Array, words: str) -> None:
    with pytest.raises(DataError, match=words):
        cleaned(tmp_path, readings([1.0]).set_column(2, "source_time", times), Settings())


@pytest.mark.parametrize(
    "values",
    [
        pa.array([2**63 - 1, -(2**63)]),
        pa.array([2**64 - 1, 0], pa.uint64()),
        pa.array([Decimal(10**37), None]),
        pa.array([True, False]),
        pa.array([1e308, -1e308]),
        pa.array([1.5, None]).dictionary_encode(),
    ],
    ids=lambda array: str(array.type),
)
def test_numbers_of_any_type_are_judged_and_come_back_as_they_were(
    tmp_path: Path, values: pa.Array
) -> None:
    table = readings([1.0, 2.0]).set_column(3, "value", values)
    out = cleaned(tmp_path, table, Settings())
    assert out["value"] == read_table(tmp_path / "in.parquet")["value"]
    assert out["value_clean"].null_count == values.null_count


def test_names_that_are_not_utf_8_are_refused(tmp_path: Path) -> None:
    offsets = np.array([0, 1], np.int32).tobytes()
    tag = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(offsets), pa.py_buffer(b"\xff")]
    )
    with pytest.raises(DataError, match="not UTF-8; save the file as UTF-8"):
        cleaned(tmp_path, readings([1.0]).set_column(1, "tag", tag), Settings())
    source = tmp_path / "in.csv"
    for encoding, words in (("latin-1", "names are not UTF-8"), ("utf-16", "is UTF-16; save")):
        source.write_bytes("tag,source_time,value,é\na,2026-01-01T00:00:00Z,1,1\n".encode(encoding))
        with pytest.raises(DataError, match=words):
            clean_file(Settings(), source, tmp_path / "out.csv")
