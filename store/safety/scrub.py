"""Finds what a disk has altered: each file is compared with what the catalog notes of it."""

from __future__ import annotations

import hashlib
import re
import time
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from contracts.errors import GainlineError
from store import failures
from store.catalog import catalog_check, listing
from store.catalog.attachment import attach
from store.place.folder import Folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from store.catalog.listing import Listed
    from store.place.files import File

CATALOG = "catalog.sqlite"
# What SQLite says of a catalog whose pages make no sense.
_TORN = re.compile(r"malformed|not a database|corrupt", re.IGNORECASE)
# A writer replaces its memory at each commit, so the one that was named may be gone: so often the
# catalog is asked again.
_MEMORIES_TRIED = 20


class Lost(NamedTuple):
    """What stands in a file, as far as the catalog knows without it."""

    table: str
    rows: int | None
    first_tag: str | None
    last_tag: str | None
    from_time: str | None  # source_time, the earliest
    to_time: str | None  # the latest

    def __str__(self) -> str:
        words = [f"{self.rows} rows of {self.table}" if self.rows is not None else self.table]
        if self.first_tag is not None:
            words.append(f"tags {self.first_tag} to {self.last_tag}")
        if self.from_time is not None:
            words.append(f"{self.from_time} to {self.to_time}")
        return ", ".join(words)


class Damage(NamedTuple):
    """A file that is not what was written."""

    file: str  # its path, relative to STORE
    fault: str
    lost: Lost | None
    sha256: str | None  # of what was written; None: not known


class Scrubbed(NamedTuple):
    """What was looked at, and what was found."""

    file_count: int
    byte_count: int
    unhashed: Sequence[str]  # files of which no hash is noted yet
    damages: Sequence[Damage]


class Pace:
    """Slows reading down to so many bytes a second, for the sake of whoever else uses the disk."""

    def __init__(self, bytes_per_s: float | None, tell: Callable[[int], object]) -> None:
        self._bytes_per_s, self._tell = bytes_per_s, tell
        self._began_s = time.monotonic()
        self.byte_count = 0

    def skip(self, byte_count: int) -> None:
        """Take note of what need not be read."""
        self._tell(byte_count)

    def read(self, byte_count: int) -> None:
        """Take note of what was read, and wait where that was too fast."""
        self.byte_count += byte_count
        self._tell(byte_count)
        if self._bytes_per_s is not None:
            due_s = self._began_s + self.byte_count / self._bytes_per_s
            time.sleep(max(0.0, due_s - time.monotonic()))


def size_of(folder: Path) -> int:
    """Give the bytes of all files that a scrub reads. Raises as `scrub`."""
    place = Folder(folder)
    place.require_store()
    try:
        with attach(place, writable=False) as connection:
            return sum(each.byte_count or 0 for each in listing.data_files(connection))
    except duckdb.Error as error:
        raise failures.of_catalog(error, place.root) from error


def scrub(
    folder: Path,
    *,
    choose: Callable[[list[Listed]], Iterable[Listed]] = lambda files: files,
    bytes_per_s: float | None = None,
    tell: Callable[[int], object] = lambda _: None,
) -> Scrubbed:
    """Compare the files of a store, or those that are chosen, with their hashes and the catalog.

    Works beside writers. `tell` is given the bytes of each step. Raises ConfigError where there is
    no store, GainlineError where the catalog itself cannot be read.
    """
    place = Folder(folder)
    place.require_store()
    pace = Pace(bytes_per_s, tell)
    try:
        with attach(place, writable=False) as connection:
            return _Scrub(connection, place, pace).run(choose)
    except (duckdb.Error, GainlineError) as error:
        if _TORN.search(str(error)):
            return Scrubbed(1, 0, (), [Damage(CATALOG, failures.one_line(error), None, None)])
        if isinstance(error, GainlineError):
            raise
        raise failures.of_catalog(error, place.root) from error


class _Scrub:
    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Folder, pace: Pace) -> None:
        self._connection, self._folder, self._pace = connection, folder, pace

    def run(self, choose: Callable[[list[Listed]], Iterable[Listed]]) -> Scrubbed:
        faults = catalog_check.faults(self._connection, self._folder)
        damages = [Damage(CATALOG, fault, None, None) for fault in faults]
        catalog_check.copy_spans(self._connection)
        files = list(choose(listing.data_files(self._connection)))
        suspects = [(each, fault) for each in files if (fault := self._fault(each))]
        # what was merged or forgotten meanwhile has a right to be gone
        there = {each.name for each in listing.data_files(self._connection)} if suspects else set()
        damages += [self._damage(each, fault) for each, fault in suspects if each.name in there]
        memories, forgotten = self._memories()
        damages += forgotten
        unhashed = [each.name for each in files if each.sha256 is None]
        return Scrubbed(len(files) + memories, self._pace.byte_count, unhashed, damages)

    def _fault(self, listed: Listed) -> str | None:
        fault = fault_of(self._folder.files / listed.name, listed, self._pace)
        if fault is None and listed.row_count is not None:
            return catalog_check.fault_of_listing(self._connection, self._folder, listed)
        return fault

    def _memories(self) -> tuple[int, list[Damage]]:
        suspects: list[tuple[Listed, str]] = []
        named: list[Listed] = []
        for _ in range(_MEMORIES_TRIED):
            named = listing.memories(self._connection)
            found = [(each, self._fault(each)) for each in named]
            suspects = [(each, fault) for each, fault in found if fault]
            if not suspects or named == listing.memories(self._connection):
                break
        return len(named), [self._damage(each, fault) for each, fault in suspects]

    def _damage(self, listed: Listed, fault: str) -> Damage:
        return Damage(listed.name, fault, self._lost(listed), listed.sha256)

    def _lost(self, listed: Listed) -> Lost:
        if listed.row_count is None:
            return Lost(listed.table, None, None, None, None, None)
        spans = catalog_check.known_spans(self._connection, listed)
        tags = spans.get("tag", (None, None))
        return Lost(listed.table, listed.row_count, *tags, *spans.get("source_time", (None, None)))


def fault_of(file: File, listed: Listed, pace: Pace) -> str | None:
    """Say what is wrong with a file, None where it is what was written."""
    digest = hashlib.sha256()
    try:
        size = file.byte_count()
        if listed.byte_count not in (None, size):
            return f"has {size} bytes instead of {listed.byte_count}"
        for block in file.blocks():
            digest.update(block)
            pace.read(len(block))
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    if listed.sha256 not in (None, digest.hexdigest()):
        return "holds other bytes than were written"
    return None
