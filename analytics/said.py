"""What is in force of the notes of people: at which place, at which time, and which of several.

Of the notes on one thing that hold at a moment the one of the narrowest place counts, then the one
that was said last. All functions take notes that nobody has taken back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from contracts.notes import Note, NoteKind
from contracts.tags import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from datetime import date, tzinfo

_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class Time(NamedTuple):
    """From a moment on and before another."""

    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class SaidUpgrade:
    """When a line was upgraded; `note` is None where the configuration alone says so.

    `others` are the days that do not count: of the configuration, then of older notes.
    """

    line: str
    upgraded_on: date
    note: Note | None = None
    others: tuple[date, ...] = ()


def concerns(note: Note, place: Place) -> bool:
    """Tell whether a note holds for a place: each level that it names must be the place's.

    A line goes by its name or by site/area/line, as KPIs call it where several have one name. An
    area is compared only where the place has one.

    >>> place = Place(site="lyon", line="lyon/body/l1")
    >>> words = {"author": "A.", "source_time": _FIRST, "received_time": _FIRST, "via": "csv"}
    >>> jam = Note(kind=NoteKind.DOWNTIME_REASON, line="l1", area="body", **words)
    >>> concerns(jam, place), concerns(jam, Place(site="lyon", line="l2"))
    (True, False)
    """
    *above, line = (place.line or "").split("/")
    area = place.area or (above[-1] if above else None)
    return (
        (note.site is None or note.site == place.site)
        and (note.area is None or area is None or note.area == area)
        and (note.line is None or note.line in (place.line, line))
        and (note.machine is None or note.machine == place.machine)
    )


def holds(note: Note, moment: datetime) -> bool:
    """Tell whether a moment lies in the time of a note, of which its end is no part."""
    return (note.begins or _FIRST) <= moment < (note.ends or _LAST)


def overlap_s(note: Note, time: Time) -> float:
    """Give the seconds that a note and a time share."""
    begins = max(note.begins or _FIRST, time.begins)
    return max(0.0, (min(note.ends or _LAST, time.ends) - begins).total_seconds())


def weight(note: Note) -> tuple[int, datetime, datetime, str]:
    """Give what decides among notes that hold: the largest counts."""
    levels = (note.site, note.area, note.line, note.machine)
    narrowness = max((at for at, level in enumerate(levels, 1) if level is not None), default=0)
    return narrowness, note.source_time, note.received_time, note.note_id


def value_said(
    notes: Iterable[Note], kind: NoteKind, name: str, place: Place, moment: datetime
) -> Note | None:
    """Give the price or the target of a name that is in force at a place and a moment."""
    found = (
        note
        for note in notes
        if note.kind is kind and note.name == name and holds(note, moment) and concerns(note, place)
    )
    return max(found, key=weight, default=None)


def periods_said(
    notes: Iterable[Note], kind: NoteKind, name: str, place: Place
) -> list[tuple[Time, Note]]:
    """Give the notes on a price or a target one after the other, each for the time it holds.

    Neighbouring times of one note are one; between them there may be gaps, in which none holds.
    """
    its = [one for one in notes if one.kind is kind and one.name == name and concerns(one, place)]
    edges = sorted({edge for one in its for edge in (one.begins or _FIRST, one.ends or _LAST)})
    found = list[tuple[Time, Note]]()
    for begins, ends in pairwise(edges):
        note = value_said(its, kind, name, place, begins)
        if note is None:
            continue
        if found and found[-1][1] is note and found[-1][0].ends == begins:
            found[-1] = Time(found[-1][0].begins, ends), note
        else:
            found.append((Time(begins, ends), note))
    return found


def planned_stops(notes: Iterable[Note], place: Place) -> list[Note]:
    """Give the planned stops of a place, and of all that it is a part of, in order of time."""
    its = (one for one in notes if one.kind is NoteKind.PLANNED_STOP and concerns(one, place))
    return sorted(its, key=lambda one: (one.begins or _FIRST, one.note_id))


def is_of_site(note: Note) -> bool:
    """Tell whether a note is on a whole site, or on all of them, and on no part of one."""
    return note.area is None and note.line is None and note.machine is None


def reason_said(notes: Iterable[Note], place: Place, time: Time) -> Note | None:
    """Give the reason of a stop.

    Of the notes that share at least half of its time the weightiest counts: of two that exclude
    one another no more than one does. Where none does, it is the one that shares most. A note
    without an end is on all of the stop in which its beginning lies.
    """
    found = [
        (shared_s, note)
        for note in notes
        if note.kind is NoteKind.DOWNTIME_REASON
        and (shared_s := _shared_s(note, time)) > 0
        and concerns(note, place)
    ]
    half_s = (time.ends - time.begins).total_seconds() / 2
    whole = [note for shared_s, note in found if shared_s >= half_s]
    if whole:
        return max(whole, key=weight)
    best = max(found, key=lambda one: (one[0], weight(one[1])), default=None)
    return best[1] if best else None


def upgrades_said(
    notes: Iterable[Note],
    configured: Mapping[str, date],
    lines: Collection[str],
    zone_of: Callable[[str | None], tzinfo],
) -> list[SaidUpgrade]:
    """Join what people say of upgrades to what the configuration says: a note wins, the newest.

    `lines` are the names that lines go by; a note on a line that is none of them keeps its own. The
    day is that of the clock at the note's site, which `zone_of` tells. In the order of the lines.
    """
    said: dict[str, list[Note]] = {}
    for note in notes:
        if note.kind is NoteKind.UPGRADE and note.line is not None:
            for line in _named(note, note.line, lines):
                said.setdefault(line, []).append(note)
    found = []
    for line in sorted({*configured, *said}):
        days = [configured[line]] if line in configured else []
        of_line = sorted(said.get(line, []), key=weight)
        days += [_day(note, zone_of) for note in of_line]
        newest = of_line[-1] if of_line else None
        found.append(SaidUpgrade(line, days[-1], newest, tuple(days[:-1])))
    return found


def _shared_s(note: Note, time: Time) -> float:
    if note.begins is not None and note.ends is None:
        is_in_it = time.begins <= note.begins < time.ends
        return (time.ends - time.begins).total_seconds() * is_in_it
    return overlap_s(note, time)


def _named(note: Note, own: str, lines: Collection[str]) -> list[str]:
    """Give the names of the lines that a note is on."""
    places = {name: name.split("/") for name in lines}
    return [
        name
        for name, levels in places.items()
        if concerns(note, Place(site=levels[0] if len(levels) > 1 else note.site, line=name))
    ] or [own]


def _day(note: Note, zone_of: Callable[[str | None], tzinfo]) -> date:
    return (note.begins or note.source_time).astimezone(zone_of(note.site)).date()
