"""Retention: what is older than it is to be kept goes, and nothing else."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from contracts.batches import CleanBatch, CleanCommit, DeadLetter, LedgerEntry, RawBatch, RawCommit
from store.lake import Lake
from store.query import fetch
from store.sums.rolling import roll_up
from store.upkeep.compacting import compact
from store.upkeep.maintain import KEEP_SNAPSHOTS, maintain
from store.upkeep.retaining import Retained, Retention, retain
from tests.store.samples import START_US, judged, raw_rows

DAY_US = 86_400_000_000
START = datetime.fromtimestamp(START_US / 1e6, UTC)
TAGS = [f"s/a/l/m/tag{number}" for number in range(3)]


def day_of_rows(day: int) -> pa.Table:
    """Make 30 readings that were received on a day."""
    times = [START_US + day * DAY_US + number * 60_000_000 for number in range(30)]
    return raw_rows(day * 30, 30, source_time=times, received_time=times)


def commit_days(lake: Lake, judge: Lake, days: Sequence[int]) -> None:
    for day in days:
        rows = day_of_rows(day)
        entry = LedgerEntry("gw1", 30, 30, 0, 0)
        lake.commit_raw(RawCommit(RawBatch(rows), (), (entry,), day + 1, day * 30 + 30, b"seen"))
        judge.commit_clean(CleanCommit(CleanBatch(judged(rows)), day * 30 + 30, b"%d" % day, 1))


@pytest.fixture
def filled(root: Path, lake: Lake, judge: Lake) -> Path:
    """A store with the readings of six days."""
    commit_days(lake, judge, range(6))
    while roll_up(root):
        pass
    return root


def count(root: Path, table: str) -> int:
    (number,) = fetch(root, f"SELECT count(*) AS n FROM {table}")["n"].to_pylist()
    assert isinstance(number, int)
    return number


def after(days: float) -> datetime:
    return START + timedelta(days=days)


def gone(done: Sequence[Retained]) -> dict[str, int]:
    return {each.kind: each.rows for each in done if each.rows}


def test_nothing_is_removed_unless_it_is_asked_for(filled: Path) -> None:
    assert gone(retain(filled, Retention(), now=after(10_000))) == {}
    assert count(filled, "raw.readings") == count(filled, "readings") == 180


def test_each_table_has_its_own_time(filled: Path) -> None:
    hours = fetch(filled, "SELECT * FROM hour ORDER BY ALL")
    minutes = count(filled, "minute")
    retention = Retention({"raw": 2, "clean": 4})
    would = retain(filled, retention, now=after(6), is_dry_run=True)
    assert count(filled, "raw.readings") == count(filled, "readings") == 180
    assert retain(filled, retention, now=after(6)) == would
    assert gone(would) == {"raw": 120, "clean": 60}
    assert min(fetch(filled, "FROM raw.readings")["arrival"].to_pylist()) == 120
    assert count(filled, "readings") == 120
    assert fetch(filled, "SELECT * FROM hour ORDER BY ALL").equals(hours)
    assert count(filled, "minute") == minutes
    assert fetch(filled, "SELECT received, stored FROM ledger").to_pylist() == [
        {"received": 180, "stored": 180}
    ]
    assert gone(retain(filled, retention, now=after(6))) == {}
    left = {row["path"] for row in fetch(filled, "FROM house.segments").to_pylist()}
    maintain(filled, now=datetime.now(UTC) + KEEP_SNAPSHOTS + timedelta(minutes=10))
    files = {str(path.relative_to(filled / "data")) for path in filled.glob("data/raw/*/*")}
    assert len(files) < 6
    assert len([path for path in left if path.startswith("raw/")]) == 2


def test_sums_go_too_where_it_is_asked_for(filled: Path) -> None:
    retention = Retention({"minute": 3, "hour": 100})
    done = gone(retain(filled, retention, now=after(6)))
    assert list(done) == ["minute"]
    (first,) = fetch(filled, "SELECT min(minute) AS m FROM minute")["m"].to_pylist()
    # one segment of six days: half of it at least has gone
    assert first >= after(3) - timedelta(hours=1)
    assert count(filled, "readings") == 180


def test_what_was_not_judged_is_kept(lake: Lake, judge: Lake, root: Path) -> None:
    commit_days(lake, judge, range(2))
    rows = day_of_rows(2)
    entry = LedgerEntry("gw1", 30, 30, 0, 0)
    lake.commit_raw(RawCommit(RawBatch(rows), (), (entry,), 3, 90, b"seen"))
    done = retain(root, Retention({"raw": 1, "clean": 1}), now=after(100))
    # verdicts stay until they are in the sums
    assert gone(done) == {"raw": 60}
    assert lake.raw_after(60, limit=100).table.num_rows == 30
    while roll_up(root):
        pass
    assert gone(retain(root, Retention({"clean": 1}), now=after(100))) == {"clean": 60}


def test_the_first_rule_that_matches_a_tag_holds_for_it(filled: Path) -> None:
    rules = [("*tag0", {"raw": 1.0}), ("*tag[01]", {"raw": 5.0, "clean": 3.0})]
    done = retain(filled, Retention({"raw": 3}, rules), now=after(6))
    by_tag = "SELECT tag, count(*) AS n FROM {} GROUP BY tag ORDER BY tag"
    raw = fetch(filled, by_tag.format("raw.readings")).to_pylist()
    assert {row["tag"]: row["n"] for row in raw} == dict(zip(TAGS, [10, 50, 30], strict=True))
    clean = fetch(filled, by_tag.format("readings")).to_pylist()
    assert {row["tag"]: row["n"] for row in clean} == dict(zip(TAGS, [30, 30, 60], strict=True))
    assert gone(done) == {"raw": 90, "clean": 60}
    assert gone(retain(filled, Retention({"raw": 3}, rules), now=after(6))) == {}


def test_a_segment_of_many_days_is_written_anew_once_half_of_it_is_old(
    root: Path, lake: Lake, judge: Lake
) -> None:
    commit_days(lake, judge, [0])
    rows = pa.concat_tables([day_of_rows(day) for day in range(1, 9)])
    entry = LedgerEntry("gw1", 240, 240, 0, 0)
    lake.commit_raw(RawCommit(RawBatch(rows), (), (entry,), 2, 270, b"seen"))
    judge.commit_clean(CleanCommit(CleanBatch(judged(rows)), 270, b"x", 1))
    retention = Retention({"raw": 1})
    assert gone(retain(root, retention, now=after(4))) == {"raw": 30}
    assert gone(retain(root, retention, now=after(7))) == {"raw": 5 * 30}
    assert min(fetch(root, "FROM raw.readings")["arrival"].to_pylist()) == 180
    compact(root)
    assert count(root, "raw.readings") == 90


def commit_letters(lake: Lake, number: int, letters: int, day: float) -> None:
    received = START_US + int(day * DAY_US)
    rows = tuple(
        DeadLetter(number * 1000 + k, "t", bytes(100), "json: no", received, "gw")
        for k in range(letters)
    )
    entry = LedgerEntry("gw", letters, 0, 0, letters)
    until = number * 1000 + letters
    lake.commit_raw(RawCommit(RawBatch(raw_rows(0, 0)), rows, (entry,), until, 0, b"seen"))


def test_dead_letters_go_by_age_and_by_size_wherever_they_lie(lake: Lake, root: Path) -> None:
    for number, letters in enumerate([5, 150, 5, 150, 150]):
        commit_letters(lake, number, letters, number)
    assert gone(retain(root, Retention({"dead_letters": 4}), now=after(5.5))) == {
        "dead_letters": 155
    }
    assert count(root, "dead_letters") == 305
    size = max(path.stat().st_size for path in root.glob("data/house/dead_letters/*"))
    done = retain(root, Retention(dead_letters_mb=size * 1.5 / 1e6), now=after(5))
    assert gone(done) == {"dead_letters": 150}
    assert count(root, "dead_letters") == 155
    assert fetch(root, "SELECT received FROM ledger")["received"].to_pylist() == [460]


def test_the_service_removes_by_the_same_rules(filled: Path) -> None:
    done = maintain(filled, now=after(6), retention=Retention({"clean": 3}))
    assert done.dropped_count == 90
    assert count(filled, "readings") == 90
