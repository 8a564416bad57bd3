"""Backups of a store while others write it: consistent, and only of what is new."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from contracts.errors import ConfigError, DataError, GainlineError
from store import failures
from store.catalog import catalog_copy, listing
from store.catalog.attachment import attach
from store.place.durable import BLOCK_BYTES, PART, blocks_of
from store.place.folder import Folder
from store.place.locks import committing, files_kept
from store.safety.scrub import CATALOG, Damage, Pace
from store.safety.vault import Backup, Kept, Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from store.catalog.listing import Listed

# A process that copies has started, or fixed its snapshot, long before.
_HEARD_WITHIN_S = 60.0
# The copy of a catalog of gigabytes over a slow network.
_COPIED_WITHIN_S = 3600.0


class Done(NamedTuple):
    """What a backup has done."""

    backup: Backup
    new_bytes: int  # that were not there from earlier backups
    damages: list[Damage]  # of the store, not of the backup


def back_up(
    folder: Path,
    vault: Vault,
    *,
    waiting: Callable[[], Iterable[tuple[str, bytes]]] = list,
    bytes_per_s: float | None = None,
    tell: Callable[[int], object] = lambda _: None,
) -> Done:
    """Add the state of a store as of now to its backups.

    `waiting` gives name and content of the files with messages that are not in the lake yet, in
    the order in which messages pass through them. They are kept first, then the catalog: what
    leaves them meanwhile is in the lake by then. All that the lake has at that moment is one
    snapshot; writers wait for milliseconds. `tell` is given the bytes of each step. Raises
    ConfigError without a store, TransientError on a full disk, DataError for a torn catalog.
    """
    place = Folder(folder)
    place.require_store()
    if place.server is not None or place.bucket is not None:
        raise ConfigError(
            "the store has its catalog or its data elsewhere: back them up there, the catalog first"
            " (pg_dump, versions of the bucket); see docs/cluster.md"
        )
    with failures.named(place.root), files_kept(place):
        return _Backing(place, vault, Pace(bytes_per_s, tell)).run(waiting)


class _Backing:
    def __init__(self, folder: Folder, vault: Vault, pace: Pace) -> None:
        self._folder, self._vault, self._pace = folder, vault, pace
        self._kept: list[Kept] = []
        self._damages: list[Damage] = []
        self._new_bytes = 0

    def run(self, waiting: Callable[[], Iterable[tuple[str, bytes]]]) -> Done:
        for name, content in waiting():
            self._keep_bytes(name, content)
        copy = self._vault.folder / f"{CATALOG}{PART}"
        with ExitStack() as stack:
            memories = stack.enter_context(self._copied(copy))
            made_at = datetime.now(UTC)
            snapshot = self._keep_listed(copy, memories)
            self._new(self._vault.put(CATALOG, _paced(blocks_of(copy), self._pace)))
        self._keep_bytes("format_version", f"{self._folder.version()}\n".encode())
        for path in sorted((self._folder.root / "reports").rglob("*")):
            if path.is_file():
                name = str(path.relative_to(self._folder.root))
                self._keep_bytes(name, path.read_bytes())
        damaged = [each.file for each in self._damages]
        backup = Backup(made_at, snapshot, self._kept, damaged)
        self._vault.add(backup)
        return Done(backup, self._new_bytes, self._damages)

    @contextmanager
    def _copied(self, copy: Path) -> Iterator[dict[str, int]]:
        """Copy the catalog as of one moment, and open the memories that its writers had then."""
        copy.unlink(missing_ok=True)
        memories: dict[str, int] = {}
        command = [
            sys.executable,
            "-I",
            catalog_copy.__file__,
            str(self._folder.catalog),
            str(copy),
        ]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as child:  # noqa: S603  # our own program
            try:
                _hear(child, b"open\n")
                with committing(self._folder):
                    assert child.stdin is not None
                    child.stdin.write(b"begin\n")
                    child.stdin.flush()
                    _hear(child, b"begun\n")
                    for path in (self._folder.root / "state").glob("*_progress-*"):
                        with suppress(FileNotFoundError):  # replaced, and just being removed
                            memories[path.name] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                _, words = child.communicate(timeout=_COPIED_WITHIN_S)
                if child.returncode:
                    raise _not_copied(words)
                yield memories
            finally:
                child.kill()  # it has ended, unless something failed
                for descriptor in memories.values():
                    os.close(descriptor)
                copy.unlink(missing_ok=True)

    def _keep_listed(self, copy: Path, memories: dict[str, int]) -> int:
        """Keep what the copy of the catalog names; give its newest snapshot."""
        place = Folder(self._folder.root)
        place.catalog = copy
        with attach(place, writable=False) as connection:
            files = listing.data_files(connection, with_old=True)
            named = listing.memories(connection)
            found = connection.execute("SELECT max(snapshot_id) FROM ducklake_snapshots('lake')")
            row = found.fetchone()
        for each in named:
            descriptor = memories.get(each.name.rpartition("/")[2])
            self._keep(each, partial(_read_all, descriptor))
        for each in files:
            self._keep(each, partial(blocks_of, self._folder.root / each.name))
        assert row is not None
        return int(row[0])

    def _keep(self, listed: Listed, blocks: Callable[[], Iterator[bytes]]) -> None:
        """Keep a file that the catalog names; what is not as it should be is kept as it is."""
        if listed.sha256 is not None and self._vault.has(listed.sha256, listed.byte_count):
            size = self._vault.path(listed.sha256).stat().st_size
            self._kept.append(Kept(listed.name, listed.sha256, size))
            self._pace.skip(size)
            return
        try:
            kept = self._vault.put(listed.name, _paced(blocks(), self._pace), listed.sha256)
            if kept is None:
                fault = "holds other bytes than were written"
                self._damages.append(Damage(listed.name, fault, None, listed.sha256))
                kept = self._vault.put(listed.name, blocks())
            self._new(kept)
        except FileNotFoundError:
            self._damages.append(Damage(listed.name, "is missing", None, listed.sha256))

    def _keep_bytes(self, name: str, content: bytes) -> None:
        self._new(self._vault.put_bytes(name, content))

    def _new(self, kept: Kept | None) -> None:
        if kept is not None:
            self._kept.append(kept)
            self._new_bytes += kept.byte_count


def _paced(blocks: Iterator[bytes], pace: Pace) -> Iterator[bytes]:
    for block in blocks:
        yield block
        pace.read(len(block))


def _read_all(descriptor: int | None) -> Iterator[bytes]:
    if descriptor is None:
        raise FileNotFoundError
    offset = 0
    while block := os.pread(descriptor, BLOCK_BYTES, offset):
        offset += len(block)
        yield block


def _hear(child: subprocess.Popen[bytes], word: bytes) -> None:
    """Wait until the child says a word. Raises GainlineError."""
    assert child.stdout is not None
    assert child.stderr is not None
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        if not selector.select(_HEARD_WITHIN_S):
            raise GainlineError(f"the copy of the catalog has not begun in {_HEARD_WITHIN_S:g} s")
    if child.stdout.readline() != word:
        raise _not_copied(child.stderr.read())


def _not_copied(words: bytes) -> GainlineError:
    last = words.decode(errors="replace").strip().splitlines()[-1:] or ["it was ended"]
    if "full" in last[0]:
        return failures.of_disk(OSError(28, last[0]))
    return DataError(f"the catalog cannot be copied ({last[0]}): see `gainline scrub`")
