"""A sender and a reader that cost next to nothing, so that they are never the limit.

    python -m tests.bench.wire send HOST:PORT --messages N --shape reading|columns [--rate R]
    python -m tests.bench.wire drain HOST:PORT --messages N

Both speak MQTT 3.1.1 on a bare socket, QoS 1. `send` keeps at most WINDOW messages under way and
stamps each with the time at which it is made; `drain` acknowledges what comes and does no more.
"""

from __future__ import annotations

import argparse
import json
import resource
import socket
import struct
import time

WINDOW = 2_000
TOPICS = 1_000
ROWS = 40  # of five metrics: 200 readings
METRICS = ("temperature_c", "vibration_mm_s", "power_kw", "good_count", "state")
GATEWAY = "bench"


def connect(address: str, client_id: str, *, clean: bool) -> socket.socket:
    """Connect and wait for the answer."""
    host, port = address.rsplit(":", 1)
    wire = socket.create_connection((host, int(port)), timeout=30)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    name = client_id.encode()
    body = (
        b"\0\4MQTT\4" + bytes([2 if clean else 0]) + b"\0\0" + struct.pack(">H", len(name)) + name
    )
    wire.sendall(b"\x10" + length_of(len(body)) + body)
    assert read_exactly(wire, 4)[3] == 0, "the broker refuses"
    return wire


def length_of(size: int) -> bytes:
    """Write a length as MQTT does."""
    digits = bytearray()
    while True:
        size, digit = divmod(size, 128)
        digits.append(digit | (128 if size else 0))
        if not size:
            return bytes(digits)


def read_exactly(wire: socket.socket, size: int) -> bytes:
    """Read so many bytes."""
    data = b""
    while len(data) < size:
        part = wire.recv(size - len(data))
        assert part, "the broker hung up"
        data += part
    return data


def frame(topic: bytes, packet_id: int, payload: bytes) -> bytes:
    """Lay out a PUBLISH of QoS 1."""
    body = struct.pack(">H", len(topic)) + topic + struct.pack(">H", packet_id) + payload
    return b"\x32" + length_of(len(body)) + body


def payload_of(shape: str, seq: int, epoch: str) -> tuple[bytes, bytes]:
    """Make topic and payload of a message."""
    now_ms = time.time_ns() // 1_000_000
    machine = seq % TOPICS
    head = f'{{"gateway":"{GATEWAY}","epoch":"{epoch}","seq":{seq},"ts":'
    if shape == "reading":
        topic = f"bench/area/line{machine % 20}/machine{machine}/temperature"
        return topic.encode(), f'{head}{now_ms},"value":{20 + seq % 100 / 10}}}'.encode()
    times = ",".join(str(now_ms - 100 * row) for row in range(ROWS))
    columns = ",".join(
        f'"{name}":[{",".join(str((seq + row * 7) % 1000 / 10) for row in range(ROWS))}]'
        for name in METRICS
    )
    topic = f"bench/area/line{machine % 20}/machine{machine}"
    return topic.encode(), f"{head}[{times}],{columns}}}".encode()


def send(address: str, *, messages: int, shape: str, rate: float, epoch: str) -> None:
    """Send, at most WINDOW messages under way, `rate` a second; 0 is as fast as can be."""
    wire = connect(address, f"bench-send-{epoch}", clean=True)
    wire.settimeout(60)
    began_s, sent, acknowledged, owed = time.monotonic(), 0, 0, 0
    while acknowledged < messages:
        allowed = messages if not rate else int((time.monotonic() - began_s) * rate) + 1
        until = min(messages, allowed, acknowledged + WINDOW, sent + 500)
        if until > sent:
            parts = []
            for seq in range(sent, until):
                topic, payload = payload_of(shape, seq, epoch)
                parts.append(frame(topic, seq % 65_535 + 1, payload))
            wire.sendall(b"".join(parts))
            sent = until
        if sent - acknowledged >= WINDOW or sent == messages:
            owed += len(wire.recv(1 << 16))
            acknowledged, owed = acknowledged + owed // 4, owed % 4
        elif rate:
            wire.settimeout(0)
            try:
                owed += len(wire.recv(1 << 16))
            except BlockingIOError:
                time.sleep(0.005)
            wire.settimeout(60)
            acknowledged, owed = acknowledged + owed // 4, owed % 4
    wire.sendall(b"\xe0\0")
    wire.close()


def drain(address: str, *, messages: int) -> float:
    """Acknowledge messages until as many have come; give the seconds from the first to the last."""
    wire = connect(address, "bench-drain", clean=True)
    subscription = struct.pack(">H", 1) + struct.pack(">H", 7) + b"bench/#" + b"\1"
    wire.sendall(b"\x82" + length_of(len(subscription)) + subscription)
    print("ready", flush=True)
    wire.settimeout(60)
    data, count, began_s = b"", 0, 0.0
    while count < messages:
        part = wire.recv(1 << 20)
        assert part, "the broker hung up"
        began_s = began_s or time.monotonic()
        data, answers = walked(data + part)
        wire.sendall(b"".join(answers))
        count += len(answers)
    wire.sendall(b"\xe0\0")
    return time.monotonic() - began_s


def walked(data: bytes) -> tuple[bytes, list[bytes]]:
    """Walk whole frames; give the rest, and the answer to each PUBLISH of QoS 1."""
    answers, at, size = [], 0, len(data)
    while at + 5 <= size:
        length, shift, body = 0, 0, at + 1
        while True:
            digit = data[body]
            length |= (digit & 127) << shift
            shift += 7
            body += 1
            if digit < 128 or body >= size:
                break
        if body + length > size or digit >= 128:
            break
        if data[at] & 0xF6 == 0x32:
            id_at = body + 2 + (data[body] << 8 | data[body + 1])
            answers.append(b"\x40\2" + data[id_at : id_at + 2])
        at = body + length
    return data[at:], answers


def main() -> None:
    """Send or drain, as told."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["send", "drain"])
    parser.add_argument("address")
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--shape", choices=["reading", "columns"], default="reading")
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--epoch", default="1")
    told = parser.parse_args()
    if told.what == "send":
        send(
            told.address,
            messages=told.messages,
            shape=told.shape,
            rate=told.rate,
            epoch=told.epoch,
        )
        return
    seconds = drain(told.address, messages=told.messages)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"seconds": seconds, "cpu_s": used.ru_utime + used.ru_stime}), flush=True)


if __name__ == "__main__":
    main()
