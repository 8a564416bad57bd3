"""All that may be said against a reading without condemning it, rule by rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clean.compiled import pasted

if TYPE_CHECKING:
    from clean.kernel import Desk


@pasted
def doubts_of(desk: Desk, tag: int, slot: int, spike: int) -> int:
    """Sum the reasons of the rules that say UNCERTAIN of the reading in a slot.

    `spike` is what the spike rule said. Each rule looks at the slots up to HALF ahead: those
    beyond may still change places.
    """
    return 0
