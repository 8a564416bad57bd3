"""The services: each runs its part of the flow in a loop until it is told to stop."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import structlog

from contracts.errors import ConfigError
from gainline import flow
from gainline.config import wiring
from gainline.config.loading import Settings
from gainline.config.store_place import store_folder
from gainline.running.ingestion import ingest
from gainline.running.loops import Stop, drain, guarded, kept_up, patiently, started
from gainline.running.telemetry import show_alive, tell_ready
from store.safety.scrub_rounds import scrub_slice
from store.sums.rolling import roll_up
from store.upkeep.maintain import maintain as keep_in_order
from store.upkeep.maintain import merge_small
from store.upkeep.retaining import Retention

# A judge that polls twice a commit adds at most half of it to the age of a verdict.
JUDGE_POLLS_PER_COMMIT = 2
MAINTAIN_EVERY_S = 600.0
# Every query of `minute`, `hour` and `latest` opens each segment that is not rolled up yet, one a
# second. A step takes half a second with 20,000 tags: a fortieth of this.
ROLL_UP_EVERY_S = 20.0
# Sums of shifts are made anew at most so often, and take at most this share of the time: a day of a
# large plant is seconds of work.
SHIFTS_EVERY_S = 60.0
SHIFTS_SHARE = 0.05
SCHEDULE_EVERY_S = 10.0
POLL_S = 0.1
# Readings come first: for so long everything else leaves them the processor at the start.
OTHERS_WAIT_S = 5.0
# How long a service may take to end once it was told to; `run` must be gone within 10 s.
STOP_WITHIN_S = 8.0

log = structlog.get_logger()


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
    threads = [started(partial(guarded, first, stop, failures))]
    others_at_s = time.monotonic() + OTHERS_WAIT_S
    is_told = False
    while not received and not stop.wait(POLL_S):
        if stop.is_up.is_set() and not is_told:
            is_told = True
            _tell(tell_ready)
        if others and (is_told or time.monotonic() >= others_at_s):
            threads += [started(partial(kept_up, other, stop)) for other in others]
            others = []
        if not stop.is_hanging:
            _tell(show_alive)
    stop.set()
    _join(threads, code := 130 if signal.SIGINT in received else 0)
    if failures:
        raise failures[0]
    return code


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


def judge(settings: Settings, stop: Stop) -> None:
    """Judge what the lake has received, as it comes."""
    with wiring.open_lake(settings, writer="judge") as lake:
        bench = wiring.bench(settings, lake)
        pause_s = settings.store.commit_interval_s / JUDGE_POLLS_PER_COMMIT
        while not stop.wait(pause_s):
            patiently(lambda: drain(partial(_judge_new, bench), stop), stop)


def _judge_new(bench: flow.Bench) -> int:
    return bench.judge_new(time.time_ns() // 1000)


def maintain(settings: Settings, stop: Stop) -> None:
    """Keep the store in order."""
    folder = store_folder(settings)
    wiring.open_lake(settings, writer="maintain").close()  # makes the store where it is missing
    retained_on: date | None = None
    due_at_s = 0.0
    shifts_due_at_s = time.monotonic() + ROLL_UP_EVERY_S  # a start has more urgent work
    while not stop.is_set():
        # merged first, so that what is new lies in few segments and what is merged is rolled up
        patiently(lambda: merge_small(folder), stop)
        patiently(lambda: _roll_up(folder, stop), stop)
        if time.monotonic() >= shifts_due_at_s:
            began_s = time.monotonic()
            patiently(lambda: _keep_shifts(settings, stop), stop)
            pause_s = max(SHIFTS_EVERY_S, (time.monotonic() - began_s) / SHIFTS_SHARE)
            shifts_due_at_s = time.monotonic() + pause_s
        stop.wait(ROLL_UP_EVERY_S)
        if time.monotonic() < due_at_s:
            continue
        now = datetime.now(UTC)
        # once a day: what is removed is told by days, and looking for it reads all tags
        retention = None if retained_on == now.date() else wiring.retention(settings)
        patiently(partial(_keep_in_order, folder, now, retention, stop), stop)
        retained_on = now.date()
        patiently(lambda: _look_over(folder), stop)
        due_at_s = time.monotonic() + MAINTAIN_EVERY_S


def _roll_up(folder: Path, stop: Stop) -> None:
    """Roll up what is new, step by step."""
    while not stop.is_set() and roll_up(folder):
        stop.note_progress()


def _keep_shifts(settings: Settings, stop: Stop) -> None:
    """Make anew the sums of shifts that have changed, to the end of a step if we are to stop."""
    from gainline.kpis.shift_keeping import keep_shifts_of  # noqa: PLC0415  # the start is quicker

    with suppress(_StoppedError):
        keep_shifts_of(settings, datetime.now(UTC), partial(_go_on, stop))


def _go_on(stop: Stop, _count: int) -> None:
    stop.note_progress()
    if stop.is_set():
        raise _StoppedError


def _keep_in_order(folder: Path, now: datetime, retention: Retention | None, stop: Stop) -> None:
    """Do a round of maintenance, to the end of its step if we are to stop; say what it has done."""
    with suppress(_StoppedError):
        done = keep_in_order(folder, now=now, retention=retention, tell=partial(_go_on, stop))
        if any(done):
            log.info("maintained", **done._asdict())


class _StoppedError(Exception):
    """Ends a round of maintenance whose service is told to stop."""


def _look_over(folder: Path) -> None:
    """Check some of the files, and say which of them the disk has altered."""
    from gainline.upkeep.safety import damage_in_words, remedy  # noqa: PLC0415  # the start is quicker

    for damage in scrub_slice(folder, now=datetime.now(UTC)):
        log.error("damaged", what=damage_in_words(damage), remedy=remedy(damage))


def schedule(settings: Settings, stop: Stop) -> None:
    """Make the reports that are due."""
    from gainline.reports.reporting import make_due_reports  # noqa: PLC0415  # loads torch

    with wiring.open_lake(settings, writer="reports") as lake:
        while not stop.is_set():
            patiently(lambda: make_due_reports(settings, lake, datetime.now(UTC)), stop)
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
