"""What the verbs that keep a store do, and how they say it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gainline.bar import progress_bar
from gainline.partitions import journals_of_partitions
from ingest.journal_image import journal_faults
from store.scrub import CATALOG, Damage, Lost, Scrubbed, scrub, size_of
from store.scrub_rounds import as_dict, note

if TYPE_CHECKING:
    from collections.abc import Iterator

BYTES_PER_MB = 1_000_000


def journals(store: Path) -> list[Path]:
    """Give the folders of all journals of a store."""
    return [store / "journal", *journals_of_partitions(store).values()]


def scrub_store(store: Path, *, mb_per_s: float | None) -> Scrubbed:
    """Check every file of a store, journals included, with a bar on a terminal."""
    with progress_bar("scrub", size_of(store)) as tell:
        pace = None if mb_per_s is None else mb_per_s * BYTES_PER_MB
        found = scrub(store, bytes_per_s=pace, tell=tell)
    found = found._replace(damages=[*found.damages, *_journal_damages(store)])
    note(store, found, now=datetime.now(UTC))
    return found


def show_scrubbed(found: Scrubbed, *, in_json: bool) -> None:
    """Print what a scrub has found: a line for each damage, then one that sums up."""
    if in_json:
        words = found._asdict() | {"damages": [_shown(each) for each in found.damages]}
        typer.echo(json.dumps(words))
        return
    for damage in found.damages:
        typer.echo(f"{damage_in_words(damage)}: {remedy(damage)}")
    unhashed = f", of {len(found.unhashed)} of them only the size" if found.unhashed else ""
    state = f"{len(found.damages)} damaged" if found.damages else "none is damaged"
    typer.echo(f"{found.file_count} files, {found.byte_count} bytes checked{unhashed}: {state}")


def damage_in_words(damage: Damage) -> str:
    """Name the file, what is wrong, and what is lost."""
    return f"{damage.file} {damage.fault}" + (f" (lost: {damage.lost})" if damage.lost else "")


def remedy(damage: Damage) -> str:
    """Say what can be done about a damage."""
    if damage.file == CATALOG or damage.sha256 is None:
        return "restore the store from a backup by `gainline restore`"
    return "put it back from a backup by `gainline scrub --repair-from`"


def _shown(damage: Damage) -> dict[str, object]:
    return as_dict(damage) | {"remedy": remedy(damage)}


def _journal_damages(store: Path) -> Iterator[Damage]:
    for folder in journals(store):
        for name, fault in journal_faults(folder):
            lost = Lost("messages that are not in the lake yet", None, None, None, None, None)
            yield Damage(f"{folder.name}/{name}", fault, lost, None)
