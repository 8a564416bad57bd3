"""The table macros that engineers ask readings by: around, align, asof, downsample."""

# ruff: noqa: S608 - the SQL is put together of the store's own names

from __future__ import annotations

from contextlib import suppress

import duckdb

from contracts.quality import Quality, Reason
from store.catalog.attachment import LAKE
from store.views.reasons import reason_words

# In a macro's SQL a name alone is a parameter: columns are named with their table.

# As the rollups have it: what a mean, a line or a value at a time may be made of.
_USABLE = f"r.quality < {int(Quality.BAD)} AND r.value_clean IS NOT NULL"
# Of readings with the same tag and time the first arrival stands.
_STANDS = (
    f"r.quality < {int(Quality.BAD)} AND r.reasons & {int(Reason.DUPLICATE | Reason.CONFLICT)} = 0"
    " AND (r.value_clean IS NOT NULL OR r.text IS NOT NULL)"
)
_FROM = "coalesce(CAST(from_time AS TIMESTAMPTZ), TIMESTAMPTZ '-infinity')"
_TO = "coalesce(CAST(to_time AS TIMESTAMPTZ), TIMESTAMPTZ 'infinity')"
# The last moment of a range of time, its end being no part of it.
_BEFORE_TO = "CAST(to_time AS TIMESTAMPTZ) - INTERVAL '1 microsecond'"
_TAGS = "CAST(tags AS VARCHAR[])"
# As bounds too: a list skips no segment.
_OF_TAGS = (
    f"list_contains({_TAGS}, r.tag) AND r.tag BETWEEN list_min({_TAGS}) AND list_max({_TAGS})"
)
_EVERY = "CAST(every AS INTERVAL)"
# Of each column of pixels: the first, the lowest, the highest, the last reading.
_POINTS_OF_A_COLUMN = 4
_US_OF_HOUR, _US_OF_MINUTE = 3_600_000_000, 60_000_000


def add_table_macros(connection: duckdb.DuckDBPyConnection, sql: str | None = None) -> None:
    """Add the macros to a connection with the lake attached, those that SQL may name; None: all.

    docs/data.md says what each gives. A tag and a range of time reach the scan of the readings as
    constants, so that segments are skipped by them. BAD readings count nowhere. A lake whose views
    are of an older program, which no writer of this one has opened yet, has none that needs newer
    ones.
    """
    for name, body in _MACROS.items():
        if sql is None or name in sql.lower():
            # DuckDB looks through a macro that is made: 5 ms each
            with suppress(duckdb.CatalogException, duckdb.BinderException):
                connection.execute(f"CREATE TEMP MACRO IF NOT EXISTS {body()}")


def _around() -> str:
    event = "CAST(event_time AS TIMESTAMPTZ)"
    width = "CAST(span AS INTERVAL)"
    return (
        "around(tag, event_time, span, with_bad := false) AS TABLE"
        " SELECT r.tag, r.source_time, r.received_time, r.value, r.text, r.value_clean, r.quality,"
        f" {reason_words('r.reasons')} AS reasons FROM {LAKE}.clean.named AS r WHERE r.tag = tag"
        f" AND r.source_time BETWEEN {event} - {width} AND {event} + {width}"
        f" AND (with_bad OR r.quality < {int(Quality.BAD)}) ORDER BY r.source_time, r.arrival"
    )


