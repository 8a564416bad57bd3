"""Writes what `profit` found, as an object of JSON or as lines for people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contracts.decision import Needed, Prospect, Sensitivity
from contracts.outcome import Gain, Interval, Profit
from gainline.output import as_text
from gainline.printable import printable

Answer = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """All that is asked for of one gain; what is not is empty."""

    earned: Profit
    line_count: int
    tornado: tuple[Sensitivity, ...] = ()
    targets: tuple[Needed, ...] = ()
    scenarios: tuple[tuple[str, Profit], ...] = ()


def figures_of(earned: Profit) -> dict[str, Interval]:
    """Give the figures of a profit by name; those that there are.

    Where the energy of a unit is not known, nothing is said of it.
    """
    energy = earned.energy_change_kwh
    carbon = earned.co2_before_kg_per_unit > 0
    figures: dict[str, Interval | None] = {
        "profit_ratio": earned.ratio,
        "profit_after": earned.after,
        "profit_change": earned.change,
        "npv": earned.npv,
        "irr": earned.irr,
        "roi": earned.roi,
        "payback_years": earned.payback_years,
        "discounted_payback_years": earned.discounted_payback_years,
        "energy_change_kwh": energy if carbon or (energy.low, energy.high) != (0, 0) else None,
        "co2_change_t": earned.co2_change_t if carbon else None,
        "co2_after_kg_per_unit": earned.co2_after_kg_per_unit if carbon else None,
    }
    return {name: each for name, each in figures.items() if each is not None}


def answer_of(earned: Profit, prospect: Prospect, fitted: Gain | None) -> Answer:
    """Give the estimates by name, and their bounds where the gain has bounds.

    >>> from analytics.profit import Economics, at
    >>> earned = at(1.2, 0.1, Economics(good_units=1000, unit_cost=10, price=12))
    >>> answer_of(earned, Prospect.known(1.2, 0.1), None)["profit_change"]
    1600.0
    """
    figures = {"alpha": prospect.alpha, "beta": prospect.beta, **figures_of(earned)}
    answer: Answer = {
        **{name: finite(each.estimate) for name, each in figures.items()},
        "profit_before": earned.before,
        "currency": earned.currency,
    }
    if earned.co2_before_kg_per_unit > 0:
        answer["co2_before_kg_per_unit"] = earned.co2_before_kg_per_unit
    if fitted is not None:
        answer["intervals"] = {
            name: {"low": finite(each.low), "high": finite(each.high)}
            for name, each in figures.items()
        }
        answer |= {
            "loss_chance": earned.loss_chance,
            "level": earned.level,
            "verdict": fitted.verdict,
        }
        answer["warnings"] = list(fitted.warnings)
    return answer


def tornado_of(found: Sequence[Sensitivity]) -> list[Answer]:
    """Give each sensitivity as an object."""
    return [
        {
            "input": one.name,
            "value": one.value,
            "low": one.low,
            "high": one.high,
            "npv_low": one.npv_low,
            "npv_high": one.npv_high,
            "slope": one.slope,
            "elasticity": one.elasticity,
        }
        for one in found
    ]


def target_of(found: Needed) -> Answer:
    """Give what a target needs as an object."""
    return {
        "target": found.key,
        "value": found.value,
        "profit_change": found.change,
        "alpha": found.nearest[0],
        "beta": found.nearest[1],
        "alpha_alone": found.alpha_alone,
        "beta_alone": found.beta_alone,
        "product": found.product,
        "is_reached": found.is_reached,
        "chance": found.chance,
    }


def scenario_of(name: str, earned: Profit) -> Answer:
    """Give one scenario as an object."""
    return {
        "scenario": name,
        "profit_before": earned.before,
        "profit_change": earned.change.estimate,
        "npv": earned.npv.estimate,
        "npv_low": earned.npv.low,
        "npv_high": earned.npv.high,
        "irr": None if earned.irr is None else finite(earned.irr.estimate),
        "payback_years": finite(earned.payback_years.estimate),
        "loss_chance": earned.loss_chance,
    }


def in_lines(answer: Answer) -> str:
    """Write one figure a line, with its interval where it has one; below them the tables."""
    bounds = answer.get("intervals", {})
    lines, tables = [], []
    for name, value in answer.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            rows = [tuple(map(_shown, row.values())) for row in value]
            tables.append(f"\n{name}\n{as_text(list(value[0]), rows)}")
        elif isinstance(value, list) and value and name != "warnings":
            lines.append(f"{name}  {printable(', '.join(map(str, value)))}\n")
        elif not isinstance(value, dict | list):
            text = f"{name}  {_shown(value)}"
            if name in bounds:
                text += f"  [{_shown(bounds[name]['low'])}, {_shown(bounds[name]['high'])}]"
            lines.append(f"{text}\n")
    notes = [f"note: {printable(warning)}\n" for warning in answer.get("warnings", ())]
    return "".join([*lines, *notes, *tables])


def finite(value: float) -> float | None:
    """Give null for infinity, which JSON has not: it is what never comes.

    >>> finite(2.5), finite(float("inf"))
    (2.5, None)
    """
    return value if math.isfinite(value) else None


def _shown(value: object) -> str:
    """Write six figures that carry; a year that never comes as a dash.

    >>> _shown(1 / 3), _shown(None), _shown(True), _shown("EUR")
    ('0.333333', '-', 'yes', 'EUR')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, int | float) else str(value)
