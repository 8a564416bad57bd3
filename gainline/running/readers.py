"""Readers that are processes: started, looked after, ended."""

from __future__ import annotations

import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import structlog

from gainline.config.loading import Settings
from gainline.running.ingest_state import IngestState, told
from gainline.running.loops import RESTART_S_MAX, RESTART_S_MIN
from gainline.running.partition_process import Told, start
from gainline.running.partitions import Partition

# To write and acknowledge what they have read; what is cut off is sent again by the broker.
END_WITHIN_S = 4.0

log = structlog.get_logger()


@contextmanager
def partition_processes(
    settings: Settings, parts: Sequence[Partition], positions: Callable[[], Mapping[str, int]]
) -> Iterator[PartitionProcesses]:
    """Have readers until the block ends; `positions` tells how far each journal is stored."""
    processes = PartitionProcesses(settings, parts, positions)
    try:
        yield processes
    finally:
        processes.end()


@dataclass
class _Running:
    """A partition's process, and when it may be started again."""

    process: subprocess.Popen[bytes] | None = None
    run: str = ""  # its name, which no process before it had
    began_s: float = 0.0  # monotonic
    pause_s: float = RESTART_S_MIN
    again_at_s: float = 0.0  # monotonic


class PartitionProcesses:
    """One process a partition; one that ends is started again, the others go on meanwhile."""

    def __init__(
        self,
        settings: Settings,
        parts: Sequence[Partition],
        positions: Callable[[], Mapping[str, int]],
    ) -> None:
        """Prepare; see `partition_processes`."""
        self._settings, self._positions = settings, positions
        self._running = {part: _Running() for part in parts}

    def look_after(self) -> None:
        """Start those that do not run. A journal that is missing begins where the lake is.

        Raises as what tells the positions, which is asked only for those that are started.
        """
        now_s = time.monotonic()
        for part, one in self._running.items():
            if one.process is not None and one.process.poll() is None:
                continue
            if one.process is not None:
                self._note_end(part, one, now_s)
            if now_s >= one.again_at_s:
                first_position = self._positions().get(part.name, 0)
                one.began_s, one.run = now_s, secrets.token_hex(8)
                one.process = start(Told(self._settings, part.number, first_position, one.run))

    def _note_end(self, part: Partition, one: _Running, now_s: float) -> None:
        code = one.process.returncode if one.process else None
        if now_s - one.began_s > RESTART_S_MAX:
            one.pause_s = RESTART_S_MIN
        log.critical("reader_ended", partition=part.number, code=code, again_in_s=one.pause_s)
        one.process, one.again_at_s = None, now_s + one.pause_s
        one.pause_s = min(2 * one.pause_s, RESTART_S_MAX)

    def states(self) -> Sequence[IngestState]:
        """Read what each has told of itself since it was started."""
        return [_state_of(part, one) for part, one in self._running.items()]

    def end(self) -> None:
        """Let each write and acknowledge what it has read; end those that do not."""
        processes = [one.process for one in self._running.values() if one.process is not None]
        for process in processes:
            process.send_signal(signal.SIGTERM)
        until_s = time.monotonic() + END_WITHIN_S
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, until_s - time.monotonic()))
            process.kill()
            process.wait()


def _state_of(part: Partition, one: _Running) -> IngestState:
    """Read what a process has told; what is there of one before it says nothing of this one."""
    if one.process is not None and one.process.poll() is None:
        state = told(part.folder)
        if state is not None and state.run == one.run:
            return state
    return IngestState.unknown()
