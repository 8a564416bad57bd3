"""Answers `gain`: what upgrades did to a panel that is in a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pyarrow as pa

from analytics import gain
from contracts.errors import DataError
from contracts.outcome import Gain, Interval
from contracts.panel import REQUIRED, Panel, Upgrades
from gainline.tables import read_table


@dataclass(frozen=True)
class Asked:
    """What the options ask of a panel."""

    method: Literal["population", "synthetic"] = "population"
    line: str | None = None
    level: float = 0.9
    windows: Mapping[str, int] = field(default_factory=dict)  # ramp, anticipation


def fit_files(panel_file: Path, upgrades_file: Path, asked: Asked, *, as_json: bool) -> None:
    """Fit the gain of a panel and print it."""
    panel = Panel(_dated(read_table(panel_file, columns=REQUIRED), "period", panel_file))
    upgrades = Upgrades(_dated(read_table(upgrades_file), "upgraded_on", upgrades_file))
    if asked.line is not None:
        panel, upgrades = gain.alone(panel, upgrades, asked.line)
    fit = gain.fit if asked.method == "population" else gain.fit_one
    fitted = fit(panel, upgrades, level=asked.level, **asked.windows)
    if as_json:
        json.dump(gain.as_answer(fitted), sys.stdout, allow_nan=False)
        sys.stdout.write("\n")
    else:
        sys.stdout.write(_in_words(fitted))


def _dated(table: pa.Table, column: str, path: Path) -> pa.Table:
    """Take a column for dates; `line` for text, whatever the file made of it."""
    if column not in table.column_names or "line" not in table.column_names:
        return table  # the type that takes it says what is missing
    try:
        days = table[column].cast(pa.date32(), safe=False)
        lines = table["line"].cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise DataError(f"{path}: the column {column!r} holds no dates; write 2026-03-02") from None
    table = table.set_column(table.column_names.index(column), column, days)
    return table.set_column(table.column_names.index("line"), "line", lines)


def _in_words(fitted: Gain) -> str:
    def row(name: str, alpha: Interval, beta: Interval, borrowed: str = "") -> str:
        return (
            f"{name:<16} {alpha.estimate:8.4f} [{alpha.low:.4f}, {alpha.high:.4f}]"
            f" {beta.estimate:8.4f} [{beta.low:.4f}, {beta.high:.4f}]{borrowed:>10}".rstrip()
            + "\n"
        )

    share = f"{fitted.level:.0%} interval"
    text = f"{'':<16} {'alpha':>8} {share:<17} {'beta':>8} {share:<17} borrowed\n"
    text += row("programme", fitted.alpha, fitted.beta)
    for one in fitted.lines:
        text += row(f"line {one.line}", one.alpha, one.beta, f"{one.borrowed:.0%}")
    text += row("next line", *fitted.next_line)
    text += f"verdict: {fitted.verdict}\n"
    return text + "".join(f"note: {warning}\n" for warning in fitted.warnings)
