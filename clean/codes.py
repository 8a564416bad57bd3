"""Finds the numbers in a history that mean "no value"."""

from __future__ import annotations

from typing import Final

import numpy as np

from clean.history import Bools, Floats, History, runs
from clean.limits import FAR_SPANS

CODES_MAX: Final = 8  # a device has a few; more is another thing
RECURS_MIN: Final = 3  # twice may be chance in a coarse signal
# A device that has no value has one again soon; what lasts is a state of the machine: as long as
# the longest burst of the spike rule.
VISIT_MAX: Final = 4  # readings
# What is usual: all but a twentieth at either end, and what lies near to these.
TAIL: Final = 0.05
# A signal with fewer levels switches, and its other level is no code.
LEVELS_MIN: Final = 8


def codes_of(history: History) -> dict[float, int]:
    """Give the values that mean "no value" and how often each came, the most frequent first.

    Those that the judge knew by custom, and any other but 0 that recurs exactly, for moments only,
    further from all usual values than these are apart. 0 is what a quantity at rest reads.
    """
    values = history.value
    found = _counted(values[history.is_code])
    usual = usual_range(values[history.is_sound])
    if usual is not None:
        found |= _recurring(history, usual)
    most = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return dict(most[:CODES_MAX])


def usual_range(values: Floats) -> tuple[float, float] | None:
    """Give the range that a signal is usually in; None for one with few levels.

    It ends where the next value is further away than the range so far is wide.

    >>> usual_range(np.array([*range(20, 40), 55.0, -555.0, 777.0]))
    (20.0, 55.0)
    >>> usual_range(np.array([0.0, 1.0] * 50)) is None
    True
    """
    levels = np.unique(values)
    if len(levels) < LEVELS_MIN:
        return None
    low, high = np.quantile(values, (TAIL, 1.0 - TAIL), method="nearest")
    if np.sum((levels >= low) & (levels <= high)) < LEVELS_MIN:
        return None
    for level in levels[levels > high]:
        if level - high > FAR_SPANS * (high - low):
            break
        high = level
    for level in levels[levels < low][::-1]:
        if low - level > FAR_SPANS * (high - low):
            break
        low = level
    return float(low), float(high)


def _recurring(history: History, usual: tuple[float, float]) -> dict[float, int]:
    """Count the values outside that come alone; one that has others beside it is a reading."""
    is_there = np.isfinite(history.value)
    values = history.value[is_there]
    outside = (values < usual[0]) | (values > usual[1])
    counts = _counted(values[outside])
    level, length = runs(np.where(outside, values, np.inf))
    lasting = set(level[length > VISIT_MAX].tolist())
    mixed = _mixed(values, outside, outside & history.is_sound[is_there])
    return {
        value: count
        for value, count in counts.items()
        if count >= RECURS_MIN and value != 0.0 and value not in mixed | lasting
    }


def _mixed(values: Floats, outside: Bools, sound: Bools) -> set[float]:
    """Give the values outside that have been next to another one, which is sound."""
    both = outside[1:] & outside[:-1] & (values[1:] != values[:-1])
    before, after = values[:-1][both & sound[1:]], values[1:][both & sound[:-1]]
    return set(before.tolist()) | set(after.tolist())


def _counted(values: Floats) -> dict[float, int]:
    levels, counts = np.unique(values, return_counts=True)
    return dict(zip(levels.tolist(), counts.tolist(), strict=True))
