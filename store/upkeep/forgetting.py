"""Forgetting: what is stored of some tags is removed, and the bytes that it was."""

# ruff: noqa: S608 - the SQL is put together of the store's own names

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from contracts.errors import GainlineError, TransientError
from store import failures, tables
from store.catalog.attachment import LAKE, METADATA, attach
from store.commits.commit import Committer
from store.commits.swapping import Swap, Swapper
from store.place.folder import Folder
from store.place.locks import COMMIT_WAIT_S, REJUDGE_WAIT_S, claim, committing, removal
from store.segments.leaving_out import choose, write_without
from store.segments.segment import Segment
from store.sums.recomputing import Recomputing, rollups_held
from store.upkeep.compacting import STEP_ROWS, next_name
from store.upkeep.expiring import Expiry
from store.upkeep.wanted import Touched, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Readings that arrive meanwhile are looked for again so often; then they arrive for good.
ROUNDS = 3
# Longer than a commit can be under way: an older file that the catalog does not list is a leftover.
LEFTOVER_AGE = timedelta(hours=1)

_READINGS = (tables.RAW_READINGS, tables.CLEAN_READINGS)
# The table of each count of Forgotten.
_COUNTED = {
    "raw": tables.RAW_READINGS,
    "clean": tables.CLEAN_READINGS,
    "minutes": tables.MINUTE_PARTS,
    "hours": tables.HOUR_PARTS,
    "latest": tables.LATEST_PARTS,
    "dead_letters": tables.DEAD_LETTERS,
    "tags": tables.TAG_ENTRIES,
    "names": tables.TAG_NAMES,
}
_OF_CATALOGUE = (tables.TAG_ENTRIES, tables.TAG_NAMES)
_IN_CATALOG = "filename NOT LIKE '%.parquet'"
# Columns of text of which DuckLake knows bounds; whether each of its rows is in a file with bounds.
_BOUNDED = f"""
SELECT
    t.table_id, c.column_id, any_value(c.column_name),
    bool_and(f.data_file_id IS NOT NULL AND s.min_value IS NOT NULL)
        AND (SELECT count(*) = 0 FROM {METADATA}.ducklake_inlined_data_tables AS i
             WHERE i.table_id = t.table_id),
    min(s.min_value), max(s.max_value)
FROM {METADATA}.ducklake_table AS t
JOIN {METADATA}.ducklake_schema AS h ON t.schema_id = h.schema_id AND h.end_snapshot IS NULL
JOIN {METADATA}.ducklake_column AS c
    ON c.table_id = t.table_id AND c.end_snapshot IS NULL AND c.column_type = 'varchar'
JOIN {METADATA}.ducklake_table_column_stats AS g
    ON g.table_id = t.table_id AND g.column_id = c.column_id AND g.min_value IS NOT NULL
LEFT JOIN {METADATA}.ducklake_data_file AS f
    ON f.table_id = t.table_id AND f.end_snapshot IS NULL
LEFT JOIN {METADATA}.ducklake_file_column_stats AS s
    ON s.data_file_id = f.data_file_id AND s.column_id = c.column_id
WHERE t.end_snapshot IS NULL AND h.schema_name = ? AND t.table_name = ?
GROUP BY t.table_id, c.column_id
"""
_ALL = datetime(9999, 1, 1, tzinfo=UTC)


class Forgotten(NamedTuple):
    """Rows that were removed, or would be; a row of `clean` may have taken others with it."""

    raw: int = 0
    clean: int = 0
    minutes: int = 0
    hours: int = 0
    latest: int = 0
    dead_letters: int = 0
    tags: int = 0
    names: int = 0


