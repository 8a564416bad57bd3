"""Tells how the lines ran lately, for a report: their KPIs beside those before, what cost most."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from analytics.kpi import Elements, kpis, total
from contracts.errors import DataError
from contracts.report import KpiRow, Lost, Performance
from gainline.kpis.answers import asked_lately, elements_told, rows_of_kpis, rows_of_stops
from gainline.kpis.pareto import losses_of, state_of, stops_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gainline.config.loading import Settings
    from gainline.kpis.answers import Asked, Row

# Whole weeks, so that both times have as many Sundays; four, as a plant that reports by the month
# does, so that a week of holidays does not decide.
LENGTH = timedelta(days=28)
MINUTES_PER_HOUR = 60.0

_Lines = dict[tuple[str | None, str], "Row"]


def performance(settings: Settings, until: datetime) -> Performance:
    """Tell how the lines ran in the LENGTH before a moment that ends with their newest state.

    Nothing counts that was measured in the hour of `until` or later. Raises DataError where no line
    has a state before, ConfigError where a calendar cannot be laid out.
    """
    asked = asked_lately(settings, until, LENGTH)
    if not asked:
        raise DataError("no line has a state: check the metrics of [panel] and the readings")
    now, before = (_lines(one) for one in asked)
    has_rejects = any(row["scrap"] + row["rework"] for row in (*now.values(), *before.values()))
    lines = tuple(_of_line(key, now, before, has_rejects=has_rejects) for key in now)
    first = next(iter(now.values()))
    return Performance(
        begins=asked[0].since or until - LENGTH,
        ends=asked[0].until,
        plant=_of_plant(now, before, asked[0], has_rejects=has_rejects),
        lines=lines,
        losses=_losses(asked[0]),
        reasons=_reasons(asked[0]),
        currency=first["currency"],
    )


def commands(told: Performance) -> dict[str, str]:
    """Name the commands that give the same."""
    begins, ends = (_moment(one) for one in (told.begins, told.ends))
    before = _moment(told.begins - (told.ends - told.begins))
    of = {
        "KPIs": f"gainline kpi --by all --from {begins} --to {ends}",
        "KPIs of the time before": f"gainline kpi --by all --from {before} --to {begins}",
        "Losses": f"gainline kpi --pareto losses --from {begins} --to {ends}",
    }
    if told.reasons:
        of["Reasons of stops"] = f"gainline kpi --pareto stops --from {begins} --to {ends}"
    return of


def _lines(asked: Asked) -> _Lines:
    """Give the rows of a time by line; a time in which no line had a state has none."""
    rows = rows_of_kpis(asked, "all") if asked.sums.num_rows else []
    return {(row["site"], row["line"]): row for row in rows}


def _of_line(
    key: tuple[str | None, str], now: _Lines, before: _Lines, *, has_rejects: bool
) -> KpiRow:
    rows = [lines[key] for lines in (now, before) if key in lines]
    told = [_known(elements_told(row), has_rejects=has_rejects) for row in rows]
    return KpiRow(
        line=key[1],
        now=told[0],
        before=told[1] if len(told) > 1 else {},
        targets=rows[0]["targets"],
        is_noted=any(row["overridden"] for row in rows),
    )


def _of_plant(now: _Lines, before: _Lines, asked: Asked, *, has_rejects: bool) -> KpiRow:
    """Sum up all lines; their targets are those that name no line."""
    sites = {site for site, _ in now}
    of_one = next(iter(sites)) if len(sites) == 1 else None
    day = date.fromisoformat(next(iter(now.values()))["day"])
    rows = [*now.values(), *before.values()]
    return KpiRow(
        line=None,
        now=_summed(now, has_rejects=has_rejects),
        before=_summed(before, has_rejects=has_rejects) if before else {},
        targets=asked.said.targets(of_one, None, day),
        is_noted=any(row["overridden"] for row in rows),
    )


def _summed(lines: _Lines, *, has_rejects: bool) -> Mapping[str, float | None]:
    return _known(total(map(elements_told, lines.values())), has_rejects=has_rejects)


def _known(elements: Elements, *, has_rejects: bool) -> Mapping[str, float | None]:
    """Give the KPIs; None instead of the 0 of a counter that has counted nothing anywhere.

    A plant that counts no rejects does not know its quality ratio, which its OEE takes to be 1, and
    one without a meter does not use 0 kWh.
    """
    told: dict[str, float | None] = asdict(kpis(elements))
    unknown = set[str]()
    if not has_rejects:
        unknown |= {"quality_ratio", "scrap_ratio", "rework_ratio"}
    if not elements.energy_kwh:
        unknown |= {"energy_per_good", "idle_energy_ratio"}
    if not elements.co2e_kg:
        unknown |= {"co2e_per_good"}
    return told | dict.fromkeys(unknown)


def _losses(asked: Asked) -> tuple[Lost, ...]:
    return tuple(_lost(one) for one in losses_of(rows_of_kpis(asked, "week")))


def _reasons(asked: Asked) -> tuple[Lost, ...]:
    """Sum up the stops by their reasons, where anybody has given one."""
    stops = rows_of_stops(asked) if asked.stops.num_rows else []
    if not any(stop["reason"] for stop in stops):
        return ()
    unexplained = {state_of(stop): stop for stop in stops if stop["reason"] is None}
    return tuple(_lost(one, unexplained.get(one["name"])) for one in stops_of(stops))


def _lost(one: Row, stop: Row | None = None) -> Lost:
    return Lost(
        one["name"] if stop is None else stop["kind"],
        one["minutes"] / MINUTES_PER_HOUR,
        one["share_so_far"],
        one["money"],
        None if stop is None else stop["state"],
    )


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
