"""Charts of a decision: deterministic, small, safe, and true to what they are given."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from analytics import decision_charts as drawn
from analytics.plan import rollout
from analytics.plan.rollout import Candidate
from analytics.profit import Economics, at
from analytics.profit.sensitivity import sensitivities
from analytics.profit.targets import needed
from analytics.words import ENGLISH
from contracts.decision import PilotDesign, PilotPlan, Prospect
from contracts.outcome import Interval

HOSTILE = '<script>alert(1)</script> & "x" --> $a_b$ \x00 温度'
BYTES_MAX = 25_000
LINE = Economics(
    good_units=1000,
    unit_cost=10,
    price=12,
    running_cost=10,
    investment=1500,
    tax_rate=0.2,
    demand_units=1150,
    energy_kwh_per_unit=2,
    energy_price_per_kwh=0.2,
    co2_kg_per_kwh=0.4,
    co2_price_per_t=80,
    currency=HOSTILE,
)
DRAWS = np.random.default_rng(1).normal(np.log([1.2, 0.9]), 0.02, (500, 2))
GAIN = Prospect(Interval(1.2, 1.16, 1.24), Interval(0.1, 0.06, 0.14), 0.9, DRAWS)


def design(lines: int, shift: float) -> PilotDesign:
    steps = np.sort(np.random.default_rng(lines).normal(shift, 0.01, (2, 60)), axis=1)
    return PilotDesign(
        line_count=lines,
        period_count=13,
        cost=1.0,
        detectable_alpha=1.02,
        detectable_beta=0.02,
        power_alpha=None,
        power_beta=None,
        false_alarms=0.1,
        needed=steps,
    )


DESIGNS = (design(1, 0.05), design(4, 0.02))
PILOT = PilotPlan(
    designs=DESIGNS,
    chosen=DESIGNS[1],
    lines=("a",),
    is_enough=True,
    hoped=(1.05, None),
    level=0.9,
    power=0.8,
    run_count=60,
)
ROLLOUT = rollout.plan(
    [Candidate(f"{HOSTILE} {n}", replace(LINE, investment=900.0 + n)) for n in range(60)],
    DRAWS,
    budget=20_000,
)
CHARTS: dict[str, Callable[[], str]] = {
    "tornado": lambda: drawn.tornado(sensitivities(GAIN, LINE), 2000.0, HOSTILE),
    "scenarios": lambda: drawn.scenarios([(HOSTILE, at(1.2, 0.1, LINE))] * 3),
    "break-even": lambda: drawn.break_even(needed(GAIN, LINE, "npv", 0), GAIN),
    "power-curve": lambda: drawn.power_curve(PILOT),
    "rollout": lambda: drawn.rollout(ROLLOUT),
}


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_small_safe_and_always_the_same(name: str) -> None:
    svg = CHARTS[name]()
    root = ET.fromstring(svg)  # noqa: S314 - ours
    assert len(svg.encode()) < BYTES_MAX
    assert svg == CHARTS[name]()
    assert "script" not in {element.tag.rpartition("}")[2] for element in root.iter()}
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert all(ident.startswith(f"{name}-") for ident in ids)
    assert root.attrib["aria-label"]


def test_every_input_of_the_model_has_a_name() -> None:
    found = sensitivities(GAIN, LINE) + sensitivities(GAIN, replace(LINE, price=None, margin=0.2))
    assert {f"input_{one.name}" for one in found} <= ENGLISH.keys()


def test_a_tornado_shows_the_values_at_both_ends() -> None:
    svg = CHARTS["tornado"]()
    for one in sensitivities(GAIN, LINE)[:3]:
        assert f">{one.low:,.4g}<" in svg
        assert f">{one.high:,.4g}<" in svg


def test_lines_beyond_a_page_are_counted() -> None:
    assert "24 more lines are in the table" in CHARTS["rollout"]()


def test_a_known_gain_without_a_curve_can_be_drawn() -> None:
    found = needed(Prospect.known(1.2, 0.1), LINE, "profit_change", 0)
    assert "<svg" in drawn.break_even(replace(found, curve=()), Prospect.known(1.2, 0.1))
