"""Builds the table of raw readings from decoded messages, run by run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from contracts.batches import CODED, RAW_SCHEMA
from contracts.coding import numbered
from contracts.moments import TIME
from contracts.quality import Quality, Reason
from ingest.readings import NO_SEQ, NO_TIME

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    import numpy.typing as npt

    from contracts.message import Message
    from ingest.readings import Columns, Decoded, Reading
    from ingest.runs import Labels, Run

# readings of one chunk: with tags at their limit of a kibibyte its strings stay under the
# 2 GiB that 32-bit offsets reach
CHUNK_READINGS = 1 << 20

# of a row: what its columns take, strings that it shares with others not counted
ROW_BYTES = 80

# What many rows share is there once, and in each row as its number.
_SHARED = ("tag", "gateway", "epoch", "identity", "topic")
_SCHEMA = pa.schema(
    [
        field.with_type(CODED) if field.name in _SHARED else field
        for field in RAW_SCHEMA
        if field.name != "arrival"
    ]
)
_LEVELS = pa.array(["A", "C"])  # of a run: with a count, without


class Rows:
    """Collects the readings of messages, in order, and makes the table of a RawBatch.

    Single readings are gathered in lists, columns in arrays as they are; what is the same over
    many rows (tag, topic, gateway …) is kept once, and is CODED in the table.
    """

    def __init__(self) -> None:
        self.count = 0
        self.byte_count = 0  # of the table to be, about: the strings of a message counted once
        self._tables: list[pa.Table] = []
        self._chunk = _Chunk()

    def add(self, message: Message, decoded: Decoded, identity: str) -> None:
        """Append the readings of one message."""
        chunk, before = self._chunk, self._chunk.count
        chunk.add_readings(decoded.topic, decoded.readings)
        if decoded.columns is not None:
            chunk.add_columns(decoded.topic, decoded.columns)
        if chunk.count == before:
            return
        chunk.add_message(message, decoded, identity, chunk.count - before)
        added = chunk.count - before
        self.count += added
        self.byte_count += added * ROW_BYTES + _string_bytes(message.topic, decoded)
        if chunk.count >= CHUNK_READINGS:
            self._tables.append(chunk.table())
            self._chunk = _Chunk()

    def byte_count_with(self, run: Run) -> int:
        """Tell what `byte_count` would be with these too."""
        return self.byte_count + len(run.times) * ROW_BYTES

    def add_run(self, run: Run) -> None:
        """Append the readings of messages that were read at once."""
        if self._chunk.count:
            self._tables.append(self._chunk.table())
            self._chunk = _Chunk()
        self._tables.append(_table_of(run))
        self.byte_count = self.byte_count_with(run)
        self.count += len(run.times)

    def table(self, first_arrival: int) -> pa.Table:
        """Give everything added so far; arrivals count on from the given number."""
        is_all = self._tables and not self._chunk.count
        table = pa.concat_tables([*self._tables, *([] if is_all else [self._chunk.table()])])
        arrivals = pa.array(np.arange(first_arrival, first_arrival + self.count, dtype=np.int64))
        return table.add_column(0, RAW_SCHEMA.field("arrival"), arrivals)


class _Chunk:
    def __init__(self) -> None:
        self.count = 0
        self._times: list[npt.NDArray[np.int64]] = []
        self._values: list[npt.NDArray[np.float64]] = []
        # single readings since the last column; None in a list of values becomes NaN
        self._single_times: list[int] = []
        self._single_values: list[float | None] = []
        # runs of rows: of one tag, of one message
        self._tags: list[str] = []
        self._tag_counts: list[int] = []
        self._gateways: list[str | None] = []
        self._epochs: list[str | None] = []
        self._seqs: list[int] = []
        self._topics: list[str] = []
        self._identities: list[str] = []
        self._received: list[int] = []
        self._message_counts: list[int] = []
        # what few rows have, by row
        self._texts: dict[int, str] = {}
        self._statuses: dict[int, str] = {}
        self._flags: list[tuple[Any, int, int]] = []  # row or rows, quality, reasons

    def add_message(self, message: Message, decoded: Decoded, identity: str, count: int) -> None:
        self._gateways.append(decoded.gateway)
        self._epochs.append(decoded.epoch)
        self._seqs.append(NO_SEQ if decoded.seq is None else decoded.seq)
        self._topics.append(message.topic)
        self._identities.append(identity)
        self._received.append(message.received_us)
        self._message_counts.append(count)

    def add_readings(self, topic: str, readings: Sequence[Reading]) -> None:
        row = self.count
        for one in readings:
            self._tags.append(f"{topic}/{one.name}" if one.name else topic)
            self._single_times.append(NO_TIME if one.time_us is None else one.time_us)
            self._single_values.append(one.value)
            if one.text is not None:
                self._texts[row] = one.text
            if one.status is not None:
                self._statuses[row] = one.status
            if one.quality or one.reasons:
                self._flags.append((row, one.quality, one.reasons))
            row += 1
        self._tag_counts.extend([1] * len(readings))
        self.count = row

    def add_columns(self, topic: str, columns: Columns) -> None:
        self._close_singles()
        length = len(columns.times)
        for name, values, texts, statuses in columns.columns:
            start = self.count
            self._tags.append(f"{topic}/{name}" if name else topic)
            self._tag_counts.append(length)
            self._times.append(columns.times)
            self._values.append(values)
            _note(self._texts, texts, start)
            _note(self._statuses, statuses, start)
            if columns.doubtful is not None:
                rows = start + np.flatnonzero(columns.doubtful)
                self._flags.append((rows, int(Quality.UNCERTAIN), int(Reason.TIME)))
            self.count += length

    def table(self) -> pa.Table:
        """Make a table of _SCHEMA."""
        self._close_singles()
        times = np.concatenate([np.empty(0, np.int64), *self._times])
        values = np.concatenate([np.empty(0, np.float64), *self._values])
        texts = _sparse(self._texts, self.count)
        quality, reasons = self._verdicts(np.isnan(values))
        runs = np.array(self._message_counts, np.int64)
        arrays = {
            "tag": _coded(self._tags, np.array(self._tag_counts, np.int64)),
            "source_time": _times(times, times == NO_TIME),
            "received_time": _times(np.repeat(np.array(self._received, np.int64), runs), None),
            "value": pa.array(values, from_pandas=True),
            "text": texts,
            "source_quality": pa.array(quality),
            "source_reasons": pa.array(reasons),
            "source_status": _sparse(self._statuses, self.count),
            "gateway": _coded(self._gateways, runs),
            "epoch": _coded(self._epochs, runs),
            "seq": _spread_counts(np.array(self._seqs, np.int64), runs),
            "identity": _coded(self._identities, runs),
            "topic": _coded(self._topics, runs),
        }
        return pa.Table.from_pydict(arrays, schema=_SCHEMA)

    def _verdicts(
        self, valueless: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int32]]:
        """Give quality and reasons: what the source said; without value and text BAD, missing."""
        quality = np.zeros(self.count, np.int8)
        reasons = np.zeros(self.count, np.int32)
        for rows, worse, why in self._flags:
            quality[rows] = np.maximum(quality[rows], worse)
            reasons[rows] |= why
        missing = valueless
        missing[list(self._texts)] = False
        quality[missing] = Quality.BAD
        reasons[missing] |= Reason.MISSING
        return quality, reasons

    def _close_singles(self) -> None:
        if self._single_times:
            self._times.append(np.array(self._single_times, np.int64))
            self._values.append(np.array(self._single_values, np.float64))
            self._single_times, self._single_values = [], []


def _table_of(run: Run) -> pa.Table:
    """Make a table of _SCHEMA; every value and time is good."""
    rows, counts, counted = len(run.times), run.row_counts, run.counted
    nothing, received = pa.nulls(rows, pa.string()), run.received_us()
    nobody, uncounted = pa.nulls(rows, CODED), np.ones(len(counts), np.int64)
    if counted:
        uncounted[counted.seqs != NO_SEQ] = 0
    arrays = {
        "tag": numbered(run.topics.tags, run.tags),
        "source_time": _times(run.times, None),
        "received_time": _times(np.repeat(received, counts), None),
        "value": pa.array(run.values),
        "text": nothing,
        "source_quality": pa.array(np.zeros(rows, np.int8)),
        "source_reasons": pa.array(np.zeros(rows, np.int32)),
        "source_status": nothing,
        "gateway": _labelled(counted.gateways, counts) if counted else nobody,
        "epoch": _labelled(counted.epochs, counts) if counted else nobody,
        "seq": _spread_counts(counted.seqs, counts) if counted else pa.nulls(rows, pa.int64()),
        "identity": numbered(_LEVELS, np.repeat(uncounted, counts)),
        "topic": numbered(run.topics.topics, np.repeat(run.numbers, counts)),
    }
    return pa.Table.from_pydict(arrays, schema=_SCHEMA)


def _labelled(labels: Labels, counts: npt.NDArray[np.int64]) -> pa.Array[Any]:
    return numbered(pa.array(labels.names, pa.string()), np.repeat(labels.numbers, counts))


def _coded(texts: Sequence[str | None], counts: npt.NDArray[np.int64]) -> pa.Array[Any]:
    """Repeat each text as often as its run is long."""
    encoded: Any = pa.array(texts, pa.string()).dictionary_encode()
    numbers = encoded.indices.fill_null(-1).to_numpy()
    return numbered(encoded.dictionary, np.repeat(numbers, counts))


def _note(notes: dict[int, str], column: Sequence[str | None] | None, start: int) -> None:
    notes.update((row, note) for row, note in enumerate(column or (), start) if note is not None)


def _times(us: npt.NDArray[np.int64], nulls: npt.NDArray[np.bool_] | None) -> pa.Array[Any]:
    return pa.array(us, mask=nulls).view(TIME)


def _sparse(notes: dict[int, str], count: int) -> pa.Array[Any]:
    """Make a column of texts that most rows do not have."""
    if not notes:
        return pa.nulls(count, pa.string())
    column: list[str | None] = [None] * count
    for row, note in notes.items():
        column[row] = note
    return pa.array(column, pa.string())


def _string_bytes(topic: str, decoded: Decoded) -> int:
    """Give the characters of topic, tags, gateway and epoch of a message, about."""
    names = [one.name for one in decoded.readings]
    names += [one.name for one in decoded.columns.columns] if decoded.columns else ()
    tags = len(names) * len(decoded.topic) + sum(map(len, names))
    return tags + len(topic) + len(decoded.gateway or "") + len(decoded.epoch or "")


def _spread_counts(seqs: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> pa.Array[Any]:
    spread = np.repeat(seqs, counts)
    return pa.array(spread, mask=spread == NO_SEQ)
