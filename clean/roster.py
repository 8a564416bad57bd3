"""The tags the judge knows, each with its row of the state and its rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clean.kernel import Desk, Rows, Verdicts, close, new_desk, take
from clean.limits import joined, limits_of
from clean.state import JUDGED, SLOTS, State, grown, new_state, pending
from contracts.tags import TagRule

FIRST_CAPACITY = 256  # tags; doubles when they run out


class Roster:
    """Takes columns of readings and hands back the verdicts that are final."""

    def __init__(self, rules: Callable[[str], TagRule], state: State, tags: list[str]) -> None:
        self._rules = rules
        self._rows = {tag: row for row, tag in enumerate(tags)}
        self.state = state
        self._limits = limits_of([rules(tag) for tag in tags])

    @property
    def tags(self) -> list[str]:
        """The tags in the order of their rows."""
        return list(self._rows)

    def rows_of(self, tags: pa.ChunkedArray[Any]) -> npt.NDArray[np.int32]:
        """Find the row of each tag; a tag that is new gets the next one."""
        encoded: Any = tags.dictionary_encode().combine_chunks()
        names = encoded.dictionary.to_pylist()
        rows, known = self._rows, len(self._rows)
        found = np.array([rows.setdefault(name, len(rows)) for name in names], np.int32)
        if len(rows) > known:
            self._admit(list(rows)[known:])
        return found[encoded.indices.to_numpy()] if len(names) else found

    def take(self, rows: Rows, first_number: int) -> Verdicts:
        """Take in readings, numbered from `first_number`; return the verdicts they made final."""
        desk = new_desk(self.state, self._limits, len(rows.tag))
        take(desk, rows, first_number)
        return fallen(desk)

    def close(self, overdue: npt.NDArray[np.bool_] | None = None) -> Verdicts:
        """Judge what waits, up to the last overdue slot of each tag (all if None)."""
        waiting = pending(self.state) if overdue is None else overdue
        last = np.where(waiting, np.arange(SLOTS), -1).max(axis=1, initial=-1)
        depth = np.maximum(last + 1 - self.state.tally[:, JUDGED], 0).astype(np.int32)
        tags = np.flatnonzero(depth).astype(np.int32)
        desk = new_desk(self.state, self._limits, int(depth.sum()))
        close(desk, tags, depth[tags])
        return fallen(desk)

    def _admit(self, tags: list[str]) -> None:
        capacity = max(FIRST_CAPACITY, len(self.state.value))
        while capacity < len(self._rows):
            capacity *= 2
        if capacity > len(self.state.value):
            self.state = grown(self.state, capacity)
        self._limits = joined(self._limits, limits_of([self._rules(tag) for tag in tags]))


def empty_roster(rules: Callable[[str], TagRule]) -> Roster:
    """Begin with no tag."""
    return Roster(rules, new_state(FIRST_CAPACITY), [])


def fallen(desk: Desk) -> Verdicts:
    """Cut the verdicts to those that have fallen."""
    return desk.verdicts.at(slice(int(desk.fallen[0])))
