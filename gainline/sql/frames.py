"""What is said between a command and the process that answers its SQL."""

from __future__ import annotations

import struct
from typing import BinaryIO

import msgspec

from contracts.errors import (
    ConfigError,
    ContractError,
    DataError,
    GainlineError,
    TransientError,
    UnreachableError,
)

# A frame: one byte that says what it is, the length of what follows.
HEAD = struct.Struct("<cI")
KINDS = DATA, END, PROBLEM, READY = b"d", b"e", b"p", b"r"
# A frame of data is at most so long, so that the reader's memory is bounded whatever is answered.
FRAME_BYTES_MAX = 1 << 20
_FAMILY: dict[str, type[GainlineError]] = {
    kind.__name__: kind
    for kind in (ConfigError, ContractError, DataError, TransientError, UnreachableError)
}


class Opening(msgspec.Struct):
    """The first line: which store, how much memory a statement may take, how to enter its rest."""

    folder: str
    memory_mb: int
    secrets: dict[str, str] = {}  # of store.place.location.SECRETS


class Question(msgspec.Struct):
    """One statement, the form of its answer, and the most rows that are wanted; 0: all."""

    sql: str
    form: str
    rows_max: int = 0


class Shown(msgspec.Struct, frozen=True):
    """How many rows an answer has; whether there were more than wanted."""

    row_count: int
    is_cut: bool = False


class Problem(msgspec.Struct):
    """What went wrong, as one of the house's errors."""

    family: str
    words: str

    def as_error(self) -> GainlineError:
        """Give the error that the other process has raised."""
        return _FAMILY.get(self.family, GainlineError)(self.words)


class FrameSink:
    """A file that is written frame by frame; nothing in it can be sought."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe
        self.closed = False

    def write(self, data: bytes | memoryview) -> int:
        """Send bytes as frames of data."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        while rest:
            self.send(DATA, rest[:FRAME_BYTES_MAX])
            rest = rest[FRAME_BYTES_MAX:]
        return size

    def flush(self) -> None:
        """Do nothing: a frame is sent at once."""

    def close(self) -> None:
        """Do nothing: the next answer goes the same way."""

    def send(self, kind: bytes, data: bytes | memoryview) -> None:
        """Send one frame."""
        self._pipe.write(HEAD.pack(kind, len(data)))
        self._pipe.write(data)
        self._pipe.flush()
