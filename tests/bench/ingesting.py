"""From publish to countable by SQL, through mosquitto, against what else could be run.

    python -m tests.bench.ingesting                      # rates and CPU
    python -m tests.bench.ingesting --delay              # from publish to visible, 2,000 messages/s
    python -m tests.bench.ingesting --memory 10000000    # of the ingest process, over so many

All contenders take the same messages from the same broker in turn, sender and broker on the same
cores. Rates swing with whatever else runs: read the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import duckdb

from store.query import connect
from tests.end_to_end.pipeline import GAINLINE, REPOSITORY, rows
from tests.mosquitto import free_address, mosquitto_running

MOSQUITTO = "/usr/sbin/mosquitto"
BROKER = """listener {port} 127.0.0.1
allow_anonymous true
max_queued_messages 0
max_queued_bytes 0
max_inflight_messages 10000
set_tcp_nodelay true
"""
READINGS = {"reading": 1, "columns": 200}
LIMIT_S = 600.0
TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
DELAY_RATE = 2_000.0
LOOK_EVERY_S = 0.1  # what an engineer sees may be so much older
PYTHON = [sys.executable, "-m"]


class Run(NamedTuple):
    """How long a contender took for all messages, and what it used of the processor."""

    seconds: float
    cpu_s: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000, help="single readings")
    parser.add_argument("--column-messages", type=int, default=10_000, help="of 200 readings")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--delay", action="store_true")
    parser.add_argument("--memory", type=int, default=0, metavar="MESSAGES")
    parser.add_argument("--seconds", type=float, default=20, help="with --delay")
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if told.delay:
            with broker(folder) as address:
                found: Any = delays(address, folder, seconds=told.seconds)
        elif told.memory:
            with broker(folder) as address:
                found = memory(address, folder, messages=told.memory)
        else:
            counts = {"reading": told.messages, "columns": told.column_messages}
            found = {
                shape: rates(folder, shape, messages=count, repeats=told.repeats)
                for shape, count in counts.items()
            }
    print(json.dumps(found, indent=1) if told.json or "reading" not in found else table(found))


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """Run a broker without memory of earlier contenders; give its address."""
    port = free_address().port
    with mosquitto_running(MOSQUITTO, folder / "broker", BROKER.format(port=port), port):
        yield f"127.0.0.1:{port}"


def rates(folder: Path, shape: str, *, messages: int, repeats: int) -> dict[str, dict[str, float]]:
    """Let each contender take the messages in turn; give the median of each."""
    contenders = {"only acknowledges": drain, "paho and pandas": script, "gainline": gainline}
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for number in range(repeats):
        for name, contend in contenders.items():
            place = folder / f"{shape}-{number}-{name.replace(' ', '-')}"
            place.mkdir()
            with broker(place) as address:
                runs[name].append(contend(address, place, shape, messages))
            print(f"{shape} {name}: {runs[name][-1]}", file=sys.stderr, flush=True)
    return {
        name: {
            "readings_per_s": messages * READINGS[shape] / median(run.seconds for run in each),
            "cpu_us_per_message": median(run.cpu_s for run in each) / messages * 1e6,
        }
        for name, each in runs.items()
    }


def table(found: dict[str, dict[str, dict[str, float]]]) -> str:
    """Write a table of Markdown; ratios are to the first contender and the script."""
    lines = ["| messages | who | readings/s | of the first | of the script | CPU µs/message |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for shape, contenders in found.items():
        first = contenders["only acknowledges"]["readings_per_s"]
        script_rate = contenders["paho and pandas"]["readings_per_s"]
        for name, one in contenders.items():
            rate = one["readings_per_s"]
            lines.append(
                f"| {shape} | {name} | {rate:,.0f} | {rate / first:.2f} | {rate / script_rate:.2f}"
                f" | {one['cpu_us_per_message']:.1f} |"
            )
    return "\n".join(lines)


def sender(address: str, shape: str, messages: int, rate: float = 0) -> subprocess.Popen[bytes]:
    """Begin to send."""
    words = [*PYTHON, "tests.bench.wire", "send", address, "--shape", shape]
    words += ["--messages", str(messages), "--rate", str(rate), "--epoch", str(time.time_ns())]
    return subprocess.Popen(words, cwd=REPOSITORY)


def drain(address: str, _folder: Path, shape: str, messages: int) -> Run:
    """Time the reader that only acknowledges."""
    words = [*PYTHON, "tests.bench.wire", "drain", address, "--messages", str(messages)]
    return _until_exit(words, address, shape, messages)


def script(address: str, folder: Path, shape: str, messages: int) -> Run:
    """Time the script, until all rows are in files."""
    words = [*PYTHON, "tests.bench.script", address, str(folder), "--messages", str(messages)]
    return _until_exit(words, address, shape, messages)


def _until_exit(words: list[str], address: str, shape: str, messages: int) -> Run:
    with subprocess.Popen(words, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        began_s = time.monotonic()
        with sender(address, shape, messages):
            answer = json.loads(reader.stdout.readline())
            return Run(time.monotonic() - began_s, answer["cpu_s"])


@contextmanager
def ingesting(address: str, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run `gainline ingest`; it has subscribed when the block begins."""
    store = folder / "lake"
    log = folder / "ingest.log"
    words = [*GAINLINE, "ingest", "--broker", f"mqtt://{address}", "--store", str(store)]
    words += ["--topic", "bench/#"]
    with log.open("wb") as target:
        process = subprocess.Popen(words, cwd=REPOSITORY, stderr=target)
        try:
            until_s = time.monotonic() + 60
            while b"broker_connected" not in log.read_bytes():
                assert time.monotonic() < until_s, log.read_text()
                time.sleep(0.1)
            time.sleep(0.5)
            yield process, store
        finally:
            process.terminate()
            process.wait(30)


