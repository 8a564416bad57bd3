"""Maintenance in bounded steps beside running writers: fewer files, no leftovers."""

# ruff: noqa: S608 - the SQL is put together of the store's own names

from __future__ import annotations

import os
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

import duckdb

from contracts.errors import ConfigError
from store import failures, tables
from store.catalog import LAKE, METADATA, attach
from store.commit import Committer
from store.durable import PART, sync_file, sync_folder
from store.folder import Folder, claim, removal
from store.segments import Segment, describe

# A step merges segments below SMALL_BYTES, MERGE_FROM or more of them, into one of at most
# creation.MERGED_BYTES: about 2 s, in which no writer commits. Below MERGE_FROM the gain for
# queries is too small to write the readings once more.
SMALL_BYTES = 1_000_000
MERGE_FROM = 16
# Longer than any query: a reader may still use the snapshot that it began with, and its files.
KEEP_SNAPSHOTS = timedelta(hours=1)
# Longer than any commit: a file that no snapshot names may belong to one that is under way.
KEEP_ORPHANS = timedelta(days=1)
# Ledger and gaps are summed up when they have so many entries: a few minutes of a busy ingest.
FOLD_FROM = 1_000

# More than store.commit.INLINED_ROWS gateways write a segment of the ledger at each commit.
_MERGEABLE = (
    tables.RAW_READINGS,
    tables.CLEAN_READINGS,
    tables.LEDGER_ENTRIES,
    tables.GAP_ENTRIES,
)
_GAPS = "SELECT * REPLACE (CAST(sum(change) AS INTEGER) AS change) FROM house.gap_entries"
_FOLDED = (
    (tables.LEDGER_ENTRIES, "SELECT * FROM main.ledger"),
    (tables.GAP_ENTRIES, f"{_GAPS} GROUP BY ALL HAVING sum(change) <> 0"),
)
# What DuckLake's own files are called.
_MERGED = "ducklake-"


class Maintenance(NamedTuple):
    """What one round of maintenance has done."""

    merged_count: int  # segments that became part of larger ones
    expired_count: int  # snapshots that nobody can read any more
    removed_count: int  # files that no snapshot needs


def maintain(folder: Path, *, now: datetime) -> Maintenance:
    """Do one round of maintenance on a store, as its only maintainer.

    Nothing that a current reader sees changes, and a crash at any moment loses nothing: a merged
    segment is synced before the commit that puts it in the place of the small ones, which stay on
    disk for KEEP_SNAPSHOTS. Raises as store.lake.Lake.
    """
    place = Folder(folder)
    place.require_store()
    lock = claim(place, "maintain")
    try:
        with attach(place, writable=True) as connection:
            return _Round(connection, place).run(now)
    except duckdb.Error as error:
        raise failures.of_catalog(error, place.root) from error
    except OSError as error:
        raise failures.of_disk(error) from error
    finally:
        os.close(lock)


