"""Answers `kpi --pareto`: what has cost most, by loss or by the reason of stops."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Literal

from analytics.kpi import SECONDS_PER_MINUTE, pareto
from gainline.kpis.answers import kpi_rows, stop_rows
from gainline.output import as_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gainline.config.loading import Settings
    from gainline.kpis.answers import Row, When

Of = Literal["losses", "stops"]

_NAMES = ("name", "minutes", "share_so_far", "money", "count")


def show_pareto(settings: Settings, of: Of, line: str | None, when: When, *, in_json: bool) -> None:
    """Print the minutes that each loss, or each reason of stops, has cost: the largest first.

    `share_so_far` is the share of all of them up to and with this one; `money` is known of losses
    alone, `count` of stops alone.
    """
    if of == "losses":
        rows = losses_of(kpi_rows(settings, "week", line, when))
    else:
        rows = stops_of(stop_rows(settings, line, when))
    if in_json:
        json.dump(rows, sys.stdout)
        sys.stdout.write("\n")
        return
    names = [name for name in _NAMES if any(row[name] is not None for row in rows)] or _NAMES[:3]
    shown = [tuple(_short(row[name]) for name in names) for row in rows]
    sys.stdout.write(as_text(names, shown))


def losses_of(rows: Iterable[Row]) -> list[Row]:
    """Sum up the losses of rows of KPIs; a speed above the planned one is no loss."""
    found = [loss for row in rows for loss in row["losses"]]
    money: dict[str, float | None] = {}
    for loss in found:
        # what took no time costs nothing, whatever a piece is worth
        before, cost = money.get(loss["name"], 0.0), loss["money"] if loss["minutes"] else 0.0
        money[loss["name"]] = None if before is None or cost is None else before + cost
    minutes = pareto((loss["name"], loss["minutes"]) for loss in found)
    lost = [(name, sum_) for name, sum_, _ in minutes if sum_ > 0]
    return [_row(one, money=money[one[0]]) for one in pareto(lost)]


def stops_of(rows: Iterable[Row]) -> list[Row]:
    """Sum up rows of stops by what people say of them, else by their state."""
    parts, counts = list[tuple[str, float]](), dict[str, int]()
    for row in rows:
        name = row["reason"] or state_of(row)
        parts.append((name, row["seconds"] / SECONDS_PER_MINUTE))
        counts[name] = counts.get(name, 0) + (not row["is_continued"])
    return [_row(one, count=counts[one[0]]) for one in pareto(parts)]


def state_of(row: Row) -> str:
    """Name a stop of which people say nothing."""
    return f"{row['kind']}, state {row['state']:g}"


def _row(
    one: tuple[str, float, float], *, money: float | None = None, count: int | None = None
) -> Row:
    name, minutes, share = one
    return dict(zip(_NAMES, (name, minutes, share, money, count), strict=True))


def _short(value: object) -> object:
    if not isinstance(value, float):
        return value
    return f"{value:.3f}" if value <= 1 else f"{value:.0f}"
