"""Knows the last message of each topic, to recognise one that only repeats it."""

from __future__ import annotations

from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

if TYPE_CHECKING:
    from contracts.message import Message

# more than the topics of the largest plants; beyond it the one heard of longest ago is forgotten
TOPICS_MAX = 65_536
# of a hash: among 65,536 remembered ones a new message looks old with a chance of 2**-112
HASH_BYTES = 16

_ENTRY = np.dtype([("topic", "<u4"), ("hash", np.void, HASH_BYTES)])


class Lasts:
    """A hash of the last message of each topic; `Lasts(lasts.dump())` knows the same.

    A topic is known by a hash of 4 bytes. Two with the same hash make each other forget, which
    stores a message twice; none is taken for another, as the message's hash covers its topic.
    """

    def __init__(self, written: bytes = b"") -> None:
        entries = np.frombuffer(written, _ENTRY)
        self._hashes: dict[int, bytes] = dict(
            zip(entries["topic"].tolist(), entries["hash"].tolist(), strict=True)
        )

    def copy(self) -> Lasts:
        """Copy it."""
        twin = Lasts()
        twin._hashes = self._hashes.copy()
        return twin

    def note(self, message: Message, digest: bytes) -> bool:
        """Note the last message of its topic; tell whether it differs from the one before."""
        topic = _topic_key(message)
        before = self._hashes.pop(topic, None)
        self._hashes[topic] = digest  # at the end: the last one heard of
        return before != digest

    def note_if_known(self, message: Message) -> None:
        """Note the last message of a topic of which one is known."""
        if self._hashes and _topic_key(message) in self._hashes:
            self.note(message, hash_of(message))

    def forget(self) -> None:
        """Forget the oldest beyond the bound; call it once a batch."""
        excess = len(self._hashes) - TOPICS_MAX
        if excess > 0:
            self._hashes = dict(islice(self._hashes.items(), excess, None))

    def dump(self) -> bytes:
        """Write it down."""
        entries = np.empty(len(self._hashes), _ENTRY)
        entries["topic"] = list(self._hashes)
        hashes = b"".join(self._hashes.values())
        entries["hash"] = np.frombuffer(hashes, np.dtype((np.void, HASH_BYTES)))
        return entries.tobytes()


def hash_of(message: Message) -> bytes:
    """Hash topic and payload; a topic has no NUL, so the two cannot run into each other."""
    whole = message.topic.encode(errors="surrogatepass") + b"\0" + message.payload
    return blake2b(whole, digest_size=HASH_BYTES).digest()


def _topic_key(message: Message) -> int:
    return crc32(message.topic.encode(errors="surrogatepass"))
