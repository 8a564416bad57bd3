"""Shows what is stored of tags under other names, as after a plant has named its topics anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches

import typer

from contracts.errors import DataError
from contracts.tags import Tag
from gainline.config.loading import Settings
from gainline.config.places import tag_maker
from gainline.config.store_place import store_folder
from store.lake import Lake
from store.place.folder import Folder
from store.query import fetch_rows

# What a name for all tags below another ends with.
_BELOW = "/*"
# So many names a person looks through to find the one that was meant.
NEAR_MAX = 3
# Both names of a tag with readings in the same hours, as sums know them.
BOTH_SQL = """
SELECT s.stored, count(*) FROM renamed_tags AS s
JOIN clean.hour_parts AS o ON o.tag = s.stored
JOIN clean.hour_parts AS n ON n.tag = s.tag AND n.bucket = o.bucket
WHERE list_contains(?, s.stored) GROUP BY ALL ORDER BY ALL
"""


def rename_tags(settings: Settings, old: str, new: str | None) -> None:
    """Show tags under new names, without one under their own, and say how many.

    Raises DataError for a tag that is not known, and for names that lead back to themselves.
    """
    folder = store_folder(settings)
    Folder(folder).require_store()
    with Lake.open(folder, writer="tags") as lake:
        known, given = lake.known_tags(), lake.tag_names().given
        changes = _changes(known, given, old, new)
        make = tag_maker(settings)

        def entries(known: Mapping[str, Tag]) -> list[Tag]:
            wanted = {name: tag for tag, name in changes.items() if name and name not in known}
            return [_moved(known[tag], make(name, None)) for name, tag in wanted.items()]

        count = lake.rename_tags(changes, entries)
    typer.echo(f"{count} tags are shown under another name now")
    for tag, hours in fetch_rows(folder, BOTH_SQL, (list(changes),))[1]:
        typer.echo(
            f"gainline: in {hours} hours both {tag} and its new name have readings: they are shown"
            " side by side",
            err=True,
        )


def _changes(
    known: Mapping[str, Tag], given: Mapping[str, str], old: str, new: str | None
) -> dict[str, str | None]:
    """Say which tag gets which name."""
    if new is None:
        return dict.fromkeys(_named_below(given, old, "is shown under another name"))
    if old.endswith(_BELOW) != new.endswith(_BELOW):
        raise DataError(f"write {_BELOW} at the end of both names, or of none")
    if not new.removesuffix(_BELOW) or set(new.removesuffix(_BELOW)) & set("+#*"):
        raise DataError(f"{new!r} is no name of a tag: it is empty or has a +, # or *")
    beginning, target = old.removesuffix("*"), new.removesuffix("*")
    tags = _named_below(known, old, "is known")
    changes = {tag: target + tag.removeprefix(beginning) for tag in tags}
    same = [tag for tag, name in changes.items() if tag == name]
    if same:
        raise DataError(f"{same[0]} would be its own new name")
    for name in changes.values():
        if name in given and name not in changes:
            raise DataError(
                f"{name} is shown as {given[name]} itself: `gainline tags rename {name} --undo`"
                " first, or give that name"
            )
    return dict(changes)


def _named_below(names: Mapping[str, object], asked: str, what: str) -> list[str]:
    if asked in names:
        return [asked]
    if asked.endswith(_BELOW):
        found = [name for name in names if name.startswith(asked.removesuffix("*"))]
        if found:
            return found
    near = get_close_matches(asked, names, n=NEAR_MAX)
    hint = f"; the nearest: {', '.join(near)}" if near else "; see `gainline tags list`"
    raise DataError(f"no tag {asked!r} {what}{hint}")


def _moved(known: Tag, made: Tag) -> Tag:
    """Make the entry of a new name: its place by the name, what was set by hand as it was."""
    said = known.words()
    by_hand = {word: said[word] for word in known.edited}
    words = made.words() | {"unit": made.unit or known.unit} | by_hand
    return replace(made.saying(words, edited=known.edited), kind=known.kind, gateway=known.gateway)
