"""One year of the profit model, before and after the upgrade, differentiable in every number.

Per line and year, with Q good units, v variable cost and u margin per good unit, F fixed cost,
R the new running cost, C the price of carbon times the carbon of the energy:

    before   L0 = u0 Q0 - F - C0
    after    L1 = u1 Q1 - F - R - C1,   Q1 = min(alpha Q0, demand),   v1 = v0 - sum of v0k bk
    margin   u = p - v at a fixed price p,   u = m v at cost plus m

v0k is a component of v0, bk its own beta or the beta that was measured. The bridge does not
depend on an order:

    L1 - L0 = u0 (Q1 - Q0)  +  (u1 - u0) Q0  +  (u1 - u0) (Q1 - Q0)  -  R  -  (C1 - C0)
              more output      lower unit cost  both together
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from analytics.profit.economics import Economics

KG_PER_T = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Every number the model depends on, as tensors that broadcast to (n,); units of Economics."""

    alpha: Tensor
    beta: Tensor
    good_units: Tensor
    unit_cost: Tensor
    price: Tensor  # nan at cost plus
    margin: Tensor  # nan at a fixed price
    fixed_cost: Tensor
    running_cost: Tensor
    investment: Tensor
    discount_rate: Tensor
    tax_rate: Tensor
    demand_units: Tensor
    energy_kwh_per_unit: Tensor
    energy_price_per_kwh: Tensor
    co2_kg_per_kwh: Tensor
    co2_price_per_t: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """One year, for all lines: tensors of shape (n,); money, kWh, t, kg per good unit."""

    before: Tensor  # L0
    output: Tensor  # more output at the old margin
    unit_cost: Tensor  # the new margin on the old output
    both: Tensor  # the new margin on the output that came on top
    running_cost: Tensor
    co2_cost: Tensor  # what the change of carbon costs
    energy_change_kwh: Tensor
    co2_change_t: Tensor
    co2_before_kg_per_unit: Tensor
    co2_after_kg_per_unit: Tensor

    @property
    def change(self) -> Tensor:
        """Profit after less profit before."""
        return self.output + self.unit_cost + self.both - self.running_cost - self.co2_cost


def terms_of(economics: Economics, alpha: Tensor, beta: Tensor) -> Terms:
    """Take the numbers of one line, with gains of shape (n,) or ()."""

    def number(value: float | None) -> Tensor:
        return torch.tensor(float("nan") if value is None else value, dtype=torch.float64)

    names = (name for name in Terms.__slots__ if name not in {"alpha", "beta"})
    numbers = {name: number(getattr(economics, name)) for name in names}
    return Terms(alpha=alpha, beta=beta, **numbers)


def year(terms: Terms, economics: Economics) -> Year:
    """Work out one year; `economics` gives what is no number of the model: parts, lines, pricing.

    >>> from analytics.profit.economics import Economics
    >>> line = Economics(good_units=234_000, unit_cost=12.27, price=20, fixed_cost=700_000)
    >>> one = year(terms_of(line, torch.tensor(1.2).double(), torch.tensor(0.1).double()), line)
    >>> round(one.before.item()), round(one.change.item())
    (1108820, 706306)
    """
    t, lines = terms, economics.line_count
    energy_beta = _beta_of(economics.energy_beta, t)
    dearer = t.energy_kwh_per_unit * (t.energy_price_per_kwh - economics.energy_price_per_kwh)
    betas = torch.stack([part.share * _beta_of(part.beta, t) for part in economics.parts])
    removed = betas.sum(dim=0)  # (n,) share of the unit cost
    cost = t.unit_cost + dearer
    saved = t.unit_cost * removed + dearer * energy_beta
    if economics.margin is None:
        margin, rise = t.price - cost, saved
    else:
        margin, rise = t.margin * cost, -t.margin * saved
    more = torch.minimum(t.alpha * t.good_units, t.demand_units) - t.good_units
    kwh_after = t.energy_kwh_per_unit * (1 - energy_beta)
    energy = kwh_after * (t.good_units + more) - t.energy_kwh_per_unit * t.good_units
    kg_before = t.energy_kwh_per_unit * t.co2_kg_per_kwh
    co2_t = energy * t.co2_kg_per_kwh / KG_PER_T
    carbon = t.co2_price_per_t * kg_before / KG_PER_T * t.good_units
    return Year(
        before=lines * (margin * t.good_units - t.fixed_cost - carbon),
        output=lines * margin * more,
        unit_cost=lines * rise * t.good_units,
        both=lines * rise * more,
        running_cost=lines * t.running_cost,
        co2_cost=lines * t.co2_price_per_t * co2_t,
        energy_change_kwh=lines * energy,
        co2_change_t=lines * co2_t,
        co2_before_kg_per_unit=kg_before,
        co2_after_kg_per_unit=kwh_after * t.co2_kg_per_kwh,
    )


def _beta_of(own: float | None, terms: Terms) -> Tensor:
    return terms.beta if own is None else torch.full_like(terms.beta, own)
