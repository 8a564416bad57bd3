"""The spike rule: a centred dual-window Hampel test with floors.

Reference of the plain test: F. R. Hampel, The influence curve and its role in robust estimation,
J. Am. Stat. Assoc. 69 (1974). A median of quantised or resting data has no deviation, so the scale
never falls below what the tag's residuals usually are, nor below their tail. Both windows are
centred: the first reading of a new level lies with the majority and stays.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from clean.compiled import pasted, rule
from clean.evidence import (
    SAW_EDGE,
    SAW_EDGE_LIMIT,
    SAW_MEDIAN,
    SAW_NEAR,
    SAW_NEAR_LIMIT,
    SAW_RUN,
    SAW_RUN_LIMIT,
    SAW_WIDE,
    SAW_WIDE_LIMIT,
)
from clean.network import LANES, sort_sixteen
from clean.state import (
    HISTORY,
    NEAR_SCALE,
    NEAR_TAIL,
    RESOLUTION,
    RUN,
    WIDE_SCALE,
    WIDE_TAIL,
    State,
)
from clean.window import AFTER, BEFORE, RAW, SEEN, SORTED, Floats

SOUND: Final = 0
SUSPECT: Final = 1
FOUND: Final = 2

# So many neighbours on each side make a verdict: in a window of nine a burst of four is still
# the minority, and the first reading of a new level is the majority. With fewer a step cannot be
# told from a spike.
SIDE_MIN: Final = 4
RETURN_MIN: Final = 2  # readings that lie where the value came from: one could be the next fault
WARM_UP: Final = 32  # readings, two windows: before, the scales are too young to condemn

MAD_TO_SIGMA: Final = 1.4826  # of a normal distribution
MEAN_TO_SIGMA: Final = 1.2533  # sqrt(pi / 2)
TAIL_TO_SIGMA: Final = 2.2  # the .97 quantile of |x| of a normal distribution is 2.17 sigma
TAIL_QUANTILE: Final = 0.97  # up to 3 % of residuals may be faults and not widen it
WIDE_LIMIT: Final = 5.0  # sigma: one sound normal reading in two million
NEAR_LIMIT: Final = 5.5  # sigma: the median of five is rougher than that of fifteen
NEAR_MADS: Final = 1.5  # what is usual among the fifteen is no spike among the five
NEAR_RANGES: Final = 2.0  # nor is what the four neighbours do among themselves
# The quantile is followed by steps of five percent and swings by some of them: within four, what
# goes to and fro by even steps is not known to be beyond it.
RUN_TAILS: Final = 1.2
BURST_MAX: Final = 4  # readings: the longest run that leaves a window of nine its majority
RESOLUTIONS: Final = 8.0  # steps: of a coarse signal a few steps are no event

LEARN_RATE: Final = 0.005  # a memory of 200 readings: many windows, and shorter than most regimes
WINSOR: Final = 3.0  # sigma: what one residual may at most count, so that a fault moves little
TAIL_RATE: Final = 0.05  # the tail's memory is as long: it falls by half in 460 readings
WINSOR_MIN: Final = 16  # readings, one window: before, there is no scale to winsorise by

ROUNDING: Final = 2.0**-23  # of a 32-bit float: a smaller relative step is no step
HISTORY_MAX: Final = 1 << 14  # only "many" matters


@pasted
def judge_spike(
    state: State, tag: int, value: float, sides: tuple[int, int], scratch: Floats
) -> int:
    """Judge a value by the neighbours in `scratch`, and learn the tag's scales from it.

    There are at least SIDE_MIN on each side; as many as the shorter side has are used of both.
    Notes in the state how many of the next readings belong to the same run.
    """
    side = min(sides[0], sides[1])
    size = sort_window(value, side, side, scratch)
    median = scratch[SORTED, side]
    mad = deviation(scratch, size)
    wide = abs(value - median)
    near, spread = inner_residual(value, scratch)
    verdict = SOUND
    trait, seen = state.trait[tag], scratch[SEEN]
    seen[SAW_MEDIAN] = median
    seen[SAW_WIDE], seen[SAW_WIDE_LIMIT] = wide, wide_limit(trait, mad)
    seen[SAW_NEAR], seen[SAW_NEAR_LIMIT] = near, near_limit(trait, spread, mad)
    is_far = wide > seen[SAW_WIDE_LIMIT] or near > seen[SAW_NEAR_LIMIT]
    run = run_ahead(trait, value, side, mad, scratch)
    if run >= 0 or is_far:
        verdict = FOUND if state.tally[tag, HISTORY] >= WARM_UP else SUSPECT
    if verdict == FOUND:
        state.tally[tag, RUN] = max(run, 0)
    learn(state, tag, (wide, near), value, abs(value - scratch[BEFORE, 0]))
    return verdict


@rule
def is_wide(trait: Floats, residual: float, mad: float) -> bool:
    """Test the residual from the median of the whole window."""
    return bool(residual > wide_limit(trait, mad))


@rule
def wide_limit(trait: Floats, mad: float) -> float:
    """Say how far from the median of the whole window a value may be."""
    floor = max(trait[WIDE_SCALE], trait[WIDE_TAIL] / TAIL_TO_SIGMA)
    limit = WIDE_LIMIT * max(MAD_TO_SIGMA * mad, floor)
    return float(max(limit, RESOLUTIONS * trait[RESOLUTION]))


@rule
def near_limit(trait: Floats, spread: float, mad: float) -> float:
    """Say how far from the median of five; `spread` is the range of the other four."""
    limit = NEAR_LIMIT * max(trait[NEAR_SCALE], trait[NEAR_TAIL] / TAIL_TO_SIGMA)
    limit = max(limit, NEAR_MADS * mad, NEAR_RANGES * spread)
    return float(max(limit, RESOLUTIONS * trait[RESOLUTION]))


@rule
def run_ahead(trait: Floats, value: float, side: int, mad: float, scratch: Floats) -> int:
    """Count the readings after the value that depart with it, in a short run that comes back.

    -1 where it is in no such run. The inner test with the run in the place of the value: what
    counts is how far even the nearest of the run is outside the two readings before the run and
    the two after it. The limit does not grow with the run: however far a signal wanders in that
    time, a run begins and ends with a step between two readings, and two so rare steps, against
    one another and so near, are rarer than the one beside a single reading. Not of a tag that often
    goes to and fro: a run is a fifth farther out than the .97 quantile of all readings.
    """
    floor = NEAR_LIMIT * max(trait[NEAR_SCALE], trait[NEAR_TAIL] / TAIL_TO_SIGMA)
    floor = max(floor, NEAR_MADS * mad, RESOLUTIONS * trait[RESOLUTION])
    if abs(value - scratch[SORTED, side]) <= max(floor, RUN_TAILS * trait[WIDE_TAIL]):
        return -1
    for length in range(2, BURST_MAX + 1):
        for before in range(length):
            after = length - 1 - before
            if max(before, after) + 2 > side:
                continue
            departure, spread = departure_of(value, before, after, scratch)
            limit = max(floor, NEAR_RANGES * spread)
            if departure > limit:
                scratch[SEEN, SAW_RUN], scratch[SEEN, SAW_RUN_LIMIT] = departure, limit
                return after
    return -1


@rule
def departure_of(value: float, before: int, after: int, scratch: Floats) -> tuple[float, float]:
    """How far the nearest of a run is outside the four readings around it, and their range.

    The run is the value with so many neighbours before and after it.

    >>> scratch = np.zeros((7, 15))
    >>> scratch[BEFORE, :3], scratch[AFTER, :2] = (8.0, 1.0, 2.0), (2.0, 1.0)
    >>> departure_of(9.0, 1, 0, scratch)
    (6.0, 1.0)
    """
    low = high = scratch[BEFORE, before]
    for one in (scratch[BEFORE, before + 1], scratch[AFTER, after], scratch[AFTER, after + 1]):
        low, high = min(low, one), max(high, one)
    least, most = value, value
    for k in range(before):
        least, most = min(least, scratch[BEFORE, k]), max(most, scratch[BEFORE, k])
    for k in range(after):
        least, most = min(least, scratch[AFTER, k]), max(most, scratch[AFTER, k])
    return max(least - high, low - most), high - low


@pasted
def judge_lopsided(
    state: State, tag: int, value: float, sides: tuple[int, int], scratch: Floats
) -> int:
    """Judge a value that has few neighbours on one side.

    Far from the others it is suspect. It is found a spike only where the RETURN_MIN farthest on
    the short side lie with those on the long one: what has returned was no step.
    """
    before, after = sides
    if (before + after) % 2:  # an odd window has a middle
        before, after = (before - 1, after) if before > after else (before, after - 1)
    if before + after < SIDE_MIN or state.tally[tag, HISTORY] < WARM_UP:
        return SOUND
    size = sort_window(value, before, after, scratch)
    median, mad = scratch[SORTED, size // 2], deviation(scratch, size)
    scratch[SEEN, SAW_EDGE] = abs(value - median)
    scratch[SEEN, SAW_EDGE_LIMIT] = wide_limit(state.trait[tag], mad)
    if not is_wide(state.trait[tag], abs(value - median), mad):
        return SOUND
    source, few = (BEFORE, before) if before < after else (AFTER, after)
    returned = few >= RETURN_MIN
    for k in range(max(few - RETURN_MIN, 0), few):
        returned &= not is_wide(state.trait[tag], abs(scratch[source, k] - median), mad)
    return FOUND if returned else SUSPECT


@rule
def sort_window(value: float, before: int, after: int, scratch: Floats) -> int:
    """Sort a value and its nearest neighbours; return how many they are.

    One network sorts a window of any size: what is not there is larger than all that is.
    """
    raw, size = scratch[RAW], before + after + 1
    raw[0] = value
    for k in range(before):
        raw[1 + k] = scratch[BEFORE, k]
    for k in range(after):
        raw[1 + before + k] = scratch[AFTER, k]
    for k in range(size, LANES):
        raw[k] = np.inf
    sort_sixteen(raw, scratch[SORTED])
    return size


@rule
def deviation(scratch: Floats, size: int) -> float:
    """Median of the absolute deviations from the median of `size` sorted values, `size` odd.

    The deviations of the two halves are in order already, so no second sort is needed: of two
    sorted rows the m-th smallest is the least, over all i, of the larger of the i-th of one and
    the (m - i)-th of the other.

    >>> scratch = np.zeros((7, 15))
    >>> scratch[SORTED, :5] = (1.0, 2.0, 3.0, 7.0, 99.0)
    >>> deviation(scratch, 5)
    2.0
    """
    line, middle, found = scratch[SORTED], size // 2, np.inf
    for below in range(middle + 1):
        low, high = line[middle - below], line[size - 1 - below]
        found = min(found, max(line[middle] - low, high - line[middle]))
    return found


@rule
def inner_residual(value: float, scratch: Floats) -> tuple[float, float]:
    """Distance from the median of five, and the range of the four neighbours.

    The median of a value and four others is the value clamped between the middle two.

    >>> scratch = np.zeros((7, 15))
    >>> scratch[BEFORE, :2], scratch[AFTER, :2] = (1.0, 2.0), (3.0, 4.0)
    >>> inner_residual(10.0, scratch)
    (7.0, 3.0)
    """
    low1, high1 = (
        min(scratch[BEFORE, 0], scratch[BEFORE, 1]),
        max(scratch[BEFORE, 0], scratch[BEFORE, 1]),
    )
    low2, high2 = (
        min(scratch[AFTER, 0], scratch[AFTER, 1]),
        max(scratch[AFTER, 0], scratch[AFTER, 1]),
    )
    lower, upper = max(low1, low2), min(high1, high2)
    below, above = min(lower, upper), max(lower, upper)
    return max(below - value, value - above, 0.0), max(high1, high2) - min(low1, low2)


@pasted
def learn(
    state: State, tag: int, residuals: tuple[float, float], value: float, step: float
) -> None:
    """Follow the tag's usual residuals and its resolution."""
    trait, history = state.trait[tag], state.tally[tag, HISTORY]
    wide, near = residuals
    trait[WIDE_SCALE], trait[WIDE_TAIL] = followed(
        trait[WIDE_SCALE], trait[WIDE_TAIL], wide, trait[RESOLUTION], history
    )
    trait[NEAR_SCALE], trait[NEAR_TAIL] = followed(
        trait[NEAR_SCALE], trait[NEAR_TAIL], near, trait[RESOLUTION], history
    )
    if ROUNDING * abs(value) < step < trait[RESOLUTION]:
        trait[RESOLUTION] = step
    state.tally[tag, HISTORY] = min(history + 1, HISTORY_MAX)


@rule
def followed(
    scale: float, tail: float, residual: float, resolution: float, history: int
) -> tuple[float, float]:
    """Bring a winsorised, exponentially weighted sigma and a tail quantile up to date."""
    floor = resolution if np.isfinite(resolution) else 0.0
    limit = WINSOR * max(scale, floor) if history >= WINSOR_MIN else np.inf
    rate = max(LEARN_RATE, 1.0 / (history + 1))
    scale += rate * (min(MEAN_TO_SIGMA * residual, limit) - scale)
    if history < WARM_UP:  # the largest of 32 is about the .97 quantile
        return scale, max(tail, min(residual, limit))
    if residual > tail:
        return scale, tail + TAIL_RATE * TAIL_QUANTILE * max(tail, scale, floor)
    return scale, tail - TAIL_RATE * (1.0 - TAIL_QUANTILE) * tail
