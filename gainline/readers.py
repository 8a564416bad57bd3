"""Readers that are processes: started, looked after, ended."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from contracts.batches import Progress
from gainline.config import Settings
from gainline.ingest_state import IngestState, told
from gainline.partition_process import start
from gainline.partitions import Partition
from ingest.sources import positions_of

# One that has ended begins again after so long, doubled at each failure.
RESTART_S_MIN = 1.0
RESTART_S_MAX = 60.0
# To write and acknowledge what they have read; what is cut off is sent again by the broker.
END_WITHIN_S = 4.0

log = structlog.get_logger()


@dataclass
class _Running:
    """A partition's process, and when it may be started again."""

    process: subprocess.Popen[bytes] | None = None
    began_s: float = 0.0  # monotonic
    pause_s: float = RESTART_S_MIN
    again_at_s: float = 0.0  # monotonic


class PartitionProcesses:
    """One process a partition; one that ends is started again, the others go on meanwhile."""

    def __init__(self, settings: Settings, parts: Sequence[Partition]) -> None:
        self._settings = settings
        self._running = {part: _Running() for part in parts}

    def look_after(self, done: Progress) -> None:
        """Start those that do not run. A journal that is missing begins where the lake is."""
        positions, _ = positions_of(done)
        now_s = time.monotonic()
        for part, one in self._running.items():
            if one.process is not None and one.process.poll() is None:
                continue
            if one.process is not None:
                self._note_end(part, one, now_s)
            if now_s >= one.again_at_s:
                one.began_s = now_s
                one.process = start(
                    self._settings, part, first_position=positions.get(part.name, 0)
                )

    def _note_end(self, part: Partition, one: _Running, now_s: float) -> None:
        code = one.process.returncode if one.process else None
        if now_s - one.began_s > RESTART_S_MAX:
            one.pause_s = RESTART_S_MIN
        log.critical("reader_ended", partition=part.number, code=code, again_in_s=one.pause_s)
        one.process, one.again_at_s = None, now_s + one.pause_s
        one.pause_s = min(2 * one.pause_s, RESTART_S_MAX)

    def states(self) -> Sequence[IngestState]:
        """Read what each has told of itself since it was started."""
        found = [told(part.folder) for part in self._running]
        return [state or IngestState.unknown() for state in found]

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
