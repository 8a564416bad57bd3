"""What may be said against a reading by the kind of its tag, or by what was told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clean.compiled import pasted
from clean.counters import ran_backwards
from clean.inventories import is_no_count
from clean.neighbours import stands_apart
from clean.rates import is_settling, is_too_fast
from clean.spikes import FOUND
from clean.state import COUNTER, GAUGE, INVENTORY, STATE, UNTRUSTED, WAVEFORM
from clean.states import chatters, is_unknown
from contracts.quality import Reason

if TYPE_CHECKING:
    from clean.kernel import Desk

RATE_BIT: Final = int(Reason.RATE)
COUNTER_BIT: Final = int(Reason.COUNTER)
INVENTORY_BIT: Final = int(Reason.INVENTORY)
STATE_BIT: Final = int(Reason.STATE)
NEIGHBOUR_BIT: Final = int(Reason.NEIGHBOUR)


@pasted
def doubts_of(desk: Desk, tag: int, slot: int, spike: int) -> int:
    """Sum the reasons of the rules that go by kind, or by what was told; all say UNCERTAIN.

    A gauge of which nothing was told costs one branch.
    """
    state, limits, kind, doubts = desk.state, desk.limits, desk.limits.kind[tag], 0
    if (kind == GAUGE and not limits.is_told[tag]) or kind == WAVEFORM:
        return doubts
    if state.mark[tag, slot] & UNTRUSTED or spike == FOUND:
        return doubts
    value, scratch = state.value[tag, slot], desk.scratch
    if kind == COUNTER and ran_backwards(state, limits, tag, slot, scratch):
        doubts |= COUNTER_BIT
    if kind == INVENTORY and is_no_count(state.doubt[tag], value):
        doubts |= INVENTORY_BIT
    if kind == STATE and chatters(state, tag, slot, scratch):
        doubts |= STATE_BIT
    if is_unknown(limits, tag, value):
        doubts |= STATE_BIT
    if kind != STATE and limits.rate_max[tag] > 0.0:
        # only a gauge has waited for what comes after it
        last = slot + 1 if kind == GAUGE else slot
        is_fast = is_too_fast(state, limits, tag, slot, scratch)
        if is_fast and not is_settling(state, desk.machines, tag, slot, last):
            doubts |= RATE_BIT
    if kind == GAUGE and desk.company.length[tag] > 0:
        doubts |= NEIGHBOUR_BIT if stands_apart(state, desk.company, tag, slot, scratch) else 0
    return doubts
