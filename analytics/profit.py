"""What a gain is worth: the profit model, with the gain's uncertainty carried through it.

Per line and year, at a fixed price p:

    before   L0 = (p - v0) Q0 - F
    after    L1 = (p - v1) Q1 - F - R,   Q1 = min(alpha Q0, demand),   v1 = v0 (1 - share beta)

with Q good units a year, v variable cost per good unit, F fixed cost, R the new running cost.
Beta acts on the share of v0 that it was measured on. The bridge does not depend on an order:

    L1 - L0 = (p - v0) (Q1 - Q0)  +  (v0 - v1) Q0  +  (v0 - v1) (Q1 - Q0)  -  R
              more output            lower unit cost   both together          running cost
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from contracts.errors import ConfigError, ContractError
from contracts.outcome import BridgeStep, Interval, Profit

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

KG_PER_T = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """Where output and unit cost of one line come from, if they are not measured.

    `oee` as in ISO 22400-2, a share. Costs in one currency.

    >>> plant = Plant(hours_per_year=6000, units_per_hour=60, oee=0.65,
    ...               material_cost_per_unit=10, energy_kwh_per_unit=1.8,
    ...               energy_price_per_kwh=0.15, labour_cost_per_hour=58,
    ...               maintenance_cost_per_hour=20)
    >>> round(plant.good_units), round(plant.unit_cost, 2), round(plant.measured_share, 3)
    (234000, 12.27, 0.837)
    """

    hours_per_year: float
    units_per_hour: float
    oee: float
    material_cost_per_unit: float
    energy_kwh_per_unit: float
    energy_price_per_kwh: float
    labour_cost_per_hour: float
    maintenance_cost_per_hour: float

    @property
    def good_units(self) -> float:
        """Good units a year: Q0 = H r OEE."""
        return self.hours_per_year * self.units_per_hour * self.oee

    @property
    def unit_cost(self) -> float:
        """Variable cost per good unit: v0 = material + energy + (labour + upkeep) / (r OEE).

        Labour and maintenance (upkeep) are paid by the hour.
        """
        hourly = self.labour_cost_per_hour + self.maintenance_cost_per_hour
        return self._metered_cost + hourly / (self.units_per_hour * self.oee)

    @property
    def measured_share(self) -> float:
        """Share of v0 that is material and energy, which is what the panel's unit cost holds."""
        return self._metered_cost / self.unit_cost

    @property
    def _metered_cost(self) -> float:
        return self.material_cost_per_unit + self.energy_kwh_per_unit * self.energy_price_per_kwh


@dataclass(frozen=True, slots=True, kw_only=True)
class Economics:
    """What the profit model needs to know; every figure is of one line, money in `currency`.

    `good_units` a year and `unit_cost` per good unit are those before the upgrade; `price` is per
    good unit; `fixed_cost` and `running_cost` (what the upgrade adds) are a year; `investment` is
    paid once, at the start; `years` and `discount_rate` (0.08 is 8 % a year) make the present
    value; `demand_units` a year is the most that can be sold. `beta_share` is the share of
    `unit_cost` that beta was measured on: 1 for all of it, `Plant.measured_share` where the panel
    knows only energy and material. `co2_source` says where `co2_kg_per_kwh` is from. Results are
    for `line_count` such lines.
    """

    good_units: float
    unit_cost: float
    price: float
    fixed_cost: float = 0.0
    running_cost: float = 0.0
    investment: float = 0.0
    years: int = 10
    discount_rate: float = 0.08
    demand_units: float = math.inf
    beta_share: float = 1.0
    energy_kwh_per_unit: float = 0.0
    co2_kg_per_kwh: float = 0.0
    co2_source: str = ""
    line_count: int = 1
    currency: str = "EUR"

    def __post_init__(self) -> None:
        for name in (f.name for f in fields(self) if f.name not in {"currency", "co2_source"}):
            value = getattr(self, name)
            if not value >= 0 or (math.isinf(value) and name != "demand_units"):
                raise ConfigError(f"{name} is {value}: give a number that is not negative")
        for name in ("good_units", "unit_cost", "price", "line_count"):
            if getattr(self, name) == 0:
                raise ConfigError(f"{name} is 0: give a number above 0")
        if self.beta_share > 1:
            raise ConfigError(f"beta_share is {self.beta_share}: give a share from 0 to 1")
        if self.demand_units < self.good_units:
            raise ConfigError(
                f"demand_units ({self.demand_units}) is below good_units ({self.good_units}), "
                "which are already sold: correct one of them"
            )


