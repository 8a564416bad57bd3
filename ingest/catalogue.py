"""Knows which tags there are, and holds their number within the limits."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ingest.topic_numbers import TopicNumbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ingest.readings import Decoded, Limits


class Catalogue:
    """The tags that the lake has, each with the gateway that sent it first, and the new ones.

    New tags become known with `settle`, once they are committed; `discard` forgets them.
    """

    def __init__(self, known: Mapping[str, str], limits: Limits) -> None:
        self._known = set(known)
        self._counts = Counter(known.values())
        self._limits = limits
        self._new: dict[str, str] = {}
        self._new_counts: Counter[str] = Counter()
        self.topic_numbers = TopicNumbers()  # of topics that are known tags

    @property
    def new(self) -> tuple[tuple[str, str], ...]:
        """The tags learned since the last commit, each with its gateway, "" for none."""
        return tuple(self._new.items())

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

    def learn(self, decoded: Decoded) -> None:
        """Note the tags of a message that is stored."""
        gateway = decoded.gateway or ""
        fresh = self._fresh(decoded)
        self._new.update(dict.fromkeys(fresh, gateway))
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

    def _fresh(self, decoded: Decoded) -> set[str]:
        return {tag for tag in _tags_of(decoded) if tag not in self._known and tag not in self._new}


def _tags_of(decoded: Decoded) -> Iterator[str]:
    topic = decoded.topic
    for reading in decoded.readings:
        yield f"{topic}/{reading.name}" if reading.name else topic
    for column in decoded.columns.columns if decoded.columns else ():
        yield f"{topic}/{column.name}" if column.name else topic
