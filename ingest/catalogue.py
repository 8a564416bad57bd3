"""Knows which tags there are, and holds their number within the limits."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from contracts.batches import NewTag
from ingest.topic_numbers import TopicNumbers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ingest.readings import Decoded, Limits


class Catalogue:
    """The tags that the lake has, each with the gateway that sent it first, and the new ones.

    New tags become known with `settle`, once they are committed; `discard` forgets them.
    """

    def __init__(self, known: Mapping[str, str], limits: Limits) -> None:
        self._known = set(known)
        self._counts = Counter(known.values())
        self._limits = limits
        self._new: dict[str, NewTag] = {}
        self._new_counts: Counter[str] = Counter()
        self.topic_numbers = TopicNumbers()  # of topics that are known tags

    @property
    def new(self) -> tuple[NewTag, ...]:
        """The tags learned since the last commit."""
        return tuple(self._new.values())

    def has(self, tag: str) -> bool:
        """Tell whether a tag is known, or learned since the last commit."""
        return tag in self._known or tag in self._new

    def complaint_of(self, decoded: Decoded) -> str:
        """Say which limit the new tags of a message would break, "" if none."""
        fresh = self._fresh(decoded)
        if not fresh:
            return ""
        total = len(self._known) + len(self._new) + len(fresh)
        if total > self._limits.tags:
            return f"more tags than the limit of the store, {self._limits.tags}"
        gateway = decoded.gateway
        if gateway is None:
            return ""
        own = self._counts[gateway] + self._new_counts[gateway] + len(fresh)
        if own > self._limits.tags_per_gateway:
            return f"more tags than the limit of a gateway, {self._limits.tags_per_gateway}"
        return ""

    def learn(self, decoded: Decoded, topic: str) -> None:
        """Note the tags of a message that is stored; `topic` is that of the message."""
        fresh = self._fresh(decoded)
        if not fresh:
            return
        gateway, stem = decoded.gateway or "", decoded.topic
        for tag in fresh:
            path = None if topic == stem else topic + tag.removeprefix(stem)
            self._new[tag] = NewTag(tag, gateway, path)
        self._new_counts[gateway] += len(fresh)

    def settle(self) -> None:
        """Know the new tags from now on: they are in the lake."""
        self._known.update(self._new)
        self._counts.update(self._new_counts)
        self._new, self._new_counts = {}, Counter()

    def discard(self) -> None:
        """Forget the new tags: they are not in the lake."""
        if self._new:
            self.topic_numbers.clear()
        self._new, self._new_counts = {}, Counter()

    def _fresh(self, decoded: Decoded) -> list[str]:
        topic, known, new = decoded.topic, self._known, self._new
        names = [reading.name for reading in decoded.readings]
        if decoded.columns is not None:
            names += [column.name for column in decoded.columns.columns]
        tags = [f"{topic}/{name}" if name else topic for name in names]
        fresh = [tag for tag in tags if tag not in known and tag not in new]
        return list(dict.fromkeys(fresh)) if fresh else fresh
