"""Which gain a target needs: on the curve, nearest, and against plain search."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.profit import Economics, at
from analytics.profit.targets import KEYS, needed
from contracts.decision import Prospect
from contracts.errors import ConfigError
from contracts.outcome import Interval

LINE = Economics(
    good_units=1000, unit_cost=10, price=12, running_cost=100, investment=1500, years=6
)
COST_PLUS = replace(LINE, price=None, margin=0.2)
GAIN = Prospect.known(1.2, 0.1)


def measured(correlation: float = -0.5) -> Prospect:
    spread = 0.02**2 * np.array([[1, correlation], [correlation, 1]])
    draws = np.random.default_rng(5).multivariate_normal(np.log([1.2, 0.9]), spread, 4000)
    return Prospect(Interval(1.2, 1.16, 1.24), Interval(0.1, 0.07, 0.13), 0.9, draws)


@settings(max_examples=25)
@given(value=st.floats(-3000, 6000))
def test_every_point_of_the_answer_gives_the_target(value: float) -> None:
    found = needed(GAIN, LINE, "npv", value)
    points = [found.nearest, *found.curve[::20]]
    points += [(found.alpha_alone, 0.0)] if found.alpha_alone else []
    points += [(1.0, found.beta_alone)] if found.beta_alone is not None else []
    for alpha, beta in points:
        assert at(alpha, beta, LINE).npv.estimate == pytest.approx(value, abs=1e-5)


@settings(max_examples=25)
@given(value=st.floats(-2000, 3000), correlation=st.floats(-0.9, 0.9))
def test_no_point_of_the_curve_is_nearer_than_the_nearest(value: float, correlation: float) -> None:
    prospect = measured(correlation)
    found = needed(prospect, LINE, "profit_change", value)
    inverse = np.linalg.inv(np.cov(prospect.draws.T))

    def distance(point: tuple[float, float]) -> float:
        away = np.log([point[0], 1 - point[1]]) - np.log([1.2, 0.9])
        return float(away @ inverse @ away)

    # tails are cut where the errors are estimated, so the measure is not the same to the last digit
    assert distance(found.nearest) <= 1.05 * min(map(distance, found.curve)) + 1e-6


def test_the_gradient_finds_what_halving_finds() -> None:
    found = needed(GAIN, LINE, "profit_change", 0)
    low, high = -0.5, 0.9  # beta at alpha 1
    for _ in range(80):
        middle = (low + high) / 2
        if at(1.0, middle, LINE).change.estimate < 0:
            low = middle
        else:
            high = middle
    assert found.beta_alone == pytest.approx(low, abs=1e-9)


def test_at_cost_plus_only_the_product_is_known() -> None:
    found = needed(GAIN, COST_PLUS, "profit_change", 0)
    # m v Q (alpha (1 - beta) - 1) = running cost
    assert found.product == pytest.approx(1 + 100 / (0.2 * 10 * 1000))
    for alpha, beta in found.curve:
        assert alpha * (1 - beta) == pytest.approx(found.product)
    assert found.nearest[0] * (1 - found.nearest[1]) == pytest.approx(found.product)
    # the same factor on both of them is the shortest way
    assert found.nearest[0] / 1.2 == pytest.approx((1 - found.nearest[1]) / 0.9)


def test_at_a_fixed_price_the_product_does_not_decide() -> None:
    assert needed(GAIN, LINE, "profit_change", 0).product is None


@pytest.mark.parametrize("key", KEYS)
def test_every_figure_may_be_the_target(key: str) -> None:
    value = {"npv": 1000, "irr": 0.2, "roi": 1, "profit_ratio": 1.3}.get(key, 3)
    found = needed(GAIN, LINE, key, value)
    reached = getattr(
        at(*found.nearest, LINE), key.replace("profit_", "") if "profit" in key else key
    )
    assert reached.estimate == pytest.approx(value, rel=1e-6)


def test_the_chance_is_the_share_of_draws_that_reach_it() -> None:
    prospect = measured()
    middle = at(1.2, 0.1, LINE).change.estimate
    found = needed(prospect, LINE, "profit_change", middle)
    assert found.chance == pytest.approx(0.5, abs=0.03)
    assert found.is_reached
    assert needed(GAIN, LINE, "profit_change", middle).chance is None
    assert not needed(GAIN, LINE, "profit_change", middle + 1).is_reached


@pytest.mark.parametrize("demand", [1050.0, 1100.0, 1190.0, 1500.0])
def test_what_cannot_be_sold_does_not_count(demand: float) -> None:
    line = replace(LINE, demand_units=demand)
    found = needed(GAIN, line, "profit_change", 900)
    assert at(*found.nearest, line).change.estimate == pytest.approx(900)
    here = math.dist(np.log([found.nearest[0], 1 - found.nearest[1]]), np.log([1.2, 0.9]))
    for alpha in np.linspace(0.8, 1.6, 161):
        sold = min(alpha, demand / 1000)
        beta = 1 - (12 - (900 + 100 + 2000) / (1000 * sold)) / 10
        there = math.dist(np.log([alpha, 1 - beta]), np.log([1.2, 0.9]))
        assert here <= there + 1e-9


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("profit", 1, "give one of profit_ratio"),
        ("irr", -2, "no profit makes irr"),
        ("payback_years", -1, "no profit makes payback_years"),
    ],
)
def test_a_target_that_nothing_reaches_is_refused(key: str, value: float, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        needed(GAIN, LINE, key, value)


def test_what_needs_an_investment_is_refused_without_one() -> None:
    with pytest.raises(ConfigError, match=r"economics\.investment"):
        needed(GAIN, replace(LINE, investment=0), "irr", 0.1)


def test_no_gain_reaches_more_than_the_market_and_the_cost_allow() -> None:
    with pytest.raises(ConfigError, match="no gain reaches"):
        needed(GAIN, replace(LINE, demand_units=1000), "profit_change", 1e6)
