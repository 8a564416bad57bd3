"""Chooses what is worth most within a budget, by branch and bound.

Reference: Kolesar (1967); the bound is that of Dantzig (1957): fill the rest of the budget by value
for money and cut the last item.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

STEPS_MAX = 200_000  # a second of work: a plant's lines rarely take a thousand


def choose(
    values: Sequence[float], costs: Sequence[float], budget: float | None = None
) -> tuple[list[int], bool]:
    """Give the places of the items to take, ascending, and whether no choice is worth more.

    `costs` are not negative. Items of no value are left; without a budget all others are taken.

    >>> choose([60.0, 100.0, 120.0], [10.0, 20.0, 30.0], 50.0)
    ([1, 2], True)
    """
    worth_it = [n for n, value in enumerate(values) if value > 0]
    if budget is None:
        return worth_it, True
    order = sorted(worth_it, key=lambda n: (-values[n] / max(costs[n], 1e-300), n))
    if len({costs[n] for n in order}) == 1:  # one price for all: the best ones, as many as it buys
        spent = itertools.accumulate(costs[n] for n in order)
        return sorted(n for n, paid in zip(order, spent, strict=True) if paid <= budget), True
    search = _Search([values[n] for n in order], [costs[n] for n in order])
    search.go(budget)
    return sorted(order[n] for n in search.chosen), search.step_count < STEPS_MAX


@dataclass
class _Search:
    """Items by value for money, and the best choice found so far."""

    values: list[float]
    costs: list[float]
    best: float = 0.0
    chosen: list[int] = field(default_factory=list)
    step_count: int = 0

    def __post_init__(self) -> None:
        self._worth = [0.0, *itertools.accumulate(self.values)]
        self._paid = [0.0, *itertools.accumulate(self.costs)]

    def bound(self, first: int, left: float) -> float:
        """Give the most that the items from `first` on can be worth within what is left."""
        reached = self._paid[first] + left
        item = max(
            first, bisect_right(self._paid, reached) - 1
        )  # the first that does not fit whole
        worth = self._worth[item] - self._worth[first]
        if item == len(self.values) or not self.costs[item]:
            return worth
        return worth + self.values[item] * (reached - self._paid[item]) / self.costs[item]

    def go(self, budget: float) -> None:
        """Take or leave each item, depth first, and turn back where the bound is no better."""
        stack: list[tuple[float, float, tuple[int, ...], tuple[int, ...]]] = [(budget, 0.0, (), ())]
        while stack and self.step_count < STEPS_MAX:
            self.step_count += 1
            left, worth, taken, passed = stack.pop()
            if worth > self.best:
                self.best, self.chosen = worth, list(taken)
            item = len(taken) + len(passed)
            if item == len(self.values) or worth + self.bound(item, left) <= self.best:
                continue
            stack.append((left, worth, taken, (*passed, item)))
            cost = self.costs[item]
            if cost <= left and not self._is_second_to(item, passed):
                stack.append((left - cost, worth + self.values[item], (*taken, item), passed))

    def _is_second_to(self, item: int, passed: tuple[int, ...]) -> bool:
        """Whether an item that was passed is worth as much and costs no more: then take that."""
        value, cost = self.values[item], self.costs[item]
        return any(self.values[n] >= value and self.costs[n] <= cost for n in passed)
