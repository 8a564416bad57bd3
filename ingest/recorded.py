"""Reads files of recorded readings or messages, table by table, each row checked."""

from __future__ import annotations

import base64
import binascii
import gzip
import os
import zlib
from contextlib import contextmanager
from datetime import UTC
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from contracts.errors import DataError
from contracts.moments import TIME
from ingest.readings import NO_TIME
from ingest.recorded_columns import (
    CellError,
    cells_of,
    cells_of_each,
    instants_of,
    instants_of_each,
)
from ingest.replay import address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import tzinfo
    from pathlib import Path
    from typing import BinaryIO

    import numpy.typing as npt

    from ingest.readings import Rules
    from ingest.recorded_columns import Cells, Column, Instants

    Where = Callable[[int], str]  # names a row of a table

# One reading a row: what ingest/replay.py takes.
_READING_FIELDS: list[pa.Field[Any]] = [
    pa.field("tag", pa.string()),
    pa.field("source_time", TIME),
    pa.field("local_time", pa.timestamp("us")),
    pa.field("value", pa.float64()),
    pa.field("text", pa.string()),
]
READINGS = pa.schema(_READING_FIELDS)
# One message a row, as a gateway sent it.
_MESSAGE_FIELDS: list[pa.Field[Any]] = [
    pa.field("topic", pa.string()),
    pa.field("payload", pa.binary()),
    pa.field("received_time", TIME),  # null: it is received now
    pa.field("retained", pa.bool_()),
]
MESSAGES = pa.schema(_MESSAGE_FIELDS)

# Rows and bytes that are in memory at once; readings of a tag of 60 bytes fill them alike.
BATCH_ROWS = 1 << 15
BATCH_BYTES = 4 << 20
# Of a line: a payload may have 1 MiB, and six bytes of JSON are needed for some of its bytes.
LINE_BYTES_MAX = 8 << 20

_CSV = (".csv", ".csv.gz")
_PARQUET = (".parquet", ".pq")
_LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
_COLUMNS = ("tag", "source_time", "value", "text")


