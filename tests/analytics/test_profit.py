"""The profit model against figures computed by hand."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.profit import Economics, Plant, at, cost_plus, push
from contracts.errors import ConfigError, ContractError

# facts: price 20, v0 12.27, F 700,000; the output that gives their ratios is 6000 h x 60/h x 0.65
FIXED = {"good_units": 234_000.0, "unit_cost": 12.27, "price": 20.0, "fixed_cost": 700_000.0}


def test_the_founding_example_gives_1_08_at_cost_plus_whatever_the_margin() -> None:
    for margin in (0.01, 0.1, 3.0):
        assert cost_plus(alpha=1.2, beta=0.1, margin=margin) == pytest.approx(1.08, abs=1e-12)


def test_at_a_fixed_price_the_same_gain_is_worth_more() -> None:
    profit = at(1.2, 0.1, Economics(**FIXED))
    assert profit.before == pytest.approx(1_108_820)
    assert profit.after.estimate == pytest.approx(8.957 * 280_800 - 700_000)
    assert profit.ratio is not None
    assert round(profit.ratio.estimate, 3) == 1.637


def test_a_market_that_takes_no_more_leaves_only_the_lower_cost() -> None:
    profit = at(1.2, 0.1, Economics(**FIXED, demand_units=234_000))
    assert profit.ratio is not None
    assert round(profit.ratio.estimate, 3) == 1.259
    amounts = {step.name: step.amount.estimate for step in profit.bridge}
    assert amounts["output"] == 0
    assert amounts["both"] == 0
    assert amounts["unit_cost"] == pytest.approx(1.227 * 234_000)


def test_a_plant_gives_the_output_and_unit_cost_of_the_facts() -> None:
    plant = Plant(
        hours_per_year=6000,
        units_per_hour=60,
        oee=0.65,
        material_cost_per_unit=10,
        energy_kwh_per_unit=1.8,
        energy_price_per_kwh=0.15,
        labour_cost_per_hour=58,
        maintenance_cost_per_hour=20,
    )
    assert plant.good_units == pytest.approx(234_000)
    assert plant.unit_cost == pytest.approx(10 + 0.27 + 78 / 39)
    assert plant.measured_share == pytest.approx(10.27 / 12.27)


def test_at_a_fixed_price_profit_rises_with_beta() -> None:
    economics = Economics(**FIXED)
    after = [at(1.2, beta, economics).after.estimate for beta in (0.0, 0.05, 0.1, 0.5)]
    assert after == sorted(after)


def test_beta_acts_only_on_the_share_of_cost_it_was_measured_on() -> None:
    saved = at(1.0, 0.1, Economics(**FIXED, beta_share=0.5)).change.estimate
    assert saved == pytest.approx(0.5 * 1.227 * 234_000)


def test_present_value_and_payback_are_those_of_a_hand_computation() -> None:
    economics = Economics(
        good_units=1000,
        unit_cost=10,
        price=12,
        running_cost=200,
        investment=4000,
        years=3,
        discount_rate=0.1,
        line_count=2,
    )
    profit = at(1.5, 0.1, economics)
    # a line: 500 more units at 2, 1 saved on 1500 units, 200 to run
    assert profit.change.estimate == pytest.approx(2 * (1000 + 1500 - 200))
    flows = 2300 * (1 / 1.1 + 1 / 1.21 + 1 / 1.331)
    assert profit.npv.estimate == pytest.approx(2 * (flows - 4000))
    assert profit.payback_years.estimate == pytest.approx(4000 / 2300)


def test_an_upgrade_that_loses_money_never_pays_back() -> None:
    economics = Economics(**FIXED, investment=1000)
    assert at(0.8, 0.0, economics).payback_years.estimate == math.inf


def test_energy_and_carbon_follow_output_and_beta() -> None:
    economics = Economics(**FIXED, energy_kwh_per_unit=2, co2_kg_per_kwh=0.4)
    profit = at(1.2, 0.1, economics)
    assert profit.energy_change_kwh.estimate == pytest.approx(2 * 234_000 * (1.2 * 0.9 - 1))
    assert profit.co2_change_t.estimate == pytest.approx(0.0004 * 2 * 234_000 * 0.08)
    assert profit.co2_before_kg_per_unit == pytest.approx(0.8)
    assert profit.co2_after_kg_per_unit.estimate == pytest.approx(0.72)


def test_no_profit_before_leaves_no_ratio() -> None:
    assert at(1.2, 0.1, Economics(good_units=1, unit_cost=2, price=1)).ratio is None


@given(
    alpha=st.floats(0.5, 2),
    beta=st.floats(-0.5, 0.9),
    price=st.floats(1, 1e3),
    cost=st.floats(1, 1e3),
    running=st.floats(0, 1e6),
)
def test_the_bridge_sums_to_the_change(
    alpha: float, beta: float, price: float, cost: float, running: float
) -> None:
    economics = Economics(
        good_units=1e4,
        unit_cost=cost,
        price=price,
        fixed_cost=5e5,
        running_cost=running,
        demand_units=1.3e4,
    )
    profit = at(alpha, beta, economics)
    *steps, after = [step.amount.estimate for step in profit.bridge]
    scale = sum(abs(step) for step in steps)
    assert abs(math.fsum(steps) - after) <= 1e-12 * scale
    assert abs(profit.before + profit.change.estimate - after) <= 1e-12 * scale
    sold = min(alpha * 1e4, 1.3e4)
    assert after == pytest.approx(
        (price - cost * (1 - beta)) * sold - 5e5 - running, rel=1e-9, abs=1e-9 * scale
    )


def test_uncertainty_of_the_gain_becomes_uncertainty_of_the_money() -> None:
    rng = np.random.default_rng(7)
    draws = rng.normal([np.log(1.2), np.log(0.9)], [0.02, 0.01], (20_000, 2))
    profit = push(draws, Economics(**FIXED), point=(1.2, 0.1), level=0.9)
    assert profit.after.low < profit.after.estimate < profit.after.high
    inside = [at(a, 1 - k, Economics(**FIXED)).after.estimate for a, k in np.exp(draws[:500])]
    share = np.mean([profit.after.low <= x <= profit.after.high for x in inside])
    assert share == pytest.approx(0.9, abs=0.04)


def test_payback_bounds_are_those_of_the_change_turned_round() -> None:
    draws = np.log([[0.9, 1.0], [1.0, 0.99], [1.2, 0.9]])
    profit = push(draws, Economics(**FIXED, investment=1e6), level=0.8)
    assert profit.payback_years.high == math.inf
    assert profit.payback_years.low == pytest.approx(1e6 / profit.change.high)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"unit_cost": 0.0}, "unit_cost"),
        ({"price": -1.0}, "price"),
        ({"discount_rate": math.nan}, "discount_rate"),
        ({"investment": math.inf}, "investment"),
        ({"beta_share": 1.5}, "beta_share"),
        ({"demand_units": 1.0}, "demand_units"),
    ],
)
def test_wrong_economics_are_refused_in_one_line(wrong: dict[str, float], word: str) -> None:
    with pytest.raises(ConfigError, match=word) as refusal:
        Economics(**{**FIXED, **wrong})
    assert "\n" not in str(refusal.value)


def test_an_impossible_gain_is_refused() -> None:
    with pytest.raises(ConfigError, match="alpha"):
        at(0.0, 0.1, Economics(**FIXED))
    with pytest.raises(ConfigError, match="margin"):
        cost_plus(alpha=1.2, beta=0.1, margin=0)
    with pytest.raises(ContractError, match="pairs"):
        push(np.zeros((3, 3)), Economics(**FIXED))


def test_profit_is_imported_without_matplotlib() -> None:
    program = "import sys, analytics.profit; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
