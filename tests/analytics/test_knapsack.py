"""The choice within a budget against trying every choice."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from analytics.plan.knapsack import choose

ITEMS = st.lists(
    st.tuples(st.floats(-10, 100), st.one_of(st.just(0.0), st.floats(0.1, 50))), max_size=9
)


@given(items=ITEMS, budget=st.floats(0, 150))
def test_no_choice_within_the_budget_is_worth_more(
    items: list[tuple[float, float]], budget: float
) -> None:
    values, costs = [value for value, _ in items], [cost for _, cost in items]
    chosen, is_exact = choose(values, costs, budget)
    assert is_exact
    assert sum(costs[n] for n in chosen) <= budget + 1e-9
    best = max(
        sum(values[n] for n in some)
        for size in range(len(items) + 1)
        for some in itertools.combinations(range(len(items)), size)
        if sum(costs[n] for n in some) <= budget
    )
    assert abs(sum(values[n] for n in chosen) - best) <= 1e-9 * (1 + best)


def test_without_a_budget_all_that_is_worth_something_is_taken() -> None:
    assert choose([1.0, -1.0, 0.0, 2.0], [9.0, 9.0, 9.0, 9.0]) == ([0, 3], True)


def test_many_lines_of_all_costs_are_chosen_within_the_budget() -> None:
    values = [100.0 + (n * 37) % 101 for n in range(300)]
    costs = [10.0 + (n * 53) % 29 for n in range(300)]
    chosen, _ = choose(values, costs, 1500.0)
    assert sum(costs[n] for n in chosen) <= 1500
    by_value_for_money = sorted(range(300), key=lambda n: -values[n] / costs[n])
    greedy, left = 0.0, 1500.0
    for n in by_value_for_money:
        if costs[n] <= left:
            greedy, left = greedy + values[n], left - costs[n]
    assert sum(values[n] for n in chosen) >= greedy


def test_two_hundred_lines_of_like_cost_are_chosen_at_once() -> None:
    values = [100.0 + (n * 37) % 101 for n in range(200)]
    chosen, is_exact = choose(values, [10.0] * 200, 505.0)
    assert is_exact
    assert sum(values[n] for n in chosen) == sum(sorted(values)[-50:])
