"""Builds the table of raw readings from decoded messages, run by run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.batches import RAW_SCHEMA, TIME
from contracts.quality import Quality, Reason
from ingest.readings import NO_SEQ, NO_TIME

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    import numpy.typing as npt

    from contracts.message import Message
    from ingest.readings import Columns, Decoded, Reading
    from ingest.runs import Run

# readings of one chunk: with tags at their limit of a kibibyte its strings stay under the
# 2 GiB that 32-bit offsets reach
CHUNK_READINGS = 1 << 20

# of a row beside its strings: what the other columns take, about
ROW_BYTES = 80

_SCHEMA = RAW_SCHEMA.remove(RAW_SCHEMA.get_field_index("arrival"))


class Rows:
    """Collects the readings of messages, in order, and makes one table of RAW_SCHEMA.

    Single readings are gathered in lists, columns in arrays as they are; what is the same over
    many rows (tag, topic, gateway …) is kept once with a count, and spread at the end.
    """

    def __init__(self) -> None:
        self.count = 0
        self.byte_count = 0  # of the table to be, about: strings are spread over all their rows
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
        strings = 2 * len(message.topic) + len(decoded.gateway or "") + len(decoded.epoch or "")
        self.byte_count += added * (ROW_BYTES + strings)
        if chunk.count >= CHUNK_READINGS:
            self._tables.append(chunk.table())
            self._chunk = _Chunk()

    def byte_count_with(self, run: Run) -> int:
        """Tell what `byte_count` would be with these too."""
        return self.byte_count + len(run.times) * ROW_BYTES + run.string_bytes

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
        table = pa.concat_tables([*self._tables, self._chunk.table()])
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
        """Make a table of RAW_SCHEMA without `arrival`."""
        self._close_singles()
        times = np.concatenate([np.empty(0, np.int64), *self._times])
        values = np.concatenate([np.empty(0, np.float64), *self._values])
        texts = _sparse(self._texts, self.count)
        quality, reasons = self._verdicts(np.isnan(values))
        runs = np.array(self._message_counts, np.int64)
        arrays = {
            "tag": _spread(pa.array(self._tags, pa.string()), np.array(self._tag_counts, np.int64)),
            "source_time": _times(times, times == NO_TIME),
            "received_time": _times(np.repeat(np.array(self._received, np.int64), runs), None),
            "value": pa.array(values, from_pandas=True),
            "text": texts,
            "source_quality": pa.array(quality),
            "source_reasons": pa.array(reasons),
            "source_status": _sparse(self._statuses, self.count),
            "gateway": _spread(pa.array(self._gateways, pa.string()), runs),
            "epoch": _spread(pa.array(self._epochs, pa.string()), runs),
            "seq": _spread_counts(np.array(self._seqs, np.int64), runs),
            "identity": _spread(pa.array(self._identities, pa.string()), runs),
            "topic": _spread(pa.array(self._topics, pa.string()), runs),
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
    """Make a table of RAW_SCHEMA without `arrival`; every value and time is good."""
    rows, counts, counted = len(run.times), run.row_counts, run.counted
    nothing, received = pa.nulls(rows, pa.string()), run.received_us()
    arrays = {
        "tag": run.topics.tags.take(run.tags),
        "source_time": _times(run.times, None),
        "received_time": _times(np.repeat(received, counts), None),
        "value": pa.array(run.values),
        "text": nothing,
        "source_quality": pa.array(np.zeros(rows, np.int8)),
        "source_reasons": pa.array(np.zeros(rows, np.int32)),
        "source_status": nothing,
        "gateway": _spread(counted.gateways.column, counts) if counted else nothing,
        "epoch": _spread(counted.epochs.column, counts) if counted else nothing,
        "seq": _spread_counts(counted.seqs, counts) if counted else pa.nulls(rows, pa.int64()),
        "identity": _spread(_levels_of(run), counts),
        "topic": _spread(run.topics.topics.take(run.numbers), counts),
    }
    return pa.Table.from_pydict(arrays, schema=_SCHEMA)


def _levels_of(run: Run) -> pa.Array[Any]:
    if run.counted is None:
        return pa.repeat(pa.scalar("C"), len(run.messages))
    levels: pa.Array[Any] = pc.if_else(pa.array(run.counted.seqs != NO_SEQ), "A", "C")
    return levels


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


def _spread(texts: pa.Array[Any], counts: npt.NDArray[np.int64]) -> pa.Array[Any]:
    """Repeat each text as often as its run is long; no run is empty."""
    if counts.size == 0 or counts.max() == 1:
        return texts
    ends = pa.array(np.cumsum(counts), pa.int64())
    runs_of_texts: pa.Array[Any] = pa.RunEndEncodedArray.from_arrays(ends, texts)
    spread: pa.Array[Any] = pc.call_function("run_end_decode", [runs_of_texts])
    return spread


def _spread_counts(seqs: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> pa.Array[Any]:
    spread = np.repeat(seqs, counts)
    return pa.array(spread, mask=spread == NO_SEQ)
