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
from clean.limits import Limits
from clean.state import (
    COUNTER,
    GAUGE,
    HALF,
    HIGHEST,
    LOWEST,
    RESOLUTION,
    SPIKE,
    UNTIMED,
    UNTRUSTED,
    USED,
    State,
)
from clean.window import SEEN, Floats

US_PER_S: Final = 1_000_000.0
# A signal that has reached fewer levels switches between them: its least step is no resolution.
LEVELS_MIN: Final = 8.0


@rule
def is_too_fast(state: State, limits: Limits, tag: int, slot: int, scratch: Floats) -> bool:
    """Tell whether the value changed faster than it can since the last sound reading.

    Of a counter only growth is compared. Where one of the two has no time of its own there is no
    rate: arrivals jitter.

    >>> from clean.limits import limits_of
    >>> from clean.state import new_state
    >>> from contracts.tags import TagRule
    >>> state, scratch = new_state(1), np.zeros((8, 32))
    >>> state.time[0, :3], state.value[0, :3] = (0, 2_000_000, 4_000_000), (20.0, 21.0, 25.0)
    >>> rule = limits_of([TagRule(rate_max=1.0)])
    >>> [is_too_fast(state, rule, 0, slot, scratch) for slot in range(3)]
    [False, False, True]
    """
    before = sound_before(state, tag, slot)
    if before < 0 or (state.mark[tag, slot] | state.mark[tag, before]) & UNTIMED:
        return False
    elapsed = (state.time[tag, slot] - state.time[tag, before]) / US_PER_S
    if elapsed <= 0.0:
        return False
    value, last, kind = state.value[tag, slot], state.value[tag, before], limits.kind[tag]
    change = max(value - last, 0.0) if kind == COUNTER else abs(value - last)
    step = resolution_of(state.trait[tag]) if kind == GAUGE else whole_step(value, last)
    limit = limits.rate_max[tag] + step / elapsed
    scratch[SEEN, SAW_RATE], scratch[SEEN, SAW_RATE_LIMIT] = change / elapsed, limit
    return bool(change / elapsed > limit)


@rule
def sound_before(state: State, tag: int, slot: int) -> int:
    """Find the nearest slot before with a trusted value that is no spike, -1 where there is none.

    The return from a spike is as fast as the way there, and no fault.
    """
    slot -= 1
    while slot >= 0 and state.mark[tag, slot] & (UNTRUSTED | SPIKE):
        slot -= 1
    return slot


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
def whole_step(value: float, last: float) -> float:
    """Give the step of what is counted: one, between whole numbers.

    >>> whole_step(4.0, 3.0), whole_step(4.5, 3.0)
    (1.0, 0.0)
    """
    return 1.0 if np.floor(value) == value and np.floor(last) == last else 0.0


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
