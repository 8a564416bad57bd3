"""Reads many native messages at once, as columns."""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from ingest.native import IDENTITY_BYTES
from ingest.readings import NO_SEQ
from ingest.times import stamps_of_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from contracts.message import Message
    from ingest.layouts import Layout, Read
    from ingest.readings import Limits
    from ingest.topic_numbers import Stored, TopicNumbers

# To read the messages of one layout at once costs what some ten cost one by one.
MESSAGES_A_LAYOUT_MIN = 16


class Labels(NamedTuple):
    """A text for each message, or none; `names` in order of appearance, -1 for none."""

    numbers: npt.NDArray[np.int64]
    names: list[str]

    @property
    def are_names(self) -> bool:
        """Whether each may name a gateway, or an epoch."""
        return all(0 < len(name.encode()) <= IDENTITY_BYTES for name in self.names)


class Counted(NamedTuple):
    """What messages are counted by; those that are not have no gateway, no epoch, and NO_SEQ."""

    gateways: Labels
    epochs: Labels
    seqs: npt.NDArray[np.int64]


class Stretch(NamedTuple):
    """Counts that follow one another, with no gap, of one epoch of a gateway."""

    gateway: str
    epoch: str
    first: int
    last: int
    newest_us: int  # the newest time of its messages
    until: int  # the index of its last message


class Run(NamedTuple):
    """Messages of native readings that are all numbers, at times that can be trusted.

    Times, values and tags are by row, the rest by message; `counted` is None if none is.
    """

    messages: Sequence[Message]
    topics: TopicNumbers
    numbers: npt.NDArray[np.int64]  # of the topics
    row_counts: npt.NDArray[np.int64]
    times: npt.NDArray[np.int64]  # microseconds since 1970
    values: npt.NDArray[np.float64]
    tags: npt.NDArray[np.int64]  # numbers of topics.tags
    counted: Counted | None
    known_as: Callable[[int], Message] | None = None  # else as it came

    def known(self, index: int) -> Message:
        """Give a message as it is to be known again."""
        return self.known_as(index) if self.known_as else self.messages[index]

    def of(self, is_chosen: npt.NDArray[np.bool_]) -> Run:
        """Give some of the messages."""
        rows = np.repeat(is_chosen, self.row_counts)
        counted = self.counted
        if counted is not None:
            gateways, epochs, seqs = counted
            counted = Counted(
                Labels(gateways.numbers[is_chosen], gateways.names),
                Labels(epochs.numbers[is_chosen], epochs.names),
                seqs[is_chosen],
            )
        return self._replace(
            messages=list(compress(self.messages, is_chosen.tolist())),
            numbers=self.numbers[is_chosen],
            row_counts=self.row_counts[is_chosen],
            times=self.times[rows],
            values=self.values[rows],
            tags=self.tags[rows],
            counted=counted,
        )

    @property
    def uncounted(self) -> npt.NDArray[np.int64]:
        """The indices of the messages without a count."""
        if self.counted is None:
            return np.arange(len(self.messages))
        return np.flatnonzero(self.counted.seqs == NO_SEQ)

    def received_us(self) -> npt.NDArray[np.int64]:
        """Give when each message was received."""
        received = [message.received_us for message in self.messages]
        return np.fromiter(received, np.int64, len(received))

    def first_rows(self) -> npt.NDArray[np.int64]:
        """Give the row that each message begins with."""
        return np.cumsum(self.row_counts) - self.row_counts

    def by_gateway(self) -> list[tuple[str, int]]:
        """Give the number of messages of each gateway, "" for none, in order of appearance."""
        if self.counted is None:
            return [("", len(self.messages))]
        numbers, names = self.counted.gateways.numbers, self.counted.gateways.names
        counts = np.bincount(numbers + 1).tolist()
        firsts = np.zeros(len(counts), np.int64)
        firsts[numbers[::-1] + 1] = np.arange(len(numbers))[::-1]
        order = np.argsort(firsts, kind="stable").tolist()
        return [(["", *names][place], counts[place]) for place in order if counts[place]]

    @property
    def are_single(self) -> npt.NDArray[np.bool_]:
        """Whether each message is one number of its topic."""
        return self.topics.are_single[self.numbers]

    def several(self) -> list[int]:
        """Give the indices of the messages without a count that are not single."""
        uncounted = self.uncounted
        indices: list[int] = uncounted[~self.are_single[uncounted]].tolist()
        return indices

    def last_of_topics(self) -> list[int]:
        """Give the index of the last message without a count of each topic, in order."""
        last = np.full(len(self.topics.keys), -1)
        uncounted = self.uncounted
        last[self.numbers[uncounted]] = uncounted  # of one topic the last one stays
        indices: list[int] = np.sort(last[last >= 0]).tolist()
        return indices

    def stretches(self) -> list[Stretch] | None:
        """Give the counts of each epoch, in order of appearance; None if any leave a gap."""
        if self.counted is None:
            return []
        gateways, epochs, seqs = self.counted
        groups = gateways.numbers * len(epochs.names) + epochs.numbers
        order = in_groups(groups, len(gateways.names) * len(epochs.names))
        order = order[seqs[order] != NO_SEQ]
        is_same = groups[order[1:]] == groups[order[:-1]]
        if not ((seqs[order[1:]] - seqs[order[:-1]] == 1) | ~is_same).all():
            return None
        starts = np.flatnonzero(np.concatenate([[True], ~is_same]))
        firsts, lasts = order[starts], order[np.append(starts[1:], len(order)) - 1]
        newest_us = np.maximum.reduceat(self.times, self.first_rows())
        newest = np.maximum.reduceat(newest_us[order], starts).tolist()
        stretches = [
            Stretch(
                gateways.names[gateways.numbers[first]],
                epochs.names[epochs.numbers[first]],
                int(seqs[first]),
                int(seqs[last]),
                us,
                int(last),
            )
            for first, last, us in zip(firsts, lasts, newest, strict=True)
        ]
        return [stretches[index] for index in np.argsort(firsts).tolist()]


