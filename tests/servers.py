"""Starts PostgreSQL and a bucket that speaks S3, both on 127.0.0.1."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

HOST = "127.0.0.1"
USER, PASSWORD = "gainline", "not a secret"
UP_WITHIN_S = 60.0
# What each server of the bucket is told of where it listens: the second is for its own kind.
_LISTENERS = ("master", "volume", "filer", "s3")


class Postgres(NamedTuple):
    """A cluster of databases."""

    port: int
    programs: Path  # folder

    def url(self, database: str) -> str:
        """Make a database, and say where it is."""
        command = [self.programs / "createdb", "-h", HOST, "-p", str(self.port), "-U", USER]
        environment = {**os.environ, "PGPASSWORD": PASSWORD}
        subprocess.run([*command, database], env=environment, check=True, timeout=UP_WITHIN_S)
        return f"postgres://{USER}@{HOST}:{self.port}/{database}"


def postgres_programs() -> Path | None:
    """Find the programs of the newest PostgreSQL that Debian has installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def weed_program() -> str | None:
    """Find the program of the bucket, which a package of the tests brings."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


@contextmanager
def postgres_running(programs: Path, folder: Path) -> Iterator[Postgres]:
    """Run PostgreSQL until the block ends; it does not run as root."""
    folder.mkdir(parents=True)
    words = folder / "password"
    words.write_text(PASSWORD)
    (port,) = _free_ports(1)
    other: list[str | Path] = []
    if os.geteuid() == 0:
        other = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        for path in (folder, words):
            shutil.chown(path, "postgres", "postgres")
        for parent in folder.parents:  # those that pytest keeps to itself
            if parent.owner() == "root" and parent.parent != parent:
                parent.chmod(parent.stat().st_mode | 0o711)
    data = folder / "data"
    making = [*other, programs / "initdb", "-D", data, "-U", USER, "-A", "scram-sha-256"]
    making += ["--pwfile", words, "-E", "UTF8", "--locale=C", "--no-sync"]
    subprocess.run(
        making,
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=UP_WITHIN_S,
        cwd="/",
    )
    command = [*other, programs / "postgres", "-D", data, "-p", str(port)]
    command += ["-c", f"listen_addresses={HOST}", "-c", "unix_socket_directories="]
    # told so it ends at once, and its children with it
    with _running(command, folder / "log", port, end=signal.SIGQUIT):
        yield Postgres(port, programs)


@contextmanager
def bucket_running(program: str, folder: Path) -> Iterator[str]:
    """Run a server of buckets until the block ends; give its URL. A bucket is made when used."""
    folder.mkdir(parents=True)
    identity = {"name": USER, "credentials": [{"accessKey": USER, "secretKey": PASSWORD}]}
    rights = {"identities": [{**identity, "actions": ["Admin", "Read", "Write", "List"]}]}
    (folder / "rights.json").write_text(json.dumps(rights))
    ports = _free_ports(2 * len(_LISTENERS))
    command = [program, "server", f"-ip={HOST}", f"-ip.bind={HOST}", f"-dir={folder}"]
    command += [
        "-filer",
        "-s3",
        f"-s3.config={folder / 'rights.json'}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
    ]
    command += ["-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=64"]
    for name, port, inner in zip(_LISTENERS, ports[::2], ports[1::2], strict=True):
        command += [f"-{name}.port={port}", f"-{name}.port.grpc={inner}"]
    command += [f"-{name}.localSocket={folder / name}.sock" for name in ("filer", "s3")]
    try:
        with _running(command, folder / "log", ports[-2]):
            yield f"http://{HOST}:{ports[-2]}"
    finally:  # the one place that it cannot be told
        for name, port in zip(_LISTENERS, ports[1::2], strict=True):
            Path(f"/tmp/seaweedfs-{name}-grpc-{port}.sock").unlink(missing_ok=True)  # noqa: S108


@contextmanager
def _running(
    command: Sequence[object], log: Path, port: int, *, end: signal.Signals = signal.SIGKILL
) -> Iterator[None]:
    with (
        log.open("ab") as target,
        subprocess.Popen(
            [str(word) for word in command],
            stdout=target,
            stderr=target,
            cwd="/",
            env={**os.environ, "TMPDIR": str(log.parent)},
        ) as process,
    ):
        try:
            _wait_for(process, port, log)
            yield
        finally:
            process.send_signal(end)  # nothing of it is to be kept


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until_s = time.monotonic() + UP_WITHIN_S
    while process.poll() is None and time.monotonic() < until_s:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(log.read_text()[-4000:])


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server((HOST, 0))) for _ in range(count)]
        return [int(probe.getsockname()[1]) for probe in probes]
