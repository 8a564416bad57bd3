"""Says which KPIs a report shows of how the lines ran, how they are written, what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analytics.report.figures import DASH, percent, significant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from analytics.words import Words
    from contracts.report import KpiRow, Lost, Performance

LOST_MAX = 5  # of the six big losses all but one, and as many reasons: the rest is small
NAMED_MAX = 5  # lines in a sentence
# In this order, each with how it is written.
_WRITERS: Mapping[str, Callable[[float], str]] = {
    "oee": percent,
    "availability": percent,
    "effectiveness": percent,
    "quality_ratio": percent,
    "mtbf_h": significant,
    "mttr_h": significant,
    "scrap_ratio": percent,
    "energy_per_good": significant,
    "co2e_per_good": significant,
    "coverage": percent,
    "good_share": percent,
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One KPI of a row as it is written; "" where there is no target."""

    now: str
    before: str
    target: str


def columns(told: Performance) -> list[str]:
    """Name the KPIs that are known of any line, in either time."""
    rows = (told.plant, *told.lines)
    return [
        name
        for name in _WRITERS
        if any(one.get(name) is not None for row in rows for one in (row.now, row.before))
    ]


def cells(row: KpiRow, names: list[str]) -> list[Cell]:
    """Write the KPIs of a row."""
    return [
        Cell(
            _written(name, row.now.get(name)),
            _written(name, row.before.get(name)),
            _written(name, row.targets[name]) if name in row.targets else "",
        )
        for name in names
    ]


def remarks(told: Performance, words: Words) -> Iterator[str]:
    """Say how to read what is shown, and which key of the configuration would show what is not."""
    shown = columns(told)
    if told.plant.is_noted:
        yield words["kpi_noted"]
    if any((row.now.get("effectiveness") or 0) > 1 for row in told.lines):
        yield words["kpi_fast"]
    unrated = [
        row.line or ""
        for row in told.lines
        if row.now.get("availability") and row.now.get("effectiveness") is None
    ]
    if "effectiveness" not in shown:
        yield words["no_rate"]
    elif unrated:
        more = [DASH] if len(unrated) > NAMED_MAX else []
        yield words["no_rate_of"].format(lines=", ".join([*unrated[:NAMED_MAX], *more]))
    if "quality_ratio" not in shown:
        yield words["no_rejects"]
    if "energy_per_good" not in shown:
        yield words["no_energy"]
    elif "co2e_per_good" not in shown:
        yield words["no_carbon"]


def is_worth_missing(told: Performance) -> bool:
    """Tell whether losses would have a worth if the configuration said that of a piece."""
    is_rated = any(row.now.get("effectiveness") is not None for row in told.lines)
    return is_rated and not any(lost.money is not None for lost in told.losses)


def name_of_loss(lost: Lost, words: Words) -> str:
    """Name one of the six big losses."""
    return words[f"loss_{lost.name}"]


def name_of_reason(lost: Lost, words: Words) -> str:
    """Name the reason of a stop: as people do, else by its state."""
    if lost.state is None:
        return lost.name
    return words[f"stop_{lost.name}"].format(state=f"{lost.state:g}")


def _written(name: str, value: float | None) -> str:
    return DASH if value is None else _WRITERS[name](value)
