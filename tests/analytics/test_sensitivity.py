"""Slopes and swings of the net present value against differences and hand computation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analytics.profit import Economics, at
from analytics.profit.sensitivity import sensitivities
from contracts.decision import Prospect
from contracts.outcome import Interval

LINE = Economics(
    good_units=1000,
    unit_cost=10,
    price=12,
    fixed_cost=300,
    running_cost=100,
    investment=1500,
    years=6,
    tax_rate=0.2,
    demand_units=1900,
    energy_kwh_per_unit=2,
    energy_price_per_kwh=0.2,
    co2_kg_per_kwh=0.4,
    co2_price_per_t=80,
)
GAIN = Prospect.known(1.2, 0.1)
FIELDS = (
    "good_units",
    "unit_cost",
    "price",
    "running_cost",
    "investment",
    "discount_rate",
    "tax_rate",
    "co2_price_per_t",
)


def npv(economics: Economics, alpha: float = 1.2, beta: float = 0.1) -> float:
    return at(alpha, beta, economics).npv.estimate


@pytest.mark.parametrize("name", FIELDS)
def test_a_slope_is_what_a_small_step_shows(name: str) -> None:
    found = {one.name: one for one in sensitivities(GAIN, LINE)}[name]
    value = getattr(LINE, name)
    step = 1e-5 * value
    up, down = (npv(replace(LINE, **{name: value + sign * step})) for sign in (1, -1))
    assert found.slope == pytest.approx((up - down) / (2 * step), rel=1e-6)
    assert found.elasticity == pytest.approx(found.slope * value / npv(LINE))


def test_a_swing_is_the_model_at_both_ends() -> None:
    found = {one.name: one for one in sensitivities(GAIN, LINE, swing=0.2)}
    assert found["price"].npv_high == pytest.approx(npv(replace(LINE, price=14.4)))
    assert found["alpha"].npv_low == pytest.approx(npv(LINE, alpha=1.16))
    assert found["beta"].npv_high == pytest.approx(npv(LINE, beta=0.12))


def test_dearer_energy_makes_the_unit_dearer_and_the_saving_larger() -> None:
    found = {one.name: one for one in sensitivities(GAIN, LINE, swing=0.5)}
    by_hand = npv(replace(LINE, unit_cost=10.2))  # 2 kWh at 0.3 instead of 0.2
    assert found["energy_price_per_kwh"].npv_high == pytest.approx(by_hand)


def test_a_measured_gain_swings_between_its_bounds() -> None:
    draws = np.log([[1.1, 0.95], [1.2, 0.9], [1.3, 0.85]])
    prospect = Prospect(Interval(1.2, 1.1, 1.3), Interval(0.1, 0.05, 0.15), 0.9, draws)
    found = {one.name: one for one in sensitivities(prospect, LINE)}
    assert (found["alpha"].low, found["alpha"].high) == (1.1, 1.3)
    assert found["alpha"].npv_low == pytest.approx(npv(LINE, alpha=1.1))


def test_the_widest_swing_comes_first_and_what_moves_nothing_is_left_out() -> None:
    found = sensitivities(GAIN, LINE)
    widths = [one.width for one in found]
    assert widths == sorted(widths, reverse=True)
    names = {one.name for one in found}
    assert "fixed_cost" not in names
    assert "demand_units" not in names  # 1.2 x 1000 are sold in any case
    assert "margin" not in names


def test_where_demand_binds_it_is_what_matters_and_alpha_is_not() -> None:
    names = {one.name for one in sensitivities(GAIN, replace(LINE, demand_units=1100))}
    assert "demand_units" in names
    assert "alpha" not in names


def test_at_cost_plus_the_margin_stands_in_the_place_of_the_price() -> None:
    names = {one.name for one in sensitivities(GAIN, replace(LINE, price=None, margin=0.2))}
    assert "margin" in names
    assert "price" not in names
