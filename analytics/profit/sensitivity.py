"""What each input does to the net present value: its slope by autograd, its swing by two more runs.

slope = d NPV / d input        elasticity = slope x input / NPV
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from analytics.profit.cashflow import present_value
from analytics.profit.model import Terms, terms_of, year
from contracts.decision import Prospect, Sensitivity

if TYPE_CHECKING:
    from analytics.profit.economics import Economics

# An input that nobody has measured is moved by a tenth each way, so that inputs can be compared;
# it is a ruler and says nothing about how far each of them may really move.
SWING = 0.1
GAINS = ("alpha", "beta")
_NOT_IN_NPV = {"fixed_cost"}  # it is the same before and after


def sensitivities(
    prospect: Prospect, economics: Economics, *, swing: float = SWING
) -> tuple[Sensitivity, ...]:
    """Give the sensitivity of NPV to every input that moves it, the widest swing first.

    A gain that was measured swings between the bounds of its interval, every other input by
    `swing` of its value (of a gain that is known, by that share of its effect). The discount rate
    swings within the years that count, as all else is held.

    >>> from analytics.profit import Economics
    >>> line = Economics(good_units=1000, unit_cost=10, price=12, investment=500, years=1,
    ...                  discount_rate=0)
    >>> first = sensitivities(Prospect.known(1.5, 0.1), line)[0]
    >>> first.name, round(first.slope), round(first.npv_low), round(first.npv_high)
    ('price', 500, 1400, 2600)
    """
    base = _base(prospect, economics)
    inputs = {name: getattr(base, name).requires_grad_() for name in Terms.__slots__}
    worth = _npv(base, economics)
    slopes = torch.autograd.grad(worth, list(inputs.values()), allow_unused=True)
    npv = float(worth.detach())
    found = []
    for (name, value), slope in zip(inputs.items(), slopes, strict=True):
        bounds = _bounds(name, prospect, economics, swing)
        if bounds is None or slope is None or name in _NOT_IN_NPV:
            continue
        low, high = (_npv_with(base, economics, name, bound) for bound in bounds)
        number, rise = float(value.detach()), float(slope)
        found.append(
            Sensitivity(
                name=name,
                value=number,
                low=bounds[0],
                high=bounds[1],
                npv_low=low,
                npv_high=high,
                slope=rise,
                elasticity=rise * number / npv if npv else None,
            )
        )
    return tuple(sorted((one for one in found if one.width > 0), key=lambda one: -one.width))


def _base(prospect: Prospect, economics: Economics) -> Terms:
    alpha, beta = (torch.tensor(value, dtype=torch.float64) for value in prospect.point)
    return terms_of(economics, alpha, beta)


def _npv(terms: Terms, economics: Economics) -> Tensor:
    return present_value(year(terms, economics).change, terms, economics)


def _npv_with(base: Terms, economics: Economics, name: str, value: float) -> float:
    moved = replace(base, **{name: torch.tensor(value, dtype=torch.float64)})
    with torch.no_grad():
        return float(_npv(moved, economics))


def _bounds(
    name: str, prospect: Prospect, economics: Economics, swing: float
) -> tuple[float, float] | None:
    """Say between which values an input swings; None where it does not."""
    if name in GAINS:
        interval = prospect.alpha if name == "alpha" else prospect.beta
        if not prospect.is_known:
            return interval.low, interval.high
        none = 1.0 if name == "alpha" else 0.0
        effect = interval.estimate - none
        return none + (1 - swing) * effect, none + (1 + swing) * effect
    value = getattr(economics, name)
    if not value or math.isinf(value):
        return None
    low, high = (1 - swing) * value, (1 + swing) * value
    if name == "good_units":  # what is made before the upgrade is sold
        return low, min(high, economics.demand_units)
    return (max(low, economics.good_units) if name == "demand_units" else low), high
