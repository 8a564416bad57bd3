"""Shows the tag catalogue, and takes what people know better than topics and configuration."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path

from contracts.errors import DataError
from contracts.tags import EDITABLE, Kind, Tag
from gainline.config.loading import Settings
from gainline.config.made_tags import made_tag
from gainline.config.places import tag_maker
from gainline.files.csv_lists import lines_of
from gainline.output import FORMULA_STARTS, Format, as_text, print_answer
from store.lake import Lake
from store.place.folder import Folder

COLUMNS = ("tag", *EDITABLE, "edited")
TAGS_SQL = (
    "SELECT tag, site, area, line, machine, metric, unit, kind, edited FROM tags ORDER BY tag"
)
# A place or a unit is a word or a few; what is longer was pasted by mistake.
WORD_CHARS_MAX = 256
# So many names a person looks through to find the one that was meant.
NEAR_MAX = 3


def list_tags(folder: Path, form: Format) -> None:
    """Print the tag catalogue."""
    print_answer(folder, TAGS_SQL, form)


def set_tag(
    settings: Settings,
    tag: str,
    words: Mapping[str, str],
    *,
    as_configured: bool = False,
    unit_from: datetime | None = None,
) -> None:
    """Set some words of a tag by hand and print the tag; an empty word is none.

    `as_configured`: what was set before is forgotten. `unit_from`: the unit holds from then on,
    else for all readings. Raises DataError for a tag, a word or a time that cannot be.
    """
    make = tag_maker(settings)

    def revise(known: Mapping[str, Tag]) -> list[Tag]:
        found = _tag_in(known, tag)
        if as_configured:
            plain = made_tag(make(tag, found.path), known).words()
            found = replace(found.saying(plain, edited=frozenset()), unit_from=None)
        return [_edited(found, words, unit_from)]

    with _editing(Path(settings.store.folder)) as lake:
        lake.revise_tags(revise)
        now = lake.known_tags()[tag]
    row = (now.tag, *now.words().values(), " ".join(sorted(now.edited)))
    sys.stdout.write(as_text(COLUMNS, [row]))


def import_tags(folder: Path, file: Path) -> tuple[int, int]:
    """Set what differs in a CSV file; give the number of tags in it, and of those that changed.

    A column that is not there changes nothing. Raises DataError, naming the line, for a tag or a
    word that cannot be; then nothing is changed.
    """
    lines = list(lines_of(file, "tag", EDITABLE, ignored=("edited",)))

    def revise(known: Mapping[str, Tag]) -> Iterable[Tag]:
        tags = (_as_in(line, known, f"{file}:{number}") for number, line in lines)
        return {tag.tag: tag for tag in tags if tag != known[tag.tag]}.values()

    with _editing(folder) as lake:
        return len(lines), lake.revise_tags(revise)


@contextmanager
def _editing(folder: Path) -> Iterator[Lake]:
    """Open a store that is there for a change of its tags."""
    Folder(folder).require_store()
    with Lake.open(folder, writer="tags") as lake:
        yield lake


def _tag_in(known: Mapping[str, Tag], name: str) -> Tag:
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=NEAR_MAX)
    hint = f"the nearest: {', '.join(near)}" if near else "see `gainline tags list`"
    raise DataError(f"no tag is called {name!r}; {hint}")


def _edited(tag: Tag, words: Mapping[str, str], unit_from: datetime | None = None) -> Tag:
    if unit_from and tag.unit_from and unit_from < tag.unit_from:
        raise DataError(
            f"the unit of {tag.tag} has changed at {tag.unit_from:%Y-%m-%d %H:%M:%S} UTC, which is"
            " later: set the first unit without --from, then each change in its order"
        )
    said = {name: _checked(word) or None for name, word in words.items()}
    if "kind" in said and said["kind"] not in set(Kind):
        raise DataError(f"the kind {words['kind']!r} is none of {', '.join(Kind)}")
    edited = tag.saying(said, edited=tag.edited | said.keys())
    return replace(edited, unit_from=unit_from) if "unit" in said else edited


def _checked(word: str) -> str:
    if len(word) > WORD_CHARS_MAX or not word.isprintable():
        raise DataError(f"{word[:20]!r}… is no name: at most {WORD_CHARS_MAX} printable characters")
    return word


def _as_in(line: Mapping[str, str], known: Mapping[str, Tag], where: str) -> Tag:
    """Give a tag as a line has it; what differs is set by hand."""
    name = line["tag"] if line["tag"] in known else _plain(line["tag"])
    try:
        tag = _tag_in(known, name)
        before = tag.words()
        words = {word: _plain(cell) for word, cell in line.items() if word != "tag"}
        return _edited(tag, {w: cell for w, cell in words.items() if cell != (before[w] or "")})
    except DataError as problem:
        raise DataError(f"{where}: {problem}") from None


def _plain(cell: str) -> str:
    """Take off the apostrophe that a list puts before what a spreadsheet would run."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA_STARTS) else cell
