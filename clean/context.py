"""What the state of its machine says for a reading that would be doubted.

A tag may name the tags of its machine's state (`TagRule.machine_states`): the first of them that
has said anything by the time of the reading counts. A tag that tells a state
(`TagRule.tells_state`) has a history beside its slots: the last CHANGES_KEPT changes of its trusted
readings, entered as their verdicts fall, which is in order of source_time.

What holds: a lookup depends on source times alone, never on batches. The verdict on a reading is
the same for any interleaving of the tags in which the state readings up to the time of its next
reading have arrived before its verdict falls (seven newer readings of its own tag, and those that
disorder takes, or `expire`), and in which the state has not changed more than CHANGES_KEPT times
since. In a table the tags that tell a state are judged first and every change is kept, so that
there it holds for any order of the rows. A state that is a text says nothing here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clean.compiled import rule
from clean.state import HALF, JUDGED, UNTRUSTED, USED, State
from contracts.tags import TagRule

# Tags of a state that one tag can ask for: of its machine, of its line.
ASKED: Final = 2
# A day of two-minute stops at one in twenty minutes; 1 KiB for each tag that tells a state.
CHANGES_KEPT: Final = 64
CHATTER: Final = 3  # readings for a change: what changes more often explains no reading
OFF: Final = 0.0  # the one code that means the same in every plant: not to run

NOBODY: Final = -1


class Machines(NamedTuple):
    """Who asks whom, and what those have said."""

    asked: npt.NDArray[np.int32]  # (tags, ASKED), rows of the state, NOBODY
    place: npt.NDArray[np.int32]  # (tags,), number of the tag's own history, NOBODY
    first: npt.NDArray[np.int64]  # (histories,), where it begins in `time` and `value`
    room: npt.NDArray[np.int64]  # (histories,)
    used: npt.NDArray[np.int64]  # (histories,)
    time: npt.NDArray[np.int64]  # us, ascending within a history
    value: npt.NDArray[np.float64]  # the state from that time on


class Context:
    """Finds the tags that others ask for, whichever of them comes first."""

    def __init__(self) -> None:
        none = np.zeros(0, np.int64)
        self.machines = Machines(
            np.zeros((0, ASKED), np.int32), np.zeros(0, np.int32), none, none, none, none,
            np.zeros(0),
        )  # fmt: skip
        self._awaited: dict[str, list[int]] = {}  # where in `asked`, laid flat, the name belongs

    def admit(self, rows: dict[str, int], new: Sequence[str], rules: Sequence[TagRule]) -> None:
        """Let in the tags `new`, the last of `rows`."""
        known = len(self.machines.place)
        self.machines = self.machines._replace(
            asked=np.vstack([self.machines.asked, np.full((len(new), ASKED), NOBODY, np.int32)]),
            place=np.append(self.machines.place, np.full(len(new), NOBODY, np.int32)),
        )
        tellers = [known + at for at, each in enumerate(rules) if each.tells_state]
        if tellers:
            count = len(self.machines.room)
            self.machines.place[tellers] = np.arange(count, count + len(tellers))
            rooms = np.append(self.machines.room, np.full(len(tellers), CHANGES_KEPT))
            self.machines = _with_rooms(self.machines, rooms)
        flat, awaited = self.machines.asked.reshape(-1), self._awaited
        for at, each in enumerate(rules):
            names = [name for name in each.machine_states if name != new[at]][:ASKED]
            for spot, name in enumerate(names, (known + at) * ASKED):
                if name in rows:
                    flat[spot] = rows[name]
                else:
                    awaited.setdefault(name, []).append(spot)
        for name in new:
            if name in awaited:
                flat[awaited.pop(name)] = rows[name]

    def make_room(self, counts: npt.NDArray[np.int64]) -> None:
        """Make room for every change in so many readings of each tag."""
        tellers = np.flatnonzero(self.machines.place != NOBODY)
        rooms = self.machines.room.copy()
        rooms[self.machines.place[tellers]] = np.maximum(CHANGES_KEPT, counts[tellers])
        self.machines = _with_rooms(self.machines, rooms)

    def tellers(self) -> npt.NDArray[np.bool_]:
        """Say which tags tell a state that others may ask for."""
        return np.asarray(self.machines.place != NOBODY)

    def to_table(self, tags: Sequence[str]) -> pa.Table:
        """Write the histories, by the name of the tag."""
        machines = self.machines
        rows = np.flatnonzero(machines.place != NOBODY)
        cuts = [_cut(machines, int(machines.place[row])) for row in rows]
        columns: dict[str, Any] = {
            "tag": pa.array([tags[int(row)] for row in rows], pa.string()),
            "time": pa.array([machines.time[cut] for cut in cuts], pa.list_(pa.int64())),
            "value": pa.array([machines.value[cut] for cut in cuts], pa.list_(pa.float64())),
        }
        return pa.table(columns)

    def recall(self, table: pa.Table, rows: dict[str, int]) -> None:
        """Take back what `to_table` wrote of the tags that still tell a state."""
        for tag, time, value in zip(*(column.to_pylist() for column in table.columns), strict=True):
            history = self.machines.place[rows[tag]]
            if history != NOBODY:
                self.machines.used[history] = len(time)
                cut = _cut(self.machines, history)
                self.machines.time[cut], self.machines.value[cut] = time, value


@rule
def is_off(state: State, machines: Machines, tag: int, slot: int) -> bool:
    """Tell whether the machine was off at the reading in `slot`, the one before or the one after.

    The state and the reading are sampled at different moments: one of them may show a stop up to
    one interval before the other.
    """
    if not asks(machines, tag):
        return False
    found = False
    for k in range(max(slot - 1, 0), min(slot + 2, state.tally[tag, USED])):
        found |= state_at(state, machines, tag, state.time[tag, k]) == OFF
    return found


@rule
def is_explained(state: State, machines: Machines, tag: int, slot: int) -> bool:
    """Tell whether the machine's state was, about this reading, one that few neighbours share.

    A power that falls to its rest value in the one reading at which the machine stands is no
    spike: there is nothing in the same state that it could be compared with.
    """
    if not asks(machines, tag):
        return False
    used = min(state.tally[tag, USED], slot + HALF + 1)  # what is there in any order of arrival
    for about in range(max(slot - 1, 0), min(slot + 2, used)):
        held = last = state_at(state, machines, tag, state.time[tag, about])
        alike = others = changes = 0
        for k in range(used):
            told = state_at(state, machines, tag, state.time[tag, k])
            is_same = told == last or (np.isnan(told) and np.isnan(last))
            changes += 0 if k == 0 or is_same else 1
            last = told
            if k != slot:
                alike += 1 if told == held else 0
                others += 0 if told == held else 1
        if not np.isnan(held) and alike < others and CHATTER * changes <= used:
            return True
    return False


@rule
def asks(machines: Machines, tag: int) -> bool:
    """Tell whether there is a state to ask for."""
    return bool(machines.asked[tag, 0] != NOBODY or machines.asked[tag, 1] != NOBODY)


@rule
def state_at(state: State, machines: Machines, tag: int, time: int) -> float:
    """Look up the machine's state at a time; NaN where it is not known."""
    for choice in range(ASKED):
        teller = machines.asked[tag, choice]
        if teller == NOBODY or machines.place[teller] == NOBODY:
            continue
        for k in range(state.tally[teller, USED] - 1, state.tally[teller, JUDGED] - 1, -1):
            if state.time[teller, k] <= time and not state.mark[teller, k] & UNTRUSTED:
                return float(state.value[teller, k])
        held = remembered(machines, machines.place[teller], time)
        if not np.isnan(held):
            return held
    return np.nan


