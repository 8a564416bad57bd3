"""Decides on the roll-out: what each line that is left would bring, its risk, and which to take.

The gain of a line that is not upgraded yet is drawn from `next_draws` of the fit: the middle of the
population of lines, and how far a line may be from it. Each line has its own output, cost and
investment, so the same gain brings each of them other money.

The log of a gain that was measured on few lines has the tails of a Student t, and the mean of its
exponential does not exist. So draws beyond the 1 % quantile at each end are set to it: they tell of
the prior and not of the plant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from analytics.plan.knapsack import choose
from analytics.profit.cashflow import present_value
from analytics.profit.model import terms_of, year
from contracts.decision import LineOutlook, RolloutPlan
from contracts.errors import ConfigError, DataError
from contracts.outcome import Interval

if TYPE_CHECKING:
    from analytics.profit.economics import Economics

TAIL = 0.01
FEWEST_DRAWS = 100  # fewer say nothing of a 5 % quantile


@dataclass(frozen=True, slots=True)
class Candidate:
    """A line that may be upgraded, as it runs now."""

    line: str
    economics: Economics


def plan(
    candidates: Sequence[Candidate],
    next_draws: npt.NDArray[np.float64],
    *,
    budget: float | None = None,
    level: float = 0.9,
) -> RolloutPlan:
    """Choose the lines whose expected NPV is largest within the budget; None: no limit.

    `next_draws` has shape (n, 2): log alpha, log(1 - beta) of a next line. A line that is expected
    to lose money is never chosen. Raises DataError where no line is left.
    """
    if not candidates:
        raise DataError("every line of the panel is upgraded: there is nothing to roll out to")
    if budget is not None and budget < 0:
        raise ConfigError(f"the budget is {budget:g}: give one that is not negative")
    worth = npv_of(candidates, torch.from_numpy(tamed(next_draws)))  # (lines, n)
    costs = [one.economics.investment for one in candidates]
    chosen, is_exact = choose(worth.mean(dim=1).tolist(), costs, budget)
    lines = [
        LineOutlook(
            line=one.line,
            investment=cost,
            expected_npv=float(draws.mean()),
            npv=_interval(draws, level),
            loss_chance=_loss_chance(draws),
            is_chosen=number in chosen,
        )
        for number, (one, cost, draws) in enumerate(zip(candidates, costs, worth, strict=True))
    ]
    together = worth[chosen].sum(dim=0)  # (n,) also where none is chosen: 0
    return RolloutPlan(
        currency=candidates[0].economics.currency,
        level=level,
        lines=tuple(sorted(lines, key=lambda one: -one.expected_npv)),
        budget=budget,
        investment=sum(costs[number] for number in chosen),
        expected_npv=float(together.mean()),
        npv=_interval(together, level),
        loss_chance=_loss_chance(together),
        is_exact=is_exact,
    )


def npv_of(candidates: Sequence[Candidate], theta: Tensor) -> Tensor:
    """Give the NPV of each line, (lines, n), at theta (n, 2): log alpha, log(1 - beta).

    >>> from analytics.profit import Economics
    >>> line = Economics(good_units=1000, unit_cost=10, price=12, investment=500, years=1,
    ...                  discount_rate=0)
    >>> npv_of([Candidate("a", line)], torch.tensor([[1.5, 0.9]]).double().log()).round().tolist()
    [[2000.0]]
    """
    alpha, beta = theta[:, 0].exp(), -theta[:, 1].expm1()
    rows = []
    for one in candidates:
        terms = terms_of(one.economics, alpha, beta)
        rows.append(present_value(year(terms, one.economics).change, terms, one.economics))
    return torch.stack(rows)


def tamed(draws: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Set what lies beyond the tails of each column to them. Raises DataError for too few draws.

    >>> tamed(np.stack([np.arange(1001.0)] * 2, axis=1))[[0, -1], 0].tolist()
    [10.0, 990.0]
    """
    if len(draws) < FEWEST_DRAWS:
        raise DataError(f"{len(draws)} draws of a next line are too few: fit the gain anew")
    low, high = np.quantile(draws, [TAIL, 1 - TAIL], axis=0)
    return np.clip(draws, low, high)


def _interval(draws: Tensor, level: float) -> Interval:
    """Median and bounds."""
    at = torch.tensor([0.5, (1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
    return Interval(*torch.quantile(draws, at).tolist())


def _loss_chance(draws: Tensor) -> float:
    return float((draws < 0).double().mean())
