"""Which times of which sites new readings and new verdicts have changed, as shifts see them."""

# ruff: noqa: S608 - the SQL is put together of the store's own names

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from contracts.moments import TIME
from store import tables
from store.rejudging.history import named
from store.shifts.shift_sums import LONGEST_STEP

if TYPE_CHECKING:
    import duckdb

    from store.shifts.shift_sums import ShiftMetrics

# What new readings lie between, of each tag and day, in whole hours. A reading changes what is said
# from the one before it to the one after it: a counter's step, how long a state held, and for how
# long its site has been measured. Tags are those of `shift_tags`, readings those of `new_readings`.
_REACH_SQL = """
WITH touched AS (
    SELECT
        tag,
        time_bucket(INTERVAL 1 HOUR, min(first)) AS first,
        time_bucket(INTERVAL 1 HOUR, max(last)) AS last
    FROM new_readings
    GROUP BY tag, epoch_us(first) // {day}
),

hours AS MATERIALIZED (
    SELECT h.tag, h.hour
    FROM main.hour AS h
    JOIN shift_tags AS t ON h.tag = t.tag
    WHERE h.value_count > 0
        AND h.hour >= ? AND h.hour <= ?
),

state_hours AS (
    SELECT DISTINCT t.place, h.hour
    FROM hours AS h
    JOIN shift_tags AS t ON h.tag = t.tag
    WHERE t.metric = ?
),

reached AS (
    SELECT t.site, x.first, x.last, b.hour AS before, a.hour AS after, s.hour AS site_before
    FROM touched AS x
    JOIN shift_tags AS t ON x.tag = t.tag
    ASOF LEFT JOIN hours AS b ON x.tag = b.tag AND x.first > b.hour
    ASOF LEFT JOIN hours AS a ON x.tag = a.tag AND x.last < a.hour
    ASOF LEFT JOIN state_hours AS s ON t.place = s.place AND x.first > s.hour
)

SELECT DISTINCT
    site,
    least(first, coalesce(before, first), coalesce(site_before, first)) AS first,
    greatest(last + {holds}, coalesce(after, last)) + INTERVAL 1 HOUR AS last
FROM reached
"""
# Whole days of UTC in microseconds; time_bucket would ask the calendar of each reading.
_DAY_US = 86_400_000_000
_NEW_SQL = """
SELECT r.tag, min(r.source_time) AS first, max(r.source_time) AS last
FROM clean.named AS r
JOIN shift_tags AS t ON r.tag = t.tag
WHERE r.judge_commit > ? AND r.judge_commit <= ?
GROUP BY r.tag, epoch_us(r.source_time) // {day}
"""
_NEW_OLD_SQL = """
SELECT r.tag, min(r.source_time) AS first, max(r.source_time) AS last
FROM clean.named AS r
JOIN shift_tags AS t ON r.tag = t.tag
WHERE r.judge_commit IS NULL
GROUP BY r.tag, epoch_us(r.source_time) // {day}
"""
# The most readings of some metrics that came in one of the last days that have any.
_LATELY_SQL = """
WITH counts AS (
    SELECT epoch_us(h.hour) // {day} AS day, sum(h.count) AS count
    FROM main.hour AS h
    JOIN main.tags AS t ON h.tag = t.tag
    WHERE t.line IS NOT NULL AND t.metric IN (SELECT unnest(CAST(? AS VARCHAR[])))
        AND h.hour >= ? - INTERVAL 7 DAY
    GROUP BY day
)

SELECT max(count) FROM counts
"""
_TAGS_SQL = """
SELECT tag, site, coalesce(site, '') AS place, metric, area, line, machine FROM main.tags
WHERE line IS NOT NULL AND metric IN (SELECT unnest(CAST(? AS VARCHAR[]))) ORDER BY tag
"""
_FIELDS: list[pa.Field[Any]] = [
    pa.field("tag", pa.string()),
    pa.field("first", TIME),
    pa.field("last", TIME),
]
_READINGS = pa.schema(_FIELDS)


