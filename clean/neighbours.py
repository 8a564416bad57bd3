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
from clean.moves import Move
from clean.state import APART_SPREAD, APART_USUAL, RESOLUTION
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
def stands_apart(
    move: Move, company: Company, tag: int, learned: tuple[Floats, Floats], scratch: Floats
) -> bool:
    """Tell whether a reading and the one before contradict the neighbours, and learn from it.

    `learned` are the tag's rows of `trait` and `doubt`.
    """
    trait, doubt = learned
    is_learned = np.isnan(company.tolerance[tag])
    usual = float(doubt[APART_USUAL]) if company.compared[tag] > 0 else 0.0
    away, heard = apart(company, tag, (move.value - usual, move.time_us), scratch)
    if heard == 0:
        return False
    if is_learned and heard != company.heard[tag]:
        company.heard[tag], company.compared[tag], away = heard, 0, away + usual
        usual = 0.0
    limit = limit_of(company, tag, learned, move.value)
    quantity = abs(away)
    if abs(away) > limit:
        first, heard = apart(company, tag, (move.last - usual, move.last_us), scratch)
        is_both = not np.isnan(move.last) and heard > 0 and first * away > 0.0
        quantity = min(abs(first), abs(away)) if is_both else 0.0
    scratch[SEEN, SAW_APART], scratch[SEEN, SAW_APART_LIMIT] = quantity, limit
    if is_learned:
        company.compared[tag] = learn(trait, doubt, company.compared[tag], away)
    return bool(quantity > limit)


@rule
def apart(
    company: Company, tag: int, reading: tuple[float, int], scratch: Floats
) -> tuple[float, int]:
    """Give the difference of a value at a time from its neighbours.

    The second number has a bit for each neighbour that was heard; 0: nothing is known.

    >>> from clean.company import Circle, enter
    >>> from contracts.tags import TagRule
    >>> circle, scratch = Circle(), np.zeros((8, 32))
    >>> told = TagRule(neighbours=("b", "c"))
    >>> circle.admit({"a": 0, "b": 1, "c": 2}, list("abc"), [told, told, told])
    >>> for at in range(4):
    ...     enter(circle.company, 1, at, 20.0)
    ...     enter(circle.company, 2, at, 23.0)
    >>> apart(circle.company, 0, (25.0, 3), scratch), apart(circle.company, 0, (21.0, 3), scratch)
    ((2.0, 3), (0.0, 3))
    """
    value, time = reading
    first, known, heard = company.first[tag], 0, 0
    for k in range(company.length[tag]):
        last = newest(company, company.asked[first + k], time)
        if last >= 0:
            one, other = company.value[last - 1], company.value[last]
            low, high = min(one, other), max(one, other)
            scratch[RAW, known] = value - min(max(value, low), high)
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
def limit_of(company: Company, tag: int, learned: tuple[Floats, Floats], value: float) -> float:
    """Say how far a value may be from where the neighbours have it; infinitely while not known."""
    if not np.isnan(company.tolerance[tag]):
        return float(company.tolerance[tag] + ROUNDING * abs(value))
    if company.compared[tag] < COMPARED_MIN:
        return np.inf
    trait, doubt = learned
    return float(max(TAIL_LIMIT * doubt[APART_SPREAD], RESOLUTIONS * trait[RESOLUTION]))


@rule
def learn(trait: Floats, doubt: Floats, compared: int, away: float) -> int:
    """Follow the usual difference and the .97 quantile of the distance from it.

    Returns how often the tag has been compared by now.

    >>> from clean.state import DOUBTS, TRAITS
    >>> trait, doubt = np.zeros(TRAITS), np.zeros(DOUBTS)
    >>> learn(trait, doubt, learn(trait, doubt, 0, 30.0), 1.0)
    2
    >>> float(doubt[APART_USUAL]), float(doubt[APART_SPREAD])
    (30.5, 1.0)
    """
    if compared == 0:
        doubt[APART_USUAL], doubt[APART_SPREAD] = away, 0.0
        return 1
    step, tail = trait[RESOLUTION], doubt[APART_SPREAD]
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
    return min(compared + 1, COMPARED_MAX)
