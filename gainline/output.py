"""Prints a table for people or programs: aligned text, CSV, JSON, Parquet or Arrow."""

from __future__ import annotations

import csv
import io
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from gainline.printable import printable
from gainline.sql.frames import Shown
from store.query import fetch, fetch_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from store.views.answers import Answer

Row = tuple[Any, ...]

# A spreadsheet takes a text that begins so for a formula (OWASP: CSV injection).
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


# The columns of what EXPLAIN answers.
_EXPLAINED = ["explain_key", "explain_value"]


class Format(StrEnum):
    """How a table is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"
    ARROW = "arrow"


# Those that are bytes, not text.
BINARY = (Format.PARQUET, Format.ARROW)


class Sink(Protocol):
    """What an answer is written to; nothing in it is sought."""

    def write(self, data: bytes, /) -> object:
        """Take bytes."""


def print_answer(folder: Path, query: str, form: Format, parameters: Sequence[object] = ()) -> None:
    """Ask a store a question of our own and write the answer to standard output."""
    if form in BINARY:
        found = fetch(folder, query, parameters)
        _write_batches(found.schema, found.to_batches(), form, sys.stdout.buffer)
    else:
        names, rows = fetch_rows(folder, query, parameters)
        sys.stdout.write(WRITERS[form](names, rows))
    sys.stdout.flush()


def write_answer(answer: Answer, form: Format, sink: Sink, rows_max: int = 0) -> Shown:
    """Write an answer as it comes; of a table so many rows at most, 0: all.

    Only a table is held in memory: its widths are those of all its rows.
    """
    if form in BINARY:
        return Shown(_write_batches(*answer.batches(), form, sink))
    if form is Format.TABLE:
        rows = itertools.chain.from_iterable(answer.rows())
        kept = list(itertools.islice(rows, rows_max or None))
        sink.write(as_text(answer.names, kept).encode("utf-8", "backslashreplace"))
        return Shown(len(kept), is_cut=next(rows, None) is not None)
    count = 0
    texts = _csv_parts if form is Format.CSV else _json_parts
    for text, row_count in texts(answer.names, answer.rows()):
        sink.write(text.encode("utf-8", "backslashreplace"))
        count += row_count
    return Shown(count)


def as_json(names: Sequence[str], rows: Sequence[Row]) -> str:
    """Give a JSON list, one object a row and a line; times as RFC 3339, bytes as escaped text."""
    return "".join(text for text, _ in _json_parts(names, [rows]))


def as_csv(names: Sequence[str], rows: Sequence[Row]) -> str:
    """Give CSV with a head; a text that a spreadsheet would run gets an apostrophe in front."""
    return "".join(text for text, _ in _csv_parts(names, [rows]))


def as_text(names: Sequence[str], rows: Sequence[Row]) -> str:
    """Give aligned columns; control characters are escaped, so that no name drives a terminal.

    The answer of an EXPLAIN is drawn in lines, and is given as that.
    """
    if list(names) == _EXPLAINED:
        lines_of_plan = (line for _, plan in rows for line in str(plan).rstrip().split("\n"))
        return "".join(f"{printable(line)}\n" for line in lines_of_plan)
    body = [[_shown(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *body, strict=True)]
    lines = [names, ["-" * width for width in widths], *body]
    return "".join(_aligned(line, widths) for line in lines)


def _write_batches(
    schema: pa.Schema, batches: Iterable[pa.RecordBatch], form: Format, sink: Sink
) -> int:
    """Write Parquet, or the stream of Arrow's IPC; tell how many rows."""
    import pyarrow as pa  # noqa: PLC0415  # half of the time of a small answer
    import pyarrow.parquet as pq  # noqa: PLC0415  # the same

    count = 0
    target = pa.PythonFile(sink, mode="w")  # type: ignore[arg-type]  # it asks for no more than write
    made = pa.ipc.new_stream if form is Format.ARROW else pq.ParquetWriter
    with made(target, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def _json_parts(names: Sequence[str], parts: Iterable[Sequence[Row]]) -> Iterator[tuple[str, int]]:
    before = "["
    for part in parts:
        objects = (dict(zip(names, map(_plain, row), strict=True)) for row in part)
        lines = ",\n".join(msgspec.json.encode(each).decode() for each in objects)
        if lines:
            yield before + lines, len(part)
            before = ",\n"
    yield ("[]\n" if before == "[" else "]\n"), 0


def _csv_parts(names: Sequence[str], parts: Iterable[Sequence[Row]]) -> Iterator[tuple[str, int]]:
    for head, part in itertools.chain([([names], [])], (([], part) for part in parts)):
        target = io.StringIO()
        writer = csv.writer(target, lineterminator="\n")
        writer.writerows(head)
        writer.writerows([_defused(cell) for cell in row] for row in part)
        yield target.getvalue(), len(part)


def _plain(cell: object) -> object:
    if isinstance(cell, datetime):
        return cell.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "backslashreplace")
    return cell


def _defused(cell: object) -> object:
    plain = _plain(cell)
    if isinstance(plain, list):
        plain = " ".join(map(str, plain))
    if isinstance(plain, str) and plain.startswith(FORMULA_STARTS):
        return "'" + plain
    return "" if plain is None else plain


def _shown(cell: object) -> str:
    plain = _plain(cell)
    if isinstance(plain, list):
        plain = ", ".join(map(str, plain))
    return "" if plain is None else printable(str(plain))


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip() + "\n"


WRITERS: dict[Format, Callable[[Sequence[str], Sequence[Row]], str]] = {
    Format.TABLE: as_text,
    Format.CSV: as_csv,
    Format.JSON: as_json,
}