def _align() -> str:
    """Sum hours or minutes where the grid is made of such, else the readings."""
    ends = ("from_time", "to_time")
    is_whole = {
        us: " AND ".join(
            [f"epoch_us({_EVERY}) % {us} = 0"]
            + [f"coalesce(epoch_us(CAST({end} AS TIMESTAMPTZ)) % {us}, 0) = 0" for end in ends]
        )
        for us in (_US_OF_HOUR, _US_OF_MINUTE)
    }
    hours, minutes = is_whole[_US_OF_HOUR], is_whole[_US_OF_MINUTE]
    parts = " UNION ALL ".join(
        [
            _buckets_of("hour", hours),
            _buckets_of("minute", f"NOT ({hours}) AND {minutes}"),
            _buckets_of_readings(f"NOT ({minutes})"),
        ]
    )
    # the ends are found first: in an aggregate's SELECT a parameter would count as a column
    ends_of_parts = "SELECT min(p.time) AS first, max(p.time) AS last FROM part AS p"
    first = f"time_bucket({_EVERY}, coalesce(CAST(from_time AS TIMESTAMPTZ), e.first))"
    last = f"coalesce({_BEFORE_TO}, e.last)"
    step = (
        f"CASE WHEN epoch_us({_EVERY}) > 0 THEN {_EVERY}"
        " ELSE error('align(tags, every): give an interval above 0') END"
    )
    grid = (
        f"SELECT unnest(generate_series({first}, {last}, {step})) AS time"
        f" FROM ({ends_of_parts}) AS e"
    )
    held = "IGNORE NULLS) OVER (PARTITION BY w.tag ORDER BY g.time)"
    return (
        "align(tags, every, from_time := NULL, to_time := NULL) AS TABLE"
        f" WITH part AS MATERIALIZED ({parts}), grid AS ({grid}), before AS ({_before()}),"
        f" wanted AS (SELECT DISTINCT unnest({_TAGS}) AS tag)"
        " SELECT g.time, w.tag, p.total / p.count AS mean,"
        f" coalesce(last_value(p.last {held}, b.last) AS last,"
        f" coalesce(last_value(p.last_time {held}, b.last_time) AS last_time,"
        " coalesce(p.count, 0) AS count"
        " FROM grid AS g CROSS JOIN wanted AS w LEFT JOIN before AS b ON b.tag = w.tag"
        " LEFT JOIN part AS p ON p.tag = w.tag AND p.time = g.time ORDER BY g.time, w.tag"
    )


def _buckets_of(view: str, condition: str) -> str:
    return (
        f"SELECT r.tag, time_bucket({_EVERY}, r.{view}) AS time,"
        " sum(r.mean * r.value_count) AS total, CAST(sum(r.value_count) AS BIGINT) AS count,"
        " max_by(r.last, r.last_time) AS last, max(r.last_time) AS last_time"
        f" FROM {LAKE}.main.{view} AS r WHERE {condition}"
        f" AND {_OF_TAGS} AND {_in_range(f'r.{view}')} AND r.value_count > 0 GROUP BY ALL"
    )


def _buckets_of_readings(condition: str) -> str:
    return (
        f"SELECT r.tag, time_bucket({_EVERY}, r.source_time) AS time,"
        " sum(r.value_clean) AS total, count(*) AS count,"
        " max_by(r.value_clean, (r.source_time, r.arrival)) AS last,"
        f" max(r.source_time) AS last_time FROM {LAKE}.clean.named AS r WHERE {condition}"
        f" AND {_OF_TAGS} AND {_in_range('r.source_time')} AND {_USABLE} GROUP BY ALL"
    )


def _before() -> str:
    """Find each tag's last value before the range: in hours, then in the hour it begins in."""
    hour = "time_bucket(INTERVAL '1 hour', CAST(from_time AS TIMESTAMPTZ))"
    return (
        "SELECT h.tag, max_by(h.last, h.last_time) AS last, max(h.last_time) AS last_time FROM ("
        f"SELECT r.tag, r.last, r.last_time FROM {LAKE}.main.hour AS r WHERE {_OF_TAGS}"
        f" AND r.hour < {hour} AND r.value_count > 0 UNION ALL"
        f" SELECT r.tag, r.value_clean, r.source_time FROM {LAKE}.clean.named AS r"
        f" WHERE {_OF_TAGS} AND r.source_time >= {hour}"
        f" AND r.source_time < CAST(from_time AS TIMESTAMPTZ) AND {_USABLE}) AS h GROUP BY h.tag"
    )