def read_run(
    messages: Sequence[Message],
    topics: TopicNumbers,
    stored_as: Callable[[str, Layout], Stored | None],
    limits: Limits,
) -> Run | None:
    """Read messages whose topics have a layout each, and which are what `decode` reads as native.

    None where any is anything else: broken, retained, without a time that can be trusted, beyond
    a limit. Then each is to be looked at by itself. What is read here is what `decode` makes of
    it.
    """
    if any([one.retained or one.origin is not None for one in messages]):  # noqa: C419  # faster
        return None
    numbers = topics.of(messages, stored_as)
    if numbers is None:
        return None
    parts = _parts_of(messages, topics.layout_numbers[numbers], topics, limits)
    return _whole(messages, numbers, topics, parts) if parts else None


class _Part(NamedTuple):
    """The messages of one layout, by their indices."""

    indices: npt.NDArray[np.int64]
    layout: Layout
    read: Read

    @property
    def row_counts(self) -> npt.NDArray[np.int64]:
        return self.read.lengths * len(self.layout.names)

    def times(self) -> npt.NDArray[np.int64] | None:
        """Give the time of each row; None where any cannot be trusted."""
        us, size = stamps_of_counts(self.read.times), len(self.layout.names)
        if us is None or size == 1:
            return us
        if not self.layout.is_columns:
            return np.repeat(us, size)
        lengths = np.repeat(self.read.lengths, size)
        firsts = np.repeat(np.cumsum(self.read.lengths) - self.read.lengths, size)
        shifts = np.repeat(firsts - (np.cumsum(lengths) - lengths), lengths)
        times: npt.NDArray[np.int64] = us[np.arange(len(shifts)) + shifts]
        return times


