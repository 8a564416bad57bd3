"""What ingest says of itself, for whoever asks: a small file of fixed size beside the lake."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

FILE = "ingest.state"
# Written in place, so that it can also be told that the disk is full; longer than any state.
FILE_BYTES = 4096
TELL_EVERY_S = 1.0
# After so many without a word ingest does not run, or hangs.
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
    run: str = ""  # the name that a reader was given at its start, if it is a process of its own

    @staticmethod
    def unknown() -> IngestState:
        """Give the state of a reader that has said nothing yet."""
        return IngestState(
            told_at_s=time.time(),
            is_connected=False,
            is_waiting_for_space=False,
            received_count=0,
            journal_bytes=0,
            journal_limit_bytes=0,
        )

    @property
    def is_fresh(self) -> bool:
        """Tell whether it was told lately."""
        return time.time() - self.told_at_s <= FRESH_S

    @property
    def complaint(self) -> str | None:
        """Say in words what is wrong, None if nothing is."""
        if not self.is_fresh:
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


def combined(states: Sequence[IngestState]) -> IngestState:
    """Put the states of several readers together: all must be well; what they hold adds up."""
    return IngestState(
        told_at_s=min(state.told_at_s for state in states),
        is_connected=all(state.is_connected and state.is_fresh for state in states),
        is_waiting_for_space=any(state.is_waiting_for_space for state in states),
        received_count=sum(state.received_count for state in states),
        journal_bytes=sum(state.journal_bytes for state in states),
        journal_limit_bytes=sum(state.journal_limit_bytes for state in states),
    )
