"""Maintenance in bounded steps beside running writers: fewer files, no leftovers."""

# ruff: noqa: S608 - the SQL is put together of the store's own names

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from store import failures, tables
from store.catalog.attachment import LAKE, attach
from store.commits.commit import Committer
from store.place.durable import PART
from store.place.folder import Folder
from store.place.locks import COMMIT_WAIT_S, claim, if_free, removal
from store.segments.segment import Segment, describe, write_segment
from store.upkeep.compacting import Compaction, next_name
from store.upkeep.expiring import Expiry
from store.upkeep.retaining import Retaining, Retention

if TYPE_CHECKING:
    from collections.abc import Callable

    from store.place.files import File

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

# More than store.commits.commit.INLINED_ROWS gateways write a segment of the ledger at each commit.
_MERGEABLE = (
    tables.RAW_READINGS,
    tables.CLEAN_READINGS,
    tables.LEDGER_ENTRIES,
    tables.GAP_ENTRIES,
    tables.DEAD_LETTERS,
    tables.TAG_ENTRIES,
)
# What may come by few rows for ever: from FOLD_FROM of them on they become a segment, as a catalog
# that holds them all would be slow; so many at most in one step.
FLUSHED_ROWS = 10_000
_FLUSHED = (tables.DEAD_LETTERS, tables.DEAD_LETTER_REPLAYS, tables.HANDED_OVER)
_GAPS = "SELECT * REPLACE (CAST(sum(change) AS INTEGER) AS change) FROM house.gap_entries"
_COUNTS = ", ".join(
    f"CAST(sum({name}) AS BIGINT) AS {name}" for name in tables.LEDGER_ENTRIES.columns.names[1:]
)
_LEDGER = f"SELECT gateway, {_COUNTS} FROM house.ledger_entries GROUP BY gateway"
_FOLDED = (
    (tables.LEDGER_ENTRIES, _LEDGER),
    (tables.GAP_ENTRIES, f"{_GAPS} GROUP BY ALL HAVING sum(change) <> 0"),
)
# What DuckLake's own files are called.
_MERGED = "ducklake-"


class Maintenance(NamedTuple):
    """What one round of maintenance has done."""

    merged_count: int  # segments that became part of larger ones
    expired_count: int  # snapshots that nobody can read any more
    removed_count: int  # files that no snapshot needs
    compacted_count: int = 0  # segments of finished days that became few
    dropped_count: int = 0  # rows that were older than they are to be kept


def maintain(
    folder: Path,
    *,
    now: datetime,
    retention: Retention | None = None,
    tell: Callable[[int], object] = lambda _rows: None,
) -> Maintenance:
    """Do one round of maintenance on a store, as its only maintainer.

    But for what `retention` removes, nothing that a current reader sees changes, and a crash at any
    moment loses nothing: a new segment is synced before the commit that puts it in the place of
    others, which stay on disk for KEEP_SNAPSHOTS. The work is done in steps; `tell` is told of the
    rows of each, and ends it by raising. Raises as store.lake.Lake; TransientError while a command
    maintains the store.
    """
    place = Folder(folder)
    place.require_store()
    with (
        closing(claim(place, "maintain", wait_s=COMMIT_WAIT_S)),
        failures.named(place.root),
        attach(place, writable=True) as connection,
    ):
        return _Round(connection, place, tell).run(now, retention)


def merge_small(folder: Path) -> int:
    """Merge small segments between two rounds of maintenance; give the number that were merged.

    A commit a second makes thousands in an hour, of which every query opens those of its time.
    Also 0 while another process maintains the store. Raises as `maintain`.
    """
    place = Folder(folder)
    place.require_store()
    with if_free(place, "maintain") as is_free:
        if not is_free:
            return 0
        with failures.named(place.root), attach(place, writable=True) as connection:
            return _Round(connection, place, lambda _rows: None).merge()


