"""What to use in place of a reading that cannot be used."""

from __future__ import annotations

from typing import Final

import numpy as np

from clean.compiled import rule
from clean.spikes import deviation, is_wide, sort_window
from clean.window import AFTER, AFTER_US, BEFORE, BEFORE_US, SORTED, Floats

SIDE_MIN: Final = 2  # neighbours on each side: one alone could be the next fault


@rule
def repaired(trait: Floats, sides: tuple[int, int], scratch: Floats) -> float:
    """Draw a straight line between the nearest sound neighbours in `scratch`.

    Sound is what the spike rule would let pass. The median of the window where one side has no
    sound neighbour; NaN, nothing trustworthy, where a side has less than SIDE_MIN neighbours.
    """
    side = min(sides[0], sides[1])
    if side < SIDE_MIN:
        return np.nan
    middle_guess = 0.5 * (scratch[BEFORE, 0] + scratch[AFTER, 0])
    size = sort_window(middle_guess, side, side, scratch)
    median, mad = scratch[SORTED, side], deviation(scratch, size)
    before = after = -1
    for k in range(side - 1, -1, -1):
        if not is_wide(trait, abs(scratch[BEFORE, k] - median), mad):
            before = k
        if not is_wide(trait, abs(scratch[AFTER, k] - median), mad):
            after = k
    if before < 0 or after < 0:
        return float(median)
    return between(
        (scratch[BEFORE, before], scratch[AFTER, after]),
        (scratch[BEFORE_US, before], scratch[AFTER_US, after]),
    )


@rule
def between(values: tuple[float, float], distances: tuple[float, float]) -> float:
    """Interpolate between two values at the given distances in time.

    >>> between((10.0, 20.0), (1.0, 3.0))
    12.5
    >>> between((10.0, 20.0), (0.0, 0.0))
    15.0
    """
    whole = distances[0] + distances[1]
    share = distances[0] / whole if whole > 0.0 else 0.5
    return values[0] + share * (values[1] - values[0])
