"""A segment: one Parquet file of the lake, sorted, small and on disk when it has a name."""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.coding import numbered, without_unused
from contracts.errors import ContractError
from store.place.files import BLOCK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from store.place.files import File

# Readings a row group: what one scan thread takes at a time, and the grain of pruning by tag.
ROW_GROUP_ROWS = 131_072
ZSTD_LEVEL = 3
# Rows of a tag lie side by side, in time: what queries ask for, and 0.55 of the bytes.
SORT_KEYS = ("tag", "source_time", "arrival")
# Rows that are encoded at once: with the usual 1,024 a tenth of the time goes to the seams.
_WRITE_BATCH_ROWS = 1 << 16
# Whose least and greatest value prune nothing: long free content would swell the catalog, and the
# few different words of the others lie in all row groups alike.
_WITHOUT_STATISTICS = (
    "text",
    "payload",
    "source_status",
    "gateway",
    "epoch",
    "identity",
)
# A dictionary of fewer strings is smaller than what it takes to find out which of them are used.
_DICTIONARY_MIN = 256


class Segment(NamedTuple):
    """A segment on disk. `sha256` is of the whole file, in hexadecimal."""

    file: File
    row_count: int
    sha256: str
    byte_count: int


def write_segment(table: pa.Table, file: File) -> Segment:
    """Write the rows, sorted by tag and source_time where they have them, durably, to a file.

    A segment of that name that a crash left behind is replaced. Raises TransientError on a full
    disk, GainlineError on a broken one, ContractError for a value that is not finite.
    """
    _require_finite(table)
    rows = in_order(table)
    file.write(lambda sink: _write_parquet(rows, sink))
    return describe(file, row_count=table.num_rows)


def write_pieces(pieces: Iterable[pa.Table], file: File) -> Segment:
    """Write tables that follow one another, at least one, as the row groups of one segment.

    They are in the order of SORT_KEYS, from table to table too. Raises as `write_segment`.
    """
    counts = list[int]()

    def write(sink: BinaryIO) -> None:
        rest = iter(pieces)
        first = next(rest)
        with pq.ParquetWriter(sink, first.schema, **_options(first.schema)) as writer:
            for piece in itertools.chain([first], rest):
                writer.write_table(piece, row_group_size=ROW_GROUP_ROWS)
                counts.append(piece.num_rows)

    file.write(write)
    return describe(file, row_count=sum(counts))


def in_order(table: pa.Table) -> pa.Table:
    """Give rows in the order of SORT_KEYS, their strings as numbers of a dictionary.

    A column with a value in each row says so in its type, which saves a flag a row. Columns are
    dealt with one by one: memory that the system has to give anew costs more than what is done.
    """
    for name in (name for name in SORT_KEYS if name in table.column_names):
        table = table.set_column(table.column_names.index(name), name, _encoded(table[name]))
    order = _order(table) if "tag" in table.column_names else None
    columns, fields = [], []
    for name, column in zip(table.column_names, table.columns, strict=True):
        whole = _encoded(column)
        fields.append(pa.field(name, whole.type, nullable=column.null_count > 0))
        if order is not None:
            whole = _grouped(whole if _is_constant(whole) else whole.take(order))
        columns.append(whole)
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def describe(file: File, *, row_count: int) -> Segment:
    """Hash a segment that is already on disk."""
    with file.open() as source:
        digest = hashlib.sha256()
        while block := source.read(BLOCK_BYTES):
            digest.update(block)
        return Segment(file, row_count, digest.hexdigest(), source.tell())


def _encoded(column: pa.ChunkedArray[Any]) -> Any:  # noqa: ANN401  # the stubs know no dictionaries
    """Replace strings by numbers of a dictionary: sorting and writing then take 0.4 of the time.

    No dictionary has a string that no row has: it would be written.
    """
    if pa.types.is_dictionary(column.type):
        return without_unused(column)
    whole = column.combine_chunks()
    is_plain = pa.types.is_string(column.type) and column.null_count < len(column)
    return whole.dictionary_encode() if is_plain else whole


