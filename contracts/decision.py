"""What analytics concludes for a decision: what matters, what would be needed, what to do next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from contracts.errors import ConfigError
from contracts.outcome import Interval

if TYPE_CHECKING:
    from contracts.outcome import Gain


@dataclass(frozen=True, slots=True)
class Prospect:
    """A gain as money is made of it: its point, its intervals at `level`, its joint draws.

    `draws` has shape (n, 2): log alpha, log(1 - beta).

    >>> Prospect.known(1.2, 0.1).point
    (1.2, 0.1)
    """

    alpha: Interval
    beta: Interval
    level: float
    draws: npt.NDArray[np.float64] = field(repr=False, compare=False)

    @classmethod
    def measured(cls, gain: Gain) -> Prospect:
        """Take the gain of the programme."""
        return cls(gain.alpha, gain.beta, gain.level, gain.draws)

    @classmethod
    def known(cls, alpha: float, beta: float) -> Prospect:
        """Take a gain for known: every interval is a point. Raises ConfigError for nonsense."""
        if alpha <= 0 or beta >= 1:
            raise ConfigError(f"alpha {alpha}, beta {beta}: give an alpha above 0, a beta below 1")
        draws = np.log([[alpha, 1 - beta]])
        return cls(Interval(alpha, alpha, alpha), Interval(beta, beta, beta), 0.9, draws)

    @property
    def point(self) -> tuple[float, float]:
        """Alpha and beta that estimates are computed at."""
        return self.alpha.estimate, self.beta.estimate

    @property
    def is_known(self) -> bool:
        """Whether it is a point."""
        return len(self.draws) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """What one input does to the net present value, all others at their estimates.

    `npv_low` and `npv_high` are at the input's `low` and `high`. `slope` is money of NPV for one
    unit of the input, `elasticity` percent of NPV for one percent of it; None where NPV is 0.
    """

    name: str
    value: float
    low: float
    high: float
    npv_low: float
    npv_high: float
    slope: float
    elasticity: float | None

    @property
    def width(self) -> float:
        """How far NPV swings, in money."""
        return abs(self.npv_high - self.npv_low)


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """Which gains would reach a target: the curve of them, and the point nearest to the estimate.

    The target is that the figure `key` is `value`, which takes `change` more profit a year.
    `curve` are pairs of alpha and beta that just reach it. `nearest` is the one nearest to
    `estimate` in log alpha and log(1 - beta), by the errors of the gain where it was measured.
    `alpha_alone` reaches it with beta 0, `beta_alone` with alpha 1; None where nothing does.
    `product` is alpha (1 - beta) where that alone decides: then no data can tell which of the two
    is needed. `is_reached` by the estimate; `chance` is the share of the draws that reach it, None
    for a gain that is taken for known.
    """

    key: str
    value: float
    change: float
    estimate: tuple[float, float]
    nearest: tuple[float, float]
    curve: tuple[tuple[float, float], ...] = field(repr=False)
    alpha_alone: float | None
    beta_alone: float | None
    product: float | None
    is_reached: bool
    chance: float | None
