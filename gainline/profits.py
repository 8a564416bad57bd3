"""Answers `profit`: what a gain does to profit, one that is known or that of a panel."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from analytics import gain, profit
from analytics.profit import Economics
from contracts.decision import Prospect
from contracts.outcome import Gain, Interval, Profit
from gainline.config import Settings
from gainline.panel_files import read_panel, read_upgrades
from gainline.valuation import is_stated, panel_economics, stated_economics

Answer = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What the command line says: a gain, or the files to fit one; which price is asked for."""

    alpha: float | None
    beta: float | None
    panel: Path | None
    upgrades: Path | None
    model: str | None


@dataclass(frozen=True)
class Case:
    """What is valued: a gain and the line it happened to; `fitted` where it was measured."""

    prospect: Prospect
    economics: Economics
    fitted: Gain | None = None


def show_profit(settings: Settings, asked: Asked, *, as_json: bool) -> None:
    """Print what a gain does to profit."""
    settings = _priced(settings, asked)
    if (
        asked.panel is None
        and settings.economics.pricing == "cost_plus"
        and not is_stated(settings)
    ):
        ratio = profit.cost_plus(
            alpha=asked.alpha or 0.0, beta=asked.beta or 0.0, margin=settings.economics.margin
        )
        answer: Answer = {"profit_ratio": ratio}
    else:
        case = case_of(settings, asked)
        answer = _answer(case, _value(case))
    if as_json:
        json.dump(answer, sys.stdout, allow_nan=False)
        sys.stdout.write("\n")
    else:
        sys.stdout.write("".join(_lines(answer)))


def case_of(settings: Settings, asked: Asked) -> Case:
    """Fit the gain or take it as it is given; find the economics that belong to it."""
    if asked.panel is None or asked.upgrades is None:
        prospect = Prospect.known(asked.alpha or 0.0, asked.beta or 0.0)
        return Case(prospect, stated_economics(settings))
    panel, upgrades = read_panel(asked.panel), read_upgrades(asked.upgrades)
    fitted = gain.fit(
        panel,
        upgrades,
        level=settings.gain.level,
        ramp=settings.gain.ramp_periods,
        anticipation=settings.gain.anticipation_periods,
    )
    return Case(Prospect.measured(fitted), panel_economics(settings, panel, upgrades), fitted)


def _priced(settings: Settings, asked: Asked) -> Settings:
    """Take the model that is asked for; without one cost_plus, if nothing more is known."""
    model = asked.model
    if model is None and asked.panel is None and not is_stated(settings):
        model = "cost_plus"
    if model is None:
        return settings
    section = msgspec.structs.replace(settings.economics, pricing=model)
    return msgspec.structs.replace(settings, economics=section)


def _value(case: Case) -> Profit:
    prospect = case.prospect
    return profit.push(prospect.draws, case.economics, point=prospect.point, level=prospect.level)


def _answer(case: Case, earned: Profit) -> Answer:
    """Give the estimates by name, and their bounds where the gain has bounds."""
    figures: dict[str, Interval | None] = {
        "alpha": case.prospect.alpha,
        "beta": case.prospect.beta,
        "profit_ratio": earned.ratio,
        "profit_after": earned.after,
        "profit_change": earned.change,
        "npv": earned.npv,
        "irr": earned.irr,
        "roi": earned.roi,
        "payback_years": earned.payback_years,
        "discounted_payback_years": earned.discounted_payback_years,
        "energy_change_kwh": earned.energy_change_kwh,
        "co2_change_t": earned.co2_change_t,
        "co2_after_kg_per_unit": earned.co2_after_kg_per_unit,
    }
    shown = {name: each for name, each in figures.items() if each is not None}
    answer: Answer = {
        **{name: _finite(each.estimate) for name, each in shown.items()},
        "profit_before": earned.before,
        "co2_before_kg_per_unit": earned.co2_before_kg_per_unit,
        "currency": earned.currency,
        "line_count": case.economics.line_count,
    }
    if case.fitted is not None:
        answer["intervals"] = {
            name: {"low": _finite(each.low), "high": _finite(each.high)}
            for name, each in shown.items()
        }
        answer |= {"level": earned.level, "verdict": case.fitted.verdict}
        answer["warnings"] = list(case.fitted.warnings)
    return answer


def _finite(value: float) -> float | None:
    """JSON has no infinity: null is what never comes."""
    return value if math.isfinite(value) else None


def _lines(answer: Answer) -> list[str]:
    """One figure a line, with its interval where it has one."""
    bounds = answer.get("intervals", {})
    lines = []
    for name, value in answer.items():
        if isinstance(value, dict | list):
            continue
        text = value if isinstance(value, str) else _shown(value)
        if name in bounds:
            text += f"  [{_shown(bounds[name]['low'])}, {_shown(bounds[name]['high'])}]"
        lines.append(f"{name}  {text}\n")
    return lines + [f"note: {warning}\n" for warning in answer.get("warnings", ())]


def _shown(value: float | None) -> str:
    return "never" if value is None else f"{value:.6g}"
