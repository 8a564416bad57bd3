"""Prints a table for people or programs: aligned text, CSV, JSON or Parquet."""

import csv
import io
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.errors import ConfigError

# A spreadsheet takes a text that begins so for a formula (OWASP: CSV injection).
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class Format(StrEnum):
    """How a table is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def format_named(name: str) -> Format:
    """Find a format. Raises ConfigError for one that does not exist."""
    try:
        return Format(name)
    except ValueError:
        raise ConfigError(f"--format: {name!r} is none of {', '.join(Format)}") from None


def print_table(table: pa.Table, form: Format) -> None:
    """Write a table to standard output."""
    if form is Format.PARQUET:
        pq.write_table(table, sys.stdout.buffer)
    elif form is Format.JSON:
        sys.stdout.buffer.write(as_json(table))
    elif form is Format.CSV:
        sys.stdout.write(as_csv(table))
    else:
        sys.stdout.write(as_text(table))
    sys.stdout.flush()


def as_json(table: pa.Table) -> bytes:
    """Give a JSON list, one object a row and a line; times as RFC 3339, bytes as escaped text."""
    rows = [
        msgspec.json.encode({key: _plain(cell) for key, cell in row.items()})
        for row in table.to_pylist()
    ]
    return b"[" + b",\n".join(rows) + b"]\n"


def as_csv(table: pa.Table) -> str:
    """Give CSV with a head; a text that a spreadsheet would run gets an apostrophe in front."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(table.column_names)
    for row in _rows(table):
        writer.writerow([_defused(cell) for cell in row])
    return target.getvalue()


def as_text(table: pa.Table) -> str:
    """Give aligned columns; control characters are escaped, so that no name drives a terminal."""
    head = list(table.column_names)
    body = [[_shown(cell) for cell in row] for row in _rows(table)]
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    lines = [head, ["-" * width for width in widths], *body]
    return "".join(_aligned(line, widths) for line in lines)


def _rows(table: pa.Table) -> Iterable[Sequence[Any]]:
    return zip(*(column.to_pylist() for column in table.columns), strict=True)


def _plain(cell: object) -> object:
    if isinstance(cell, datetime):
        return cell.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
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
