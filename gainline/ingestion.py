"""The service ingest: receives into journals and moves what they hold into the lake."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Protocol

from contracts.batches import Progress
from gainline import flow, wiring
from gainline.config import Settings
from gainline.ingest_state import IngestState, combined, keep_telling, state_of, tell
from gainline.loops import Stop, drain, guarded, patiently, started
from gainline.partitions import partitions
from gainline.readers import PartitionProcesses
from gainline.telling import Teller
from ingest.journal import Journal
from ingest.sources import OWN, positions_of
from store.lake import Lake

POLL_S = 0.1
# Of the longest time between two commits: a reading waits for the pause and then for its commit,
# and both together are to stay within it.
PAUSE_SHARE = 0.5
# What is left in the journals after that is stored at the next start.
LAST_COMMITS_S = 3.0


class Readers(Protocol):
    """What receives: one reader in a thread of this process, or several processes."""

    def look_after(self, done: Progress) -> None:
        """See to it that they run; `done` is how far the lake is."""

    def states(self) -> Sequence[IngestState]:
        """Tell how each of them is."""

    def end(self) -> None:
        """Wait until all have ended; raises what has failed."""


def ingest(settings: Settings, stop: Stop) -> None:
    """Receive, and move what was received into the lake in this thread."""
    with ExitStack() as stack:
        lake = stack.enter_context(wiring.open_lake(settings, writer="ingest"))
        positions, _ = positions_of(lake.ingest_progress())
        begin = positions.get(OWN, 0)
        journal = stack.enter_context(wiring.open_journal(settings, first_position=begin))
        publisher = wiring.mark_publisher(settings) if settings.broker.commit_marks else None
        teller = stack.enter_context(Teller(publisher))
        parts = partitions(settings)
        readers: Readers = (
            PartitionProcesses(settings, parts) if parts else _OwnReader(settings, journal, stop)
        )
        _ingest(settings, lake, journal, (readers, teller), stop)


def _ingest(
    settings: Settings, lake: Lake, journal: Journal, aides: tuple[Readers, Teller], stop: Stop
) -> None:
    readers, teller = aides
    sources = wiring.sources(settings, journal)
    intake = flow.Intake(sources, lake, wiring.how_to_read(settings), teller.tell)
    inbox = wiring.inbox(settings)

    def step() -> int:
        # what has come during a commit waits for the next: one after the other would be tiny
        stored, taken = flow.take_and_store(inbox, journal, intake)
        return taken + stored * intake.is_behind

    pause_s = PAUSE_SHARE * settings.store.commit_interval_s
    teller.begin(intake.marks())
    try:
        with _state_told(settings, readers):
            while not stop.wait(pause_s if stop.is_up.is_set() else POLL_S):
                readers.look_after(lake.ingest_progress())
                if combined(readers.states()).is_connected:
                    stop.is_up.set()
                patiently(lambda: drain(step, stop), stop)
    finally:
        stop.set()
        readers.end()  # before the journal is closed
    until_s = time.monotonic() + LAST_COMMITS_S
    patiently(lambda: drain(intake.store_new, stop, until_s=until_s), stop)


@contextmanager
def _state_told(settings: Settings, readers: Readers) -> Iterator[None]:
    """Tell the state every second, whatever this thread waits for."""
    store, done = wiring.store_folder(settings), threading.Event()
    thread = started(lambda: keep_telling(done, lambda: tell(store, combined(readers.states()))))
    try:
        yield
    finally:
        done.set()
        thread.join()


class _OwnReader:
    """One reader of all topics, in a thread of this process."""

    def __init__(self, settings: Settings, journal: Journal, stop: Stop) -> None:
        self._journal = journal
        self._receiver = wiring.receiver(settings, journal)
        self._failures = list[Exception]()
        self._thread = started(partial(guarded, self._receiver.run, stop, self._failures))

    def look_after(self, done: Progress) -> None:
        """Do nothing: a reader that fails ends ingest, see `guarded`."""

    def states(self) -> Sequence[IngestState]:
        return [state_of(self._receiver, self._journal)]

    def end(self) -> None:
        self._thread.join()
        if self._failures:
            raise self._failures[0]
