"""The columns of a table of readings, as the judge needs them, or what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import DataError
from contracts.moments import TIME

WANTED: Final[dict[str, pa.DataType]] = {
    "tag": pa.string(),
    "source_time": TIME,
    "value": pa.float64(),
}
# Finer than a microsecond is cut; what no 64-bit count of microseconds can hold is refused.
CAST: Final[dict[str, bool]] = {
    "allow_time_truncate": True,
    "allow_float_truncate": True,
    "allow_int_overflow": True,  # of long integers, which become the nearest double
    "allow_decimal_truncate": True,
}
OFFSET: Final = re.compile(r"([zZ]|[+-]\d\d:?\d\d)\s*$")
LIKE_THIS: Final = "2026-03-02T06:00:00Z"


def refuse_names(names: list[str], added: tuple[str, ...]) -> None:
    """Raise DataError where a column is missing, there twice, or in the way of one to be added.

    >>> refuse_names(["tag", "source_time", "value", "note"], ("quality",))
    """
    for name in added:
        if name in names:
            raise DataError(f"the column {name!r} is there already: drop or rename it")
    for name in WANTED:
        if names.count(name) != 1:
            raise DataError(
                f"the table needs one column {name!r} and has {names.count(name)}: "
                f"its columns are {', '.join(names) or 'none at all'}; name one of them {name!r}"
            )


def tags_of(table: pa.Table) -> pa.ChunkedArray[Any]:
    """Give the tags, as strings or as numbers of a dictionary of strings."""
    column = table["tag"]
    if not _is_castable(column.type, pa.string()):
        raise DataError(f"the column 'tag' {_what_is_wrong(column, pa.string())}")
    if not pa.types.is_dictionary(column.type) or _has_holes(column):
        column = pc.cast(column, pa.string())
    if column.null_count or _has_empty(column):
        raise DataError("the column 'tag' has empty cells: give every row a tag")
    return column


def times_of(table: pa.Table) -> pa.ChunkedArray[Any]:
    """Give the source times in UTC, in microseconds; a time without a zone is UTC."""
    return _cast(table, "source_time")


def values_of(table: pa.Table) -> pa.ChunkedArray[Any]:
    """Give the values as doubles."""
    return _cast(table, "value")


def _cast(table: pa.Table, name: str) -> pa.ChunkedArray[Any]:
    column: Any = table[name]
    wanted = WANTED[name]
    if not _is_castable(column.type, wanted):
        raise DataError(f"the column {name!r} {_what_is_wrong(column, wanted)}")
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    try:
        cast: pa.ChunkedArray[Any] = column.cast(options=pc.CastOptions(wanted, **CAST))
    except pa.ArrowInvalid:
        raise DataError(
            f"the column {name!r} has values that no {wanted} can hold: mend those rows"
        ) from None
    return cast


def _has_empty(column: pa.ChunkedArray[Any]) -> bool:
    """Tell whether a tag has no name at all, which is what CSV makes of an empty cell."""
    nothing = pa.scalar("", pa.string())
    if pa.types.is_dictionary(column.type):
        chunks: list[Any] = column.chunks
        if all(pc.index(one.dictionary.cast(pa.string()), nothing).as_py() < 0 for one in chunks):
            return False
    return bool(pc.index(column.cast(pa.string()), nothing).as_py() >= 0)


def _has_holes(column: pa.ChunkedArray[Any]) -> bool:
    """Tell whether a dictionary has an entry without a name, which no null_count counts."""
    chunks: list[Any] = column.chunks
    return any(chunk.dictionary.null_count for chunk in chunks)


def _what_is_wrong(column: pa.ChunkedArray[Any], wanted: pa.DataType) -> str:
    """Say why a column cannot be cast; of text, which cell is in the way."""
    if not _is_castable(column.type, pa.string()):
        if wanted == TIME and _is_castable(column.type, pa.float64()):
            return f"has the type {column.type}, and a number is no time: write {LIKE_THIS}"
        return f"has the type {column.type}: make it {wanted}"
    cells = ((row, cell) for row, cell in enumerate(column.to_pylist(), 1) if cell)
    if wanted == TIME:
        return _which_time(cells)
    bad = next(((row, cell) for row, cell in cells if not _is_number(cell)), None)
    if bad is None:
        return f"has the type {column.type}: make it {wanted}"
    return f"is text, such as {bad[1]!r} in row {bad[0]}: write a number, or make it {wanted}"


def _which_time(cells: Iterator[tuple[int, str]]) -> str:
    """Show the first time; where others are with an offset and it is not, the first of those too.

    >>> _which_time(iter([(1, "2026-01-01T00:00:00Z"), (2, "2026-01-01 00:00:01")]))[:77]
    "is text, such as '2026-01-01T00:00:00Z' in row 1 and '2026-01-01 00:00:01' in"
    """
    row, first = next(cells)
    is_zoned = bool(OFFSET.search(first))
    odd = next((each for each in cells if bool(OFFSET.search(each[1])) is not is_zoned), None)
    fix = f"write all times alike, as {LIKE_THIS}, or make it {TIME}"
    if odd is None:
        return f"is text, such as {first!r} in row {row}: {fix}"
    return f"is text, such as {first!r} in row {row} and {odd[1]!r} in row {odd[0]}: {fix}"


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_castable(found: pa.DataType, wanted: pa.DataType) -> bool:
    types = pa.types
    if types.is_null(found):  # what a file without rows, or without a value, makes of a column
        return True
    if types.is_dictionary(found):
        return _is_castable(found.value_type, wanted)
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
