"""Turns recordings into the messages in which gateways would have sent them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple
from unicodedata import category

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import DataError
from ingest.native import NAMELESS, RESERVED
from ingest.outgoing import Outgoing
from ingest.readings import Limits
from ingest.times import EARLIEST_US, LATEST_US, MILLISECONDS_BELOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROWS_PER_MESSAGE = 500  # a gateway's buffer; beyond some hundred rows larger arrays gain little
# A quarter of the 1 MiB that a payload may have; names may take 100 KiB more.
COLUMN_BYTES_MAX = 256 * 1024
TIME_BYTES = 30  # the longest time with its quotes and comma
NUMBER_BYTES = 25  # the longest number with its comma: -2.2250738585072014e-308
METRICS_MAX = 50  # of one message
# Of a text: with every sign escaped, which makes six bytes of one, it stays below the quarter.
TEXT_BYTES_MAX = 40_000
ESCAPED_BYTES = 6
TAG_BYTES_MAX = Limits().tag_bytes
# Words that mean something of their own in a native payload, and so name no metric there.
NO_METRICS = RESERVED | {NAMELESS}
# From here on, in March 1973, a decoder takes a whole number for the milliseconds or microseconds
# that it is; an earlier one it would take for a larger unit.
WHOLE_MIN_US = MILLISECONDS_BELOW

_encode = msgspec.json.Encoder().encode

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class _Recording(NamedTuple):
    """Rows of a table: the tag as a number, the time in microseconds, the value or NaN.

    None where no row has a text, or where no time is to go out as local time.
    """

    tags: list[str]
    codes: Ints
    times: Ints
    has_time: npt.NDArray[np.bool_]
    values: Floats
    texts: list[str | None] | None
    local_times: list[str | None] | None

    def cells(self, rows: Ints) -> list[float | str]:
        """Give what is sent of some rows: the text, or the number where there is none."""
        values: list[float | str] = self.values[rows].tolist()
        if self.texts is not None:
            for place, row in enumerate(rows.tolist()):
                text = self.texts[row]
                values[place] = values[place] if text is None else text
        return values


class _Stream(NamedTuple):
    """Metrics of one topic that were always read together: their rows, in order of time."""

    topic: str
    columns: dict[str, Ints]
    times: Ints
    text_bytes: int  # of the longest text


def messages(
    table: pa.Table, *, gateway: str, epoch: str, rows_per_message: int = ROWS_PER_MESSAGE
) -> Iterator[Outgoing]:
    """Send a recording: column arrays, in order of the last time of each message.

    `table` has the columns tag (string), source_time (timestamp or date; UTC where it has no
    zone) and value (number), and may have text (string), which goes out in the place of the value,
    and local_time (timestamp without a zone), which goes out in the place of the source_time by
    which it is in order; others are ignored. Every row goes out once and no reading is added:
    metrics share a message only where they have the same times. A value that is null or not
    finite goes out as null; rows without a time go out last, one by one, without a time.

    Times are cut to microseconds. `seq` counts from 0. A payload stays below 1 MiB. Raises
    DataError, before the first message, where the table is not as said.
    """
    if rows_per_message < 1:
        raise DataError(f"rows_per_message is {rows_per_message}: it must be 1 or more")
    return _numbered(_recording(table), gateway, epoch, rows_per_message)


def check(table: pa.Table) -> None:
    """Raise DataError where `messages` would."""
    _recording(table)


def address(tag: str) -> tuple[str, str]:
    """Split a tag into the topic and the metric's name in the payload.

    A tag of one level, or one whose last level cannot name a metric, is a topic of its own; its
    payload names the value `value`, as a single reading does.

    >>> address("north/press/temperature")
    ('north/press', 'temperature')
    >>> address("temperature")
    ('temperature', 'value')
    """
    topic, _, metric = tag.rpartition("/")
    if not topic or not metric or metric in NO_METRICS:
        return tag, NAMELESS
    return topic, metric


def _recording(table: pa.Table) -> _Recording:
    """Take the three columns out of the table, checked."""
    tag = _column(table, "tag", "strings", _is_text).cast(pa.string())
    source_time = _microseconds(_column(table, "source_time", "timestamps", _is_time))
    value = _column(table, "value", "numbers", _is_number).cast(pa.float64(), safe=False)
    unique = pc.unique(tag)
    tags = [_checked_topic(name) for name in unique.to_pylist()]
    has_time = pc.is_valid(source_time).to_numpy()
    times = np.zeros(table.num_rows, np.int64)
    times[has_time] = source_time.drop_null().to_numpy()
    return _Recording(
        tags=tags,
        codes=pc.index_in(tag, unique).to_numpy().astype(np.int64),
        times=times,
        has_time=has_time,
        values=value.to_numpy(),  # null becomes NaN
        texts=_texts(table),
        local_times=_local_times(table),
    )


def _texts(table: pa.Table) -> list[str | None] | None:
    if "text" not in table.column_names:
        return None
    column = _column(table, "text", "strings", lambda kind: _is_text(kind) or kind == pa.null())
    if column.null_count == len(column):
        return None
    texts: list[str | None] = column.to_pylist()
    if any(text and len(text.encode()) > TEXT_BYTES_MAX for text in texts):
        raise DataError(f"a text is longer than {TEXT_BYTES_MAX} bytes: shorten it")
    return texts


def _local_times(table: pa.Table) -> list[str | None] | None:
    if "local_time" not in table.column_names:
        return None
    column = table["local_time"]
    if column.null_count == len(column):
        return None
    return [None if time is None else time.isoformat() for time in column.to_pylist()]


def _column(
    table: pa.Table, name: str, words: str, accepts: Callable[[pa.DataType], bool]
) -> pa.ChunkedArray[Any]:
    found = table.column_names.count(name)
    if found != 1:
        have = "lacks the column" if not found else "has more than one column"
        raise DataError(f"the recording {have} {name!r}: it needs tag, source_time, value")
    column = table[name]
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not accepts(kind):
        raise DataError(f"the column {name!r} holds {kind}, not {words}: convert the recording")
    return column.cast(kind)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _is_time(kind: pa.DataType) -> bool:
    return pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_null(kind)


def _is_number(kind: pa.DataType) -> bool:
    return (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_null(kind)
    )


def _microseconds(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    """Count microseconds since 1970, within what can be stored."""
    kind = column.type
    is_finer = pa.types.is_timestamp(kind) and kind.unit == "ns"
    wanted = pa.timestamp("us", kind.tz if pa.types.is_timestamp(kind) else None)
    try:
        whole = column.cast(wanted, safe=not is_finer).cast(pa.int64())
        span: dict[str, Any] = pc.min_max(whole).as_py()  # type: ignore[assignment]
    except pa.ArrowInvalid as error:
        raise DataError(f"a source_time cannot be read ({error}): correct the recording") from error
    if span["min"] is not None and not EARLIEST_US <= span["min"] <= span["max"] <= LATEST_US:
        raise DataError("a source_time lies outside the years 1678 to 2261: correct the recording")
    return whole


def _checked_topic(tag: str | None) -> str:
    """Give the tag back; refuse one that no broker takes as a topic."""
    if not tag:
        raise DataError("a row of the recording has no tag: give each row one")
    if len(tag.encode()) > TAG_BYTES_MAX:
        raise DataError(f"the tag {tag[:40]!r}… is longer than {TAG_BYTES_MAX} bytes: shorten it")
    if tag.startswith("$") or any(sign in "+#" or category(sign) == "Cc" for sign in tag):
        raise DataError(
            f"the tag {tag!r} cannot be a topic: remove '+', '#', a '$' in front and control signs"
        )
    return tag


def _numbered(
    recording: _Recording, gateway: str, epoch: str, rows_per_message: int
) -> Iterator[Outgoing]:
    bodies = _bodies(recording, list(_streams(recording)), rows_per_message)
    for seq, (topic, body) in enumerate(_chained(bodies, _timeless(recording))):
        head = {"gateway": gateway, "epoch": epoch, "seq": seq}
        yield Outgoing(topic, _encode(head | body))


def _chained(*parts: Iterator[tuple[str, dict[str, Any]]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for part in parts:
        yield from part


def _streams(recording: _Recording) -> Iterator[_Stream]:
    """Put the tags of a topic together that have the same times, row by row."""
    timed = np.flatnonzero(recording.has_time)
    order = timed[np.lexsort((recording.times[timed], recording.codes[timed]))]
    bounds = np.searchsorted(recording.codes[order], np.arange(len(recording.tags) + 1))
    together: dict[tuple[str, bytes, str, int], dict[str, Ints]] = defaultdict(dict)
    for code, tag in enumerate(recording.tags):
        rows = order[bounds[code] : bounds[code + 1]]
        topic, metric = address(tag)
        if len(rows):
            longest = _longest(recording, rows)
            alone = metric if longest else ""  # texts can be long
            together[topic, recording.times[rows].tobytes(), alone, longest][metric] = rows
    for (topic, times, _, longest), members in together.items():
        names = list(members)
        for start in range(0, len(names), METRICS_MAX):
            chosen = {name: members[name] for name in names[start : start + METRICS_MAX]}
            yield _Stream(topic, chosen, np.frombuffer(times, np.int64), longest)


def _longest(recording: _Recording, rows: Ints) -> int:
    if recording.texts is None:
        return 0
    return max(len((recording.texts[row] or "").encode()) for row in rows.tolist())


def _bodies(
    recording: _Recording, streams: list[_Stream], rows_per_message: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Cut the streams into messages and send each when its last row has been read."""
    cuts = []
    for number, stream in enumerate(streams):
        cell_bytes = max(NUMBER_BYTES, ESCAPED_BYTES * stream.text_bytes + 3)
        row_bytes = TIME_BYTES + cell_bytes * len(stream.columns)
        size = min(rows_per_message, COLUMN_BYTES_MAX // row_bytes)
        for start in range(0, len(stream.times), size):
            end = min(start + size, len(stream.times))
            cuts.append((int(stream.times[end - 1]), number, start, end))
    for _, number, start, end in sorted(cuts):
        topic, members, times, _ = streams[number]
        columns = {name: recording.cells(rows[start:end]) for name, rows in members.items()}
        rows = next(iter(members.values()))[start:end]
        yield topic, {"ts": _sent_times(recording, rows, times[start:end]), **columns}


def _sent_times(recording: _Recording, rows: Ints, times: Ints) -> list[int] | list[str]:
    if recording.local_times is None:
        return _times(times)
    local = [recording.local_times[row] for row in rows.tolist()]
    if not any(local):
        return _times(times)
    return [own or utc for own, utc in zip(local, _as_text(times), strict=True)]


def _timeless(recording: _Recording) -> Iterator[tuple[str, dict[str, Any]]]:
    for row in np.flatnonzero(~recording.has_time).tolist():
        topic, metric = address(recording.tags[recording.codes[row]])
        (cell,) = recording.cells(np.array([row]))
        yield topic, {metric: cell}


def _times(times: Ints) -> list[int] | list[str]:
    """Write times as whole milliseconds or microseconds, as text where those are ambiguous.

    >>> _times(np.array([1_700_000_000_000_000])), _times(np.array([1_700_000_000_000_001]))
    ([1700000000000], [1700000000000001])
    >>> _times(np.array([27_000_000]))
    ['1970-01-01T00:00:27.000000Z']
    """
    if times.min() >= WHOLE_MIN_US:
        whole: list[int] = (times if np.any(times % 1000) else times // 1000).tolist()
        return whole
    return _as_text(times)


def _as_text(times: Ints) -> list[str]:
    return [f"{time}Z" for time in np.datetime_as_string(times.astype("datetime64[us]"))]
