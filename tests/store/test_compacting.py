"""Compaction: few sorted segments of many, and nothing that a reader sees is another."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.batches import CleanBatch, CleanCommit, LedgerEntry, RawBatch, RawCommit
from contracts.errors import TransientError
from store.commits.swapping import Swap, Swapper
from store.lake import Lake
from store.query import connect, fetch
from store.segments import sorting
from store.upkeep import compacting
from store.upkeep.compacting import Compacted, compact, row_count
from store.upkeep.maintain import KEEP_SNAPSHOTS, MERGE_FROM, maintain, merge_small
from tests.store.samples import START_US, judged, raw_commit, raw_rows

DAY_US = 86_400_000_000
HOUR_US = DAY_US // 24
READINGS = {
    "raw": "SELECT * FROM raw.readings ORDER BY arrival, tag",
    "clean": "SELECT * FROM clean.readings ORDER BY arrival, tag",
}


def commit_rows(lake: Lake, judge: Lake, rows: pa.Table, position: int) -> None:
    count, until = rows.num_rows, rows["arrival"].to_pylist()[-1] + 1
    entry = LedgerEntry("gw1", count, count, 0, 0)
    lake.commit_raw(RawCommit(RawBatch(rows), (), (entry,), position, until, b"seen"))
    judge.commit_clean(CleanCommit(CleanBatch(judged(rows)), until, b"%d" % until, 1))


def rows_of_days(first: int, days: Sequence[int], **columns: Sequence[object]) -> pa.Table:
    """Make a reading for each of these days, received at once and filed in it."""
    times = [START_US + day * DAY_US + (first + k) * 1000 for k, day in enumerate(days)]
    received = [START_US + 2 * HOUR_US + first + k for k in range(len(days))]
    given = {"source_time": times, "received_time": received, **columns}
    return raw_rows(first, len(days), **given)


def segments(root: Path, table: str) -> dict[str, pa.Table]:
    listed = fetch(root, f"SELECT path FROM house.segments WHERE path LIKE '{table}/readings/%'")
    paths = sorted(str(path) for path in listed["path"].to_pylist())
    return {path: pq.read_table(root / "data" / path) for path in paths}


def test_a_day_becomes_one_sorted_segment_of_each_table(
    lake: Lake, judge: Lake, root: Path
) -> None:
    for number in range(5):
        rows = raw_rows(number * 30, 30)
        commit_rows(lake, judge, rows, number + 1)
    before = {name: fetch(root, sql) for name, sql in READINGS.items()}
    told = list[int]()
    assert row_count(root) == 300
    assert compact(root, tell=told.append) == Compacted(10, 2, 300)
    assert sum(told) == 300
    assert row_count(root) == 0
    assert compact(root) == Compacted()
    for name, sql in READINGS.items():
        assert fetch(root, sql).equals(before[name])
        ((path, table),) = segments(root, name).items()
        assert table.equals(_in_order(table))
        (noted,) = fetch(root, f"FROM house.segments WHERE path = '{path}'").to_pylist()
        content = (root / "data" / path).read_bytes()
        assert noted["sha256"] == hashlib.sha256(content).hexdigest()
        assert (noted["row_count"], noted["byte_count"]) == (150, len(content))
    assert lake.raw_after(40, limit=20).table["arrival"].to_pylist() == list(range(40, 60))


def test_a_wild_time_does_not_spoil_the_days_of_the_others(
    lake: Lake, judge: Lake, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compacting, "OWN_DAY_BYTES", 2_000)
    for number in range(6):
        wild = [-20_000, 9000, 3][number % 3]
        commit_rows(lake, judge, rows_of_days(number * 30, [*[0] * 29, wild]), number + 1)
    assert compact(root) == Compacted(12, 4, 360)
    for table in ("raw", "clean"):
        day, rest = sorted(segments(root, table).values(), key=len, reverse=True)
        assert (len(day), len(rest)) == (6 * 29, 6)
        assert {str(time)[:10] for time in day["source_time"].to_pylist()} == {"2026-01-05"}
    assert compact(root) == Compacted()


def test_only_finished_days_are_compacted_by_maintenance(
    lake: Lake, judge: Lake, root: Path
) -> None:
    for number in range(4):
        received = [START_US + number // 2 * DAY_US + k for k in range(30)]
        rows = raw_rows(number * 30, 30, received_time=received, source_time=received)
        commit_rows(lake, judge, rows, number + 1)
    second_day = datetime.fromtimestamp(START_US / 1e6, UTC) + timedelta(days=1, hours=5)
    done = maintain(root, now=second_day)
    assert done.compacted_count == 4
    assert [len(table) for table in segments(root, "clean").values()] == [60, 30, 30]


def test_a_reader_and_the_writers_go_on_beside_it(lake: Lake, judge: Lake, root: Path) -> None:
    for number in range(4):
        commit_rows(lake, judge, raw_rows(number * 30, 30), number + 1)
    with connect(root) as reader:
        reader.execute("BEGIN")
        asked = "SELECT count(*) FROM readings"
        assert reader.execute(asked).fetchone() == (120,)

        def commit_more(_rows: int) -> None:
            done = lake.ingest_progress()
            commit_rows(lake, judge, raw_rows(done.arrival, 30), done.position + 1)

        compact(root, tell=commit_more)
        assert reader.execute(asked).fetchone() == (120,)
        reader.execute("ROLLBACK")
        found = reader.execute(asked).fetchone()
    assert found is not None
    assert found[0] > 120
    assert fetch(root, READINGS["clean"])["arrival"].to_pylist() == list(range(found[0]))


def test_old_segments_go_once_their_snapshots_have_expired(
    lake: Lake, judge: Lake, root: Path
) -> None:
    for number in range(4):
        commit_rows(lake, judge, raw_rows(number * 30, 30), number + 1)
    compact(root)
    assert len(list(root.glob("data/*/readings/*.parquet"))) == 10
    maintain(root, now=datetime.now(UTC) + KEEP_SNAPSHOTS + timedelta(minutes=10))
    left = {str(path.relative_to(root / "data")) for path in root.glob("data/*/readings/*")}
    assert left == {*segments(root, "raw"), *segments(root, "clean")}
    assert fetch(root, "SELECT count(*) AS n FROM readings")["n"].to_pylist() == [120]


def test_verdicts_are_left_alone_while_they_are_judged_again(
    lake: Lake, judge: Lake, root: Path
) -> None:
    for number in range(2):
        commit_rows(lake, judge, raw_rows(number * 30, 30), number + 1)
    with Lake.open(root, writer="rejudge"):
        assert compact(root) == Compacted(2, 1, 60)
    assert compact(root) == Compacted(2, 1, 60)


def test_only_one_maintains_at_a_time(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compacting, "COMMIT_WAIT_S", 0.1)
    with Lake.open(root, writer="maintain"), pytest.raises(TransientError, match="try again"):
        compact(root)


class EndedError(Exception):
    pass


def test_an_error_after_the_commit_takes_no_segment_away(
    lake: Lake, judge: Lake, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        commit_rows(lake, judge, raw_rows(number * 30, 30), number + 1)
    before = {name: fetch(root, sql) for name, sql in READINGS.items()}
    real = Swapper.swap

    def swap(self: Swapper, swaps: Sequence[Swap]) -> None:
        real(self, swaps)
        raise TransientError("the disk is full: the catalog had committed, and opens no more")

    with monkeypatch.context() as patch:
        patch.setattr(Swapper, "swap", swap)
        with pytest.raises(TransientError, match="opens no more"):
            compact(root)
    for name, sql in READINGS.items():
        assert fetch(root, sql).equals(before[name])


def test_work_that_is_ended_leaves_all_as_it_was(lake: Lake, judge: Lake, root: Path) -> None:
    for number in range(3):
        commit_rows(lake, judge, raw_rows(number * 30, 30), number + 1)
    names = {path.name for path in root.glob("data/*/readings/*")}

    def end(_rows: int) -> None:
        raise EndedError

    with pytest.raises(EndedError):
        compact(root, tell=end)
    assert {path.name for path in root.glob("data/*/readings/*")} == names
    assert fetch(root, "SELECT count(*) AS n FROM readings")["n"].to_pylist() == [90]


TIMES = st.one_of(
    st.none(),
    st.integers(0, 3 * DAY_US),  # late, or in time
    st.sampled_from([-START_US, -1, DAY_US, 8000 * DAY_US]),  # wild, or at midnight
)
ROW = st.tuples(st.sampled_from("aåb漢"), TIMES, st.one_of(st.none(), st.floats(-1e3, 1e3)))
COMMITS = st.lists(st.lists(ROW, min_size=1, max_size=12), min_size=2, max_size=5)


@given(
    commits=COMMITS, steps_us=st.integers(1, DAY_US // 3), sizes=st.tuples(*[st.integers(1, 9)] * 2)
)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_readings_are_the_same_whatever_times_they_have(
    tmp_path_factory: pytest.TempPathFactory,
    commits: list[list[tuple[str, int | None, float | None]]],
    steps_us: int,
    sizes: tuple[int, int],
) -> None:
    root = tmp_path_factory.mktemp("any") / "store"
    with Lake.open(root, writer="ingest") as lake, Lake.open(root, writer="judge") as judge:
        first = 0
        for position, rows in enumerate(commits, 1):
            tags, times, values = zip(*rows, strict=True)
            source = [None if time is None else START_US + time for time in times]
            received = [START_US + (first + k) * steps_us for k in range(len(rows))]
            columns = {"tag": tags, "source_time": source, "value": values}
            table = raw_rows(first, len(rows), received_time=received, **columns)
            commit_rows(lake, judge, table, position)
            first += len(rows)
        before = {name: fetch(root, sql) for name, sql in READINGS.items()}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(compacting, "OWN_DAY_BYTES", sizes[0] * 400)
            patch.setattr(sorting, "PIECE_ROWS", sizes[1])
            compact(root)
        for name, sql in READINGS.items():
            assert fetch(root, sql).equals(before[name])
            for table in segments(root, name).values():
                assert table.equals(_in_order(table))


def _in_order(table: pa.Table) -> pa.Table:
    """Sort rows by tag, source_time, arrival, those without a time after the others."""
    keys = ["tag", "source_time", "arrival"]
    order = pc.sort_indices(table, sort_keys=[(key, "ascending") for key in keys])
    return table.take(order)


def test_strings_that_a_merge_has_written_one_by_one_are_compacted(lake: Lake, root: Path) -> None:
    for number in range(MERGE_FROM):
        tags = [f"s/a/l/m/tag{number}x{row}" for row in range(10)]
        rows = raw_rows(number * 10, 10, tag=tags, topic=tags)
        ledger = (LedgerEntry("gw1", 10, 10, 0, 0),)
        until = number * 10 + 10
        lake.commit_raw(RawCommit(RawBatch(rows), (), ledger, number + 1, until, b"seen"))
    assert merge_small(root) == MERGE_FROM
    (merged,) = fetch(root, "FROM house.segments")["path"].to_pylist()
    group = pq.read_metadata(root / "data" / merged).row_group(0)
    encodings = {group.column(n).encodings for n in range(group.num_columns)}
    assert any("DELTA_LENGTH_BYTE_ARRAY" in each for each in encodings), "the test tests nothing"
    for number in range(MERGE_FROM, MERGE_FROM + 2):
        lake.commit_raw(raw_commit(number * 10, 10, position=number + 1))
    before = fetch(root, "FROM raw.readings ORDER BY arrival")
    compact(root)
    assert len(fetch(root, "FROM house.segments")) == 1
    assert fetch(root, "FROM raw.readings ORDER BY arrival").equals(before)
