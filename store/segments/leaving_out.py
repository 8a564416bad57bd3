"""A segment written anew without some of its rows, row group by row group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.coding import coded_schema, without_unused
from store.segments.row_groups import open_segment, read_group, words_of_column
from store.segments.segment import Segment, write_pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow.parquet as pq

    from store.place.files import File

Mask = npt.NDArray[np.bool_]


class Choice(NamedTuple):
    """Which rows of a table's segments go, as of some of their columns."""

    schema: pa.Schema
    columns: Sequence[str]  # that it needs to know
    is_gone: Callable[[pa.Table], Mask]  # of rows with these columns, strings CODED


class Chosen(NamedTuple):
    """How many rows of a segment go, of how many."""

    gone: int
    total: int


def choose(source: File, choice: Choice, see: Callable[[pa.Table], object] | None = None) -> Chosen:
    """Count the rows of a segment that go; `see` is shown those, with the choice's columns."""
    gone = total = 0
    with open_segment(source, choice.schema) as file:
        for number in range(file.num_row_groups):
            rows = read_group(file, number, choice.schema, choice.columns)
            mask = choice.is_gone(rows)
            gone, total = gone + int(mask.sum()), total + len(mask)
            if see is not None and mask.any():
                see(rows.filter(pa.array(mask)))
    return Chosen(gone, total)


def write_without(source: File, target: File, choice: Choice) -> Segment:
    """Write the rows of a segment that stay, at least one, in their order.

    Raises TransientError on a full disk, GainlineError on a broken one.
    """
    with open_segment(source, choice.schema) as file:
        return write_pieces(_kept(file, choice), target)


def of_tags(rows: pa.Table, matches: Callable[[str], bool], column: str = "tag") -> Mask:
    """Tell which rows have a tag, or another string, that matches."""
    words, numbers = words_of_column(rows, column)
    return np.array([matches(word) for word in words], np.bool_)[numbers]


def times_of(rows: pa.Table, *columns: str) -> npt.NDArray[np.int64]:
    """Give the times of rows in microseconds since 1970: the first of the columns that has one."""
    known: Any = pc.coalesce(*(rows[column] for column in columns))
    return np.asarray(known.cast(pa.int64()).to_numpy())


def _kept(file: pq.ParquetFile, choice: Choice) -> Iterator[pa.Table]:
    schema = coded_schema(choice.schema)
    for number in range(file.num_row_groups):
        rows = read_group(file, number, choice.schema)
        mask = choice.is_gone(rows)
        if not mask.all():
            kept = _only(rows, ~mask) if mask.any() else rows
            yield pa.Table.from_arrays(kept.columns, schema=schema)


def _only(rows: pa.Table, is_kept: Mask) -> pa.Table:
    """Filter rows; of their dictionaries too, else the words of those that go would be written."""
    kept = rows.filter(pa.array(is_kept))
    for number, field in enumerate(kept.schema):
        if pa.types.is_dictionary(field.type):
            kept = kept.set_column(number, field, without_unused(kept.column(number)))
    return kept
