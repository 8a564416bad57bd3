"""How messages are laid out in a journal file: a header, then blocks guarded by a CRC.

All numbers are little-endian. A file begins with

    "gainjrn1" | mark (8 random bytes) | first position u64 | CRC32 of the above u32

and each block is

    mark of the file | body length u32 | first position u64 | message count u32 | CRC32 u32 | body

where the CRC is of the body and of the block's header before it. The mark is random, so no bytes
of another file, and none that a sender could put into a payload, pass for a block. The upper 4 bits
of the message count say what the body is: 0, messages one by one; 4 or 5, PUBLISH frames of that
version of MQTT as they came, in chunks of

    received_us i64 | length u32 | frames
"""

from __future__ import annotations

import struct
import zlib
from itertools import count, repeat
from typing import TYPE_CHECKING, NamedTuple

from contracts.message import NOT_UTF8, Message, Origin
from ingest.frames import MQTT_3, MQTT_5, published

if TYPE_CHECKING:
    from collections.abc import Sequence

# One fsync of size and name per 16 MiB is nothing; opening reads at most one file of this size,
# and trimming frees the disk in steps of it.
SEGMENT_BYTES = 16 * 1024 * 1024

# With fewer, the file being written and the file being read would be the whole journal.
SEGMENT_COUNT_MIN = 4
JOURNAL_BYTES_MIN = SEGMENT_COUNT_MIN * SEGMENT_BYTES  # half of it holds any message: frames.py

MAGIC = b"gainjrn1"
MARK_BYTES = 8

_FILE = struct.Struct("<8s8sQ")
_BLOCK = struct.Struct("<8sIQI")
_CRC = struct.Struct("<I")
_MESSAGE = struct.Struct("<IIqB")  # topic bytes, payload bytes, received_us, flags
_ORIGIN = struct.Struct("<Hq")  # name bytes, number; after the header of a message that has one
_CHUNK = struct.Struct("<qI")  # received_us, bytes of the frames
_RETAINED = 1
_HAS_ORIGIN = 2

ONE_BY_ONE = 0
KINDS = frozenset({ONE_BY_ONE, MQTT_3, MQTT_5})
_KIND_SHIFT = 28
MESSAGE_COUNT_MAX = (1 << _KIND_SHIFT) - 1  # of one block

FILE_HEADER_BYTES = _FILE.size + _CRC.size
BLOCK_HEADER_BYTES = _BLOCK.size + _CRC.size
MESSAGE_HEADER_BYTES = _MESSAGE.size


class Received(NamedTuple):
    """A message as it came, before the journal gives it a position."""

    topic: str
    payload: bytes
    received_us: int
    retained: bool
    origin: Origin | None = None


class Chunk(NamedTuple):
    """PUBLISH frames that were received at once."""

    received_us: int
    message_count: int
    frames: bytes


class Body(NamedTuple):
    """What a block is to hold, laid out."""

    kind: int
    message_count: int
    data: bytes


class FileHeader(NamedTuple):
    """What a journal file says of itself."""

    mark: bytes
    position: int  # of the first message


class BlockHeader(NamedTuple):
    """What a block says of itself."""

    body_bytes: int
    position: int  # of the first message
    message_count: int
    crc: int
    kind: int = ONE_BY_ONE

    @property
    def end(self) -> int:
        """The position after the last message."""
        return self.position + self.message_count


def encode_file_header(header: FileHeader) -> bytes:
    """Lay out the header of a file.

    >>> decode_file_header(encode_file_header(FileHeader(b"01234567", 42)))
    FileHeader(mark=b'01234567', position=42)
    """
    head = _FILE.pack(MAGIC, header.mark, header.position)
    return head + _CRC.pack(zlib.crc32(head))


def decode_file_header(data: bytes) -> FileHeader | None:
    """Read the header of a file; None if it is not whole."""
    head = data[: _FILE.size]
    if data[_FILE.size : FILE_HEADER_BYTES] != _CRC.pack(zlib.crc32(head)):
        return None
    magic, mark, position = _FILE.unpack(head)
    return FileHeader(mark, position) if magic == MAGIC else None


def encode_body(messages: Sequence[Received]) -> Body:
    """Lay out messages as the body of a block."""
    parts: list[bytes] = []
    for topic, payload, received_us, retained, origin in messages:
        name = topic.encode()
        flags = _RETAINED * retained
        if origin is None:
            parts += (_MESSAGE.pack(len(name), len(payload), received_us, flags), name, payload)
            continue
        label = origin.name.encode()
        head = _MESSAGE.pack(len(name), len(payload), received_us, flags | _HAS_ORIGIN)
        parts += (head, _ORIGIN.pack(len(label), origin.number), label, name, payload)
    return Body(ONE_BY_ONE, len(messages), b"".join(parts))