def forget(
    folder: Path,
    wanted: Wanted,
    *,
    is_dry_run: bool = False,
    tell: Callable[[int], object] = lambda _rows: None,
) -> Forgotten:
    """Remove what is stored of tags, then verify that nothing of it is left in the lake.

    All snapshots but the last expire: a reader that began before must begin again. `tell` is told
    of readings that were looked through. What was cut off is taken up by the next call. Raises
    TransientError where others keep it from being whole, such as a backup, a reader, or readings
    that go on to arrive, and as store.lake.Lake.
    """
    place = Folder(folder)
    place.require_store()
    with ExitStack() as locks, failures.named(place.root):
        for writer, wait_s in (("maintain", COMMIT_WAIT_S), ("rejudge", REJUDGE_WAIT_S)):
            locks.callback(claim(place, writer, wait_s=wait_s).close)
        with attach(place, writable=not is_dry_run) as connection:
            forgetting = _Forgetting(connection, place, wanted, tell)
            if is_dry_run:
                return forgetting.count()
            done = forgetting.remove()
        _vacuum(place)
        with attach(place, writable=False) as connection:
            left = _Forgetting(connection, place, wanted, lambda _rows: None).count()
        if any(left):
            raise TransientError(
                f"readings of these tags go on to arrive ({left.raw + left.clean} are there again):"
                " stop what sends them, or drop them by [privacy], and try again"
            )
    return done


def readings_count(folder: Path) -> int:
    """Say how many readings `forget` looks through. Raises as store.lake.Lake."""
    place = Folder(folder)
    place.require_store()
    with failures.named(place.root), attach(place, writable=False) as connection:
        counts = [
            connection.execute(f"SELECT count(*) FROM {table.path}").fetchone()
            for table in _READINGS
        ]
    return sum(count[0] for count in counts if count)


