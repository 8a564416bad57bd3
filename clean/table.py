"""The judge of a whole table: the same rows in the same order, with their verdicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from clean.arrow import floats, integers, nullable
from clean.kernel import Rows, Verdicts
from clean.roster import empty_roster
from clean.state import UNTIMED
from contracts.batches import TIME
from contracts.errors import DataError
from contracts.quality import words_of
from contracts.tags import TagRule

ADDED = ("value_clean", "quality", "reasons")


def judge_table(table: pa.Table, rules: Callable[[str], TagRule]) -> pa.Table:
    """Judge readings in order of arrival, with the columns tag, source_time and value.

    Returns all columns untouched and, after them, `value_clean` (double, null where there is
    nothing trustworthy), `quality` (int8) and `reasons` (list of words). A time without a zone is
    UTC; a reading without a time is where it stands in the order of arrival. DataError where a
    column is missing, cannot be read as what it must be, or has the name of one to be added.
    """
    for name in ADDED:
        if name in table.column_names:
            raise DataError(f"the column {name!r} is there already: drop or rename it")
    tags = _column(table, "tag", pa.string())
    roster = empty_roster(rules)
    first = roster.take(_rows(table, roster.rows_of(tags)), 0)
    verdicts = _in_order(first, roster.close())
    for name, column in zip(ADDED, _columns(verdicts), strict=True):
        table = table.append_column(name, column)
    return table


def _rows(table: pa.Table, tag: npt.NDArray[np.int32]) -> Rows:
    times = _column(table, "source_time", TIME)
    value = floats(_column(table, "value", pa.float64()))
    untimed = times.is_null().to_numpy()
    mark = untimed * np.uint8(UNTIMED)
    return Rows(tag, _placed(integers(times), untimed, tag), value, mark)


def _placed(
    time: npt.NDArray[np.int64], untimed: npt.NDArray[np.bool_], tag: npt.NDArray[np.int32]
) -> npt.NDArray[np.int64]:
    """Give a reading without a time that of the reading of its tag that came before it."""
    time = time.copy()
    for one in np.unique(tag[untimed]):
        own = np.flatnonzero(tag == one)
        timed = np.where(untimed[own], 0, np.arange(len(own)))
        last = np.maximum.accumulate(timed)
        if untimed[own[0]] and not untimed[own].all():
            last[last == 0] = np.argmin(untimed[own])
        time[own] = time[own][last]
    return time


def _in_order(first: Verdicts, rest: Verdicts) -> Verdicts:
    whole = Verdicts(
        np.concatenate([first.number, rest.number]),
        np.concatenate([first.quality, rest.quality]),
        np.concatenate([first.reasons, rest.reasons]),
        np.concatenate([first.value_clean, rest.value_clean]),
    )
    in_order = np.empty(len(whole.number), np.int64)
    in_order[whole.number] = np.arange(len(whole.number))
    return whole.at(in_order)


def _columns(verdicts: Verdicts) -> list[pa.Array[Any]]:
    kinds, kind = np.unique(verdicts.reasons, return_inverse=True)
    words = pa.array([words_of(int(one)) for one in kinds], pa.list_(pa.string()))
    index: Any = pa.array(kind)
    return [nullable(verdicts.value_clean), pa.array(verdicts.quality), words.take(index)]


def _column(table: pa.Table, name: str, wanted: pa.DataType) -> pa.ChunkedArray[Any]:
    """Find a column and cast it; a time without a zone is UTC."""
    if table.column_names.count(name) != 1:
        raise DataError(
            f"the table needs one column {name!r} and has {table.column_names.count(name)}: "
            f"its columns are {', '.join(table.column_names)}"
        )
    column = table[name]
    if name == "tag" and column.null_count:
        raise DataError("the column 'tag' has empty cells: give every row a tag")
    if _is_castable(column.type, wanted):
        return pc.cast(column, wanted, safe=False)
    raise DataError(f"the column {name!r} {_what_is_wrong(column, wanted)}")


def _what_is_wrong(column: pa.ChunkedArray[Any], wanted: pa.DataType) -> str:
    """Say why a column cannot be cast; of text, which cell is in the way."""
    found = enumerate(column.to_pylist() if _is_castable(column.type, pa.string()) else (), 1)
    bad = next((each for each in found if wanted == TIME or not _is_number(each[1])), None)
    if bad is None:
        return f"has the type {column.type}: make it {wanted}"
    fix = "write all times alike, as 2026-03-02T06:00:00Z" if wanted == TIME else "write a number"
    return f"is text, such as {bad[1]!r} in row {bad[0]}: {fix}, or make it {wanted}"


def _is_number(cell: str | None) -> bool:
    try:
        float(cell or "nan")
    except ValueError:
        return False
    return True


def _is_castable(found: pa.DataType, wanted: pa.DataType) -> bool:
    types = pa.types
    if types.is_null(found):  # what a file without rows, or without a value, makes of a column
        return True
    if types.is_dictionary(found):
        return wanted == pa.string() and _is_castable(found.value_type, wanted)
    if wanted == pa.string():
        return types.is_string(found) or types.is_large_string(found) or types.is_string_view(found)
    if wanted == TIME:
        return types.is_timestamp(found) or types.is_date(found)
    return (
        types.is_integer(found)
        or types.is_floating(found)
        or types.is_decimal(found)
        or types.is_boolean(found)
    )