def encode_frames(chunks: Sequence[Chunk], protocol: int) -> Body:
    """Lay out PUBLISH frames of one version of MQTT as the body of a block."""
    parts: list[bytes] = []
    for received_us, _, frames in chunks:
        parts += (_CHUNK.pack(received_us, len(frames)), frames)
    return Body(protocol, sum(chunk.message_count for chunk in chunks), b"".join(parts))


def encode_block_header(body: Body, *, mark: bytes, position: int) -> bytes:
    """Lay out what stands before a body; `position` is that of its first message."""
    head = _BLOCK.pack(mark, len(body.data), position, _kind_and_count(body))
    return head + _CRC.pack(zlib.crc32(body.data, zlib.crc32(head)))


def encode_block(body: Body, *, mark: bytes, position: int) -> bytes:
    """Lay out one block; `position` is that of its first message."""
    return encode_block_header(body, mark=mark, position=position) + body.data


def _kind_and_count(block: Body | BlockHeader) -> int:
    return block.kind << _KIND_SHIFT | block.message_count


def decode_block_header(data: bytes, offset: int = 0, *, mark: bytes) -> BlockHeader | None:
    """Read the header of the block at `offset`; None if there is none of this file."""
    if not data.startswith(mark, offset) or len(data) - offset < BLOCK_HEADER_BYTES:
        return None
    _, body_bytes, position, tally = _BLOCK.unpack_from(data, offset)
    (crc,) = _CRC.unpack_from(data, offset + _BLOCK.size)
    kind, message_count = tally >> _KIND_SHIFT, tally & MESSAGE_COUNT_MAX
    return BlockHeader(body_bytes, position, message_count, crc, kind)


def is_whole(header: BlockHeader, body: bytes | memoryview, *, mark: bytes) -> bool:
    """Say whether this is the body that the header was written for, to the last bit."""
    head = _BLOCK.pack(mark, header.body_bytes, header.position, _kind_and_count(header))
    return len(body) == header.body_bytes and zlib.crc32(body, zlib.crc32(head)) == header.crc


def decode_body(header: BlockHeader, body: bytes) -> list[Message]:
    """Read the messages of a whole block.

    >>> body = encode_body([Received("a", b"x", 7, False)])
    >>> block = encode_block(body, mark=b"01234567", position=3)
    >>> header = decode_block_header(block, mark=b"01234567")
    >>> decode_body(header, block[BLOCK_HEADER_BYTES:])
    [Message(position=3, topic='a', payload=b'x', received_us=7, retained=False, origin=None)]
    """
    if header.kind == ONE_BY_ONE:
        return _decode_one_by_one(header, body)
    return _decode_frames(header, body)


def _decode_one_by_one(header: BlockHeader, body: bytes) -> list[Message]:
    messages = []
    offset = 0
    for position in range(header.position, header.end):
        topic_bytes, payload_bytes, received_us, flags = _MESSAGE.unpack_from(body, offset)
        offset += _MESSAGE.size
        origin = None
        if flags & _HAS_ORIGIN:
            label_bytes, number = _ORIGIN.unpack_from(body, offset)
            offset += _ORIGIN.size + label_bytes
            origin = Origin(body[offset - label_bytes : offset].decode(), number)
        payload_at = offset + topic_bytes
        topic = body[offset:payload_at].decode()
        offset = payload_at + payload_bytes
        payload = body[payload_at:offset]
        is_retained = bool(flags & _RETAINED)
        messages.append(Message(position, topic, payload, received_us, is_retained, origin))
    return messages


def _decode_frames(header: BlockHeader, body: bytes) -> list[Message]:
    topics: list[bytes] = []
    payloads: list[bytes] = []
    times_us: list[int] = []
    retained: list[bool] = []
    offset = 0
    while offset < len(body):
        received_us, frame_bytes = _CHUNK.unpack_from(body, offset)
        offset += _CHUNK.size
        found = published(body, offset, offset + frame_bytes, header.kind)
        offset += frame_bytes
        topics += found.topics
        payloads += found.payloads
        times_us += [received_us] * len(found.topics)
        retained += found.retained
    names = {topic: _name_of(topic) for topic in set(topics)}
    columns = zip(
        count(header.position),
        map(names.__getitem__, topics),
        payloads,
        times_us,
        retained,
        repeat(None),
        strict=False,  # the first and the last column never end
    )
    # what Message(…) does, at a third of the time: this is done for every message
    return list(map(tuple.__new__, repeat(Message), columns))


def _name_of(topic: bytes) -> str:
    try:
        return topic.decode()
    except UnicodeDecodeError:
        return NOT_UTF8 + topic.decode(errors="backslashreplace")
