"""What each line did in each shift, and its stops: the readings as the KPIs take them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import pyarrow as pa

from contracts.quality import Reason
from contracts.shifts import SHIFT_SUMS_SCHEMA, STOPS_SCHEMA
from store import failures
from store.query import connect
from store.rejudging.history import named
from store.shifts.line_names import LINE_SQL

if TYPE_CHECKING:
    from pathlib import Path

    from contracts.tags import Place

_HOUR_US = 3_600_000_000
_HOUR = timedelta(hours=1)
_MICROSECOND = timedelta(microseconds=1)
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
# When each state was read first, to the hour, and last, told by sums: one look at all hours.
_MEASURED_SQL = """
CREATE OR REPLACE TEMP TABLE measured AS
SELECT t.site, h.tag, min(h.hour) AS first_hour, max(h.last_time) AS last_time
FROM main.hour AS h JOIN main.tags AS t ON h.tag = t.tag
WHERE t.line IS NOT NULL AND t.metric = ? AND h.value_count > 0
    AND h.hour < coalesce(?, TIMESTAMPTZ 'infinity')
GROUP BY t.site, h.tag
"""
_SPAN_SQL = "SELECT site, min(first_hour), max(last_time) FROM measured GROUP BY site"
_FIRST_SQL = """
SELECT min(r.source_time)
FROM clean.named AS r JOIN main.tags AS t ON r.tag = t.tag
WHERE t.line IS NOT NULL AND t.metric = ? AND t.site IS NOT DISTINCT FROM ?
    AND r.quality < 2 AND r.value_clean IS NOT NULL
    AND r.source_time >= ? AND r.source_time < ?
