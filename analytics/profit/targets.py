"""Which gain would be needed: the alphas and betas at which profit reaches a target.

A target on NPV, IRR, ROI or payback is one on the yearly change x of profit, as each of them rises
(or falls) with it. Then one equation, x(alpha, beta) = wanted, is left for two unknowns: its
solutions are a curve. The point of it nearest to the estimate is found by gradient: at each step
the curve is replaced by its tangent, and the foot of the perpendicular taken. With the errors of
a measured gain as the measure, that is the most likely way in which the target is just met.

The founding document's training loop drives the change of profit to zero. That is the target
profit_change = 0, a break-even point; at cost plus only the product alpha (1 - beta) is known
there.

References: the iteration is that of Hasofer and Lind (1974), Rackwitz and Fiessler (1978).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from analytics.profit.cashflow import Investment
from analytics.profit.model import Year, terms_of, year
from contracts.decision import Needed, Prospect
from contracts.errors import ConfigError

if TYPE_CHECKING:
    from analytics.profit.economics import Economics

KEYS = (
    "profit_ratio",
    "profit_change",
    "npv",
    "irr",
    "roi",
    "payback_years",
    "discounted_payback_years",
)
STEPS_MAX = 100
SURE = 1e-12  # of the turnover and the change wanted: rounding
STEP = 0.25  # of beta, or down in alpha: the line is straight, so any step will do
CURVE_POINTS = 81  # a curve drawn 7 inches wide needs no more
MARGIN = 0.05  # of the curve beyond the points that it is drawn for
TAILS = 0.01  # of the draws at each end say what the tails of the prior are, not the errors
JITTER = 1e-12  # variance of a gain known to a millionth

Point = tuple[float, float]


def needed(prospect: Prospect, economics: Economics, key: str, value: float) -> Needed:
    """Find the gains that make the figure `key` (one of KEYS) equal to `value`.

    Raises ConfigError for an unknown key and for a target that no gain reaches.

    >>> from analytics.profit import Economics
    >>> line = Economics(good_units=1000, unit_cost=10, price=None, margin=0.1, running_cost=80)
    >>> found = needed(Prospect.known(1.2, 0.1), line, "profit_change", 0)
    >>> round(found.product, 9), tuple(round(one, 3) for one in found.nearest)
    (1.08, (1.2, 0.1))
    """
    change = _change_wanted(prospect, economics, key, value)
    problem = _Problem(economics, change)
    nearest = _nearest(problem, prospect)
    curve = _curve(problem, [1.0, prospect.point[0], nearest[0]])
    products = [alpha * (1 - beta) for alpha, beta in curve]
    is_product = bool(products) and max(products) - min(products) <= 1e-9 * max(products)
    reached = problem.excess(torch.from_numpy(prospect.draws)) >= -problem.rounding
    return Needed(
        key=key,
        value=value,
        change=change,
        estimate=prospect.point,
        nearest=nearest,
        curve=curve,
        alpha_alone=problem.alpha_at(0.0),
        beta_alone=problem.beta_at(1.0),
        product=products[0] if is_product else None,
        is_reached=bool(problem.excess(_logs(prospect.point)) >= -problem.rounding),
        chance=None if prospect.is_known else float(reached.double().mean()),
    )


def _change_wanted(prospect: Prospect, economics: Economics, key: str, value: float) -> float:
    """Give the yearly change of profit that the target takes, for all lines."""
    if key not in KEYS:
        raise ConfigError(f"the target {key!r} is unknown; give one of {', '.join(KEYS)}")
    if key == "profit_change":
        return value
    if key == "profit_ratio":
        before = float(_year(economics, _logs(prospect.point)).before)
        if before <= 0:
            raise ConfigError("there was no profit before, so no ratio; give profit_change")
        return (value - 1) * before
    deal = Investment.of(economics)
    if deal.invested == 0 and key != "npv":
        raise ConfigError(f"the target {key} needs economics.investment, which is 0; set it")
    figure: Callable[[float], float] = getattr(deal, key)
    if key.endswith("payback_years"):
        change = deal.change_for(lambda change: -figure(change), -value)
    else:
        change = deal.change_for(figure, value)
    if not np.isfinite(change):
        raise ConfigError(f"no profit makes {key} {value:g}; give another target")
    return change


@dataclass(frozen=True, slots=True)
class _Problem:
    """The equation x(alpha, beta) = wanted, with theta = log alpha, log(1 - beta)."""

    economics: Economics
    wanted: float

    @property
    def cap(self) -> float:
        """The alpha beyond which no more can be sold."""
        return self.economics.demand_units / self.economics.good_units

    @property
    def rounding(self) -> float:
        """How far x may be off, in money: of what is sold and wanted."""
        e = self.economics
        turnover = e.line_count * e.good_units * max(e.unit_cost, e.price or 0.0)
        return SURE * (turnover + abs(self.wanted))

    def excess(self, theta: Tensor) -> Tensor:
        """Give x less what is wanted, of theta (…, 2)."""
        return _year(self.economics, theta).change - self.wanted

    def beta_at(self, alpha: float) -> float | None:
        """Solve for beta: x is linear in it."""
        return self._crossing(lambda step: (torch.tensor([alpha]).double(), step))

    def alpha_at(self, beta: float) -> float | None:
        """Solve for alpha: x is linear in it up to what can be sold."""
        found = self._crossing(lambda step: (1 - torch.tensor([step]).double(), beta))
        return None if found is None or 1 - found > self.cap * (1 + SURE) else 1 - found

    def crossings(self, way: Callable[[float], tuple[Tensor, float]]) -> Tensor:
        """Find the steps (n,) at which x is what is wanted, along ways on which it is straight.

        `way` gives alpha (n,) and beta of a step. Not finite where there is none.
        """
        start, ahead = (self._excess_at(*way(step)) for step in (0.0, STEP))
        slope = (ahead - start) / STEP
        is_flat = slope.abs() * STEP <= self.rounding
        is_there = start.abs() <= self.rounding
        nowhere = torch.full_like(start, math.inf)
        return torch.where(is_flat, torch.where(is_there, 0.0, nowhere), -start / slope)

    def _crossing(self, way: Callable[[float], tuple[Tensor, float]]) -> float | None:
        """Give the step of a single way; a gain cannot take 1 or more away."""
        found = float(self.crossings(way)[0])
        return found if found < 1 else None

    def _excess_at(self, alpha: Tensor, beta: float) -> Tensor:
        """Without the logs, so that a step may be of any size; alpha (n,)."""
        one = year(terms_of(self.economics, alpha, torch.full_like(alpha, beta)), self.economics)
        return one.change - self.wanted


def _nearest(problem: _Problem, prospect: Prospect) -> Point:
    """Take the nearest of the points below, at and beyond what can be sold."""
    middle, root = _logs(prospect.point), _root(prospect)
    candidates = [_perpendicular(problem, middle, root)]
    if np.isfinite(problem.cap):
        candidates = [one for one in candidates if one is not None and one[0].exp() <= problem.cap]
        at_cap = problem.beta_at(problem.cap)
        if at_cap is not None:
            candidates.append(_beyond(problem.cap, at_cap, middle, root))
    found = [one for one in candidates if one is not None]
    if not found:
        raise ConfigError(
            f"no gain reaches a change of {problem.wanted:,.0f} a year; give another target"
        )
    best = min(found, key=lambda one: float(_distance(one, middle, root)))
    return float(best[0].exp()), float(-best[1].expm1())


def _perpendicular(problem: _Problem, middle: Tensor, root: Tensor) -> Tensor | None:
    """Iterate theta = middle + root u to the foot of the perpendicular; None if it is not found."""
    unlimited = replace(problem, economics=replace(problem.economics, demand_units=math.inf))
    u = torch.zeros(2, dtype=torch.float64)
    for _ in range(STEPS_MAX):
        u = u.detach().requires_grad_()
        excess = unlimited.excess(middle + root @ u)
        (slope,) = torch.autograd.grad(excess, u)  # (2,)
        steepness = slope.square().sum()
        if float(steepness) == 0 or not bool(torch.isfinite(steepness)):
            return None
        foot = slope * (slope @ u.detach() - excess.detach()) / steepness
        step = foot - u.detach()
        u = u.detach() + _bounded_step(step, root)
        is_on_it = abs(float(unlimited.excess(middle + root @ u))) <= problem.rounding
        if is_on_it and float((root @ step).abs().max()) < 1e-10:
            return middle + root @ u
    return None


def _bounded_step(step: Tensor, root: Tensor) -> Tensor:
    """Move by a factor of e at most at once: the tangent is no guide farther off."""
    longest = (root @ step).abs().max()
    return step / longest.clamp(min=1.0)


def _beyond(cap: float, beta: float, middle: Tensor, root: Tensor) -> Tensor:
    """Take the nearest alpha from the cap on, where beta alone decides."""
    theta = _logs((cap, beta))
    spread = root @ root.T
    along = middle[0] + spread[0, 1] / spread[1, 1] * (theta[1] - middle[1])
    return torch.stack([torch.maximum(along, theta[0]), theta[1]])


def _distance(theta: Tensor, middle: Tensor, root: Tensor) -> Tensor:
    away: Tensor = torch.linalg.solve_triangular(root, (theta - middle)[:, None], upper=False)
    return away.square().sum()


def _root(prospect: Prospect) -> Tensor:
    """Factor the measure of distance: the errors of the gain, or equal ones where it is known."""
    if prospect.is_known:
        return torch.eye(2, dtype=torch.float64)
    low, high = np.quantile(prospect.draws, [TAILS, 1 - TAILS], axis=0)
    spread = np.cov(np.clip(prospect.draws, low, high).T) + JITTER * np.eye(2)
    root: Tensor = torch.linalg.cholesky(torch.from_numpy(spread))
    return root


def _curve(problem: _Problem, around: list[float]) -> tuple[Point, ...]:
    """Solve for beta at alphas from below the least to above the greatest of these."""
    first, last = (1 - MARGIN) * min(around), (1 + MARGIN) * max(around)
    alphas = np.geomspace(first, min(last, max(problem.cap, first)), CURVE_POINTS)
    betas = problem.crossings(lambda step: (torch.from_numpy(alphas), step))
    pairs = zip(alphas.tolist(), betas.tolist(), strict=True)
    return tuple((alpha, beta) for alpha, beta in pairs if beta < 1)


def _logs(point: Point) -> Tensor:
    alpha, beta = point
    return torch.tensor([math.log(alpha), math.log1p(-beta)], dtype=torch.float64)


def _year(economics: Economics, theta: Tensor) -> Year:
    """Work out the year at theta (…, 2)."""
    alpha, beta = theta[..., 0].exp(), -theta[..., 1].expm1()
    return year(terms_of(economics, alpha, beta), economics)
