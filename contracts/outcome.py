"""What analytics concludes: gain, profit, report."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

Verdict = Literal["causal", "before_after"]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with the bounds of its interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class LineGain:
    """The gain of one upgraded line."""

    line: str
    alpha: Interval
    beta: Interval


@dataclass(frozen=True, slots=True)
class Gain:
    """Alpha (a multiplier of output) and beta (the fraction of unit variable cost removed).

    `alpha`, `beta` are the programme's: the geometric mean over the upgraded lines of alpha and
    of 1 - beta. `next_line` is for a line of the same population that is not upgraded yet.
    `draws` has shape (n, 2): joint draws of the programme's log alpha and log(1 - beta).
    """

    alpha: Interval
    beta: Interval
    lines: tuple[LineGain, ...]
    next_line: tuple[Interval, Interval]
    level: float
    verdict: Verdict
    warnings: tuple[str, ...]
    draws: npt.NDArray[np.float64] = field(repr=False, compare=False)
