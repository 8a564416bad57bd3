"""Keeps the sums of shifts in a store, by what is planned."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from analytics.shifts import Calendar, Spell, day_of, moment_at, spell_table, spells
from gainline.config.store_place import store_folder
from gainline.kpis.answers import shift_metrics, worth_of_piece
from gainline.kpis.planning import Plan, plan_of, within
from store.shifts.kept_shifts import LinePlan, Planned, keep_shifts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pyarrow as pa

    from gainline.config.loading import Settings
    from store.shifts.shift_sums import Span


def keep_shifts_of(
    settings: Settings, now: datetime, tell: Callable[[int], object] = lambda _days: None
) -> int:
    """Make anew the sums of all days that have changed; give their number."""
    folder = store_folder(settings)
    return keep_shifts(
        folder,
        planned(plan_of(settings, folder)),
        now=now,
        kept_since=_kept_since(settings, now),
        tell=tell,
    )


def planned(plan: Plan) -> Planned:
    """Say what is planned for each day of each site, and for each line."""
    settings, calendars = plan.settings, plan.calendar_named
    figures = _digest(*_figures(settings))

    def begin_of(site: str | None, day: date) -> datetime:
        calendar: Calendar = calendars(site)
        return moment_at(calendar.zone, day, calendar.day_start)

    @cache
    def of_day(site: str | None, day: date) -> str:
        return _digest(figures, *plan.of_day(site, day))

    def lay_out(wanted: Iterable[tuple[Span, date, date]]) -> pa.Table:
        return spell_table(
            {
                name: _cut(calendars(name), span, first, last)
                for span, first, last in wanted
                for name in plan.names_of(span.site)
            }
        )

    return Planned(
        metrics=replace(shift_metrics(settings), apart=plan.apart),
        fingerprint=_digest(
            figures,
            *map(repr, settings.calendar),
            repr(settings.ingest.zones),
            repr(plan.apart),
        ),
        day_of=lambda site, moment: day_of(calendars(site), moment),
        begin_of=begin_of,
        lay_out=lay_out,
        of_day=of_day,
        of_line=lambda line: _of_line(settings, line),
    )


def _of_line(settings: Settings, line: str) -> LinePlan:
    section = settings.kpi
    return LinePlan(
        section.units_per_hour_of.get(line, section.units_per_hour),
        worth_of_piece(settings),
        settings.prices.currency,
        settings.prices.co2_source,
    )


def _figures(settings: Settings) -> Iterator[str]:
    """Give what the sums and the columns beside them depend on, but for the calendar."""
    section = settings.prices
    yield repr(shift_metrics(settings))
    yield repr(settings.kpi)
    yield repr((section.currency, section.co2_source, worth_of_piece(settings)))


def _cut(calendar: Calendar, span: Span, first: date, last: date) -> Iterator[Spell]:
    return within(spells(calendar, first, last), span)


def _kept_since(settings: Settings, now: datetime) -> datetime | None:
    """Give the moment from which on no verdict has been removed yet; None: none ever is."""
    section = settings.store.retention
    kept = [section.clean_days, *(rule.clean_days for rule in section.rules)]
    days = [one for one in kept if one is not None]
    return now.astimezone(UTC) - timedelta(days=min(days)) if days else None


def _digest(*words: str) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]
