"""Takes what people say as notes, one by one or from a table, and lists what was said."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import typer

from contracts.errors import DataError
from contracts.notes import SAID, Heard, Note, NoteKind, Via, note_from_row, note_of
from gainline.config.calendars import zone_of_site
from gainline.config.loading import Settings
from gainline.config.store_place import store_folder
from gainline.files.csv_lists import lines_of
from gainline.output import FORMULA_STARTS, Format, as_json, as_text, print_answer
from store.lake import Lake
from store.place.folder import Folder
from store.query import fetch_rows

# What a list has beside what was said; an import leaves it aside.
LISTED = ("note_id", "received_time", "via", "is_in_force", "retracted_by")
COLUMNS = (*LISTED[:1], *SAID, *LISTED[1:])
_SHOWN = tuple(name for name in COLUMNS if name not in ("received_time", "via", "retracted_by"))
# A table of this size is a mistake: people have not said so much.
ROWS_MAX = 100_000
# So many further mistakes of a table are named, by their lines.
MISTAKES_NAMED = 10
# A note without an end is of a moment, but for prices and targets, which hold on; one without a
# beginning is of the moment at which it was said.
_LIST_SQL = f"""
WITH timed AS (
    SELECT *, kind IN ('price', 'target') AS holds_on FROM notes
),

spanned AS (
    SELECT
        *,
        CASE WHEN begins IS NULL AND NOT holds_on THEN source_time ELSE begins END AS first,
        CASE WHEN ends IS NULL AND NOT holds_on THEN coalesce(begins, source_time) ELSE ends END
            AS last
    FROM timed
)

SELECT {", ".join(COLUMNS)} FROM spanned
WHERE ($1 IS NULL OR kind = $1) AND ($2 IS NULL OR line = $2)
    AND ($3 IS NULL OR last IS NULL OR last > $3 OR (first = last AND last = $3))
    AND ($4 IS NULL OR first IS NULL OR first < $4)
ORDER BY coalesce(begins, source_time), note_id
"""  # noqa: S608  # of our own words
_ALL_SQL = "SELECT * FROM notes"
_BY_ID_SQL = "SELECT note_id, kind, retracted_by FROM notes WHERE starts_with(note_id, ?)"
_PLACE_SQL = """
SELECT 1 FROM tags WHERE ($1 IS NULL OR site = $1) AND ($2 IS NULL OR area = $2)
    AND ($3 IS NULL OR line = $3 OR concat_ws('/', site, area, line) = $3)
    AND ($4 IS NULL OR machine = $4)
