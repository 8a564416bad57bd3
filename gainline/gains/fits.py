"""Answers `gain`: what upgrades did to a panel that is in a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from analytics import charts, gain, gain_charts
from contracts.closer import CloserLook
from contracts.errors import DataError
from contracts.outcome import Gain, Interval
from contracts.panel import Panel, Upgrades
from gainline.files.pictures import write_pictures
from gainline.gains.panel_files import read_events, read_panel, read_upgrades
from gainline.printable import printable


@dataclass(frozen=True)
class Asked:
    """What the options ask of a panel."""

    method: Literal["population", "synthetic"] = "population"
    line: str | None = None
    level: float = 0.9
    windows: Mapping[str, int] = field(default_factory=dict)  # ramp, anticipation
    events: Path | None = None
    details: bool = False
    charts: Path | None = None


def fit_files(panel_file: Path, upgrades_file: Path, asked: Asked, *, as_json: bool) -> None:
    """Fit the gain of a panel and print it."""
    panel, upgrades = read_panel(panel_file), read_upgrades(upgrades_file)
    notes: list[str] = []
    if asked.events is not None:
        seen, (panel, notes) = panel, gain.without(panel, read_events(asked.events))
        _require_upgraded(seen, panel, upgrades)
    if asked.line is not None:
        panel, upgrades = gain.alone(panel, upgrades, asked.line)
    fit = gain.fit if asked.method == "population" else gain.fit_one
    fitted = fit(panel, upgrades, level=asked.level, **asked.windows)
    fitted = replace(fitted, warnings=(*fitted.warnings, *notes))
    look = None
    if asked.details:
        look = gain.look_closer(panel, upgrades, level=asked.level, **asked.windows)
    if asked.charts is not None:
        write_pictures(asked.charts, _drawn(fitted, look, panel, upgrades))
    if as_json:
        more = {"details": gain.as_details(look)} if look else {}
        json.dump(gain.as_answer(fitted) | more, sys.stdout, allow_nan=False)
        sys.stdout.write("\n")
    else:
        sys.stdout.write(_in_words(fitted) + (_details_in_words(look) if look else ""))


def _require_upgraded(seen: Panel, left: Panel, upgrades: Upgrades) -> None:
    """Raise DataError where events have taken all that was seen of an upgraded line."""
    was, remains, upgraded = (set(one.table["line"].to_pylist()) for one in (seen, left, upgrades))
    lost = sorted(str(line) for line in (was - remains) & upgraded)
    if lost:
        raise DataError(
            f"the events leave no period of the upgraded line {lost[0]!r}: name shorter ones, or"
            " take it out of panel and upgrades"
        )


def _drawn(
    fitted: Gain, look: CloserLook | None, panel: Panel, upgrades: Upgrades
) -> dict[str, str]:
    """Draw output and gain of each line; with a closer look its course and placebos, too."""
    drawn = {
        "gain-lines": charts.gain_forest(fitted),
        "output": charts.output_index(panel, upgrades),
    }
    if look is not None:
        drawn |= {
            "gain-course": gain_charts.gain_course(look),
            "gain-placebos": gain_charts.gain_placebos(look, fitted),
            "gain-anticipation": gain_charts.gain_anticipation(look),
        }
    return drawn


def _in_words(fitted: Gain) -> str:
    share = f"{100 * fitted.level:g}% interval"
    text = f"{'':<16} {'alpha':>8} {share:<17} {'beta':>8} {share:<17} borrowed\n"
    text += _row("programme", fitted.alpha, fitted.beta)
    for one in fitted.lines:
        text += _row(f"line {one.line}", one.alpha, one.beta, f"{one.borrowed:.0%}")
    text += _row("next line", *fitted.next_line)
    text += f"verdict: {fitted.verdict}\n"
    return text + "".join(f"note: {printable(warning)}\n" for warning in fitted.warnings)


def _details_in_words(look: CloserLook) -> str:
    text = "\nby periods since the upgrade\n"
    for step in look.course:
        name = f"{step.first}" if step.first == step.last else f"{step.first} to {step.last}"
        text += _row(
            name, step.alpha, step.beta, f"{step.line_count} line{'s' * (step.line_count > 1)}"
        )
    if look.in_time:
        text += "\nthe last quarter before the upgrades, as if it were after\n"
        text += _row("placebo in time", *look.in_time)
    text += "\nlines never upgraded, as if they had been\n"
    for placebo in look.placebos:
        name = printable(f"line {placebo.line}")
        text += f"{name:<16} {placebo.alpha:8.4f} {'':<17} {placebo.beta:8.4f}\n"
    text += "\nby periods left out before the upgrades\n"
    for one in look.anticipations:
        text += _row(f"{one.anticipation}", one.alpha, one.beta)
    return text


def _row(name: str, alpha: Interval, beta: Interval, last: str = "") -> str:
    return (
        f"{printable(name):<16} {alpha.estimate:8.4f} [{alpha.low:.4f}, {alpha.high:.4f}]"
        f" {beta.estimate:8.4f} [{beta.low:.4f}, {beta.high:.4f}]{last:>10}".rstrip()
        + "\n"
    )
