"""A segment: one Parquet file of the lake, sorted, small and on disk when it has a name."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.errors import ContractError
from store.durable import write_file

# Readings a row group: what one scan thread takes at a time, and the grain of pruning by tag.
ROW_GROUP_ROWS = 131_072
ZSTD_LEVEL = 3
# Rows of a tag lie side by side, in time: what queries ask for, and 0.55 of the bytes.
SORT_KEYS = ("tag", "source_time", "arrival")
# Long free content: its least and greatest value prune nothing and would swell the catalog.
_WITHOUT_STATISTICS = ("text", "payload")


class Segment(NamedTuple):
    """A segment on disk. `sha256` is of the whole file, in hexadecimal."""

    path: Path
    row_count: int
    sha256: str
    byte_count: int


def write_segment(table: pa.Table, path: Path) -> Segment:
    """Write the rows, sorted by tag and source_time where they have them, durably at `path`.

    A segment of that name that a crash left behind is replaced. Raises TransientError on a full
    disk, GainlineError on a broken one, ContractError for a value that is not finite.
    """
    _require_finite(table)
    rows = _sorted(_encoded(table))
    write_file(path, lambda sink: _write_parquet(rows, sink))
    return describe(path, row_count=table.num_rows)


def describe(path: Path, *, row_count: int) -> Segment:
    """Hash a segment that is already on disk."""
    with path.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
    return Segment(path, row_count, digest, path.stat().st_size)


def _encoded(table: pa.Table) -> pa.Table:
    """Replace strings by numbers of a dictionary: sorting and writing then take 0.4 of the time."""
    for number, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            column = table[field.name].combine_chunks().dictionary_encode()
            table = table.set_column(number, field.name, column)
    return table


def _sorted(table: pa.Table) -> pa.Table:
    if "tag" not in table.column_names:
        return table
    # Any: the stubs know no dictionary arrays
    tags: Any = table["tag"].combine_chunks()
    ranks: Any = pc.rank(tags.dictionary, sort_keys="ascending", tiebreaker="dense")
    order = _order(table, ranks.to_numpy()[tags.indices.to_numpy()])
    columns = [column if _is_constant(column) else column.take(order) for column in table.columns]
    return pa.Table.from_arrays(columns, schema=table.schema)


def _order(table: pa.Table, ranks: npt.NDArray[np.uint64]) -> pa.Array[Any]:
    """Say in which order the rows are to be: by tag, time, arrival; rows come by arrival mostly.

    The tags alone are ordered first, keeping the order of arrival, as numbers of 16 bits where
    they fit: numpy counts those instead of comparing them. In most batches time ascends then.
    """
    names = [key for key in SORT_KEYS[1:] if key in table.column_names]
    times, arrivals = (table[key] if key in names else None for key in SORT_KEYS[1:])
    if times is not None and arrivals is not None and _ascends(times, arrivals):
        small = ranks.astype(np.uint16) if ranks.size and ranks.max() < 1 << 16 else ranks
        order = np.argsort(small, kind="stable")
        sorted_times, sorted_ranks = times.to_numpy().view(np.int64)[order], small[order]
        ascends = sorted_times[1:] >= sorted_times[:-1]
        if np.all(ascends | (sorted_ranks[1:] != sorted_ranks[:-1])):
            return pa.array(order)
    keys = table.select(names).add_column(0, "tag", pa.array(ranks))
    return pc.sort_indices(keys, sort_keys=[(key, "ascending") for key in keys.column_names])


def _ascends(times: pa.ChunkedArray[Any], arrivals: pa.ChunkedArray[Any]) -> bool:
    numbers = arrivals.to_numpy()
    return times.null_count == 0 and bool(np.all(numbers[1:] > numbers[:-1]))


def _is_constant(column: pa.ChunkedArray[Any]) -> bool:
    """Tell cheaply whether all rows are the same, so that no order matters."""
    if column.null_count == len(column):
        return True
    if column.null_count or column.num_chunks != 1:
        return False
    if pa.types.is_dictionary(column.type):
        only: Any = column.chunk(0)
        return len(only.dictionary) == 1
    if pa.types.is_int8(column.type) or pa.types.is_int32(column.type):
        span: dict[str, Any] = pc.min_max(column).as_py()  # type: ignore[assignment]
        return bool(span["min"] == span["max"])
    return False


def _write_parquet(table: pa.Table, sink: BinaryIO) -> None:
    delta = [field.name for field in table.schema if _is_long_integer(field.type)]
    names = table.column_names
    dictionary: Any = [name for name in names if name not in delta]  # the stubs know bool only
    pq.write_table(
        table,
        sink,
        row_group_size=ROW_GROUP_ROWS,
        compression="zstd",
        compression_level=ZSTD_LEVEL,
        use_dictionary=dictionary,
        column_encoding=dict.fromkeys(delta, "DELTA_BINARY_PACKED"),
        write_statistics=[name for name in names if name not in _WITHOUT_STATISTICS],
        store_schema=False,
    )


def _is_long_integer(kind: pa.DataType) -> bool:
    return pa.types.is_int64(kind) or pa.types.is_timestamp(kind)


def _require_finite(table: pa.Table) -> None:
    for name in ("value", "value_clean"):
        if name in table.column_names and pc.all(pc.is_finite(table[name])).as_py() is False:
            raise ContractError(f"a {name} that is not finite reached the store: null it before")