class _Round:
    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Folder) -> None:
        self._connection = connection
        self._folder = folder
        self._committer = Committer(connection, folder)

    def run(self, now: datetime) -> Maintenance:
        merged = 0
        for table in _MERGEABLE:
            merged += self._merge_unless_replaced(table)
            # also after a round that a crash cut short between the merge and its notes
            self._note_merged(table)
        for folded, sums_sql in _FOLDED:
            self._fold(folded, sums_sql)
        expired = self._expire(now - KEEP_SNAPSHOTS)
        self._purge_versions()
        removed = 0
        with removal(self._folder) as is_allowed:
            if is_allowed:  # else a backup copies them: the next round removes them
                removed += self._remove_merged(now - KEEP_SNAPSHOTS)
                removed += self._remove_orphans(now - KEEP_ORPHANS)
                removed += self._remove_parts(now - KEEP_ORPHANS)
        return Maintenance(merged, expired, removed)

    def _merge_unless_replaced(self, table: tables.Table) -> int:
        """Merge, but leave verdicts alone while they are judged again: their segments will go."""
        if table is not tables.CLEAN_READINGS:
            return self._merge(table)
        try:
            lock = claim(self._folder, "rejudge")
        except ConfigError:
            return 0
        try:
            return self._merge(table)
        finally:
            os.close(lock)

    def _merge(self, table: tables.Table) -> int:
        listed = self._listed(table)
        if sum(size < SMALL_BYTES for size in listed.values()) < MERGE_FROM:
            return 0

        def work() -> None:
            folder = self._folder.data / table.schema / table.name
            there = set(folder.iterdir())
            self._connection.execute(
                "CALL ducklake_merge_adjacent_files(?, ?, schema => ?, max_file_size => ?,"
                " max_compacted_files => 1)",
                [LAKE, table.name, table.schema, SMALL_BYTES],
            )
            _sync(set(folder.iterdir()) - there)

        self._committer.transact(work)
        return len(set(listed) - set(self._listed(table)))

    def _note_merged(self, table: tables.Table) -> None:
        """Bring the hashes in line with the segments that are: a merge cannot do it itself."""
        listed = {str(Path(path).relative_to(self._folder.data)) for path in self._listed(table)}
        prefix = f"{table.schema}/{table.name}/"
        found = self._connection.execute(
            "SELECT path FROM house.segments WHERE starts_with(path, ?)", [prefix]
        )
        noted = {path for (path,) in found.fetchall()}
        # never one that came meanwhile: its own commit notes it
        new = [path for path in listed - noted if path.startswith(f"{prefix}{_MERGED}")]
        gone = sorted(noted - listed)
        if not new and not gone:
            return
        segments = [self._describe(self._folder.data / path) for path in new]

        def work() -> None:
            if segments:
                self._committer.insert_segments(segments)
            self._connection.execute(
                "DELETE FROM house.segments WHERE path IN (SELECT unnest(CAST(? AS VARCHAR[])))",
                [gone],
            )

        self._committer.transact(work)

    def _describe(self, path: Path) -> Segment:
        (rows,) = self._one("SELECT num_rows FROM parquet_file_metadata(?)", [str(path)])
        return describe(path, row_count=rows)

    def _fold(self, table: tables.Table, sums_sql: str) -> None:
        """Put sums in the place of the many rows of a table that is only ever summed up."""
        (count,) = self._one(f"SELECT count(*) FROM {table.path}")
        # from a segment DuckLake would delete by a file that nobody syncs
        if count < FOLD_FROM or self._listed(table):
            return
        places = ", ".join("?" for _ in table.columns)

        def work() -> None:
            sums = self._connection.execute(sums_sql).fetchall()
            self._connection.execute(f"DELETE FROM {table.path}")
            if sums:
                self._connection.executemany(f"INSERT INTO {table.path} VALUES ({places})", sums)

        self._committer.transact(work)

    def _purge_versions(self) -> None:
        """Remove old versions of rows that no snapshot shows: DuckLake keeps them for ever.

        Each commit leaves one of its writer's progress row, and every UPDATE reads them all.
        """
        (oldest,) = self._one(f"SELECT min(snapshot_id) FROM {METADATA}.ducklake_snapshot")
        found = self._connection.execute(
            f"SELECT table_name FROM {METADATA}.ducklake_inlined_data_tables"
        )
        for (name,) in found.fetchall():
            delete = f'DELETE FROM {METADATA}."{name}" WHERE end_snapshot <= {int(oldest)}'
            self._committer.transact(partial(self._connection.execute, delete))

    def _expire(self, older_than: datetime) -> int:
        # by number: DuckLake compares the times themselves only by their day in a SQLite catalog
        found = self._connection.execute(
            "SELECT snapshot_id FROM ducklake_snapshots(?) WHERE snapshot_time < ?"
            " AND snapshot_id < (SELECT max(snapshot_id) FROM ducklake_snapshots(?))",
            [LAKE, older_than, LAKE],
        )
        old = [number for (number,) in found.fetchall()]
        if old:
            sql = "CALL ducklake_expire_snapshots(?, versions => ?)"
            self._committer.transact(lambda: self._connection.execute(sql, [LAKE, old]))
        return len(old)

    def _remove_merged(self, older_than: datetime) -> int:
        """Remove the files of expired snapshots, first on disk, then from DuckLake's list."""
        found = self._connection.execute(
            "SELECT data_file_id, path"
            f" FROM {METADATA}.ducklake_files_scheduled_for_deletion"
            " WHERE CAST(schedule_start AS TIMESTAMPTZ) < ?",
            [older_than],
        )
        files = found.fetchall()
        for _, path in files:  # relative to the data, or absolute
            (self._folder.data / path).unlink(missing_ok=True)
        delete = (
            f"DELETE FROM {METADATA}.ducklake_files_scheduled_for_deletion"
            f" WHERE data_file_id IN ({', '.join(str(int(number)) for number, _ in files)})"
        )
        if files:
            self._committer.transact(lambda: self._connection.execute(delete))
        return len(files)

    def _remove_orphans(self, older_than: datetime) -> int:
        sql = "CALL ducklake_delete_orphaned_files(?, older_than => ?)"
        return len(self._connection.execute(sql, [LAKE, older_than]).fetchall())

    def _remove_parts(self, older_than: datetime) -> int:
        count = 0
        for folder in (self._folder.data, self._folder.state):
            for path in folder.rglob(f"*{PART}"):
                if path.stat().st_mtime < older_than.timestamp():
                    path.unlink()
                    count += 1
        return count

    def _listed(self, table: tables.Table) -> dict[str, int]:
        found = self._connection.execute(
            "SELECT data_file, data_file_size_bytes FROM ducklake_list_files(?, ?, schema => ?)",
            [LAKE, table.name, table.schema],
        )
        return dict(found.fetchall())

    def _one(self, sql: str, parameters: list[object] | None = None) -> tuple[int, ...]:
        row = self._connection.execute(sql, parameters or []).fetchone()
        assert row is not None
        return row


def _sync(paths: set[Path]) -> None:
    """Sync the files of a merge before its commit: DuckLake does not."""
    for path in paths:
        if path.name.startswith(_MERGED):
            sync_file(path)
            sync_folder(path.parent)
