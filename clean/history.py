"""What the history of a tag shows: its usual interval, its steps, where it stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

ROUNDING: Final = 2.0**-22  # twice that of a 32-bit float: a smaller relative step is no step
# Steps of a quantised signal are whole multiples of one; faults and a change of the setting may
# make a few that are not.
WHOLE_SHARE: Final = 0.95
WHOLE_TOLERANCE: Final = 0.01  # of the step: what is left by a decimal number in binary
GAP_INTERVALS: Final = 5.0  # as in clean.window: longer pauses are gaps
# Where a signal stays: for at least a window of the spike rule, and for so long that it is not by
# chance: the share of repeats elsewhere, to the power of the length, is below one in a billion.
STAY_MIN: Final = 15  # readings
CHANCE_MAX: Final = 1e-9
US_PER_S: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class History:
    """Readings of one tag in order of time, each time once; arrays of one length.

    `value` is as it came, NaN where there is none. Sound is what a judge who knew no limit did not
    call BAD; of codes it knew by custom that they mean "no value".
    """

    time_us: npt.NDArray[np.int64]
    value: Floats
    is_sound: Bools
    is_code: Bools

    def without(self, codes: tuple[float, ...]) -> History:
        """Give the same history, in which these values are not sound."""
        sound = self.is_sound & ~np.isin(self.value, codes)
        return History(self.time_us, self.value, sound, self.is_code)


class Runs(NamedTuple):
    """Readings in a row that have one value, run by run; arrays of one length."""

    value: Floats
    length: npt.NDArray[np.int64]


def interval_s(history: History) -> float | None:
    """Give the median time between two readings in seconds; None for fewer than two."""
    steps = np.diff(history.time_us)
    return float(np.median(steps)) / US_PER_S if len(steps) else None


def resolution(values: Floats) -> float | None:
    """Give the step of which nearly all steps are whole multiples; None where there is none.

    >>> resolution(np.array([20.0, 20.5, 21.5, 21.5, 20.0]))
    0.5
    >>> resolution(np.array([20.0, 20.1237, 21.7, 20.337, 20.913])) is None
    True
    """
    levels = np.unique(values)
    steps = np.diff(levels)
    steps = steps[steps > ROUNDING * np.abs(levels[1:])]
    if len(steps) == 0 or len(levels) > len(values) / 2 + 2:
        return None
    step = float(np.min(steps))
    multiples = steps / step
    off = np.abs(multiples - np.round(multiples))
    share = np.mean(off <= np.maximum(WHOLE_TOLERANCE, ROUNDING * multiples))
    return float(f"{step:.6g}") if share >= WHOLE_SHARE else None


def runs(values: Floats) -> Runs:
    """Give the readings in a row that have one value.

    >>> runs(np.array([1.0, 1.0, 2.0]))
    Runs(value=array([1., 2.]), length=array([2, 1]))
    """
    begins = np.flatnonzero(np.append(True, values[1:] != values[:-1])[: len(values)])
    return Runs(values[begins], np.diff(np.append(begins, len(values))))


def stays(values: Floats) -> dict[float, list[int]]:
    """Give for each value at which the signal stayed for long how long, in readings, each time.

    The likelihood of a run under the tag's usual share of repeats: as the rule for a stuck sensor.

    >>> lively = np.arange(100.0) % 7
    >>> stays(np.concatenate([lively, np.zeros(40), lively + 1.0, np.zeros(30)]))
    {0.0: [40, 30]}
    """
    value, length = runs(values)
    is_long = length >= STAY_MIN
    short = length[~is_long]
    repeats = (short.sum() - len(short) + 1) / (short.sum() + 2)  # nothing seen is no certainty
    is_long &= repeats ** length.astype(np.float64) < CHANCE_MAX
    found: dict[float, list[int]] = {}
    for level, count in zip(value[is_long].tolist(), length[is_long].tolist(), strict=True):
        found.setdefault(level, []).append(count)
    return found


def fastest(history: History) -> float | None:
    """Give the largest change a second between sound readings next to one another, no gap between.

    None where there are no two such.
    """
    usual = interval_s(history)
    if usual is None:
        return None
    elapsed = np.diff(history.time_us) / US_PER_S
    near = (elapsed > 0) & (elapsed <= GAP_INTERVALS * usual)
    near &= history.is_sound[1:] & history.is_sound[:-1]
    if not near.any():
        return None
    return float(np.max(np.abs(np.diff(history.value))[near] / elapsed[near]))
