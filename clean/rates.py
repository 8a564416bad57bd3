"""The rate rule: a tag changes faster than it was told it can.

The rate of change test of QARTOD (US IOOS, Manual for Real-Time Quality Control) with a limit of
the sensor's data sheet or of physics, |x - x'| / (t - t') <= rate_max, between a reading and the
last sound one before it. A reading shows its quantity to the nearest step of its resolution only,
so two of them may differ by one step more than the quantity did.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from clean.compiled import rule
from clean.context import OFF, Machines, asks, state_at
from clean.evidence import SAW_RATE, SAW_RATE_LIMIT
from clean.moves import Move
from clean.state import HALF, HIGHEST, LOWEST, RESOLUTION, USED, State
from clean.window import Floats

US_PER_S: Final = 1_000_000.0
# A signal that has reached fewer levels switches between them: its least step is no resolution.
LEVELS_MIN: Final = 8.0


@rule
def is_too_fast(move: Move, rate_max: float, step: float, seen: Floats) -> bool:
    """Tell whether the value changed faster than it can; `step` is what a reading may be off by.

    Where one of the two readings has no time of its own there is no rate: arrivals jitter.

    >>> seen = np.zeros(32)
    >>> [is_too_fast(Move(20.0, 0, value, 2_000_000, True), 1.0, 0.5, seen) for value in (22.5, 23)]
    [False, True]
    """
    elapsed = (move.time_us - move.last_us) / US_PER_S
    if np.isnan(move.last) or elapsed <= 0.0 or not move.is_timed:
        return False
    rate, limit = abs(move.value - move.last) / elapsed, rate_max + step / elapsed
    seen[SAW_RATE], seen[SAW_RATE_LIMIT] = rate, limit
    return bool(rate > limit)


@rule
def resolution_of(trait: Floats) -> float:
    """Give the resolution of a gauge, 0 while it has reached less than LEVELS_MIN levels.

    >>> from clean.state import TRAITS
    >>> trait = np.zeros(TRAITS)
    >>> trait[RESOLUTION], trait[HIGHEST] = 0.5, 20.0
    >>> resolution_of(trait)
    0.5
    >>> trait[HIGHEST] = 0.5
    >>> resolution_of(trait)
    0.0
    """
    step = trait[RESOLUTION]
    if not np.isfinite(step) or trait[HIGHEST] - trait[LOWEST] < LEVELS_MIN * step:
        return 0.0
    return float(step)


@rule
def whole_step(move: Move) -> float:
    """Give the step of what is counted: one, between whole numbers.

    >>> whole_step(Move(3.0, 0, 4.0, 1, True)), whole_step(Move(3.0, 0, 4.5, 1, True))
    (1.0, 0.0)
    """
    return 1.0 if move.value == np.floor(move.value) and move.last == np.floor(move.last) else 0.0


@rule
def is_settling(state: State, machines: Machines, tag: int, slot: int, last: int) -> bool:
    """Tell whether the machine is off, or was in another state within the window of a reading.

    The window are the seven readings before and those up to the slot `last`. A machine that
    starts or stops moves everything about it, for as long as the window in which a step settles.
    """
    if not asks(machines, tag):
        return False
    held = state_at(state, machines, tag, state.time[tag, slot])
    found = held == OFF
    for k in range(max(slot - HALF, 0), min(last, state.tally[tag, USED] - 1) + 1):
        other = state_at(state, machines, tag, state.time[tag, k])
        found |= other != held and not (np.isnan(other) and np.isnan(held))
    return bool(found)
