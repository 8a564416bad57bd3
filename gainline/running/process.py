"""Runs `gainline run` as a process of its own, which says when it is ready and must end well."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from contracts.errors import GainlineError, TransientError
from gainline.config.loading import ENVIRONMENT_PREFIX

READY_WITHIN_S = 60.0  # the first start compiles the judge
POLL_S = 0.25
END_WITHIN_S = 30.0
PR_SET_PDEATHSIG = 1  # of prctl(2)

_libc = ctypes.CDLL(None)


@dataclass(frozen=True)
class Process:
    """A running pipeline; `log` is what it has written to standard error."""

    handle: subprocess.Popen[bytes]
    log: Path

    def require_alive(self) -> None:
        """Raise GainlineError, with the last line of the log, if the process has ended."""
        if self.handle.poll() is not None:
            raise self.failure()

    def failure(self) -> GainlineError:
        """Say how the process has ended."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        last = lines[-1] if lines else "it said nothing"
        return GainlineError(f"`gainline run` ended with {self.handle.returncode}: {last}")


@contextmanager
def running(config: Path, *, log: Path) -> Iterator[Process]:
    """Run the pipeline until the block ends; raises GainlineError if it does not end well.

    It reads the file alone: what the environment overrides stays with this process.
    """
    name = f"@gainline-{os.getpid()}"
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(ENVIRONMENT_PREFIX)
    }
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready,
        log.open("wb") as target,
    ):
        ready.bind("\0" + name[1:])
        handle = subprocess.Popen(  # noqa: S603  # our own command
            [sys.executable, "-m", "gainline", "run", "--config", str(config)],
            stderr=target,
            preexec_fn=partial(end_with, os.getpid()),  # noqa: PLW1509  # calls, and no lock
            env={**environment, "NOTIFY_SOCKET": name},
        )
        process = Process(handle, log)
        try:
            _wait_until_ready(ready, process)
            yield process
            _end(process)
        finally:
            handle.kill()
            handle.wait()


def end_with(parent: int) -> None:
    """Have Linux end this process, by SIGTERM, should the one that has started it die.

    It would wait for ever. One that has died before is told by having another parent now.
    """
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def _wait_until_ready(ready: socket.socket, process: Process) -> None:
    """Wait for the word that messages are received from now on."""
    ready.settimeout(POLL_S)
    until_s = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until_s:
        try:
            ready.recv(64)
        except TimeoutError:
            process.require_alive()
        else:
            return
    raise TransientError(f"`gainline run` is not ready after {READY_WITHIN_S:.0f} s")


def _end(process: Process) -> None:
    process.handle.send_signal(signal.SIGTERM)
    try:
        code = process.handle.wait(END_WITHIN_S)
    except subprocess.TimeoutExpired:
        raise TransientError(f"`gainline run` did not end in {END_WITHIN_S:.0f} s") from None
    if code:
        raise process.failure()
