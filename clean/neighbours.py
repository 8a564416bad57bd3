"""The neighbour rule: a reading contradicts redundant sensors.

A reading is compared with the median of what the neighbours had said by its time. Of each neighbour
the nearer end of its last two readings counts: one of them alone could be a fault of its own, and
between two of them the quantity moves. Of an even number all that lies between the middle two is
the median: two against one are needed. It stands apart where the reading before did so too, to the
same side: sensors that are read at different moments do not show a step at the same time. One that
has said nothing within two intervals of the tag is not asked: it may not know of a step yet.

What it may differ by is told, or it is learned: from each neighbour its usual difference, which is
taken off, and of what remains the .97 quantile; the limit is three times that, and eight steps of
its resolution. A drift that is slower than the memory is learned as well: to find it, tell a
tolerance.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from clean.company import Company, newest
from clean.compiled import rule
from clean.evidence import SAW_APART, SAW_APART_LIMIT
from clean.moves import Move
from clean.state import APART_SPREAD, INTERVAL, RESOLUTION
from clean.window import RANK, RAW, SEEN, Floats

FRESH: Final = 2.0  # intervals of the tag: as old as the reading before, and as much again
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
def stands_apart(
    move: Move, company: Company, tag: int, learned: tuple[Floats, Floats], scratch: Floats
) -> bool:
    """Tell whether a reading and the one before contradict the neighbours, and learn from it.

    `learned` are the tag's rows of `trait` and `doubt`.
    """
    trait, doubt = learned
    since = int(FRESH * trait[INTERVAL])
    limit = limit_of(company, tag, learned, move.value)
    away, known = apart(company, tag, (move.value, move.time_us, move.time_us - since), scratch)
    if np.isnan(company.tolerance[tag]):
        learn_differences(company, tag, most_of(trait, doubt, company.compared[tag]), scratch)
        if known:
            company.compared[tag] = learn(trait, doubt, company.compared[tag], abs(away))
    if not known:
        return False
    quantity = abs(away)
    if quantity > limit:
        earlier = (move.last, move.last_us, move.last_us - since)
        first, known = apart(company, tag, earlier, scratch)
        is_both = not np.isnan(move.last) and known and first * away > 0.0
        quantity = min(abs(first), abs(away)) if is_both else 0.0
    scratch[SEEN, SAW_APART], scratch[SEEN, SAW_APART_LIMIT] = quantity, limit
    return bool(quantity > limit)


@rule
def apart(
    company: Company, tag: int, reading: tuple[float, int, int], scratch: Floats
) -> tuple[float, bool]:
    """Give the difference of a value from its neighbours, and whether it is known.

    `reading` is the value, its time and how old a word of a neighbour may be. The difference from
    each one is in the row RANK of `scratch`, NaN where it is not asked.

    >>> from clean.company import Circle, enter
    >>> from contracts.tags import TagRule
    >>> circle, scratch = Circle(), np.zeros((8, 32))
    >>> told = TagRule(neighbours=("b", "c"), neighbour_tolerance=1.0)
    >>> circle.admit({"a": 0, "b": 1, "c": 2}, list("abc"), [told, told, told])
    >>> for at in range(4):
    ...     enter(circle.company, 1, at, 20.0)
    ...     enter(circle.company, 2, at, 23.0)
    >>> [apart(circle.company, 0, (value, 3, 1), scratch) for value in (25.0, 21.0)]
    [(2.0, True), (0.0, True)]
    """
    value, time, since = reading
    first, known = company.first[tag], 0
    is_learned = np.isnan(company.tolerance[tag])
    for k in range(company.length[tag]):
        last, scratch[RANK, k] = newest(company, company.asked[first + k], time), np.nan
        if last >= 0 and company.time[last] >= since:
            one, other = company.value[last - 1], company.value[last]
            expected = value - company.usual[first + k]
            scratch[RANK, k] = expected - min(max(expected, min(one, other)), max(one, other))
            if not is_learned or company.met[first + k] >= COMPARED_MIN:
                scratch[RAW, known] = scratch[RANK, k]
                known += 1
    return middle_of(scratch[RAW], known) if known else 0.0, known > 0


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
def limit_of(company: Company, tag: int, learned: tuple[Floats, Floats], value: float) -> float:
    """Say how far a value may be from where the neighbours have it; infinitely while not known."""
    if not np.isnan(company.tolerance[tag]):
        return float(company.tolerance[tag] + ROUNDING * abs(value))
    if company.compared[tag] < COMPARED_MIN:
        return np.inf
    trait, doubt = learned
    return float(max(TAIL_LIMIT * doubt[APART_SPREAD], RESOLUTIONS * trait[RESOLUTION]))


@rule
def most_of(trait: Floats, doubt: Floats, compared: int) -> float:
    """Say how much a difference may count, so that a fault teaches little."""
    tail, step = doubt[APART_SPREAD], trait[RESOLUTION]
    if compared < WARM_UP:
        return np.inf
    return float(WINSOR * (max(tail, step) if np.isfinite(step) else tail))


@rule
def learn_differences(company: Company, tag: int, most: float, scratch: Floats) -> None:
    """Follow the usual difference from each neighbour that was asked, at first by the mean."""
    first = company.first[tag]
    for k in range(first, first + company.length[tag]):
        away, met = scratch[RANK, k - first], company.met[k]
        if np.isnan(away):
            continue
        limit = most if met >= COMPARED_MIN else np.inf
        share = FAULT_SHARE if abs(away) > limit else 1.0
        rate = share * max(LEARN_RATE, 1.0 / (met + 1.0))
        company.usual[k] += rate * min(max(away, -limit), limit)
        company.met[k] = min(met + 1, COMPARED_MAX)


@rule
def learn(trait: Floats, doubt: Floats, compared: int, away: float) -> int:
    """Follow the .97 quantile of the distance; return how often it has been compared by now.

    >>> from clean.state import DOUBTS, TRAITS
    >>> trait, doubt = np.zeros(TRAITS), np.zeros(DOUBTS)
    >>> learn(trait, doubt, learn(trait, doubt, 0, 3.0), 1.0)
    2
    >>> float(doubt[APART_SPREAD])
    3.0
    """
    tail, most = doubt[APART_SPREAD], most_of(trait, doubt, compared)
    share = FAULT_SHARE if away > most and compared >= COMPARED_MIN else 1.0
    if compared < WARM_UP:
        doubt[APART_SPREAD] = max(tail, away) if compared else away
    elif away > tail:
        doubt[APART_SPREAD] = tail + share * TAIL_RATE * TAIL_QUANTILE * most / WINSOR
    else:
        doubt[APART_SPREAD] = tail - share * TAIL_RATE * (1.0 - TAIL_QUANTILE) * tail
    return min(compared + 1, COMPARED_MAX)
