"""Draws what `profit` found."""

from __future__ import annotations

from analytics import charts, decision_charts
from contracts.decision import Prospect
from gainline.decisions.profit_answers import Found


def draw(found: Found, prospect: Prospect) -> dict[str, str]:
    """Draw the bridge, and what else was asked for, by name."""
    earned = found.earned
    drawn = {"bridge": charts.profit_bridge(earned)}
    if found.tornado:
        drawn["tornado"] = decision_charts.tornado(
            found.tornado, earned.npv.estimate, earned.currency
        )
    for each in found.targets:
        drawn[f"target-{each.key}"] = decision_charts.break_even(each, prospect)
    if found.scenarios:
        drawn["scenarios"] = decision_charts.scenarios(found.scenarios)
    return drawn