def _parts_of(
    messages: Sequence[Message],
    layouts: npt.NDArray[np.int64],
    topics: TopicNumbers,
    limits: Limits,
) -> list[_Part] | None:
    parts = []
    payloads = [message.payload for message in messages]
    present = np.flatnonzero(np.bincount(layouts)).tolist()
    if len(present) > 1 and len(present) * MESSAGES_A_LAYOUT_MIN > len(messages):
        return None
    for number in present:
        indices = np.flatnonzero(layouts == number)
        layout = topics.layouts.all[number]
        own = payloads if len(present) == 1 else [payloads[index] for index in indices.tolist()]
        read = layout.read(own, limits)
        if read is None:
            return None
        parts.append(_Part(indices, layout, read))
    return parts


def _whole(
    messages: Sequence[Message],
    numbers: npt.NDArray[np.int64],
    topics: TopicNumbers,
    parts: list[_Part],
) -> Run | None:
    """Put parts together in the order of their messages."""
    count = len(messages)
    row_counts, lengths = np.empty(count, np.int64), np.empty(count, np.int64)
    for part in parts:
        row_counts[part.indices] = part.row_counts
        lengths[part.indices] = part.read.lengths
    times = [part.times() for part in parts]
    counted = _counted_of(parts, count)
    if counted and not (counted.gateways.are_names and counted.epochs.are_names):
        return None
    known = [us for us in times if us is not None]
    if len(known) < len(parts):
        return None
    rows = [_rows_of(part, row_counts) for part in parts]
    us, values = _placed(known, rows), _placed([part.read.values for part in parts], rows)
    tags = _tags_of(topics.first_tags[numbers], row_counts, lengths)
    return Run(messages, topics, numbers, row_counts, us, values, tags, counted)


def _rows_of(part: _Part, row_counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Give the row of each reading of a part."""
    if len(part.indices) == len(row_counts):
        return np.arange(len(part.read.times))
    own = row_counts[part.indices]
    firsts = (np.cumsum(row_counts) - row_counts)[part.indices] - (np.cumsum(own) - own)
    return np.repeat(firsts, own) + np.arange(own.sum())


def _placed(columns: list[npt.NDArray[Any]], rows: list[npt.NDArray[np.int64]]) -> npt.NDArray[Any]:
    """Put columns of some rows together to one of all rows."""
    if len(columns) == 1:
        return columns[0]
    whole = np.empty(sum(map(len, columns)), columns[0].dtype)
    for column, places in zip(columns, rows, strict=True):
        whole[places] = column
    return whole


def _tags_of(
    first_tags: npt.NDArray[np.int64],
    row_counts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Give the tag of each row: of each message, one tag after the other, each `lengths` times."""
    if row_counts.max() == 1:
        return first_tags
    sizes = row_counts // lengths
    places = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.repeat(np.repeat(first_tags, sizes) + places, np.repeat(lengths, sizes))


def _counted_of(parts: list[_Part], count: int) -> Counted | None:
    if all(part.read.counted is None for part in parts):
        return None
    gateways: list[str | None] = [None] * count
    epochs: list[str | None] = [None] * count
    seqs = np.full(count, NO_SEQ)
    for part in parts:
        if part.read.counted is not None:
            own = part.read.counted
            if len(parts) == 1:
                return Counted(_labels_of(own.gateways), _labels_of(own.epochs), own.seqs)
            seqs[part.indices] = own.seqs
            for index, gateway, epoch in zip(part.indices.tolist(), *own[:2], strict=True):
                gateways[index], epochs[index] = gateway, epoch
    return Counted(_labels_of(gateways), _labels_of(epochs), seqs)


def _labels_of(texts: Sequence[str | None]) -> Labels:
    encoded: Any = pa.array(texts, pa.string()).dictionary_encode()
    numbers = encoded.indices.fill_null(-1).to_numpy().astype(np.int64)
    return Labels(numbers, encoded.dictionary.to_pylist())


def in_groups(groups: npt.NDArray[np.int64], bound: int) -> npt.NDArray[np.int64]:
    """Give the order that brings equal numbers below `bound` together, else as they are."""
    # numbers of 16 bits are sorted in a tenth of the time
    return np.argsort(groups.astype(np.uint16) if bound <= 1 << 16 else groups, kind="stable")
