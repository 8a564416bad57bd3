"""The flatline rule: a value is held for longer than chance would hold it.

The share p of readings that repeat the one before is learned of each tag, so n repeats in a row
have the likelihood p ** n. A coarse signal, which often repeats itself, may be held for long, and a
fine one may not; no number of readings needs to be told. A plain count of repeats, as the flat line
test of QARTOD (US IOOS, Manual for Real-Time Quality Control) has it, cannot serve both.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from clean.compiled import pasted, rule
from clean.evidence import SAW_FLAT, SAW_FLAT_LIMIT
from clean.limits import Limits, is_listed
from clean.state import (
    CHANGE_US,
    CHANGES,
    HALF,
    HISTORY,
    LOWEST,
    REST_VALUE,
    REST_VISITS,
    STUCK,
    UNTRUSTED,
    USED,
    State,
)
from clean.window import SEEN, WARM_UP, Floats

LOG_LIKELIHOOD: Final = float(np.log(1e-9))  # one alarm in a century of a reading every 3 seconds
REPEATS_MIN: Final = 8  # half a window: fewer are over before anybody could look
LEARN_RATE: Final = 0.002  # a memory of 500 readings, as that of roughness
# A repeat that comes so much later than changes do is a sign of life: the source reports changes,
# and in between that it is still there.
HEARTBEAT: Final = 2.0
# Long stays at one value to the last digit that make it a place of rest: to get stuck twice at the
# same of a hundred values is a matter of a hundredth.
VISITS_MIN: Final = 2.0
VISITS_MOST: Final = 4.0  # as many stays elsewhere make it forgotten


@pasted
def is_flat(state: State, limits: Limits, tag: int, slot: int, scratch: Floats) -> bool:
    """Count how often the value has been repeated, learn from it, and say whether it is stuck.

    The repeats ahead in the window count too, so that a run is known from its second reading on.
    """
    value, before = state.value[tag, slot], trusted_before(state, tag, slot)
    doubt, scratch[SEEN, SAW_FLAT] = state.doubt[tag], np.nan
    if before < 0:
        return False
    if value != state.value[tag, before]:
        held = state.value[tag, before]
        run = doubt[STUCK]
        if run <= REPEATS_MIN or run <= repeats_limit(doubt[CHANGES]):  # spares the logarithm
            learn_repeats(doubt, learn_rate(state, tag))
        elif not is_least_zero(state, tag, held):
            visit(doubt, held)
        interval = state.time[tag, slot] - state.time[tag, before]
        learn_changes(doubt, interval, learn_rate(state, tag))
        doubt[STUCK] = 0.0
        return False
    run = doubt[STUCK] + repeats_between(state, tag, before, slot)
    doubt[STUCK] = run
    total, limit = run + repeats_ahead(state, tag, slot), repeats_limit(doubt[CHANGES])
    scratch[SEEN, SAW_FLAT], scratch[SEEN, SAW_FLAT_LIMIT] = total, limit
    if total <= limit:
        return False
    return state.tally[tag, HISTORY] >= WARM_UP and not rests(state, limits, tag, value)


@rule
def repeats_limit(changes: float) -> float:
    """How many repeats in a row chance may make, where this share of readings are changes.

    >>> repeats_limit(1.0), round(repeats_limit(0.5)), repeats_limit(0.0)
    (8.0, 30, inf)
    """
    if changes <= 0.0:
        return np.inf
    if changes >= 1.0:
        return float(REPEATS_MIN)
    return float(max(REPEATS_MIN, LOG_LIKELIHOOD / np.log(1.0 - changes)))


@rule
def trusted_before(state: State, tag: int, slot: int) -> int:
    """Find the nearest trusted slot before, -1 where there is none."""
    slot -= 1
    while slot >= 0 and state.mark[tag, slot] & UNTRUSTED:
        slot -= 1
    return slot


@rule
def repeats_between(state: State, tag: int, before: int, slot: int) -> float:
    """Count the repeat at `slot`, unless it is a sign of life."""
    usual = state.doubt[tag, CHANGE_US]
    interval = state.time[tag, slot] - state.time[tag, before]
    return 0.0 if 0.0 < HEARTBEAT * usual < interval else 1.0


@rule
def repeats_ahead(state: State, tag: int, slot: int) -> float:
    """Count the repeats that follow within the window."""
    value, last, count = state.value[tag, slot], slot, 0.0
    for k in range(slot + 1, min(slot + HALF + 1, state.tally[tag, USED])):
        if state.mark[tag, k] & UNTRUSTED:
            continue
        if state.value[tag, k] != value:
            break
        count += repeats_between(state, tag, last, k)
        last = k
    return count


@rule
def learn_rate(state: State, tag: int) -> float:
    """Learn from a young tag by the plain mean."""
    return float(max(LEARN_RATE, 1.0 / (state.tally[tag, HISTORY] + 2.0)))


@rule
def learn_repeats(doubt: Floats, rate: float) -> None:
    """Learn from a run of repeats that is over, so that none moves the limit that it is held to."""
    if doubt[STUCK] > 0.0:
        doubt[CHANGES] *= (1.0 - rate) ** doubt[STUCK]


@rule
def learn_changes(doubt: Floats, interval: float, rate: float) -> None:
    """Note a change, and how long after the reading before it came."""
    doubt[CHANGES] += rate * (1.0 - doubt[CHANGES])
    usual = doubt[CHANGE_US]
    step = min(interval, HEARTBEAT * usual) - usual
    doubt[CHANGE_US] = interval if usual == 0.0 else usual + rate * step


@rule
def visit(doubt: Floats, value: float) -> None:
    """Count the long stays at one value by a majority vote, as for codes.

    A sensor gets stuck where it happens to be; a machine comes to rest where it always does.
    """
    if doubt[REST_VISITS] == 0.0:
        doubt[REST_VALUE] = value
    step = 1.0 if doubt[REST_VALUE] == np.float32(value) else -1.0
    doubt[REST_VISITS] = min(doubt[REST_VISITS] + step, VISITS_MOST)


@rule
def rests(state: State, limits: Limits, tag: int, value: float) -> bool:
    """Tell whether the tag may hold this value: told, learned, or the zero of what is never less.

    >>> from clean.limits import limits_of
    >>> from clean.state import new_state
    >>> from contracts.tags import TagRule
    >>> state, limits = new_state(1), limits_of([TagRule(rest=(4.0,))])
    >>> state.trait[0, LOWEST] = 0.0
    >>> [rests(state, limits, 0, value) for value in (4.0, 0.0, 20.0)]
    [True, True, False]
    """
    doubt = state.doubt[tag]
    if doubt[REST_VISITS] >= VISITS_MIN and doubt[REST_VALUE] == np.float32(value):
        return True
    return is_least_zero(state, tag, value) or is_listed(limits.rests, tag, value)


@rule
def is_least_zero(state: State, tag: int, value: float) -> bool:
    """Tell whether a value is the zero of what is never less: nothing flows, nothing is drawn."""
    return bool(value == 0.0 and state.trait[tag, LOWEST] >= 0.0)
