"""What may be said against a reading by the kind of its tag, or by what was told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clean.compiled import pasted
from clean.counters import ran_backwards
from clean.inventories import is_no_count
from clean.moves import Move, move_to
from clean.neighbours import stands_apart
from clean.rates import is_settling, is_too_fast, resolution_of, whole_step
from clean.spikes import FOUND
from clean.state import COUNTER, GAUGE, INTERVAL, INVENTORY, STATE, UNTRUSTED, WAVEFORM
from clean.states import chatters, is_unknown
from clean.window import SEEN
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
    state, limits, kind, doubts = desk.state, desk.limits, desk.state.kind[tag], 0
    if (kind == GAUGE and not limits.is_told[tag]) or kind == WAVEFORM:
        return doubts
    if state.mark[tag, slot] & UNTRUSTED or spike == FOUND:
        return doubts
    move = move_to(slot, state.value[tag], state.time[tag], state.mark[tag])
    seen = desk.scratch[SEEN]
    if kind == COUNTER:
        usual_us, rollover = state.trait[tag, INTERVAL], limits.rollover[tag]
        if ran_backwards(move, usual_us, rollover, state.doubt[tag], seen):
            doubts |= COUNTER_BIT
    if kind == INVENTORY and is_no_count(state.doubt[tag], move.value):
        doubts |= INVENTORY_BIT
    if kind == STATE and chatters(move, state.doubt[tag], seen):
        doubts |= STATE_BIT
    if limits.is_told[tag]:
        doubts |= told_doubts_of(desk, tag, slot, move)
    return doubts


@pasted
def told_doubts_of(desk: Desk, tag: int, slot: int, move: Move) -> int:
    """Sum the reasons of the rules that look only where they were told what to look for."""
    state, limits, kind, doubts = desk.state, desk.limits, desk.state.kind[tag], 0
    if is_unknown(limits.states, tag, move.value):
        doubts |= STATE_BIT
    if limits.rate_max[tag] > 0.0 and kind != STATE:
        # of a counter only growth has a rate; only a gauge has waited for what comes after it
        step = resolution_of(state.trait[tag]) if kind == GAUGE else whole_step(move)
        is_fast = is_too_fast(move, limits.rate_max[tag], step, desk.scratch[SEEN])
        last = slot + 1 if kind == GAUGE else slot
        is_fall = kind == COUNTER and move.value < move.last
        if is_fast and not is_fall and not is_settling(state, desk.machines, tag, slot, last):
            doubts |= RATE_BIT
    if kind == GAUGE and desk.company.length[tag] > 0:
        learned = state.trait[tag], state.doubt[tag]
        if stands_apart(move, desk.company, tag, learned, desk.scratch):
            doubts |= NEIGHBOUR_BIT
    return doubts