"""
# What has a begin and an end, cut where a spell of its site begins or ends.
_BY_SPELL = """FROM (
    SELECT *, unnest(generate_series(begins_us // {hour}, (ends_us - 1) // {hour})) AS hour
    FROM {table}
) AS s
JOIN (SELECT DISTINCT work_unit, calendar FROM work_units) AS u ON s.work_unit = u.work_unit
JOIN hours_of_spells AS c
    ON u.calendar IS NOT DISTINCT FROM c.site AND s.hour = c.hour
    AND s.hour = greatest(s.begins_us, c.begins_us) // {hour}
    AND s.begins_us < c.ends_us AND c.begins_us < s.ends_us"""
_NEWEST_SQL = "SELECT max(last_time) FROM measured WHERE first_hour < ?"
# What is told where nobody says since when: a month. All readings of a time are held in memory.
LAST = timedelta(days=31)
# A counter's step is spread over the time between its two readings; over a longer one it would say
# nothing of a shift, and is left out.
LONGEST_STEP = timedelta(days=31)


class Apart(NamedTuple):
    """A machine that does not go by the calendar of its site, and the name of its own."""

    place: Place  # its line by the name that it goes by
    calendar: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftMetrics:
    """Which metric is what, None where the plant has none; which values of the state mean what.

    A state that is none of those named is a delay; time in one of `unplanned` is not planned. A
    state holds for `holds_s` seconds at most where no reading follows; a stop of less than
    `small_stop_s` seconds is a small one.
    """

    state: str
    good: str
    energy: str
    scrap: str | None = None
    rework: str | None = None
    running: tuple[float, ...]
    setup: tuple[float, ...] = ()
    down: tuple[float, ...] = ()
    unplanned: tuple[float, ...] = ()
    holds_s: float
    small_stop_s: float
    co2_kg_per_kwh: float = 0.0  # of the hours for which `co2_tag` has no reading
    co2_tag: str | None = None
    apart: tuple[Apart, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics that are read of a line."""
        every = (self.state, self.good, self.energy, self.scrap, self.rework)
        return tuple(name for name in every if name is not None)


@dataclass(frozen=True, slots=True)
class Span:
    """From the first to the last reading of a state at a site."""

    site: str | None
    first: datetime
    last: datetime


LayOut = Callable[[list[Span]], pa.Table]


class Summed(NamedTuple):
    """What was summed up of a time, as `shift_sums` gives it."""

    since: datetime
    until: datetime
    sums: pa.Table
    stops: pa.Table


def shift_sums(
    folder: Path,
    metrics: ShiftMetrics,
    lay_out: LayOut,
    *,
    since: datetime | None,
    until: datetime,
) -> tuple[pa.Table, pa.Table]:
    """Sum up what a store has of a time by the spells of its sites' calendars.

    `since` None: LAST before the newest state.
    `lay_out` gives the spells of the spans, with the columns of SPELLS_SCHEMA, and those of the
    calendars that `metrics.apart` names; a site that has no reading of a state from `since` on and
    before `until` has no span. Gives the sums, with the columns of SHIFT_SUMS_SCHEMA, by line and
    time, and the stops, with those of STOPS_SCHEMA. The machines of a line add up. Raises as
    store.query.fetch.
    """
    with connect(folder) as connection:
        try:
            measure(connection, metrics.state)
            since = since or _lately(connection, until)
            spells = lay_out(spans_of(connection, metrics.state, since, until))
            return sums_of(connection, metrics, spells, (since, until))
        except duckdb.Error as error:
            raise failures.of_query(error) from error


def newest_sums(
    folder: Path, metrics: ShiftMetrics, lay_out: LayOut, *, until: datetime, length: timedelta
) -> tuple[Summed, ...]:
    """Sum up the newest time of a length before a moment, and as much before it: the newest first.

    The newest ends with the hour of the newest state. Nothing counts that was measured in the hour
    of `until` or later, so the answer stays what it is however much is measured after it: `length`
    is of whole hours. Empty where no state was measured before. Raises as store.query.fetch.
    """
    known = _hour_of(until)
    with connect(folder) as connection:
        try:
            measure(connection, metrics.state, until=known)
            row = connection.execute(_NEWEST_SQL, [known]).fetchone()
            if row is None or row[0] is None:
                return ()
            end, found = min(known, _hour_of(row[0] - _MICROSECOND) + _HOUR), []
            for time in ((end - length, end), (end - 2 * length, end - length)):
                spells = lay_out(spans_of(connection, metrics.state, *time))
                sums, stops = sums_of(connection, metrics, spells, time, known)
                found.append(Summed(*time, sums, stops))
            return tuple(found)
        except duckdb.Error as error:
            raise failures.of_query(error) from error


def measure(
    connection: duckdb.DuckDBPyConnection, state: str, *, until: datetime | None = None
) -> None:
    """Look up since when and until when each machine has told its state, before a whole hour.

    What `spans_of` and `sums_of` go by, until it is called again. Raises duckdb.Error.
    """
    connection.execute(_MEASURED_SQL, [state, until])


def spans_of(
    connection: duckdb.DuckDBPyConnection, state: str, since: datetime, until: datetime
) -> list[Span]:
    """Find what of a time each site has measured, from its first state to its newest.

    Raises duckdb.Error.
    """
    spans = []
    for site, hour, last in connection.execute(_SPAN_SQL).fetchall():
        first = since
        if hour + _HOUR > since:
            words = [state, site, hour, hour + _HOUR]
            row = connection.execute(_FIRST_SQL, words).fetchone()
            first = max(since, row[0] if row and row[0] else hour)
        if first < min(last, until):
            spans.append(Span(site, first, min(last, until)))
    return spans


def sums_of(
    connection: duckdb.DuckDBPyConnection,
    metrics: ShiftMetrics,
    spells: pa.Table,
    time: tuple[datetime, datetime],
    known: datetime | None = None,
) -> tuple[pa.Table, pa.Table]:
    """Sum up by spells that lie in a time: see `shift_sums`. Raises duckdb.Error.

    A counter's step into the time counts by its share. One that ends at `known`, a whole hour, or
    later does not.
    """
    with named(connection, "shift_spells", spells):
        connection.execute(_sql(metrics, *time, known))
        sums = connection.execute(_SUMS_SQL).to_arrow_table()
        stops = connection.execute(_STOPS_SQL).to_arrow_table()
    return sums.select(SHIFT_SUMS_SCHEMA.names).cast(SHIFT_SUMS_SCHEMA), stops.cast(STOPS_SCHEMA)


def _lately(connection: duckdb.DuckDBPyConnection, until: datetime) -> datetime:
    row = connection.execute(_NEWEST_SQL, [until]).fetchone()
    newest: datetime | None = row[0] if row else None
    return min(newest or until, until) - LAST


def _sql(
    metrics: ShiftMetrics, since: datetime, until: datetime, known: datetime | None = None
) -> str:
    # whole hours, as sums tell what lies beyond; a state holds into the time that is asked for
    first = _hour_of(since - timedelta(seconds=metrics.holds_s))
    end = _hour_of(until - _MICROSECOND) + _HOUR
    beyond = end + LONGEST_STEP if known is None else min(known, end + LONGEST_STEP)
    text = resources.files("store.shifts").joinpath("shift_sums.sql").read_text(encoding="utf-8")
    words = {
        "line": LINE_SQL,
        "calendar": _calendar_sql(metrics.apart),
        "state_spans_by_spell": _BY_SPELL.replace("{table}", "state_spans"),
        "steps_by_spell": _BY_SPELL.replace("{table}", "steps"),
        "since": f"TIMESTAMPTZ '{first.isoformat()}'",
        "until": f"TIMESTAMPTZ '{end.isoformat()}'",
        "beyond": f"TIMESTAMPTZ '{beyond.isoformat()}'",
        "state": _literal(metrics.state),
        "good": _literal(metrics.good),
        "scrap": _literal(metrics.scrap),
        "rework": _literal(metrics.rework),
        "energy": _literal(metrics.energy),
        "running": _values(metrics.running),
        "setup": _values(metrics.setup),
        "down": _values(metrics.down),
        "unplanned": _values(metrics.unplanned),
        "holds": str(int(metrics.holds_s * 1e6)),
        "small": repr(metrics.small_stop_s),
        "hour": str(_HOUR_US),
        "longest": f"{LONGEST_STEP.days} DAY",
        "longest_us": str(LONGEST_STEP // timedelta(microseconds=1)),
        "co2_tag": _literal(metrics.co2_tag),
        "co2_kg_per_kwh": repr(metrics.co2_kg_per_kwh),
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


def _calendar_sql(apart: tuple[Apart, ...]) -> str:
    """Write which calendar a machine goes by, as the column `site` of the spells names it."""
    cases = [
        "WHEN "
        + " AND ".join(
            f"{level} IS NOT DISTINCT FROM {_literal(getattr(each.place, level))}"
            for level in ("site", "area", "line", "machine")
        )
        + f" THEN {_literal(each.calendar)}"
        for each in apart
    ]
    return f"CASE {' '.join(cases)} ELSE site END" if cases else "site"


def _hour_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _literal(name: str | None) -> str:
    return "NULL" if name is None else "'" + name.replace("'", "''") + "'"


def _values(states: tuple[float, ...]) -> str:
    return f"({', '.join(repr(float(one)) for one in states) or 'NULL'})"
