"""Reads and writes the tables that people hand in as files: Parquet or CSV."""

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from contracts.errors import DataError
from gainline.outfile import whole_file

# Names, whatever they look like: a tag may be called 12.
TEXT_COLUMNS = {name: pa.string() for name in ("tag", "line")}
PARQUET_ENDINGS = ("", ".parquet", ".pq")


def read_table(path: Path, *, columns: tuple[str, ...] = ()) -> pa.Table:
    """Read a Parquet or CSV file; `columns` must be in it, others come along.

    Raises DataError when it cannot be read, is no table, or lacks a column.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file")
    if path.is_dir():
        raise DataError(f"{path}: is a folder; name a file in it")
    try:
        table = _read_csv(path) if is_csv(path) else pq.read_table(path)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as problem:
        number = getattr(problem, "errno", None)
        if number:
            raise DataError(f"{path}: cannot be read: {os.strerror(number)}") from None
        kind = "CSV" if is_csv(path) else "Parquet"
        cause = " ".join(str(problem).split())[:200]
        raise DataError(f"{path}: not a {kind} table: {cause}") from None
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise DataError(
            f"{path}: the column {missing[0]!r} is missing; it has {', '.join(table.column_names)}"
        )
    return table


def write_table(table: pa.Table, path: Path) -> None:
    """Write a Parquet or CSV file by the name's ending; CSV gets lists as words with blanks.

    Raises DataError where it cannot be written, TransientError for a full disk.
    """
    with whole_file(path) as part:
        if is_csv(path):
            pa_csv.write_csv(_flat(table), part)
        else:
            pq.write_table(table, part, compression="zstd")


def refuse_ending(path: Path) -> None:
    """Raise DataError for a name that promises neither Parquet nor CSV, such as out.xlsx."""
    is_file = path.is_file() or not path.exists()
    if is_file and not is_csv(path) and path.suffix.lower() not in PARQUET_ENDINGS:
        raise DataError(f"{path}: cannot be written as {path.suffix}; name it .parquet or .csv")


def is_csv(path: Path) -> bool:
    """Tell by the name's ending whether a file is CSV.

    >>> is_csv(Path("panel.CSV")), is_csv(Path("panel.parquet"))
    (True, False)
    """
    return path.suffix.lower() == ".csv"


def _read_csv(path: Path) -> pa.Table:
    return pa_csv.read_csv(path, convert_options=pa_csv.ConvertOptions(column_types=TEXT_COLUMNS))


def _flat(table: pa.Table) -> pa.Table:
    """Make text of what has no place in a cell of CSV."""
    for index, field in enumerate(table.schema):
        if pa.types.is_nested(field.type):
            words = [_words(cell) for cell in table[index].to_pylist()]
            table = table.set_column(index, field.name, pa.array(words, pa.string()))
    return table


def _words(cell: object) -> str | None:
    if cell is None:
        return None
    if isinstance(cell, list) and all(isinstance(word, str) for word in cell):
        return " ".join(cell)
    return json.dumps(cell, default=str)
