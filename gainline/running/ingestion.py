"""The service ingest: from brokers and the inbox through journals into the lake."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import Protocol

from gainline import flow
from gainline.config import wiring
from gainline.config.loading import Settings
from gainline.config.store_place import store_folder
from gainline.running.ingest_state import TELL_EVERY_S, IngestState, combined, tell
from gainline.running.loops import Stop, beside, drain, patiently
from gainline.running.own_reader import own_reader
from gainline.running.partitions import partitions
from gainline.running.readers import partition_processes
from gainline.running.telling import Teller
from ingest.journal import Journal
from ingest.sources import OWN, positions_of

POLL_S = 0.1
# Of the longest time between two commits: a reading waits for the pause and then for its commit,
# and both together are to stay within it.
PAUSE_SHARE = 0.5
# What is left in the journals after that is stored at the next start.
LAST_COMMITS_S = 3.0


class Readers(Protocol):
    """What receives: one reader in a thread of this process, or several processes."""

    def look_after(self) -> None:
        """See to it that they run. TransientError where that cannot be done at the moment."""

    def states(self) -> Sequence[IngestState]:
        """Tell how each of them is."""


def ingest(settings: Settings, stop: Stop) -> None:
    """Receive, and move what was received into the lake in this thread."""
    with ExitStack() as stack:
        lake = stack.enter_context(wiring.open_lake(settings, writer="ingest"))
        positions, _ = positions_of(lake.ingest_progress())
        begin = positions.get(OWN, 0)
        journal = stack.enter_context(wiring.open_journal(settings, first_position=begin))
        publisher = wiring.mark_publisher(settings) if settings.broker.commit_marks else None
        teller = stack.enter_context(Teller(publisher))
        sources = wiring.sources(settings, journal)
        intake = flow.Intake(sources, lake, wiring.how_to_read(settings), teller.tell)
        teller.begin(intake.marks())
        with (
            _readers(settings, journal, intake, stop) as readers,
            beside(partial(_keep_telling, settings, readers), stop),
        ):
            _store(settings, journal, intake, readers, stop)
        until_s = time.monotonic() + LAST_COMMITS_S
        patiently(lambda: drain(intake.store_new, stop, until_s=until_s), stop)


def _readers(
    settings: Settings, journal: Journal, intake: flow.Intake, stop: Stop
) -> AbstractContextManager[Readers]:
    """Give what receives as long as it is entered."""
    parts = partitions(settings)
    if parts:
        return partition_processes(settings, parts, intake.positions)
    return own_reader(settings, journal, stop)


def _keep_telling(settings: Settings, readers: Readers, stop: Stop) -> None:
    """Tell the state every second, whatever the thread waits for that stores."""
    store = store_folder(settings)
    while not stop.wait(TELL_EVERY_S):
        tell(store, combined(readers.states()))


def _store(
    settings: Settings, journal: Journal, intake: flow.Intake, readers: Readers, stop: Stop
) -> None:
    """Store what comes, until told to stop."""
    inbox = wiring.inbox(settings)

    def step() -> int:
        # what has come during a commit waits for the next: one after the other would be tiny
        stored, taken = flow.take_and_store(inbox, journal, intake)
        return taken + stored * intake.is_behind

    pause_s = PAUSE_SHARE * settings.store.commit_interval_s
    while not stop.wait(pause_s if stop.is_up.is_set() else POLL_S):
        patiently(readers.look_after, stop)
        if combined(readers.states()).is_connected:
            stop.is_up.set()
        patiently(lambda: drain(step, stop), stop)
