"""Keeps a store small on command, and says what it has done."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from gainline.bar import progress_bar
from gainline.config import wiring
from gainline.config.store_place import store_folder
from gainline.output import as_text
from store.upkeep.compacting import Compacted, compact, row_count
from store.upkeep.retaining import Retained, retain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gainline.config.loading import Settings


def compact_store(settings: Settings) -> Compacted:
    """Compact all that the store has now, with a bar on a terminal."""
    folder = store_folder(settings)
    with progress_bar("compacting", row_count(folder)) as advance:
        return compact(folder, tell=advance)


def show_compacted(done: Compacted, *, in_json: bool) -> None:
    """Print what was done."""
    if in_json:
        typer.echo(json.dumps(done._asdict()))
    elif done.gone:
        typer.echo(f"{done.gone} segments became {done.new}, with {done.rows} readings")
    else:
        typer.echo("nothing to compact")


def retain_in_store(settings: Settings, *, is_dry_run: bool) -> list[Retained]:
    """Remove what is older than the configuration keeps it."""
    folder, retention = store_folder(settings), wiring.retention(settings)
    return retain(folder, retention, now=datetime.now(UTC), is_dry_run=is_dry_run)


def show_retained(done: Sequence[Retained], *, is_dry_run: bool, in_json: bool) -> None:
    """Print what went of each kind, or would go."""
    gone = [each for each in done if each.rows]
    if in_json:
        kinds = {each.kind: dict(zip(each._fields[1:], each[1:], strict=True)) for each in done}
        typer.echo(json.dumps({"dry_run": is_dry_run, **kinds}))
    elif gone:
        typer.echo("would be removed:" if is_dry_run else "removed:")
        columns = ("what", "segments", "of them rewritten", "rows")
        typer.echo(as_text(columns, [tuple(each) for each in gone]), nl=False)
    else:
        typer.echo("nothing is older than it is to be kept")