@rule
def remembered(machines: Machines, history: int, time: int) -> float:
    """Look up in a history what held at a time; NaN before its first change.

    >>> context = Context()
    >>> context.admit({"a": 0}, ["a"], [TagRule(tells_state=True)])
    >>> for at, value in ((10, 1.0), (20, 1.0), (30, 0.0)):
    ...     remember(context.machines, 0, at, value)
    >>> [remembered(context.machines, 0, at) for at in (9, 10, 29, 30)]
    [nan, 1.0, 1.0, 0.0]
    >>> int(context.machines.used[0])
    2
    """
    first = machines.first[history]
    low, high = first, first + machines.used[history]
    while low < high:
        middle = (low + high) // 2
        if machines.time[middle] <= time:
            low = middle + 1
        else:
            high = middle
    return float(machines.value[low - 1]) if low > first else np.nan


@rule
def remember(machines: Machines, tag: int, time: int, value: float) -> None:
    """Enter what a tag says from a time on, if that is a change; the oldest change makes room."""
    history = machines.place[tag]
    first, used = machines.first[history], machines.used[history]
    if used > 0 and machines.value[first + used - 1] == value:
        return
    if used == machines.room[history]:
        for k in range(first + 1, first + used):
            machines.time[k - 1], machines.value[k - 1] = machines.time[k], machines.value[k]
        used -= 1
    machines.time[first + used], machines.value[first + used] = time, value
    machines.used[history] = used + 1


def _with_rooms(machines: Machines, rooms: npt.NDArray[np.int64]) -> Machines:
    """Move the histories to where each has so much room, which is never less than it had."""
    wider = machines._replace(
        first=np.cumsum(rooms) - rooms,
        room=rooms,
        used=np.append(machines.used, np.zeros(len(rooms) - len(machines.used), np.int64)),
        time=np.zeros(int(rooms.sum()), np.int64),
        value=np.zeros(int(rooms.sum())),
    )
    for history in range(len(machines.room)):
        old, new = _cut(machines, history), _cut(wider, history)
        wider.time[new], wider.value[new] = machines.time[old], machines.value[old]
    return wider


def _cut(machines: Machines, history: int) -> slice:
    first = int(machines.first[history])
    return slice(first, first + int(machines.used[history]))
