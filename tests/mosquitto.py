"""Starts mosquitto with the listeners that a test wants, all on 127.0.0.1."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.message import Address

HOST = "127.0.0.1"
UP_WITHIN_S = 10.0
DOWN_WITHIN_S = 10.0


def free_address() -> Address:
    """Find a port that nobody uses."""
    with socket.create_server((HOST, 0)) as probe:
        return Address(*probe.getsockname())


@contextmanager
def mosquitto_running(
    program: str, folder: Path, settings: str, *ports: int
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a broker until the block ends; it is up when it listens on all ports."""
    folder.mkdir(parents=True, exist_ok=True)
    config, log = folder / "mosquitto.conf", folder / "mosquitto.log"
    # started by root it would become another user, who may not read the folder
    user = "user root\n" if folder.owner() == "root" else ""
    config.write_text(user + settings)
    with log.open("ab") as target, subprocess.Popen([program, "-c", config], stderr=target) as one:
        try:
            for port in ports:
                _wait_for(one, port, log)
            yield one
        finally:
            one.terminate()
            one.wait(DOWN_WITHIN_S)


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until_s = time.monotonic() + UP_WITHIN_S
    while process.poll() is None and time.monotonic() < until_s:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(log.read_text())
