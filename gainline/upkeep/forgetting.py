"""Forgets tags on command: in the lake, in the judge's memory; and says what cannot be reached."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING

import typer

from contracts.batches import CLEAN_SCHEMA, CleanBatch, CleanCommit
from contracts.errors import ConfigError
from gainline.bar import progress_bar
from gainline.config import wiring
from gainline.config.store_place import store_folder
from gainline.output import as_text
from store.query import fetch_rows
from store.rejudging.history import Span
from store.upkeep.forgetting import Forgotten, forget, readings_count
from store.upkeep.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gainline.config.loading import Settings

# What a file of the lake is not.
BEYOND = (
    "not reached: backups and exports; messages in the journal, until its last file is full; what"
    " ingest remembers to know repeats; reports"
)
JUDGE_RUNS = (
    "; what the judge that runs remembers of these tags: forget them once more while it does not"
)
NAMES_SQL = "SELECT tag, name, shown FROM house.tag_names"
# The least time that is stored: a range without a beginning.
_BEGIN = datetime(1, 1, 2, tzinfo=UTC)


def forget_tags(
    settings: Settings,
    pattern: str,
    times: tuple[datetime | None, datetime | None],
    *,
    is_dry_run: bool,
) -> tuple[Forgotten, str]:
    """Remove what is stored of the tags that match, from one time to another, or say how much.

    A tag that is shown under another name matches by either. Also gives words for what is beyond
    reach.
    """
    folder = store_folder(settings)
    begin, end = times
    span = None if begin is None and end is None else Span(begin or _BEGIN, end)
    matches = cache(_matcher(folder, pattern))
    with progress_bar("forgetting", readings_count(folder)) as advance:
        done = forget(folder, Wanted(matches, span), is_dry_run=is_dry_run, tell=advance)
    if is_dry_run:
        return done, BEYOND
    return done, BEYOND if _forgotten_by_judge(settings, matches) else BEYOND + JUDGE_RUNS


def _matcher(folder: Path, pattern: str) -> Callable[[str], bool]:
    """Make what tells whether a tag matches, by its own name or one that it was given."""
    names = defaultdict[str, set[str]](set)
    for tag, *given in fetch_rows(folder, NAMES_SQL)[1]:
        names[tag].update(filter(None, given))
    return lambda tag: any(fnmatchcase(name, pattern) for name in (tag, *names.get(tag, ())))


def _forgotten_by_judge(settings: Settings, matches: Callable[[str], bool]) -> bool:
    """Take tags out of what the judge remembers; tell whether that could be done.

    What it has learned of them goes, also where only a span of them is forgotten: it holds their
    last values.
    """
    from clean.forgetting import without_tags  # noqa: PLC0415  # the judge loads numba
    from clean.judge import Judge  # noqa: PLC0415  # the same

    try:
        lake = wiring.open_lake(settings, writer="judge")
    except ConfigError:
        return False
    with lake:
        done = lake.judge_progress()
        left = without_tags(done.memory, matches) if done.memory else None
        if left is not None:
            rules = wiring.rule_for(settings, lake.known_tags())
            memory = Judge.restore(left, rules, wiring.judge_settings(settings)).memory()
            nothing = CleanBatch(CLEAN_SCHEMA.empty_table())
            lake.commit_clean(CleanCommit(nothing, done.arrival, memory))
    return True


def show_forgotten(done: Forgotten, beyond: str, *, is_dry_run: bool, in_json: bool) -> None:
    """Print what went, or would go, and what is beyond reach."""
    if in_json:
        typer.echo(json.dumps({"dry_run": is_dry_run, **done._asdict(), "beyond": beyond}))
        return
    if not any(done):
        typer.echo("nothing is stored of these tags")
        return
    rows = [(name.replace("_", " "), count) for name, count in done._asdict().items() if count]
    typer.echo("would be removed:" if is_dry_run else "removed, and no longer in any file:")
    typer.echo(as_text(("what", "rows"), rows), nl=False)
    typer.echo(beyond)
    if is_dry_run:
        typer.echo("add --yes to remove it")
