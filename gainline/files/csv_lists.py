"""Reads the CSV lists that people edit, line by line."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from contracts.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def lines_of(
    file: Path, key: str, columns: Sequence[str], *, ignored: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """Give the cells of each line with its number: of `key`, which must be there, and `columns`.

    `ignored` columns may be there and are left out. Raises DataError for other columns, for one
    that is there twice, for a line of another length, and for what is no CSV in UTF-8.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as source:
            reader = csv.DictReader(source)
            there = list(reader.fieldnames or ())
            odd = [name for name in there if name not in (key, *columns, *ignored)]
            if key not in there or odd or len(set(there)) < len(there):
                raise DataError(
                    f"{file}: it has the columns {', '.join(there)}; write {key}, then any of"
                    f" {', '.join(columns)}, each once"
                )
            for line in reader:
                if None in line or None in line.values():
                    raise DataError(f"{file}:{reader.line_num}: write one cell for each column")
                yield reader.line_num, {n: line[n] for n in (key, *columns) if n in line}
    except OSError as problem:
        raise DataError(f"{file}: cannot be read: {problem.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as problem:
        raise DataError(f"{file}: is no CSV in UTF-8: {problem}") from None
