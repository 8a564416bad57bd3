"""Reads and writes files of tables of any length, a batch at a time."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from clean.columns import WANTED
from contracts.errors import DataError
from gainline.files.csv_tables import with_codes
from gainline.files.outfile import whole_file
from gainline.files.tables import flat, is_csv, read_table, refuse_path, told

# A batch is a row group of what is written. So many rows that fixed costs no longer count, and
# fewer where rows are so wide that a batch would take more memory than this.
BATCH_ROWS: Final = 1 << 19
BATCH_ROWS_MIN: Final = 1 << 10
BATCH_BYTES: Final = 64 << 20
# Read from disk at a time, of each column: a row group may be as large as the file.
READ_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class LongTable:
    """A table that can be read from its beginning more than once."""

    schema: pa.Schema
    count: int  # rows
    batches: Callable[..., Iterator[pa.Table]]  # all columns, or those that are named


@contextmanager
def open_table(path: Path, *, numbered: Sequence[str] = ()) -> Iterator[LongTable]:
    """Open a Parquet file, of which one batch at a time is in memory, or a CSV file, read whole.

    Columns of strings in `numbered` may come as numbers of a dictionary, which is a tenth of the
    work. Raises DataError when it cannot be read or is no table.
    """
    if is_csv(path):
        table = with_codes(read_table(path), path, WANTED)
        yield LongTable(table.schema, table.num_rows, lambda names=None: _cut(table, names))
        return
    refuse_path(path)
    with told(path):
        handle = path.open("rb")
    with handle:
        yield _open_parquet(path, handle, numbered)


def write_batches(batches: Iterable[pa.Table], schema: pa.Schema, path: Path) -> None:
    """Write a Parquet or CSV file by the name's ending; CSV gets lists as words with blanks.

    What the schema calls a string may come as numbers of a dictionary. Raises DataError where it
    cannot be written, TransientError for a full disk; then what was at `path` is still there.
    """
    with whole_file(path) as part:
        try:
            (_write_csv if is_csv(path) else _write_parquet)(batches, schema, part)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as problem:
            cause = " ".join(str(problem).split())[:200]
            raise DataError(f"{path}: cannot be written: {cause}") from None


def _cut(table: pa.Table, names: Sequence[str] | None) -> Iterator[pa.Table]:
    chosen = table if names is None else table.select(list(names))
    for first in range(0, table.num_rows, BATCH_ROWS):
        yield chosen.slice(first, BATCH_ROWS)


def _open_parquet(path: Path, handle: IO[bytes], numbered: Sequence[str]) -> LongTable:
    with told(path):
        plain = pq.ParquetFile(handle)
        schema = plain.schema_arrow
        strings = [name for name in numbered if _is_string(schema, name)]
        file = pq.ParquetFile(
            handle, metadata=plain.metadata, read_dictionary=strings, buffer_size=READ_BYTES
        )
    rows = _batch_rows(file.metadata)

    def batches(names: Sequence[str] | None = None) -> Iterator[pa.Table]:
        with told(path):
            columns = None if names is None else list(names)
            for batch in file.iter_batches(rows, columns=columns):
                yield pa.Table.from_batches([batch])

    return LongTable(schema, file.metadata.num_rows, batches)


def _is_string(schema: pa.Schema, name: str) -> bool:
    return schema.names.count(name) == 1 and pa.types.is_string(schema.field(name).type)


def _batch_rows(metadata: pq.FileMetaData) -> int:
    """Give the rows of a batch, by the size of a row in memory."""
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    row_bytes = sum(group.total_byte_size for group in groups) / max(1, metadata.num_rows)
    return int(min(BATCH_ROWS, max(BATCH_ROWS_MIN, BATCH_BYTES / max(1.0, row_bytes))))


def _write_parquet(batches: Iterable[pa.Table], schema: pa.Schema, part: Path) -> None:
    """Write dictionaries as they are, and note in the file which types their columns have.

    Of two dictionaries for one column Parquet would make a new row group: a batch is one anyway.
    """
    writer = None
    try:
        for batch in batches:
            if writer is None:
                own = batch.schema.with_metadata(schema.metadata)
                writer = pq.ParquetWriter(part, own, compression="zstd", store_schema=False)
            writer.write_table(batch.replace_schema_metadata(schema.metadata))
        if writer is None:
            pq.write_table(schema.empty_table(), part, compression="zstd")
        else:
            noted = base64.b64encode(schema.serialize().to_pybytes()).decode()
            writer.add_key_value_metadata({"ARROW:schema": noted})
    finally:
        if writer is not None:
            writer.close()


def _write_csv(batches: Iterable[pa.Table], schema: pa.Schema, part: Path) -> None:
    head = flat(schema.empty_table())
    with pa_csv.CSVWriter(part, head.schema) as writer:
        if not head.num_columns:
            return
        for batch in batches:
            writer.write_table(flat(_as(batch, schema)))


def _as(batch: pa.Table, schema: pa.Schema) -> pa.Table:
    columns: list[Any] = [
        column if column.type == field.type else column.cast(field.type)
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=schema)
