"""Strings as numbers of a dictionary: many rows share what few strings say."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contracts.batches import CODED

# Rows whose strings are looked at before it is asked whether any is left.
_LOOKED_AT = 1 << 14


def coded_schema(schema: pa.Schema) -> pa.Schema:
    """Give a schema with CODED in the place of strings."""
    return pa.schema(
        [field.with_type(CODED) if pa.types.is_string(field.type) else field for field in schema]
    )


def coded(table: pa.Table) -> pa.Table:
    """Code the columns of strings; those that are coded stay as they are.

    >>> coded(pa.table({"tag": ["a", "b", "a"]}))["tag"].chunk(0).indices.to_pylist()
    [0, 1, 0]
    """
    columns = [
        column.combine_chunks().dictionary_encode() if pa.types.is_string(column.type) else column
        for column in table.columns
    ]
    return pa.Table.from_arrays(columns, schema=coded_schema(table.schema))


def without_unused(column: pa.ChunkedArray[Any]) -> Any:  # noqa: ANN401  # the stubs know none
    """Give a CODED column in one piece, with no string that no row has.

    >>> tags = pa.DictionaryArray.from_arrays(pa.array([2, None], pa.int32()), ["a", "b", "c"])
    >>> without_unused(pa.chunked_array([tags])).dictionary.to_pylist()
    ['c']
    """
    whole: Any = column.combine_chunks()
    if _has_all(whole):
        return whole
    indices = whole.indices.fill_null(-1) if whole.null_count else whole.indices
    return numbered(whole.dictionary, indices.to_numpy())


def _has_all(column: Any) -> bool:  # noqa: ANN401  # the stubs know no dictionaries
    """Tell whether the rows have all strings of the dictionary; the first rows mostly do."""
    is_used = np.zeros(len(column.dictionary), np.bool_)
    for at in range(0, len(column), _LOOKED_AT):
        if is_used.all():
            break
        indices = column.indices.slice(at, _LOOKED_AT)
        is_used[indices.drop_null().to_numpy()] = True
    return bool(is_used.all())


def numbered(names: pa.Array[Any], numbers: npt.NDArray[Any]) -> pa.Array[Any]:
    """Make a CODED column of the numbers of names, -1 for none; it has no name that is not used.

    >>> numbered(pa.array(["a", "b"]), np.array([1, -1])).to_pylist()
    ['b', None]
    """
    is_used = np.zeros(len(names) + 1, np.bool_)
    is_used[numbers] = True
    nulls = numbers < 0 if is_used[-1] else None
    if not is_used[:-1].all():
        numbers = (np.cumsum(is_used) - 1)[numbers]
        names = names.filter(pa.array(is_used[:-1]))
    indices: Any = pa.array(numbers.astype(np.int32, copy=False), mask=nulls)
    return pa.DictionaryArray.from_arrays(indices, names)
