"""The sums of `minute` and `hour`, the newest readings of `latest`: how they are made, in SQL."""

# ruff: noqa: S608 - the SQL is put together of the store's own names

from __future__ import annotations

from typing import NamedTuple

from contracts.quality import Reason
from store import tables

# Readings that the rollups have not come to yet, as a condition on clean.readings. DuckLake works
# it out before it lists the segments, and skips those that hold none.
FRESH_SQL = "judge_commit > (SELECT judge_commit FROM house.rollup_progress)"
# The same for those of a store of format 1, as long as some are left.
FRESH_OLD_SQL = "judge_commit IS NULL AND arrival >= (SELECT arrival FROM house.rollup_progress)"
# What is not stamped in the future.
_NOW = f"reasons & {int(Reason.FUTURE)} = 0"
_LATEST_COLUMNS = ", ".join(tables.LATEST_PARTS.columns.names)
_INTERVALS = {tables.MINUTE_PARTS: "1 minute", tables.HOUR_PARTS: "1 hour"}


class Progress(NamedTuple):
    """How far the rollups have come; the columns of tables.ROLLUP_PROGRESS."""

    step_count: int
    judge_commit: int
    arrival: int | None  # null: no reading of format 1 is left

    @property
    def rolled_sql(self) -> str:
        """Say of which rows of clean.readings the parts are made; not so FRESH_SQL and the other.

        >>> Progress(7, 40, None).rolled_sql
        '(judge_commit <= 40 OR judge_commit IS NULL)'
        """
        old = "" if self.arrival is None else f" AND arrival < {self.arrival}"
        return f"(judge_commit <= {self.judge_commit} OR judge_commit IS NULL{old})"


def parts_sql(table: tables.Table, source: str) -> str:
    """Give the parts that readings make, one of each tag and bucket, in the order of segments.

    `source` is what follows FROM: rows of clean.readings, and conditions on them. `table` is
    tables.MINUTE_PARTS or HOUR_PARTS.
    """
    return f"{_parts(table, source)} ORDER BY tag, bucket"


def merged_sql(table: tables.Table, source: str) -> str:
    """Give what parts come to, in the order of segments: one part of each tag and bucket.

    `source` is what follows FROM: rows of `table`, one of tables.ROLLUPS, and conditions on them.
    An hour may be made of the parts of its minutes: see `hours_sql`. Of LATEST_PARTS this is the
    newest reading of each tag.
    """
    if table == tables.LATEST_PARTS:
        return f"{_newest(source)} ORDER BY r.tag"
    return f"{_merged('bucket', source)} ORDER BY tag, bucket"


def hours_sql(source: str) -> str:
    """Give the parts of hours that parts of minutes come to."""
    return f"{_merged(_bucket(tables.HOUR_PARTS, 'bucket'), source)} ORDER BY tag, bucket"


def newest_sql(source: str) -> str:
    """Give of each tag the newest reading that is not stamped in the future, as LATEST_PARTS.

    `source` is as in `parts_sql`, with a condition at its end.
    """
    return _newest(f"{source} AND {_NOW}")


def view_words(*, is_catching_up: bool) -> dict[str, str]:
    """Give what stands in braces in views.sql for the rollups.

    `is_catching_up`: readings of format 1 are left that are not rolled up.
    """
    fresh = [FRESH_SQL, *([FRESH_OLD_SQL] if is_catching_up else [])]
    words = {
        table.name: " UNION ALL ".join(
            [f"SELECT * FROM {table.path}"]
            + [_parts(table, f"clean.readings WHERE {condition}") for condition in fresh]
        )
        for table in _INTERVALS
    }
    words["latest_parts"] = " UNION ALL ".join(
        [f"SELECT {_LATEST_COLUMNS} FROM clean.latest_parts"]
        + [f"SELECT {_LATEST_COLUMNS} FROM clean.readings WHERE {c} AND {_NOW}" for c in fresh]
    )
    return words


def _parts(table: tables.Table, source: str) -> str:
    is_value = "quality < 2 AND value_clean IS NOT NULL"
    newest = f"max((source_time, arrival)) FILTER ({is_value})"
    return (
        f"SELECT tag, {_bucket(table, 'source_time')} AS bucket, count(*) AS count,"
        " count(*) FILTER (quality = 0) AS good_count,"
        f" count(*) FILTER ({is_value}) AS value_count,"
        f" sum(value_clean) FILTER ({is_value}) AS total,"
        f" min(value_clean) FILTER ({is_value}) AS min,"
        f" max(value_clean) FILTER ({is_value}) AS max,"
        f" struct_extract_at({newest}, 1) AS last_time,"
        f" struct_extract_at({newest}, 2) AS last_arrival,"
        f" max_by(value_clean, (source_time, arrival)) FILTER ({is_value}) AS last"
        f" FROM {source} GROUP BY 1, 2"
    )


def _merged(bucket: str, source: str) -> str:
    newest = "max((last_time, last_arrival)) FILTER (value_count > 0)"
    return (
        f"SELECT tag, {bucket} AS bucket, CAST(sum(count) AS BIGINT) AS count,"
        " CAST(sum(good_count) AS BIGINT) AS good_count,"
        " CAST(sum(value_count) AS BIGINT) AS value_count,"
        " sum(total) AS total, min(min) AS min, max(max) AS max,"
        f" struct_extract_at({newest}, 1) AS last_time,"
        f" struct_extract_at({newest}, 2) AS last_arrival,"
        " max_by(last, (last_time, last_arrival)) AS last"
        f" FROM {source} GROUP BY 1, 2"
    )


def _newest(source: str) -> str:
    """Find the keys first, then the rows: a sort of wide rows would take five times as long."""
    columns = ", ".join(f"r.{name}" for name in tables.LATEST_PARTS.columns.names)
    return (
        f"SELECT {columns} FROM (SELECT * FROM {source}) AS r JOIN"
        f" (SELECT tag, max_by(arrival, (source_time, arrival)) AS arrival FROM {source}"
        " GROUP BY tag) AS n ON r.tag = n.tag AND r.arrival = n.arrival"
    )


def _bucket(table: tables.Table, time: str) -> str:
    return f"time_bucket(INTERVAL '{_INTERVALS[table]}', {time})"
