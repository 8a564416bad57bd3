"""The readings that have no final verdict yet, whole, by their number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clean.state import State, pending
from contracts.batches import CODED
from contracts.coding import without_unused

# Rows whose verdict has left are dropped when they outnumber the others by so many: seldom enough
# to cost little per row, often enough to stay small.
WASTE_MAX: Final = 1 << 17


class Held:
    """Tables of one schema as they came, with numbers that run on from one to the next."""

    def __init__(self, table: pa.Table) -> None:
        self._keep(table)

    def add(self, table: pa.Table) -> int:
        """Keep a table; return the number of its first row."""
        first = self._size
        self._tables.append(table)
        self._starts.append(first)
        self._size += table.num_rows
        return first

    def rows(self, numbers: npt.NDArray[np.int32], columns: Sequence[str] = ()) -> pa.Table:
        """Take the rows with these ascending numbers, in that order; all columns if none named."""
        wanted = list(columns or self._tables[0].column_names)
        if not len(numbers):
            return self._tables[0].select(wanted).slice(0, 0)
        starts = np.array(self._starts)
        owner = np.searchsorted(starts, numbers, side="right") - 1
        owners, begins = np.unique(owner, return_index=True)
        parts = [
            self._tables[one].select(wanted).take(pa.array(part - starts[one]))
            for one, part in zip(owners, np.split(numbers, begins[1:]), strict=True)
        ]
        return pa.concat_tables(parts)

    def is_wasteful(self, live: int) -> bool:
        """Tell whether `compact` is due when `live` rows still wait."""
        return self._size > 2 * live + WASTE_MAX

    def compact(self, state: State) -> pa.Table:
        """Keep only the rows that wait, number them anew in `state`, and return them."""
        waits = pending(state)
        numbers = np.sort(state.number[waits])
        table = _whole(self.rows(numbers))
        state.number[~waits] = -1
        state.number[waits] = np.searchsorted(numbers, state.number[waits])
        self._keep(table)
        return table

    def _keep(self, table: pa.Table) -> None:
        self._tables = [table]
        self._starts = [0]
        self._size = table.num_rows


def _whole(table: pa.Table) -> pa.Table:
    """Put a table in one piece, without the strings of rows that are gone."""
    columns = [
        without_unused(column) if column.type == CODED else column.combine_chunks()
        for column in table.columns
    ]
    return pa.Table.from_arrays(columns, schema=table.schema)