class Changed(NamedTuple):
    """What has changed, and up to where that is told."""

    spans: list[tuple[str | None, datetime, datetime]]  # site, from, to
    judge_commit: int
    rejudgement: int
    places: str  # where each tag stands, as JSON

    def has_moved(self, places: str) -> bool:
        """Tell whether a tag that was there stands elsewhere, or is no longer there."""
        before, now = json.loads(places or "{}"), json.loads(self.places)
        return any(now.get(tag) != place for tag, place in before.items())


def changed(
    connection: duckdb.DuckDBPyConnection,
    metrics: ShiftMetrics,
    *,
    since_commit: int,
    since_rejudgement: int,
) -> Changed:
    """Find what commits and rejudgements after those of a number have changed.

    Raises duckdb.Error.
    """
    last = _one(connection, f"SELECT max(commit_count) FROM {tables.JUDGE_PROGRESS.path}")
    again = _one(connection, f"SELECT max(number) FROM {tables.REJUDGEMENTS.path}")
    tags = connection.execute(_TAGS_SQL, [list(metrics.names)]).to_arrow_table()
    places = {row["tag"]: [row[name] for name in _PLACE] for row in tags.to_pylist()}
    with named(connection, "shift_tags", tags):
        found = [connection.execute(_worded(_NEW_SQL), [since_commit, last]).to_arrow_table()]
        if since_commit == 0:
            found.append(connection.execute(_worded(_NEW_OLD_SQL)).to_arrow_table())
        found.append(_judged_again(connection, tags, since_rejudgement))
        new = pa.concat_tables(table.cast(_READINGS) for table in found)
        spans = _reach(connection, new, metrics) if new.num_rows else []
    return Changed(spans, last, again, json.dumps(places))


def readings_per_day(
    connection: duckdb.DuckDBPyConnection, metrics: ShiftMetrics, until: datetime
) -> int:
    """Tell how many readings of these metrics a busy day of the week before a time has.

    Raises duckdb.Error.
    """
    row = connection.execute(_worded(_LATELY_SQL), [list(metrics.names), until]).fetchone()
    return int(row[0] or 0) if row else 0


_PLACE = ("site", "area", "line", "machine", "metric")


def _reach(
    connection: duckdb.DuckDBPyConnection, new: pa.Table, metrics: ShiftMetrics
) -> list[tuple[str | None, datetime, datetime]]:
    sql = _worded(_REACH_SQL).replace("{holds}", f"INTERVAL {int(metrics.holds_s)} SECOND")
    first: datetime = pc.min(new["first"]).as_py()
    last: datetime = pc.max(new["last"]).as_py()
    words = [first - LONGEST_STEP, last + LONGEST_STEP, metrics.state]
    # DuckDB takes these for few rows, and would go through all hours for each of them
    connection.execute("SET asof_loop_join_threshold = 0")
    with named(connection, "new_readings", new):
        return connection.execute(sql, words).fetchall()


def _worded(sql: str) -> str:
    return sql.replace("{day}", str(_DAY_US))


def _judged_again(connection: duckdb.DuckDBPyConnection, tags: pa.Table, since: int) -> pa.Table:
    """Give the readings that may have another verdict: of each day of the range, all tags."""
    rows = connection.execute(
        f"SELECT from_time, coalesce(to_time, made_at) FROM {tables.REJUDGEMENTS.path}"
        " WHERE number > ?",
        [since],
    ).fetchall()
    found = [
        {"tag": tag, "first": max(first, day), "last": min(last, day + timedelta(days=1))}
        for first, last in rows
        for day in _days(first.astimezone(UTC), last.astimezone(UTC))
        for tag in tags["tag"].to_pylist()
    ]
    return pa.Table.from_pylist(found, schema=_READINGS)


def _days(first: datetime, last: datetime) -> list[datetime]:
    begin = first.replace(hour=0, minute=0, second=0, microsecond=0)
    return [begin + timedelta(days=n) for n in range((last - begin).days + 1)]


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = connection.execute(sql).fetchone()
    return int(row[0] or 0) if row else 0
