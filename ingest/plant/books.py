"""A simulated plant's own books: what was truly made and spent, and the true gains."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from contracts.panel import Panel, Upgrades
from ingest.plant.floor import OFF, Run
from ingest.plant.plan import SLOTS_PER_WEEK, LinePlan, PlantPlan


@dataclass(frozen=True, slots=True)
class TrueGain:
    """What the upgrade of one line truly does once it has built up."""

    line: str
    alpha: float
    beta: float


@dataclass(frozen=True, slots=True)
class Books:
    """The truth that readings can only approach.

    `panel` has one row per line and week: good output, variable cost per good unit at the plan's
    prices, mean product mix and ambient temperature over all hours, load hours (those not off
    shift); weeks without output are left out. `lines` are the upgraded lines; `alpha` and `beta`
    the programme's, defined as in contracts.outcome.Gain (both NaN where nothing is upgraded).
    """

    panel: Panel
    lines: tuple[TrueGain, ...]
    alpha: float
    beta: float


def keep_books(plan: PlantPlan, runs: Sequence[tuple[LinePlan, Run]]) -> Books:
    """Sum what the lines did, week by week."""
    rows = pa.concat_tables(_weeks_of(plan, line, run) for line, run in runs)
    gains = tuple(
        TrueGain(line.name, line.alpha, line.beta)
        for line, _ in runs
        if line.upgrade_week is not None
    )
    return Books(
        panel=Panel(rows.filter(np.asarray(rows["output"]) > 0)),
        lines=gains,
        alpha=_geometric_mean([gain.alpha for gain in gains]),
        beta=1 - _geometric_mean([1 - gain.beta for gain in gains]),
    )


def upgrades_of(plan: PlantPlan, lines: Sequence[LinePlan]) -> Upgrades:
    """List the upgraded lines with the day of the upgrade."""
    rows = [(line.name, plan.monday(line.upgrade_week)) for line in lines if line.upgrade_week]
    return Upgrades(
        pa.table(
            {
                "line": pa.array([name for name, _ in rows], pa.string()),
                "upgraded_on": pa.array([day for _, day in rows], pa.date32()),
            }
        )
    )


def _weeks_of(plan: PlantPlan, line: LinePlan, run: Run) -> pa.Table:
    shape = (plan.weeks, SLOTS_PER_WEEK)
    output = run.good.reshape(shape).sum(axis=1).astype(np.float64)
    spent = (run.kwh * plan.price_kwh + run.kg * plan.price_kg).reshape(shape).sum(axis=1)
    return pa.table(
        {
            "line": pa.array([line.name] * plan.weeks, pa.string()),
            "period": pa.array([plan.monday(week) for week in range(plan.weeks)], pa.date32()),
            "output": output,
            "unit_cost": spent / np.maximum(output, 1),
            "mix": run.product_mix.reshape(shape).mean(axis=1),
            "ambient_c": run.ambient_c.reshape(shape).mean(axis=1),
            "load_hours": (run.state != OFF).reshape(shape).sum(axis=1) / 4,
        }
    )


def _geometric_mean(values: Sequence[float]) -> float:
    """Take exp of the mean logarithm; NaN of nothing.

    >>> round(_geometric_mean([1.0, 4.0]), 12)
    2.0
    """
    if not values:
        return math.nan
    return math.exp(sum(math.log(value) for value in values) / len(values))
