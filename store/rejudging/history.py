"""What is stored of a range of time: which tags were judged in it, and their raw readings."""

# ruff: noqa: S608 - the SQL is put together of the store's own names

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from contracts.batches import RAW_SCHEMA, RawBatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import duckdb
    import numpy as np
    import numpy.typing as npt

# The first step back when a tag's earlier readings are looked for; each further one is twice as
# long, so that a tag that sends seldom costs no more steps than one that sends often.
FIRST_STEP_READINGS = 100_000


class Span(NamedTuple):
    """A range of time, from its start on and before its end; None: without an end."""

    start: datetime
    end: datetime | None

    def holds(self, readings: pa.Table) -> npt.NDArray[np.bool_]:
        """Tell which readings are filed under it: by source_time, or received_time without one."""
        filed: Any = pc.coalesce(readings["source_time"], readings["received_time"])
        times: npt.NDArray[np.int64] = filed.cast(pa.int64()).to_numpy()
        is_held = times >= _microseconds(self.start)
        return is_held if self.end is None else is_held & (times < _microseconds(self.end))

    @property
    def sql(self) -> str:
        """The same as a condition on clean.readings, as a query by time skips files by it."""
        start = f"source_time >= TIMESTAMPTZ '{self.start.isoformat()}'"
        end = f" AND source_time < TIMESTAMPTZ '{self.end.isoformat()}'" if self.end else ""
        return start + end


class JudgedTag(NamedTuple):
    """A tag with verdicts in a span; the numbers of the first and the last of its readings."""

    tag: str
    first_arrival: int
    last_arrival: int
    is_raw: bool  # came as it is; else it is made of the readings of another tag


def judged_tags(connection: duckdb.DuckDBPyConnection, span: Span) -> list[JudgedTag]:
    """List the tags with verdicts in a span, by name. Raises duckdb.Error."""
    found = connection.execute(
        "WITH judged AS (SELECT tag, min(arrival) AS first, max(arrival) AS last"
        f" FROM clean.readings WHERE {span.sql} GROUP BY tag),"
        " known AS (SELECT DISTINCT tag FROM raw.readings WHERE arrival BETWEEN"
        " (SELECT min(first) FROM judged) AND (SELECT max(last) FROM judged))"
        " SELECT j.tag, first, last, k.tag IS NOT NULL FROM judged AS j"
        " LEFT JOIN known AS k ON j.tag = k.tag ORDER BY j.tag"
    )
    return [JudgedTag(*row) for row in found.fetchall()]


def run_up(
    connection: duckdb.DuckDBPyConnection, tags: Sequence[str], *, before: int, count: int
) -> dict[str, int]:
    """Give for each tag an arrival from which on it has `count` readings before another arrival.

    0 for a tag that has fewer. Raises duckdb.Error.
    """
    missing, starts = dict.fromkeys(tags, count), dict[str, int]()
    step, end = max(FIRST_STEP_READINGS, count * len(tags)), before
    while missing and end > 0:
        first = max(0, end - step)
        with named(connection, "wanted_tags", pa.table({"tag": list(missing)})):
            found = connection.execute(
                "SELECT r.tag, count(*) FROM raw.readings AS r JOIN wanted_tags AS w"
                " ON r.tag = w.tag WHERE arrival >= ? AND arrival < ? GROUP BY r.tag",
                [first, end],
            ).fetchall()
        for tag, number in found:
            missing[tag] -= number
            if missing[tag] <= 0:
                starts[tag] = first
                del missing[tag]
        end, step = first, step * 2
    return starts | dict.fromkeys(missing, 0)


def raw_batch(
    connection: duckdb.DuckDBPyConnection, starts: Mapping[str, int], *, first: int, limit: int
) -> RawBatch:
    """Give the raw readings of some tags, each from an arrival on, in order of arrival.

    Of `limit` arrivals from number `first` on. Raises duckdb.Error.
    """
    wanted = pa.table({"tag": list(starts), "start": pa.array(starts.values(), pa.int64())})
    names = ", ".join(f"r.{name}" for name in RAW_SCHEMA.names)
    with named(connection, "wanted_tags", wanted):
        found = connection.execute(
            f"SELECT {names} FROM raw.readings AS r JOIN wanted_tags AS w ON r.tag = w.tag"
            " WHERE r.arrival >= ? AND r.arrival < ? AND r.arrival >= w.start ORDER BY r.arrival",
            [first, first + limit],
        ).to_arrow_table()
    return RawBatch(found.cast(RAW_SCHEMA))


def made_batch(
    connection: duckdb.DuckDBPyConnection, tags: Sequence[str], *, before: int, count: int
) -> RawBatch:
    """Give what was made of other readings before an arrival, `count` of each tag, as if it came.

    In order of arrival. Raises duckdb.Error.
    """
    names = ", ".join(f"r.{name}" for name in RAW_SCHEMA.names)
    with named(connection, "wanted_tags", pa.table({"tag": pa.array(tags, pa.string())})):
        found = connection.execute(
            f"SELECT {names} FROM clean.readings AS r JOIN wanted_tags AS w ON r.tag = w.tag"
            " WHERE r.arrival < ? QUALIFY"
            " row_number() OVER (PARTITION BY r.tag ORDER BY r.arrival DESC) <= ?"
            " ORDER BY r.arrival, r.tag",
            [before, count],
        ).to_arrow_table()
    return RawBatch(found.cast(RAW_SCHEMA))


def last_arrival(connection: duckdb.DuckDBPyConnection) -> int:
    """Give the number of the last raw reading, -1 where there is none. Raises duckdb.Error."""
    row = connection.execute("SELECT max(arrival) FROM raw.readings").fetchone()
    return -1 if row is None or row[0] is None else int(row[0])


@contextmanager
def named(connection: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> Iterator[None]:
    """Let SQL use a table by a name."""
    connection.register(name, table)
    try:
        yield
    finally:
        connection.unregister(name)


def _microseconds(time: datetime) -> int:
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
