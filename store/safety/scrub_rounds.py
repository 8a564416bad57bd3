"""The regular scrub: a few files at a time, all of them once in a month."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from contracts.errors import ConfigError
from store.place.durable import write_file
from store.place.folder import Folder
from store.safety.scrub import Damage, Lost, Scrubbed, scrub

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from store.catalog.listing import Listed

# Disks lose about one sector a year without saying so, and what backups keep is a few weeks: a
# damage is found while a good copy is still there.
ROUND = timedelta(days=30)
# What one slice reads at most: seconds of a disk, after a long pause too.
SLICE_BYTES_MAX = 1 << 30
# A tenth of what a plain disk reads in a second: nobody else notices.
SLICE_BYTES_PER_S = 20e6
# How many damages are remembered: more of them mean that the disk is lost.
DAMAGES_MAX = 1_000
# The file in STORE/state.
NAME = "scrub"


class Standing(NamedTuple):
    """How far the regular scrub has come."""

    at: datetime | None = None  # of the last slice; None: there was none
    file: str = ""  # the last that was checked; the next in order comes next
    round_ended: datetime | None = None  # when all had been checked; None: not yet
    damages: Sequence[Damage] = ()


def standing(folder: Path) -> Standing:
    """Tell how far the regular scrub has come and what it has found."""
    try:
        read = json.loads((Folder(folder).scratch / NAME).read_text())
        damages = [
            Damage(**{**each, "lost": each["lost"] and Lost(**each["lost"])})
            for each in read["damages"]
        ]
        return Standing(_moment(read["at"]), read["file"], _moment(read["round_ended"]), damages)
    except (OSError, ValueError, KeyError, TypeError):
        return Standing()  # it begins again: nothing is lost but a month


def scrub_slice(folder: Path, *, now: datetime) -> list[Damage]:
    """Check the files that are due, and again those that were found damaged; give new damages.

    Raises as `store.safety.scrub.scrub`.
    """
    before = standing(folder)
    damaged = {each.file for each in before.damages}
    chosen = list[str]()
    wrapped = False

    def choose(files: list[Listed]) -> list[Listed]:
        nonlocal wrapped
        due, wrapped = _due(files, before, now)
        chosen.extend(each.name for each in due)
        return due + [each for each in files if each.name in damaged.difference(chosen)]

    found = scrub(folder, choose=choose, bytes_per_s=SLICE_BYTES_PER_S)
    after = Standing(
        now,
        chosen[-1] if chosen else before.file,
        now if wrapped else before.round_ended,
        found.damages,
    )
    _write(folder, after)
    return [each for each in found.damages if each.file not in damaged]


def note(folder: Path, found: Scrubbed, *, now: datetime) -> None:
    """Take note of a scrub of all files, for `standing`; without, where that may not be written."""
    try:
        _write(folder, Standing(now, "", now, found.damages))
    except ConfigError:
        return


def _due(files: list[Listed], before: Standing, now: datetime) -> tuple[list[Listed], bool]:
    """Give the files of the next slice, at least one, and whether the round ends with them."""
    passed = (now - before.at) / ROUND if before.at else 0.0
    budget = min(sum(each.byte_count or 0 for each in files) * passed, SLICE_BYTES_MAX)
    first = next((at for at, each in enumerate(files) if each.name > before.file), 0)
    due: list[Listed] = []
    for each in files[first:]:
        due.append(each)
        budget -= each.byte_count or 0
        if budget <= 0:
            break
    return due, first + len(due) == len(files)


def _write(folder: Path, after: Standing) -> None:
    words = {
        "at": after.at and after.at.isoformat(),
        "file": after.file,
        "round_ended": after.round_ended and after.round_ended.isoformat(),
        "damages": [as_dict(each) for each in after.damages[:DAMAGES_MAX]],
    }
    content = json.dumps(words).encode()
    write_file(Folder(folder).scratch / NAME, lambda sink: sink.write(content))


def as_dict(damage: Damage) -> dict[str, object]:
    """Give a damage as plain values, for JSON."""
    return {**damage._asdict(), "lost": damage.lost and damage.lost._asdict()}


def _moment(words: str | None) -> datetime | None:
    return datetime.fromisoformat(words) if words else None
