"""InfluxDB 1 on 127.0.0.1, from Debian's package, with a folder of its own.

It is given the fields `value`, `value_clean` (none where a reading is BAD) and `quality` of the
measurement `readings`, with the tag `tag`, by its line protocol, and asked through its HTTP API.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tests.bench.plant_store import Arrivals

# As InfluxDB's handbook advises: 5,000 to 10,000 lines a request.
LINES_AT_ONCE = 10_000
START_LIMIT_S = 30
ANSWER_LIMIT_S = 600
_CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
query-log-enabled = false
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:{http}"
log-enabled = false
max-row-limit = 0
"""


class Influx:
    """A server that is running, with one database."""

    def __init__(self, port: int) -> None:
        self._port = port

    def write(self, names: list[str], come: Arrivals) -> None:
        """Write readings."""
        lines = _lines(names, come)
        for first in range(0, len(lines), LINES_AT_ONCE):
            body = "\n".join(lines.slice(first, LINES_AT_ONCE).to_pylist()).encode()
            self._say("POST", "/write?db=bench&precision=u", body)

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Ask for series, as it gives them; times in microseconds."""
        words = urlencode({"db": "bench", "epoch": "u", "q": query})
        (result,) = json.loads(self._say("GET", f"/query?{words}"))["results"]
        if "error" in result:
            raise RuntimeError(result["error"])
        found: list[dict[str, Any]] = result.get("series", [])
        return found

    def make(self) -> None:
        """Make the database. Raises OSError where nobody answers."""
        self._say("POST", f"/query?{urlencode({'q': 'CREATE DATABASE bench'})}")

    def _say(self, method: str, path: str, body: bytes | None = None) -> bytes:
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_LIMIT_S)) as wire:
            wire.request(method, path, body)
            answer = wire.getresponse()
            data = answer.read()
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise RuntimeError(data.decode(errors="replace"))
        return data


@contextmanager
def running(folder: Path) -> Iterator[Influx | None]:
    """Run a server in a folder of its own; None where `influxd` is not installed."""
    program = shutil.which("influxd")
    if program is None:
        yield None
        return
    folder.mkdir()
    http, rpc = _free_port(), _free_port()
    config = folder / "influxdb.conf"
    config.write_text(_CONFIG.format(folder=folder, http=http, rpc=rpc), encoding="utf-8")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "-config", str(config)], stdout=log, stderr=log)
    try:
        server = Influx(http)
        _make(server)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=60)


def _lines(names: list[str], come: Arrivals) -> pa.Array[Any]:
    numbers = pa.array(come.tag)
    tags = pc.binary_join_element_wise("readings,tag=", pa.array(names), " value=", "")
    values = pc.cast(pa.array(come.value), pa.string())
    clean = pc.binary_join_element_wise(",value_clean=", values, "")
    clean = pc.if_else(pa.array(come.quality == 2), "", clean)
    words = [tags.take(numbers), values, clean]
    quality = pa.array([f",quality={number}i " for number in range(3)])
    words += [quality.take(pa.array(come.quality.astype(np.int32)))]
    words += [pc.cast(pa.array(come.time_us), pa.string())]
    return pc.binary_join_element_wise(*words, "")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _make(server: Influx) -> None:
    """Make the database, once the server is up."""
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        try:
            return server.make()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
