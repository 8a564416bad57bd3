"""Forgets tags on command, and says what cannot be reached."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING

import typer

from gainline import wiring
from gainline.bar import progress_bar
from gainline.output import as_text
from store.forgetting import Forgotten, forget, readings_count
from store.history import Span
from store.wanted import Wanted

if TYPE_CHECKING:
    from gainline.config import Settings

# What a file of the lake is not.
BEYOND = (
    "not reached: backups and exports; messages in the journal that are not stored yet; what ingest"
    " and the judge remember of these tags; reports"
)
# The least time that is stored: a range without a beginning.
_BEGIN = datetime(1, 1, 2, tzinfo=UTC)


def forget_tags(
    settings: Settings,
    pattern: str,
    times: tuple[datetime | None, datetime | None],
    *,
    is_dry_run: bool,
) -> Forgotten:
    """Remove what is stored of the tags that match, from one time to another, or say how much."""
    folder = wiring.store_folder(settings)
    begin, end = times
    span = None if begin is None and end is None else Span(begin or _BEGIN, end)
    wanted = Wanted(cache(lambda tag: fnmatchcase(tag, pattern)), span)
    with progress_bar("forgetting", readings_count(folder)) as advance:
        return forget(folder, wanted, is_dry_run=is_dry_run, tell=advance)


def show_forgotten(done: Forgotten, *, is_dry_run: bool, in_json: bool) -> None:
    """Print what went, or would go, and what is beyond reach."""
    if in_json:
        typer.echo(json.dumps({"dry_run": is_dry_run, **done._asdict(), "beyond": BEYOND}))
        return
    if not any(done):
        typer.echo("nothing is stored of these tags")
        return
    rows = [(name.replace("_", " "), count) for name, count in done._asdict().items() if count]
    typer.echo("would be removed:" if is_dry_run else "removed, and no longer in any file:")
    typer.echo(as_text(("what", "rows"), rows), nl=False)
    typer.echo(BEYOND)
    if is_dry_run:
        typer.echo("add --yes to remove it")
