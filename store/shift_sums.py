"""What each line did in each shift, and its stops: the readings as the KPIs take them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import duckdb

from contracts.quality import Reason
from contracts.shifts import SHIFT_SUMS_SCHEMA, STOPS_SCHEMA
from store import failures
from store.history import named
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
FROM stops AS s JOIN (SELECT DISTINCT unit, site, line, machine FROM units) AS u ON s.unit = u.unit
ORDER BY u.site, u.line, u.machine, s.begins_us
"""
_SPAN_SQL = """
SELECT u.site, min(r.source_time), max(r.source_time)
FROM clean.named AS r JOIN main.tags AS u ON r.tag = u.tag
WHERE u.line IS NOT NULL AND u.metric = ? AND r.quality < 2 AND r.source_time < ?
GROUP BY u.site
"""


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
    until: datetime,
) -> tuple[pa.Table, pa.Table]:
    """Sum up a store by the spells of its sites' calendars.

    `lay_out` gives the spells of the spans, with the columns of SPELLS_SCHEMA; a site that has no
    reading of a state before `until` has no span. Gives the sums, with the columns of
    SHIFT_SUMS_SCHEMA, by line and time, and the stops, with those of STOPS_SCHEMA. The machines of
    a line add up. Raises as store.query.fetch.
    """
    with connect(folder) as connection:
        try:
            found = connection.execute(_SPAN_SQL, [metrics.state, until]).fetchall()
            spells = lay_out([Span(*row) for row in found])
            with named(connection, "shift_spells", spells):
                connection.execute(_sql(metrics))
                sums = connection.execute(_SUMS_SQL).to_arrow_table()
                table = sums.select(SHIFT_SUMS_SCHEMA.names).cast(SHIFT_SUMS_SCHEMA)
                stops = connection.execute(_STOPS_SQL).to_arrow_table().cast(STOPS_SCHEMA)
        except duckdb.Error as error:
            raise failures.of_query(error) from error
    return table, stops


def _sql(metrics: ShiftMetrics) -> str:
    text = resources.files("store").joinpath("shift_sums.sql").read_text(encoding="utf-8")
    words = {
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
