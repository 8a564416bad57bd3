"""One reader as a process of its own, `python -m gainline.running.partition_process PARENT`.

Standard input tells it what to do. It ends with the process that has started it, its parent.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

import msgspec
import structlog

from contracts.errors import TransientError
from gainline.config import wiring
from gainline.config.loading import Settings
from gainline.running.ingest_state import TELL_EVERY_S, tell
from gainline.running.loops import Stop, reason_of
from gainline.running.own_reader import own_reader
from gainline.running.partitions import Partition, partitions
from gainline.running.process import end_with
from gainline.running.telemetry import set_up_logging
from ingest.journal import Journal

RETRY_S = 1.0  # as long as the disk is full at the start
POLL_S = 0.1

log = structlog.get_logger()


class Told(msgspec.Struct, frozen=True):
    """What a reader needs to know: through a pipe, as settings may hold a password."""

    settings: Settings
    number: int
    first_position: int
    run: str  # the name under which it tells how it is


def start(told: Told) -> subprocess.Popen[bytes]:
    """Start the process of a partition; its journal begins at `first_position` at the least."""
    words = [sys.executable, "-m", "gainline.running.partition_process", str(os.getpid())]
    process = subprocess.Popen(words, stdin=subprocess.PIPE)  # noqa: S603  # no word is anybody else's
    pipe = process.stdin
    if pipe is not None:
        with suppress(OSError), pipe:  # it has ended already: whoever watches it sees that
            pipe.write(msgspec.json.encode(told))
    return process


@dataclass
class _Signals:
    """Whether we were told to end: a note, as to set an event that is waited for could block."""

    is_told: bool = False

    def listen(self) -> None:
        signal.signal(signal.SIGTERM, self._note)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal tells all; the parent decides

    def _note(self, *_: object) -> None:
        self.is_told = True


def main(words: Sequence[str], source: IO[bytes]) -> int:
    """Receive until SIGTERM; give the exit code."""
    signals = _Signals()
    signals.listen()
    end_with(int(words[0]))
    text = source.read()
    if signals.is_told or not text:
        return 0  # the parent is gone
    told = msgspec.json.decode(text, type=Told)
    set_up_logging(told.settings.log.level)
    try:
        _receive(told, signals)
    except Exception as problem:  # noqa: BLE001  # said in the log, and by the exit code
        log.critical("reader_failed", partition=told.number, why=reason_of(problem))
        return 1
    return 0


def _receive(told: Told, signals: _Signals) -> None:
    """Receive in a thread, and tell every second how that goes."""
    partition = partitions(told.settings)[told.number - 1]
    journal, stop, tell_at_s = _opened(told, partition, signals), Stop(), 0.0
    if journal is None:
        return
    with journal, own_reader(told.settings, journal, stop, partition) as reader:
        while not signals.is_told and not stop.wait(POLL_S):
            if time.monotonic() >= tell_at_s:
                tell_at_s = time.monotonic() + TELL_EVERY_S
                journal.forget_removed()
                tell(partition.folder, reader.state(told.run))


def _opened(told: Told, partition: Partition, signals: _Signals) -> Journal | None:
    """Open the journal, waiting while the disk is full; None if we are to stop first."""
    while not signals.is_told:
        try:
            return wiring.open_journal(
                told.settings, first_position=told.first_position, partition=partition
            )
        except TransientError as problem:
            log.warning("waiting", why=str(problem))
            time.sleep(RETRY_S)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.stdin.buffer))
