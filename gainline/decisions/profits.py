"""Answers `profit`: what a gain does to profit, one that is known or that of a panel."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from analytics import gain, profit
from analytics.profit import Economics
from analytics.profit.sensitivity import sensitivities
from analytics.profit.targets import needed
from contracts.decision import Prospect
from contracts.outcome import Gain, Profit
from gainline.config.loading import Settings
from gainline.config.sections import EconomicsSection
from gainline.config.valuation import is_stated, panel_economics, require_prices, stated_economics
from gainline.decisions.profit_answers import (
    Answer,
    Found,
    answer_of,
    in_lines,
    scenario_of,
    target_of,
    tornado_of,
)
from gainline.decisions.scenarios import economics_of
from gainline.files.pictures import write_pictures
from gainline.gains.panel_files import read_panel, read_upgrades


@dataclass(frozen=True)
class Asked:
    """What the command line says: a gain, or the files to fit one; which price; what besides."""

    alpha: float | None
    beta: float | None
    panel: Path | None
    upgrades: Path | None
    model: str | None
    tornado: bool = False
    targets: tuple[tuple[str, float], ...] = ()
    scenarios: bool = False
    charts: Path | None = None

    @property
    def is_bare(self) -> bool:
        """Whether a gain is known and nothing but the profit is asked for."""
        besides = (self.panel, self.tornado, self.targets, self.scenarios, self.charts)
        return not any(besides)


@dataclass(frozen=True)
class Case:
    """What is valued: a gain, and how settings describe its line; `fitted` if it was measured."""

    prospect: Prospect
    line: Callable[[Settings], Economics]
    fitted: Gain | None = None


def show_profit(settings: Settings, asked: Asked, *, as_json: bool) -> None:
    """Print what a gain does to profit."""
    settings = _priced(settings, asked)
    if settings.economics.pricing == "cost_plus" and asked.is_bare and not is_stated(settings):
        ratio = profit.cost_plus(
            alpha=asked.alpha or 0.0, beta=asked.beta or 0.0, margin=settings.economics.margin
        )
        answer: Answer = {"profit_ratio": ratio}
    else:
        case = case_of(settings, asked)
        found = _find(case, asked, settings)
        answer = _answer(found, case)
        if asked.charts:
            from gainline.decisions.profit_pictures import draw  # noqa: PLC0415  # most answers have none

            write_pictures(asked.charts, draw(found, case.prospect))
    if as_json:
        json.dump(answer, sys.stdout, allow_nan=False)
        sys.stdout.write("\n")
    else:
        sys.stdout.write(in_lines(answer))


def case_of(settings: Settings, asked: Asked) -> Case:
    """Fit the gain or take it as it is given; tell what economics belong to it."""
    if asked.panel is None or asked.upgrades is None:
        prospect = Prospect.known(asked.alpha or 0.0, asked.beta or 0.0)
        return Case(prospect, stated_economics)
    require_prices(settings)
    panel, upgrades = read_panel(asked.panel), read_upgrades(asked.upgrades)
    fitted = gain.fit(
        panel,
        upgrades,
        level=settings.gain.level,
        ramp=settings.gain.ramp_periods,
        anticipation=settings.gain.anticipation_periods,
    )
    return Case(
        Prospect.measured(fitted), lambda said: panel_economics(said, panel, upgrades), fitted
    )


def _priced(settings: Settings, asked: Asked) -> Settings:
    """Take the model that is asked for; without one cost_plus, if nothing at all is known.

    Where a price is configured, the ratio of a contract at cost plus would be another's.
    """
    model = asked.model
    if model is None and asked.panel is None and settings.economics == EconomicsSection():
        model = "cost_plus"
    if model is None:
        return settings
    section = msgspec.structs.replace(settings.economics, pricing=model)
    return msgspec.structs.replace(settings, economics=section)


def _find(case: Case, asked: Asked, settings: Settings) -> Found:
    prospect, economics = case.prospect, case.line(settings)
    named = economics_of(settings, case.line) if asked.scenarios else []
    return Found(
        earned=_value(prospect, economics),
        line_count=economics.line_count,
        tornado=sensitivities(prospect, economics) if asked.tornado else (),
        targets=tuple(needed(prospect, economics, *target) for target in asked.targets),
        scenarios=tuple((name, _value(prospect, each)) for name, each in named),
    )


def _answer(found: Found, case: Case) -> Answer:
    answer = answer_of(found.earned, case.prospect, case.fitted)
    answer["line_count"] = found.line_count
    if found.tornado:
        answer["tornado"] = tornado_of(found.tornado)
    if found.targets:
        answer["targets"] = [target_of(each) for each in found.targets]
    if found.scenarios:
        answer["scenarios"] = [scenario_of(name, each) for name, each in found.scenarios]
    return answer


def _value(prospect: Prospect, economics: Economics) -> Profit:
    return profit.push(prospect.draws, economics, point=prospect.point, level=prospect.level)
