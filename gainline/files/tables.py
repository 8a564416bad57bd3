"""Reads and writes the tables that people hand in as files: Parquet or CSV."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from contracts.errors import DataError
from gainline.files.csv_tables import read_csv
from gainline.files.outfile import whole_file

PARQUET_ENDINGS = ("", ".parquet", ".pq")


def read_table(path: Path, *, columns: tuple[str, ...] = ()) -> pa.Table:
    """Read a Parquet or CSV file; `columns` must be in it, others come along.

    Raises DataError when it cannot be read, is no table, or lacks a column.
    """
    refuse_path(path)
    with told(path):
        table = read_csv(path) if is_csv(path) else pq.read_table(path)
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise DataError(
            f"{path}: the column {missing[0]!r} is missing; it has {', '.join(table.column_names)}"
        )
    return table


def refuse_twice(table: pa.Table, path: Path) -> None:
    """Raise DataError where two columns have one name: nothing says which of them is meant."""
    names = table.column_names
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{path}: the column {twice!r} is there twice; keep one of them")


def write_table(table: pa.Table, path: Path) -> None:
    """Write a Parquet or CSV file by the name's ending; CSV gets lists as words with blanks.

    Raises DataError where it cannot be written, TransientError for a full disk.
    """
    with whole_file(path) as part:
        if is_csv(path):
            pa_csv.write_csv(flat(table), part)
        else:
            pq.write_table(table, part, compression="zstd")


def refuse_path(path: Path) -> None:
    """Raise DataError where no file is to be read."""
    if not path.exists():
        raise DataError(f"{path}: no such file")
    if path.is_dir():
        raise DataError(f"{path}: is a folder; name a file in it")


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Make one line, which names the file, of whatever keeps it from being read."""
    try:
        yield
    except UnicodeDecodeError:
        raise DataError(f"{path}: its names are not UTF-8; save the file as UTF-8") from None
    except (pa.ArrowException, OSError) as problem:
        number = getattr(problem, "errno", None)
        if number:
            raise DataError(f"{path}: cannot be read: {os.strerror(number)}") from None
        kind = "CSV" if is_csv(path) else "Parquet"
        cause = " ".join(str(problem).split())[:200]
        if kind == "CSV" and "invalid UTF8" in cause:
            raise DataError(f"{path}: is not UTF-8; save the file as UTF-8") from None
        raise DataError(f"{path}: not a {kind} table: {cause}") from None


def refuse_target(path: Path) -> None:
    """Raise DataError where no file can be written, before any work is done for it."""
    refuse_ending(path)
    if path.is_dir():
        raise DataError(f"{path}: is a folder; name a file in it")
    if not path.parent.is_dir():
        raise DataError(f"{path}: cannot be written: there is no folder {path.parent}")


def refuse_ending(path: Path) -> None:
    """Raise DataError for a name that promises neither Parquet nor CSV, such as out.xlsx."""
    is_file = path.is_file() or not path.exists()
    if is_file and not is_csv(path) and path.suffix.lower() not in PARQUET_ENDINGS:
        raise DataError(f"{path}: cannot be written as {path.suffix}; name it .parquet or .csv")


def flat(table: pa.Table) -> pa.Table:
    """Make text of what has no place in a cell of CSV."""
    for index, field in enumerate(table.schema):
        if pa.types.is_nested(field.type):
            table = table.set_column(index, field.name, _texts(table[index]))
        elif pa.types.is_dictionary(field.type):
            plain: Any = table[index].cast(field.type.value_type)
            table = table.set_column(index, field.name, plain)
        elif pa.types.is_string_view(field.type):
            table = table.set_column(index, field.name, table[index].cast(pa.string()))
    return table


def is_csv(path: Path) -> bool:
    """Tell by the name's ending whether a file is CSV.

    >>> is_csv(Path("panel.CSV")), is_csv(Path("panel.parquet"))
    (True, False)
    """
    return path.suffix.lower() == ".csv"


def _texts(column: pa.ChunkedArray[Any]) -> Any:  # noqa: ANN401  # of Arrow
    if pa.types.is_list(column.type) and pa.types.is_string(column.type.value_type):
        return pc.binary_join(column, " ")
    return pa.array([_words(cell) for cell in column.to_pylist()], pa.string())


def _words(cell: object) -> str | None:
    return None if cell is None else json.dumps(cell, default=str)
