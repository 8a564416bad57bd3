from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.batches import CLEAN_SCHEMA, RAW_SCHEMA, DeadLetter, LedgerEntry, RawBatch, RawCommit
from contracts.errors import ConfigError, ContractError, DataError, GainlineError
from contracts.moments import TIME
from contracts.tags import Kind, Place, Tag
from store.catalog.attachment import METADATA
from store.lake import Lake, ReportSlot
from store.query import connect, fetch
from store.tables import IN_SEGMENTS, TABLES
from tests.store.samples import START_US, clean_commit, judged, raw_commit, raw_rows

STRINGS = st.text(st.characters(codec="utf-8"), max_size=8)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
TIMES = st.integers(-(10**15), 4 * 10**15)


@st.composite
def odd_columns(draw: st.DrawFn, count: int) -> dict[str, list[object]]:
    """Draw what a plant may send: nulls, odd strings, extreme numbers and times."""

    def column(values: st.SearchStrategy[object]) -> list[object]:
        return draw(st.lists(values, min_size=count, max_size=count))

    return {
        "tag": column(STRINGS),
        "source_time": column(st.none() | TIMES),
        "received_time": column(TIMES),
        "value": column(st.none() | FINITE),
        "text": column(st.none() | STRINGS),
        "gateway": column(st.none() | STRINGS),
        "seq": column(st.none() | st.integers(-(2**63), 2**63 - 1)),
        "topic": column(STRINGS),
    }


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_whatever_is_committed_is_read_back_unchanged(lake: Lake, data: st.DataObject) -> None:
    before = lake.ingest_progress()
    count = data.draw(st.integers(1, 6))
    rows = raw_rows(before.arrival, count, **data.draw(odd_columns(count)))
    entry = LedgerEntry(data.draw(STRINGS), count, count, 0, 0)
    end = before.arrival + count
    memory = data.draw(st.binary(max_size=50))
    lake.commit_raw(RawCommit(RawBatch(rows), (), (entry,), before.position + 1, end, memory))
    assert lake.raw_after(before.arrival, limit=10).table.cast(RAW_SCHEMA).equals(rows)
    assert lake.ingest_progress() == (before.position + 1, end, memory)


def test_verdicts_are_read_back_with_the_readings(lake: Lake, judge: Lake, root: Path) -> None:
    raw = raw_rows(0, 300)
    lake.commit_raw(raw_commit(0, 300, position=300))
    quality = [number % 3 for number in range(300)]
    judge.commit_clean(clean_commit(raw, quality=quality))
    found = fetch(root, "SELECT * FROM clean.readings ORDER BY arrival")
    assert found["rule_version"].null_count == 300
    assert found["judge_commit"].unique().to_pylist() == [1]
    assert (
        found.drop(["rule_version", "judge_commit"])
        .cast(CLEAN_SCHEMA)
        .equals(judged(raw, quality=quality))
    )
    assert judge.judge_progress() == (0, 300, b"state")


def test_a_judged_reading_without_source_time_is_filed_under_received_time(
    lake: Lake, judge: Lake, root: Path
) -> None:
    raw = raw_rows(0, 2, source_time=[None, START_US])
    lake.commit_raw(RawCommit(RawBatch(raw), (), (), 1, 2, b""))
    judge.commit_clean(clean_commit(raw))
    found = fetch(root, "SELECT source_time, received_time FROM readings ORDER BY seq")
    assert found["source_time"][0] == found["received_time"][0]
    assert fetch(root, "SELECT count(source_time) AS n FROM raw.readings")["n"][0].as_py() == 1


def test_a_commit_that_comes_again_is_stored_once(lake: Lake, judge: Lake, root: Path) -> None:
    commit = raw_commit(0, 10, position=10)
    verdicts = clean_commit(raw_rows(0, 10))
    for _ in range(2):
        lake.commit_raw(commit)
        judge.commit_clean(verdicts)
    counts = fetch(
        root, "SELECT (SELECT count(*) FROM raw.readings), (SELECT count(*) FROM readings)"
    )
    assert [column[0].as_py() for column in counts.columns] == [10, 10]
    assert fetch(root, "FROM ledger").to_pylist() == [
        {"gateway": "gw1", "received": 10, "stored": 10, "duplicate": 0, "dead_letter": 0}
    ]


