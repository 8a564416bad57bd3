"""A store of an older format becomes one of this format when a writer opens it."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from contracts.errors import ConfigError
from store.place.folder import FORMAT_VERSION
from store.place.locks import COMMIT_WAIT_S, Lock, claim

if TYPE_CHECKING:
    from collections.abc import Iterator

    from store.place.folder import Folder

# Of format 1: verdicts do not say which commit of the judge brought them, and there are no
# rollups. An older program that goes on writing them would be told nothing.
_WRITERS_OF_VERDICTS = ("judge", "rejudge")
_POLL_S = 0.1


@contextmanager
def migrated(folder: Folder, writer: str) -> Iterator[None]:
    """Let the block make what the store lacks; then it is of this format, for good.

    While it does, nobody else writes verdicts, so that no older program does. The version comes
    last: a migration that is cut short begins again, and finds done what it has done. Raises
    ConfigError where an older program keeps writing.
    """
    locks = _locks(folder, writer)
    try:
        yield
        if folder.version() < FORMAT_VERSION:
            folder.write_version()
    finally:
        for lock in locks:
            lock.close()


def _locks(folder: Folder, writer: str) -> list[Lock]:
    """Become all writers of verdicts, or wait until another process has migrated the store."""
    deadline = time.monotonic() + COMMIT_WAIT_S
    while folder.version() < FORMAT_VERSION:
        locks = list[Lock]()
        try:
            for other in _WRITERS_OF_VERDICTS:
                if other != writer:
                    locks.append(claim(folder, other))
        except ConfigError:
            for lock in locks:
                lock.close()
        else:
            return locks
        if time.monotonic() >= deadline:
            raise ConfigError(
                f"the store in {folder.root} is of format {folder.version()}, and an older gainline"
                " is judging in it: stop that one first"
            )
        time.sleep(_POLL_S)
    return []
