"""Hands messages over to the ingest of a store, whoever that is, and waits for the lake."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import ConfigError, GainlineError, TransientError
from gainline import flow
from gainline.config import wiring
from gainline.config.loading import Settings
from gainline.config.store_place import store_folder
from ingest.blocks import Received
from ingest.inbox import Inbox
from ingest.sources import OWN, positions_of
from store.query import fetch_rows

# What may wait in the inbox while more is made: some commits' worth, so that nobody waits for us.
WAITING_BYTES_MAX = 32 << 20
# A commit takes a second, and 30 s at most: an ingest that takes nothing for so long is stuck.
STILL_FOR_S_MAX = 60.0
POLL_S = 0.25

OUTCOMES_SQL = """
SELECT origin, sum(stored)::BIGINT, sum(duplicate)::BIGINT, sum(dead_letter)::BIGINT,
       sum(readings)::BIGINT
FROM house.handed_over WHERE origin IN (SELECT unnest(?::VARCHAR[])) GROUP BY origin
"""


@dataclass(frozen=True)
class Outcome:
    """What became of messages, in messages, and how many readings are stored of them."""

    stored: int = 0
    duplicate: int = 0
    dead_letter: int = 0
    readings: int = 0

    def __add__(self, other: Outcome) -> Outcome:
        """Add up."""
        return Outcome(
            self.stored + other.stored,
            self.duplicate + other.duplicate,
            self.dead_letter + other.dead_letter,
            self.readings + other.readings,
        )

    @property
    def message_count(self) -> int:
        """All of them."""
        return self.stored + self.duplicate + self.dead_letter


@contextmanager
def desk_of(settings: Settings, *, still_s_max: float = STILL_FOR_S_MAX) -> Iterator[Desk]:
    """Open a desk: where no process is the ingest of the store, this one is until the end.

    Raises ConfigError where the store cannot be used.
    """
    with ExitStack() as stack:
        step = _own_ingest(settings, stack)
        yield Desk(store_folder(settings), wiring.inbox(settings), step, still_s_max)


class Desk:
    """Takes messages, under a name of origin, and tells what became of them."""

    def __init__(
        self, store: Path, inbox: Inbox, step: Callable[[], int] | None, still_s_max: float
    ) -> None:
        """Use `desk_of`. `step` stores a part of what waits, where we are the ingest."""
        self._store, self._inbox, self._step = store, inbox, step
        self._still_s_max = still_s_max
        self._awaited: dict[str, int] = {}  # messages by name of origin
        self._done = Outcome()
        self._moved_at_s = time.monotonic()
        self._seen = (0, 0)

    def put(self, origin: str, messages: Sequence[Received]) -> None:
        """Hand messages over: durable when it returns. Raises as `finish`."""
        self._moved_at_s = time.monotonic()
        while self._inbox.waiting_bytes > WAITING_BYTES_MAX:
            self._get_on()
        self._inbox.put(messages)
        self._awaited[origin] = len(messages)

    def finish(self) -> Outcome:
        """Wait until all is stored, and tell what became of it.

        Raises TransientError where nothing moves: what was handed over is taken later.
        """
        self._moved_at_s = time.monotonic()
        self._look()
        while self._awaited:
            self._get_on()
            self._look()
        while self._step is not None and self._step():
            pass  # what others have handed over meanwhile
        return self._done

    def _get_on(self) -> None:
        if self._step is not None:
            if not self._step():
                self._look()
                if self._awaited:
                    raise GainlineError("the inbox was changed by somebody else: do it again")
            return
        time.sleep(POLL_S)
        seen = (self._inbox.waiting_bytes, self._done.message_count)
        if seen != self._seen:
            self._seen, self._moved_at_s = seen, time.monotonic()
        elif time.monotonic() - self._moved_at_s > self._still_s_max:
            raise TransientError(
                f"the ingest of {self._store} has taken nothing for {self._still_s_max:.0f} s:"
                " what was handed over is on disk and will be taken later; do the same again then,"
                " which adds only what is missing"
            )

    def _look(self) -> None:
        """Ask the lake what has become of the messages that are awaited."""
        for name, outcome in outcomes_of(self._store, list(self._awaited)).items():
            if outcome.message_count >= self._awaited[name]:
                del self._awaited[name]
                self._done += outcome


def outcomes_of(store: Path, origins: Sequence[str]) -> dict[str, Outcome]:
    """Tell what became of the messages of each name of origin, as far as they are stored."""
    if not origins:
        return {}
    _, rows = fetch_rows(store, OUTCOMES_SQL, (list(origins),))
    return {name: Outcome(*counts) for name, *counts in rows}


def _own_ingest(settings: Settings, stack: ExitStack) -> Callable[[], int] | None:
    """Become the ingest of the store; None where another process is."""
    try:
        lake = stack.enter_context(wiring.open_lake(settings, writer="ingest"))
    except ConfigError as problem:
        try:
            fetch_rows(store_folder(settings), "SELECT 1")
        except ConfigError:
            raise problem from None  # it is the store's fault
        return None
    positions, _ = positions_of(lake.ingest_progress())
    begin = positions.get(OWN, 0)
    journal = stack.enter_context(wiring.open_journal(settings, first_position=begin))
    intake = flow.Intake(wiring.sources(settings, journal), lake, wiring.how_to_read(settings))
    inbox = wiring.inbox(settings)  # it knows how far it has taken a file
    return lambda: sum(flow.take_and_store(inbox, journal, intake))
