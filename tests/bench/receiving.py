"""What it costs to receive a message at QoS 1, against a sender that is never the limit.

    python -m tests.bench.receiving [--messages 300000] [--repeats 3] [--json]

Each contender gets the same messages of 100 bytes of JSON from a process that stands for a broker:
frames made beforehand, as many under way as the socket takes. Ours writes them to its journal and
syncs it before it acknowledges; paho and mosquitto_sub acknowledge at once and keep nothing. They
take turns, in the other order each time. CPU is that of the reader's process alone, user and
system, from the first message to the last acknowledgement; trust the ratios, which are of one run.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from contracts.endpoint import Endpoint, Version
from contracts.message import Address
from ingest.frames import MQTT_3, MQTT_5, frame_at, publish_frame
from ingest.journal import Journal
from ingest.mqtt.receiver import Receiver

CYCLE = 50_000  # different messages, and at most so many under way: each has a packet id
SLAB = 1_000
PAYLOAD_BYTES = 100
TOPICS = 1_000
LIMIT_S = 300.0
JOURNAL_BYTES = 1 << 30
SINCE_US = 1_767_225_600_000_000


class Run(NamedTuple):
    """What one contender took for all messages."""

    cpu_s: float
    seconds: float


class Row(NamedTuple):
    """A contender: medians, and how often ours goes into its CPU."""

    name: str
    cpu_us: float
    messages_per_s: float
    ratio: float


def feed(version: Version, messages: int) -> None:
    """Stand for a broker: one client, `messages` messages, then answers until it leaves."""
    slabs = slabs_of(MQTT_5 if version == "5" else MQTT_3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        wire, _ = server.accept()
    with wire:
        is_5 = version == "5"
        read_frame(wire)
        wire.sendall(b"\x20\x03\0\0\0" if is_5 else b"\x20\x02\0\0")
        answer(wire, read_frame(wire), is_5=is_5)
        stream(wire, slabs, messages)
        while frame := read_frame(wire):
            answer(wire, frame, is_5=is_5)


def slabs_of(protocol: int) -> list[bytes]:
    """Make the messages, SLAB at a time."""
    frames = []
    for number in range(CYCLE):
        machine = number % TOPICS
        topic = f"plant/area/line{machine % 20}/machine{machine}/temperature"
        payload = (
            f'{{"gateway":"g{machine % 20}","epoch":1,"seq":{number},'
            f'"ts":{SINCE_US + number},"value":{20 + number % 97 / 10}}}'
        ).ljust(PAYLOAD_BYTES)
        body = payload.encode()
        if protocol == MQTT_5:
            topic_bytes = topic.encode()
            rest = len(topic_bytes).to_bytes(2, "big") + topic_bytes
            rest += (number + 1).to_bytes(2, "big") + b"\0" + body
            size = bytes([len(rest) & 127 | 128, len(rest) >> 7])
            frames.append(b"\x32" + size + rest)
        else:
            frames.append(publish_frame(topic.encode(), body, packet_id=number + 1, retained=False))
    return [b"".join(frames[start : start + SLAB]) for start in range(0, CYCLE, SLAB)]


def stream(wire: socket.socket, slabs: list[bytes], messages: int) -> None:
    """Send as fast as the socket takes it; return when all is acknowledged, or the reader left."""
    wire.settimeout(0)
    sent, acknowledged, left = 0, 0, memoryview(b"")
    while acknowledged < 4 * messages:
        if not left and sent < messages and sent + SLAB - acknowledged // 4 <= CYCLE:
            left = memoryview(slabs[sent // SLAB % len(slabs)])
            sent += SLAB
        readable, writable, _ = select.select([wire], [wire] if left else [], [], LIMIT_S)
        if writable:
            left = left[wire.send(left) :]
        if readable:
            try:
                data = wire.recv(1 << 20)
            except ConnectionResetError:
                return
            if not data:
                return
            acknowledged += len(data)
    wire.settimeout(LIMIT_S)


def read_frame(wire: socket.socket) -> bytes:
    """Read one small frame; nothing at the end."""
    data = b""
    try:
        while not data or (found := frame_at(data, 0)) is None or found.end > len(data):
            part = wire.recv(1)
            if not part:
                return b""
            data += part
    except OSError:
        return b""
    return data


def answer(wire: socket.socket, frame: bytes, *, is_5: bool) -> None:
    """Answer SUBSCRIBE and UNSUBSCRIBE, each of one topic."""
    found = frame_at(frame, 0)
    assert found is not None
    mark = frame[found.body : found.body + 2] + (b"\0" if is_5 else b"")
    if frame[0] == 0x82:
        wire.sendall(bytes([0x90, len(mark) + 1]) + mark + b"\1")
    elif frame[0] == 0xA2:
        mark += b"\0" if is_5 else b""
        wire.sendall(bytes([0xB0, len(mark)]) + mark)


def ours(port: int, messages: int, version: Version) -> Run:
    """Receive with gainline, into a journal on the disk."""
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder,
        Journal.open(Path(folder), limit_bytes=JOURNAL_BYTES) as journal,
    ):
        endpoint = Endpoint(Address("127.0.0.1", port), version=version)
        receiver = Receiver(endpoint, topics=["#"], client_id="bench", journal=journal)
        stop, meter = threading.Event(), Meter()

        def watch() -> None:
            while receiver.received_count < messages:
                time.sleep(0.01)
            meter.end()
            stop.set()

        watching = threading.Thread(target=watch)
        watching.start()
        receiver.run(stop)
        watching.join()
        assert receiver.reader == "bulk"
        assert journal.end == messages
    return meter.run


def stock(port: int, messages: int, _version: Version) -> Run:
    """Receive with paho as it comes, acknowledging by itself, into nothing."""
    client = Client(CallbackAPIVersion.VERSION2, "bench", clean_session=False)
    left = messages

    def on_message(*_: object) -> None:
        nonlocal left
        left -= 1
        if not left:
            client.disconnect()

    client.on_message = on_message
    client.on_connect = lambda *_: client.subscribe("#", 1)
    meter = Meter()
    client.connect("127.0.0.1", port)
    client.loop_forever()
    meter.end()
    return meter.run


class Meter:
    """The time and the CPU of this process from when it is made."""

    def __init__(self) -> None:
        self._cpu_s, self._at_s = cpu_of_this_process(), time.monotonic()

    def end(self) -> None:
        """End."""
        self.run = Run(cpu_of_this_process() - self._cpu_s, time.monotonic() - self._at_s)


def cpu_of_this_process() -> float:
    """Give user and system time, in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def mosquitto_sub(port: int, messages: int) -> Run:
    """Receive with mosquitto's own client, written in C, into nothing; its start is in it."""
    command = ["mosquitto_sub", "-p", str(port), "-q", "1", "-t", "#", "-i", "bench", "-c"]
    began_s = time.monotonic()
    child = subprocess.Popen([*command, "-C", str(messages)], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, "mosquitto_sub failed"
    return Run(used.ru_utime + used.ru_stime, time.monotonic() - began_s)


CONTENDERS: dict[str, Callable[[int, int, Version], Run]] = {"ours": ours, "stock": stock}
TURNS: dict[str, tuple[str, Version]] = {
    "ours, fdatasync before the ack": ("ours", "3.1.1"),
    "ours, the same, MQTT 5": ("ours", "5"),
    "paho, auto ack, no disk": ("stock", "3.1.1"),
    "mosquitto_sub, no disk": ("mosquitto_sub", "3.1.1"),
}


def turn(name: str, messages: int) -> Run:
    """Let one contender receive, in a process of its own."""
    kind, version = TURNS[name]
    me = [sys.executable, "-m", "tests.bench.receiving", "--messages", str(messages)]
    me += ["--version", version]
    with subprocess.Popen([*me, "--as", "feed"], stdout=subprocess.PIPE, text=True) as feeder:
        assert feeder.stdout is not None
        try:
            port = int(feeder.stdout.readline())
            if kind == "mosquitto_sub":
                return mosquitto_sub(port, messages)
            told = subprocess.check_output(
                [*me, "--as", kind, "--port", str(port)], timeout=LIMIT_S
            )
            return Run(*json.loads(told.splitlines()[-1]))  # the log comes before
        finally:
            feeder.kill()


def measure(messages: int, repeats: int) -> list[Row]:
    """Let all take turns."""
    runs: dict[str, list[Run]] = {name: [] for name in TURNS}
    for repeat in range(repeats):
        for name in list(TURNS)[:: 1 if repeat % 2 == 0 else -1]:
            runs[name].append(turn(name, messages))
    cpu = {name: statistics.median(run.cpu_s for run in of) for name, of in runs.items()}
    seconds = {name: statistics.median(run.seconds for run in of) for name, of in runs.items()}
    return [
        Row(name, cpu[name] / messages * 1e6, messages / seconds[name], cpu[name] / cpu[least])
        for least in list(TURNS)[:1]
        for name in TURNS
    ]


def main() -> None:
    """Measure and print, or be one of those that take part."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=300_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--as", dest="part", choices=["feed", *CONTENDERS])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--version", choices=["3.1.1", "5"], default="3.1.1")
    told = parser.parse_args()
    messages = told.messages // SLAB * SLAB
    if told.part == "feed":
        feed(told.version, messages)
    elif told.part:
        print(json.dumps(CONTENDERS[told.part](told.port, messages, told.version)))
    else:
        rows = measure(messages, told.repeats)
        if told.json:
            print(json.dumps([row._asdict() for row in rows]))
            return
        print(f"{'reader':<34}{'µs CPU/message':>16}{'messages/s':>14}{'x ours':>8}")
        for row in rows:
            print(f"{row.name:<34}{row.cpu_us:>16.2f}{row.messages_per_s:>14,.0f}{row.ratio:>8.1f}")


if __name__ == "__main__":
    main()
