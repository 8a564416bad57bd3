"""A reader in a thread of this process: what `ingest` has, and each process of a partition."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gainline.config import wiring
from gainline.config.loading import Settings
from gainline.running.ingest_state import IngestState
from gainline.running.loops import Stop, beside
from gainline.running.partitions import Partition
from ingest.journal import Journal
from ingest.mqtt.receiver import Receiver


@contextmanager
def own_reader(
    settings: Settings, journal: Journal, stop: Stop, partition: Partition | None = None
) -> Iterator[OwnReader]:
    """Read the topics of a partition, or all, until the block ends.

    A reader that fails sets `stop`, and what has failed is raised at the end of the block.
    """
    receiver = wiring.receiver(settings, journal, partition)
    with beside(receiver.run, stop):
        yield OwnReader(receiver, journal)


class OwnReader:
    """One reader; see `own_reader`."""

    def __init__(self, receiver: Receiver, journal: Journal) -> None:
        self._receiver, self._journal = receiver, journal

    def look_after(self) -> None:
        """Do nothing: a reader that fails ends all."""

    def states(self) -> Sequence[IngestState]:
        """Tell how it is."""
        return [self.state()]

    def state(self, run: str = "") -> IngestState:
        """Tell how it is, as the process that was given the name `run`."""
        return IngestState(
            told_at_s=time.time(),
            is_connected=self._receiver.connected,
            is_waiting_for_space=self._receiver.is_waiting_for_space,
            received_count=self._receiver.received_count,
            journal_bytes=self._journal.byte_count,
            journal_limit_bytes=self._journal.limit_bytes,
            run=run,
        )
