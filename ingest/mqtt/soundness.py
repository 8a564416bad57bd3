"""Checks at the start that the bulk reader hears of a broker what paho hears."""

from __future__ import annotations

import socket
from functools import cache
from typing import NamedTuple

import structlog

from contracts.endpoint import Endpoint, Version
from contracts.errors import UnreachableError
from contracts.message import Address
from ingest.frames import published
from ingest.mqtt.bulk import BulkClient
from ingest.mqtt.client import Session, connect, new_client
from ingest.mqtt.stock import StockClient
from ingest.stream import Publishes

ReaderClient = BulkClient | StockClient

# A connection that the peer of `socketpair` makes with whoever asks: nothing listens there.
_NOWHERE = Address("127.0.0.1", 1)
_SESSION = Session("check", is_kept=True, is_acked_by_hand=True)
_WAIT_S = 2.0  # for bytes that are there already
_TURN_COUNT = 50  # a client that needs more to read these few bytes does not read

_PINGRESP = b"\xd0\0"
_ANSWERS: dict[
    Version, tuple[bytes, bytes]
] = {  # to CONNECT, then messages of each kind, with an answer to a ping between them
    "3.1.1": (
        b"\x20\x02\0\0" + b"\x30\x06\0\x03a/bx" + b"\x33\x06\0\x01c\0\x07y" + _PINGRESP,
        b"\x32\x88\x01\0\x03d/\xff\xff\xfe" + b"z" * 129 + b"\x3a\x07\0\x03e/f\0\x01",
    ),
    "5": (
        b"\x20\x03\0\0\0" + b"\x30\x09\0\x03a/b\x02\x01\1x" + b"\x33\x07\0\x01c\0\x07\0y",
        _PINGRESP + b"\x32\x8b\x01\0\x03d/\xff\xff\xfe\x02\x01\0" + b"z" * 129,
    ),
}
_ALL_BUT = 3  # bytes: the rest comes later, in the middle of a frame


class _Heard(NamedTuple):
    messages: list[tuple[bytes, bytes, bool]]
    acknowledged: bytes
    is_connected: bool


def reader_kind() -> type[ReaderClient]:
    """Choose the bulk reader, or paho as it comes where that one does not hear the same."""
    if bulk_is_sound(BulkClient):
        return BulkClient
    structlog.get_logger().warning(
        "bulk_reader_unusable", instead="paho's own, at more than ten times the CPU"
    )
    return StockClient


@cache
def bulk_is_sound(kind: type[BulkClient]) -> bool:
    """Tell whether it hears what paho hears: the messages, the answers, and is heard itself."""
    try:
        return all(_heard(kind, version) == _heard(StockClient, version) for version in _ANSWERS)
    except (AttributeError, TypeError, LookupError, ValueError, OSError, UnreachableError):
        return False  # what using names that mean something else now leads to


def _heard(kind: type[ReaderClient], version: Version) -> _Heard:
    ours, brokers = socket.socketpair()

    class Paired(kind):  # type: ignore[misc, valid-type]  # either
        def _create_socket(self) -> socket.socket:
            return ours

    endpoint = Endpoint(_NOWHERE, version=version)
    client: ReaderClient = new_client(endpoint, _SESSION, Paired)
    client.on_socket_open = None  # it sets what only TCP has
    parts: list[Publishes] = []
    client.on_publishes = parts.append
    with ours, brokers:
        brokers.settimeout(_WAIT_S)
        connect(client, endpoint, _SESSION)
        brokers.recv(4096)
        first, last = _ANSWERS[version]
        for piece in (first + last[:-_ALL_BUT], last[-_ALL_BUT:]):
            brokers.sendall(piece)
            for _ in range(_TURN_COUNT):
                client.loop_read()
        client.acknowledge([packet_id for part in parts for packet_id in part.packet_ids])
        acknowledged = brokers.recv(4096)
        is_connected = client.is_connected()
    messages = [row for part in parts for row in _rows(part.frames, client.frame_protocol)]
    return _Heard(messages, acknowledged, is_connected)


def _rows(frames: bytes, protocol: int) -> list[tuple[bytes, bytes, bool]]:
    return list(zip(*published(frames, 0, len(frames), protocol), strict=True))
