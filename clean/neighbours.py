"""The neighbour rule: a reading contradicts redundant sensors.

A reading is compared with the median of what the neighbours had said by its time. Of each neighbour
the nearer end of its last two readings counts: one of them alone could be a fault of its own, and
between two of them the quantity moves. Of an even number all that lies between the middle two is
the median: two against one are needed. It stands apart where the reading before did so too, to the
same side: sensors that are read at different moments do not show a step at the same time.

What it may differ by is told, or it is learned from how the tag usually differs: three times the
.97 quantile of the distance from its usual difference, and eight steps of its resolution. It is
learned anew where other neighbours are heard than before. A drift that is slower than the memory is
learned as well: to find it, tell a tolerance.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from clean.company import Company, newest
from clean.compiled import rule
from clean.evidence import SAW_APART, SAW_APART_LIMIT
from clean.rates import sound_before
from clean.state import APART_SPREAD, APART_USUAL, RESOLUTION, State
from clean.window import RAW, SEEN, Floats

TAIL_LIMIT: Final = 3.0  # times the .97 quantile: 6.5 sigma of a normal distribution
RESOLUTIONS: Final = 8.0  # steps, as of the spike rule
ROUNDING: Final = 2.0**-22  # twice that of a 32-bit float: what conversion may add
COMPARED_MIN: Final = 64  # of the .97 quantile two are then known to be over it
WARM_UP: Final = 32  # the largest of so many is about the .97 quantile
COMPARED_MAX: Final = 1 << 14  # only "many" matters

LEARN_RATE: Final = 0.002  # a memory of 500 readings, as of roughness
TAIL_RATE: Final = 0.01
TAIL_QUANTILE: Final = 0.97
FAULT_SHARE: Final = 0.25  # what is doubted teaches less, but it does: it may be the new way
WINSOR: Final = 3.0


@rule
def stands_apart(state: State, company: Company, tag: int, slot: int, scratch: Floats) -> bool:
    """Tell whether a reading and the one before contradict the neighbours, and learn from it."""
    away, heard = apart(state, company, tag, slot, scratch)
    if heard == 0:
        return False
    is_learned = np.isnan(company.tolerance[tag])
    if is_learned and heard != company.heard[tag]:
        company.heard[tag], company.compared[tag] = heard, 0
        away, heard = apart(state, company, tag, slot, scratch)
    limit = limit_of(state, company, tag, state.value[tag, slot])
    scratch[SEEN, SAW_APART], scratch[SEEN, SAW_APART_LIMIT] = abs(away), limit
    is_away = abs(away) > limit
    if is_away:
        before = sound_before(state, tag, slot)
        first, heard = apart(state, company, tag, max(before, 0), scratch)
        is_both = before >= 0 and heard > 0 and first * away > 0.0
        least = min(abs(first), abs(away)) if is_both else 0.0
        scratch[SEEN, SAW_APART] = least
        is_away = least > limit
    if is_learned:
        learn(state, company, tag, away)
    return bool(is_away)


@rule
def apart(
    state: State, company: Company, tag: int, slot: int, scratch: Floats
) -> tuple[float, int]:
    """Give the difference of a reading from its neighbours, less the usual one.

    The second number has a bit for each neighbour that was heard; 0: nothing is known.

    >>> from clean.company import Circle, enter
    >>> from clean.state import new_state
    >>> from contracts.tags import TagRule
    >>> circle, state, scratch = Circle(), new_state(3), np.zeros((8, 32))
    >>> told = TagRule(neighbours=("b", "c"), neighbour_tolerance=1.0)
    >>> circle.admit({"a": 0, "b": 1, "c": 2}, list("abc"), [told, told, told])
    >>> for at in range(4):
    ...     enter(circle.company, 1, at, 20.0)
    ...     enter(circle.company, 2, at, 23.0)
    >>> state.time[0, 0], state.value[0, 0] = 3, 25.0
    >>> apart(state, circle.company, 0, 0, scratch)
    (2.0, 3)
    """
    value, time, first = state.value[tag, slot], state.time[tag, slot], company.first[tag]
    usual = float(state.doubt[tag, APART_USUAL]) if company.compared[tag] > 0 else 0.0
    known = heard = 0
    for k in range(company.length[tag]):
        last = newest(company, company.asked[first + k], time)
        if last >= 0:
            one, other = company.value[last - 1], company.value[last]
            low, high = min(one, other), max(one, other)
            expected = min(max(value - usual, low), high)
            scratch[RAW, known] = value - usual - expected
            known, heard = known + 1, heard | 1 << k
    return middle_of(scratch[RAW], known) if known else 0.0, heard


@rule
def middle_of(line: Floats, count: int) -> float:
    """Give the median; of an even number what is nearest to 0 between the middle two.

    >>> middle_of(np.array([5.0, -1.0, 2.0]), 3), middle_of(np.array([4.0, 1.0]), 2)
    (2.0, 1.0)
    >>> middle_of(np.array([4.0, -1.0]), 2)
    0.0
    """
    for i in range(1, count):
        one, k = line[i], i
        while k > 0 and line[k - 1] > one:
            line[k] = line[k - 1]
            k -= 1
        line[k] = one
    low, high = line[(count - 1) // 2], line[count // 2]
    return float(min(max(0.0, low), high))


@rule
def limit_of(state: State, company: Company, tag: int, value: float) -> float:
    """Say how far a value may be from where the neighbours have it; infinitely while not known."""
    if not np.isnan(company.tolerance[tag]):
        return float(company.tolerance[tag] + ROUNDING * abs(value))
    if company.compared[tag] < COMPARED_MIN:
        return np.inf
    tail = state.doubt[tag, APART_SPREAD]
    return float(max(TAIL_LIMIT * tail, RESOLUTIONS * state.trait[tag, RESOLUTION]))


@rule
def learn(state: State, company: Company, tag: int, away: float) -> None:
    """Follow the usual difference and the .97 quantile of the distance from it."""
    doubt, compared = state.doubt[tag], company.compared[tag]
    if compared == 0:
        doubt[APART_USUAL], doubt[APART_SPREAD], company.compared[tag] = away, 0.0, 1
        return
    step, tail = state.trait[tag, RESOLUTION], doubt[APART_SPREAD]
    floor = max(tail, step) if np.isfinite(step) else tail
    share = FAULT_SHARE if abs(away) > TAIL_LIMIT * floor and compared >= COMPARED_MIN else 1.0
    most = WINSOR * floor if compared >= WARM_UP else np.inf
    rate = share * max(LEARN_RATE, 1.0 / (compared + 1.0))
    doubt[APART_USUAL] += rate * min(max(away, -most), most)
    if compared < WARM_UP:
        doubt[APART_SPREAD] = max(tail, abs(away))
    elif abs(away) > tail:
        doubt[APART_SPREAD] = tail + share * TAIL_RATE * TAIL_QUANTILE * floor
    else:
        doubt[APART_SPREAD] = tail - share * TAIL_RATE * (1.0 - TAIL_QUANTILE) * tail
    company.compared[tag] = min(compared + 1, COMPARED_MAX)
