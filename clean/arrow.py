"""Between Arrow and numpy, and between Arrow and bytes."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import DataError

LENGTH_BYTES: Final = 8  # of the length that precedes each table


def integers(column: pa.ChunkedArray[Any]) -> npt.NDArray[np.int64]:
    """Integers, or times as their counts; 0 where there is none."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    return _numpy(column, 0)


def floats(column: pa.ChunkedArray[Any]) -> npt.NDArray[np.float64]:
    """Values; NaN where there is none."""
    return _numpy(column, np.nan)


def nullable(values: npt.NDArray[np.float64]) -> pa.Array[Any]:
    """Values with null for NaN."""
    return pa.array(values, pa.float64(), mask=np.isnan(values))


def to_bytes(*tables: pa.Table) -> bytes:
    """Write tables one after the other, exactly."""
    streams = [_stream(table) for table in tables]
    return b"".join(len(one).to_bytes(LENGTH_BYTES, "little") + one for one in streams)


def from_bytes(memory: bytes) -> list[pa.Table]:
    """Read what `to_bytes` wrote; DataError where it is damaged.

    >>> one, two = pa.table({"a": [1]}), pa.table({"b": ["x", None]})
    >>> from_bytes(to_bytes(one, two)) == [one, two]
    True
    """
    tables, at = list[pa.Table](), 0
    try:
        while at < len(memory):
            first = at + LENGTH_BYTES
            at = first + int.from_bytes(memory[at:first], "little")
            tables.append(pa.ipc.open_stream(memory[first:at]).read_all())
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(
            f"the judge's memory cannot be read ({error}): restore the store from a backup, "
            "or judge again from the start"
        ) from error
    return tables


def _numpy(column: pa.ChunkedArray[Any], fill: float) -> npt.NDArray[Any]:
    filled: Any = (
        pc.fill_null(column, pa.scalar(fill, column.type)) if column.null_count else column
    )
    return np.array(filled.to_numpy())  # a copy: Arrow's own memory is read-only


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()