def test_a_commit_that_goes_back_is_refused(lake: Lake) -> None:
    lake.commit_raw(raw_commit(0, 10, position=10))
    lake.commit_raw(raw_commit(10, 10, position=20))
    with pytest.raises(ContractError, match="journal is not that of this lake"):
        lake.commit_raw(raw_commit(0, 10, position=10))
    with pytest.raises(ContractError, match="stored twice"):
        lake.commit_raw(raw_commit(5, 20, position=30))


def test_a_value_that_is_not_finite_never_reaches_the_disk(lake: Lake, root: Path) -> None:
    rows = raw_rows(0, 2, value=[float("nan"), 1.0])
    with pytest.raises(ContractError, match="not finite"):
        lake.commit_raw(RawCommit(RawBatch(rows), (), (), 1, 2, b""))
    lake.commit_raw(raw_commit(0, 2, position=1))
    assert fetch(root, "SELECT max(value) AS m FROM raw.readings")["m"][0].as_py() == 1.0


@pytest.mark.parametrize("count", [3, 250])
def test_dead_letters_and_many_gateways_are_kept_whole(lake: Lake, root: Path, count: int) -> None:
    letters = tuple(
        DeadLetter(number, "odd/\x00'topic", bytes(range(256)), "not_json: at 1", START_US, "gw")
        for number in range(count)
    )
    ledger = tuple(LedgerEntry(f"gw{number}", 2, 0, 1, 1) for number in range(count))
    commit = RawCommit(RawBatch(RAW_SCHEMA.empty_table()), letters, ledger, count, 0, b"")
    lake.commit_raw(commit)
    found = fetch(root, "FROM dead_letters")
    assert found.num_rows == count
    assert found.slice(0, 1).to_pylist() == [
        {
            "topic": "odd/\x00'topic",
            "payload": bytes(range(256)),
            "reason": "not_json: at 1",
            "received_time": pa.scalar(START_US, TIME).as_py(),
            "gateway": "gw",
            "replayed": False,
        }
    ]
    sums = fetch(
        root,
        "SELECT sum(received) = sum(stored + duplicate + dead_letter) AS ok, count(*) AS n"
        " FROM ledger",
    )
    assert sums.to_pylist() == [{"ok": True, "n": count}]


def test_readings_are_handed_on_in_order_of_arrival_up_to_a_limit(lake: Lake) -> None:
    for first in (0, 40, 100):  # the numbers 50 to 99 were never given
        lake.commit_raw(raw_commit(first, 10 if first == 40 else 40, position=first + 50))
    seen: list[int] = []
    while (batch := lake.raw_after(seen[-1] + 1 if seen else 0, limit=17)).table.num_rows:
        assert batch.table.num_rows <= 17
        seen += batch.table["arrival"].to_pylist()
    assert seen == [*range(50), *range(100, 140)]


def test_handing_on_reads_only_the_segments_that_hold_the_readings(lake: Lake, root: Path) -> None:
    for number in range(6):
        lake.commit_raw(raw_commit(number * 50, 50, position=number + 1))
    for number, path in enumerate(sorted((root / "data/raw/readings").iterdir())):
        if number != 2:
            path.unlink()
    assert lake.raw_after(120, limit=30).table["arrival"].to_pylist() == list(range(120, 150))
    with pytest.raises(GainlineError):
        lake.raw_after(120, limit=31)


def test_handing_on_gives_coded_strings_and_none_of_other_readings(lake: Lake) -> None:
    text = ["secret" if number < 20 else None for number in range(50)]
    rows = raw_rows(0, 50, tag=[f"t{number}" for number in range(50)], text=text)
    lake.commit_raw(RawCommit(RawBatch(rows), (), (), 1, 50, b""))
    handed_on = lake.raw_after(30, limit=10).table
    assert handed_on.cast(RAW_SCHEMA).equals(rows.slice(30, 10))
    words = {name: handed_on[name].chunk(0).dictionary.to_pylist() for name in ("tag", "text")}
    assert words["text"] == []
    assert sorted(words["tag"]) == [f"t{number}" for number in range(30, 40)]