def gainline(address: str, folder: Path, shape: str, messages: int) -> Run:
    """Time gainline, until SQL counts all readings."""
    with ingesting(address, folder) as (process, store):
        before_s = cpu_s(process.pid)
        began_s = time.monotonic()
        with sender(address, shape, messages):
            expected = messages * READINGS[shape]
            wait_for_count(store, expected)
            return Run(time.monotonic() - began_s, cpu_s(process.pid) - before_s)


def wait_for_count(store: Path, expected: int) -> None:
    """Wait until SQL counts as many readings, and no more."""
    until_s = time.monotonic() + LIMIT_S
    while (found := count_of(store)) < expected:
        assert time.monotonic() < until_s, f"{found} of {expected} readings"
        time.sleep(0.2)
    assert found == expected, f"{found} readings, not {expected}"


def count_of(store: Path) -> int:
    """Ask how many readings the lake has."""
    found = rows(store, "SELECT count(*) AS n FROM raw.readings")
    return int(found[0]["n"]) if found else 0


def cpu_s(pid: int) -> float:
    """Read what a process and its children have used of the processor."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, words[11:15])) / TICKS


def resident_mb(pid: int) -> float:
    """Read how much memory a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES / 1e6


def delays(address: str, folder: Path, *, seconds: float) -> dict[str, float]:
    """Measure from publish to visible: a reading is visible in the first answer that holds it."""
    messages = int(DELAY_RATE * seconds)
    found: list[float] = []
    with ingesting(address, folder) as (_, store), sender(address, "reading", 2_000, DELAY_RATE):
        wait_for_count(store, 2_000)
        with sender(address, "reading", messages, DELAY_RATE), connect(store) as lake:
            seen = last_arrival(lake)
            target, until_s = seen + messages, time.monotonic() + LIMIT_S
            while seen < target and time.monotonic() < until_s:
                new = lake.execute(
                    "SELECT epoch_ms(source_time), arrival FROM raw.readings WHERE arrival > ?",
                    [seen],
                ).fetchall()
                now_ms = time.time() * 1000
                found += [now_ms - sent_ms for sent_ms, _ in new]
                seen = max((arrival for _, arrival in new), default=seen)
                time.sleep(LOOK_EVERY_S)
    found.sort()
    return {
        "messages": len(found),
        "p50_ms": found[len(found) // 2],
        "p95_ms": found[len(found) * 95 // 100],
        "max_ms": found[-1],
    }


def last_arrival(lake: duckdb.DuckDBPyConnection) -> int:
    """Give the number of the newest reading."""
    row = lake.execute("SELECT max(arrival) FROM raw.readings").fetchone()
    assert row is not None
    return int(row[0])


def memory(address: str, folder: Path, *, messages: int) -> dict[str, Any]:
    """Watch the memory of the ingest process over many messages."""
    sampled: list[tuple[int, float]] = []
    with ingesting(address, folder) as (process, store), sender(address, "reading", messages):
        done, until_s = 0, time.monotonic() + messages / 2_000
        while done < messages and time.monotonic() < until_s:
            time.sleep(5)
            done = count_of(store)
            sampled.append((done, resident_mb(process.pid)))
            print(sampled[-1], file=sys.stderr, flush=True)
        peak = next(
            int(line.split()[1]) / 1000
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
            if line.startswith("VmHWM")
        )
    tenth = [mb for _, mb in sampled[len(sampled) // 10 :]]
    return {"messages": done, "after_a_tenth_mb": tenth[0], "end_mb": tenth[-1], "peak_mb": peak}


if __name__ == "__main__":
    main()
