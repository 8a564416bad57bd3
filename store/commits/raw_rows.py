"""Raw readings from one number of arrival to another, read from the segments that hold them."""

# ruff: noqa: S608 - the SQL is put together of the store's own names

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from contracts.batches import CODED, RAW_SCHEMA
from contracts.coding import coded_schema, without_unused
from store import tables
from store.catalog.attachment import METADATA
from store.segments.row_groups import open_segment, read_group

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    import pyarrow.parquet as pq

    from store.place.files import File
    from store.place.folder import Folder

_SCHEMA = coded_schema(RAW_SCHEMA)
_NOTHING = _SCHEMA.empty_table()
# The least and the greatest number of arrival in each segment that is listed now.
_SQL = f"""
WITH readings AS (
    SELECT t.table_id, c.column_id
    FROM {METADATA}.ducklake_table AS t
    JOIN {METADATA}.ducklake_schema AS h ON h.schema_id = t.schema_id AND h.end_snapshot IS NULL
    JOIN {METADATA}.ducklake_column AS c ON c.table_id = t.table_id AND c.end_snapshot IS NULL
    WHERE t.end_snapshot IS NULL AND h.schema_name = '{tables.RAW_READINGS.schema}'
        AND t.table_name = '{tables.RAW_READINGS.name}' AND c.column_name = 'arrival'
)
SELECT CASE WHEN f.path_is_relative THEN concat('{tables.RAW_READINGS.folder}/', f.path)
    ELSE f.path END
FROM {METADATA}.ducklake_data_file AS f
JOIN readings AS r ON f.table_id = r.table_id
LEFT JOIN {METADATA}.ducklake_file_column_stats AS s
    ON s.data_file_id = f.data_file_id AND s.column_id = r.column_id
WHERE f.end_snapshot IS NULL AND (s.min_value IS NULL OR s.max_value IS NULL
    OR (CAST(s.min_value AS BIGINT) < $until AND CAST(s.max_value AS BIGINT) >= $first))
ORDER BY f.data_file_id
"""


def raw_between(
    connection: duckdb.DuckDBPyConnection, folder: Folder, first: int, until: int
) -> pa.Table:
    """Give the readings with a number from `first` on and below `until`, in order of arrival.

    Of RAW_SCHEMA, all strings CODED. Raises duckdb.Error; TransientError and GainlineError for the
    disk.
    """
    names = connection.execute(_SQL, {"first": first, "until": until}).fetchall()
    parts = [part for (name,) in names for part in _parts(folder.data / name, range(first, until))]
    table = pa.concat_tables([_NOTHING, *parts])
    arrivals = table["arrival"].to_numpy()
    order = pa.array(np.argsort(arrivals, kind="stable"))
    columns = [_whole(column).take(order) for column in table.columns]
    return pa.Table.from_arrays(columns, schema=_SCHEMA)


def _parts(file: File, numbers: range) -> Iterator[pa.Table]:
    with open_segment(file, RAW_SCHEMA) as source:
        for group in range(source.num_row_groups):
            span = _span(source, group)
            if span is None:
                yield _chosen(source, group, numbers)
            elif span.start >= numbers.start and span.stop <= numbers.stop:
                yield _read(source, group)
            elif span.start < numbers.stop and span.stop > numbers.start:
                yield _chosen(source, group, numbers)


def _span(source: pq.ParquetFile, group: int) -> range | None:
    """Give the numbers that a row group may hold, if that is known without reading it."""
    column = source.schema_arrow.names.index("arrival")
    known: Any = source.metadata.row_group(group).column(column).statistics
    return range(known.min, known.max + 1) if known is not None and known.has_min_max else None


def _chosen(source: pq.ParquetFile, group: int, numbers: range) -> pa.Table:
    """Read the rows that are wanted of a row group; those of most are not read whole for none."""
    arrivals = read_group(source, group, RAW_SCHEMA, ["arrival"])["arrival"].to_numpy()
    is_wanted = (arrivals >= numbers.start) & (arrivals < numbers.stop)
    return _read(source, group).filter(pa.array(is_wanted)) if is_wanted.any() else _NOTHING


def _read(source: pq.ParquetFile, group: int) -> pa.Table:
    return pa.Table.from_arrays(read_group(source, group, RAW_SCHEMA).columns, schema=_SCHEMA)


def _whole(column: pa.ChunkedArray[Any]) -> Any:  # noqa: ANN401  # the stubs know no dictionaries
    return without_unused(column) if column.type == CODED else column.combine_chunks()
