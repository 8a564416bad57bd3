"""The tags the judge knows, each with its row of the state and its rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clean.company import Circle, Company
from clean.context import Context, Machines
from clean.kernel import Desk, Rows, Verdicts, close, new_desk, take
from clean.limits import KIND_CODES, Limits, joined, limits_of
from clean.state import (
    JUDGED,
    SLOTS,
    State,
    from_table,
    grown,
    new_state,
    pending,
    to_table,
)
from clean.window import Floats
from contracts.tags import Kind, TagRule

FIRST_CAPACITY = 256  # tags; doubles when they run out


class Roster:
    """Takes columns of readings and hands back the verdicts that are final."""

    def __init__(self, rules: Callable[[str], TagRule], state: State, tags: list[str]) -> None:
        self._rules = rules
        self._rows = {tag: row for row, tag in enumerate(tags)}
        self.state = state
        told = [rules(tag) for tag in tags]
        self._limits = limits_of(told)
        self.context, self.circle = Context(), Circle()
        self._introduce(tags, told)

    def kind_of(self, tag: str) -> Kind:
        """Give the kind by which a tag is judged by now."""
        code = self.state.kind[self._rows[tag]]
        return next(kind for kind in Kind if KIND_CODES[kind] == code)

    @property
    def tags(self) -> list[str]:
        """The tags in the order of their rows."""
        return list(self._rows)

    def tables(self) -> list[pa.Table]:
        """Write all that is known, bit by bit, each array by the names of the tags."""
        told = pa.array(_kinds_told(self._limits))
        own = to_table(self.state, self.tags).append_column("kind_told", told)
        return [own, self.context.to_table(self.tags), self.circle.to_table(self.tags)]

    @classmethod
    def restore(cls, tables: list[pa.Table], rules: Callable[[str], TagRule]) -> Roster:
        """Take back what `tables` wrote; DataError where another version did.

        What was learned of a tag is forgotten where another kind is told of it now.
        """
        roster = cls(rules, *from_table(tables[0]))
        own, machines, neighbours = tables
        roster.context.recall(machines, roster._rows)
        roster.circle.recall(neighbours, roster._rows)
        changed = np.flatnonzero(own["kind_told"].to_numpy() != _kinds_told(roster._limits))
        roster.state.doubt[changed], roster.circle.company.compared[changed] = 0.0, 0
        roster.state.kind[changed] = roster._limits.kind[changed]
        return roster

    def rows_of(self, tags: pa.ChunkedArray[Any]) -> npt.NDArray[np.int32]:
        """Find the row of each tag; one that is new gets the next one, in order of appearance."""
        encoded: Any = tags.dictionary_encode().combine_chunks()
        names, numbers = encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
        rows, known = self._rows, len(self._rows)
        if not rows.keys() >= set(names):  # a dictionary has its own order, and maybe more names
            used, first = np.unique(numbers, return_index=True)
            for number in used[np.argsort(first)].tolist():
                rows.setdefault(names[number], len(rows))
        if len(rows) > known:
            self._admit(list(rows)[known:])
        found = np.array([rows.get(name, -1) for name in names], np.int32)
        return np.asarray(found[numbers])

    def take(self, rows: Rows, first_number: int, seen: Floats | None = None) -> Verdicts:
        """Take in readings, numbered from `first_number`; return the verdicts they made final.

        `seen`, of shape (numbers, WIDTH), gets what the rules saw of those with such a number.
        """
        desk = new_desk(self.state, self._others(), self._limits, len(rows.tag))
        take(desk if seen is None else desk._replace(seen=seen), rows, first_number)
        return fallen(desk)

    def close(
        self, overdue: npt.NDArray[np.bool_] | None = None, seen: Floats | None = None
    ) -> Verdicts:
        """Judge what waits, up to the last overdue slot of each tag (all if None)."""
        waiting = pending(self.state) if overdue is None else overdue
        last = np.where(waiting, np.arange(SLOTS), -1).max(axis=1, initial=-1)
        depth = np.maximum(last + 1 - self.state.tally[:, JUDGED], 0).astype(np.int32)
        tags = np.flatnonzero(depth).astype(np.int32)
        desk = new_desk(self.state, self._others(), self._limits, int(depth.sum()))
        close(desk if seen is None else desk._replace(seen=seen), tags, depth[tags])
        return fallen(desk)

    def _admit(self, tags: list[str]) -> None:
        capacity = max(FIRST_CAPACITY, len(self.state.value))
        while capacity < len(self._rows):
            capacity *= 2
        if capacity > len(self.state.value):
            self.state = grown(self.state, capacity)
        told = [self._rules(tag) for tag in tags]
        limits = limits_of(told)
        self.state.kind[len(self._rows) - len(tags) : len(self._rows)] = limits.kind
        self._limits = joined(self._limits, limits)
        self._introduce(tags, told)

    def _others(self) -> tuple[Machines, Company]:
        return self.context.machines, self.circle.company

    def _introduce(self, tags: list[str], told: list[TagRule]) -> None:
        self.context.admit(self._rows, tags, told)
        self.circle.admit(self._rows, tags, told)


def empty_roster(rules: Callable[[str], TagRule]) -> Roster:
    """Begin with no tag."""
    return Roster(rules, new_state(FIRST_CAPACITY), [])


def _kinds_told(limits: Limits) -> npt.NDArray[np.int8]:
    """Give what was told of the kinds, one number for each tag."""
    return limits.kind + limits.learns_kind * np.int8(len(KIND_CODES))


def fallen(desk: Desk) -> Verdicts:
    """Cut the verdicts to those that have fallen."""
    return desk.verdicts.at(slice(int(desk.fallen[0])))
