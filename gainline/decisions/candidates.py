"""Describes the lines that are not upgraded yet, as they run now."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from analytics.plan.rollout import Candidate
from analytics.profit import Economics
from contracts.errors import ConfigError, DataError
from contracts.panel import Panel, Upgrades
from gainline.config.loading import Settings
from gainline.config.valuation import DAYS_PER_YEAR, days_per_period, measured_economics
from gainline.files.tables import read_table, refuse_twice

# What a file of costs may say of a line instead of the configuration.
INVESTMENT, RUNNING = "investment", "running_cost_per_year"


def candidates(
    settings: Settings, panel: Panel, upgraded: Upgrades, costs: Path | None = None
) -> list[Candidate]:
    """Give each line of the panel that has no upgrade, in order of name.

    Output and unit cost are those of its periods of the last year. `costs` is a table of line
    and, instead of the configuration's, `investment` or `running_cost_per_year`. Raises DataError
    for a file of costs that does not fit, ConfigError for economics that no line can have.
    """
    taken = upgraded.table["line"].cast(pa.string())
    table = panel.table.filter(pc.invert(pc.is_in(panel.table["line"], value_set=pc.unique(taken))))
    if not table.num_rows:
        return []
    days = days_per_period(panel)
    since = pc.max(table["period"]).as_py() - timedelta(days=DAYS_PER_YEAR)
    table = table.filter(pc.greater(table["period"], pa.scalar(since, pa.date32())))
    own = _own_costs(costs) if costs else {}
    found = []
    for line in sorted(str(name) for name in pc.unique(table["line"]).to_pylist()):
        rows = table.filter(pc.field("line") == line)
        energy = settings.economics.energy_kwh_per_unit or 0.0
        try:
            economics = measured_economics(settings, rows, days, energy)
            said = {**_costs_of(economics), **own.pop(line, {})}
            economics = replace(economics, investment=said[INVESTMENT], running_cost=said[RUNNING])
            found.append(Candidate(line, economics))
        except ConfigError as problem:
            raise ConfigError(f"line {line}: {problem}") from None
    if own:
        raise DataError(f"{costs}: the line {min(own)!r} is not one that may be upgraded")
    return found


def _costs_of(economics: Economics) -> dict[str, float]:
    return {INVESTMENT: economics.investment, RUNNING: economics.running_cost}


def _own_costs(path: Path) -> dict[str, dict[str, float]]:
    """Read what each line costs, by the names of the columns."""
    table = read_table(path, columns=("line",))
    refuse_twice(table, path)
    names = [name for name in (INVESTMENT, RUNNING) if name in table.column_names]
    if not names:
        raise DataError(f"{path}: has no column {INVESTMENT} or {RUNNING}; add one")
    found: dict[str, dict[str, float]] = {}
    for row in table.to_pylist():
        line = str(row["line"])
        if line in found:
            raise DataError(f"{path}: the line {line!r} is there twice; keep one row")
        wrong = [name for name in names if not _is_money(row[name])]
        if wrong:
            raise DataError(
                f"{path}: line {line!r} has no number as {wrong[0]}; give one that is not negative"
            )
        found[line] = {name: float(row[name]) for name in names}
    return found


def _is_money(cell: object) -> bool:
    return isinstance(cell, int | float) and 0 <= cell < math.inf
