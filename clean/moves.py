"""From the last sound reading of a tag to this one: what most rules by kind go by."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from clean.compiled import rule
from clean.state import SPIKE, UNTIMED, UNTRUSTED
from clean.window import Floats

# A spike is no reading to start from: the return from it is as fast as the way there.
NOT_SOUND: Final = UNTRUSTED | SPIKE


class Move(NamedTuple):
    """Two sound readings in a row."""

    last: float  # NaN: there is none before
    last_us: int
    value: float
    time_us: int
    is_timed: bool  # both have a time of their own


@rule
def move_to(
    slot: int, values: Floats, times: npt.NDArray[np.int64], marks: npt.NDArray[Any]
) -> Move:
    """Find the nearest sound reading before a slot, among the slots of one tag.

    >>> marks = np.array([0, SPIKE, UNTIMED], np.uint8)
    >>> move_to(2, np.array([1.0, 9.0, 2.0]), np.array([10, 20, 30]), marks)
    Move(last=1.0, last_us=10, value=2.0, time_us=30, is_timed=False)
    """
    before = slot - 1
    while before >= 0 and marks[before] & NOT_SOUND:
        before -= 1
    is_known = before >= 0
    first = before if is_known else slot
    is_timed = not (marks[slot] | marks[first]) & UNTIMED
    last = values[first] if is_known else np.nan
    return Move(last, times[first], values[slot], times[slot], is_timed)
