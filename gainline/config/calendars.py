"""Turns `[[calendar]]` into the shift calendar of each site."""

from __future__ import annotations

from datetime import time
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, get_args

from analytics.shifts import Break, Calendar, Maintenance, Shift
from contracts.errors import ConfigError
from gainline.config.sections import Weekday
from gainline.config.zones import zone_named

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from gainline.config.loading import Settings
    from gainline.config.sections import CalendarSection

_WEEKDAYS: tuple[str, ...] = get_args(Weekday)


def calendar_of(settings: Settings, site: str | None) -> Calendar:
    """Give the calendar of a site; of tags that name none, where it is None.

    The first section whose pattern matches holds; without one all time is one shift. Raises
    ConfigError where a zone is not known or shifts overlap.
    """
    name = site or ""
    zone = settings.ingest.zones.get(name, settings.ingest.zone)
    for section in settings.calendar:
        if fnmatchcase(name, section.site):
            return _calendar(section, zone_named(section.zone or zone, "calendar.zone"))
    return Calendar(zone=zone_named(zone, "ingest.zone"))


def zone_of_site(settings: Settings, site: str | None) -> ZoneInfo:
    """Give the zone of the clocks at a site, as its calendar has it."""
    return calendar_of(settings, site).zone


def check_calendars(settings: Settings) -> None:
    """Raise ConfigError where a calendar cannot be."""
    for section in settings.calendar:
        _calendar(section, zone_named(section.zone or settings.ingest.zone, "calendar.zone"))


def _calendar(section: CalendarSection, zone: ZoneInfo) -> Calendar:
    try:
        return Calendar(
            zone=zone,
            shifts=tuple(
                Shift(
                    name=one.name,
                    start=time.fromisoformat(one.start),
                    end=time.fromisoformat(one.end),
                    weekdays=frozenset(map(_WEEKDAYS.index, one.days)),
                )
                for one in section.shifts
            ),
            breaks=tuple(
                Break(time.fromisoformat(one.start), time.fromisoformat(one.end))
                for one in section.breaks
            ),
            holidays=frozenset(section.holidays),
            maintenance=tuple(
                Maintenance(_aware(one.begins, zone), _aware(one.ends, zone))
                for one in section.maintenance
            ),
        )
    except ConfigError as problem:
        raise ConfigError(f"calendar.shifts of the site {section.site}: {problem}") from None


def _aware(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)
