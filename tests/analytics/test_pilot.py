"""The design of a pilot: what it claims to detect is what the fit detects."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from analytics import gain
from analytics.plan.pilot import Chance, Terms, design, periods_of, power_of, untouched
from contracts.decision import PilotPlan
from contracts.errors import DataError
from contracts.panel import Panel, Upgrades
from ingest.plant.plan import PlantPlan
from ingest.plant.simulation import simulate

TERMS = Terms(alpha=1.05, beta=0.03, ramp=3, cost=100.0)
FEW = Chance(run_count=20, seed=3)


@pytest.fixture(scope="module")
def past() -> Panel:
    return simulate(PlantPlan(upgraded_share=0.0)).books.panel


@pytest.fixture(scope="module")
def plan(past: Panel) -> PilotPlan:
    return design(past, [(1, 8), (1, 26), (4, 26)], TERMS, FEW)


def test_more_lines_and_more_periods_show_less(plan: PilotPlan) -> None:
    one_short, one_long, four_long = plan.designs
    assert one_short.detectable_alpha > four_long.detectable_alpha > 1
    assert one_long.detectable_alpha > four_long.detectable_alpha
    assert one_short.detectable_beta > one_long.detectable_beta > four_long.detectable_beta > 0
    assert four_long.cost == 400


def test_the_same_seed_gives_the_same_plan(past: Panel, plan: PilotPlan) -> None:
    again = design(past, [(1, 8), (1, 26), (4, 26)], TERMS, FEW)
    assert again == plan
    other = design(past, [(4, 26)], TERMS, Chance(20, seed=4))
    assert other.lines != plan.lines or other.designs[0] != plan.designs[2]


def test_power_is_the_share_of_runs_that_the_effect_carries_over(plan: PilotPlan) -> None:
    one = plan.designs[0]
    alpha, beta = power_of(one, alpha=1.03, beta=0.02)
    assert alpha == np.mean(one.needed[0] < math.log(1.03))
    assert beta == np.mean(one.needed[1] < -math.log(0.98))
    assert power_of(one, alpha=one.detectable_alpha * 1.0001)[0] >= plan.power


def test_an_effect_only_shifts_the_interval(past: Panel) -> None:
    """What makes the power of every effect readable off runs without any."""
    start = periods_of(past)[26]
    lines = ["L02", "L05", "L09"]
    upgrades = Upgrades(
        pa.table({"line": lines, "upgraded_on": pa.array([start] * 3, pa.date32())})
    )
    without = gain.fit(past, upgrades)
    frame = past.table.to_pandas()
    hit = frame["line"].isin(lines) & (frame["period"] >= start)
    frame.loc[hit, "output"] *= 1.1
    frame.loc[hit, "unit_cost"] *= 0.95
    with_effect = gain.fit(Panel(pa.Table.from_pandas(frame, past.table.schema)), upgrades)
    assert with_effect.alpha.low == pytest.approx(1.1 * without.alpha.low, rel=1e-9)
    assert 1 - with_effect.beta.low == pytest.approx(0.95 * (1 - without.beta.low), rel=1e-9)


def test_the_cheapest_design_that_is_powerful_enough_is_chosen(plan: PilotPlan) -> None:
    good = [one for one in plan.designs if min(one.power_alpha or 0, one.power_beta or 0) >= 0.8]
    assert plan.is_enough
    assert plan.chosen == good[0]
    assert len(plan.lines) == plan.chosen.line_count


def test_where_nothing_is_enough_it_is_said(past: Panel) -> None:
    plan = design(past, [(1, 8)], Terms(alpha=1.001, ramp=3), FEW)
    assert not plan.is_enough
    assert "no design shows what is hoped for with probability 80%" in plan.warnings
    assert any("how lines differ" in words for words in plan.warnings)


def test_pilots_are_drawn_from_small_and_large_lines_alike(past: Panel) -> None:
    rows = past.table.group_by("line").aggregate([("output", "mean")]).to_pylist()
    ordered = [row["line"] for row in sorted(rows, key=lambda row: -row["output_mean"])]
    drawn = design(past, [(4, 26)], Terms(ramp=3), FEW).lines
    assert sorted(ordered.index(line) // 4 for line in drawn) == [0, 1, 2, 3]


def test_only_lines_that_may_be_pilots_are_drawn(past: Panel) -> None:
    few = ("L01", "L02", "L03")
    assert set(design(past, [(2, 26)], Terms(eligible=few), FEW).lines) <= set(few)
    with pytest.raises(DataError, match="'L99' is not in the panel's last period"):
        design(past, [(2, 26)], Terms(eligible=("L99",)), FEW)


@pytest.mark.parametrize(
    ("size", "terms"),
    [
        ((13, 26), Terms()),  # three controls would be left
        ((2, 40), Terms()),  # more than half of the past
        ((2, 3), Terms(ramp=3)),  # nothing after the ramp
        ((2, 26), Terms(cost=10.0, budget=19.0)),
    ],
)
def test_a_pilot_that_cannot_be_is_refused(
    past: Panel, size: tuple[int, int], terms: Terms
) -> None:
    with pytest.raises(DataError, match="no pilot is possible"):
        design(past, [size], terms, FEW)


def test_what_an_upgrade_may_have_touched_is_left_out(past: Panel) -> None:
    days = periods_of(past)
    upgrades = Upgrades(
        pa.table({"line": ["L01"], "upgraded_on": pa.array([days[10]], pa.date32())})
    )
    left = untouched(past, upgrades, anticipation=2).table
    own = left.filter(pc.field("line") == "L01")
    assert sorted(own["period"].to_pylist()) == days[:8]
    assert left.num_rows == past.table.num_rows - 52 + 8


def test_a_line_that_was_upgraded_is_no_pilot(past: Panel) -> None:
    day = date(2024, 10, 7)
    upgrades = Upgrades(pa.table({"line": ["L01"], "upgraded_on": pa.array([day], pa.date32())}))
    plan = design(untouched(past, upgrades), [(8, 13)], Terms(ramp=3), FEW)
    assert "L01" not in plan.lines
