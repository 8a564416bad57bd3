"""Rollups of readings whose verdicts change, or that go: their parts are made anew."""

# ruff: noqa: S608 - the SQL is put together of the store's own names

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from contracts.moments import TIME
from store import tables
from store.commits.swapping import Swap, Swapper
from store.place.locks import COMMIT_WAIT_S, claim
from store.rejudging.history import named
from store.segments.segment import Segment, write_segment
from store.sums import rollups
from store.sums.rolling import LOCK, progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import duckdb

    from store.place.folder import Folder

# What a change touches: of each tag the readings from one time to another, both included.
_FIELDS: list[pa.Field[Any]] = [
    pa.field("tag", pa.string()),
    pa.field("first", TIME),
    pa.field("last", TIME),
]
TOUCHED = pa.schema(_FIELDS)
# Readings whose parts are made at once: as in a step of store.sums.rolling, they are in memory.
READINGS_AT_ONCE = 2_000_000

_PARTS = (tables.MINUTE_PARTS, tables.HOUR_PARTS)
_COLUMNS = ", ".join(tables.CLEAN_READINGS.columns.names)
_LATEST_COLUMNS = ", ".join(tables.LATEST_PARTS.columns.names)
# Whole hours, so that minutes and hours are made of the same readings.
_HOURS = (
    "SELECT tag, time_bucket(INTERVAL '1 hour', first) AS first,"
    " time_bucket(INTERVAL '1 hour', last) + INTERVAL '1 hour' AS until FROM told"
)
_HOUR = "time_bucket(INTERVAL '1 hour', source_time)"


@contextmanager
def rollups_held(folder: Folder) -> Iterator[None]:
    """Let no step of the rollups come between: hold it until the swap is done.

    Raises TransientError where another one holds them for too long.
    """
    lock = claim(folder, LOCK, wait_s=COMMIT_WAIT_S)
    try:
        yield
    finally:
        lock.close()


