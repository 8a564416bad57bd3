"""What each line did in each shift, and its stops: the readings as the KPIs take them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from importlib import resources
from typing import TYPE_CHECKING

import duckdb

from contracts.quality import Reason
from contracts.shifts import SHIFT_SUMS_SCHEMA, STOPS_SCHEMA
from store import failures
from store.history import named
from store.line_names import LINE_SQL
from store.query import connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    import pyarrow as pa

_HOUR_US = 3_600_000_000
_KEYS = ("site", "line", "day", "shift")
_SUMS_SQL = "SELECT * FROM sums ORDER BY site, line, day, shift NULLS LAST"
_STOPS_SQL = """
SELECT u.site, u.line, u.machine, s.day, s.shift,
       make_timestamptz(s.begins_us) AS begins, make_timestamptz(s.ends_us) AS ends,
       s.seconds, s.kind, s.state, s.is_small, s.is_continued
FROM stops AS s
JOIN (SELECT DISTINCT work_unit, site, line, machine FROM work_units) AS u
    ON s.work_unit = u.work_unit
ORDER BY u.site, u.line, u.machine, s.begins_us
"""
_SPAN_SQL = """
SELECT u.site, min(r.source_time), max(r.source_time)
FROM clean.named AS r JOIN main.tags AS u ON r.tag = u.tag
WHERE u.line IS NOT NULL AND u.metric = ? AND r.quality < 2
    AND r.source_time >= ? AND r.source_time < ?
GROUP BY u.site
"""
# What has a begin and an end, cut where a spell of its site begins or ends.
_BY_SPELL = """FROM (
    SELECT *, unnest(generate_series(begins_us // {hour}, (ends_us - 1) // {hour})) AS hour
    FROM {table}
) AS s
JOIN (SELECT DISTINCT work_unit, site FROM work_units) AS u ON s.work_unit = u.work_unit
JOIN hours_of_spells AS c
    ON u.site IS NOT DISTINCT FROM c.site AND s.hour = c.hour
    AND s.hour = greatest(s.begins_us, c.begins_us) // {hour}
    AND s.begins_us < c.ends_us AND c.begins_us < s.ends_us"""
# When a state was read last, told by sums: no reading is looked at.
_NEWEST_SQL = """
SELECT max(h.last_time) FROM main.hour AS h JOIN main.tags AS t ON h.tag = t.tag
WHERE t.line IS NOT NULL AND t.metric = ? AND h.hour < ?
"""
# What is told where nobody says since when: a month. All readings of a time are held in memory.
LAST = timedelta(days=31)
# Readings are taken from so long before to so long after what is asked for: a counter's step that
# reaches over its edge is spread over its whole length where it is no longer.
_MARGIN = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftMetrics:
    """Which metric is what, None where the plant has none; which values of the state mean what.

    A state that is none of those named is a delay. It holds for `holds_s` seconds at most where no
    reading follows; a stop of less than `small_stop_s` seconds is a small one.
    """

    state: str
    good: str
    energy: str
    scrap: str | None = None
    rework: str | None = None
    running: tuple[float, ...]
    setup: tuple[float, ...] = ()
    down: tuple[float, ...] = ()
    holds_s: float
    small_stop_s: float


@dataclass(frozen=True, slots=True)
class Span:
    """From the first to the last reading of a state at a site."""

    site: str | None
    first: datetime
    last: datetime


def shift_sums(
    folder: Path,
    metrics: ShiftMetrics,
    lay_out: Callable[[list[Span]], pa.Table],
    *,
    since: datetime | None,
    until: datetime,
) -> tuple[pa.Table, pa.Table]:
    """Sum up what a store has of a time by the spells of its sites' calendars.

    `since` None: LAST before the newest state.
    `lay_out` gives the spells of the spans, with the columns of SPELLS_SCHEMA; a site that has no
    reading of a state from `since` on and before `until` has no span. Gives the sums, with the
    columns of SHIFT_SUMS_SCHEMA, by line and time, and the stops, with those of STOPS_SCHEMA. The
    machines of a line add up. Raises as store.query.fetch.
    """
    with connect(folder) as connection:
        try:
            since = since or _lately(connection, metrics.state, until)
            spells = lay_out(_spans(connection, metrics, since, until))
            with named(connection, "shift_spells", spells):
                connection.execute(_sql(metrics, since, until))
                sums = connection.execute(_SUMS_SQL).to_arrow_table()
                table = sums.select(SHIFT_SUMS_SCHEMA.names).cast(SHIFT_SUMS_SCHEMA)
                stops = connection.execute(_STOPS_SQL).to_arrow_table().cast(STOPS_SCHEMA)
        except duckdb.Error as error:
            raise failures.of_query(error) from error
    return table, stops


def _spans(
    connection: duckdb.DuckDBPyConnection, metrics: ShiftMetrics, since: datetime, until: datetime
) -> list[Span]:
    """Find what of a time each site has measured; readings beyond its edges measure up to them."""
    margin = _margin(metrics)
    words = [metrics.state, since - margin, until + margin]
    found = connection.execute(_SPAN_SQL, words).fetchall()
    cut = [Span(site, max(first, since), min(last, until)) for site, first, last in found]
    return [span for span in cut if span.first < span.last]


def _margin(metrics: ShiftMetrics) -> timedelta:
    return max(_MARGIN, timedelta(seconds=metrics.holds_s))


def _lately(connection: duckdb.DuckDBPyConnection, state: str, until: datetime) -> datetime:
    row = connection.execute(_NEWEST_SQL, [state, until]).fetchone()
    newest: datetime | None = row[0] if row else None
    return min(newest or until, until) - LAST


def _sql(metrics: ShiftMetrics, since: datetime, until: datetime) -> str:
    margin = _margin(metrics)
    text = resources.files("store").joinpath("shift_sums.sql").read_text(encoding="utf-8")
    words = {
        "line": LINE_SQL,
        "state_spans_by_spell": _BY_SPELL.replace("{table}", "state_spans"),
        "steps_by_spell": _BY_SPELL.replace("{table}", "steps"),
        "since": f"TIMESTAMPTZ '{(since - margin).isoformat()}'",
        "until": f"TIMESTAMPTZ '{(until + margin).isoformat()}'",
        "state": _literal(metrics.state),
        "good": _literal(metrics.good),
        "scrap": _literal(metrics.scrap),
        "rework": _literal(metrics.rework),
        "energy": _literal(metrics.energy),
        "running": _values(metrics.running),
        "setup": _values(metrics.setup),
        "down": _values(metrics.down),
        "holds": str(int(metrics.holds_s * 1e6)),
        "small": repr(metrics.small_stop_s),
        "hour": str(_HOUR_US),
        "repeats": str(int(Reason.DUPLICATE | Reason.CONFLICT)),
        "backwards": str(int(Reason.COUNTER)),
        "summed": ", ".join(
            f"coalesce(sum({name}), 0) AS {name}"
            for name in SHIFT_SUMS_SCHEMA.names
            if name not in (*_KEYS, "unknown_s")
        ),
    }
    for name, value in words.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _literal(name: str | None) -> str:
    return "NULL" if name is None else "'" + name.replace("'", "''") + "'"


def _values(states: tuple[float, ...]) -> str:
    return f"({', '.join(repr(float(one)) for one in states) or 'NULL'})"
