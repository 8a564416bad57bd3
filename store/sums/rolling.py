"""The step of the rollups: readings that are new become parts of their minutes and hours."""

# ruff: noqa: S608 - the SQL is put together of the store's own names

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import pyarrow.compute as pc

from contracts.errors import ContractError
from store import failures, tables
from store.catalog.attachment import attach
from store.catalog.creation import renew_views
from store.commits.commit import Committer
from store.commits.swapping import Swap, Swapper
from store.place.folder import Folder
from store.place.locks import if_free
from store.rejudging.history import named
from store.segments.segment import ROW_GROUP_ROWS, Segment, write_segment
from store.sums import rollups
from store.sums.rollups import Progress

if TYPE_CHECKING:
    import pyarrow as pa

# Who holds this lock moves the rollups; the verdicts that they are made of stay as they are.
LOCK = "rollup"
# A step takes about so many readings, or one commit of the judge: its parts are in memory, a
# hundred bytes each, at most one a reading.
STEP_READINGS = 1_000_000
# Commits of the judge that a step looks through at most: more than it makes in an hour.
STEP_COMMITS = 4_096
# Parts that were added one step after the other are summed up when so many segments of less than
# a row group are there: an hour has one part of each minute else.
SUM_FROM = 16


class _Chunk(NamedTuple):
    """What a step takes: rows of clean.readings, and where the rollups are then."""

    condition: str
    then: Progress


def roll_up(folder: Path) -> int:
    """Roll up readings that are new, in one bounded step; give their number, 0 when none is.

    The views say the same before and after. Also 0 while verdicts are being replaced: what is
    new can wait. Raises as store.lake.Lake.
    """
    place = Folder(folder)
    place.require_store()
    with if_free(place, LOCK) as is_free:
        if not is_free:
            return 0
        with failures.named(place.root), attach(place, writable=True) as connection:
            return _Step(connection, place).run()


def progress(connection: duckdb.DuckDBPyConnection) -> Progress:
    """Tell how far the rollups are. Raises duckdb.Error."""
    row = connection.execute(f"SELECT * FROM {tables.ROLLUP_PROGRESS.path}").fetchone()
    assert row is not None
    return Progress(*row)


class _Step:
    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Folder) -> None:
        self._connection, self._folder = connection, folder
        self._committer = Committer(connection, folder)
        self._swapper = Swapper(connection, folder, self._committer)
        self._now = progress(connection)

    def run(self) -> int:
        chunk = self._chunk_of_old() if self._now.arrival is not None else self._chunk()
        if chunk is None:
            return 0
        count = self._roll(chunk)
        for table in (tables.MINUTE_PARTS, tables.HOUR_PARTS):
            self._sum_up(table)
        return count

    def _chunk(self) -> _Chunk | None:
        """Take whole commits of the judge."""
        first = self._now.judge_commit
        last = self._one(f"SELECT max(commit_count) FROM {tables.JUDGE_PROGRESS.path}")[0] or 0
        end = min(last, first + STEP_COMMITS)
        found = self._connection.execute(
            "SELECT judge_commit, count(*) FROM clean.readings"
            " WHERE judge_commit > ? AND judge_commit <= ? GROUP BY 1 ORDER BY 1",
            [first, end],
        ).fetchall()
        total = 0
        for number, count in found:
            if total and total + count > STEP_READINGS:
                end = number - 1
                break
            total += count
        if end == first:
            return None
        condition = f"judge_commit > {first} AND judge_commit <= {end}"
        return _Chunk(condition, self._now._replace(judge_commit=end))

    def _chunk_of_old(self) -> _Chunk:
        """Take readings of a store of format 1 by their arrival; the last step says that it was."""
        old = f"judge_commit IS NULL AND arrival >= {self._now.arrival}"
        first = self._one(f"SELECT min(arrival) FROM clean.readings WHERE {old}")[0]
        if first is None:
            return _Chunk("false", self._now._replace(arrival=None))
        end = int(first) + STEP_READINGS
        return _Chunk(f"{old} AND arrival < {end}", self._now._replace(arrival=end))

    def _roll(self, chunk: _Chunk) -> int:
        """Write parts and the newest readings; then one transaction lists them."""
        source = f"clean.readings WHERE {chunk.condition}"
        minutes = self._table(rollups.parts_sql(tables.MINUTE_PARTS, source))
        then = chunk.then._replace(step_count=self._now.step_count + 1)
        swaps = []
        if minutes.num_rows:
            with named(self._connection, "new_minutes", minutes):
                hours = self._table(rollups.hours_sql("new_minutes"))
            swaps = [
                Swap(tables.MINUTE_PARTS, [], [self._write(tables.MINUTE_PARTS, minutes, then)]),
                Swap(tables.HOUR_PARTS, [], [self._write(tables.HOUR_PARTS, hours, then)]),
                *self._latest(source, then),
            ]
        self._swapper.swap(swaps, partial(self._move, then))
        count = int(pc.sum(minutes["count"]).as_py() or 0)
        return count or int(then.arrival != self._now.arrival)

    def _latest(self, source: str, then: Progress) -> list[Swap]:
        new = self._table(rollups.newest_sql(source))
        if not new.num_rows:
            return []
        old = list(self._swapper.listed(tables.LATEST_PARTS))
        names = ", ".join(new.column_names)
        both = f"(SELECT {names} FROM clean.latest_parts UNION ALL SELECT {names} FROM new_latest)"
        with named(self._connection, "new_latest", new):
            latest = self._table(rollups.merged_sql(tables.LATEST_PARTS, both))
        return [Swap(tables.LATEST_PARTS, old, [self._write(tables.LATEST_PARTS, latest, then)])]

    def _sum_up(self, table: tables.Table) -> None:
        """Make one segment of many small ones: their parts of the same bucket become one."""
        listed = self._swapper.listed(table)
        small = [name for name, rows in listed.items() if rows < ROW_GROUP_ROWS]
        if len(small) < SUM_FROM:
            return
        before = progress(self._connection)
        then = before._replace(step_count=before.step_count + 1)
        paths = [self._swapper.path(name) for name in small]
        source = f"{table.path} WHERE filename IN (SELECT unnest(CAST(? AS VARCHAR[])))"
        parts = self._table(rollups.merged_sql(table, source), [paths])
        self._now = before
        self._swapper.swap(
            [Swap(table, small, [self._write(table, parts, then)])], partial(self._move, then)
        )

    def _write(self, table: tables.Table, rows: pa.Table, then: Progress) -> Segment:
        """Name a segment after its step: one that a crash left is replaced by the next try."""
        name = f"{table.folder}/rollup-{then.step_count:012d}.parquet"
        return write_segment(rows.cast(table.columns), self._folder.data / name)

    def _move(self, then: Progress) -> None:
        """Move the one row inside a transaction; the step that it was based on guards it."""
        moved = self._connection.execute(
            f"UPDATE {tables.ROLLUP_PROGRESS.path} SET step_count = ?, judge_commit = ?,"
            " arrival = ? WHERE step_count = ?",
            [*then, self._now.step_count],
        ).fetchone()
        if moved is None or moved[0] != 1:
            raise ContractError("the rollups were moved by another process: run only one")
        if then.arrival is None and self._now.arrival is not None:
            renew_views(self._connection)  # they need not look for readings of format 1 any more

    def _table(self, sql: str, parameters: list[object] | None = None) -> pa.Table:
        return self._connection.execute(sql, parameters or []).to_arrow_table()

    def _one(self, sql: str) -> tuple[int | None, ...]:
        row = self._connection.execute(sql).fetchone()
        assert row is not None
        return row
