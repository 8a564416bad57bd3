"""The counter rule: a counter runs backwards.

A counter that begins again is no fault. Where it falls to near zero it was reset, and what it
shows has been counted since: so the periods take it, too. Where a rollover is told and the way
through it, v + rollover - v', is no longer than what may have been counted, it went through the end
of its register. A fall that is neither takes back what was counted.

What may have been counted between two readings is twice the .97 quantile of its growth between two
readings, times the intervals that have passed.
"""

from __future__ import annotations

from typing import Final

from clean.compiled import rule
from clean.evidence import SAW_FALL, SAW_FALL_LIMIT
from clean.moves import Move
from clean.state import FALLS, GROWN, GROWTH
from clean.window import Floats

ROUNDING: Final = 2.0**-22  # twice that of a 32-bit float: a smaller relative step is no step
GROWTH_MARGIN: Final = 2.0  # times the quantile: three in a hundred grow by more
NEAR_ZERO: Final = 0.05  # of what it was: nobody takes back nineteen parts of twenty
GROWTH_RATE: Final = 0.05  # as of the intervals: doubles in 15 longer steps
GROWTH_QUANTILE: Final = 0.97
WARM_UP: Final = 32  # changes: of so many the largest is about the .97 quantile
WARM_GROWTH: Final = 4.0  # so that a single stray value in the warm-up does little harm
MEMORY: Final = 200  # changes, as of the spike rule
# A tag that falls at more than one change in twenty is no counter, whatever its name is like.
FALLS_MAX: Final = 0.05


@rule
def ran_backwards(
    move: Move, usual_us: float, rollover: float, doubt: Floats, seen: Floats
) -> bool:
    """Tell whether a counter takes back what it has counted, and learn how it counts."""
    value, last, step = move.value, move.last, move.value - move.last
    if not abs(step) > ROUNDING * abs(last):  # nor if there is none before
        return False
    intervals = max((move.time_us - move.last_us) / usual_us, 1.0) if usual_us > 0.0 else 1.0
    counted = GROWTH_MARGIN * doubt[GROWTH] * intervals
    if rollover > 0.0 and step < 0.0 and step + rollover <= counted:
        step += rollover
    if step < 0.0:
        seen[SAW_FALL], seen[SAW_FALL_LIMIT] = value, max(counted, NEAR_ZERO * last)
        step = 0.0 if is_reset(value, last, counted) else step
    is_counter = doubt[GROWN] >= WARM_UP and doubt[FALLS] <= FALLS_MAX
    learn(doubt, step / intervals)
    return bool(step < 0.0 and is_counter)


@rule
def is_reset(value: float, last: float, counted: float) -> bool:
    """Tell whether a counter that has fallen began again, and no more than can be counted since.

    >>> is_reset(0.0, 900.0, 4.0), is_reset(40.0, 900.0, 4.0), is_reset(3.0, 5.0, 4.0)
    (True, True, True)
    >>> is_reset(899.0, 900.0, 4.0), is_reset(-7.0, 900.0, 4.0)
    (False, False)
    """
    return bool(0.0 <= value <= max(counted, NEAR_ZERO * last))


@rule
def learn(doubt: Floats, step: float) -> None:
    """Follow the quantile of the growth by steps of a fixed ratio, and the share of falls.

    >>> import numpy as np
    >>> from clean.state import DOUBTS
    >>> doubt = np.zeros(DOUBTS)
    >>> for step in (2.0, 2.0, 3.0, -1.0):
    ...     learn(doubt, step)
    >>> float(doubt[GROWTH]), float(doubt[GROWN]), round(float(doubt[FALLS]), 2)
    (3.0, 4.0, 0.2)
    """
    seen, usual = doubt[GROWN], doubt[GROWTH]
    doubt[FALLS] += ((1.0 if step < 0.0 else 0.0) - doubt[FALLS]) / (seen + 2.0)
    doubt[GROWN] = min(seen + 1.0, float(MEMORY))
    if step <= 0.0:
        return
    if usual == 0.0:
        doubt[GROWTH] = step
    elif step > usual and seen < WARM_UP:
        doubt[GROWTH] = min(step, WARM_GROWTH * usual)
    elif step > usual:
        doubt[GROWTH] = usual * (1.0 + GROWTH_RATE * GROWTH_QUANTILE)
    elif seen >= WARM_UP:
        doubt[GROWTH] = usual * (1.0 - GROWTH_RATE * (1.0 - GROWTH_QUANTILE))
