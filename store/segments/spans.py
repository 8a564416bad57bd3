"""From when to when the rows of each segment are, as the catalog has it without reading them."""

# ruff: noqa: S608 - the SQL is put together of the store's own names

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from store.catalog.attachment import METADATA

if TYPE_CHECKING:
    import duckdb

    from store.tables import Table


class SegmentSpan(NamedTuple):
    """A segment that is listed now; its rows are in both spans, ends included."""

    name: str  # relative to STORE/data
    row_count: int
    byte_count: int
    first: datetime  # of the column that was asked for
    last: datetime
    filed_first: datetime  # source_time, or that column where it is missing
    filed_last: datetime
    first_arrival: int  # 0 in tables without
    last_arrival: int
    last_commit: int  # of the judge, likewise


_SQL = f"""
SELECT
    CASE WHEN f.path_is_relative THEN concat(?, '/', f.path) ELSE f.path END,
    f.record_count, f.file_size_bytes, c.column_name, s.min_value, s.max_value,
    s.value_count IS NULL OR s.null_count IS NULL OR s.null_count > 0
FROM {METADATA}.ducklake_data_file AS f
JOIN {METADATA}.ducklake_table AS t ON t.table_id = f.table_id AND t.end_snapshot IS NULL
JOIN {METADATA}.ducklake_schema AS h ON h.schema_id = t.schema_id AND h.end_snapshot IS NULL
JOIN {METADATA}.ducklake_column AS c ON c.table_id = f.table_id AND c.end_snapshot IS NULL
LEFT JOIN {METADATA}.ducklake_file_column_stats AS s
    ON s.data_file_id = f.data_file_id AND s.column_id = c.column_id
WHERE f.end_snapshot IS NULL AND h.schema_name = ? AND t.table_name = ?
    AND c.column_name IN (?, 'source_time', 'arrival', 'judge_commit')
"""
_NEVER = (None, None, True)


def segment_spans(
    connection: duckdb.DuckDBPyConnection, table: Table, *, time: str
) -> list[SegmentSpan]:
    """List the segments of a table by name, with the span of a column of times.

    Left out is one whose span the catalog does not know. Raises duckdb.Error.
    """
    prefix = f"{table.schema}/{table.name}"
    found = connection.execute(_SQL, [prefix, table.schema, table.name, time]).fetchall()
    columns = dict[tuple[str, int, int], dict[str, tuple[str | None, str | None, bool]]]()
    for name, rows, size, column, least, greatest, has_null in found:
        columns.setdefault((name, rows, size), {})[column] = (least, greatest, has_null)
    spans = (_span(key, values, time) for key, values in sorted(columns.items()))
    return [span for span in spans if span is not None]


def _span(
    key: tuple[str, int, int],
    values: dict[str, tuple[str | None, str | None, bool]],
    time: str,
) -> SegmentSpan | None:
    first, last, _ = values.get(time, _NEVER)
    if first is None or last is None:
        return None
    own = _moment(first), _moment(last)
    filed_first, filed_last, has_null = values.get("source_time", _NEVER)
    if filed_first is None or filed_last is None:
        filed = own
    else:
        filed = _moment(filed_first), _moment(filed_last)
        if has_null:
            filed = min(filed[0], own[0]), max(filed[1], own[1])
    arrivals = values.get("arrival", _NEVER)
    commit = values.get("judge_commit", _NEVER)[1]
    numbers = (int(number or 0) for number in (*arrivals[:2], commit))
    return SegmentSpan(*key, *own, *filed, *numbers)


def _moment(text: str) -> datetime:
    """Read a time as the catalog writes it; those that Python cannot hold are at its ends.

    >>> _moment("2026-01-05 00:00:24.99995+00").isoformat()
    '2026-01-05T00:00:24.999950+00:00'
    """
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        year = 1 if text.endswith("(BC)") or text.startswith("-") else 9999
        return datetime(year, 1, 1, tzinfo=UTC)
