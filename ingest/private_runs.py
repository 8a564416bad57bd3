"""What rules of privacy leave of messages that are read at once, and what is known again of any."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from ingest.readings import NO_TIME

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from contracts.message import Message
    from ingest.readings import Decoded, Reading
    from ingest.runs import Run

_TIME_AND_VALUE = struct.Struct("<qd")
_NAN = float("nan")


class Left(NamedTuple):
    """What is left of a run."""

    known: Run | None  # the messages that can be known again; None: there is none
    stored: Run | None  # the same, without the rows that are left out
    left_out: dict[str, int]  # rows of all messages, by gateway


def left_of(run: Run) -> Left:
    """Take the rows out that are left out.

    A message without a count of which nothing is left cannot be known again: each is a new one.
    """
    is_kept = run.topics.are_kept[run.tags]
    if is_kept.all():
        known = run._replace(known_as=_knower(run))
        return Left(known, known, {})
    counts = np.add.reduceat(is_kept.astype(np.int64), run.first_rows())
    left_out = _by_gateway(run, run.row_counts - counts)
    is_known = counts > 0
    if run.counted is not None:
        is_known |= run.counted.gateways.numbers >= 0
    if not is_known.any():
        return Left(None, None, left_out)
    known = run.of(is_known)
    known = known._replace(known_as=_knower(known))
    is_kept = is_kept[np.repeat(is_known, run.row_counts)]
    rows = known._replace(
        row_counts=counts[is_known],
        times=known.times[is_kept],
        values=known.values[is_kept],
        tags=known.tags[is_kept],
    )
    return Left(known, rows, left_out)


def written_of(parts: Sequence[Decoded]) -> bytes:
    """Write down what is left of a message, to know it again."""
    written = []
    for part in parts:
        written.append(_head(part.topic))
        written += map(_of_reading, part.readings)
        if part.columns is not None:
            times, doubtful, columns = part.columns
            for one in columns:
                written += [_head(one.name), times.tobytes(), one.values.tobytes()]
                if one.texts is not None or one.statuses is not None or doubtful is not None:
                    odd = one.texts, one.statuses, doubtful is not None and doubtful.tolist()
                    written.append(msgspec.msgpack.encode(odd))
    return b"".join(written)


def _of_reading(one: Reading) -> bytes:
    time = NO_TIME if one.time_us is None else one.time_us
    plain = _TIME_AND_VALUE.pack(time, _NAN if one.value is None else one.value)
    odd = one.text, one.status, one.quality, one.reasons
    return _head(one.name) + plain + (msgspec.msgpack.encode(odd) if any(odd) else b"")


def _knower(run: Run) -> Callable[[int], Message]:
    """Make what gives a message, by its index, as it is known again: as `written_of` writes it."""
    topics, firsts = run.topics, run.first_rows().tolist()

    def known_as(index: int) -> Message:
        message, number = run.messages[index], int(run.numbers[index])
        if not topics.are_private[number]:
            return message
        rows = slice(firsts[index], firsts[index] + int(run.row_counts[index]))
        layout = topics.layouts.all[topics.layout_numbers[number]]
        length = int(run.row_counts[index]) // len(layout.paths)
        topic, tags = topics.stored(number)
        written, times, values = [_head(topic)], run.times[rows], run.values[rows]
        for place, tag in enumerate(tags):
            if tag:
                own = slice(place * length, place * length + length)
                name = _head(tag[len(topic) + 1 :])
                written += [name, times[own].tobytes(), values[own].tobytes()]
        return message._replace(topic=topic, payload=b"".join(written))

    return known_as


def _head(text: str) -> bytes:
    return text.encode(errors="surrogatepass") + b"\0"


def _by_gateway(run: Run, counts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> dict[str, int]:
    numbers = run.counted.gateways.numbers if run.counted else np.full(len(counts), -1)
    names = ["", *(run.counted.gateways.names if run.counted else ())]
    totals = np.bincount(numbers + 1, weights=counts, minlength=len(names)).tolist()
    return {name: int(count) for name, count in zip(names, totals, strict=True) if count}
