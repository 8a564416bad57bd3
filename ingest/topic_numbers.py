"""Numbers the topics that are tags of their own, with what is the same in all their messages."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

TOPIC_KEY_BYTES = 8
IS_TOPIC_KEY = 1  # in its first byte


class TopicNumbers:
    """Topics that are tags, each with a number: 0, 1, 2, … in the order in which they came.

    Columns by number say what is the same in all messages of a topic.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all: what was a tag may be none any more."""
        self._numbers: dict[str, int] = {}
        self.keys: list[bytes] = []
        self.hashes = np.empty(0, np.int64)  # the keys as numbers
        self.names = pa.array([], pa.string())
        self.lengths = np.empty(0, np.int64)  # of the names in characters

    def of(
        self, topics: Sequence[str], is_tag: Callable[[str], bool]
    ) -> npt.NDArray[np.int32] | None:
        """Give the number of each topic; None if any is no tag.

        What `is_tag` has said of one is not asked again until `clear`.
        """
        try:
            return self._of(topics)
        except KeyError:
            return self._of(topics) if self._learn(topics, is_tag) else None

    def _of(self, topics: Sequence[str]) -> npt.NDArray[np.int32]:
        return np.fromiter(map(self._numbers.__getitem__, topics), np.int32, len(topics))

    def _learn(self, topics: Sequence[str], is_tag: Callable[[str], bool]) -> bool:
        fresh = [topic for topic in dict.fromkeys(topics) if topic not in self._numbers]
        if not all(map(is_tag, fresh)):
            return False
        for number, topic in enumerate(fresh, len(self._numbers)):
            self._numbers[topic] = number
        self.keys.extend(map(topic_key_of, fresh))
        self.hashes = np.frombuffer(b"".join(self.keys), np.int64)
        names = list(self._numbers)
        self.names = pa.array(names, pa.string())
        self.lengths = np.fromiter(map(len, names), np.int64, len(names))
        return True


@lru_cache(maxsize=1 << 16)  # topics of the largest plants; those beyond are hashed again
def topic_key_of(topic: str) -> bytes:
    """Hash a topic, for the keys of its single readings. See ingest/recent.py."""
    key = blake2b(topic.encode(), digest_size=TOPIC_KEY_BYTES).digest()
    return bytes((key[0] | IS_TOPIC_KEY,)) + key[1:]
