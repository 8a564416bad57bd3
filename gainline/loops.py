"""How a service repeats its steps: patiently, until it is told to stop."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from functools import partial

import structlog

from contracts.errors import TransientError

# The world's faults are retried at this pace: a full disk must be noticed within 5 s of its end.
RETRY_S = 1.0
# Nothing that gets on takes longer: a commit waits 30 s for its turn, a report takes seconds. The
# sign of life is not renewed then.
HANGS_AFTER_S = 120.0

log = structlog.get_logger()


class Stop(threading.Event):
    """Set when the services are to end; `is_up` is set once the first of them does its work.

    Services pause by waiting for it, so it knows since when each has been at work without a pause.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_up = threading.Event()
        self._busy_since_s: dict[int, float] = {}  # of each service's thread; infinite in a pause

    def note_progress(self) -> None:
        """Note that the service in this thread gets on with its work."""
        self._busy_since_s[threading.get_ident()] = time.monotonic()

    def wait(self, timeout: float | None = None) -> bool:
        """Pause until it is set, `timeout` seconds at most; tell whether it is set."""
        service = threading.get_ident()
        if service not in self._busy_since_s:
            return super().wait(timeout)
        self._busy_since_s[service] = math.inf
        try:
            return super().wait(timeout)
        finally:
            self.note_progress()

    @property
    def is_hanging(self) -> bool:
        """Tell whether a service has neither paused nor got on for HANGS_AFTER_S."""
        busy_since_s = min(list(self._busy_since_s.values()), default=math.inf)
        return time.monotonic() - busy_since_s > HANGS_AFTER_S


def started(work: Callable[[], None]) -> threading.Thread:
    """Start work in a thread that does not keep the process alive."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def guarded(work: Callable[[Stop], None], stop: Stop, failures: list[Exception]) -> None:
    """Work until told to stop; a failure stops all, and whoever waits raises it again."""
    try:
        patiently(partial(work, stop), stop)
    except Exception as problem:  # noqa: BLE001  # raised again where the thread is joined
        failures.append(problem)
    finally:
        stop.set()


def drain(step: Callable[[], int], stop: Stop, *, until_s: float | None = None) -> None:
    """Repeat a step until it finds nothing more to do, or we are to stop, or the time is over."""
    while step():
        stop.note_progress()
        if stop.is_set() if until_s is None else time.monotonic() >= until_s:
            return


def patiently(step: Callable[[], object], stop: threading.Event) -> None:
    """Do a step, and again after each fault of the world, saying so once."""
    said = ""
    while True:
        try:
            step()
        except TransientError as problem:
            if str(problem) != said:
                said = str(problem)
                log.warning("waiting", why=said)
            if stop.wait(RETRY_S):
                return
        else:
            if said:
                log.info("resumed")
            return
