"""Recorded files are read as the wire would read them, and a mistake is named by its row."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import DataError
from ingest.readings import NO_TIME, Limits, Rules
from ingest.recorded import BATCH_ROWS, tables_of
from ingest.recorded_columns import cells_of, instants_of
from ingest.times import stamp_of
from ingest.values import value_of

BERLIN = ZoneInfo("Europe/Berlin")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
T0 = "2026-01-01T00:00:00Z"
T0_US = 1_767_225_600_000_000


def read(path: Path, rules: Rules | None = None) -> list[dict[str, Any]]:
    return pa.concat_tables(tables_of(path, rules or Rules())).to_pylist()


def csv(path: Path, *lines: str) -> Path:
    file = path / "r.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def lines(path: Path, *objects: dict[str, Any]) -> Path:
    file = path / "r.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in objects))
    return file


def parquet(path: Path, **columns: Any) -> Path:  # noqa: ANN401  # columns of any kind
    file = path / "r.parquet"
    pq.write_table(pa.table(columns), file)
    return file


def in_utc(*micros: int) -> list[datetime]:
    return [EPOCH + timedelta(microseconds=us) for us in micros]


TIMES = pa.array([T0_US, T0_US + 1], pa.timestamp("us", "UTC"))


def test_csv_parquet_and_json_lines_say_the_same(tmp_path: Path) -> None:
    times = [T0, "2026-01-01T00:00:00.000001Z", "2026-01-01T00:00:00.000002Z"]
    values, texts = [1.5, None, None], [None, "ON", None]
    cells = ["1.5", "ON", ""]
    pairs = zip(times, cells, strict=True)
    by_csv = read(
        csv(tmp_path, "note,tag,source_time,value", *(f'"",s/m/a,{t},{c}' for t, c in pairs))
    )
    stamps = pa.array([T0_US, T0_US + 1, T0_US + 2], pa.timestamp("us", "UTC"))
    by_parquet = read(
        parquet(tmp_path, tag=["s/m/a"] * 3, source_time=stamps, value=values, text=texts)
    )
    objects = [
        {"tag": "s/m/a", "source_time": times[0], "value": 1.5},
        {"tag": "s/m/a", "source_time": times[1], "value": "ON"},
        {"tag": "s/m/a", "source_time": times[2], "value": None, "more": [1]},
    ]
    assert by_csv == by_parquet == read(lines(tmp_path, *objects))
    assert [row["source_time"] for row in by_csv] == in_utc(T0_US, T0_US + 1, T0_US + 2)
    assert [(row["value"], row["text"]) for row in by_csv] == [
        (1.5, None),
        (None, "ON"),
        (None, None),
    ]


def test_a_compressed_file_is_read_too(tmp_path: Path) -> None:
    plain = csv(tmp_path, "tag,source_time,value", f"a,{T0},1", f"a,{T0},2")
    packed = tmp_path / "r.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read(packed) == read(plain)
    packed.write_bytes(gzip.compress(plain.read_bytes() * 100)[:-30])
    with pytest.raises(DataError, match=r"csv\.gz: "):
        read(packed)


times_as_sent = st.one_of(
    st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1)).map(str),  # noqa: DTZ001
    st.datetimes(
        min_value=datetime(2026, 10, 25),  # noqa: DTZ001
        max_value=datetime(2026, 10, 25, 4),  # noqa: DTZ001
    ).map(datetime.isoformat),
    st.datetimes(
        min_value=datetime(1990, 1, 1),  # noqa: DTZ001
        timezones=st.sampled_from([UTC, BERLIN]),
    ).map(datetime.isoformat),
    st.integers(-(10**12), 10**19).map(str),
    st.sampled_from(["2026-01-01T00:00:00.1234567Z", "2026-13-01T00:00:00Z", "soon", "1e3", "NaT"]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(times_as_sent, min_size=1, max_size=4), st.sampled_from([UTC, BERLIN]))
def test_times_are_read_as_on_the_wire_however_many_at_once(sent: list[str], zone: Any) -> None:  # noqa: ANN401
    found = instants_of(pa.array(sent), [zone])
    stamps = [stamp_of(one, zone) for one in sent]
    expected = [NO_TIME if one.us is None else one.us for one in stamps]
    assert found.us.tolist() == expected
    local = [NO_TIME] * len(sent) if found.local is None else found.local.tolist()
    for one, stamp, naive in zip(sent, stamps, local, strict=True):
        is_unsure = stamp.is_doubtful and stamp.us is not None and stamp.us > 946_684_800_000_000
        assert (naive != NO_TIME) == is_unsure, one
        if is_unsure:  # what goes out is read as what came
            text = (EPOCH + timedelta(microseconds=naive)).replace(tzinfo=None).isoformat()
            assert stamp_of(text, zone) == stamp


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.floats().map(str),
            st.integers().map(str),
            st.text(max_size=5),
            st.sampled_from(["nan", "-inf", "+5", " 7 ", "1_000", "0x10", "21,5", "٣", "1e999"]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_values_are_read_as_on_the_wire(sent: list[str]) -> None:
    found = cells_of(pa.array(sent), Limits())
    for one, value, text in zip(
        sent, found.values.to_pylist(), found.texts.to_pylist(), strict=True
    ):
        read_once = value_of(one, Limits())
        assert value == read_once.value
        # what goes out in its place is read the same
        assert text is None or value_of(text, Limits()) == read_once


def test_a_time_without_an_offset_is_in_the_zone_of_its_place(tmp_path: Path) -> None:
    rules = Rules(zone_of=lambda topic: BERLIN if topic.startswith("berlin") else UTC)
    naive = pa.array([datetime(2026, 7, 1, 12), datetime(2026, 7, 1, 12)], pa.timestamp("ms"))  # noqa: DTZ001
    file = parquet(tmp_path, tag=["berlin/m/a", "leeds/m/a"], source_time=naive, value=[1.0, 2.0])
    found = [row["source_time"].hour for row in read(file, rules)]
    assert found == [10, 12]
    noon = "2026-07-01 12:00:00"
    file = csv(tmp_path, "tag,source_time,value", f"berlin/m/a,{noon},1", f"leeds/m/a,{noon},2")
    assert [row["source_time"].hour for row in read(file, rules)] == [10, 12]


def test_an_hour_that_comes_twice_goes_out_as_local_time(tmp_path: Path) -> None:
    rules = Rules(zone_of=lambda _: BERLIN)
    file = csv(
        tmp_path,
        "tag,source_time,value",
        "a,2026-10-25T02:30:00,1",
        "a,2026-10-25T04:30:00,1",
    )
    first, second = read(file, rules)
    assert first["local_time"] == datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001
    assert second["local_time"] is None


def test_messages_come_as_they_were_sent(tmp_path: Path) -> None:
    file = lines(
        tmp_path,
        {"topic": "a/b", "payload": '{"ts": 1}'},
        {"topic": "a/b", "payload": {"ts": 1, "v": [1.50, "Δ"]}, "received_time": T0},
        {"topic": "a/b", "payload": 21.50, "retained": True},
        {"topic": "a/b", "payload": None},
        {"topic": "a/b", "payload_base64": base64.b64encode(b"\xff\x00").decode()},
    )
    found = read(file)
    assert [row["payload"] for row in found] == [
        b'{"ts": 1}',
        b'{"ts": 1, "v": [1.5, "\\u0394"]}',
        b"21.5",
        b"null",
        b"\xff\x00",
    ]
    assert [row["received_time"] for row in found] == [None, *in_utc(T0_US), None, None, None]
    assert [row["retained"] for row in found] == [False, False, True, False, False]


def test_a_long_file_comes_in_parts_and_rows_count_through_it(tmp_path: Path) -> None:
    count = 3 * BATCH_ROWS
    rows = [f"a,{T0_US // 1000 + n},{n}" for n in range(count)]
    file = csv(tmp_path, "tag,source_time,value", *rows)
    sizes = [table.num_rows for table in tables_of(file, Rules())]
    assert sum(sizes) == count
    rows[count - 7] = ",1,2"
    with pytest.raises(DataError, match=f"row {count - 6} has no tag"):
        read(csv(tmp_path, "tag,source_time,value", *rows))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([""], "empty"),
        (
            ["tag,value", "a,1"],
            "the column 'source_time' is missing; it has the columns tag, value",
        ),
        (["tag;source_time;value", "a;1;2"], "separated by commas"),
        (["tag,source_time", f"a,{T0}"], "neither of the columns 'value' and 'text'"),
        (["tag,tag,source_time,value", f"a,a,{T0},1"], "more than one column 'tag'"),
        (["tag,source_time,value", f"a,{T0},1", f",{T0},1"], "row 2 has no tag"),
        (["tag,source_time,value", "a,,1"], "row 1 has no source_time: give it one"),
        (["tag,source_time,value", "a,soon,1"], "row 1, column 'source_time': 'soon' is no time"),
        (["tag,source_time,value", f"a,{T0},1", "a,9999-12-31T00:00:00Z,1"], "row 2, .*9999"),
        (["tag,source_time,value", f"a,{T0},1", f"a,{T0}"], "Expected 3 columns, got 2"),
        (["tag,source_time,value,text", f"a,{T0},1,ON"], "row 1 has a value and a text"),
        (["tag,source_time,value", f"a,{T0},{'x' * 5000}"], "row 1, column 'value': .*limit, 4096"),
        (["tag,source_time,text", f"a,{T0},{'x' * 5000}"], "row 1 has a text over the limit"),
    ],
)
def test_a_mistake_in_csv_is_named(tmp_path: Path, content: Sequence[str], words: str) -> None:
    file = csv(tmp_path, *content)
    if content == [""]:
        file.write_bytes(b"")
    with pytest.raises(DataError, match=words) as raised:
        read(file)
    assert str(raised.value).startswith(str(file))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"tag": [1, 2], "source_time": TIMES, "value": [1, 2]}, "'tag' holds int64"),
        ({"tag": ["a", "b"], "source_time": [True, False], "value": [1, 2]}, "'source_time' holds"),
        ({"tag": ["a", "b"], "source_time": TIMES, "value": [[1], [2]]}, "'value' holds list"),
        ({"tag": ["a", ""], "source_time": TIMES, "value": [1, 2]}, "row 2 has no tag"),
        ({"tag": ["a", "b"], "source_time": TIMES, "text": [1, 2]}, "'text' holds int64"),
        (
            {"tag": ["a", "b"], "source_time": pa.nulls(2), "value": [1, 2]},
            "row 1 has no source_time",
        ),
    ],
)
def test_a_mistake_in_parquet_is_named(tmp_path: Path, columns: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        read(parquet(tmp_path, **columns))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("\n\n", "empty"),
        ('{"tag": "a"', "line 1 is no such JSON object"),
        ("[1]", "line 1 is no such JSON object"),
        ('\n{"tag": 5, "source_time": 1, "value": 1}', r"line 2 is no such JSON object.*tag"),
        ('{"value": 1}', "line 1 has no tag"),
        ('{"tag": "a", "source_time": null, "value": 1}', "line 1 has no source_time"),
        ('{"tag": "a", "source_time": 1, "value": {"x": 1}}', "line 1 is no such JSON object"),
        ('{"topic": "a"}', "line 1 has a topic and no payload"),
        (
            '{"topic": "a", "payload": 1}\n\n{"tag": "a"}',
            "line 3 is none, those before are messages",
        ),
        ('{"topic": "a", "payload_base64": "*"}', "line 1, field 'payload_base64'"),
        ('{"topic": "a", "payload": 1, "received_time": "soon"}', "'received_time': 'soon'"),
        ('{"topic": "a", "payload": "' + "x" * 9_000_000 + '"}', "line 1 is longer than"),
    ],
)
def test_a_mistake_in_json_lines_is_named(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "r.jsonl"
    file.write_text(content)
    with pytest.raises(DataError, match=words):
        read(file)


def test_what_is_no_such_file_is_named(tmp_path: Path) -> None:
    for name, words in (
        ("r.xlsx", "ending"),
        ("missing.csv", "No such file"),
        ("r.parquet", "cannot be read"),
    ):
        file = tmp_path / name
        if name == "r.parquet":
            file.write_bytes(b"no parquet at all")
        with pytest.raises(DataError, match=words):
            read(file)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match=r"folder\.csv: "):
        read(tmp_path / "folder.csv")
