"""All that may be said against a reading without condemning it, rule by rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clean.attenuated import WINDOWS_MIN, dull_limit
from clean.compiled import pasted
from clean.context import is_off
from clean.evidence import SAW_DULL, SAW_DULL_LIMIT, SAW_ROUGH, SAW_ROUGH_LIMIT
from clean.flatline import is_flat
from clean.noise import rough_limit
from clean.roughness import (
    HISTORY_MIN,
    PLACES_MIN,
    count_over,
    learn_tail,
    learn_usual,
    places,
    residual,
)
from clean.state import DULL, HISTORY, ROUGH_TAIL
from clean.window import SEEN
from contracts.quality import Reason

if TYPE_CHECKING:
    from clean.kernel import Desk

FLATLINE_BIT: Final = int(Reason.FLATLINE)
NOISE_BIT: Final = int(Reason.NOISE)
ATTENUATED_BIT: Final = int(Reason.ATTENUATED)


@pasted
def gauge_doubts_of(desk: Desk, tag: int, slot: int, sides: tuple[int, int]) -> int:
    """Sum the reasons of the rules that watch how a gauge moves.

    The trusted neighbours are in the scratch memory, so many before and after. A machine that is
    off holds its values still.
    """
    state, doubts = desk.state, 0
    if is_flat(state, desk.limits, tag, slot, desk.scratch):
        doubts |= FLATLINE_BIT
    if sides[0] > 0 and sides[1] > 0:
        doubts |= roughness_doubts_of(desk, tag, slot, sides)
    if doubts & (FLATLINE_BIT | ATTENUATED_BIT) and is_off(state, desk.machines, tag, slot):
        doubts &= ~(FLATLINE_BIT | ATTENUATED_BIT)
    return doubts


@pasted
def roughness_doubts_of(desk: Desk, tag: int, slot: int, sides: tuple[int, int]) -> int:
    """Compare the roughness of a window with what the tag's ever was, and learn from it."""
    state, scratch, seen = desk.state, desk.scratch, desk.scratch[SEEN]
    value, trait, doubt = state.value[tag, slot], state.trait[tag], state.doubt[tag]
    history, doubts = state.tally[tag, HISTORY], 0
    limits = rough_limit(trait, doubt), dull_limit(doubt), float(doubt[ROUGH_TAIL])
    over, lively, in_tail = count_over(scratch, value, sides, limits)
    if lively == 0:  # what does not move at all is the flatline rule's
        lively = 1 if count_over(scratch, value, sides, (0.0, 0.0, 0.0))[0] == 0 else 0
    all_places = places(*sides)
    is_whole = all_places >= PLACES_MIN and history >= HISTORY_MIN
    doubt[DULL] = doubt[DULL] + 1.0 if is_whole and lively == 0 else 0.0
    seen[SAW_ROUGH], seen[SAW_ROUGH_LIMIT] = over, 0.5 * all_places
    seen[SAW_DULL], seen[SAW_DULL_LIMIT] = doubt[DULL], WINDOWS_MIN
    if is_whole and 2 * over > all_places:
        doubts |= NOISE_BIT
    if doubt[DULL] > WINDOWS_MIN:
        doubts |= ATTENUATED_BIT
    learn_tail(trait, doubt, 2 * in_tail - all_places, history)
    learn_usual(trait, doubt, residual(scratch, value), history)
    return doubts
