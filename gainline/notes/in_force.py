"""Reads the notes that are in force, and puts what they say in the place of the configuration.

Settings with the notes in them are settings: whoever takes them needs to know nothing of notes.
"""

from __future__ import annotations

import glob
from datetime import date, datetime, tzinfo
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from analytics.said import SaidUpgrade, is_of_site, planned_stops, upgrades_said, value_said
from contracts.notes import Note, NoteKind, note_from_row
from contracts.tags import Place
from gainline.config.calendars import zone_of_site
from gainline.config.sections import (
    CalendarSection,
    MaintenanceSection,
    ShiftSection,
    UpgradeSection,
)
from store.query import Connection, answer, connect
from store.shifts.line_names import MACHINES_SQL

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from gainline.config.loading import Settings

NOTES_SQL = """
SELECT * FROM notes
WHERE is_in_force AND kind <> 'retraction' ORDER BY coalesce(begins, source_time), note_id
""".strip()
# A store that only older programs have written has no notes.
_HAS_NOTES_SQL = "SELECT 1 FROM duckdb_views() WHERE schema_name = 'main' AND view_name = 'notes'"
_SECTION_OF = {
    "energy_per_kwh": "prices",
    "material_per_kg": "prices",
    "co2_kg_per_kwh": "prices",
    "price_per_unit": "economics",
}
# As all time is planned where no calendar matches.
_ALL_DAY = (ShiftSection(name="all day", start="00:00", end="00:00"),)


class Overridden(NamedTuple):
    """Settings with what notes say in them, and the notes that have changed something."""

    settings: Settings
    by: tuple[Note, ...] = ()


def notes_in_force(store: Path | Connection) -> tuple[Note, ...]:
    """Give the notes that nobody has taken back, in order of the time that they are about."""
    if isinstance(store, Path):
        with connect(store) as connection:
            return notes_in_force(connection)
    if answer(store, _HAS_NOTES_SQL).num_rows == 0:
        return ()
    return tuple(note_from_row(row) for row in answer(store, NOTES_SQL).to_pylist())


def places_of_lines(store: Connection) -> list[Place]:
    """Give the place of every machine of every line, the line by the name that it goes by."""
    return [Place(**row) for row in answer(store, MACHINES_SQL).to_pylist()]


def with_planned_stops(settings: Settings, notes: Iterable[Note]) -> Settings:
    """Put the planned stops of sites into their calendars, as maintenance."""
    stops = [note for note in planned_stops(notes, Place()) if note.site is None]
    stops = [note for note in stops if is_of_site(note)]
    of_sites = [note for note in notes if note.kind is NoteKind.PLANNED_STOP and is_of_site(note)]
    sites = sorted({note.site for note in of_sites if note.site is not None})
    if not stops and not sites:
        return settings
    rest = CalendarSection(shifts=_ALL_DAY)
    calendars = [*settings.calendar, rest]
    own = [
        _maintained(replace(_first(calendars, site), site=glob.escape(site)), of_sites, site)
        for site in sites
    ]
    others = [_maintained(section, stops, None) for section in calendars]
    return replace(settings, calendar=(*own, *others))


def with_prices(
    settings: Settings, notes: Iterable[Note], place: Place, at: datetime
) -> Overridden:
    """Put the prices in force at a place and a moment into the settings."""
    notes, by = list(notes), list[Note]()
    for name, section_name in _SECTION_OF.items():
        note = value_said(notes, NoteKind.PRICE, name, place, at)
        section = getattr(settings, section_name)
        if note is not None and note.value is not None and note.value != getattr(section, name):
            changed = replace(section, **{name: note.value})
            if name == "co2_kg_per_kwh":
                changed = replace(changed, co2_source=f"said by {note.author}")
            settings = replace(settings, **{section_name: changed})
            by.append(note)
    return Overridden(settings, tuple(by))


def with_prices_of_plant(
    settings: Settings, notes: Iterable[Note], sites: Collection[str | None], at: datetime
) -> Overridden:
    """Put the prices into the settings that are in force at a moment, and the same at all sites.

    One that is not stays what the configuration says.
    """
    of_sites = [with_prices(settings, notes, Place(site=site), at) for site in sites or {None}]
    said = of_sites[0].settings
    for name, section_name in _SECTION_OF.items():
        section = getattr(said, section_name)
        if len({getattr(getattr(each.settings, section_name), name) for each in of_sites}) > 1:
            configured = getattr(getattr(settings, section_name), name)
            said = replace(said, **{section_name: replace(section, **{name: configured})})
    taken = [
        note
        for each in of_sites
        for note in each.by
        if note.name and getattr(getattr(said, _SECTION_OF[note.name]), note.name) == note.value
    ]
    return Overridden(said, tuple({note.note_id: note for note in taken}.values()))


def configured_price(settings: Settings, note: Note) -> float:
    """Give what the configuration says where a note says a price."""
    name = str(note.name)
    return float(getattr(getattr(settings, _SECTION_OF[name]), name))


def with_upgrades(
    settings: Settings, notes: Iterable[Note], lines: Collection[str]
) -> tuple[Settings, list[SaidUpgrade]]:
    """Put the upgrades that people have told of into the settings; give all, if there are such."""
    if not any(note.kind is NoteKind.UPGRADE for note in notes):
        return settings, []
    configured: dict[str, date] = {each.line: each.upgraded_on for each in settings.upgrades}
    zone_of = partial(_zone, settings)
    told = upgrades_said(notes, configured, lines, zone_of)
    sections = tuple(UpgradeSection(line=each.line, upgraded_on=each.upgraded_on) for each in told)
    return replace(settings, upgrades=sections), told


def _zone(settings: Settings, site: str | None) -> tzinfo:
    return zone_of_site(settings, site)


def _first(calendars: Iterable[CalendarSection], site: str) -> CalendarSection:
    return next(section for section in calendars if fnmatchcase(site, section.site))


def _maintained(
    section: CalendarSection, notes: Iterable[Note], site: str | None
) -> CalendarSection:
    """Add the planned stops of a site to a section, those of all sites included."""
    stops = [note for note in planned_stops(notes, Place(site=site)) if is_of_site(note)]
    added = tuple(
        MaintenanceSection(begins=note.begins, ends=note.ends)
        for note in stops
        if note.begins is not None and note.ends is not None
    )
    return replace(section, maintenance=(*section.maintenance, *added))
