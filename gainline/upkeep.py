"""Keeps a store small and quick on command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gainline.bar import progress_bar
from store.compacting import Compacted, compact, row_count

if TYPE_CHECKING:
    from gainline.config import Settings


def compact_store(settings: Settings) -> Compacted:
    """Compact all that the store has now, with a bar on a terminal."""
    folder = Path(settings.store.folder)
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
