"""Reads many messages of one native reading each, all at once, as columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from ingest.native import IDENTITY_BYTES
from ingest.times import stamps_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from contracts.message import Message
    from ingest.readings import Limits
    from ingest.topic_numbers import TopicNumbers

# The quotes of a payload: around two names; around five, and two texts. As these are the fewest
# that it can have, one more in the mean of many says that a name comes twice in one of them, where
# a parser would keep the last.
_QUOTES = 2 * 2
_QUOTES_COUNTED = 2 * (5 + 2)
_NAMES_MAX = 5

_LINE_END, _OPEN, _CLOSE, _QUOTE = b'\n{}"'


class Labels(NamedTuple):
    """A text for each message; `names` are in order of appearance."""

    numbers: npt.NDArray[np.int32]
    names: list[str]
    column: pa.Array[Any]


class Counted(NamedTuple):
    """Gateway, epoch and count of each message."""

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


class Singles(NamedTuple):
    """Readings, one of each message: a number of its topic, at a time that can be trusted.

    `counted` is None where no message names its gateway.
    """

    messages: Sequence[Message]
    topics: TopicNumbers
    numbers: npt.NDArray[np.int32]  # of the topics
    received: npt.NDArray[np.int64]  # microseconds since 1970, as times are
    times: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    counted: Counted | None

    @property
    def string_bytes(self) -> int:
        """The characters of the strings in their rows: tag, topic, gateway, epoch."""
        total = 2 * int(self.topics.lengths[self.numbers].sum())
        for labels in self.counted[:2] if self.counted else ():
            lengths = np.fromiter(map(len, labels.names), np.int64, len(labels.names))
            total += int(lengths[labels.numbers].sum())
        return total

    def counts(self) -> list[tuple[str, int]]:
        """Give the number of messages of each gateway, in order of appearance."""
        if self.counted is None:
            return [("", len(self.messages))]
        labels = self.counted.gateways
        return list(zip(labels.names, np.bincount(labels.numbers).tolist(), strict=True))

    def last_messages(self) -> list[Message]:
        """Give the last message of each topic, in the order in which they came."""
        last = np.full(len(self.topics.keys), -1)
        last[self.numbers] = np.arange(len(self.numbers))  # of one topic the last one stays
        return [self.messages[index] for index in np.sort(last[last >= 0]).tolist()]

    def stretches(self) -> list[Stretch] | None:
        """Give the counts of each epoch, in order of appearance; None if any leave a gap."""
        if self.counted is None:
            return []
        gateways, epochs, seqs = self.counted
        groups = gateways.numbers.astype(np.int64) * len(epochs.names) + epochs.numbers
        order = in_groups(groups, len(gateways.names) * len(epochs.names))
        is_same = groups[order[1:]] == groups[order[:-1]]
        if not ((seqs[order[1:]] - seqs[order[:-1]] == 1) | ~is_same).all():
            return None
        starts = np.flatnonzero(np.concatenate([[True], ~is_same]))
        firsts, lasts = order[starts], order[np.append(starts[1:], len(order)) - 1]
        newest = np.maximum.reduceat(self.times[order], starts).tolist()
        stretches = [
            Stretch(
                gateways.names[gateways.numbers[first]],
                epochs.names[epochs.numbers[first]],
                int(seqs[first]),
                int(seqs[last]),
                newest_us,
                int(last),
            )
            for first, last, newest_us in zip(firsts, lasts, newest, strict=True)
        ]
        return [stretches[index] for index in np.argsort(firsts).tolist()]


class _Single(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    ts: int
    value: float
    gateway: str | None = None
    epoch: str | None = None
    seq: int | None = None


_read_lines = msgspec.json.Decoder(_Single).decode_lines


def read_singles(
    messages: Sequence[Message], topics: TopicNumbers, is_tag: Callable[[str], bool], limits: Limits
) -> Singles | None:
    """Read messages that are all of the shape {"ts": 1767225600000, "value": 21.5}.

    Each may name gateway, epoch and seq as well, if all do. None where any message is anything
    else, or is broken, retained, or beyond a limit, or its topic is no tag that is known: then
    each is to be looked at by itself. What is read here is what `decode` makes of it.
    """
    if any([one.retained or one.origin is not None for one in messages]):  # noqa: C419  # faster
        return None
    numbers = topics.of([one.topic for one in messages], is_tag)
    if numbers is None:
        return None
    sent = _parsed([one.payload for one in messages], limits)
    if sent is None:
        return None
    times, doubtful = stamps_of([one.ts for one in sent])
    if doubtful is not None:
        return None
    values = np.fromiter([one.value for one in sent], np.float64, len(sent))
    counted = None
    if sent[0].seq is not None:
        counted = _counted_of(sent)
        if counted is None:
            return None
    arrived = np.fromiter([one.received_us for one in messages], np.int64, len(messages))
    return Singles(messages, topics, numbers, arrived, times, values, counted)


def in_groups(groups: npt.NDArray[Any], bound: int) -> npt.NDArray[np.int64]:
    """Give the order that brings equal numbers below `bound` together, else as they are."""
    # numbers of 16 bits are sorted in a tenth of the time
    return np.argsort(groups.astype(np.uint16) if bound <= 1 << 16 else groups, kind="stable")


def _parsed(payloads: Sequence[bytes], limits: Limits) -> list[_Single] | None:
    """Parse payloads that are flat objects, with no escape and no name twice; else None."""
    lines = b"\n".join(payloads)
    quotes = _quotes_of_objects(lines, len(payloads), limits)
    if quotes not in (_QUOTES, _QUOTES_COUNTED) or b"\\" in lines:
        return None
    try:
        sent = _read_lines(lines)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return sent if (sent[0].seq is not None) == (quotes == _QUOTES_COUNTED) else None


def _quotes_of_objects(lines: bytes, count: int, limits: Limits) -> float:
    """Give the mean of quotes in `count` payloads joined to lines; 0 if any is no flat object.

    As many line ends and braces as there are payloads, one brace at each end of a line, mean that
    each payload is one line and one object.
    """
    data = np.frombuffer(lines, np.uint8)
    ends = np.flatnonzero(data == _LINE_END)
    edges = np.concatenate([[-1], ends, [len(data)]])
    if (
        len(ends) != count - 1
        or np.count_nonzero(data == _OPEN) != count
        or np.count_nonzero(data == _CLOSE) != count
        or np.diff(edges).min() <= 2  # shorter than {}
        or np.diff(edges).max() - 1 > limits.payload_bytes
        or not (data[edges[:-1] + 1] == _OPEN).all()
        or not (data[edges[1:] - 1] == _CLOSE).all()
        or limits.fields < _NAMES_MAX
        or limits.depth < 1
    ):
        return 0
    return int(np.count_nonzero(data == _QUOTE)) / count


def _counted_of(sent: list[_Single]) -> Counted | None:
    """Give what the messages are counted by; None if one lacks any of it, or it is out of range."""
    counts: list[Any] = [one.seq for one in sent]
    gateways = _labels_of([one.gateway for one in sent])
    epochs = _labels_of([one.epoch for one in sent])
    try:
        seqs = np.fromiter(counts, np.int64, len(counts))
    except (OverflowError, TypeError):
        return None
    if gateways is None or epochs is None or seqs.min() < 0:
        return None
    return Counted(gateways, epochs, seqs)


def _labels_of(texts: list[str | None]) -> Labels | None:
    column = pa.array(texts, pa.string())
    if column.null_count:
        return None
    encoded: Any = column.dictionary_encode()
    names: list[str] = encoded.dictionary.to_pylist()
    if not all(0 < len(name.encode()) <= IDENTITY_BYTES for name in names):
        return None
    return Labels(encoded.indices.to_numpy(), names, column)
