"""How messages are laid out in a journal file: a header, then blocks guarded by a CRC.

All numbers are little-endian. A file begins with

    "gainjrn1" | mark (8 random bytes) | first position u64 | CRC32 of the above u32

and each block is

    mark of the file | body length u32 | first position u64 | message count u32 | CRC32 u32 | body

where the CRC is of the body and of the block's header before it. The mark is random, so no bytes
of another file, and none that a sender could put into a payload, pass for a block.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

from contracts.message import Message, Origin

if TYPE_CHECKING:
    from collections.abc import Sequence

MAGIC = b"gainjrn1"
MARK_BYTES = 8

_FILE = struct.Struct("<8s8sQ")
_BLOCK = struct.Struct("<8sIQI")
_CRC = struct.Struct("<I")
_MESSAGE = struct.Struct("<IIqB")  # topic bytes, payload bytes, received_us, flags
_ORIGIN = struct.Struct("<Hq")  # name bytes, number; after the header of a message that has one
_RETAINED = 1
_HAS_ORIGIN = 2

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


def encode_body(messages: Sequence[Received]) -> bytes:
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
    return b"".join(parts)


def encode_block(body: bytes, *, mark: bytes, position: int, message_count: int) -> bytes:
    """Lay out one block; `position` is that of its first message."""
    head = _BLOCK.pack(mark, len(body), position, message_count)
    return b"".join((head, _CRC.pack(zlib.crc32(body, zlib.crc32(head))), body))


def decode_block_header(data: bytes, offset: int = 0, *, mark: bytes) -> BlockHeader | None:
    """Read the header of the block at `offset`; None if there is none of this file."""
    if not data.startswith(mark, offset) or len(data) - offset < BLOCK_HEADER_BYTES:
        return None
    _, body_bytes, position, message_count = _BLOCK.unpack_from(data, offset)
    (crc,) = _CRC.unpack_from(data, offset + _BLOCK.size)
    return BlockHeader(body_bytes, position, message_count, crc)


def is_whole(header: BlockHeader, body: bytes | memoryview, *, mark: bytes) -> bool:
    """Say whether this is the body that the header was written for, to the last bit."""
    head = _BLOCK.pack(mark, header.body_bytes, header.position, header.message_count)
    return len(body) == header.body_bytes and zlib.crc32(body, zlib.crc32(head)) == header.crc


def decode_body(header: BlockHeader, body: bytes) -> list[Message]:
    """Read the messages of a whole block.

    >>> body = encode_body([Received("a", b"x", 7, False)])
    >>> block = encode_block(body, mark=b"01234567", position=3, message_count=1)
    >>> header = decode_block_header(block, mark=b"01234567")
    >>> decode_body(header, block[BLOCK_HEADER_BYTES:])
    [Message(position=3, topic='a', payload=b'x', received_us=7, retained=False, origin=None)]
    """
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
