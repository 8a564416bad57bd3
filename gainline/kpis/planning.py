"""What is planned: the calendars of sites, with the planned stops that people have told of.

A planned stop of a site is in its calendar. Machines for which more was said than for their site go
by a calendar of their own, which has a name that no site has.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from analytics.said import is_of_site, planned_stops
from analytics.shifts import Calendar, Maintenance, Spell, spells
from contracts.notes import Note, NoteKind
from gainline.config.calendars import calendar_of
from gainline.notes.in_force import notes_in_force, places_of_lines, with_planned_stops
from store.query import connect
from store.shifts.shift_sums import Apart, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import date
    from pathlib import Path

    from contracts.tags import Place
    from gainline.config.loading import Settings


@dataclass(frozen=True)
class Plan:
    """What is planned of each site, and of machines that are apart from it.

    `calendar_named` takes the name of a site or of a calendar of `apart`.
    """

    settings: Settings  # with the planned stops of whole sites
    notes: tuple[Note, ...]  # all that are in force
    apart: tuple[Apart, ...]
    calendar_named: Callable[[str | None], Calendar]

    def names_of(self, site: str | None) -> list[str | None]:
        """Name the calendars that machines of a site go by: the site itself first."""
        return [site, *sorted({one.calendar for one in self.apart if one.place.site == site})]

    def of_day(self, site: str | None, day: date) -> Iterator[str]:
        """Give what tells one day of a site from the same day by another plan."""
        usual = list(spells(self.calendar_named(site), day, day))
        yield from map(repr, usual)
        for name in self.names_of(site)[1:]:
            own = list(spells(self.calendar_named(name), day, day))
            if own != usual:
                yield from (repr(one.place) for one in self.apart if one.calendar == name)
                yield from map(repr, own)


def plan_of(settings: Settings, folder: Path) -> Plan:
    """Read what a store has of notes, and say what is planned."""
    with connect(folder) as connection:
        notes = notes_in_force(connection)
        own = any(one.kind is NoteKind.PLANNED_STOP and not is_of_site(one) for one in notes)
        return planned_with(settings, notes, places_of_lines(connection) if own else ())


def planned_with(settings: Settings, notes: Sequence[Note], places: Iterable[Place]) -> Plan:
    """Say what is planned by the configuration and notes; `places` are those of all machines."""
    of_sites = with_planned_stops(settings, notes)
    own_stops: dict[str, list[Note]] = {}
    site_of: dict[str, str | None] = {}
    apart = []
    for place in places:
        stops = [one for one in planned_stops(notes, place) if not is_of_site(one)]
        if stops:
            name = "\n".join((place.site or "", *(one.note_id for one in stops)))
            own_stops[name], site_of[name] = stops, place.site
            apart.append(Apart(place, name))

    @cache
    def calendar_named(name: str | None) -> Calendar:
        if name is None or name not in own_stops:
            return calendar_of(of_sites, name)
        calendar = calendar_of(of_sites, site_of[name])
        added = tuple(
            Maintenance(one.begins, one.ends)
            for one in own_stops[name]
            if one.begins is not None and one.ends is not None
        )
        return replace(calendar, maintenance=(*calendar.maintenance, *added))

    return Plan(of_sites, tuple(notes), tuple(apart), calendar_named)


def within(laid_out: Iterable[Spell], span: Span) -> Iterator[Spell]:
    """Cut spells to a span: of what was not measured nothing is said."""
    for one in laid_out:
        begins, ends = max(one.begins, span.first), min(one.ends, span.last)
        if begins < ends:
            yield Spell(one.day, one.shift, one.kind, begins, ends)
