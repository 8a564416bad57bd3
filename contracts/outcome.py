"""What analytics concludes: a gain, and what it is worth."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import numpy as np
import numpy.typing as npt

Verdict = Literal["causal", "before_after"]
BridgeName = Literal["before", "output", "unit_cost", "both", "running_cost", "co2", "after"]
LeftOutReason = Literal["missing", "coverage", "no_output", "no_cost", "no_load"]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with the bounds of its interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class LineGain:
    """The gain of one upgraded line.

    `borrowed`, 0 to 1: the share of the estimate that is from the other lines, since its own
    readings leave it that unsure; of alpha's and beta's the greater.
    """

    line: str
    alpha: Interval
    beta: Interval
    borrowed: float = 0.0


@dataclass(frozen=True, slots=True)
class Gain:
    """Alpha (a multiplier of output) and beta (the fraction of unit variable cost removed).

    `alpha`, `beta` are the programme's: the geometric mean over the upgraded lines of alpha and
    of 1 - beta. `next_line` is for a line of the same population that is not upgraded yet.
    `draws` has shape (n, 2): joint draws of the programme's log alpha and log(1 - beta);
    `next_draws` are those of the next line.
    """

    alpha: Interval
    beta: Interval
    lines: tuple[LineGain, ...]
    next_line: tuple[Interval, Interval]
    level: float
    verdict: Verdict
    warnings: tuple[str, ...]
    draws: npt.NDArray[np.float64] = field(repr=False, compare=False)
    next_draws: npt.NDArray[np.float64] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class BridgeStep:
    """One step of the bridge from the profit before to the profit after, in money a year."""

    name: BridgeName
    amount: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Profit:
    """What a gain is worth: money in `currency` a year, for all lines of the programme.

    The estimates are the model's values at the point estimate of alpha and beta, so they add up;
    the bounds are quantiles over the joint draws at `level`. In `bridge`, the estimates of
    before + output + unit_cost + both + running_cost + co2 = after; co2 is a step where carbon has
    a price. Profit is before tax; `npv`, `irr` (a share a year), `roi` (a multiple, over all years)
    and payback are after it, and so is `loss_chance`, the share of the draws with an NPV below 0.
    `irr` and `roi` are None where nothing is invested. A payback of infinity means never;
    discounted, not within the years that count. `ratio` is after / before, None where there was no
    profit before. Changes are after minus before, so a saving is negative. `co2_source` says where
    the factor is from.
    """

    currency: str
    level: float
    before: float
    after: Interval
    change: Interval
    ratio: Interval | None
    npv: Interval
    loss_chance: float
    irr: Interval | None
    roi: Interval | None
    payback_years: Interval
    discounted_payback_years: Interval
    energy_change_kwh: Interval
    co2_change_t: Interval
    co2_before_kg_per_unit: float
    co2_after_kg_per_unit: Interval
    co2_source: str
    bridge: tuple[BridgeStep, ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A line's period that is not in the panel, and why; `detail` names metric and figure."""

    line: str
    period: date
    reason: LeftOutReason
    detail: str = ""