def test_the_last_word_on_a_tag_stands(lake: Lake, judge: Lake) -> None:
    first = Tag("a/b", Place(site="a"), None, Kind.GAUGE)
    second = Tag("a/b", Place(site="a", line="l"), "°C", Kind.COUNTER)
    lake.commit_raw(raw_commit(0, 1, position=1), new_tags=[first])
    assert judge.known_tags() == {"a/b": first}
    assert judge.revise_tags(lambda _: [second]) == 1
    many = [Tag(f"t{number}", Place(), None, Kind.STATE) for number in range(300)]
    assert lake.revise_tags(lambda _: many) == 300
    assert lake.known_tags() == {"a/b": second} | {tag.tag: tag for tag in many}


def test_a_report_is_noted_once(root: Path) -> None:
    slot = datetime(2026, 1, 5, 6, tzinfo=UTC)
    made = ReportSlot("daily", slot, datetime(2026, 1, 5, 7, tzinfo=UTC), "reports/a.html")
    with Lake.open(root, writer="reports") as reports:
        reports.record_report(made)
        reports.record_report(made._replace(path="reports/b.html"))
        assert reports.report_slots("daily") == [made]
        assert reports.report_slots("weekly") == []
        with pytest.raises(ContractError):
            reports.commit_raw(raw_commit(0, 1, position=1))


def test_a_second_ingest_of_one_store_is_refused(lake: Lake, root: Path) -> None:
    with pytest.raises(ConfigError, match="another process is the ingest"):
        Lake.open(root, writer="ingest")
    lake.commit_raw(raw_commit(0, 1, position=1))


def test_a_memory_that_changed_on_disk_is_not_trusted(lake: Lake, root: Path) -> None:
    lake.commit_raw(raw_commit(0, 1, position=1))
    lake.commit_raw(raw_commit(1, 1, position=2, memory=b"later"))
    (path,) = (root / "state").iterdir()
    path.write_bytes(b"latex")
    with pytest.raises(DataError, match="restore the store"):
        lake.ingest_progress()


def test_a_moved_store_is_read_and_goes_on(root: Path) -> None:
    with Lake.open(root, writer="ingest") as lake:
        lake.commit_raw(raw_commit(0, 5, position=5))
    moved = root.with_name("moved")
    root.rename(moved)
    with Lake.open(moved, writer="ingest") as lake:
        lake.commit_raw(raw_commit(5, 5, position=10))
    assert fetch(moved, "SELECT count(*) AS n FROM raw.readings")["n"][0].as_py() == 10


def test_a_writer_keeps_the_log_of_the_catalog_and_takes_it_along(root: Path) -> None:
    log = root / "catalog.sqlite-wal"
    with Lake.open(root, writer="ingest") as lake:
        before = log.stat()
        for number in range(130):  # more than one fold of 1,000 pages
            lake.commit_raw(raw_commit(number, 1, position=number + 1))
        after = log.stat()
        assert after.st_ino == before.st_ino, "each commit has removed it"
        assert after.st_size < 6_000_000, "it was never folded"
        assert fetch(root, "SELECT count(*) AS n FROM raw.readings")["n"].to_pylist() == [130]
    assert not log.exists()


def test_the_catalog_has_no_place_for_rows_that_lie_in_segments(root: Path) -> None:
    with Lake.open(root, writer="ingest"), closing(connect(root)) as connection:
        found = connection.execute(
            f"SELECT s.schema_name || '.' || t.table_name FROM {METADATA}.ducklake_table AS t"
            f" JOIN {METADATA}.ducklake_schema AS s USING (schema_id)"
            f" JOIN {METADATA}.ducklake_inlined_data_tables AS i USING (table_id)"
        ).fetchall()
    places = {path for (path,) in found}
    assert places == {table.path for table in TABLES} - {table.path for table in IN_SEGMENTS}
