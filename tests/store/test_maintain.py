import hashlib
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.batches import DeadLetter, LedgerEntry, RawBatch, RawCommit
from contracts.errors import ConfigError, GainlineError
from store.catalog.attachment import attach
from store.lake import Lake
from store.place.folder import Folder
from store.place.locks import claim
from store.query import connect, fetch
from store.upkeep import maintain as maintain_module
from store.upkeep.maintain import KEEP_ORPHANS, KEEP_SNAPSHOTS, MERGE_FROM, maintain, merge_small
from tests.store.samples import START_US, raw_commit, raw_rows

NOW = datetime.now(UTC)
# Before the readings were received: their day is not over.
EARLY = datetime.fromtimestamp(START_US / 1e6, UTC)
LATER = NOW + KEEP_SNAPSHOTS + timedelta(hours=2)  # however long the tests before take


def segments_of(root: Path) -> set[str]:
    return {str(path.relative_to(root / "data")) for path in root.glob("data/**/*.parquet")}


def test_small_segments_become_one_and_readings_stay(lake: Lake, root: Path) -> None:
    for number in range(MERGE_FROM):
        lake.commit_raw(raw_commit(number * 10, 10, position=number * 10 + 10))
    total = MERGE_FROM * 10
    with connect(root) as reader:
        first = maintain(root, now=EARLY)
        assert (first.merged_count, first.removed_count) == (MERGE_FROM, 0)
        assert reader.execute("SELECT count(*) FROM raw.readings").fetchone() == (total,)
        second = maintain(root, now=LATER)
        assert (second.merged_count, second.removed_count) == (0, MERGE_FROM)
        assert second.expired_count > MERGE_FROM
    lake.commit_raw(raw_commit(total, 10, position=total + 10))
    noted = fetch(root, "FROM house.segments").to_pylist()
    assert {row["path"] for row in noted} == segments_of(root)
    for row in noted:
        content = (root / "data" / row["path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == row["sha256"]
        assert len(content) == row["byte_count"]
    assert sum(row["row_count"] for row in noted) == total + 10
    arrivals = lake.raw_after(0, limit=1000).table["arrival"].to_pylist()
    assert arrivals == list(range(total + 10))
    assert fetch(root, "SELECT received FROM ledger")["received"][0].as_py() == total + 10


def test_small_segments_are_merged_between_two_rounds(lake: Lake, root: Path) -> None:
    for number in range(MERGE_FROM):
        lake.commit_raw(raw_commit(number * 10, 10, position=number * 10 + 10))
    lock = claim(Folder(root), "maintain")
    try:
        assert merge_small(root) == 0  # a round does it
    finally:
        lock.close()
    assert merge_small(root) == MERGE_FROM
    assert merge_small(root) == 0
    assert len(fetch(root, "FROM house.segments")) == 1
    arrivals = lake.raw_after(0, limit=1000).table["arrival"].to_pylist()
    assert arrivals == list(range(MERGE_FROM * 10))


def test_bounds_of_segments_that_are_listed_no_more_slow_no_query(lake: Lake, root: Path) -> None:
    for number in range(3):
        lake.commit_raw(raw_commit(number * 10, 10, position=number * 10 + 10))
    before = lake._connection.execute("SELECT max(snapshot_id) FROM ducklake_snapshots('lake')")
    (snapshot,) = before.fetchone() or (0,)
    assert maintain(root, now=NOW).compacted_count == 3
    bounded = "SELECT count(DISTINCT data_file_id) FROM {}.ducklake_file_column_stats"
    found = lake._connection.execute(bounded.format("__ducklake_metadata_lake")).fetchone()
    assert found == (1,)
    with attach(Folder(root), writable=False, snapshot=snapshot) as older:
        where = "SELECT count(*) FROM raw.readings WHERE arrival >= 15 AND tag LIKE 's/%'"
        assert older.execute(where).fetchone() == (15,)


def test_hashes_that_a_crash_left_out_are_noted_at_the_next_round(lake: Lake, root: Path) -> None:
    for number in range(MERGE_FROM):
        lake.commit_raw(raw_commit(number * 10, 10, position=number * 10 + 10))
    noted = fetch(root, "FROM house.segments ORDER BY path").to_pylist()
    maintain(root, now=EARLY)
    merged = fetch(root, "FROM house.segments")
    lake._connection.execute("DELETE FROM house.segments")
    for row in noted:
        lake._connection.execute(
            "INSERT INTO house.segments VALUES (?, ?, ?, ?)", list(row.values())
        )
    maintain(root, now=EARLY)
    assert fetch(root, "FROM house.segments").equals(merged)


def test_only_old_leftovers_are_removed(lake: Lake, root: Path) -> None:
    lake.commit_raw(raw_commit(0, 10, position=10))
    folder = root / "data" / "raw" / "readings"
    leftovers = [folder / "ingest-000000000009.parquet", folder / "x.parquet.part"]
    for path in leftovers:
        path.write_bytes(b"leftover")
    maintain(root, now=NOW)
    assert all(path.exists() for path in leftovers)
    old = (NOW - KEEP_ORPHANS - timedelta(hours=1)).timestamp()
    for path in leftovers:
        os.utime(path, (old, old))
    assert maintain(root, now=NOW).removed_count == 2
    assert not any(path.exists() for path in leftovers)
    assert fetch(root, "SELECT count(*) AS n FROM raw.readings")["n"][0].as_py() == 10


def test_files_that_writers_name_anew_meanwhile_end_no_round(lake: Lake, root: Path) -> None:
    lake.commit_raw(raw_commit(0, 10, position=10))
    (folder,) = {path.parent for path in (root / "data" / "raw" / "readings").rglob("*.parquet")}
    (folder / "ingest-000000000098.parquet.part").symlink_to(root / "gone")  # found, not there
    is_over = threading.Event()

    def write() -> None:
        parts = [folder / f"ingest-{number:012}.parquet.part" for number in range(100, 400)]
        while not is_over.is_set():
            for part in parts:
                part.touch()
            for part in parts:
                part.unlink()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with attach(Folder(root), writable=True) as connection:
            for _ in range(30):  # one in six met a file that went
                maintain_module._Round(connection, Folder(root), lambda _: None)._remove_orphans(
                    NOW
                )
        maintain(root, now=NOW)
    finally:
        is_over.set()
        writer.join()


def test_the_progress_of_a_writer_does_not_grow_with_its_commits(lake: Lake, root: Path) -> None:
    for number in range(5):
        lake.commit_raw(raw_commit(number, 1, position=number + 1))
    maintain(root, now=LATER)
    metadata = "__ducklake_metadata_lake"
    (name,) = lake._connection.execute(
        f"SELECT i.table_name FROM {metadata}.ducklake_inlined_data_tables AS i"
        f" JOIN {metadata}.ducklake_table AS t ON i.table_id = t.table_id"
        " WHERE t.table_name = 'ingest_progress'"
    ).fetchall()[0]
    lake.commit_raw(raw_commit(5, 1, position=6))
    versions = lake._connection.execute(f"SELECT count(*) FROM {metadata}.{name}").fetchone()
    assert versions == (2,)  # the row, and the one before the commit
    assert lake.ingest_progress()[:2] == (6, 6)


def test_maintenance_of_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no store"):
        maintain(tmp_path, now=NOW)


def test_a_backlog_of_small_segments_is_merged_in_one_round(
    lake: Lake, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(MERGE_FROM + 4):
        lake.commit_raw(raw_commit(number * 10, 10, position=number * 10 + 10))
    monkeypatch.setattr(maintain_module, "MERGE_FROM", 4)
    lake._connection.execute("CALL ducklake_set_option('lake', 'target_file_size', '20KB')")
    maintain(root, now=EARLY)
    assert len(fetch(root, "FROM house.segments")) < 4
    numbers = lake.raw_after(0, limit=1000).table["arrival"].to_pylist()
    assert numbers == list(range((MERGE_FROM + 4) * 10))


def test_dead_letters_do_not_stay_in_the_catalog(
    lake: Lake, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintain_module, "FOLD_FROM", 6)
    monkeypatch.setattr(maintain_module, "FLUSHED_ROWS", 7)
    for number in range(9):
        letters = (DeadLetter(number, "t", b"x", "json: no", START_US + number, "gw"),)
        entry = LedgerEntry("gw", 1, 0, 0, 1)
        readings = RawBatch(raw_rows(0, 0))
        lake.commit_raw(RawCommit(readings, letters, (entry,), number + 1, 0, b"seen"))
    before = fetch(root, "FROM dead_letters ORDER BY received_time")
    maintain(root, now=LATER)
    inlined = "SELECT count(*) AS n FROM house.dead_letters WHERE filename NOT LIKE '%.parquet'"
    assert fetch(root, inlined)["n"].to_pylist() == [2]
    assert fetch(root, "FROM dead_letters ORDER BY received_time").equals(before)
    noted = fetch(root, "FROM house.segments").to_pylist()
    assert {row["path"] for row in noted} == segments_of(root)
    assert lake.waiting_dead_letters([0, 8]) == {0: "gw", 8: "gw"}


def test_work_that_is_told_to_end_can_be_taken_up_again(lake: Lake, root: Path) -> None:
    for number in range(3):
        lake.commit_raw(raw_commit(number * 10, 10, position=number * 10 + 10))

    def end(_rows: int) -> None:
        raise InterruptedError

    with pytest.raises(GainlineError):
        maintain(root, now=NOW, tell=end)
    assert maintain(root, now=NOW).compacted_count == 3
