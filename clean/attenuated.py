"""The rule of attenuated signals: a tag still moves, but for long far less than it ever does.

After the attenuated signal test of QARTOD (US IOOS, Manual for Real-Time Quality Control), which
wants a least range to be told; here it is learned.
"""

from __future__ import annotations

from typing import Final

from clean.compiled import rule
from clean.state import DULL_TAIL
from clean.window import Floats

# A place in thirty is under the .03 quantile; that all thirteen of a window are under half of it
# does not happen by chance, and of a tag that has quiet times, these are the measure.
TAIL_LIMIT: Final = 0.5
WINDOWS_MIN: Final = 15  # in a row: twice the length of a window, so that no single window decides


@rule
def dull_limit(doubt: Floats) -> float:
    """Say what a residual must reach somewhere in a window.

    >>> import numpy as np
    >>> from clean.state import DOUBTS
    >>> doubt = np.zeros(DOUBTS)
    >>> doubt[DULL_TAIL] = 0.5
    >>> dull_limit(doubt)
    0.25
    """
    return float(TAIL_LIMIT * doubt[DULL_TAIL])
