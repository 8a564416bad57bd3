"""The judge of a whole table: the same rows in the same order, with their verdicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clean.arrow import nullable
from clean.columns import refuse_names, tags_of
from clean.sheet import Sheet, judge_batches
from contracts.quality import Reason
from contracts.tags import TagRule

ADDED: Final = ("value_clean", "quality", "reasons")
# the bit of a reason is its place
VOCABULARY: Final = pa.array([str(reason.name).lower() for reason in Reason])
ADDED_TYPES: Final = (pa.float64(), pa.int8(), pa.list_(pa.string()))


def judge_table(table: pa.Table, rules: Callable[[str], TagRule]) -> pa.Table:
    """Judge readings in order of arrival, with the columns tag, source_time and value.

    Returns all columns untouched and, after them, `value_clean` (double, null where there is
    nothing trustworthy), `quality` (int8) and `reasons` (list of words). A time without a zone is
    UTC; a reading without a time is where it stands in the order of arrival. DataError where a
    column is missing, cannot be read as what it must be, or has the name of one to be added.
    """
    refuse_names(table.column_names, ADDED)
    read = table.select(["tag", "source_time", "value"])
    encoded: Any = tags_of(read).dictionary_encode()
    read = read.set_column(0, "tag", encoded)  # once, although it is read twice
    sheet = judge_batches(lambda: [read], table.num_rows, rules)
    for name, kind, column in zip(ADDED, ADDED_TYPES, verdict_columns(sheet), strict=True):
        table = table.append_column(name, column.cast(kind))
    return table


def verdict_columns(sheet: Sheet, rows: slice = slice(None)) -> list[pa.Array[Any]]:
    """Give the columns ADDED for some rows; words are numbers of a dictionary of all words."""
    return [
        nullable(sheet.value_clean[rows]),
        pa.array(sheet.quality[rows]),
        reason_lists(sheet.reasons[rows]),
    ]


def reason_lists(reasons: npt.NDArray[np.int32]) -> pa.Array[Any]:
    """Name the reasons in each sum of bits; rows without any cost next to nothing.

    >>> reason_lists(np.array([0, 16, 20], np.int32)).to_pylist()
    [[], ['spike'], ['sentinel', 'spike']]
    """
    some = np.flatnonzero(reasons)
    said = (reasons[some, None] >> np.arange(len(Reason), dtype=np.int32)) & 1
    ends = np.zeros(len(reasons) + 1, np.int32)
    ends[some + 1] = said.sum(axis=1)
    bits: Any = pa.array(np.nonzero(said)[1].astype(np.int8))  # by row, then by bit
    starts: Any = pa.array(np.cumsum(ends, dtype=np.int32))
    return pa.ListArray.from_arrays(starts, pa.DictionaryArray.from_arrays(bits, VOCABULARY))