class _Round:
    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        folder: Folder,
        tell: Callable[[int], object],
    ) -> None:
        self._connection, self._folder, self._tell = connection, folder, tell
        self._committer = Committer(connection, folder)

    def run(self, now: datetime, retention: Retention | None) -> Maintenance:
        dropped = self._retain(retention, now) if retention else 0
        compaction = Compaction(self._connection, self._folder, self._committer, self._tell)
        compacted = sum(step.gone for step in compaction.steps(until=now.date()))
        merged = self.merge()
        for folded, sums_sql in _FOLDED:
            self._fold(folded, sums_sql)
        for table in _FLUSHED:
            self._flush(table)
        expiry = Expiry(self._connection, self._folder, self._committer)
        expired = expiry.expire(now - KEEP_SNAPSHOTS)
        expiry.purge_versions()
        expiry.purge_bounds()
        removed = 0
        with removal(self._folder) as is_allowed:
            if is_allowed:  # else a backup copies them: the next round removes them
                removed += expiry.remove_files(now - KEEP_SNAPSHOTS)
                removed += self._remove_orphans(now - KEEP_ORPHANS)
                removed += self._remove_parts(now - KEEP_ORPHANS)
        return Maintenance(merged, expired, removed, compacted, dropped)

    def merge(self) -> int:
        """Merge small segments of every table, step by step; give their number."""
        merged = 0
        for table in _MERGEABLE:
            while count := self._merge_unless_replaced(table):
                merged += count
                self._tell(0)
            # also after a round that a crash cut short between the merge and its notes
            self._note_merged(table)
        return merged

    def _retain(self, retention: Retention, now: datetime) -> int:
        dropped = 0
        steps = Retaining(self._connection, self._folder, self._committer, retention)
        for step in steps.steps(now):
            dropped += step.rows
            self._tell(step.rows)
        return dropped

    def _merge_unless_replaced(self, table: tables.Table) -> int:
        """Merge, but leave verdicts alone while they are judged again: their segments will go."""
        if table is not tables.CLEAN_READINGS:
            return self._merge(table)
        with if_free(self._folder, "rejudge") as is_free:
            return self._merge(table) if is_free else 0

    def _merge(self, table: tables.Table) -> int:
        listed = self._listed(table)
        if sum(size < SMALL_BYTES for size in listed.values()) < MERGE_FROM:
            return 0

        def work() -> None:
            self._connection.execute(
                "CALL ducklake_merge_adjacent_files(?, ?, schema => ?, max_file_size => ?,"
                " max_compacted_files => 1)",
                [LAKE, table.name, table.schema, SMALL_BYTES],
            )
            # before its commit: DuckLake syncs nothing
            for name in self._listed(table).keys() - listed.keys():
                if _MERGED in name:
                    self._folder.data.sync(name)

        self._committer.transact(work)
        return len(listed.keys() - self._listed(table).keys())

    def _note_merged(self, table: tables.Table) -> None:
        """Bring the hashes in line with the segments that are: a merge cannot do it itself."""
        listed = self._listed(table).keys()
        prefix = f"{table.folder}/"
        found = self._connection.execute(
            "SELECT path FROM house.segments WHERE starts_with(path, ?)", [prefix]
        )
        noted = {path for (path,) in found.fetchall()}
        # never one that came meanwhile: its own commit notes it
        new = [path for path in listed - noted if path.startswith(f"{prefix}{_MERGED}")]
        gone = sorted(noted - listed)
        if not new and not gone:
            return
        segments = [self._describe(self._folder.data / name) for name in new]

        def work() -> None:
            if segments:
                self._committer.insert_segments(segments)
            self._connection.execute(
                "DELETE FROM house.segments WHERE path IN (SELECT unnest(CAST(? AS VARCHAR[])))",
                [gone],
            )

        self._committer.transact(work)

    def _describe(self, file: File) -> Segment:
        (rows,) = self._one("SELECT num_rows FROM parquet_file_metadata(?)", [str(file)])
        return describe(file, row_count=rows)

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

    def _flush(self, table: tables.Table) -> None:
        """Make a segment of the rows that are in the catalog itself, oldest first."""
        key = table.columns.names[0]
        waiting = f"FROM {table.path} WHERE filename NOT LIKE '%.parquet'"
        if self._one(f"SELECT count(*) {waiting}")[0] < FOLD_FROM:
            return
        (last,) = self._one(
            f"SELECT max(k) FROM (SELECT {key} AS k {waiting} ORDER BY k LIMIT {FLUSHED_ROWS})"
        )

        def work() -> None:
            names = ", ".join(table.columns.names)
            rows = self._connection.execute(
                f"SELECT {names} {waiting} AND {key} <= ?", [last]
            ).to_arrow_table()
            target = next_name(self._connection, self._folder, table, "flush")
            segment = write_segment(rows.cast(table.columns), target)
            self._connection.execute(f"DELETE {waiting} AND {key} <= ?", [last])
            self._committer.add_segment(table, segment)
            self._committer.insert_segments([segment])

        self._committer.transact(work)
        self._tell(0)

    def _remove_orphans(self, older_than: datetime) -> int:
        """Remove what no snapshot names; nothing where a file goes while DuckLake looks around.

        A writer names its file anew once it is whole. The next round looks again.
        """
        sql = "CALL ducklake_delete_orphaned_files(?, older_than => ?)"
        try:
            return len(self._connection.execute(sql, [LAKE, older_than]).fetchall())
        except duckdb.IOException as error:
            if f'{PART}": No such file' not in str(error):
                raise
            return 0

    def _remove_parts(self, older_than: datetime) -> int:
        folders = (self._folder.data, self._folder.state)
        return sum(folder.remove_leftovers(older_than) for folder in folders)

    def _listed(self, table: tables.Table) -> dict[str, int]:
        """Give the bytes of each segment that a table has now, by its name below STORE/data."""
        found = self._connection.execute(
            "SELECT data_file, data_file_size_bytes FROM ducklake_list_files(?, ?, schema => ?)",
            [LAKE, table.name, table.schema],
        )
        root = f"{self._folder.data}/"
        return {path.removeprefix(root): size for path, size in found.fetchall()}

    def _one(self, sql: str, parameters: list[object] | None = None) -> tuple[int, ...]:
        row = self._connection.execute(sql, parameters or []).fetchone()
        assert row is not None
        return row