class Recomputing:
    """Makes the parts anew that a swap of segments of clean.readings touches."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, folder: Folder, swapper: Swapper
    ) -> None:
        self._connection, self._folder, self._swapper = connection, folder, swapper

    def swaps(self, swap: Swap, touched: pa.Table, name: str) -> list[Swap]:
        """Give the swaps of parts that belong into the transaction of a swap of clean.readings.

        `touched` is of TOUCHED, one row a tag: it spans all readings that the swap changes or
        leaves out. The swap's segments are on disk, and so are those of the answer, which are named
        after `name`. Call it under `rollups_held`. Raises duckdb.Error, and as write_segment.
        """
        if not touched.num_rows:
            return []
        after = self._after(swap)
        gone = pa.table({"filename": pa.array(map(self._swapper.path, swap.gone), pa.string())})
        with ExitStack() as names:
            names.enter_context(named(self._connection, "gone_segments", gone))
            with named(self._connection, "told", touched.cast(TOUCHED)):
                hours = self._table(_HOURS)
            names.enter_context(named(self._connection, "touched", hours))
            bounds = self._bounds()
            source = f"{after} JOIN touched AS t USING (tag) WHERE {bounds('source_time')}"
            new = self._new_parts(source, name)
            swaps = [self._beside(table, new[table], bounds("bucket"), name) for table in _PARTS]
            return [*swaps, self._latest(after, source, name)]

    def _after(self, swap: Swap) -> str:
        """Name the readings that are rolled up, as they are after the swap."""
        rolled = progress(self._connection).rolled_sql
        rows = (
            f"SELECT {_COLUMNS} FROM clean.readings WHERE {rolled}"
            " AND filename NOT IN (SELECT filename FROM gone_segments)"
        )
        if swap.segments:
            paths = ", ".join(_literal(segment.file) for segment in swap.segments)
            new = f"SELECT {_COLUMNS} FROM read_parquet([{paths}]) WHERE {rolled}"
            rows = f"{rows} UNION ALL {new}"
        return f"({rows}) AS r"

    def _bounds(self) -> _Bounds:
        row = self._connection.execute("SELECT min(first), max(until) FROM touched").fetchone()
        assert row is not None
        return _Bounds(*row)

    def _new_parts(self, source: str, name: str) -> dict[tables.Table, list[Segment]]:
        """Write the parts of touched hours, so many hours at a time as fit into memory."""
        written: dict[tables.Table, list[Segment]] = {table: [] for table in _PARTS}
        counts = self._connection.execute(
            f"SELECT {_HOUR}, count(*) FROM {source} GROUP BY 1 ORDER BY 1"
        ).fetchall()
        for number, (first, last) in enumerate(_runs(counts)):
            some = f"{source} AND {_HOUR} BETWEEN {_time(first)} AND {_time(last)}"
            for table in _PARTS:
                rows = self._table(rollups.parts_sql(table, some))
                written[table].append(self._write(table, rows, f"{name}-{number:06d}"))
        return written

    def _beside(self, table: tables.Table, new: list[Segment], bounds: str, name: str) -> Swap:
        """Write segments with touched parts anew, without them; the new parts come beside."""
        is_touched = f"FROM {table.path} AS r JOIN touched AS t USING (tag) WHERE {bounds}"
        found = self._connection.execute(f"SELECT DISTINCT filename {is_touched}").fetchall()
        paths = sorted(path for (path,) in found)
        kept = list[Segment]()
        for number, path in enumerate(paths):
            rows = self._table(
                f"SELECT * FROM {table.path} AS r WHERE filename = {_literal(path)} AND NOT EXISTS"
                f" (SELECT 1 FROM touched AS t WHERE r.tag = t.tag AND {bounds})"
            )
            if rows.num_rows:
                kept.append(self._write(table, rows, f"{name}-kept-{number:06d}"))
        return Swap(table, [self._swapper.name(path) for path in paths], [*kept, *new])

    def _latest(self, after: str, source: str, name: str) -> Swap:
        """Find the newest readings of touched tags: where they were, else before."""
        is_touched = "r.tag = t.tag AND r.source_time >= t.first AND r.source_time < t.until"
        kept = self._table(
            f"SELECT {_LATEST_COLUMNS} FROM clean.latest_parts AS r"
            f" WHERE NOT EXISTS (SELECT 1 FROM touched AS t WHERE {is_touched})"
        )
        found = self._table(rollups.newest_sql(source))
        there = pa.concat_tables([table.select(["tag"]) for table in (kept, found)])
        with named(self._connection, "there", there):
            # all that was there may be stamped in the future now, or gone
            lost = self._table(
                "SELECT tag, first FROM touched WHERE tag IN (SELECT tag FROM clean.latest_parts)"
                " AND tag NOT IN (SELECT tag FROM there)"
            )
        tables_found = [kept, found]
        if lost.num_rows:
            with named(self._connection, "lost", lost):
                earlier = f"{after} JOIN lost AS l USING (tag) WHERE source_time < l.first"
                tables_found.append(self._table(rollups.newest_sql(earlier)))
        rows = pa.concat_tables(table.cast(_LATEST_SCHEMA) for table in tables_found)
        with named(self._connection, "all_latest", rows):
            latest = self._table(rollups.merged_sql(tables.LATEST_PARTS, "all_latest"))
        segments = [self._write(tables.LATEST_PARTS, latest, name)] if latest.num_rows else []
        return Swap(tables.LATEST_PARTS, list(self._swapper.listed(tables.LATEST_PARTS)), segments)

    def _write(self, table: tables.Table, rows: pa.Table, name: str) -> Segment:
        file = self._folder.data / f"{table.folder}/{name}.parquet"
        return write_segment(rows.cast(table.columns), file)

    def _table(self, sql: str) -> pa.Table:
        return self._connection.execute(sql).to_arrow_table()


class _Bounds:
    """Says what is touched: by the bounds of all tags, for which segments are skipped, and own."""

    def __init__(self, first: datetime, until: datetime) -> None:
        self._first, self._until = first, until

    def __call__(self, column: str) -> str:
        return (
            f"r.{column} >= {_time(self._first)} AND r.{column} < {_time(self._until)}"
            f" AND r.{column} >= t.first AND r.{column} < t.until"
        )


_LATEST_SCHEMA = tables.LATEST_PARTS.columns


def _runs(counts: Iterable[tuple[datetime, int]]) -> Iterator[tuple[datetime, datetime]]:
    """Cut hours, each with a count, into runs of at most READINGS_AT_ONCE, or of one hour."""
    run, total = list[datetime](), 0
    for hour, count in counts:
        if run and total + count > READINGS_AT_ONCE:
            yield run[0], run[-1]
            run, total = [], 0
        run.append(hour)
        total += count
    if run:
        yield run[0], run[-1]


def _time(time: datetime) -> str:
    return f"TIMESTAMPTZ '{time.astimezone(UTC).isoformat()}'"


def _literal(text: object) -> str:
    return "'" + str(text).replace("'", "''") + "'"
