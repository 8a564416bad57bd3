"""Where the rules write down what they saw of a reading, for a person who asks why."""

from __future__ import annotations

from typing import Final, NamedTuple

from contracts.quality import Reason

# Columns of the row SEEN of the kernel's scratch memory: a quantity and its limit stand side by
# side. A rule writes them whatever its verdict: `scratch[SEEN, SAW_FLAT] = run`. What it did not
# look at stays NaN. Whoever adds a column gives it its words in LOOKS.
SAW_MEDIAN: Final = 0  # of the window
SAW_WIDE: Final = 1  # distance from the median
SAW_WIDE_LIMIT: Final = 2
SAW_NEAR: Final = 3  # distance from the median of five
SAW_NEAR_LIMIT: Final = 4
SAW_RUN: Final = 5  # how far a run of up to four lies outside of what is around it
SAW_RUN_LIMIT: Final = 6
SAW_EDGE: Final = 7  # distance from the median of a lopsided window, at a gap or an end
SAW_EDGE_LIMIT: Final = 8
SAW_FLAT: Final = 9  # repeats of one value in a row
SAW_FLAT_LIMIT: Final = 10
SAW_ROUGH: Final = 11  # how many places of the window are rough
SAW_ROUGH_LIMIT: Final = 12
SAW_DULL: Final = 13  # how many windows in a row are dull
SAW_DULL_LIMIT: Final = 14
SAW_RATE: Final = 15  # change a second
SAW_RATE_LIMIT: Final = 16
SAW_APART: Final = 17  # difference from the neighbouring sensors
SAW_APART_LIMIT: Final = 18
SAW_FALL: Final = 19  # where a counter fell to
SAW_FALL_LIMIT: Final = 20  # below which it began again
SAW_BURST: Final = 21  # evidence that a state chatters
SAW_BURST_LIMIT: Final = 22


class Look(NamedTuple):
    """What one rule looks at: where it writes it, and how it is said."""

    reason: Reason
    name: str
    quantity: int
    limit: int
    words: str  # with {quantity} and {limit}


LOOKS: Final = (
    Look(
        Reason.SPIKE, "wide", SAW_WIDE, SAW_WIDE_LIMIT,
        "{quantity} from the median of the readings around it (limit {limit})",
    ),
    Look(
        Reason.SPIKE, "near", SAW_NEAR, SAW_NEAR_LIMIT,
        "{quantity} from the median of five (limit {limit})",
    ),
    Look(
        Reason.SPIKE, "run", SAW_RUN, SAW_RUN_LIMIT,
        "in a short run that lies {quantity} outside what is around it (limit {limit})",
    ),
    Look(
        Reason.SPIKE, "edge", SAW_EDGE, SAW_EDGE_LIMIT,
        "{quantity} from the median of the few readings this side of a gap or an end"
        " (limit {limit})",
    ),
    Look(
        Reason.FLATLINE, "run", SAW_FLAT, SAW_FLAT_LIMIT,
        "the value is repeated {quantity} times in a row (limit {limit})",
    ),
    Look(
        Reason.NOISE, "roughness", SAW_ROUGH, SAW_ROUGH_LIMIT,
        "{quantity} of the readings around it are rougher than the tag is (limit {limit})",
    ),
    Look(
        Reason.ATTENUATED, "dullness", SAW_DULL, SAW_DULL_LIMIT,
        "{quantity} windows in a row are duller than the tag is (limit {limit})",
    ),
    Look(
        Reason.RATE, "rate", SAW_RATE, SAW_RATE_LIMIT,
        "a change of {quantity} a second (limit {limit})",
    ),
    Look(
        Reason.NEIGHBOUR, "apart", SAW_APART, SAW_APART_LIMIT,
        "{quantity} from its neighbours (limit {limit})",
    ),
    Look(
        Reason.COUNTER, "fall", SAW_FALL, SAW_FALL_LIMIT,
        "it fell to {quantity}, and would have begun again below {limit}",
    ),
    Look(
        Reason.STATE, "burst", SAW_BURST, SAW_BURST_LIMIT,
        "changes to and fro as chance makes them once in exp({quantity}) readings (limit {limit})",
    ),
)  # fmt: skip


def share_of_limit(quantity: float, limit: float) -> float:
    """Say how far a quantity is on its way to the limit: from 1 on it is flagged.

    >>> share_of_limit(3.0, 6.0)
    0.5
    """
    if quantity == limit:
        return 1.0
    return quantity / limit if limit else float("inf")
