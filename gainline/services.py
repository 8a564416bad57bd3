"""The services: each runs its part of the flow in a loop until it is told to stop."""

from __future__ import annotations

import math
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import structlog

from contracts.errors import ConfigError, GainlineError, TransientError
from gainline import flow, wiring
from gainline.config import Settings
from gainline.telemetry import show_alive, tell_ready
from gainline.telling import Teller
from ingest.journal import Journal
from store.lake import Lake
from store.maintain import maintain as keep_in_order

# The world's faults are retried at this pace: a full disk must be noticed within 5 s of its end.
RETRY_S = 1.0
# A judge that polls twice a commit adds at most half of it to the age of a verdict.
JUDGE_POLLS_PER_COMMIT = 2
MAINTAIN_EVERY_S = 600.0
SCHEDULE_EVERY_S = 10.0
POLL_S = 0.1
# Readings come first: for so long everything else leaves them the processor at the start.
OTHERS_WAIT_S = 5.0
# A service that failed begins again after so long, doubled at each failure.
RESTART_S_MIN = 1.0
RESTART_S_MAX = 60.0
# Nothing that gets on takes longer: a commit waits 30 s for its turn, a report takes seconds. The
# sign of life is not renewed then.
HANGS_AFTER_S = 120.0
# How long a service may take to end once it was told to; `run` must be gone within 10 s.
STOP_WITHIN_S = 8.0
# What is left in the journal after that is stored at the next start.
LAST_COMMITS_S = 3.0

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


Service = Callable[[Settings, Stop], None]


def run_until_signalled(settings: Settings, services: Sequence[Service]) -> int:
    """Run services in threads until SIGTERM or SIGINT, or until the first of them fails.

    The others begin when the first is up, or after a moment; one that fails begins again after a
    pause, so that readings are received whatever becomes of their verdicts and reports.
    Returns the exit code: 0 after SIGTERM, 130 after SIGINT. Raises what the first one raised.
    """
    stop = Stop()
    failures, received = list[Exception](), list[int]()
    # no more than a note: to set an event that this thread waits for could block it for ever
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: received.append(number))
    if services[0] is not ingest:
        stop.is_up.set()
    first, *others = [partial(_watched, service, settings) for service in services]
    threads = [_started(partial(_guarded, first, stop, failures))]
    others_at_s = time.monotonic() + OTHERS_WAIT_S
    is_told = False
    while not received and not stop.wait(POLL_S):
        if stop.is_up.is_set() and not is_told:
            is_told = True
            _tell(tell_ready)
        if others and (is_told or time.monotonic() >= others_at_s):
            threads += [_started(partial(_kept_up, other, stop)) for other in others]
            others = []
        if not stop.is_hanging:
            _tell(show_alive)
    stop.set()
    _join(threads, code := 130 if signal.SIGINT in received else 0)
    if failures:
        raise failures[0]
    return code


