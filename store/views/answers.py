"""What one statement has found, taken in parts, so that an answer of any length passes through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb

from store import failures

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

# Rows taken at once: some megabytes of a wide table.
PART_ROWS = 10_000
BATCH_ROWS = 131_072


class Answer:
    """An answer that is read once, as rows or as batches; reading raises as `store.query.fetch`."""

    def __init__(self, found: duckdb.DuckDBPyConnection) -> None:
        self._found = found
        self.names = [str(column[0]) for column in found.description or []]

    def rows(self, part_rows: int = PART_ROWS) -> Iterator[list[tuple[Any, ...]]]:
        """Give the rows as Python values, so many at once."""
        try:
            while part := self._found.fetchmany(part_rows):
                yield part
        except duckdb.Error as error:
            raise failures.of_query(error) from error

    def batches(self) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """Give the schema and the rows as Arrow."""
        try:
            reader = self._found.to_arrow_reader(BATCH_ROWS)
        except duckdb.Error as error:
            raise failures.of_query(error) from error
        return reader.schema, self._each(reader)

    def _each(self, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        try:
            yield from reader
        except duckdb.Error as error:
            raise failures.of_query(error) from error
        except OSError as error:  # how Arrow passes on what DuckDB says
            raise failures.of_query(duckdb.Error(str(error))) from error
