"""The folder of a store: what lies where, of which format, and who may write."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.errors import ConfigError, TransientError
from store import failures
from store.durable import PART, make_folder, write_file

# Raised by one whenever an older program would misread the store.
FORMAT_VERSION = 2
# Longer than any commit or step of maintenance takes, so that only a stuck writer is reported.
COMMIT_WAIT_S = 30.0
# Maintenance keeps verdicts from being judged again for one step, about 2 s; who waits longer
# waits for a command that may take hours.
REJUDGE_WAIT_S = 5.0
_LOCK_POLL_S = 0.002
# Held by whoever removes files of the lake, shared by those who copy them.
_REMOVAL = "removal.lock"
# What may lie in the folder of a store that is not made yet: what other rooms put there, what a
# crash during creation left, and what a mounted file system has.
_BEFORE_CREATION = {"journal", "inbox", "reports", "locks", "lost+found", f"format_version{PART}"}


class Folder:
    """The paths of one store. Making one touches nothing."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.format_version = self.root / "format_version"
        self.catalog = self.root / "catalog.sqlite"
        self.data = self.root / "data"
        self.state = self.root / "state"
        self.locks = self.root / "locks"

    def require_store(self) -> None:
        """Raise ConfigError unless there is a store of a format that we read.

        Raises TransientError for one that is being made.
        """
        if not self.format_version.is_file():
            raise ConfigError(f"there is no store in {self.root}: name one that ingest has made")
        self.require_readable()
        if not self.catalog.is_file():
            raise failures.unfinished(self.root)

    def require_readable(self) -> None:
        """Raise ConfigError if the store is of a newer format than this program reads."""
        if (number := self.version()) > FORMAT_VERSION:
            raise ConfigError(
                f"the store in {self.root} has format {number}, this program reads up to"
                f" {FORMAT_VERSION}: install a newer gainline"
            )

    def version(self) -> int:
        """Give the format of the store. Raises ConfigError where it is no number."""
        try:
            words = self.format_version.read_text(encoding="ascii", errors="replace").strip()
        except OSError as error:
            raise failures.of_disk(error) from error
        if not words.isdecimal():
            raise ConfigError(f"{self.format_version} holds {words[:20]!r}, not a number: mend it")
        return int(words)

    def write_version(self) -> None:
        """Say that the store is of the format that this program writes."""
        number = f"{FORMAT_VERSION}\n".encode("ascii")
        write_file(self.format_version, lambda sink: sink.write(number))

    def prepare(self) -> None:
        """Make the folder where it is missing, finish it where a crash left it half made.

        Raises ConfigError for a folder that holds something else.
        """
        self._refuse_strangers()
        make_folder(self.locks)
        with held(self.locks / "commit.lock", wait_s=COMMIT_WAIT_S):
            if not self.format_version.exists():
                self.write_version()
            self.require_readable()
            make_folder(self.state)
            make_folder(self.data)

    def _refuse_strangers(self) -> None:
        try:
            names = {entry.name for entry in self.root.iterdir()}
        except FileNotFoundError:
            return
        except OSError as error:
            raise ConfigError(
                f"{self.root} cannot be a store ({error}): choose a folder"
            ) from error
        if "format_version" not in names and names - _BEFORE_CREATION:
            raise ConfigError(
                f"{self.root} is not empty and no store: choose an empty folder or a store"
            )


@contextmanager
def held(lock: Path, *, wait_s: float) -> Iterator[None]:
    """Hold a lock file, against other processes and threads; raise TransientError after a wait."""
    descriptor = _open_lock(lock)
    try:
        deadline = time.monotonic() + wait_s
        while not _try(descriptor):
            if time.monotonic() >= deadline:
                raise TransientError(f"{lock} has been held for {wait_s:g} s: try again")
            time.sleep(_LOCK_POLL_S)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def files_kept(folder: Folder) -> Iterator[None]:
    """Keep maintenance from removing files, as long as they are copied; others may do the same.

    Ends with the process at the latest. Raises TransientError while files are being removed.
    """
    descriptor = _open_lock(folder.locks / _REMOVAL)
    try:
        deadline = time.monotonic() + COMMIT_WAIT_S
        while not _try(descriptor, fcntl.LOCK_SH):
            if time.monotonic() >= deadline:
                raise TransientError("files of the store are being removed: try again")
            time.sleep(_LOCK_POLL_S)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def removal(folder: Folder) -> Iterator[bool]:
    """Tell whether files of the lake may be removed now: not while somebody copies them."""
    descriptor = _open_lock(folder.locks / _REMOVAL)
    try:
        yield _try(descriptor)
    finally:
        os.close(descriptor)


def claim(folder: Folder, writer: str, *, wait_s: float = 0.0) -> int:
    """Become the one writer of this kind; the lock ends when the descriptor is closed.

    With a time to wait the other one is a command that soon ends, else a service that stays.
    """
    descriptor = _open_lock(folder.locks / f"{writer}.lock")
    deadline = time.monotonic() + wait_s
    while not _try(descriptor):
        if time.monotonic() >= deadline:
            os.close(descriptor)
            if wait_s:
                raise TransientError(f"another process writes the {writer} of the store: try again")
            raise ConfigError(
                f"another process is the {writer} of the store in {folder.root}: stop it first"
            )
        time.sleep(_LOCK_POLL_S)
    return descriptor


def _open_lock(lock: Path) -> int:
    try:
        return os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise failures.of_disk(error) from error


def _try(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
