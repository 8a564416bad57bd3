"""A folder of backups: each file once, by its hash, and a list of files for each backup."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from contracts.errors import ConfigError, DataError, TransientError
from store import failures
from store.place.durable import PART, blocks_of, copy_blocks, make_folder, sync_folder, write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_FORMAT = "gainline backups 1\n"
# What a file is called whose content is no longer that of its hash.
DAMAGED = ".damaged"


class Kept(NamedTuple):
    """A file of a backup."""

    name: str  # its path, relative to STORE
    sha256: str
    byte_count: int


class Backup(NamedTuple):
    """A store as it was at one moment."""

    made_at: datetime
    snapshot: int  # the newest of the lake
    files: Sequence[Kept]
    damaged: Sequence[str]  # files that were damaged or missing in the store already

    @property
    def byte_count(self) -> int:
        """What the store takes that comes of it."""
        return sum(each.byte_count for each in self.files)


class Vault:
    """Backups of one store; `Vault.open` to add to them, else they are only read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._files, self._lists = self.folder / "files", self.folder / "backups"
        self._unsynced = set[Path]()

    @classmethod
    @contextmanager
    def open(cls, folder: Path) -> Iterator[Vault]:
        """Open a folder to write backups to, making it where it is missing.

        Raises ConfigError for one with something else in it, TransientError while another process
        writes to it or its disk is full.
        """
        vault = cls(folder)
        vault._make()
        lock = os.open(vault.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield vault
        except BlockingIOError as error:
            raise TransientError(
                f"another process writes backups to {vault.folder}: try again"
            ) from error
        except OSError as error:
            raise failures.of_disk(error) from error
        finally:
            os.close(lock)

    def backups(self) -> list[Backup]:
        """Give all backups, oldest first. Raises ConfigError where there are none, DataError."""
        if not (self.folder / "format").is_file():
            raise ConfigError(f"there are no backups in {self.folder}: name a folder with some")
        try:
            if (self.folder / "format").read_text() != _FORMAT:
                raise ConfigError(f"the backups in {self.folder} are newer: install that gainline")
            return [_read(path) for path in sorted(self._lists.glob("*.json"))]
        except OSError as error:
            raise failures.of_disk(error) from error

    def path(self, sha256: str) -> Path:
        """Say where the file with a hash lies."""
        return self._files / sha256[:2] / sha256

    def has(self, sha256: str, byte_count: int | None) -> bool:
        """Tell whether a file is there, of this size if that is known."""
        try:
            size = self.path(sha256).stat().st_size
        except FileNotFoundError:
            return False
        return byte_count in (None, size)

    def put(self, name: str, blocks: Iterator[bytes], sha256: str | None = None) -> Kept | None:
        """Keep a file; None where it has not the hash that it should have. Raises OSError."""
        part = self._files / "incoming"
        found = copy_blocks(blocks, part, sha256)
        if sha256 not in (None, found):
            return None
        target = self.path(found)
        make_folder(target.parent)
        size = part.stat().st_size
        part.rename(target)
        self._unsynced.add(target.parent)
        return Kept(name, found, size)

    def put_bytes(self, name: str, content: bytes) -> Kept:
        """Keep a file with this content. Raises OSError."""
        sha256 = hashlib.sha256(content).hexdigest()
        if not self.has(sha256, len(content)):
            self.put(name, iter([content]))
        return Kept(name, sha256, len(content))

    def add(self, backup: Backup) -> None:
        """Make a backup one of those that are there: all of its files are kept before."""
        for folder in [*self._unsynced, self._files]:
            sync_folder(folder)
        self._unsynced.clear()
        body = json.dumps(
            {
                "made_at": backup.made_at.isoformat(),
                "snapshot": backup.snapshot,
                "damaged": list(backup.damaged),
                "files": [each._asdict() for each in backup.files],
            }
        )
        content = f"{hashlib.sha256(body.encode()).hexdigest()}\n{body}\n".encode()
        write_file(self._list_of(backup), lambda sink: sink.write(content))

    def prune(self, keep: int) -> tuple[int, int]:
        """Remove all but the newest backups; count those, and the files that none needs."""
        found = self.backups()
        gone = found[: max(len(found) - keep, 0)]
        for backup in gone:
            self._list_of(backup).unlink()
        sync_folder(self._lists)  # before their files go
        needed = {each.sha256 for backup in found[len(gone) :] for each in backup.files}
        files = [path for path in self._files.glob("*/*") if path.name not in needed]
        for path in files:
            path.unlink()
        return len(gone), len(files)

    def verify(self, tell: Callable[[int], object] = lambda _: None) -> list[Kept]:
        """Read all files again and give those that are missing or have changed.

        They are called DAMAGED from then on, so that the next backup keeps them anew.
        """
        wanted = {each.sha256: each for backup in self.backups() for each in backup.files}
        bad = []
        for sha256, each in sorted(wanted.items()):
            digest = hashlib.sha256()
            path = self.path(sha256)
            try:
                for block in blocks_of(path):
                    digest.update(block)
                    tell(len(block))
            except OSError:  # of a file that is missing or cannot be read
                digest = hashlib.sha256()
            if digest.hexdigest() != sha256:
                bad.append(each)
                if path.exists():
                    path.rename(path.with_name(sha256 + DAMAGED))
        return bad

    def _make(self) -> None:
        try:
            names = {entry.name for entry in self.folder.iterdir()}
        except FileNotFoundError:
            names = set()
        except OSError as error:
            raise ConfigError(f"{self.folder} cannot hold backups ({error.strerror})") from error
        if "format" not in names and names - {"files", "backups", "lock", f"format{PART}"}:
            raise ConfigError(
                f"{self.folder} is not empty and holds no backups: choose another folder"
            )
        make_folder(self._files)
        make_folder(self._lists)
        if "format" not in names:
            write_file(self.folder / "format", lambda sink: sink.write(_FORMAT.encode()))
        elif (self.folder / "format").read_text() != _FORMAT:
            raise ConfigError(f"the backups in {self.folder} are newer: install that gainline")

    def _list_of(self, backup: Backup) -> Path:
        return self._lists / f"{backup.made_at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}.json"


def _read(path: Path) -> Backup:
    """Read the list of one backup. Raises DataError where it is not what was written."""
    digest, _, body = path.read_bytes().partition(b"\n")
    if hashlib.sha256(body.removesuffix(b"\n")).hexdigest().encode() != digest:
        raise DataError(f"{path} has changed on disk: move it away, and use another backup")
    read = json.loads(body)
    files = [Kept(**each) for each in read["files"]]
    for each in files:
        name = PurePosixPath(each.name)
        if name.is_absolute() or ".." in name.parts:
            raise DataError(f"{path} names {each.name}, which is outside a store: do not use it")
    return Backup(datetime.fromisoformat(read["made_at"]), read["snapshot"], files, read["damaged"])
