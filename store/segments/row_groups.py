"""Row groups of segments of any age, read with strings as numbers of a dictionary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.batches import CODED
from store import failures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from store.place.files import File

# Encodings of Parquet from which pyarrow makes a dictionary.
_CODABLE = {"PLAIN", "PLAIN_DICTIONARY", "RLE_DICTIONARY", "RLE", "BIT_PACKED"}


def open_segment(file: File, schema: pa.Schema) -> pq.ParquetFile:
    """Open a segment of a table with these columns. Raises TransientError and GainlineError."""
    try:
        source = file.open()
        metadata = pq.read_metadata(source)
        names = sorted(set(strings_of(schema)) - _one_by_one(metadata))
        return pq.ParquetFile(source, metadata=metadata, read_dictionary=names)
    except OSError as error:
        raise failures.of_disk(error) from error


def read_group(
    file: pq.ParquetFile, number: int, schema: pa.Schema, names: Sequence[str] = ()
) -> pa.Table:
    """Read a row group, by default all columns; one that an older program did not know is null.

    Strings are CODED. Raises TransientError and GainlineError for the disk.
    """
    names = names or schema.names
    there = set(file.schema_arrow.names)
    try:
        rows = file.read_row_group(number, columns=[name for name in names if name in there])
    except OSError as error:
        raise failures.of_disk(error) from error
    columns = list[Any]()
    for name in names:
        kind = schema.field(name).type
        wanted = CODED if pa.types.is_string(kind) else kind
        column: Any = rows[name] if name in there else pa.nulls(rows.num_rows, wanted)
        columns.append(column if column.type == wanted else _as(column, wanted))
    return pa.table(columns, list(names))


def strings_of(schema: pa.Schema) -> list[str]:
    """Name the columns of strings."""
    return [field.name for field in schema if pa.types.is_string(field.type)]


def words_of_column(rows: pa.Table, name: str) -> tuple[list[str], npt.NDArray[np.int32]]:
    """Give the different words of a CODED column without nulls, and for each row which it has."""
    column: Any = rows[name].unify_dictionaries().combine_chunks()
    return column.dictionary.to_pylist(), column.indices.to_numpy()


def _one_by_one(metadata: pq.FileMetaData) -> set[str]:
    """Name the columns that pyarrow cannot read as numbers of a dictionary.

    DuckLake's merge writes strings so where most of a row group are different.
    """
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    chunks = [group.column(number) for group in groups for number in range(group.num_columns)]
    return {each.path_in_schema for each in chunks if not _CODABLE.issuperset(each.encodings)}


def _as(column: Any, wanted: pa.DataType) -> Any:  # noqa: ANN401  # the stubs know no dictionaries
    if wanted != CODED:
        return column.cast(wanted)
    return column.cast(pa.string()).dictionary_encode()