class _Year(NamedTuple):
    """One year after the upgrade, for each draw: tensors of shape (n,), for all lines."""

    output: Tensor  # money: more output at the old margin
    unit_cost: Tensor  # money: lower unit cost on the old output
    both: Tensor  # money: lower unit cost on the output that came on top
    energy_change_kwh: Tensor
    co2_after_kg_per_unit: Tensor

    @property
    def gained(self) -> Tensor:
        """Money a year, before the new running cost."""
        return self.output + self.unit_cost + self.both


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
    Energy per good unit is taken to fall by beta, as the unit cost does.

    >>> economics = Economics(good_units=234_000, unit_cost=12.27, price=20, fixed_cost=700_000)
    >>> year = push(np.log([[1.2, 0.9]]), economics)
    >>> round(year.ratio.estimate, 3)
    1.637
    """
    if draws.ndim != 2 or draws.shape[1] != 2 or not len(draws) or not np.isfinite(draws).all():
        raise ContractError(f"draws of shape {draws.shape} are not finite pairs")
    if point is None:
        middle = np.exp(np.median(draws, axis=0))
        point = (float(middle[0]), 1 - float(middle[1]))
    pushed = _Pushed(
        one=_year(torch.tensor([point], dtype=torch.float64), economics),
        every=_year(_gains_of(draws), economics),
        level=level,
    )
    return _profit(pushed, economics)


def at(alpha: float, beta: float, economics: Economics) -> Profit:
    """Profit for a gain that is taken as known: every interval is a point.

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


def _gains_of(draws: npt.NDArray[np.float64]) -> Tensor:
    """Turn log alpha, log(1 - beta) into alpha, beta, both of shape (n, 2)."""
    alpha, kept = np.exp(draws).T
    return torch.from_numpy(np.stack([alpha, 1 - kept], axis=1))


def _year(gains: Tensor, economics: Economics) -> _Year:
    alpha, beta = gains.unbind(dim=1)  # each (n,)
    e, lines = economics, economics.line_count
    more_sold = (alpha * e.good_units).clamp(max=e.demand_units) - e.good_units
    saved_per_unit = e.unit_cost * e.beta_share * beta
    kwh_per_unit = e.energy_kwh_per_unit * (1 - beta)
    kwh_before = e.energy_kwh_per_unit * e.good_units
    return _Year(
        output=lines * (e.price - e.unit_cost) * more_sold,
        unit_cost=lines * saved_per_unit * e.good_units,
        both=lines * saved_per_unit * more_sold,
        energy_change_kwh=lines * (kwh_per_unit * (e.good_units + more_sold) - kwh_before),
        co2_after_kg_per_unit=kwh_per_unit * e.co2_kg_per_kwh,
    )


class _Pushed(NamedTuple):
    """The year at the point estimate and at every draw, with the level of the intervals."""

    one: _Year
    every: _Year
    level: float

    def interval(self, figure: Callable[[_Year], Tensor]) -> Interval:
        """Give a figure of the year as an interval."""
        tail = (1 - self.level) / 2
        tails = torch.tensor([tail, 1 - tail], dtype=torch.float64)
        low, high = torch.quantile(figure(self.every), tails).tolist()
        return Interval(float(figure(self.one)), low, high)


def _profit(pushed: _Pushed, economics: Economics) -> Profit:
    e, lines, interval = economics, economics.line_count, pushed.interval
    before = lines * ((e.price - e.unit_cost) * e.good_units - e.fixed_cost)
    running, invested = lines * e.running_cost, lines * e.investment
    annuity = _annuity(e.years, e.discount_rate)
    co2_t_per_kwh = e.co2_kg_per_kwh / KG_PER_T
    change = interval(lambda year: year.gained - running)
    after = interval(lambda year: before + year.gained - running)
    ratio = interval(lambda year: (before + year.gained - running) / before)
    return Profit(
        currency=e.currency,
        level=pushed.level,
        before=before,
        after=after,
        change=change,
        ratio=ratio if before > 0 else None,
        npv=interval(lambda year: (year.gained - running) * annuity - invested),
        payback_years=_payback(invested, change),
        energy_change_kwh=interval(lambda year: year.energy_change_kwh),
        co2_change_t=interval(lambda year: year.energy_change_kwh * co2_t_per_kwh),
        co2_before_kg_per_unit=e.energy_kwh_per_unit * e.co2_kg_per_kwh,
        co2_after_kg_per_unit=interval(lambda year: year.co2_after_kg_per_unit),
        co2_source=e.co2_source,
        bridge=(
            BridgeStep("before", _certain(before)),
            BridgeStep("output", interval(lambda year: year.output)),
            BridgeStep("unit_cost", interval(lambda year: year.unit_cost)),
            BridgeStep("both", interval(lambda year: year.both)),
            BridgeStep("running_cost", _certain(-running)),
            BridgeStep("after", after),
        ),
    )


def _annuity(years: int, rate: float) -> float:
    """Present value of 1 at the end of each of so many years: sum of (1 + rate)^-t.

    >>> round(_annuity(10, 0.08), 4)
    6.7101
    >>> _annuity(3, 0)
    3.0
    """
    return math.fsum((1 + rate) ** -t for t in range(1, years + 1))


def _payback(invested: float, change: Interval) -> Interval:
    """Years until the change has repaid the investment, not discounted; infinite if never.

    Payback falls as the change grows, so its bounds are those of the change, turned round.

    >>> _payback(100, Interval(50, -10, 200))
    Interval(estimate=2.0, low=0.5, high=inf)
    """

    def years(a_year: float) -> float:
        return invested / a_year if a_year > 0 else math.inf

    return Interval(years(change.estimate), years(change.high), years(change.low))


def _certain(value: float) -> Interval:
    return Interval(value, value, value)