def _started(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def _watched(service: Service, settings: Settings, stop: Stop) -> None:
    stop.note_progress()
    service(settings, stop)


def _join(threads: list[threading.Thread], code: int) -> None:
    """Wait until all have ended; end the process at once where one hangs, as on a dead disk.

    What hangs holds nothing that a kill would lose: see the journal and the commits.
    """
    deadline = time.monotonic() + STOP_WITHIN_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    if any(thread.is_alive() for thread in threads):
        log.error("cut_off", why=f"a service did not end in {STOP_WITHIN_S:.0f} s")
        sys.stderr.flush()
        os._exit(code)


def _guarded(work: Callable[[Stop], None], stop: Stop, failures: list[Exception]) -> None:
    """Work until told to stop; a failure stops all, and whoever waits raises it again."""
    try:
        _patiently(partial(work, stop), stop)
    except Exception as problem:  # noqa: BLE001  # raised again where the thread is joined
        failures.append(problem)
    finally:
        stop.set()


def _kept_up(work: Callable[[Stop], None], stop: Stop) -> None:
    """Work until told to stop; after a failure say so, pause, and begin again."""
    pause_s = RESTART_S_MIN
    while not stop.is_set():
        began_s = time.monotonic()
        try:
            _patiently(partial(work, stop), stop)
        except Exception as problem:  # noqa: BLE001  # said in the log, and tried again
            if time.monotonic() - began_s > RESTART_S_MAX:
                pause_s = RESTART_S_MIN
            log.critical("service_failed", why=_reason(problem), again_in_s=pause_s)
            stop.wait(pause_s)
            pause_s = min(2 * pause_s, RESTART_S_MAX)


def _reason(problem: Exception) -> str:
    """Say why in one line; a bug says where as well."""
    if isinstance(problem, GainlineError):
        return str(problem)
    return "".join(traceback.format_exception(problem))


def ingest(settings: Settings, stop: Stop) -> None:
    """Receive into the journal in a thread of its own, and move it into the lake in this one."""
    with wiring.open_lake(settings, writer="ingest") as lake:
        begin = lake.ingest_progress().position
        publisher = wiring.mark_publisher(settings) if settings.broker.commit_marks else None
        with (
            wiring.open_journal(settings, first_position=begin) as journal,
            Teller(publisher) as teller,
        ):
            _ingest(settings, journal, lake, teller, stop)


def _ingest(settings: Settings, journal: Journal, lake: Lake, teller: Teller, stop: Stop) -> None:
    failures = list[Exception]()
    intake = flow.Intake(journal, lake, wiring.how_to_read(settings), teller.tell)
    step = partial(flow.take_and_store, wiring.inbox(settings), journal, intake)
    receiver = wiring.receiver(settings, journal)
    interval_s = settings.store.commit_interval_s
    receiving = _started(partial(_guarded, receiver.run, stop, failures))
    teller.begin(intake.marks())
    try:
        while not stop.wait(interval_s if stop.is_up.is_set() else POLL_S):
            if receiver.connected:
                stop.is_up.set()
            _patiently(lambda: _drain(step, stop), stop)
    finally:
        stop.set()
        receiving.join()  # before the journal is closed
    until_s = time.monotonic() + LAST_COMMITS_S
    _patiently(lambda: _drain(intake.store_new, stop, until_s=until_s), stop)
    if failures:
        raise failures[0]


def judge(settings: Settings, stop: Stop) -> None:
    """Judge what the lake has received, as it comes."""
    with wiring.open_lake(settings, writer="judge") as lake:
        bench = flow.Bench(
            lake, wiring.rule_for(settings, lake.known_tags()), wiring.judge_settings(settings)
        )
        pause_s = settings.store.commit_interval_s / JUDGE_POLLS_PER_COMMIT
        while not stop.wait(pause_s):
            _patiently(lambda: _drain(partial(_judge_new, bench), stop), stop)


def _judge_new(bench: flow.Bench) -> int:
    return bench.judge_new(time.time_ns() // 1000)


def maintain(settings: Settings, stop: Stop) -> None:
    """Keep the store in order."""
    folder = wiring.store_folder(settings)
    wiring.open_lake(settings, writer="maintain").close()  # makes the store where it is missing
    while not stop.is_set():
        _patiently(lambda: keep_in_order(folder, now=datetime.now(UTC)), stop)
        stop.wait(MAINTAIN_EVERY_S)


def schedule(settings: Settings, stop: Stop) -> None:
    """Make the reports that are due."""
    from gainline.reporting import make_due_reports  # noqa: PLC0415  # loads torch

    with wiring.open_lake(settings, writer="reports") as lake:
        while not stop.is_set():
            _patiently(lambda: make_due_reports(settings, lake, datetime.now(UTC)), stop)
            stop.wait(SCHEDULE_EVERY_S)


def serve(settings: Settings, stop: threading.Event) -> None:
    """Show the page. Raises ConfigError when its port is in use."""
    import uvicorn  # noqa: PLC0415  # only this service pays for it

    from gainline.page.app import make_app  # noqa: PLC0415  # the same

    listener = listen(settings)
    app = make_app(Path(settings.store.folder), stale_after_s=settings.page.stale_after_s)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    log.info("page", url=f"http://{settings.page.host}:{settings.page.port}")
    stop.wait()
    server.should_exit = True
    thread.join(STOP_WITHIN_S / 2)


def everything(settings: Settings) -> list[Service]:
    """List the services that `run` runs: a schedule only where there is one to keep."""
    listen(settings).close()
    return [ingest, judge, maintain, serve, *([schedule] if settings.schedule else [])]


def listen(settings: Settings) -> socket.socket:
    """Bind the page's port, so that a port in use is known before anything else starts."""
    host, port = settings.page.host, settings.page.port
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as problem:
        listener.close()
        raise ConfigError(
            f"page.port: {host}:{port} cannot be used ({problem.strerror}); set another page.port"
        ) from None
    return listener


def _tell(say: Callable[[], None]) -> None:
    """Say something to who started us, who may be gone, or whose disk may be full."""
    with suppress(OSError):
        say()


def _drain(step: Callable[[], int], stop: Stop, *, until_s: float | None = None) -> None:
    """Repeat a step until it finds nothing more to do, or we are to stop, or the time is over."""
    while step():
        stop.note_progress()
        if stop.is_set() if until_s is None else time.monotonic() >= until_s:
            return


def _patiently(step: Callable[[], object], stop: threading.Event) -> None:
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
