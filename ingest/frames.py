"""The frames of MQTT 3.1.1 and 5 in the bytes of a connection.

A frame is a byte that says what it is, its length in one to four bytes of 7 bits each, and that
many bytes. Those of a PUBLISH are its topic, a packet id unless its QoS is 0, in MQTT 5 properties,
and the payload. The loops below take most of the time that a message costs, hence their looks:
`publishes` and `published` each walk the headers in line, as a call for each frame would cost more
than what it shares; what changes in one changes in the other.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

# What CONNECT calls the version; a connection speaks one.
MQTT_3 = 4  # 3.1.1
MQTT_5 = 5

# A broker may hand on messages of up to 256 MiB, and each must be in memory once and fit a block of
# the journal. What is longer than this is kept as far as it goes: a dead letter in any case, as no
# limit on payloads may be set above half of it.
MESSAGE_BYTES_MAX = 16 * 1024 * 1024

U16_MAX = (1 << 16) - 1

_KIND = 0xF0
_PUBLISH = 0x30
# The kind and the QoS: neither "sent again", which brokers get wrong, nor "retained" matters here.
_KIND_AND_QOS = 0xF6
_QOS_0 = _PUBLISH
_QOS_1 = _PUBLISH | 2
_RETAINED = 1
_HAS_ID = 6

_PUBACK = b"\x40\x02"
_U16 = struct.Struct(">H")


class FrameError(ValueError):
    """Bytes that are not MQTT, or not what we subscribed to."""


class Frame(NamedTuple):
    """Where a frame stands in the bytes it was found in, of which it may be longer."""

    head: int  # its first byte
    body: int  # where that is over which its length counts
    end: int

    @property
    def is_publish(self) -> bool:
        """Say whether it brings a message."""
        return self.head & _KIND == _PUBLISH


class Run(NamedTuple):
    """Whole PUBLISH frames without anything between them."""

    end: int
    message_count: int
    packet_ids: list[bytes]  # of those with QoS 1, in order


def publishes(data: bytes, at: int, protocol: int) -> Run:  # noqa: C901  # one tight loop
    r"""Walk the whole PUBLISH frames of QoS 0 and 1 from `at` on, as far as they are sound.

    >>> publishes(b"0\x04\0\x01ax" + b"2\x06\0\x01a\0\x07y" + b"0\x04\0", 0, MQTT_3)
    Run(end=14, message_count=2, packet_ids=[b'\x00\x07'])
    """
    packet_ids: list[bytes] = []
    note, size, has_properties = packet_ids.append, len(data), protocol == MQTT_5
    without_id_count = 0
    try:
        while True:
            head, length, body = data[at], data[at + 1], at + 2
            if length > 127:
                length += (data[body] - 1) << 7
                body += 1
                if length > 16_383:
                    length, body = _length(data, at + 1)
            end = body + length
            if end > size:
                break
            rest = body + 2 + (data[body] << 8 | data[body + 1])
            if head & _KIND_AND_QOS == _QOS_1:
                packet_id = data[rest : rest + 2]
                rest += 2
            elif head & _KIND_AND_QOS == _QOS_0:
                packet_id = b""
            else:
                break
            if has_properties:
                length, rest = _length(data, rest) if data[rest] > 127 else (data[rest], rest + 1)
                rest += length
            if rest > end:
                break
            if packet_id:
                note(packet_id)
            else:
                without_id_count += 1
            at = end
    except (IndexError, FrameError):
        pass  # the rest of this frame is still to come, or it is broken
    return Run(at, len(packet_ids) + without_id_count, packet_ids)


def frame_at(data: bytes, at: int) -> Frame | None:
    """Tell where the frame at `at` ends; None if its header is still to come.

    >>> frame_at(b"__" + bytes([0xD0, 0]), 2)
    Frame(head=208, body=4, end=4)
    """
    try:
        length, body = _length(data, at + 1)
    except IndexError:
        return None
    return Frame(data[at], body, body + length)


def _length(data: bytes, at: int) -> tuple[int, int]:
    """Read a length of one to four bytes; give it and where it ends."""
    value = 0
    for shift in (0, 7, 14, 21):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise FrameError("a length of more than four bytes")


class Published(NamedTuple):
    """What a run of PUBLISH frames brought, column by column."""

    topics: list[bytes]
    payloads: list[bytes]
    retained: list[bool]


def published(data: bytes, at: int, until: int, protocol: int) -> Published:
    r"""Read the PUBLISH frames between `at` and `until`, which `publishes` has walked before.

    >>> published(b"1\x04\0\x01ax", 0, 6, MQTT_3)
    Published(topics=[b'a'], payloads=[b'x'], retained=[True])
    """
    found = Published([], [], [])
    add_topic, add_payload = found.topics.append, found.payloads.append
    add_retained, has_properties = found.retained.append, protocol == MQTT_5
    while at < until:
        head, length, body = data[at], data[at + 1], at + 2
        if length > 127:
            length += (data[body] - 1) << 7
            body += 1
            if length > 16_383:
                length, body = _length(data, at + 1)
        end = body + length
        body += 2
        rest = body + (data[body - 2] << 8 | data[body - 1])
        add_topic(data[body:rest])
        if head & _HAS_ID:
            rest += 2
        if has_properties:
            length, rest = _length(data, rest) if data[rest] > 127 else (data[rest], rest + 1)
            rest += length
        add_payload(data[rest:end])
        add_retained(head & _RETAINED == _RETAINED)
        at = end
    return found


def without_ids(data: bytes) -> tuple[bytes, int]:
    """Keep of PUBLISH frames those of QoS 0, which nobody will send again; and count them."""
    kept, at = [], 0
    while frame := frame_at(data, at) if at < len(data) else None:
        if not frame.head & _HAS_ID:
            kept.append(data[at : frame.end])
        at = frame.end
    return b"".join(kept), len(kept)


def shortened(data: bytes, protocol: int) -> bytes:
    r"""Make a whole PUBLISH frame, without properties, of the beginning of one that goes on.

    >>> shortened(b"0\x7f\0\x01a" + b"what is there of 124 bytes", MQTT_3)
    b'0\x1d\x00\x01awhat is there of 124 bytes'
    """
    try:
        body = _length(data, 1)[1]
        rest = body + 2 + (data[body] << 8 | data[body + 1])
        if data[0] & _HAS_ID:
            rest += 2
        name, payload = data[body:rest], data[rest:]
        if protocol == MQTT_5:
            length, at = _length(data, rest)
            # a beginning that the properties take up could pass for a short payload
            name, payload = name + b"\0", data[at + length :] if length <= U16_MAX else b""
    except IndexError:
        raise FrameError("a message that is shorter than its topic") from None
    return bytes([data[0]]) + _length_of(len(name) + len(payload)) + name + payload


def publish_frame(topic: bytes, payload: bytes, *, packet_id: int, retained: bool) -> bytes:
    r"""Lay out a message as MQTT 3.1.1 does; packet id 0 stands for QoS 0.

    >>> publish_frame(b"a", b"x", packet_id=7, retained=True)
    b'3\x06\x00\x01a\x00\x07x'
    """
    head = (_QOS_1 if packet_id else _QOS_0) | retained
    mark = _U16.pack(packet_id) if packet_id else b""
    length = _length_of(2 + len(topic) + len(mark) + len(payload))
    return b"".join((bytes([head]), length, _U16.pack(len(topic)), topic, mark, payload))


def _length_of(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def acknowledgements(packet_ids: list[bytes]) -> bytes:
    r"""Lay out a PUBACK for each packet id; MQTT 5 reads them as a success without properties.

    >>> acknowledgements([b"\0\x01", b"\0\x02"])
    b'@\x02\x00\x01@\x02\x00\x02'
    """
    return _PUBACK + _PUBACK.join(packet_ids) if packet_ids else b""
