"""Where a reading belongs among those of its tag: in place, a repeat, or late."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from clean.compiled import pasted, rule
from clean.state import JUDGED, SLOTS, TEXT, UNTIMED, USED, State

REPEAT: Final = -1000  # place_of: REPEAT + slot of the first arrival
LATE: Final = -1
# A reading without a time of its own, and a text, whose words the kernel does not see.
UNIQUE: Final = UNTIMED | TEXT


@pasted
def time_of(state: State, tag: int, time: int, mark: int) -> int:
    """Give the time that the order goes by.

    A reading without a time that can be used stands behind all that there are, at the time of its
    arrival or of the newest: it is never late, and nothing that follows is late because of it.
    """
    used = state.tally[tag, USED]
    if mark & UNTIMED and used > 0:
        return max(time, int(state.time[tag, used - 1]))
    return time


@pasted
def place_of(state: State, tag: int, time: int, mark: int) -> int:
    """Find the slot before which all readings are older.

    LATE: a newer one has been judged already. REPEAT + slot: the reading in that slot has the
    same time; what is UNIQUE repeats nothing. A repeat of what has left the slots is LATE: to
    remember every time would take memory without bound, and ingest, which knows by identity what
    it has stored, lets next to none of them through.
    """
    place = int(state.tally[tag, USED])
    while place > 0 and state.time[tag, place - 1] > time:
        place -= 1
    slot = place - 1
    while slot >= 0 and state.time[tag, slot] == time and not mark & UNIQUE:
        if not state.mark[tag, slot] & UNIQUE:
            return REPEAT + slot
        slot -= 1
    return LATE if place < state.tally[tag, JUDGED] else place


@rule
def is_same(state: State, tag: int, slot: int, value: float) -> bool:
    """Tell whether a repeat brings the value of the first arrival; no value equals no value."""
    first = state.value[tag, slot]
    return first == value or (np.isnan(first) and not np.isfinite(value))


@pasted
def insert(state: State, tag: int, place: int) -> None:
    """Open the slot `place` by moving the newer readings up."""
    for slot in range(state.tally[tag, USED], place, -1):
        state.value[tag, slot] = state.value[tag, slot - 1]
        state.time[tag, slot] = state.time[tag, slot - 1]
        state.number[tag, slot] = state.number[tag, slot - 1]
        state.mark[tag, slot] = state.mark[tag, slot - 1]
    state.tally[tag, USED] += 1


@pasted
def forget_oldest(state: State, tag: int) -> None:
    """Drop the oldest reading, which no window will need again."""
    move_down(state.value[tag])
    move_down(state.time[tag])
    move_down(state.number[tag])
    move_down(state.mark[tag])
    state.tally[tag, USED] -= 1
    state.tally[tag, JUDGED] -= 1


@rule
def move_down(slots: npt.NDArray[Any]) -> None:
    """Move every slot over the one before; a constant bound makes it one block move."""
    for slot in range(1, SLOTS):
        slots[slot - 1] = slots[slot]
