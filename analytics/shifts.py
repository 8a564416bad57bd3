"""The shift calendar of a site: which time is planned, and to which shift of which day it belongs.

A day begins with the site's earliest shift, by the clock on the wall, and ends where the next day
begins: a night shift belongs to the day on which it starts. Times on the wall become moments by the
rules of the zone, so a day has 23 or 25 hours where the clock is changed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pyarrow as pa

from contracts.errors import ConfigError
from contracts.shifts import SPELLS_SCHEMA, SpellKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from zoneinfo import ZoneInfo

ONE_DAY = timedelta(days=1)
MIDNIGHT = time(0)
ALL_WEEK = frozenset(range(7))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """From `start` to `end` by the clock on the wall; over midnight where that is not later.

    `weekdays` are those on which it starts, 0 for Monday.
    """

    name: str
    start: time
    end: time
    weekdays: frozenset[int] = ALL_WEEK


@dataclass(frozen=True, slots=True)
class Break:
    """A part of every shift that it lies in, by the clock on the wall, that is not planned."""

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A planned stop: two moments with their offset from UTC, of which the second is later."""

    begins: datetime
    ends: datetime

    def __post_init__(self) -> None:
        if not self.begins < self.ends:
            raise ConfigError(
                f"maintenance that begins {self.begins} ends {self.ends}: end it later"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The shifts of a site. On a holiday no shift starts; without shifts all time is one shift.

    Raises ConfigError where two shifts of a day overlap, or one reaches into the next day.
    """

    zone: ZoneInfo
    shifts: tuple[Shift, ...] = (Shift(name="all day", start=MIDNIGHT, end=MIDNIGHT),)
    breaks: tuple[Break, ...] = ()
    holidays: frozenset[date] = frozenset()
    maintenance: tuple[Maintenance, ...] = ()

    def __post_init__(self) -> None:
        if not self.shifts:
            raise ConfigError("a calendar has no shift: name one, or leave the calendar out")
        for weekday in ALL_WEEK:
            _refuse_overlap([one for one in self.shifts if weekday in one.weekdays], self.day_start)

    @property
    def day_start(self) -> time:
        """When a day begins, by the clock on the wall."""
        return min(shift.start for shift in self.shifts)


@dataclass(frozen=True, slots=True)
class Spell:
    """A time of one kind, in UTC; `ends` is no part of it. `shift` is None between shifts."""

    day: date
    shift: str | None
    kind: SpellKind
    begins: datetime
    ends: datetime

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.ends - self.begins).total_seconds()


def spells(calendar: Calendar, first: date, last: date) -> Iterator[Spell]:
    """Lay out every day from `first` to `last`: its spells follow one another without a gap.

    >>> from zoneinfo import ZoneInfo
    >>> night = Shift(name="night", start=time(22), end=time(6))
    >>> berlin = Calendar(zone=ZoneInfo("Europe/Berlin"), shifts=(night,))
    >>> day = date(2026, 3, 28)  # the clocks go forward in its night
    >>> [(one.shift, one.seconds / 3600) for one in spells(berlin, day, day)]
    [('night', 7.0), (None, 16.0)]
    """
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        yield from _of_day(calendar, date.fromordinal(ordinal))


def day_of(calendar: Calendar, moment: datetime) -> date:
    """Give the day that a moment belongs to; `moment` has an offset."""
    day = moment.astimezone(calendar.zone).date()
    return day if moment >= moment_at(calendar.zone, day, calendar.day_start) else day - ONE_DAY


def spell_table(of_sites: Mapping[str | None, Iterable[Spell]]) -> pa.Table:
    """Give the spells of each site as a table with the columns of SPELLS_SCHEMA."""
    rows = [
        {"site": site, **{name: getattr(one, name) for name in SPELLS_SCHEMA.names[1:]}}
        for site, its in of_sites.items()
        for one in its
    ]
    return pa.Table.from_pylist(rows, schema=SPELLS_SCHEMA)


def moment_at(zone: ZoneInfo, day: date, wall: time) -> datetime:
    """Give the moment, in UTC, at which a clock on the wall first shows a time or a later one.

    A time that the clock shows twice is the first of the two; one that it skips is the moment of
    the change. So what is later on the wall is never earlier in truth.

    >>> from zoneinfo import ZoneInfo
    >>> moment_at(ZoneInfo("Europe/Berlin"), date(2026, 3, 29), time(2, 30)).isoformat()
    '2026-03-29T01:00:00+00:00'
    """
    shown = datetime.combine(day, wall, zone)
    late = shown.astimezone(UTC)
    early = shown.replace(fold=1).astimezone(UTC)
    if early >= late:  # skipped times alone have the offset that comes first on the later side
        return late
    before = shown.utcoffset()
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) // 2
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late.replace(microsecond=0)


def _refuse_overlap(shifts: list[Shift], day_start: time) -> None:
    def since(wall: time) -> timedelta:
        """How long after the day's begin, by the wall."""
        passed = timedelta(hours=wall.hour - day_start.hour, minutes=wall.minute - day_start.minute)
        return passed % ONE_DAY

    taken, holder = timedelta(0), ""
    for shift in sorted(shifts, key=lambda one: since(one.start)):
        if since(shift.start) < taken:
            raise ConfigError(f"the shifts {holder} and {shift.name} overlap: end one earlier")
        length = since(shift.end) - since(shift.start)
        taken = since(shift.start) + (length if length > timedelta(0) else length + ONE_DAY)
        holder = shift.name
        if taken > ONE_DAY:
            raise ConfigError(
                f"the shift {shift.name} reaches beyond {day_start:%H:%M}, when the next day"
                " begins: end it earlier"
            )


def _of_day(calendar: Calendar, day: date) -> Iterator[Spell]:
    """Cut the day wherever something begins or ends, and join neighbours that are the same."""
    begins, ends = (
        moment_at(calendar.zone, one, calendar.day_start) for one in (day, day + ONE_DAY)
    )
    plan = _plan_of(calendar, day)
    edges = {begins, ends} | {edge for one in plan for edge in (one.begins, one.ends)}
    last: Spell | None = None
    for start, end in pairwise(sorted(edge for edge in edges if begins <= edge <= ends)):
        shift, kind = _at(plan, start)
        if last is not None and (last.shift, last.kind) == (shift, kind):
            last = replace(last, ends=end)
            continue
        if last is not None:
            yield last
        last = Spell(day, shift, kind, start, end)
    if last is not None:
        yield last


def _plan_of(calendar: Calendar, day: date) -> list[Spell]:
    """List what a day's calendar names; a break and a planned stop lie over the shifts."""
    shifts = [
        Spell(day, one.name, "work", *_between(calendar, day, one.start, one.end))
        for one in calendar.shifts
        if day.weekday() in one.weekdays and day not in calendar.holidays
    ]
    breaks = [
        Spell(day, None, "break", *_between(calendar, day, one.start, one.end))
        for one in calendar.breaks
    ]
    stops = [
        Spell(day, None, "maintenance", one.begins.astimezone(UTC), one.ends.astimezone(UTC))
        for one in calendar.maintenance
    ]
    return [*shifts, *breaks, *stops]


def _at(plan: list[Spell], moment: datetime) -> tuple[str | None, SpellKind]:
    """Say which shift a moment belongs to, and of which kind it is."""
    now = [one for one in plan if one.begins <= moment < one.ends]
    shift = next((one.shift for one in now if one.kind == "work"), None)
    if shift is None:
        return None, "off"
    return shift, now[-1].kind


def _between(calendar: Calendar, day: date, start: time, end: time) -> tuple[datetime, datetime]:
    """Give two times on the wall of a day as moments; before the day's begin is after midnight."""
    first = day if start >= calendar.day_start else day + ONE_DAY
    second = first if end > start else first + ONE_DAY
    return moment_at(calendar.zone, first, start), moment_at(calendar.zone, second, end)