def tables_of(path: Path, rules: Rules) -> Iterator[pa.Table]:
    """Read a file: tables of READINGS or of MESSAGES, some thousand rows each, in its order.

    Parquet and CSV have the columns tag, source_time, and value or text or both; others are
    ignored. A line of JSON is a reading with such fields, or a message with topic and payload.
    Raises DataError, with the row or line, for what cannot be read or has no meaning: rows count
    from 1, without the head.
    """
    name = path.name.lower()
    with _said(path):
        if name.endswith(_CSV):
            yield from _checked_rows(_csv_batches(path), rules)
        elif name.endswith(_PARQUET):
            yield from _checked_rows(_parquet_batches(path), rules)
        elif name.endswith(_LINES):
            yield from _line_tables(path, rules)
        else:
            endings = ", ".join((*_CSV, *_PARQUET, *_LINES))
            raise DataError(f"what it holds is told by its ending: name it {endings}")


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Say of which file a mistake is."""
    try:
        yield
    except DataError as problem:
        raise DataError(f"{path}: {problem}") from None
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as problem:
        words = " ".join(str(problem).split())[:200]
        raise DataError(f"{path}: cannot be read: {words}") from None
    except (EOFError, zlib.error) as problem:
        raise DataError(f"{path}: the compressed data are not whole: {problem}") from None
    except OSError as problem:
        words = os.strerror(problem.errno) if problem.errno else " ".join(str(problem).split())
        raise DataError(f"{path}: cannot be read: {words[:200]}") from None


def _csv_batches(path: Path) -> Iterator[pa.Table]:
    """Read every cell as text: what a column holds is not to be told by its first rows."""
    if path.stat().st_size == 0:
        raise DataError("it is empty")
    read = pa_csv.ReadOptions(block_size=BATCH_BYTES)
    with pa_csv.open_csv(path, read_options=read) as head:
        names = _wanted(head.schema.names)
    convert = pa_csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        include_columns=names,
        null_values=[""],
        strings_can_be_null=True,
    )
    parse = pa_csv.ParseOptions(newlines_in_values=True)
    with pa_csv.open_csv(
        path, read_options=read, parse_options=parse, convert_options=convert
    ) as reader:
        for batch in reader:
            yield pa.Table.from_batches([batch])


def _parquet_batches(path: Path) -> Iterator[pa.Table]:
    with pq.ParquetFile(path) as file:
        names = _wanted(file.schema_arrow.names)
        for batch in file.iter_batches(BATCH_ROWS, columns=names):
            yield pa.Table.from_batches([batch])


def _wanted(names: Sequence[str]) -> list[str]:
    """Choose the columns to read."""
    has = f"it has the columns {', '.join(names)[:200]}"
    for name in _COLUMNS:
        if list(names).count(name) > 1:
            raise DataError(f"it has more than one column {name!r}: leave one of that name")
    for name in ("tag", "source_time"):
        if name not in names:
            raise DataError(f"the column {name!r} is missing; {has}, separated by commas in CSV")
    if not {"value", "text"} & set(names):
        raise DataError(f"neither of the columns 'value' and 'text' is there; {has}")
    return [name for name in _COLUMNS if name in names]


def _checked_rows(batches: Iterator[pa.Table], rules: Rules) -> Iterator[pa.Table]:
    count = 0
    for batch in batches:
        where = partial(_row, count + 1)
        columns: dict[str, Column] = {name: _plain(batch[name]) for name in batch.column_names}
        tag, sent = columns["tag"], columns["source_time"]
        if not _is_text(tag.type):
            raise DataError(f"the column 'tag' holds {tag.type}, not texts: convert it")
        zones = _zones(_checked_tags(tag, where), rules)
        instants = instants_of(sent, zones)
        _refuse_timeless(instants, lambda row, sent=sent: sent[row].as_py(), where)  # type: ignore[misc]
        try:
            cells = cells_of(columns.get("value", pa.nulls(len(tag))), rules.limits)
        except CellError as problem:
            raise DataError(f"{where(problem.row)}, column 'value': {problem}") from None
        texts = _with_texts(cells, columns.get("text"), where)
        _refuse_long(texts, rules.limits.string_bytes, where)
        yield _readings(tag.cast(pa.string()), instants, cells.values, texts)
        count += batch.num_rows


def _row(first: int, index: int) -> str:
    return f"row {first + index}"


def _plain(column: pa.ChunkedArray[Any]) -> Column:
    kind = column.type
    return column.cast(kind.value_type) if pa.types.is_dictionary(kind) else column


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _checked_tags(tags: Column, where: Where) -> Column:
    if (row := _first(_sizes(tags) == 0)) is not None:
        raise DataError(f"{where(row)} has no tag: give it one")
    return tags


def _zones(tags: Column, rules: Rules) -> list[tzinfo]:
    """Give the zone of each row, or the one of all."""
    unique = pc.unique(tags)
    zones = [rules.zone_of(address(str(tag))[0]) for tag in unique.to_pylist()]
    if len(set(zones)) <= 1:
        return zones[:1] or [UTC]
    return [zones[code] for code in pc.index_in(tags, unique).to_numpy().tolist()]


def _refuse_timeless(instants: Instants, sent: Callable[[int], object], where: Where) -> None:
    """Refuse a reading without a time: it would be filed under the time of the import."""
    row = _first(instants.us == NO_TIME)
    if row is None:
        return
    words = sent(row)
    if words is None:
        raise DataError(f"{where(row)} has no source_time: give it one")
    raise DataError(
        f"{where(row)}, column 'source_time': {str(words)[:60]!r} is no time between the years"
        " 1678 and 2261; write it as 2026-01-31T14:30:00Z or as milliseconds since 1970"
    )


def _with_texts(cells: Cells, own: Column | None, where: Where) -> pa.Array[Any]:
    """Put the texts of a column of their own to those that stand in the place of numbers."""
    if own is None or pa.types.is_null(own.type):
        return cells.texts
    if not _is_text(own.type):
        raise DataError(f"the column 'text' holds {own.type}, not texts: convert it")
    has_value = pc.or_(pc.is_valid(cells.values), pc.is_valid(cells.texts))
    if (row := _first(pc.and_(pc.is_valid(own), has_value))) is not None:
        raise DataError(f"{where(row)} has a value and a text: a reading has one; remove the other")
    texts: pa.Array[Any] = pc.call_function("coalesce", [cells.texts, own.cast(pa.string())])
    return texts


def _refuse_long(texts: Column, bytes_max: int, where: Where) -> None:
    if (row := _first(_sizes(texts) > bytes_max)) is not None:
        raise DataError(f"{where(row)} has a text over the limit, {bytes_max} bytes: shorten it")


def _sizes(texts: Column) -> npt.NDArray[np.int64]:
    """Give the bytes of each text, 0 where there is none."""
    sizes: Column = pc.call_function("binary_length", [texts])
    return np.asarray(pc.call_function("coalesce", [sizes, pa.scalar(0, sizes.type)]), np.int64)


def _readings(tag: Column, instants: Instants, value: pa.Array[Any], text: Column) -> pa.Table:
    local = np.full(len(tag), NO_TIME, np.int64) if instants.local is None else instants.local
    columns = {
        "tag": tag,
        "source_time": pa.array(instants.us).view(TIME),
        "local_time": pa.array(local, mask=local == NO_TIME).view(pa.timestamp("us")),
        "value": value,
        "text": text,
    }
    return pa.Table.from_pydict(columns, schema=READINGS)


def _first(rows: Any) -> int | None:  # noqa: ANN401  # a mask of numpy or of Arrow
    """Find the first row of a mask that is true."""
    found = np.flatnonzero(np.asarray(rows))
    return int(found[0]) if found.size else None


class _Line(msgspec.Struct):
    """One line of JSON: a reading or a message."""

    tag: str | None = None
    source_time: str | int | float | None = None
    value: str | float | int | bool | None = None
    text: str | None = None
    topic: str | None = None
    payload: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    payload_base64: str | None = None
    received_time: str | int | float | None = None
    retained: bool = False


_decode_line = msgspec.json.Decoder(_Line).decode
_decode_text = msgspec.json.Decoder(str).decode


def _line_tables(path: Path, rules: Rules) -> Iterator[pa.Table]:
    """Read JSON lines; all lines of a file are readings, or all are messages."""
    is_messages: bool | None = None
    for numbers, lines in _line_batches(path):
        if is_messages is None:
            is_messages = lines[0].topic is not None
        where = partial(_line, numbers)
        odd = _first([(line.topic is not None) != is_messages for line in lines])
        if odd is not None:
            others = "messages" if is_messages else "readings"
            raise DataError(f"{where(odd)} is none, those before are {others}: split the file")
        yield _messages(lines, where) if is_messages else _line_readings(lines, rules, where)
    if is_messages is None:
        raise DataError("it is empty")


def _line(numbers: Sequence[int], index: int) -> str:
    return f"line {numbers[index]}"


def _line_batches(path: Path) -> Iterator[tuple[list[int], list[_Line]]]:
    """Read the lines that are not blank, with their numbers."""
    numbers, lines, size, number = list[int](), list[_Line](), 0, 0
    with _opened(path) as file:
        while raw := file.readline(LINE_BYTES_MAX + 1):
            number += 1
            if len(raw) > LINE_BYTES_MAX:
                raise DataError(f"line {number} is longer than {LINE_BYTES_MAX} bytes: split it")
            if not raw.strip():
                continue
            try:
                lines.append(_decode_line(raw))
            except (msgspec.DecodeError, UnicodeDecodeError) as problem:
                raise DataError(f"line {number} is no such JSON object: {problem}") from None
            numbers.append(number)
            size += len(raw)
            if size >= BATCH_BYTES or len(lines) >= BATCH_ROWS:
                yield numbers, lines
                numbers, lines, size = [], [], 0
    if lines:
        yield numbers, lines


def _opened(path: Path) -> BinaryIO:
    if path.name.lower().endswith(".gz"):
        return cast("BinaryIO", gzip.GzipFile(path))
    return path.open("rb")


def _line_readings(lines: Sequence[_Line], rules: Rules, where: Where) -> pa.Table:
    tags = _checked_tags(pa.array([line.tag or None for line in lines], pa.string()), where)
    sent = [line.source_time for line in lines]
    instants = instants_of_each(sent, _zones(tags, rules))
    _refuse_timeless(instants, sent.__getitem__, where)
    try:
        cells = cells_of_each([line.value for line in lines], rules.limits)
    except CellError as problem:
        raise DataError(f"{where(problem.row)}, field 'value': {problem}") from None
    own = pa.array([line.text for line in lines], pa.string())
    texts = _with_texts(cells, own, where)
    _refuse_long(texts, rules.limits.string_bytes, where)
    return _readings(tags, instants, cells.values, texts)


def _messages(lines: Sequence[_Line], where: Where) -> pa.Table:
    sent = [line.received_time for line in lines]
    received = instants_of_each(sent, [UTC]).us
    odd = _first(
        [one is not None and us == NO_TIME for one, us in zip(sent, received, strict=True)]
    )
    if odd is not None:
        raise DataError(f"{where(odd)}, field 'received_time': {sent[odd]!r} is no time")
    columns: dict[str, Any] = {
        "topic": [line.topic for line in lines],
        "payload": [_payload_of(line, where(row)) for row, line in enumerate(lines)],
        "received_time": pa.array(received, mask=received == NO_TIME).view(TIME),
        "retained": [line.retained for line in lines],
    }
    return pa.Table.from_pydict(columns, schema=MESSAGES)


def _payload_of(line: _Line, where: str) -> bytes:
    """Give the bytes: of a text the text itself, of another value its JSON."""
    if line.payload_base64 is not None:
        try:
            return base64.b64decode(line.payload_base64, validate=True)
        except binascii.Error:
            raise DataError(f"{where}, field 'payload_base64': it is not base64") from None
    if isinstance(line.payload, msgspec.UnsetType):
        raise DataError(f"{where} has a topic and no payload: give it one")
    raw = bytes(line.payload)
    return _decode_text(raw).encode() if raw.startswith(b'"') else raw
