"""Reads and writes the tables that people hand in as files: Parquet or CSV."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from contracts.errors import DataError
from gainline.outfile import whole_file


def read_table(path: Path, *, columns: tuple[str, ...] = ()) -> pa.Table:
    """Read a Parquet or CSV file; `columns` must be in it, others come along.

    Raises DataError when it cannot be read, is no table, or lacks a column.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        table = pa_csv.read_csv(path) if is_csv(path) else pq.read_table(path)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as problem:
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
    """Write a Parquet or CSV file by the name's ending; CSV gets lists as words with blanks."""
    with whole_file(path) as part:
        if is_csv(path):
            pa_csv.write_csv(_flat(table), part)
        else:
            pq.write_table(table, part, compression="zstd")


def is_csv(path: Path) -> bool:
    """Tell by the name's ending whether a file is CSV.

    >>> is_csv(Path("panel.CSV")), is_csv(Path("panel.parquet"))
    (True, False)
    """
    return path.suffix.lower() == ".csv"


def _flat(table: pa.Table) -> pa.Table:
    for index, field in enumerate(table.schema):
        if pa.types.is_list(field.type):
            words = [None if row is None else " ".join(row) for row in table[index].to_pylist()]
            table = table.set_column(index, field.name, pa.array(words, pa.string()))
    return table
