"""Reads tables from CSV files, as people and spreadsheets write them."""

from __future__ import annotations

import codecs
import io
from collections.abc import Container
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from contracts.errors import DataError

# Names, whatever they look like: a tag may be called 12.
TEXT_COLUMNS: Final = {name: pa.string() for name in ("tag", "line")}
HEAD_BYTES: Final = 1 << 16  # of the names of columns, which are far shorter
# Digits that a number would not give back: zeros before it, more than a double can tell apart.
CODE: Final = r"^[+-]?(0[0-9]|[0-9]{16})"


def read_csv(path: Path) -> pa.Table:
    """Read a table. Raises DataError where it is not as it must be, or what Arrow raises."""
    head = _head(path)
    # of one line without an end Arrow would say that nothing is there
    source: Any = path if head.endswith(b"\n") else io.BytesIO(path.read_bytes() + b"\n")
    options = pa_csv.ConvertOptions(column_types=TEXT_COLUMNS)
    table = pa_csv.read_csv(source, convert_options=options)
    for name, kind in zip(table.schema.names, table.schema.types, strict=True):
        if pa.types.is_binary(kind):  # what Arrow makes of text that it cannot read
            raise DataError(f"{path}: the column {name!r} is not UTF-8; save the file as UTF-8")
    return table


def with_codes(table: pa.Table, path: Path, numbers: Container[str]) -> pa.Table:
    """Give back as text, as it came, each column in which a number would lose digits.

    An article 007 stays that; the columns that must be `numbers` are left alone.
    """
    places = [
        at
        for at, field in enumerate(table.schema)
        if (pa.types.is_integer(field.type) or pa.types.is_floating(field.type))
        and field.name not in numbers
    ]
    if not places:
        return table
    texts = _texts_of(path, table.num_columns, places)
    for place, text in zip(places, texts.columns, strict=True):
        if pc.any(pc.match_substring_regex(text, CODE)).as_py():
            table = table.set_column(place, table.schema.names[place], text)
    return table


def _texts_of(path: Path, width: int, places: list[int]) -> pa.Table:
    names = [str(at) for at in range(width)]  # its own may be there twice
    chosen = [names[at] for at in places]
    return pa_csv.read_csv(
        path,
        read_options=pa_csv.ReadOptions(column_names=names, skip_rows_after_names=1),
        convert_options=pa_csv.ConvertOptions(
            include_columns=chosen,
            column_types=dict.fromkeys(chosen, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
        ),
    )


def _head(path: Path) -> bytes:
    """Give the names' line. Raises DataError where a spreadsheet has written it its own way."""
    with path.open("rb") as file:
        head = file.readline(HEAD_BYTES)
    if not head:
        raise DataError(f"{path}: not a CSV table: it is empty; its first line must name columns")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(f"{path}: is UTF-16; save the file as UTF-8")
    found = next((mark for mark in (b";", b"\t") if mark in head and b"," not in head), None)
    if found:
        raise DataError(
            f"{path}: {found.decode()!r} stands between the cells; "
            "write commas there, and points in numbers"
        )
    return head