LIMIT 1
"""
_LEVELS = ("site", "area", "line", "machine")


class Wish(NamedTuple):
    """Which notes a list is to have; None: all."""

    kind: str | None = None
    line: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def say(settings: Settings, words: Mapping[str, object], *, in_json: bool = False) -> None:
    """Store one note and print it; author and time are who runs this and now, if not given.

    Raises DataError for a note that cannot be.
    """
    with _storing(settings) as lake:
        note = _read(settings, words, _heard("verb"))
        lake.add_notes([note])
    row = {"note_id": note.note_id, **{name: getattr(note, name) for name in SAID}}
    shown = {name: word for name, word in row.items() if word is not None}
    shown["kind"] = str(note.kind)
    write = as_json if in_json else as_text
    sys.stdout.write(write(list(shown), [tuple(shown.values())]))
    place = [getattr(note, level) for level in _LEVELS]
    if any(place) and not fetch_rows(store_folder(settings), _PLACE_SQL, place)[1]:
        named = "/".join(filter(None, place))
        typer.echo(f"gainline: no tag stands at {named} yet: see `gainline tags list`", err=True)


def take_back(settings: Settings, beginning: str, words: Mapping[str, object]) -> None:
    """Take back the one note whose id begins so, and print the note that does.

    Raises DataError where there is none or more than one, or it was taken back before.
    """
    folder = store_folder(settings)
    Folder(folder).require_store()
    _, found = fetch_rows(folder, _BY_ID_SQL, [beginning]) if beginning else ([], [])
    if len(found) != 1:
        how_many = "no note has" if not found else f"{len(found)} notes have"
        raise DataError(
            f"{how_many} an id that begins with {beginning!r}; see `gainline note list`"
        )
    note_id, kind, retracted_by = found[0]
    if retracted_by is not None:
        raise DataError(f"the note {note_id} was taken back already, by {retracted_by}")
    if kind == NoteKind.RETRACTION:
        raise DataError(f"{note_id} takes a note back: say that one again instead")
    say(settings, {**words, "kind": str(NoteKind.RETRACTION), "retracts": note_id})


def import_notes(settings: Settings, file: Path, author: str | None = None) -> tuple[int, int]:
    """Store the notes of a CSV file, all or none; give their number, and of those that are new.

    A row that does not say when it was said is the same as an earlier import's that says the same.
    Raises DataError, naming the lines, for rows that cannot be read.
    """
    with _storing(settings) as lake:
        heard = _heard("csv", author)
        known = _imported_before(store_folder(settings))
        notes, mistakes = list[Note](), list[tuple[int, str]]()
        for number, line in _lines(file):
            try:
                note = _read(settings, line, heard)
            except DataError as problem:
                mistakes.append((number, str(problem)))
                continue
            if not line.get("source_time"):
                note = replace(note, source_time=known.get(_content(note), note.source_time))
            notes.append(note)
        if mistakes:
            raise DataError(_in_words(file, mistakes))
        return len(notes), lake.add_notes(notes)


def list_notes(settings: Settings, wish: Wish, form: Format) -> None:
    """Print notes in order of the time that they are about; people get the columns that fit."""
    folder = store_folder(settings)
    words = list(wish)
    if form is not Format.TABLE:
        print_answer(folder, _LIST_SQL, form, words)
        return
    names, rows = fetch_rows(folder, _LIST_SQL, words)
    places = [names.index(name) for name in _SHOWN]
    sys.stdout.write(as_text(_SHOWN, [tuple(row[place] for place in places) for row in rows]))


@contextmanager
def _storing(settings: Settings) -> Iterator[Lake]:
    """Open a store that is there for notes; beside services that write."""
    folder = store_folder(settings)
    Folder(folder).require_store()
    with Lake.open(folder, writer="notes") as lake:
        yield lake


def _heard(via: Via, author: str | None = None) -> Heard:
    return Heard(datetime.now(UTC), via, author=author or _login())


def _login() -> str | None:
    """Give the name of who runs this; None where the system has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return None


def _read(settings: Settings, words: Mapping[str, object], heard: Heard) -> Note:
    """Read a note; its times are those of the clock at its site. Raises DataError."""
    site = words.get("site")
    zone = zone_of_site(settings, site if isinstance(site, str) and site else None)
    return note_of(words, heard._replace(zone=zone))


def _imported_before(folder: Path) -> dict[tuple[object, ...], datetime]:
    """Tell when each content was said that an import has brought."""
    names, rows = fetch_rows(folder, f"{_ALL_SQL} WHERE via = 'csv'")
    notes = [note_from_row(dict(zip(names, row, strict=True))) for row in rows]
    return {_content(note): note.source_time for note in notes}


def _content(note: Note) -> tuple[object, ...]:
    return tuple(getattr(note, name) for name in SAID if name != "source_time")


def _lines(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read the lines of a CSV file, each with its number; what only a list has is left aside."""
    key, *columns = SAID
    only_listed = [name for name in COLUMNS if name not in SAID]
    for count, (number, line) in enumerate(lines_of(file, key, columns, ignored=only_listed)):
        if count >= ROWS_MAX:
            raise DataError(f"{file}: more than {ROWS_MAX:,} rows: split the file")
        yield number, {name: _undefused(cell) for name, cell in line.items()}


def _undefused(cell: str) -> str:
    """Take off the apostrophe that a list puts before what a spreadsheet would run."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA_STARTS) else cell


def _in_words(file: Path, mistakes: list[tuple[int, str]]) -> str:
    (number, words), *others = mistakes
    first = f"{file}:{number}: {words}"
    if not others:
        return f"{first}; nothing was stored"
    lines = ", ".join(str(line) for line, _ in others[:MISTAKES_NAMED])
    lines += " and more" if len(others) > MISTAKES_NAMED else ""
    return f"{first}; nothing was stored, as line {lines} cannot be read either"
