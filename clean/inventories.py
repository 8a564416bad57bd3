"""The inventory rule: a number of things is negative, or no whole number."""

from __future__ import annotations

from typing import Final

import numpy as np

from clean.compiled import rule
from clean.state import WHOLE
from clean.window import Floats

ROUNDING: Final = 2.0**-22  # twice that of a 32-bit float, as which many a whole number travels
# How much more often a number was whole than not counts up to here, on either side: soon enough
# for one that changes its unit, and no single outage outvotes it.
VOTES_MAX: Final = 64.0


@rule
def is_whole(value: float) -> bool:
    """Tell whether a number is whole, but for what a 32-bit float may add.

    >>> is_whole(12.0), is_whole(np.float32(0.1) * 30), is_whole(2.5), is_whole(-3.0)
    (True, True, False, True)
    """
    return bool(abs(value - np.floor(value + 0.5)) <= ROUNDING * abs(value))


@rule
def is_no_count(doubt: Floats, value: float) -> bool:
    """Tell whether so many things cannot be there, and learn whether they are counted whole.

    An inventory that is fractional for the most part is one of tonnes or metres, not of things:
    then only what is negative is doubted.

    >>> from clean.state import DOUBTS
    >>> doubt = np.zeros(DOUBTS)
    >>> [is_no_count(doubt, value) for value in (3.0, 4.0, 4.5, -1.0)]
    [False, False, True, True]
    >>> tonnes = np.zeros(DOUBTS)
    >>> [is_no_count(tonnes, value) for value in (73.2, 72.8, 71.0, 71.5, -0.5)]
    [False, False, False, False, True]
    """
    votes, whole = doubt[WHOLE], is_whole(value)
    doubt[WHOLE] = min(votes + 1.0, VOTES_MAX) if whole else max(votes - 1.0, -VOTES_MAX)
    return bool(value < 0.0 or (not whole and votes > 0.0))
