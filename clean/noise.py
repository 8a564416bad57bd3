"""The noise rule: a whole window is rougher than the tag ever is."""

from __future__ import annotations

from typing import Final

from clean.compiled import rule
from clean.state import RESOLUTION, ROUGH_TAIL, ROUGH_USUAL
from clean.window import Floats

# One place of a sound window in seventy is over three times the mean (of normal residuals), and
# half of its places are, if the scatter is about four times what it was.
USUAL_LIMIT: Final = 3.0
# Of a tag with lively and quiet times its lively times are the measure. Their quantile is learned
# slowly, and times differ, but not by a factor.
TAIL_LIMIT: Final = 2.0
RESOLUTIONS: Final = 2.0  # steps: a signal on the edge between two steps goes to and fro by one


@rule
def rough_limit(trait: Floats, doubt: Floats) -> float:
    """Say what a residual may be; there is too much noise where half of a window is over it.

    >>> import numpy as np
    >>> from clean.state import DOUBTS, TRAITS
    >>> trait, doubt = np.zeros(TRAITS), np.zeros(DOUBTS)
    >>> trait[RESOLUTION], doubt[ROUGH_USUAL], doubt[ROUGH_TAIL] = 0.1, 1.0, 3.0
    >>> rough_limit(trait, doubt)
    6.0
    """
    limit = max(USUAL_LIMIT * doubt[ROUGH_USUAL], TAIL_LIMIT * doubt[ROUGH_TAIL])
    return float(max(limit, RESOLUTIONS * trait[RESOLUTION]))
