"""Says what notes add to KPIs: targets, prices, reasons of stops, which have changed a figure."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from analytics.said import Time, concerns, overlap_s, reason_said, value_said
from analytics.shifts import moment_at
from contracts.notes import TARGET_NAMES, NoteKind
from contracts.tags import Place
from gainline.notes.in_force import Overridden, with_prices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date, datetime

    import pyarrow as pa

    from contracts.notes import Note
    from gainline.config.loading import Settings
    from gainline.kpis.planning import Plan

Shift = tuple[str | None, "date", str | None]  # of a site: its day and name; None: between shifts


class Said:
    """What notes say of the lines whose KPIs are told."""

    def __init__(self, plan: Plan, spells: pa.Table) -> None:
        """Take what is planned, and the spells that KPIs were summed up by."""
        self._plan = plan
        self._reasons = _of(plan.notes, NoteKind.DOWNTIME_REASON)
        self._stops = _of(plan.notes, NoteKind.PLANNED_STOP)
        self._targets = _of(plan.notes, NoteKind.TARGET)
        self._prices = _of(plan.notes, NoteKind.PRICE)
        self._times = _times_of(spells) if self._stops else {}
        self.priced: Callable[[str | None, str, date], Overridden] = cache(self._priced)

    def targets(self, site: str | None, line: str | None, day: date) -> dict[str, float]:
        """Give what KPIs of a line are to be when a day begins, by their names.

        Line None: of the site as a whole; site None, too: of the plant.
        """
        if not self._targets:
            return {}
        at, place = self._begin(site, day), Place(site=site, line=line)
        said = {
            name: value_said(self._targets, NoteKind.TARGET, name, place, at)
            for name in TARGET_NAMES
        }
        return {name: note.value for name, note in said.items() if note and note.value is not None}

    @property
    def configured(self) -> Settings:
        """Give what holds where no note gives a price."""
        return self._plan.settings

    def changes(self, line: str, shifts: Iterable[Shift]) -> list[str]:
        """Give the ids of the notes that have changed figures of a line in some shifts.

        These are planned stops within them, and prices; of a time between shifts prices alone.
        """
        found = set[str]()
        for site, day, shift in shifts:
            found |= {note.note_id for note in self.priced(site, line, day).by}
            time = self._times.get((site, day, shift)) if shift is not None else None
            if time is not None:
                place = Place(site=site, line=line)
                found |= {note.note_id for note in self._stops_of(place, time)}
        return sorted(found)

    def of_stop(self, row: dict[str, Any]) -> dict[str, Any]:
        """Give what is to stand beside a stop: its reason, and what has cut it."""
        place = Place(site=row["site"], line=row["line"], machine=row["machine"])
        time = Time(row["begins"], row["ends"])
        reason = reason_said(self._reasons, place, time)
        return {
            "reason": reason and reason.name,
            "reason_author": reason and reason.author,
            "reason_note": reason and reason.note_id,
            "overridden": sorted(one.note_id for one in self._stops_of(place, time)),
        }

    def _stops_of(self, place: Place, time: Time) -> list[Note]:
        """Give the planned stops of a place in a time; of a line those of its machines, too."""
        return [
            note
            for note in self._stops
            if overlap_s(note, time) > 0 and concerns(note, _at(place, note))
        ]

    def _priced(self, site: str | None, line: str, day: date) -> Overridden:
        if not self._prices:
            return Overridden(self._plan.settings)
        place = Place(site=site, line=line)
        return with_prices(self._plan.settings, self._prices, place, self._begin(site, day))

    def _begin(self, site: str | None, day: date) -> datetime:
        calendar = self._plan.calendar_named(site)
        return moment_at(calendar.zone, day, calendar.day_start)


def _at(place: Place, note: Note) -> Place:
    """Give the machine of a line that a note is on, where the place names none."""
    if place.machine is not None:
        return place
    return Place(site=place.site, line=place.line, machine=note.machine)


def _of(notes: Iterable[Note], kind: NoteKind) -> list[Note]:
    return [note for note in notes if note.kind is kind]


def _times_of(spells: pa.Table) -> dict[Shift, Time]:
    """Tell from when to when each shift was told of."""
    times: dict[Shift, Time] = {}
    for row in spells.to_pylist():
        key = row["site"], row["day"], row["shift"]
        before = times.get(key, Time(row["begins"], row["ends"]))
        times[key] = Time(min(before.begins, row["begins"]), max(before.ends, row["ends"]))
    return times
