"""A recording goes out as messages from which it can be put together again, row by row."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import DataError
from ingest.outgoing import Outgoing
from ingest.replay import METRICS_MAX, messages

MIB = 1024 * 1024
BEGAN_US = 1_767_225_600_000_000
UTC_TIME = pa.timestamp("us", "UTC")
Row = tuple[str, int | None, float | None]


def sent(table: pa.Table, rows_per_message: int = 500) -> list[Outgoing]:
    return list(messages(table, gateway="replay", epoch="e1", rows_per_message=rows_per_message))


def micros(time: int | str | None) -> int | None:
    """What a reader makes of a time: text is ISO 8601, a number goes by its magnitude."""
    if time is None:
        return None
    if isinstance(time, str):
        since = datetime.fromisoformat(time) - datetime(1970, 1, 1, tzinfo=UTC)
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    assert 10**11 <= time < 10**17, "could be taken for seconds or nanoseconds"
    return time * 1000 if time < 10**14 else time


def read_back(outgoing: Iterable[Outgoing]) -> Iterator[Row]:
    for topic, payload in outgoing:
        body = json.loads(payload)
        for name in ("gateway", "epoch", "seq"):
            del body[name]
        times = body.pop("ts", None)
        for metric, values in body.items():
            tag = topic if metric == "value" else f"{topic}/{metric}"
            if times is None:
                yield tag, None, values
            else:
                pairs = zip(times, values, strict=True)
                yield from ((tag, micros(time), value) for time, value in pairs)


def table_of(rows: list[Row]) -> pa.Table:
    tags, times, values = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.table(
        {
            "tag": pa.array(tags, pa.string()),
            "source_time": pa.array(times, pa.timestamp("us", "UTC")),
            "value": pa.array(values, pa.float64()),
        }
    )


def bits(rows: Iterable[Row]) -> Counter[tuple[str, int | None, str]]:
    """Count rows, telling 0.0 from -0.0; what is not finite is null."""
    return Counter(
        (tag, time, repr(float(value)) if value is not None and np.isfinite(value) else "null")
        for tag, time, value in rows
    )


levels = st.sampled_from(["a", "b", "press 1", "ts", "value", "seq", "Δ", '"q"', "", "text"])
tags = st.lists(levels, min_size=1, max_size=4).map("/".join).filter(bool)
known_times = st.one_of(
    st.sampled_from([0, -1, 27_000_000, 10**14 - 1, 10**14, 10**14 + 1, -(10**11)]),
    st.integers(-(2**63) // 1000 + 1, (2**63 - 1) // 1000),
    st.integers(1_700_000_000, 1_700_000_010).map(lambda s: s * 1_000_000),
)
times = st.none() | known_times
values = st.one_of(st.none(), st.floats())


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(tags, times, values), max_size=40), st.integers(1, 7))
def test_every_row_comes_out_once_with_its_tag_time_and_value(
    rows: list[Row], rows_per_message: int
) -> None:
    assert bits(read_back(sent(table_of(rows), rows_per_message))) == bits(rows)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(tags, known_times, values), max_size=40))
def test_rows_of_a_tag_keep_their_order_and_messages_follow_time(rows: list[Row]) -> None:
    outgoing = sent(table_of(rows), rows_per_message=3)
    lasts = [max(time for _, time, _ in read_back([message])) for message in outgoing]
    assert lasts == sorted(lasts)
    for tag in {row[0] for row in rows}:
        wanted = sorted((row for row in rows if row[0] == tag), key=lambda row: row[1])
        got = [row for row in read_back(outgoing) if row[0] == tag]
        assert [row[1] for row in got] == [row[1] for row in wanted]
        assert [bits([row]) for row in got] == [bits([row]) for row in wanted]


@pytest.mark.parametrize("name", ["asnx", "cwru", "nab", "steel", "tep", "water_flow", "wsn"])
def test_real_recordings_come_back_as_they_were(shared_data: Path, name: str) -> None:
    path = shared_data / "sensors" / name / "data.parquet"
    table = pq.read_table(path, columns=["tag", "source_time", "value"]).slice(0, 100_000)
    outgoing = sent(table)
    got = sorted(read_back(outgoing))
    wanted = sorted(
        zip(
            table["tag"].to_pylist(),
            table["source_time"].cast(pa.int64()).to_pylist(),
            table["value"].to_pylist(),
            strict=True,
        )
    )
    assert got == wanted
    assert max(len(payload) for _, payload in outgoing) < MIB / 2


def test_metrics_that_were_read_together_share_a_message() -> None:
    rows: list[Row] = [(f"s/m/{name}", 10**15 + n, n) for name in "ab" for n in range(10)]
    rows.append(("s/m/c", 10**15 + 3, 1.0))
    outgoing = sent(table_of(rows))
    assert sorted(set(json.loads(m.payload)) - {"gateway", "epoch", "seq"} for m in outgoing) == [
        {"ts", "c"},
        {"ts", "a", "b"},
    ]
    assert {message.topic for message in outgoing} == {"s/m"}


def test_seq_counts_from_zero_without_a_gap() -> None:
    outgoing = sent(table_of([("a/b", n, 1.0) for n in range(50)] + [("c", None, 2.0)]), 7)
    bodies = [json.loads(message.payload) for message in outgoing]
    assert [body["seq"] for body in bodies] == list(range(len(bodies)))
    assert {(body["gateway"], body["epoch"]) for body in bodies} == {("replay", "e1")}


def test_a_message_stays_small_whatever_the_names_and_numbers() -> None:
    long = '"' * 1000
    rows: list[Row] = [
        (f"a/{long}{metric:03d}", n, -2.2250738585072014e-308)
        for metric in range(METRICS_MAX + 10)
        for n in range(300)
    ]
    outgoing = sent(table_of(rows), rows_per_message=10**6)
    assert max(len(message.payload) for message in outgoing) < MIB
    assert Counter(read_back(outgoing)) == Counter(rows)


def test_columns_of_related_types_are_taken() -> None:
    table = pa.table(
        {
            "tag": pa.array(["a/b", "a/c"]).dictionary_encode(),
            "source_time": pa.array([date(2024, 1, 1), date(2024, 1, 2)]),
            "value": pa.array([True, None]),
            "label": ["ignored", "too"],
        }
    )
    start = 1_704_067_200_000_000
    assert list(read_back(sent(table))) == [
        ("a/b", start, 1.0),
        ("a/c", start + 86_400_000_000, None),
    ]


def test_a_zone_and_nanoseconds_are_brought_to_microseconds_of_utc() -> None:
    times = pa.array([1_700_000_000_123_456_789], pa.timestamp("ns", "Asia/Shanghai"))
    table = pa.table({"tag": ["a/b"], "source_time": times, "value": [1]})
    assert list(read_back(sent(table))) == [("a/b", 1_700_000_000_123_456, 1.0)]


GOOD: dict[str, Any] = {
    "tag": ["a/b"],
    "source_time": pa.array([0], pa.timestamp("us")),
    "value": [1.0],
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tag": None}, "lacks the column 'tag'"),
        ({"source_time": None}, "lacks the column 'source_time'"),
        ({"value": None}, "lacks the column 'value'"),
        ({"tag": [7]}, "'tag' holds int64, not strings"),
        ({"source_time": ["2024-01-01"]}, "'source_time' holds string, not timestamps"),
        ({"value": ["21.5"]}, "'value' holds string, not numbers"),
        ({"tag": [""]}, "has no tag"),
        ({"tag": pa.array([None], pa.string())}, "has no tag"),
        ({"tag": ["a/#"]}, "cannot be a topic"),
        ({"tag": ["$SYS/x"]}, "cannot be a topic"),
        ({"tag": ["a\x00b"]}, "cannot be a topic"),
        ({"tag": ["x" * 5000]}, "longer than 1024 bytes"),
        ({"source_time": pa.array([2**62], pa.timestamp("us"))}, "outside the years"),
        ({"source_time": pa.array([2**62], pa.timestamp("s"))}, "cannot be read"),
        ({"source_time": pa.array([2**31 - 1], pa.date32())}, "a source_time"),
    ],
)
def test_a_table_that_is_no_recording_is_refused_in_one_line(
    change: dict[str, Any], words: str
) -> None:
    columns = {name: column for name, column in (GOOD | change).items() if column is not None}
    with pytest.raises(DataError) as caught:
        messages(pa.table(columns), gateway="g", epoch="e")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_empty_recording_sends_nothing() -> None:
    assert sent(table_of([])) == []


def test_a_text_goes_out_in_the_place_of_its_value() -> None:
    table = pa.table(
        {
            "tag": ["s/m/state", "s/m/state", "s/m/state", "s/m/force"],
            "source_time": pa.array([BEGAN_US, BEGAN_US + 1, BEGAN_US + 2, BEGAN_US], UTC_TIME),
            "value": pa.array([None, 2.5, None, 7.0], pa.float64()),
            "text": ["ON", None, "", None],
        }
    )
    bodies = [json.loads(payload) for _, payload in sent(table)]
    assert [body["state"] for body in bodies if "state" in body] == [["ON", 2.5, ""]]
    assert [body["force"] for body in bodies if "force" in body] == [[7.0]]


def test_long_texts_make_small_messages() -> None:
    count = 60
    table = pa.table(
        {
            "tag": ["s/m/note", "s/m/other"] * count,
            "source_time": pa.array([BEGAN_US + n // 2 for n in range(2 * count)], UTC_TIME),
            "value": pa.nulls(2 * count, pa.float64()),
            "text": ["\x01" * 20_000, "short"] * count,
        }
    )
    outgoing = sent(table)
    assert max(len(payload) for _, payload in outgoing) < MIB
    assert sum(len(json.loads(payload).get("note", [])) for _, payload in outgoing) == count
    assert sum(len(json.loads(payload).get("other", [])) for _, payload in outgoing) == count
    too_long = table.set_column(3, "text", pa.array(["x" * 50_000] * 2 * count))
    with pytest.raises(DataError, match="a text is longer"):
        sent(too_long)


def test_a_local_time_goes_out_as_it_is_in_the_order_of_the_source_times() -> None:
    local = datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001  # without a zone on purpose
    table = pa.table(
        {
            "tag": ["s/m/force"] * 2,
            "source_time": pa.array([BEGAN_US + 1_000_000, BEGAN_US], UTC_TIME),
            "value": [2.0, 1.0],
            "local_time": pa.array([local, None], pa.timestamp("us")),
        }
    )
    ((_, payload),) = sent(table)
    body = json.loads(payload)
    assert body["force"] == [1.0, 2.0]
    assert body["ts"] == ["2026-01-01T00:00:00.000000Z", "2026-10-25T02:30:00"]
