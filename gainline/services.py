"""The services: each runs its part of the flow in a loop until it is told to stop."""

import signal
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import structlog

from contracts.errors import ConfigError, TransientError
from gainline import flow, wiring
from gainline.config import Settings
from gainline.telemetry import show_alive, tell_ready
from ingest.journal import Journal
from ingest.mqtt import Receiver
from store.lake import Lake
from store.maintain import maintain as keep_in_order

Service = Callable[[Settings, threading.Event], None]

# The world's faults are retried at this pace: a full disk must be noticed within 5 s of its end.
RETRY_S = 1.0
# A judge that polls twice a commit adds at most half of it to the age of a verdict.
JUDGE_POLLS_PER_COMMIT = 2
MAINTAIN_EVERY_S = 600.0
SCHEDULE_EVERY_S = 10.0
READY_POLL_S = 0.05
# How long a service may take to end once it was told to; `run` must be gone within 10 s.
STOP_WITHIN_S = 8.0

log = structlog.get_logger()


def run_until_signalled(settings: Settings, services: list[Service]) -> int:
    """Run services in threads until SIGTERM or SIGINT, or until one of them fails.

    Returns the exit code: 0 after SIGTERM, 130 after SIGINT. Raises what a service raised.
    """
    stop, failures, received = threading.Event(), list[Exception](), list[int]()

    def end(number: int, _frame: object) -> None:
        received.append(number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    threads = [
        threading.Thread(
            target=_guarded, args=(partial(service, settings), stop, failures), daemon=True
        )
        for service in services
    ]
    for thread in threads:
        thread.start()
    if ingest not in services:
        tell_ready()
    while not stop.wait(1.0):
        show_alive()
    deadline = time.monotonic() + STOP_WITHIN_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    if failures:
        raise failures[0]
    return 130 if signal.SIGINT in received else 0


def _guarded(
    work: Callable[[threading.Event], None], stop: threading.Event, failures: list[Exception]
) -> None:
    """Work until told to stop; a failure stops the others, and whoever waits raises it again."""
    try:
        work(stop)
    except Exception as problem:  # noqa: BLE001  # raised again where the thread is joined
        failures.append(problem)
    finally:
        stop.set()


def ingest(settings: Settings, stop: threading.Event) -> None:
    """Receive into the journal in a thread of its own, and move it into the lake in this one."""
    with wiring.open_lake(settings, writer="ingest") as lake:
        begin = lake.ingest_progress().position
        with wiring.open_journal(settings, first_position=begin) as journal:
            _ingest(settings, journal, lake, stop)


def _ingest(settings: Settings, journal: Journal, lake: Lake, stop: threading.Event) -> None:
    intake = flow.Intake(journal, lake, wiring.how_to_read(settings))
    receiver = wiring.receiver(settings, journal)
    failures: list[Exception] = []
    threads = [
        threading.Thread(target=_guarded, args=(receiver.run, stop, failures)),
        threading.Thread(target=_tell_when_subscribed, args=(receiver, stop)),
    ]
    for thread in threads:
        thread.start()
    while not stop.wait(settings.store.commit_interval_s):
        _patiently(lambda: _drain(intake.store_new), stop)
    for thread in threads:
        thread.join()
    _patiently(lambda: _drain(intake.store_new), stop)
    if failures:
        raise failures[0]


def judge(settings: Settings, stop: threading.Event) -> None:
    """Judge what the lake has received, as it comes."""
    with wiring.open_lake(settings, writer="judge") as lake:
        bench = flow.Bench(lake, wiring.rule_for(settings), wiring.judge_settings(settings))
        pause_s = settings.store.commit_interval_s / JUDGE_POLLS_PER_COMMIT
        while not stop.wait(pause_s):
            _patiently(lambda: _drain(lambda: bench.judge_new(time.time_ns() // 1000)), stop)


def maintain(settings: Settings, stop: threading.Event) -> None:
    """Keep the store in order."""
    folder = wiring.store_folder(settings)
    wiring.open_lake(settings, writer="maintain").close()  # makes the store where it is missing
    while not stop.is_set():
        _patiently(lambda: keep_in_order(folder, now=datetime.now(UTC)), stop)
        stop.wait(MAINTAIN_EVERY_S)


def schedule(settings: Settings, stop: threading.Event) -> None:
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


def _tell_when_subscribed(receiver: Receiver, stop: threading.Event) -> None:
    """Tell who started us that messages are received from now on."""
    while not receiver.connected:
        if stop.wait(READY_POLL_S):
            return
    tell_ready()


def _drain(step: Callable[[], int]) -> None:
    """Repeat a step until it finds nothing more to do."""
    while step():
        show_alive()


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
