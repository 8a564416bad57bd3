"""Prints a table for people or programs: aligned text, CSV, JSON or Parquet."""

import csv
import io
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from store.query import fetch, fetch_rows

Row = tuple[Any, ...]

# A spreadsheet takes a text that begins so for a formula (OWASP: CSV injection).
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class Format(StrEnum):
    """How a table is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def print_answer(folder: Path, query: str, form: Format, parameters: Sequence[object] = ()) -> None:
    """Ask a store and write the answer to standard output."""
    if form is Format.PARQUET:
        import pyarrow.parquet as pq  # noqa: PLC0415  # half of the time of a small answer

        pq.write_table(fetch(folder, query, parameters), sys.stdout.buffer)
    else:
        names, rows = fetch_rows(folder, query, parameters)
        sys.stdout.write(WRITERS[form](names, rows))
    sys.stdout.flush()


def as_json(names: Sequence[str], rows: Sequence[Row]) -> str:
    """Give a JSON list, one object a row and a line; times as RFC 3339, bytes as escaped text."""
    objects = (dict(zip(names, map(_plain, row), strict=True)) for row in rows)
    return "[" + ",\n".join(msgspec.json.encode(each).decode() for each in objects) + "]\n"


def as_csv(names: Sequence[str], rows: Sequence[Row]) -> str:
    """Give CSV with a head; a text that a spreadsheet would run gets an apostrophe in front."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_defused(cell) for cell in row] for row in rows)
    return target.getvalue()


def as_text(names: Sequence[str], rows: Sequence[Row]) -> str:
    """Give aligned columns; control characters are escaped, so that no name drives a terminal."""
    body = [[_shown(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *body, strict=True)]
    lines = [names, ["-" * width for width in widths], *body]
    return "".join(_aligned(line, widths) for line in lines)


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
    text = "" if plain is None else str(plain)
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip() + "\n"


WRITERS: dict[Format, Callable[[Sequence[str], Sequence[Row]], str]] = {
    Format.TABLE: as_text,
    Format.CSV: as_csv,
    Format.JSON: as_json,
}
