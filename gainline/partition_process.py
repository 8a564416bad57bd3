"""Runs one reader as a process: `python -m gainline.partition_process`, told by standard input.

It ends with the process that has started it.
"""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO

import msgspec
import structlog

from contracts.errors import GainlineError, TransientError
from gainline import wiring
from gainline.config import Settings
from gainline.ingest_state import keep_telling, state_of, tell
from gainline.partitions import Partition, partitions
from gainline.process import PR_SET_PDEATHSIG
from gainline.telemetry import set_up_logging
from ingest.journal import Journal
from ingest.mqtt.receiver import Receiver

RETRY_S = 1.0  # as long as the disk is full at the start

_libc = ctypes.CDLL(None)
log = structlog.get_logger()


class Told(msgspec.Struct, frozen=True):
    """What a reader needs to know: through a pipe, as settings may hold a password."""

    settings: Settings
    number: int
    first_position: int


def start(
    settings: Settings, partition: Partition, *, first_position: int
) -> subprocess.Popen[bytes]:
    """Start the process of a partition; its journal begins at `first_position` at the least."""
    process = subprocess.Popen(  # ourselves
        [sys.executable, "-m", "gainline.partition_process"], stdin=subprocess.PIPE
    )
    told = Told(settings, partition.number, first_position)
    pipe = process.stdin
    if pipe is not None:
        with suppress(OSError), pipe:  # it has ended already: whoever watches it sees that
            pipe.write(msgspec.json.encode(told))
    return process


def main(source: IO[bytes]) -> int:
    """Receive until SIGTERM; give the exit code."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal tells all; the parent decides
    told = msgspec.json.decode(source.read(), type=Told)
    set_up_logging(told.settings.log.level)
    partition = partitions(told.settings)[told.number - 1]
    try:
        _receive(told.settings, partition, told.first_position, stop)
    except GainlineError as problem:
        log.critical("reader_failed", partition=partition.number, why=str(problem))
        return 1
    return 0


def _receive(
    settings: Settings, partition: Partition, first_position: int, stop: threading.Event
) -> None:
    journal = _opened(settings, partition, first_position, stop)
    if journal is None:
        return
    with journal:
        receiver = wiring.receiver(settings, journal, partition)
        telling = threading.Thread(
            target=keep_telling, args=(stop, lambda: _tell(partition, receiver, journal))
        )
        telling.start()
        try:
            receiver.run(stop)
        finally:
            stop.set()
            telling.join()


def _opened(
    settings: Settings, partition: Partition, first_position: int, stop: threading.Event
) -> Journal | None:
    """Open the journal, waiting while the disk is full; None if we are to stop first."""
    while not stop.is_set():
        try:
            return wiring.open_journal(settings, first_position=first_position, partition=partition)
        except TransientError as problem:
            log.warning("waiting", why=str(problem))
            stop.wait(RETRY_S)
    return None


def _tell(partition: Partition, receiver: Receiver, journal: Journal) -> None:
    journal.forget_removed()
    tell(partition.folder, state_of(receiver, journal))


if __name__ == "__main__":
    sys.exit(main(sys.stdin.buffer))
