"""What redundant sensors have said, for the tags that are compared with them.

A tag may name the tags of sensors that measure the same (`TagRule.neighbours`). A tag that may be
named (`TagRule.is_neighbour`), or that names others itself, has a history beside its slots: the
time and the value of its last readings, entered as they arrive, in order of source_time. What is
known of a value before any verdict counts: what is missing, impossible or may be a code stays out.

What holds: a lookup depends on source times alone, never on batches or verdicts. It is the same
for any interleaving of the tags in which the neighbour's readings up to the time of the lookup have
arrived, and in which it has sent no more than READINGS_SURE newer ones. In a table all of them are
entered before any reading is judged, so that there it holds for any order of the tags, and two
that name each other are compared both ways.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clean.compiled import rule
from clean.context import NOBODY
from contracts.tags import TagRule

NEIGHBOURS_MAX: Final = 16  # that one tag is compared with: a median of more tells no more
# Twice a whole look-ahead of one that is read eight times as often; 4 KiB for each neighbour.
ROOM: Final = 256
READINGS_SURE: Final = ROOM // 2 - 8  # when a history is full, its older half goes
INTERVALS: Final = 7  # by whose median it is told whether a neighbour has fallen silent
SILENT: Final = 5.0  # of its intervals, as for a gap

NAMES: Final = pa.list_(pa.string())
FLOATS: Final = pa.list_(pa.float64())


class Company(NamedTuple):
    """Who is compared with whom, and what those have said."""

    first: npt.NDArray[np.int32]  # (tags,), where the list of the tag's neighbours begins
    length: npt.NDArray[np.int32]  # (tags,)
    asked: npt.NDArray[np.int32]  # the lists one after the other: numbers of histories, NOBODY
    tolerance: npt.NDArray[np.float64]  # (tags,), NaN: learned
    usual: npt.NDArray[np.float64]  # beside `asked`: the usual difference from each
    met: npt.NDArray[np.int16]  # beside `asked`: how often it was learned from
    compared: npt.NDArray[np.int16]  # (tags,), how often with their median
    place: npt.NDArray[np.int32]  # (tags,), number of the tag's own history, NOBODY
    begin: npt.NDArray[np.int64]  # (histories,), in `time` and `value`
    room: npt.NDArray[np.int64]  # (histories,)
    used: npt.NDArray[np.int64]  # (histories,)
    time: npt.NDArray[np.int64]  # us, ascending within a history
    value: npt.NDArray[np.float64]


class Circle:
    """Keeps the histories of neighbours, whichever of the tags comes first."""

    def __init__(self) -> None:
        short, long = np.zeros(0, np.int32), np.zeros(0, np.int64)
        self.company = Company(
            short, short, short, np.zeros(0), np.zeros(0), np.zeros(0, np.int16),
            np.zeros(0, np.int16), short, long, long, long, long, np.zeros(0),
        )  # fmt: skip
        self._awaited: dict[str, list[int]] = {}  # where in `asked` the name belongs
        self._named: dict[str, list[str]] = {}

    def admit(self, rows: Mapping[str, int], new: Sequence[str], rules: Sequence[TagRule]) -> None:
        """Let in the tags `new`, the last of `rows`."""
        company = self.company
        named = [_named(name, each) for name, each in zip(new, rules, strict=True)]
        self._named |= {name: names for name, names in zip(new, named, strict=True) if names}
        length = np.array([len(names) for names in named], np.int32)
        begin = len(company.asked) + np.cumsum(length) - length
        is_told = np.array([bool(each.is_neighbour or each.neighbours) for each in rules], np.bool_)
        count = len(company.room)
        place = np.where(is_told, count + np.cumsum(is_told) - 1, NOBODY)
        tolerance = np.array([each.neighbour_tolerance for each in rules], np.float64)
        self.company = company._replace(
            first=np.append(company.first, begin.astype(np.int32)),
            length=np.append(company.length, length),
            asked=np.append(company.asked, np.full(int(length.sum()), NOBODY, np.int32)),
            tolerance=np.append(company.tolerance, tolerance),
            compared=np.append(company.compared, np.zeros(len(new), np.int16)),
            usual=np.append(company.usual, np.zeros(int(length.sum()))),
            met=np.append(company.met, np.zeros(int(length.sum()), np.int16)),
            place=np.append(company.place, place.astype(np.int32)),
        )
        if is_told.any():
            more = np.full(int(is_told.sum()), ROOM)
            self.company = _with_rooms(self.company, np.append(company.room, more))
        for at, name in enumerate(name for names in named for name in names):
            self._awaited.setdefault(name, []).append(len(company.asked) + at)
        for name in [name for name in self._awaited if name in rows]:
            self.company.asked[self._awaited.pop(name)] = self.company.place[rows[name]]

    def make_room(self, counts: npt.NDArray[np.int64]) -> None:
        """Make room for so many readings of each tag."""
        told = np.flatnonzero(self.told())
        rooms = self.company.room.copy()
        rooms[self.company.place[told]] = np.maximum(ROOM, counts[told])
        self.company = _with_rooms(self.company, rooms)

    def told(self) -> npt.NDArray[np.bool_]:
        """Say which tags others may be compared with."""
        return np.asarray(self.company.place != NOBODY)

    def take_over(self, other: Circle) -> None:
        """Take the histories of another circle of the same tags; they are whole, none grows."""
        told = other.company
        self.company = self.company._replace(
            place=np.full_like(told.place, NOBODY),
            begin=told.begin, room=told.room, used=told.used, time=told.time, value=told.value,
        )  # fmt: skip

    def to_table(self, tags: Sequence[str]) -> pa.Table:
        """Write the histories and how often each was compared, by the name of the tag."""
        company = self.company
        rows = np.flatnonzero(self.told() | (company.length > 0))
        cuts = [_cut(company, int(company.place[row])) for row in rows]
        columns: dict[str, Any] = {
            "tag": pa.array([tags[int(row)] for row in rows], pa.string()),
            "named": pa.array([self._named.get(tags[int(row)]) for row in rows], NAMES),
            "compared": pa.array(company.compared[rows]),
            "usual": pa.array([company.usual[self._list(int(row))] for row in rows], FLOATS),
            "met": pa.array(
                [company.met[self._list(int(row))] for row in rows], pa.list_(pa.int16())
            ),
            "time": pa.array([company.time[cut] for cut in cuts], pa.list_(pa.int64())),
            "value": pa.array([company.value[cut] for cut in cuts], FLOATS),
        }
        return pa.table(columns)

    def recall(self, table: pa.Table, rows: Mapping[str, int]) -> None:
        """Take back what `to_table` wrote, where a tag still has it.

        One that has other neighbours by now is compared as if it never was.
        """
        columns = (column.to_pylist() for column in table.columns)
        for tag, named, compared, usual, met, time, value in zip(*columns, strict=True):
            if named == self._named.get(tag):
                self.company.compared[rows[tag]] = compared
                own = self._list(rows[tag])
                self.company.usual[own], self.company.met[own] = usual, met
            history = int(self.company.place[rows[tag]])
            if history != NOBODY:
                self.company.used[history] = len(time)
                cut = _cut(self.company, history)
                self.company.time[cut], self.company.value[cut] = time, value

    def _list(self, row: int) -> slice:
        first = int(self.company.first[row])
        return slice(first, first + int(self.company.length[row]))


@rule
def enter(company: Company, tag: int, time: int, value: float) -> None:
    """Enter a reading in its place among those of its tag.

    >>> circle = Circle()
    >>> circle.admit({"a": 0}, ["a"], [TagRule(is_neighbour=True)])
    >>> for at, value in ((10, 1.0), (30, 3.0), (20, 2.0)):
    ...     enter(circle.company, 0, at, value)
    >>> circle.company.time[:3].tolist(), circle.company.value[:3].tolist()
    ([10, 20, 30], [1.0, 2.0, 3.0])
    """
    history = company.place[tag]
    begin, used = company.begin[history], company.used[history]
    if used == company.room[history]:
        gone = used // 2
        for k in range(begin + gone, begin + used):
            company.time[k - gone], company.value[k - gone] = company.time[k], company.value[k]
        used -= gone
    k = begin + used
    while k > begin and company.time[k - 1] > time:
        company.time[k], company.value[k] = company.time[k - 1], company.value[k - 1]
        k -= 1
    company.time[k], company.value[k] = time, value
    company.used[history] = used + 1


@rule
def newest(company: Company, history: int, time: int) -> int:
    """Find the place of the newest reading at a time; -1 where it has said nothing of late.

    It also takes one reading before it, to look at both.

    >>> circle = Circle()
    >>> circle.admit({"a": 0}, ["a"], [TagRule(is_neighbour=True)])
    >>> for at in (10, 20, 30):
    ...     enter(circle.company, 0, at, 1.0)
    >>> [newest(circle.company, 0, at) for at in (9, 19, 20, 29, 80, 81)]
    [-1, -1, 1, 1, 2, -1]
    """
    if history == NOBODY:
        return -1
    begin = company.begin[history]
    low, high = begin, begin + company.used[history]
    while low < high:
        middle = (low + high) // 2
        if company.time[middle] <= time:
            low = middle + 1
        else:
            high = middle
    last, first = low - 1, max(begin, low - 1 - INTERVALS)
    shorter, age = 0, time - company.time[last] if last >= begin else 0
    for k in range(first, last):
        if SILENT * (company.time[k + 1] - company.time[k]) < age:
            shorter += 1
    return -1 if last <= begin or 2 * shorter > last - first else last


def _named(tag: str, told: TagRule) -> list[str]:
    """Give the neighbours of a tag, each once and not itself."""
    return [name for name in dict.fromkeys(told.neighbours) if name != tag][:NEIGHBOURS_MAX]


def _with_rooms(company: Company, rooms: npt.NDArray[np.int64]) -> Company:
    """Move the histories to where each has so much room, which is never less than it had."""
    wider = company._replace(
        begin=np.cumsum(rooms) - rooms,
        room=rooms,
        used=np.append(company.used, np.zeros(len(rooms) - len(company.used), np.int64)),
        time=np.zeros(int(rooms.sum()), np.int64),
        value=np.zeros(int(rooms.sum())),
    )
    for history in range(len(company.room)):
        old, new = _cut(company, history), _cut(wider, history)
        wider.time[new], wider.value[new] = company.time[old], company.value[old]
    return wider


def _cut(company: Company, history: int) -> slice:
    if history == NOBODY:
        return slice(0)
    begin = int(company.begin[history])
    return slice(begin, begin + int(company.used[history]))