def _grouped(column: Any) -> Any:  # noqa: ANN401  # the stubs know no dictionaries
    """Give each row group a dictionary of the strings that it has, where that is worth it."""
    if len(column) <= ROW_GROUP_ROWS or not pa.types.is_dictionary(column.type):
        return column
    if len(column.dictionary) < _DICTIONARY_MIN or column.null_count:
        return column
    numbers = column.indices.to_numpy()
    starts = range(0, len(numbers), ROW_GROUP_ROWS)
    groups = [numbered(column.dictionary, numbers[at : at + ROW_GROUP_ROWS]) for at in starts]
    return pa.chunked_array(groups)


def _order(table: pa.Table) -> pa.Array[Any]:
    """Say in which order the rows are to be: by tag, time, arrival; rows come by arrival mostly.

    The tags alone are ordered first, keeping the order of arrival, as numbers of 16 bits where
    they fit: numpy counts those instead of comparing them. In most batches time ascends then. Else
    what is left to be ordered lies in runs, as of arrays with the newest first: one number for tag
    and time is ordered in half the time of two columns.
    """
    # Any: the stubs know no dictionary arrays
    tags: Any = table["tag"].combine_chunks()
    by_name: Any = pc.rank(tags.dictionary, sort_keys="ascending", tiebreaker="dense")
    ranks = by_name.to_numpy()[tags.indices.to_numpy()]
    names = [key for key in SORT_KEYS[1:] if key in table.column_names]
    times, arrivals = (table[key] if key in names else None for key in SORT_KEYS[1:])
    if times is not None and arrivals is not None and _ascends(times, arrivals):
        small = ranks.astype(np.uint16) if ranks.size and ranks.max() < 1 << 16 else ranks
        order = np.argsort(small, kind="stable")
        by_time = _order_by_time(small[order], times.to_numpy().view(np.int64)[order])
        if by_time is not None:
            return pa.array(order[by_time])
    keys = table.select(names).add_column(0, "tag", pa.array(ranks))
    return pc.sort_indices(keys, sort_keys=[(key, "ascending") for key in keys.column_names])


def _order_by_time(
    ranks: npt.NDArray[Any], times: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64] | slice | None:
    """Order rows that are ordered by tag by time too; None where one number cannot hold both."""
    if np.all((times[1:] >= times[:-1]) | (ranks[1:] != ranks[:-1])):
        return slice(None)
    first, last = int(times.min()), int(times.max())
    if (last - first + 1) * (int(ranks[-1]) + 1) > np.iinfo(np.int64).max:
        return None
    return np.argsort(ranks.astype(np.int64) * (last - first + 1) + (times - first), kind="stable")


def _ascends(times: pa.ChunkedArray[Any], arrivals: pa.ChunkedArray[Any]) -> bool:
    numbers = arrivals.to_numpy()
    return times.null_count == 0 and bool(np.all(numbers[1:] > numbers[:-1]))


def _is_constant(column: Any) -> bool:  # noqa: ANN401  # the stubs know no dictionaries
    """Tell cheaply whether all rows are the same, so that no order matters."""
    if column.null_count:
        return bool(column.null_count == len(column))
    if pa.types.is_dictionary(column.type):
        return len(column.dictionary) == 1
    if not pa.types.is_integer(column.type) or (len(column) and column[0] != column[-1]):
        return False
    span: Any = pc.min_max(column).as_py()
    return bool(span["min"] == span["max"])


def _write_parquet(table: pa.Table, sink: BinaryIO) -> None:
    pq.write_table(table, sink, row_group_size=ROW_GROUP_ROWS, **_options(table.schema))


def _options(schema: pa.Schema) -> dict[str, Any]:
    delta = [field.name for field in schema if _is_long_integer(field.type)]
    return {
        "compression": "zstd",
        "compression_level": ZSTD_LEVEL,
        "use_dictionary": [name for name in schema.names if name not in delta],
        "column_encoding": dict.fromkeys(delta, "DELTA_BINARY_PACKED"),
        "write_batch_size": _WRITE_BATCH_ROWS,
        "write_statistics": [name for name in schema.names if name not in _WITHOUT_STATISTICS],
        "store_schema": False,
    }


def _is_long_integer(kind: pa.DataType) -> bool:
    return pa.types.is_int64(kind) or pa.types.is_timestamp(kind)


def _require_finite(table: pa.Table) -> None:
    for name in ("value", "value_clean"):
        if name in table.column_names and pc.all(pc.is_finite(table[name])).as_py() is False:
            raise ContractError(f"a {name} that is not finite reached the store: null it before")