def _asof() -> str:
    def values(until: str) -> str:
        return (
            "SELECT r.source_time AS value_time, r.value_clean AS value, r.text"
            f" FROM {LAKE}.clean.named AS r WHERE r.tag = tag AND {_STANDS}"
            f" AND r.source_time {until}"
        )

    others = (
        "SELECT r.source_time, r.value_clean AS other_value"
        f" FROM {LAKE}.clean.named AS r WHERE r.tag = other AND {_STANDS}"
        f" AND {_in_range('r.source_time')}"
    )
    joined = "ASOF LEFT JOIN ({}) AS v ON v.value_time <= o.source_time ORDER BY o.source_time"
    of_tag = joined.format(values(f"< {_TO}"))
    of_times = joined.format(values("<= list_max(times)"))
    return (
        '"asof"(tag, other VARCHAR, from_time := NULL, to_time := NULL) AS TABLE'
        " (SELECT o.source_time, o.other_value, v.value, v.text, v.value_time"
        f" FROM ({others}) AS o {of_tag}),"
        " (tag, times TIMESTAMPTZ[]) AS TABLE"
        " (SELECT o.source_time, v.value, v.text, v.value_time"
        f" FROM (SELECT unnest(times) AS source_time) AS o {of_times})"
    )


def _downsample() -> str:
    """Build M4: of each pixel column the first, lowest, highest and last reading.

    U. Jugel, Z. Jerzak, G. Hackenbroich, V. Markl: M4: a visualization-oriented time series data
    aggregation, PVLDB 7 (2014), 797-808.
    """
    readings = (
        f"{LAKE}.clean.named AS r WHERE r.tag = tag AND {_USABLE} AND {_in_range('r.source_time')}"
    )
    columns = f"CAST(points AS BIGINT) // {_POINTS_OF_A_COLUMN}"
    found = f"SELECT min(r.source_time) AS first, max(r.source_time) AS last FROM {readings}"
    ends = (
        "SELECT epoch_us(coalesce(CAST(from_time AS TIMESTAMPTZ), f.first)) AS first,"
        f" epoch_us(coalesce({_BEFORE_TO}, f.last)) AS last FROM ({found}) AS f"
    )
    step = (
        f"SELECT e.first, (e.last - e.first) // CASE WHEN {columns} > 0 THEN {columns}"
        " ELSE error('downsample(tag, points): give 4 points or more') END + 1 AS width"
        f" FROM ({ends}) AS e"
    )
    kept = ", ".join(
        f"{{'time': k.{point}_time, 'value': k.{point}}}"
        for point in ("first", "last", "lowest", "highest")
    )
    return (
        "downsample(tag, points := 1000, from_time := NULL, to_time := NULL) AS TABLE"
        f" WITH step AS MATERIALIZED ({step}), kept AS (SELECT"
        " min(r.source_time) AS first_time, arg_min(r.value_clean, r.source_time) AS first,"
        " max(r.source_time) AS last_time, arg_max(r.value_clean, r.source_time) AS last,"
        " arg_min(r.source_time, r.value_clean) AS lowest_time, min(r.value_clean) AS lowest,"
        " arg_max(r.source_time, r.value_clean) AS highest_time, max(r.value_clean) AS highest"
        f" FROM {readings} GROUP BY (epoch_us(r.source_time) - (SELECT s.first FROM step AS s))"
        " // (SELECT s.width FROM step AS s))"
        " SELECT p.point.time AS source_time, p.point.value AS value FROM"
        f" (SELECT unnest(list_distinct([{kept}])) AS point FROM kept AS k) AS p"
        " ORDER BY p.point.time"
    )


def _in_range(time: str) -> str:
    return f"{time} >= {_FROM} AND {time} < {_TO}"


_MACROS = {"around": _around, "align": _align, "asof": _asof, "downsample": _downsample}
