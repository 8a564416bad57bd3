"""Who may do what to a store: locks that end with the process that holds them."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

from contracts.errors import ConfigError, TransientError
from store import failures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Longer than any commit or step of maintenance takes, so that only a stuck writer is reported.
COMMIT_WAIT_S = 30.0
# Maintenance keeps verdicts from being judged again for one step, about 2 s; who waits longer
# waits for a command that may take hours.
REJUDGE_WAIT_S = 5.0
# Held by whoever commits, for moments.
_COMMIT = "commit"
# Held by whoever removes files of the lake, shared by those who copy them.
_REMOVAL = "removal"


class Lock(Protocol):
    """A lock that is held until it is closed, or the process ends."""

    def close(self) -> None:
        """Give it up."""


class Locks(Protocol):
    """The locks of one store, against other processes and threads."""

    poll_s: float  # how often to ask for one that is held

    def take(self, name: str, *, is_shared: bool = False) -> Lock | None:
        """Take a lock; None where another one has it. Raises GainlineError."""


class Place(Protocol):
    """A store that has locks."""

    root: Path

    @property
    def locks(self) -> Locks:
        """Who may do what."""


class FileLocks:
    """Locks of the processes of one machine: see Locks."""

    poll_s = 0.002

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, name: str, *, is_shared: bool = False) -> Lock | None:
        """Lock a file of the folder."""
        try:
            lock = _FileLock(self._folder / f"{name}.lock")
        except OSError as error:
            raise failures.of_disk(error) from error
        if lock.holds(is_shared=is_shared):
            return lock
        lock.close()
        return None


class _FileLock:
    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def holds(self, *, is_shared: bool) -> bool:
        kind = fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX
        try:
            fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


@contextmanager
def committing(place: Place, *, wait_s: float = COMMIT_WAIT_S) -> Iterator[None]:
    """Be the only one that commits; raises TransientError after a wait."""
    lock = _awaited(place.locks, _COMMIT, wait_s)
    if lock is None:
        raise TransientError(
            f"another process has been committing to {place.root} for {wait_s:g} s: try again"
        )
    try:
        yield
    finally:
        lock.close()


@contextmanager
def files_kept(place: Place) -> Iterator[None]:
    """Keep maintenance from removing files, as long as they are copied; others may do the same.

    Ends with the process at the latest. Raises TransientError while files are being removed.
    """
    lock = _awaited(place.locks, _REMOVAL, COMMIT_WAIT_S, is_shared=True)
    if lock is None:
        raise TransientError("files of the store are being removed: try again")
    try:
        yield
    finally:
        lock.close()


def removal(place: Place) -> AbstractContextManager[bool]:
    """Tell whether files of the lake may be removed now: not while somebody copies them."""
    return if_free(place, _REMOVAL)


@contextmanager
def if_free(place: Place, writer: str) -> Iterator[bool]:
    """Be the one writer of this kind in the block, unless another is; tell whether we are."""
    lock = place.locks.take(writer)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            lock.close()


def claim(place: Place, writer: str, *, wait_s: float = 0.0) -> Lock:
    """Become the one writer of this kind, until the lock is closed.

    With a time to wait the other one is a command that soon ends, else a service that stays: raises
    TransientError or ConfigError.
    """
    lock = _awaited(place.locks, writer, wait_s)
    if lock is not None:
        return lock
    if wait_s:
        raise TransientError(f"another process writes the {writer} of the store: try again")
    raise ConfigError(
        f"another process is the {writer} of the store in {place.root}: stop it first"
    )


def _awaited(locks: Locks, name: str, wait_s: float, *, is_shared: bool = False) -> Lock | None:
    deadline = time.monotonic() + wait_s
    while (lock := locks.take(name, is_shared=is_shared)) is None:
        if time.monotonic() >= deadline:
            return None
        time.sleep(locks.poll_s)
    return lock
