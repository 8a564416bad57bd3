"""The trusted neighbours of a reading: the nearest seven on each side, up to a gap."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from clean.compiled import pasted, rule
from clean.limits import is_far
from clean.state import (
    CANDIDATE,
    CODE,
    CODE_VALUE,
    CODE_VISITS,
    HALF,
    HISTORY,
    INTERVAL,
    USED,
    State,
)

Floats = npt.NDArray[np.float64]

# Rows of the scratch memory, each long enough for a whole window.
BEFORE: Final = 0  # values of the neighbours before, nearest first
AFTER: Final = 1
BEFORE_US: Final = 2  # their distance in time
AFTER_US: Final = 3
SORTED: Final = 4  # the window in order of value
RAW: Final = 5  # the window before it is sorted
RANK: Final = 6  # and the places of its values
SEEN: Final = 7  # what the rules saw of this reading, for `explain`
ROWS: Final = 8
WIDTH: Final = 32  # a whole window has 15; SEEN needs one for each quantity

# A pause is a gap when it is longer than five usual intervals: neighbours on the other side of it
# say nothing of the value on this side. "Usual" is the .97 quantile of the intervals, which is the
# median of a regular series and keeps an irregular one in one piece.
GAP_INTERVALS: Final = 5.0
INTERVAL_QUANTILE: Final = 0.97
INTERVAL_RATE: Final = 0.05  # the quantile doubles in 15 longer pauses: soon enough for one window
WARM_UP: Final = 32  # intervals, of which the longest is about the .97 quantile
# Visits of one value that make it a code: two might be one event in two parts.
CODE_MIN: Final = 3.0
WARM_GROWTH: Final = 4.0  # so that a single gap in the warm-up does little harm


@rule
def gather(state: State, tag: int, slot: int, without: int, scratch: Floats) -> tuple[int, int]:
    """Collect the neighbours of `slot`, but those with a mark in `without`.

    Returns how many there are before and after.
    """
    gap = GAP_INTERVALS * state.trait[tag, INTERVAL] if state.trait[tag, INTERVAL] else np.inf
    low, high = max(-1, slot - HALF - 1), min(state.tally[tag, USED], slot + HALF + 1)
    time, before, after, code = state.time[tag, slot], 0, 0, found_code(state, tag)
    last = time
    for k in range(slot - 1, low, -1):
        if last - state.time[tag, k] > gap:
            break
        last = state.time[tag, k]
        if is_trusted(state, tag, k, without, code):
            scratch[BEFORE, before] = state.value[tag, k]
            scratch[BEFORE_US, before] = time - last
            before += 1
    last = time
    for k in range(slot + 1, high):
        if state.time[tag, k] - last > gap:
            break
        last = state.time[tag, k]
        if is_trusted(state, tag, k, without, code):
            scratch[AFTER, after] = state.value[tag, k]
            scratch[AFTER_US, after] = last - time
            after += 1
    return before, after


@rule
def without_nearest(count: int, after: int, scratch: Floats) -> int:
    """Leave out the nearest `count` neighbours after; return how many remain.

    >>> scratch = np.zeros((ROWS, WIDTH))
    >>> scratch[AFTER, :3] = (9.0, 1.0, 2.0)
    >>> without_nearest(1, 3, scratch), scratch[AFTER, :2].tolist()
    (2, [1.0, 2.0])
    """
    for k in range(count, after):
        scratch[AFTER, k - count] = scratch[AFTER, k]
        scratch[AFTER_US, k - count] = scratch[AFTER_US, k]
    return max(after - count, 0)


@rule
def is_trusted(state: State, tag: int, slot: int, without: int, code: float) -> bool:
    """Tell whether the reading may be a neighbour."""
    mark, value = state.mark[tag, slot], state.value[tag, slot]
    if mark & without:
        return False
    return not ((mark & CANDIDATE or np.float32(value) == code) and is_far(state, tag, value))


@pasted
def settle_candidate(state: State, tag: int, slot: int) -> None:
    """Decide once and for all whether what may be a code, by custom or as found, is one."""
    value = state.value[tag, slot]
    known = state.mark[tag, slot] & CANDIDATE or np.float32(value) == found_code(state, tag)
    if known and is_far(state, tag, value):
        state.mark[tag, slot] |= CODE


@rule
def found_code(state: State, tag: int) -> float:
    """Give the code that was found of the tag, NaN where there is none."""
    return state.code[tag, CODE_VALUE] if state.code[tag, CODE_VISITS] >= CODE_MIN else np.nan


@pasted
def learn_code(state: State, tag: int, slot: int) -> None:
    """Count the visits of a far value that was found to be a spike, until it is a code.

    The majority vote of R. S. Boyer and J S. Moore (1981) in the memory of one value: another far
    value takes one visit away. A spike has an arbitrary height, so one that comes back to the last
    digit, further outside than all that was ever good is wide, is written by a machine. A rest is
    none: it is held, so it has been good, so it is not far. Nor is 0 ever one, which is also what
    a machine measures that stops for a moment.
    """
    value, code = np.float32(state.value[tag, slot]), state.code[tag]
    if value == 0.0 or code[CODE_VISITS] >= CODE_MIN or not is_far(state, tag, float(value)):
        return
    if slot > 0 and np.float32(state.value[tag, slot - 1]) == value:
        return
    if code[CODE_VISITS] == 0.0:
        code[CODE_VALUE] = value
    code[CODE_VISITS] += 1.0 if code[CODE_VALUE] == value else -1.0


@pasted
def is_after_gap(state: State, tag: int, slot: int) -> bool:
    """Tell whether the reading is the first after a gap, where enough came before to know."""
    usual = state.trait[tag, INTERVAL]
    pause = state.time[tag, slot] - state.time[tag, slot - 1] if slot == HALF else 0
    return bool(usual > 0.0 and pause > GAP_INTERVALS * usual)


@pasted
def learn_interval(state: State, tag: int, slot: int) -> None:
    """Follow the quantile of the intervals by steps of a fixed ratio."""
    if slot == 0:
        return
    interval = float(state.time[tag, slot] - state.time[tag, slot - 1])
    usual = state.trait[tag, INTERVAL]
    if usual == 0.0:
        usual = interval
    elif interval > usual and state.tally[tag, HISTORY] < WARM_UP:
        usual = min(interval, WARM_GROWTH * usual)
    elif interval > usual:
        usual *= 1.0 + INTERVAL_RATE * INTERVAL_QUANTILE
    else:
        usual *= 1.0 - INTERVAL_RATE * (1.0 - INTERVAL_QUANTILE)
    state.trait[tag, INTERVAL] = usual
