"""What an investment earns: present value, internal rate, payback, return, after tax.

The investment I is paid at the start; the yearly change x of profit comes at the end of each of N
years. At the tax rate q, and written off in equal parts over D years, year t brings

    c(t) = (1 - q) x + q I / D        the second term for t <= D only
    NPV  = -I + sum of c(t) (1 + r)^-t,   IRR = the r at which NPV is 0
    ROI  = (sum of c(t) - I) / I,         payback = the time when what has come in equals I

A year whose change is a loss lowers the tax of the plant's other profit. Depreciation after year
N is not counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from analytics.profit.economics import Economics
    from analytics.profit.model import Terms

HALVINGS = 200  # of an interval of floats: more change nothing
DOUBLINGS_MAX = 100  # beyond 1e30 times the investment there is no money


@dataclass(frozen=True, slots=True, kw_only=True)
class Investment:
    """An investment and its conditions; money of all lines together."""

    invested: float
    years: int
    discount_rate: float = 0.0
    tax_rate: float = 0.0
    depreciated_years: int = 1

    @classmethod
    def of(cls, economics: Economics) -> Investment:
        """Take the investment of all lines of a programme."""
        return cls(
            invested=economics.line_count * economics.investment,
            years=economics.years,
            discount_rate=economics.discount_rate,
            tax_rate=economics.tax_rate,
            depreciated_years=economics.depreciated_years,
        )

    def flows(self, change: float) -> list[float]:
        """Give c(1) … c(N)."""
        earned = (1 - self.tax_rate) * change
        return [earned + self._relief * (t <= self.depreciated_years) for t in self._times]

    def npv(self, change: float) -> float:
        """Present value.

        >>> round(Investment(invested=4000, years=3, discount_rate=0.1).npv(2300), 2)
        1719.76
        """
        return math.fsum([-self.invested, *self._discounted(change, self.discount_rate)])

    @property
    def break_even(self) -> float:
        """The yearly change whose NPV is 0: NPV is straight in the change.

        >>> round(Investment(invested=4000, years=3, discount_rate=0.1).break_even, 2)
        1608.46
        """
        at_nothing = self.npv(0.0)
        return -at_nothing / (self.npv(1.0) - at_nothing)

    def irr(self, change: float) -> float:
        """Give the internal rate of return, a share a year; -1 where the yearly change is no gain.

        With a gain every flow is positive, so there is one such rate.

        >>> round(Investment(invested=1000, years=1).irr(1100), 9)
        0.1
        >>> round(Investment(invested=1000, years=5).irr(250), 4)
        0.0793
        """
        if change <= 0 or self.invested == 0:
            return -1.0 if change <= 0 else math.inf
        flows = self.flows(change)

        def worth(rate: float) -> float:
            come_in = (c * (1 + rate) ** -t for t, c in enumerate(flows, 1))
            return math.fsum([-self.invested, *come_in])

        # a flow c for ever is worth c / r, so no rate above the largest c / I can be reached
        return _last_rise(worth, -1 + 1e-9, max(flows) / self.invested + 1e-9)

    def payback_years(self, change: float) -> float:
        """Years until the investment has come back, not discounted; infinite if never.

        The yearly change is taken to go on after the last year.

        >>> Investment(invested=100, years=10).payback_years(50)
        2.0
        >>> taxed = Investment(invested=100, years=10, tax_rate=0.25, depreciated_years=5)
        >>> round(taxed.payback_years(20), 6)  # 15 + 5 a year for 5 years: 100
        5.0
        """
        earned, relief = (1 - self.tax_rate) * change, self._relief
        if self.invested == 0:
            return 0.0 if change >= 0 else math.inf
        if (earned + relief) * self.depreciated_years >= self.invested:
            return self.invested / (earned + relief)
        left = self.invested - relief * self.depreciated_years
        return left / earned if earned > 0 else math.inf

    def discounted_payback_years(self, change: float) -> float:
        """Years until discounted flows have paid the investment; infinite if not within N.

        Within a year what comes in is taken to come evenly.

        >>> deal = Investment(invested=100, years=10, discount_rate=0.1)
        >>> round(deal.discounted_payback_years(50), 4)  # 45.45 + 41.32 + 13.22 of 37.57
        2.352
        """
        left = self.invested
        if left == 0:
            return 0.0 if change >= 0 else math.inf
        for t, part in enumerate(self._discounted(change, self.discount_rate)):
            if part > 0 and part >= left:
                return t + left / part
            left -= part
        return math.inf

    def roi(self, change: float) -> float:
        """Return on investment over all years, as a multiple of it, not discounted.

        >>> Investment(invested=100, years=10).roi(30)
        2.0
        """
        if self.invested == 0:
            return math.inf if change > 0 else -1.0
        return math.fsum([-self.invested, *self.flows(change)]) / self.invested

    def change_for(self, figure: Callable[[float], float], wanted: float) -> float:
        """Find the yearly change at which a figure that rises with it reaches a value.

        Infinite where it does so at no change there could be.

        >>> deal = Investment(invested=4000, years=3, discount_rate=0.1)
        >>> round(deal.change_for(deal.npv, 0.0), 2)
        1608.46
        """
        scale = max(self.invested, abs(wanted), 1.0)
        low, high = -scale, scale
        for _ in range(DOUBLINGS_MAX):
            if figure(low) < wanted <= figure(high):
                return _last_rise(lambda change: wanted - figure(change), low, high)
            low, high = 2 * low, 2 * high
        return math.inf

    @property
    def _relief(self) -> float:
        """Tax that depreciation saves in a year."""
        return self.tax_rate * self.invested / self.depreciated_years

    @property
    def _times(self) -> range:
        return range(1, self.years + 1)

    def _discounted(self, change: float, rate: float) -> list[float]:
        return [c * (1 + rate) ** -t for t, c in enumerate(self.flows(change), 1)]


def present_value(change: Tensor, terms: Terms, economics: Economics) -> Tensor:
    """Give NPV as a tensor like `change` (n,), differentiable in it and in every term.

    >>> from analytics.profit.economics import Economics
    >>> from analytics.profit.model import terms_of
    >>> line = Economics(good_units=1, unit_cost=1, price=2, investment=4000, years=3,
    ...                  discount_rate=0.1)
    >>> nothing = torch.zeros(1).double()
    >>> round(present_value(nothing + 2300, terms_of(line, nothing, nothing), line).item(), 2)
    1719.76
    """
    times = torch.arange(1, economics.years + 1, dtype=torch.float64)  # (N,)
    factors = (1 + terms.discount_rate[..., None]) ** -times  # (…, N)
    written = factors[..., : economics.depreciated_years].sum(dim=-1)
    invested = economics.line_count * terms.investment
    relief = terms.tax_rate * invested / economics.depreciated_years
    return (1 - terms.tax_rate) * change * factors.sum(dim=-1) + relief * written - invested


def _last_rise(falling: Callable[[float], float], low: float, high: float) -> float:
    """Halve an interval until it holds the place where a falling function becomes negative.

    >>> round(_last_rise(lambda x: 2 - x * x, 0.0, 2.0), 9)
    1.414213562
    """
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if falling(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
