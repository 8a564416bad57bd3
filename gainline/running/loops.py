"""How a service repeats its steps: patiently, until it is told to stop."""

from __future__ import annotations

import math
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import structlog

from contracts.errors import GainlineError, TransientError

# The world's faults are retried at this pace: a full disk must be noticed within 5 s of its end.
RETRY_S = 1.0
# What failed begins again after so long, doubled at each failure.
RESTART_S_MIN = 1.0
RESTART_S_MAX = 60.0
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


@contextmanager
def beside(work: Callable[[Stop], None], stop: Stop) -> Iterator[None]:
    """Work in a thread until the block ends, or ends all by failing, which is raised then."""
    failures = list[Exception]()
    thread = started(partial(guarded, work, stop, failures))
    try:
        yield
    finally:
        stop.set()
        thread.join()
        if failures:
            raise failures[0]


def kept_up(work: Callable[[Stop], object], stop: Stop) -> None:
    """Work until told to stop; after a failure say so, pause, and begin again."""
    pause_s = RESTART_S_MIN
    while not stop.is_set():
        began_s = time.monotonic()
        try:
            patiently(partial(work, stop), stop)
        except Exception as problem:  # noqa: BLE001  # said in the log, and tried again
            if time.monotonic() - began_s > RESTART_S_MAX:
                pause_s = RESTART_S_MIN
            log.critical("service_failed", why=reason_of(problem), again_in_s=pause_s)
            stop.wait(pause_s)
            pause_s = min(2 * pause_s, RESTART_S_MAX)


def reason_of(problem: Exception) -> str:
    """Say why in one line; a bug says where as well."""
    if isinstance(problem, GainlineError):
        return str(problem)
    return "".join(traceback.format_exception(problem))


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
