"""A smoothed value for a good reading, which keeps steps.

A. Savitzky, M. J. E. Golay, Smoothing and differentiation of data by simplified least squares
procedures, Anal. Chem. 36 (1964): the parabola that fits seven readings best, at the one in the
middle. Behind a gate: where the parabola leaves the median of the inner five by more than noise
does, it has met a step or a peak, and the median, which keeps both edges of a step, is taken.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from clean.compiled import rule
from clean.spikes import sort_window
from clean.state import NEAR_SCALE, RESOLUTION
from clean.window import AFTER, AFTER_US, BEFORE, BEFORE_US, SORTED, Floats

SIDE: Final = 3  # neighbours on each side: the shortest window in which a parabola smooths much
INNER: Final = 2  # of which the nearest two make the median of five
# Of the middle one and those one, two and three readings away; their sum, all counted, is 21.
WEIGHTS: Final = (7.0, 6.0, 3.0, -2.0)
WEIGHTS_SUM: Final = 21.0
GATE: Final = 2.0  # noise units: the parabola's own noise is .58 units, so this is no noise
# The weights are those of even distances; up to a quarter the parabola is off by less than noise.
UNEVEN_MAX: Final = 0.25  # of an interval


@rule
def smoothed(value: float, trait: Floats, sides: tuple[int, int], scratch: Floats) -> float:
    """Smooth a value by the neighbours in `scratch`; it stays where they are few or uneven.

    The noise unit is what the tag's residuals from its median of five usually are, or its
    resolution where that is more.
    """
    if sides[0] < SIDE or sides[1] < SIDE or not is_even(scratch):
        return value
    sort_window(value, INNER, INNER, scratch)
    median, fitted = scratch[SORTED, INNER], parabola_at(value, scratch)
    unit = max(trait[NEAR_SCALE], trait[RESOLUTION] if np.isfinite(trait[RESOLUTION]) else 0.0)
    return median if abs(fitted - median) > GATE * unit else fitted


@rule
def parabola_at(value: float, scratch: Floats) -> float:
    """Fit a parabola to a value and three neighbours on each side, and take its middle.

    >>> scratch = np.zeros((8, 32))
    >>> scratch[BEFORE, :3], scratch[AFTER, :3] = (1.0, 4.0, 9.0), (1.0, 4.0, 9.0)
    >>> parabola_at(0.0, scratch), parabola_at(3.0, scratch)
    (0.0, 1.0)
    """
    total = WEIGHTS[0] * value
    for k in range(SIDE):
        total += WEIGHTS[k + 1] * (scratch[BEFORE, k] + scratch[AFTER, k])
    return total / WEIGHTS_SUM


@rule
def is_even(scratch: Floats) -> bool:
    """Tell whether the nearest three on each side follow one another at even distances."""
    interval = (scratch[BEFORE_US, SIDE - 1] + scratch[AFTER_US, SIDE - 1]) / (2 * SIDE)
    for k in range(SIDE):
        place = (k + 1) * interval
        if abs(scratch[BEFORE_US, k] - place) > UNEVEN_MAX * interval:
            return False
        if abs(scratch[AFTER_US, k] - place) > UNEVEN_MAX * interval:
            return False
    return True
