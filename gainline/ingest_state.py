"""What ingest says of itself, for whoever asks: a small file of fixed size beside the lake."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

FILE = "ingest.state"
# Written in place, so that it can also be told that the disk is full; longer than any state.
FILE_BYTES = 4096
# It is written each second; after so many without a word ingest does not run, or hangs.
FRESH_S = 10.0


@dataclass(frozen=True, kw_only=True)
class IngestState:
    """How ingest is, as of `told_at_s`, seconds since 1970."""

    told_at_s: float
    is_connected: bool  # every reader, and subscribed
    is_waiting_for_space: bool  # the journal is full, or its disk: nothing is read meanwhile
    received_count: int  # messages in the journal and acknowledged, since the start
    journal_bytes: int  # what has not been stored yet, with preallocated space
    journal_limit_bytes: int

    @property
    def complaint(self) -> str | None:
        """Say in words what is wrong, None if nothing is."""
        if time.time() - self.told_at_s > FRESH_S:
            return "ingest does not run"
        if self.is_waiting_for_space:
            return "the journal is full, or its disk: nothing is read from the broker meanwhile"
        if not self.is_connected:
            return "the broker cannot be reached, or refuses"
        return None


def tell(store: Path, state: IngestState) -> None:
    """Write the state down; a disk that fails keeps the last one."""
    text = msgspec.json.encode(asdict(state)).ljust(FILE_BYTES)
    with suppress(OSError):
        file = os.open(store / FILE, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            os.pwrite(file, text, 0)
        finally:
            os.close(file)


def told(store: Path) -> IngestState | None:
    """Read the last state; None if ingest never ran on this store."""
    try:
        return msgspec.json.decode((store / FILE).read_bytes(), type=IngestState)
    except (OSError, msgspec.DecodeError):
        return None
