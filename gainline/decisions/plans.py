"""Answers `plan`: the design of a pilot, the decision on a roll-out."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from analytics import gain
from analytics.gain.gates import CONTROLS_MIN
from analytics.plan import pilot, rollout, waiting
from contracts.decision import PilotDesign, PilotPlan, RolloutPlan, Waiting
from contracts.errors import ConfigError, DataError
from contracts.outcome import Gain
from contracts.panel import Panel, Upgrades
from gainline.bar import progress_bar
from gainline.config.loading import Settings
from gainline.config.valuation import DAYS_PER_YEAR, days_per_period, require_prices
from gainline.decisions.candidates import candidates
from gainline.decisions.profit_answers import Answer, in_lines
from gainline.files.pictures import write_pictures
from gainline.gains.panel_files import read_panel, read_upgrades

NO_COST = "--budget: economics.investment is 0, so any number of lines is within it; set it"


@dataclass(frozen=True, kw_only=True)
class PilotAsked:
    """What the command line says of a pilot. `hoped`: alpha and beta that it should show."""

    panel: Path
    upgrades: Path | None
    hoped: tuple[float | None, float | None]
    line_counts: tuple[int, ...]
    period_counts: tuple[int, ...]
    lines: tuple[str, ...]
    budget: float | None
    power: float
    run_count: int
    seed: int


@dataclass(frozen=True)
class RolloutAsked:
    """What the command line says of a roll-out. `wait` in periods, `pilots` in lines."""

    panel: Path
    upgrades: Path
    budget: float | None
    costs: Path | None
    wait: int
    pilots: int


def show_pilot(
    settings: Settings, asked: PilotAsked, drawn_into: Path | None, *, as_json: bool
) -> None:
    """Print designs of a pilot and the one to choose; draw their power."""
    plan = designed(settings, asked)
    if drawn_into:
        from analytics.decision_charts import power_curve  # noqa: PLC0415  # most have no picture

        write_pictures(drawn_into, {"power": power_curve(plan)})
    _print(_pilot_answer(plan, asked), as_json=as_json)


def designed(settings: Settings, asked: PilotAsked) -> PilotPlan:
    """Try the designs that are asked for on the panel before any upgrade."""
    if asked.budget is not None and not settings.economics.investment:
        raise ConfigError(NO_COST)
    anticipation = settings.gain.anticipation_periods
    panel = read_panel(asked.panel)
    if asked.upgrades is not None:
        panel = pilot.untouched(panel, read_upgrades(asked.upgrades), anticipation)
    terms = pilot.Terms(
        alpha=asked.hoped[0],
        beta=asked.hoped[1],
        level=settings.gain.level,
        power=asked.power,
        ramp=settings.gain.ramp_periods,
        anticipation=anticipation,
        cost=settings.economics.investment,
        budget=asked.budget,
        eligible=asked.lines,
    )
    sizes = _sizes(panel, asked)
    chance = pilot.Chance(asked.run_count, asked.seed)
    with progress_bar("placebo upgrades", len(sizes) * asked.run_count) as advance:
        return pilot.design(panel, sizes, terms, chance, advance)


def show_rollout(
    settings: Settings, asked: RolloutAsked, drawn_into: Path | None, *, as_json: bool
) -> None:
    """Print what each line that is left would bring, and which to take; draw it."""
    plan, fitted = rolled_out(settings, asked)
    if drawn_into:
        from analytics import decision_charts  # noqa: PLC0415  # most have no picture

        write_pictures(drawn_into, {"rollout": decision_charts.rollout(plan)})
    _print(_rollout_answer(plan, fitted), as_json=as_json)


def rolled_out(settings: Settings, asked: RolloutAsked) -> tuple[RolloutPlan, Gain]:
    """Fit the gain and decide on the lines that are left."""
    require_prices(settings)
    panel, upgrades = read_panel(asked.panel), read_upgrades(asked.upgrades)
    section = settings.gain
    fitted = gain.fit(
        panel,
        upgrades,
        level=section.level,
        ramp=section.ramp_periods,
        anticipation=section.anticipation_periods,
    )
    left = candidates(settings, panel, upgrades, asked.costs)
    if left and asked.budget is not None and not any(one.economics.investment for one in left):
        raise ConfigError(NO_COST)
    plan = rollout.plan(left, fitted.next_draws, budget=asked.budget, level=section.level)
    if asked.wait:
        learning = _learning(panel, upgrades, asked.wait)
        learning = replace(learning, pilots=plan.chosen[: asked.pilots])
        worth = waiting.value_of_waiting(left, fitted, learning, budget=asked.budget)
        plan = replace(plan, waiting=worth)
    return plan, fitted


def _sizes(panel: Panel, asked: PilotAsked) -> list[tuple[int, int]]:
    """Combine the numbers of lines and of periods that are asked for, or the usual ones."""
    present = len(set(panel.table["line"].to_pylist()))
    usual = pilot.default_sizes(
        panel, max(1, min(len(asked.lines) or present, present - CONTROLS_MIN))
    )
    numbers = asked.line_counts or sorted({number for number, _ in usual})
    lengths = asked.period_counts or sorted({length for _, length in usual})
    return [(number, length) for number in numbers for length in lengths]


def _learning(panel: Panel, upgrades: Upgrades, wait: int) -> waiting.Learning:
    """Count the periods that upgraded lines were seen before and after, on average."""
    periods = np.array(pilot.periods_of(panel), "datetime64[D]")
    dates = np.array(upgrades.table["upgraded_on"].to_pylist(), "datetime64[D]")
    dates = dates[(dates > periods[0]) & (dates <= periods[-1])]
    if not len(dates):
        raise DataError("no line was upgraded within the panel: give one that is longer")
    before = float(np.searchsorted(periods, dates).mean())
    return waiting.Learning(
        before=before,
        after=len(periods) - before,
        more=wait,
        years=wait * days_per_period(panel) / DAYS_PER_YEAR,
    )


def _pilot_answer(plan: PilotPlan, asked: PilotAsked) -> Answer:
    chosen = plan.chosen
    return {
        "line_count": chosen.line_count,
        "period_count": chosen.period_count,
        "lines": list(plan.lines),
        "is_enough": plan.is_enough,
        "level": plan.level,
        "power": plan.power,
        "run_count": plan.run_count,
        "seed": asked.seed,
        "warnings": list(plan.warnings),
        "designs": [_row(design) for design in plan.designs],
    }


def _row(design: PilotDesign) -> Answer:
    return {
        "lines": design.line_count,
        "periods": design.period_count,
        "cost": design.cost,
        "detectable_alpha": design.detectable_alpha,
        "detectable_beta": design.detectable_beta,
        "power_alpha": design.power_alpha,
        "power_beta": design.power_beta,
        "false_alarms": design.false_alarms,
    }


def _rollout_answer(plan: RolloutPlan, fitted: Gain) -> Answer:
    answer: Answer = {
        "investment": plan.investment,
        "expected_npv": plan.expected_npv,
        "npv_low": plan.npv.low,
        "npv_high": plan.npv.high,
        "loss_chance": plan.loss_chance,
        "budget": plan.budget,
        "is_exact": plan.is_exact,
        "currency": plan.currency,
        "level": plan.level,
        "verdict": fitted.verdict,
        "warnings": list(fitted.warnings),
        "chosen": list(plan.chosen),
        "lines": [
            {
                "line": one.line,
                "investment": one.investment,
                "expected_npv": one.expected_npv,
                "npv_low": one.npv.low,
                "npv_high": one.npv.high,
                "loss_chance": one.loss_chance,
                "is_chosen": one.is_chosen,
            }
            for one in plan.lines
        ],
    }
    if plan.waiting is not None:
        answer["waiting"] = [_waiting(plan.waiting)]
    return answer


def _waiting(worth: Waiting) -> Answer:
    return {
        "years": worth.years,
        "pilots": ", ".join(worth.pilot_lines) or None,
        "now": worth.now,
        "later": worth.later,
        "gain": worth.gain,
        "perfect": worth.perfect,
    }


def _print(answer: Answer, *, as_json: bool) -> None:
    if as_json:
        json.dump(answer, sys.stdout, allow_nan=False)
        sys.stdout.write("\n")
    else:
        sys.stdout.write(in_lines(answer))
