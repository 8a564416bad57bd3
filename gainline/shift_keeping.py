"""Keeps the sums of shifts in a store, by what the configuration plans."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from analytics.shifts import Calendar, Spell, day_of, moment_at, spell_table, spells
from gainline.calendars import calendar_of
from gainline.kpis import shift_metrics, within, worth_of_piece
from gainline.store_place import store_folder
from store.kept_shifts import LinePlan, Planned, keep_shifts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pyarrow as pa

    from gainline.config import Settings
    from store.shift_sums import Span


def keep_shifts_of(
    settings: Settings, now: datetime, tell: Callable[[int], object] = lambda _days: None
) -> int:
    """Make anew the sums of all days that have changed; give their number."""
    return keep_shifts(
        store_folder(settings),
        planned(settings),
        now=now,
        kept_since=_kept_since(settings, now),
        tell=tell,
    )


def planned(settings: Settings) -> Planned:
    """Say what the configuration plans for each day of each site, and for each line."""
    calendars = cache(lambda site: calendar_of(settings, site))
    figures = _digest(*_figures(settings))

    def begin_of(site: str | None, day: date) -> datetime:
        calendar: Calendar = calendars(site)
        return moment_at(calendar.zone, day, calendar.day_start)

    @cache
    def of_day(site: str | None, day: date) -> str:
        return _digest(figures, *(repr(one) for one in spells(calendars(site), day, day)))

    def lay_out(wanted: Iterable[tuple[Span, date, date]]) -> pa.Table:
        return spell_table(
            {
                span.site: _cut(calendars(span.site), span, first, last)
                for span, first, last in wanted
            }
        )

    return Planned(
        metrics=shift_metrics(settings),
        fingerprint=_digest(figures, *map(repr, settings.calendar), repr(settings.ingest.zones)),
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
