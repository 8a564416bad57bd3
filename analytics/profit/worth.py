"""What a gain is worth: the profit model, with the gain's uncertainty carried through it.

Every figure of the investment rises with the yearly change of profit (payback falls), so its
bounds are its values at the bounds of that change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from analytics.profit.cashflow import Investment
from analytics.profit.model import Year, terms_of, year
from contracts.errors import ConfigError, ContractError
from contracts.outcome import BridgeStep, Interval, Profit

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from analytics.profit.economics import Economics


def push(
    draws: npt.NDArray[np.float64],
    economics: Economics,
    *,
    point: tuple[float, float] | None = None,
    level: float = 0.9,
) -> Profit:
    """Push joint draws of a gain through the profit model.

    `draws` has shape (n, 2): log alpha, log(1 - beta). `point` is the (alpha, beta) that estimates
    are computed at; pass the gain's own, so that the figures agree with it. If not given: the
    medians of the draws. Estimates are values at one point and not medians of each figure,
    because only so does the bridge add up. Bounds are the (1 +- level) / 2 quantiles.
    Energy per good unit is taken to fall by beta, as the unit cost does, unless the component
    `energy` has a beta of its own.

    >>> from analytics.profit import Economics
    >>> economics = Economics(good_units=234_000, unit_cost=12.27, price=20, fixed_cost=700_000)
    >>> earned = push(np.log([[1.2, 0.9]]), economics)
    >>> round(earned.ratio.estimate, 3)
    1.637
    """
    if draws.ndim != 2 or draws.shape[1] != 2 or not len(draws) or not np.isfinite(draws).all():
        raise ContractError(f"draws of shape {draws.shape} are not finite pairs")
    if point is None:
        middle = np.exp(np.median(draws, axis=0))
        point = (float(middle[0]), 1 - float(middle[1]))
    pushed = _Pushed(
        one=_year_at(torch.tensor([point], dtype=torch.float64), economics),
        every=_year_at(gains_of(draws), economics),
        level=level,
    )
    return _profit(pushed, economics)


def at(alpha: float, beta: float, economics: Economics) -> Profit:
    """Profit for a gain that is taken as known: every interval is a point.

    >>> from analytics.profit import Economics
    >>> economics = Economics(good_units=234_000, unit_cost=12.27, price=20, fixed_cost=700_000,
    ...                       demand_units=234_000)
    >>> round(at(1.2, 0.1, economics).ratio.estimate, 3)
    1.259
    """
    if alpha <= 0 or beta >= 1:
        raise ConfigError(f"alpha {alpha}, beta {beta}: give an alpha above 0, a beta below 1")
    return push(np.log([[alpha, 1 - beta]]), economics, point=(alpha, beta))


def cost_plus(*, alpha: float, beta: float, margin: float = 0.1) -> float:
    """Profit after as a multiple of profit before, where the price is cost plus a margin.

    Revenue is (1 + margin) v Q without fixed cost, so L = margin v Q and L1 / L0 =
    alpha (1 - beta) for every margin. It holds for cost-plus contracts only: there the customer
    gets what beta saves. The ratio is that of the founding document.

    >>> round(cost_plus(alpha=1.2, beta=0.1), 12)
    1.08
    """
    if margin <= 0:
        raise ConfigError(f"margin is {margin}: give a number above 0, there is no profit else")
    before = margin  # on one unit that costs 1
    after = margin * (1 - beta) * alpha
    return after / before


def gains_of(draws: npt.NDArray[np.float64]) -> Tensor:
    """Turn log alpha, log(1 - beta) into alpha, beta, both of shape (n, 2)."""
    alpha, kept = np.exp(draws).T
    return torch.from_numpy(np.stack([alpha, 1 - kept], axis=1))


def _year_at(gains: Tensor, economics: Economics) -> Year:
    alpha, beta = gains.unbind(dim=1)  # each (n,)
    return year(terms_of(economics, alpha, beta), economics)


@dataclass(frozen=True, slots=True)
class _Pushed:
    """The year at the point estimate and at every draw, with the level of the intervals."""

    one: Year
    every: Year
    level: float

    def interval(self, figure: Callable[[Year], Tensor]) -> Interval:
        """Give a figure of the year as an interval."""
        tail = (1 - self.level) / 2
        tails = torch.tensor([tail, 1 - tail], dtype=torch.float64)
        low, high = torch.quantile(figure(self.every), tails).tolist()
        return Interval(float(figure(self.one)), low, high)


def _profit(pushed: _Pushed, economics: Economics) -> Profit:
    interval, investment = pushed.interval, Investment.of(economics)
    before = float(pushed.one.before)
    change = interval(lambda one: one.change)
    after = Interval(before + change.estimate, before + change.low, before + change.high)
    ratio = Interval(*(figure / before for figure in (after.estimate, after.low, after.high)))

    def of_change(figure: Callable[[float], float]) -> Interval:
        return Interval(figure(change.estimate), figure(change.low), figure(change.high))

    is_invested = investment.invested > 0
    return Profit(
        currency=economics.currency,
        level=pushed.level,
        before=before,
        after=after,
        change=change,
        ratio=ratio if before > 0 else None,
        npv=of_change(investment.npv),
        loss_chance=float((pushed.every.change < investment.break_even).double().mean()),
        irr=of_change(investment.irr) if is_invested else None,
        roi=of_change(investment.roi) if is_invested else None,
        payback_years=_turned(of_change(investment.payback_years)),
        discounted_payback_years=_turned(of_change(investment.discounted_payback_years)),
        energy_change_kwh=interval(lambda one: one.energy_change_kwh),
        co2_change_t=interval(lambda one: one.co2_change_t),
        co2_before_kg_per_unit=float(pushed.one.co2_before_kg_per_unit),
        co2_after_kg_per_unit=interval(lambda one: one.co2_after_kg_per_unit),
        co2_source=economics.co2_source,
        bridge=_bridge(pushed, economics, after),
    )


def _bridge(pushed: _Pushed, economics: Economics, after: Interval) -> tuple[BridgeStep, ...]:
    running = float(pushed.one.running_cost)
    steps = [
        BridgeStep("before", _certain(float(pushed.one.before))),
        BridgeStep("output", pushed.interval(lambda one: one.output)),
        BridgeStep("unit_cost", pushed.interval(lambda one: one.unit_cost)),
        BridgeStep("both", pushed.interval(lambda one: one.both)),
        BridgeStep("running_cost", _certain(-running)),
    ]
    if economics.co2_price_per_t > 0:
        steps.append(BridgeStep("co2", pushed.interval(lambda one: -one.co2_cost)))
    return (*steps, BridgeStep("after", after))


def _turned(falling: Interval) -> Interval:
    """Put the bounds in order of a figure that falls as the change grows.

    >>> _turned(Interval(2.0, float("inf"), 0.5))
    Interval(estimate=2.0, low=0.5, high=inf)
    """
    return Interval(falling.estimate, falling.high, falling.low)


def _certain(value: float) -> Interval:
    return Interval(value, value, value)