class _Forgetting:
    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        folder: Folder,
        wanted: Wanted,
        tell: Callable[[int], object],
    ) -> None:
        self._connection, self._folder, self._wanted, self._tell = connection, folder, wanted, tell
        self._committer = Committer(connection, folder)
        self._swapper = Swapper(connection, folder, self._committer)
        self._counts = dict.fromkeys(_COUNTED, 0)

    def count(self) -> Forgotten:
        """Count what there is to remove."""
        for kind, table in self._tables():
            for name in self._swapper.listed(table):
                see = self._wanted.see_topics if kind == "raw" else None
                path = self._folder.data / name
                chosen = choose(path, self._wanted.choice(table), see)
                self._counts[kind] += chosen.gone
                if table in _READINGS:
                    self._tell(chosen.total)
            self._counts[kind] += self._inlined(table)
        return Forgotten(**self._counts)

    def remove(self) -> Forgotten:
        """Remove it, and all that only older snapshots show."""
        for _ in range(ROUNDS):
            before = dict(self._counts)
            self._remove_rows("raw")
            with rollups_held(self._folder):
                self._remove_rows("clean")
            if before == self._counts:
                break
        for kind, table in self._tables():
            if table not in _READINGS:
                with rollups_held(self._folder):
                    self._remove_rows(kind)
                self._remove_inlined(kind)
        for _, table in self._tables():
            self._committer.transact(partial(self._forget_bounds, table))
        self._expire()
        return Forgotten(**self._counts)

    def _tables(self) -> Iterator[tuple[str, tables.Table]]:
        for kind, table in _COUNTED.items():
            # a tag of which only a span is forgotten stays in the catalogue
            if table not in _OF_CATALOGUE or self._wanted.span is None:
                yield kind, table

    def _remove_rows(self, kind: str) -> None:
        """Write segments anew without these rows, so many at once as one swap may change."""
        table = _COUNTED[kind]
        choice = self._wanted.choice(table)
        batch = _Batch(table)
        for name, rows in self._swapper.listed(table).items():
            path, touched = self._folder.data / name, Touched()
            see = {"raw": self._wanted.see_topics, "clean": touched.see}.get(kind)
            gone, total = choose(path, choice, see)
            if table in _READINGS:
                self._tell(total)
            if not gone:
                continue
            if batch.names and batch.rows + rows > STEP_ROWS:
                self._swap(batch)
                batch = _Batch(table)
            if gone < total:
                word = f"forget-{len(batch.names):06d}"
                target = next_name(self._connection, self._folder, table, word)
                batch.segments.append(write_without(path, target, choice))
            batch.names.append(name)
            batch.rows += rows
            batch.touched.add(touched)
            self._counts[kind] += gone
        if batch.names:
            self._swap(batch)

    def _swap(self, batch: _Batch) -> None:
        swaps = [Swap(batch.table, batch.names, batch.segments)]
        # Without a span the sums of these tags go as a whole, afterwards.
        if batch.table == tables.CLEAN_READINGS and self._wanted.span is not None:
            name = PurePosixPath(
                next_name(self._connection, self._folder, batch.table, "forget").name
            ).stem
            recomputing = Recomputing(self._connection, self._folder, self._swapper)
            swaps += recomputing.swaps(swaps[0], batch.touched.table(), name)
        self._swapper.swap(swaps)

    def _inlined(self, table: tables.Table) -> int:
        """Count the rows that are in the catalog itself."""
        where, parameters = self._condition(table)
        sql = f"SELECT count(*) FROM {table.path} WHERE {where}"
        row = self._connection.execute(sql, parameters).fetchone()
        assert row is not None
        return int(row[0])

    def _remove_inlined(self, kind: str) -> None:
        table = _COUNTED[kind]
        if count := self._inlined(table):
            where, parameters = self._condition(table)
            delete = f"DELETE FROM {table.path} WHERE {where}"
            self._committer.transact(lambda: self._connection.execute(delete, parameters))
            self._counts[kind] += count

    def _condition(self, table: tables.Table) -> tuple[str, list[object]]:
        if table in tables.IN_SEGMENTS:
            return "false", []
        column = self._wanted.word(table)
        found = self._connection.execute(
            f"SELECT DISTINCT {column} FROM {table.path} WHERE {_IN_CATALOG}"
        )
        is_word = self._wanted.is_word(table)
        words = [word for (word,) in found.fetchall() if is_word(word)]
        where = f"{_IN_CATALOG} AND {column} IN (SELECT unnest(CAST(? AS VARCHAR[])))"
        parameters: list[object] = [words]
        if self._wanted.span is not None:
            where += " AND received_time >= ? AND received_time < ?"
            parameters += [self._wanted.span.start, self._wanted.span.end or _ALL]
        return where, parameters

    def _forget_bounds(self, table: tables.Table) -> None:
        """Tell DuckLake between which words the rows that are left lie: it only ever widens them.

        Those of the files, where it knows them all, else of the rows themselves.
        """
        found = self._connection.execute(_BOUNDED, [table.schema, table.name]).fetchall()
        for table_id, column_id, column, bounds_known, low, high in found:
            if not bounds_known:
                sql = f"SELECT min({column}), max({column}) FROM {table.path}"
                low, high = self._connection.execute(sql).fetchone() or (None, None)  # noqa: PLW2901  # they were not known
            self._connection.execute(
                f"UPDATE {METADATA}.ducklake_table_column_stats SET min_value = ?, max_value = ?"
                " WHERE table_id = ? AND column_id = ?",
                [low, high, table_id, column_id],
            )

    def _expire(self) -> None:
        expiry = Expiry(self._connection, self._folder, self._committer)
        expiry.expire(_ALL)
        expiry.purge_versions()
        with removal(self._folder) as is_allowed:
            if not is_allowed:
                raise TransientError("a backup copies files that are to be removed: try again")
            expiry.remove_files(_ALL)
            self._remove_leftovers(datetime.now(UTC) - LEFTOVER_AGE)

    def _remove_leftovers(self, older_than: datetime) -> None:
        """Remove what a crash has left of these tags, under names that nothing lists."""
        sql = "CALL ducklake_delete_orphaned_files(?, older_than => ?)"
        self._connection.execute(sql, [LAKE, older_than])
        self._folder.data.remove_leftovers(older_than)


class _Batch:
    """Segments that change places in one swap."""

    def __init__(self, table: tables.Table) -> None:
        self.table, self.rows, self.touched = table, 0, Touched()
        self.names = list[str]()
        self.segments = list[Segment]()


def _vacuum(place: Folder) -> None:
    """Take out of the catalog's file what was deleted in it."""
    if place.server is not None:
        from store.place import postgres  # noqa: PLC0415  # a store on one machine has none

        with committing(place):
            postgres.vacuum(place.server)
        return
    script = resources.files("store.catalog").joinpath("vacuum.py")
    command = [sys.executable, str(script), str(place.catalog), str(COMMIT_WAIT_S / 2)]
    with committing(place):
        ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own program
    if ended.returncode == 1 and not ended.stderr:
        raise TransientError("a reader of the store keeps what was removed in use: try again")
    if ended.returncode:
        words = ended.stderr.strip().splitlines()[-1:]
        raise GainlineError(f"the catalog could not be written anew ({words}): check the disk")
