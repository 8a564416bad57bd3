"""Tax, depreciation, internal rate, payback, components, carbon and cost plus, by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from analytics.profit import Component, Economics, at, push
from analytics.profit.cashflow import Investment, present_value
from analytics.profit.model import terms_of, year
from contracts.errors import ConfigError

LINE = Economics(good_units=1000, unit_cost=10, price=12)
DEAL = Investment(invested=1000, years=5, discount_rate=0.1, tax_rate=0.25, depreciated_years=4)


def test_tax_falls_on_the_change_less_depreciation() -> None:
    # 400 a year: 300 after tax, and a quarter of 250 written off for four years
    assert DEAL.flows(400) == pytest.approx([362.5] * 4 + [300])
    by_hand = sum(362.5 / 1.1**t for t in range(1, 5)) + 300 / 1.1**5 - 1000
    assert DEAL.npv(400) == pytest.approx(by_hand)
    assert DEAL.roi(400) == pytest.approx((4 * 362.5 + 300 - 1000) / 1000)
    assert DEAL.payback_years(400) == pytest.approx(1000 / 362.5)


def test_at_the_internal_rate_the_present_value_is_nothing() -> None:
    rate = DEAL.irr(400)
    assert replace(DEAL, discount_rate=rate).npv(400) == pytest.approx(0, abs=1e-6)
    assert Investment(invested=100, years=2).irr(121 / 1.1**2 * 0) == -1


def test_a_payback_after_the_depreciation_counts_its_relief_once() -> None:
    assert DEAL.payback_years(120) == pytest.approx((1000 - 250) / 90)


def test_what_does_not_pay_within_its_years_has_no_discounted_payback() -> None:
    assert DEAL.discounted_payback_years(10) == math.inf
    assert DEAL.discounted_payback_years(400) > DEAL.payback_years(400)


@given(change=st.floats(-1e4, 1e4), rate=st.floats(0, 0.5), tax=st.floats(0, 0.9))
def test_present_value_is_the_same_in_floats_and_in_tensors(
    change: float, rate: float, tax: float
) -> None:
    line = replace(
        LINE, investment=1000, years=7, discount_rate=rate, tax_rate=tax, depreciation_years=9
    )
    nothing = torch.zeros((), dtype=torch.float64)
    given_change = torch.tensor(change, dtype=torch.float64)
    worth = present_value(given_change, terms_of(line, nothing, nothing), line)
    assert worth.item() == pytest.approx(Investment.of(line).npv(change), abs=1e-8)


@given(small=st.floats(-2000, 2000), more=st.floats(0.01, 2000))
def test_every_figure_of_the_investment_rises_with_the_change(small: float, more: float) -> None:
    for figure in (DEAL.npv, DEAL.irr, DEAL.roi):
        assert figure(small + more) >= figure(small) - 1e-9
    for figure in (DEAL.payback_years, DEAL.discounted_payback_years):
        assert figure(small + more) <= figure(small)


@given(wanted=st.floats(-0.5, 3))
def test_the_change_that_a_figure_needs_gives_that_figure(wanted: float) -> None:
    for figure in (DEAL.roi, DEAL.npv):
        assert figure(DEAL.change_for(figure, wanted)) == pytest.approx(wanted, abs=1e-6)


@given(alpha=st.floats(0.5, 2), low=st.floats(-0.5, 0.9), more=st.floats(0.001, 0.09))
def test_at_a_fixed_price_profit_rises_with_beta(alpha: float, low: float, more: float) -> None:
    assert at(alpha, low + more, LINE).after.estimate > at(alpha, low, LINE).after.estimate


@given(alpha=st.floats(0.5, 2), beta=st.floats(-0.5, 0.9), margin=st.floats(0.01, 3))
def test_at_cost_plus_profit_grows_by_alpha_times_what_beta_leaves(
    alpha: float, beta: float, margin: float
) -> None:
    ratio = at(alpha, beta, replace(LINE, price=None, margin=margin)).ratio
    assert ratio is not None
    assert ratio.estimate == pytest.approx(alpha * (1 - beta), rel=1e-9)


def test_the_founding_example_comes_out_of_the_whole_model() -> None:
    ratio = at(1.2, 0.1, replace(LINE, price=None, margin=0.1)).ratio
    assert ratio is not None
    assert ratio.estimate == pytest.approx(1.08, abs=1e-12)


def test_each_component_has_the_beta_that_was_measured_or_its_own() -> None:
    parts = (
        Component(name="energy", share=0.2, beta=0.5),
        Component(name="material", share=0.5),
        Component(name="labour", share=0.3, beta=0.0),
    )
    line = replace(LINE, components=parts, energy_kwh_per_unit=2, co2_kg_per_kwh=0.4)
    profit = at(1.0, 0.1, line)
    assert profit.change.estimate == pytest.approx(1000 * 10 * (0.2 * 0.5 + 0.5 * 0.1))
    assert profit.energy_change_kwh.estimate == pytest.approx(-1000 * 2 * 0.5)
    assert profit.co2_after_kg_per_unit.estimate == pytest.approx(0.4)


def test_another_price_of_energy_is_the_same_in_the_economics_and_in_the_model() -> None:
    parts = (
        Component(name="energy", share=0.1, beta=0.3),
        Component(name="material", share=0.9),
    )
    line = replace(LINE, energy_kwh_per_unit=5, energy_price_per_kwh=0.2)
    for each in (line, replace(line, components=parts), replace(line, beta_share=0.6)):
        gain = [torch.tensor(value, dtype=torch.float64) for value in (1.2, 0.1)]
        dear = replace(terms_of(each, *gain), energy_price_per_kwh=torch.tensor(0.5).double())
        expected = year(dear, each).change.item()
        moved = at(1.2, 0.1, each.with_energy_price(0.5)).change.estimate
        assert moved == pytest.approx(expected)


def test_carbon_that_has_a_price_is_a_step_of_the_bridge() -> None:
    line = replace(LINE, energy_kwh_per_unit=2, co2_kg_per_kwh=0.5, co2_price_per_t=100)
    profit = at(1.2, 0.1, line)
    tonnes = 1000 * 2 * 0.5 / 1000 * (1.2 * 0.9 - 1)
    assert profit.before == pytest.approx(2000 - 100)
    assert {step.name: step.amount.estimate for step in profit.bridge}["co2"] == pytest.approx(
        -100 * tonnes
    )
    *steps, after = [step.amount.estimate for step in profit.bridge]
    assert math.fsum(steps) == pytest.approx(after)


def test_bounds_of_the_investment_are_its_values_at_the_bounds_of_the_change() -> None:
    draws = np.random.default_rng(3).normal([np.log(1.2), np.log(0.9)], 0.02, (999, 2))
    line = replace(LINE, investment=2000, tax_rate=0.3)
    profit = push(draws, line, point=(1.2, 0.1))
    deal = Investment.of(line)
    each = [deal.irr(at(a, 1 - k, line).change.estimate) for a, k in np.exp(draws)]
    assert profit.irr is not None
    assert (profit.irr.low, profit.irr.high) == pytest.approx(
        tuple(np.quantile(each, [0.05, 0.95])), abs=1e-4
    )


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"margin": 0.1}, "price and margin"),
        ({"price": None}, "price and margin"),
        ({"tax_rate": 1.5}, "tax_rate"),
        ({"components": (Component(name="energy", share=0.4),)}, "sum to 0.4"),
        ({"components": (Component(name="a", share=0.5),) * 2}, "twice"),
    ],
)
def test_economics_that_contradict_themselves_are_refused(wrong: dict, word: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ConfigError, match=word):
        replace(LINE, **wrong)


def test_a_component_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="share"):
        Component(name="energy", share=1.2)
    with pytest.raises(ConfigError, match="below 1"):
        Component(name="energy", share=0.2, beta=1.0)
