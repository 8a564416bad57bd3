"""What was typed into the shell, kept for the user alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_toolkit.history import FileHistory, History, InMemoryHistory

if TYPE_CHECKING:
    from collections.abc import Callable

# Years of asking; what is older makes room when a shell begins.
_BYTES_MAX = 1 << 20
_FOR_THE_USER_ALONE = 0o600


def opened_history(say: Callable[[str], None]) -> History:
    """Open the history of this user; where there can be none, say so and remember this time only.

    In $XDG_STATE_HOME/gainline/sql_history, or below ~/.local/state, where nobody else reads it.
    """
    try:
        path = _folder() / "sql_history"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, _FOR_THE_USER_ALONE)
        try:
            os.fchmod(descriptor, _FOR_THE_USER_ALONE)
            _shorten(descriptor)
        finally:
            os.close(descriptor)
    except (OSError, RuntimeError) as error:  # the latter where the user has no home
        say(f"what you type is not remembered ({error})")
        return InMemoryHistory()
    return FileHistory(path)


def _folder() -> Path:
    named = os.environ.get("XDG_STATE_HOME", "")
    # a relative path is to be ignored: XDG Base Directory Specification
    state = Path(named) if named.startswith("/") else Path.home() / ".local" / "state"
    return state / "gainline"


def _shorten(descriptor: int) -> None:
    """Keep the newer part of a history that has become too long; an entry begins with a `#`."""
    size = os.fstat(descriptor).st_size
    if size > _BYTES_MAX:
        newer = os.pread(descriptor, _BYTES_MAX // 2, size - _BYTES_MAX // 2)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, newer[newer.find(b"\n# ") :])
