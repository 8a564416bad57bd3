"""Receivers at work, and a broker's end of a connection by hand."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from contracts.endpoint import Endpoint
from contracts.errors import TransientError
from contracts.message import Address, Message
from ingest.blocks import Received
from ingest.frames import frame_at
from ingest.journal import Journal
from ingest.mqtt.publisher import Publisher
from ingest.mqtt.receiver import Receiver
from tests.mosquitto import free_address, mosquitto_running

EVERYTHING = 1 << 40
NOWHERE = Address("127.0.0.1", 1)
WITHIN_S = 20.0


def receiver_of(broker: Address | Endpoint, journal: Journal, **options: int) -> Receiver:
    return Receiver(broker, topics=["plant/#"], client_id="r", journal=journal, **options)


@contextmanager
def at_work(receiver: Receiver) -> Iterator[Receiver]:
    """Run it in a thread of its own until the block ends."""
    stop = threading.Event()
    thread = threading.Thread(target=receiver.run, args=(stop,))
    thread.start()
    try:
        yield receiver
    finally:
        stop.set()
        thread.join(5)
        assert not thread.is_alive()


@contextmanager
def running(receiver: Receiver) -> Iterator[Receiver]:
    """The same, subscribed."""
    with at_work(receiver):
        eventually(lambda: receiver.connected)
        yield receiver


def eventually(is_so: Callable[[], bool], *, within_s: float = WITHIN_S) -> None:
    until = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)


def publish(broker: Address | Endpoint, numbers: range, *, size: int = 20) -> None:
    with Publisher(broker, client_id="p") as publisher:
        for number in numbers:
            publisher.publish(f"plant/{number % 7}", str(number).encode().rjust(size))


def everything_in(journal: Journal, since: int | None = None) -> list[Message]:
    return journal.read(journal.start if since is None else since, limit_bytes=EVERYTHING)


def numbers_in(journal: Journal, since: int | None = None) -> list[int]:
    return [int(message.payload) for message in everything_in(journal, since)]


@contextmanager
def mosquitto_at(program: str, folder: Path, *settings: str) -> Iterator[Address]:
    """Run mosquitto, which keeps everything for whoever is away."""
    address = free_address()
    lines = [f"listener {address.port} 127.0.0.1", "allow_anonymous true", "max_queued_messages 0"]
    with mosquitto_running(program, folder, "\n".join([*lines, *settings, ""]), address.port):
        yield address


@contextmanager
def full_journal(folder: Path) -> Iterator[Journal]:
    """A journal without space for anything; trimmed to its end it has some."""
    with Journal.open(folder, limit_bytes=1 << 20, segment_bytes=1 << 14) as journal:
        for size in (9000, 100, 0):
            with suppress(TransientError):
                while True:
                    journal.append([Received("-", b"0" * size, 0, retained=False)])
        yield journal


class Peer:
    """A broker's end of one connection, by hand."""

    def __init__(self, server: socket.socket) -> None:
        server.settimeout(WITHIN_S)
        self.wire, _ = server.accept()
        self.wire.settimeout(WITHIN_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wire.close()

    def greet(self, grants: bytes = b"\1") -> None:
        """Take CONNECT and the subscription."""
        assert self.frame()[0] == 0x10
        self.wire.sendall(b"\x20\x02\0\0")
        self.grant(grants)

    def grant(self, grants: bytes) -> bytes:
        """Take a subscription and answer it; give what was asked for."""
        asked = self.frame()
        assert asked[0] == 0x82
        self.wire.sendall(bytes([0x90, 2 + len(grants)]) + asked[2:4] + grants)
        return asked[4:]

    def frame(self) -> bytes:
        """Take one frame; nothing at the end of the connection."""
        data = b""
        while not data or (found := frame_at(data, 0)) is None or len(data) < found.end:
            part = self.wire.recv(1)
            if not part:
                return b""
            data += part
        return data

    def acknowledged(self, count: int) -> list[int]:
        """Take so many acknowledgements; give their packet ids."""
        frames = [self.frame() for _ in range(count)]
        assert all(frame[:2] == b"\x40\x02" for frame in frames), frames
        return [int.from_bytes(frame[2:], "big") for frame in frames]

    def say_farewell(self) -> None:
        """Answer what a receiver asks before it leaves, and wait until it has."""
        self.grant(b"\1")
        while frame := self.frame():
            last = frame
        assert last == b"\xe0\0"


@contextmanager
def listening() -> Iterator[tuple[socket.socket, Address]]:
    """A port where a `Peer` can take connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server, Address(*server.getsockname())
