"""Numbers the topics whose tags are known, with what is the same in all their messages."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from ingest.layouts import Layouts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from contracts.message import Message
    from ingest.layouts import Layout

TOPIC_KEY_BYTES = 8
IS_TOPIC_KEY = 1  # in its first byte
_FORGOTTEN_MAX = 1_024  # topics whose columns are kept although their layout has changed


class Stored(NamedTuple):
    """The topic and the tags under which messages are stored; None: a tag that is left out."""

    topic: str
    tags: list[str] | list[str | None]
    is_private: bool = False  # not all is stored as it came


class TopicNumbers:
    """Topics with a layout, each with a number: 0, 1, 2, … in the order in which they came.

    A topic gets one when a message of a layout comes whose tags are known. Columns by number say
    what is the same in all its messages; the tags of a topic lie side by side, from `first_tags`
    on.
    """

    def __init__(self) -> None:
        self.layouts = Layouts()
        self.clear()

    def clear(self) -> None:
        """Forget all topics: what was a tag may be none any more."""
        self._numbers: dict[str, int] = {}
        self._odd: set[str] = set()
        self._topics: list[str] = []
        self._tags: list[str] = []
        self._first_tags: list[int] = []
        self._layouts_of: list[Layout] = []
        self._are_kept: list[bool] = []
        self._are_private: list[bool] = []
        self.keys: list[bytes] = []
        self._spread()

    def retry(self) -> None:
        """Look again at topics whose messages had no layout, or another than before."""
        self._odd.clear()
        if len(self.keys) > 2 * len(self._numbers) + _FORGOTTEN_MAX:
            self.clear()

    def of(
        self, messages: Sequence[Message], stored_as: Callable[[str, Layout], Stored | None]
    ) -> npt.NDArray[np.int64] | None:
        """Give the number of the topic of each message; None if any has no layout.

        `stored_as` says how messages of a topic and a layout are stored, all their tags being
        known, and None if they cannot be such; it is not asked again until `clear`.
        """
        topics = [message.topic for message in messages]
        try:
            return self._of(topics)
        except KeyError:
            return self._of(topics) if self._learn(messages, stored_as) else None

    def doubt(self, message: Message) -> None:
        """Forget the layout of a topic if this message, which was read by itself, has another."""
        number = self._numbers.get(message.topic)
        if number is not None and not self._layouts_of[number].has(message.payload):
            del self._numbers[message.topic]
            self._odd.add(message.topic)

    def stored(self, number: int) -> tuple[str, list[str]]:
        """Give the topic of a number, and its tags, as they are stored; "": left out."""
        first = self._first_tags[number]
        return self._topics[number], self._tags[first : first + len(self._layouts_of[number].paths)]

    def _of(self, topics: list[str]) -> npt.NDArray[np.int64]:
        return np.fromiter(map(self._numbers.__getitem__, topics), np.int64, len(topics))

    def _learn(
        self, messages: Sequence[Message], stored_as: Callable[[str, Layout], Stored | None]
    ) -> bool:
        before = len(self.keys)
        for message in messages:
            topic = message.topic
            if topic in self._numbers:
                continue
            layout = None if topic in self._odd else self.layouts.of(message.payload)
            if layout is None:
                self._odd.add(topic)
                break
            stored = stored_as(topic, layout)
            if stored is None:  # not yet: its tags may be learned with the next message
                break
            self._add(topic, layout, stored)
        if len(self.keys) > before:
            self._spread()
        return topic in self._numbers

    def _add(self, topic: str, layout: Layout, stored: Stored) -> None:
        self._numbers[topic] = len(self.keys)
        self._topics.append(stored.topic)
        self._first_tags.append(len(self._tags))
        self._tags.extend(tag or "" for tag in stored.tags)
        self._are_kept.extend(tag is not None for tag in stored.tags)
        self._are_private.append(stored.is_private)
        self._layouts_of.append(layout)
        self.keys.append(topic_key_of(stored.topic))

    def _spread(self) -> None:
        self.hashes = np.frombuffer(b"".join(self.keys), np.int64)  # the keys as numbers
        self.first_tags = np.array(self._first_tags, np.int64)
        self.tags = pa.array(self._tags, pa.string())
        self.topics = pa.array(self._topics, pa.string())
        self.lengths = np.fromiter(map(len, self._topics), np.int64, len(self._topics))
        self.layout_numbers = np.array([one.number for one in self._layouts_of], np.int64)
        self.are_kept = np.array(self._are_kept, np.bool_)  # of the tags
        self.are_private = np.array(self._are_private, np.bool_)  # of the topics
        self.are_single = np.array([one.is_single for one in self._layouts_of], np.bool_)


def tags_of(topic: str, layout: Layout) -> list[str]:
    """Give the tags of a topic whose messages are of a layout."""
    return [f"{topic}/{path}" if path else topic for path in layout.paths]


@lru_cache(maxsize=1 << 16)  # topics of the largest plants; those beyond are hashed again
def topic_key_of(topic: str) -> bytes:
    """Hash a topic, for the keys of its single readings. See ingest/recent.py."""
    key = blake2b(topic.encode(), digest_size=TOPIC_KEY_BYTES).digest()
    return bytes((key[0] | IS_TOPIC_KEY,)) + key[1:]
