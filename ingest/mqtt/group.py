"""What was read from one connection, and is not in the journal yet."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from ingest.blocks import Chunk
from ingest.frames import without_ids

if TYPE_CHECKING:
    from ingest.stream import Publishes


class Block(NamedTuple):
    """What goes into the journal at once."""

    chunks: list[Chunk]
    packet_ids: list[bytes]  # to be acknowledged then

    @property
    def message_count(self) -> int:
        """The number of its messages."""
        return sum(chunk.message_count for chunk in self.chunks)


class Group:
    """Messages in the order in which they came."""

    def __init__(self) -> None:
        self.message_count = 0
        self.byte_count = 0
        self._chunks: list[Chunk] = []
        self._packet_ids: list[list[bytes]] = []  # of each chunk

    def add(self, part: Publishes) -> None:
        """Add what came just now."""
        received_us = time.time_ns() // 1000
        self._add(Chunk(received_us, part.message_count, part.frames), part.packet_ids)

    def _add(self, chunk: Chunk, packet_ids: list[bytes]) -> None:
        self._chunks.append(chunk)
        self._packet_ids.append(packet_ids)
        self.message_count += chunk.message_count
        self.byte_count += len(chunk.frames)

    def first_block(self, *, bytes_max: int) -> Block | None:
        """Give the first messages, about as many as that; None if there are none."""
        count, size = 0, 0
        for chunk in self._chunks:
            size += len(chunk.frames)
            if count and size > bytes_max:
                break
            count += 1
        packet_ids = [one for ids in self._packet_ids[:count] for one in ids]
        return Block(self._chunks[:count], packet_ids) if count else None

    def remove(self, block: Block) -> None:
        """Remove the first block: it is in the journal."""
        count = len(block.chunks)
        del self._chunks[:count], self._packet_ids[:count]
        self.message_count -= block.message_count
        self.byte_count -= sum(len(chunk.frames) for chunk in block.chunks)

    def of_qos_0(self) -> Group:
        """Give what the broker will not send again when the connection is lost."""
        kept = Group()
        for chunk in self._chunks:
            frames, count = without_ids(chunk.frames)
            if count:
                kept._add(Chunk(chunk.received_us, count, frames), [])
        return kept
