"""Roughness: how far readings lie off the straight line between their neighbours.

The second difference takes away level and slope, so a step or a ramp is not rough, and a spike
is in three places only. What a majority of a window shows, neither can feign.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from clean.compiled import rule
from clean.state import DULL_TAIL, RESOLUTION, ROUGH_TAIL, ROUGH_USUAL
from clean.window import AFTER, BEFORE, WARM_UP, Floats

PLACES_MIN: Final = 7  # half of the 13 places of a whole window
HISTORY_MIN: Final = 64  # readings: of the .97 quantile two are then known to be over it

# What is doubted teaches like the rest: it may be the new way, and faults are short.
LEARN_RATE: Final = 0.002  # a memory of 500 readings: a usual fault of 50 is a tenth of it
TAIL_RATE: Final = 0.01  # 50 readings move the tail by half at most
TAIL_QUANTILE: Final = 0.97  # a lively regime that is there 3 % of the time is usual
WINSOR: Final = 3.0
MEAN_MIN: Final = 4  # readings: before, there is no mean to winsorise by
DULL_FLOOR: Final = 1e-3  # of the mean: how small a quantile may be and grow again


@rule
def residual(scratch: Floats, value: float) -> float:
    """Distance of a value from the straight line between its neighbours.

    >>> scratch = np.zeros((8, 32))
    >>> scratch[BEFORE, 0], scratch[AFTER, 0] = 1.0, 3.0
    >>> residual(scratch, 7.0)
    5.0
    """
    return float(abs(value - 0.5 * (scratch[BEFORE, 0] + scratch[AFTER, 0])))


@rule
def count_over(
    scratch: Floats, value: float, sides: tuple[int, int], limits: tuple[float, float, float]
) -> tuple[int, int, int]:
    """Count the places of a window with a residual over each of three limits.

    >>> scratch = np.zeros((8, 32))
    >>> scratch[BEFORE, :3], scratch[AFTER, :3] = (0.0, 9.0, 0.0), (0.0, 0.0, 0.0)
    >>> count_over(scratch, 0.0, (3, 3), (0.0, 4.0, 9.0)), places(3, 3)
    ((2, 2, 0), 5)
    """
    rough = residual(scratch, value)
    first, second, third = int(rough > limits[0]), int(rough > limits[1]), int(rough > limits[2])
    for side in (BEFORE, AFTER):
        line, last = scratch[side], sides[0] if side == BEFORE else sides[1]
        newer = value
        for k in range(last - 1):
            rough = abs(line[k] - 0.5 * (newer + line[k + 1]))
            first += int(rough > limits[0])
            second += int(rough > limits[1])
            third += int(rough > limits[2])
            newer = line[k]
    return first, second, third


@rule
def places(before: int, after: int) -> int:
    """Count the places of a window: all but the outermost on each side."""
    return 1 + max(before - 1, 0) + max(after - 1, 0)


@rule
def learn_usual(trait: Floats, doubt: Floats, rough: float, history: int) -> None:
    """Follow the winsorised mean of the residual, and its .03 quantile."""
    usual, low = doubt[ROUGH_USUAL], doubt[DULL_TAIL]
    floor = floor_of(trait, usual)
    limit = WINSOR * floor if history >= MEAN_MIN else np.inf
    rate = max(LEARN_RATE, 1.0 / (history + 1.0))
    doubt[ROUGH_USUAL] = usual + rate * (min(rough, limit) - usual)
    if history < WARM_UP:
        doubt[DULL_TAIL] = rough if history == 0 else min(low, rough)
    elif rough < low:
        doubt[DULL_TAIL] = low - TAIL_RATE * TAIL_QUANTILE * low
    else:
        least = max(low, DULL_FLOOR * floor)
        doubt[DULL_TAIL] = low + TAIL_RATE * (1.0 - TAIL_QUANTILE) * least


@rule
def learn_tail(trait: Floats, doubt: Floats, majority: int, history: int) -> None:
    """Follow the .97 quantile of a window's median residual: a `majority` is over it if > 0."""
    tail, young = doubt[ROUGH_TAIL], 1.0 / (LEARN_RATE * (history + 1.0))
    rate = min(1.0, TAIL_RATE * max(1.0, young))  # until the memory is full, as it fills
    if majority > 0:
        floor = max(tail, floor_of(trait, doubt[ROUGH_USUAL]))
        doubt[ROUGH_TAIL] = tail + rate * TAIL_QUANTILE * floor
    else:
        doubt[ROUGH_TAIL] = tail - rate * (1.0 - TAIL_QUANTILE) * tail


@rule
def floor_of(trait: Floats, usual: float) -> float:
    """Of a coarse signal most residuals are 0: the least that counts is its resolution."""
    return max(usual, trait[RESOLUTION]) if np.isfinite(trait[RESOLUTION]) else usual
