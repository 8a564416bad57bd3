from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from contracts.batches import CLEAN_SCHEMA, RAW_SCHEMA, RawBatch, RawCommit
from contracts.quality import Reason, words_of
from contracts.tags import Kind, Place, Tag
from store import tables
from store.lake import Lake
from store.query import fetch
from tests.store.samples import START_US, clean_commit, raw_commit, raw_rows

# What the public surface promises, word for word.
READINGS = (
    "tag, site, area, line, machine, metric, unit, source_time, received_time, value, text,"
    " value_clean, quality, reasons, source_quality, gateway, epoch, seq, topic"
)
ROLLUP = "count, mean, min, max, last, good_share, value_count, last_time"
PROMISED = {
    "readings": f"{READINGS}, rule_version",
    "latest": READINGS,
    "tags": "tag, site, area, line, machine, metric, unit, kind, edited, gateway",
    "minute": f"tag, minute, {ROLLUP}",
    "hour": f"tag, hour, {ROLLUP}",
    "ledger": "gateway, received, stored, duplicate, dead_letter",
    "gaps": "gateway, epoch, first_seq, last_seq, count",
    "dead_letters": "topic, payload, reason, received_time, gateway, replayed",
    "rule_versions": "rule_version, since, digest, configuration",
    "rejudgements": "made_at, from_time, to_time, pattern, rule_version, replaced, changed",
    "raw.readings": ", ".join(RAW_SCHEMA.names),
    "clean.readings": ", ".join([*CLEAN_SCHEMA.names, "rule_version, judge_commit"]),
}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty")
    Lake.open(folder, writer="ingest").close()
    return folder


@pytest.mark.parametrize("name", PROMISED)
def test_a_view_has_the_columns_that_are_promised(empty: Path, name: str) -> None:
    assert ", ".join(fetch(empty, f"FROM {name} LIMIT 0").column_names) == PROMISED[name]


def test_every_time_is_in_utc_with_microseconds(empty: Path) -> None:
    for name in PROMISED:
        for field in fetch(empty, f"FROM {name} LIMIT 0").schema:
            if pa.types.is_timestamp(field.type):
                assert field.type == pa.timestamp("us", tz="UTC")


def test_every_reason_has_its_word(lake: Lake, judge: Lake, root: Path) -> None:
    bits = [0, *(int(reason) for reason in Reason), int(Reason.SPIKE | Reason.SENTINEL)]
    lake.commit_raw(raw_commit(0, len(bits), position=1))
    judge.commit_clean(clean_commit(raw_rows(0, len(bits)), reasons=bits))
    found = fetch(root, "SELECT reasons FROM readings ORDER BY seq")
    assert found["reasons"].to_pylist() == [words_of(bit) for bit in bits]


def test_a_reading_shows_where_its_tag_stands(lake: Lake, judge: Lake, root: Path) -> None:
    place = Place("s", "a", "l", "m", "tag0")
    lake.commit_raw(
        raw_commit(0, 2, position=2), new_tags=[Tag("s/a/l/m/tag0", place, "bar", Kind.GAUGE)]
    )
    judge.commit_clean(clean_commit(raw_rows(0, 2)))
    sql = "SELECT site, area, line, machine, metric, unit FROM readings ORDER BY seq"
    known, unknown = fetch(root, sql).to_pylist()
    assert list(known.values()) == ["s", "a", "l", "m", "tag0", "bar"]
    assert set(unknown.values()) == {None}


def test_the_newest_reading_of_each_tag_is_the_latest(lake: Lake, judge: Lake, root: Path) -> None:
    rows = raw_rows(
        0,
        4,
        tag=["a", "a", "a", "b"],
        source_time=[START_US + 5, START_US + 9, START_US + 10**12, START_US],
    )
    lake.commit_raw(RawCommit(RawBatch(rows), (), (), 1, 4, b""))
    judge.commit_clean(clean_commit(rows, reasons=[0, 0, int(Reason.FUTURE), 0]))
    found = fetch(root, "SELECT tag, value FROM latest ORDER BY tag")
    assert found.to_pylist() == [{"tag": "a", "value": 1.0}, {"tag": "b", "value": 3.0}]


@pytest.mark.parametrize(("view", "last"), [("minute", 1.0), ("hour", 4.0)])
def test_rollups_count_all_and_measure_what_is_not_bad(
    lake: Lake, judge: Lake, root: Path, view: str, last: float
) -> None:
    seconds = [0, 30, 40, 3599, 3600]
    rows = raw_rows(
        0,
        5,
        tag=["a"] * 5,
        source_time=[START_US + at * 1_000_000 for at in seconds],
        value=[3.0, 1.0, 9.0, 4.0, 8.0],
    )
    lake.commit_raw(RawCommit(RawBatch(rows), (), (), 1, 5, b""))
    judge.commit_clean(clean_commit(rows, quality=[0, 1, 2, 0, 0]))
    first = fetch(root, f"FROM {view} ORDER BY 2").to_pylist()[0]
    count = 3 if view == "minute" else 4
    assert (first["count"], first["min"], first["last"]) == (count, 1.0, last)
    assert first["value_count"] == count - 1
    last_us = START_US + seconds[1 if view == "minute" else 3] * 1_000_000
    assert first["last_time"] == datetime.fromtimestamp(last_us / 1e6, UTC)
    assert first["mean"] == pytest.approx(2.0 if view == "minute" else 8 / 3)
    assert first["good_share"] == pytest.approx(1 / 3 if view == "minute" else 1 / 2)


def test_a_query_by_tag_and_time_skips_segments(lake: Lake, judge: Lake, root: Path) -> None:
    for number in range(4):
        lake.commit_raw(raw_commit(number * 60, 60, position=number + 1))
        judge.commit_clean(clean_commit(raw_rows(number * 60, 60)))
    plan = fetch(
        root,
        "EXPLAIN ANALYZE SELECT value FROM readings WHERE tag = 's/a/l/m/tag1'"
        " AND source_time < TIMESTAMPTZ '2026-01-05 00:00:30Z'",
    )
    assert "Total Files Read: 1" in plan["explain_value"][0].as_py()


def test_the_lake_has_exactly_the_columns_that_are_declared(empty: Path) -> None:
    for table in tables.TABLES:
        assert fetch(empty, f"FROM {table.path} LIMIT 0").column_names == table.columns.names
