"""Starts the command `gainline` as a user would, and looks at what it leaves."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from contracts.errors import GainlineError
from store.query import fetch

REPOSITORY = Path(__file__).resolve().parents[2]
GAINLINE = [sys.executable, "-m", "gainline"]
# The first start after a change compiles the judge, on cores that others use too.
WITHIN_S = 100.0
POLL_S = 0.1
ASKING_SHARE = 0.25  # of the time: whoever waits leaves the cores to what it waits for


def gainline(*words: object, limit_s: float = WITHIN_S) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [*GAINLINE, *map(str, words)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=limit_s,
        stdin=subprocess.DEVNULL,
        check=False,
    )


@contextmanager
def service(*words: object, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run one command until the block ends; its standard error is added to `log`."""
    with log.open("ab") as target:
        process = subprocess.Popen(
            [*GAINLINE, *map(str, words)], cwd=REPOSITORY, stderr=target, stdin=subprocess.DEVNULL
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def rows(store: Path, sql: str) -> list[dict[str, Any]]:
    """Ask a store; no rows as long as it is not there."""
    try:
        return fetch(store, sql).to_pylist()
    except GainlineError:
        return []


def free_port() -> int:
    """Find a port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def get(url: str) -> tuple[int, str]:
    """Ask a page; status 0 as long as nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  # our own server
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()
    except urllib.error.URLError:
        return 0, ""


def wait_for(is_so: Callable[[], object], *, what: str, limit_s: float = WITHIN_S) -> None:
    """Wait until something is so, or fail."""
    until_s = time.monotonic() + limit_s
    asked_s = time.monotonic()
    while not is_so():
        now_s = time.monotonic()
        assert now_s < until_s, f"after {limit_s} s still not: {what}"
        time.sleep(max(POLL_S, (now_s - asked_s) * (1 / ASKING_SHARE - 1)))
        asked_s = time.monotonic()
