"""The state rule: a code that was not told, or a state that chatters.

A contact that chatters goes to and fro between two states. How often a tag does so is learned as
the share p of its readings that go back to the state before the last; chatter is that it does so
at every second reading. The sum of the log-likelihood ratios of the two, cut off below at 0, is
the test of E. S. Page, Continuous inspection schemes, Biometrika 41 (1954): with a limit of
-log(1e-9) it alarms by chance once in a billion readings. States in a row that are all different
are a machine that starts.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from clean.compiled import rule
from clean.evidence import SAW_BURST, SAW_BURST_LIMIT
from clean.limits import Lists, is_listed
from clean.moves import Move
from clean.state import BURST, HELD_BEFORE, RETURNS, STATES_SEEN
from clean.window import Floats

LIMIT: Final = float(-np.log(1e-9))
CHATTER_SHARE: Final = 0.5  # every second reading
# Chatter is at least twice as often as usual. A tag that usually changes as often as that, or that
# only ever reports changes, cannot be told to chatter.
USUAL_MAX: Final = 0.25
WARM_UP: Final = 32  # readings, as of the spike rule
MEMORY: Final = 200  # readings, as of the flatline rule
BURST_RATE: Final = 0.25  # what is doubted teaches less, but it does: it may be the new way


@rule
def is_unknown(states: Lists, tag: int, value: float) -> bool:
    """Tell whether the states of the tag were told and this is none of them.

    >>> from clean.limits import lists_of
    >>> states = lists_of([(0.0, 1.0), ()])
    >>> is_unknown(states, 0, 1.0), is_unknown(states, 0, 7.0), is_unknown(states, 1, 7.0)
    (False, True, False)
    """
    return bool(states.length[tag] > 0 and not is_listed(states, tag, value))


@rule
def chatters(move: Move, doubt: Floats, seen: Floats) -> bool:
    """Tell whether a change belongs to a burst of changes to and fro, and learn from it.

    Only the changes of a burst are doubted: what is held in between may be true.
    """
    if np.isnan(move.last):
        return False
    is_change = move.value != move.last
    returned = 1.0 if is_change and np.float32(move.value) == doubt[HELD_BEFORE] else 0.0
    if is_change:
        doubt[HELD_BEFORE] = move.last
    usual = usual_share(doubt)
    burst = max(doubt[BURST] + evidence_of(returned, usual), 0.0) if usual < USUAL_MAX else 0.0
    doubt[BURST] = min(burst, LIMIT + evidence_of(1.0, usual))  # so that it ends when it does
    if returned > 0.0:
        seen[SAW_BURST], seen[SAW_BURST_LIMIT] = burst, LIMIT
    is_burst = burst > LIMIT and doubt[STATES_SEEN] >= WARM_UP
    learn(doubt, returned, BURST_RATE if is_burst else 1.0)
    return bool(is_burst and returned > 0.0)


@rule
def usual_share(doubt: Floats) -> float:
    """Give the share of returns; one in as many as were seen at least: none seen is no certainty.

    >>> from clean.state import DOUBTS
    >>> doubt = np.zeros(DOUBTS)
    >>> doubt[STATES_SEEN] = 98
    >>> usual_share(doubt)
    0.01
    """
    return float(max(doubt[RETURNS], 1.0 / (doubt[STATES_SEEN] + 2.0)))


@rule
def evidence_of(returned: float, usual: float) -> float:
    """Give the log of how much likelier it is in chatter than usual; 1 for a return, 0 for none.

    >>> round(evidence_of(1.0, 0.01), 2), round(evidence_of(0.0, 0.01), 2)
    (3.91, -0.68)
    """
    if returned > 0.0:
        return float(np.log(CHATTER_SHARE / usual))
    return float(np.log((1.0 - CHATTER_SHARE) / (1.0 - usual)))


@rule
def learn(doubt: Floats, returned: float, share: float) -> None:
    """Follow the share of returns, of a young tag by the plain mean."""
    rate = share / (doubt[STATES_SEEN] + 2.0)
    doubt[RETURNS] += rate * (returned - doubt[RETURNS])
    doubt[STATES_SEEN] = min(doubt[STATES_SEEN] + 1.0, float(MEMORY))
