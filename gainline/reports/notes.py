"""Says what notes have changed in a report, and which of them it lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from contracts.notes import Note, NoteKind
from contracts.report import NoteRow
from gainline.notes.in_force import configured_price, with_prices_of_plant, with_upgrades

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from contracts.tags import Place
    from gainline.config.loading import Settings

# What holds on where it has no end; all else is of its moment then.
_HOLDS_ON = (NoteKind.PRICE, NoteKind.TARGET, NoteKind.UPGRADE)


class ForReport(NamedTuple):
    """The settings that a report goes by, and the notes that it lists."""

    settings: Settings
    notes: tuple[NoteRow, ...]


def applied(
    settings: Settings,
    notes: Sequence[Note],
    places: Iterable[Place],
    time: tuple[datetime, datetime],
) -> ForReport:
    """Let upgrades and the prices at the end of a time override the configuration.

    `places` are those of the lines. All prices are those of one moment: one that moved within the
    time would look like an effect on cost. The notes are those of the time, first what changed
    something.
    """
    places = list(places)
    lines = {place.line for place in places if place.line is not None}
    sites = {place.site for place in places}
    upgraded, told = with_upgrades(settings, notes, lines)
    priced = with_prices_of_plant(upgraded, notes, sites, time[1])
    instead_of = {note.note_id: f"{configured_price(settings, note):g}" for note in priced.by}
    instead_of |= {
        each.note.note_id: ", ".join(day.isoformat() for day in each.others)
        for each in told
        if each.note is not None and each.others[-1:] != (each.upgraded_on,)
    }
    rows = [NoteRow(note, instead_of.get(note.note_id)) for note in _of_time(notes, time)]
    rows.sort(key=lambda row: row.instead_of is None)
    return ForReport(priced.settings, tuple(rows))


def _of_time(notes: Iterable[Note], time: tuple[datetime, datetime]) -> list[Note]:
    first, until = time
    found = []
    for note in notes:
        moment = note.begins or note.source_time
        begins = note.begins if note.kind in _HOLDS_ON else moment
        ends = note.ends or (None if note.kind in _HOLDS_ON else moment)
        if (begins is None or begins < until) and (ends is None or ends >= first):
            found.append(note)
    return found
