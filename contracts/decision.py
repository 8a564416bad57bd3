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


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotDesign:
    """So many pilot lines, watched for so many periods, and what they could show.

    `detectable_alpha` and `detectable_beta` are the least gains whose interval excludes no effect
    with the probability `power` of the plan. `power_alpha`, `power_beta`: the probability to show
    the gain that is hoped for, None where none is. `false_alarms` is the share, over both
    outcomes, of placebo upgrades whose interval excludes no effect: an honest estimator has
    1 - level. `needed` has shape (2, runs): by how much, in log alpha and in -log(1 - beta), each
    placebo run had to be better for its interval to exclude no effect, ascending.
    """

    line_count: int
    period_count: int
    cost: float
    detectable_alpha: float
    detectable_beta: float
    power_alpha: float | None
    power_beta: float | None
    false_alarms: float
    needed: npt.NDArray[np.float64] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotPlan:
    """The designs that there are, the one that is chosen, and lines drawn for it.

    `is_enough`: the chosen design shows what is hoped for with probability `power`.
    """

    designs: tuple[PilotDesign, ...]
    chosen: PilotDesign
    lines: tuple[str, ...]
    is_enough: bool
    hoped: tuple[float | None, float | None]
    level: float
    power: float
    run_count: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LineOutlook:
    """What upgrading one more line is expected to bring: NPV in money, and its risk.

    `npv` holds the median and the (1 +- level) / 2 quantiles.
    """

    line: str
    investment: float
    expected_npv: float
    npv: Interval
    loss_chance: float
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What it is worth to decide later, with more known: expected NPV in today's money.

    `now` is the best that can be decided today, `later` what waiting so many years is expected to
    bring, at most; `perfect` is what knowing the upgrade's mean effect today would add to `now`.
    `pilot_lines` are upgraded at once to learn from.
    """

    years: float
    pilot_lines: tuple[str, ...]
    now: float
    later: float
    perfect: float

    @property
    def gain(self) -> float:
        """What waiting adds, at most; below 0: do not wait."""
        return self.later - self.now


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutPlan:
    """Which lines to upgrade next, under a budget, with what they bring together.

    The lines share what is not known of the upgrade, so their draws are added one by one.
    `is_exact`: no other choice of lines within the budget has a larger expected NPV.
    """

    currency: str
    level: float
    lines: tuple[LineOutlook, ...]
    budget: float | None
    investment: float
    expected_npv: float
    npv: Interval
    loss_chance: float
    is_exact: bool
    waiting: Waiting | None = None

    @property
    def chosen(self) -> tuple[str, ...]:
        """The lines to upgrade."""
        return tuple(one.line for one in self.lines if one.is_chosen)
