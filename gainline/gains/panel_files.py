"""Reads the files of a panel: its upgrades and its events beside it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from contracts.errors import DataError
from contracts.panel import EVENT_COLUMNS, REQUIRED, Events, Panel, Upgrades
from gainline.files.tables import read_table, refuse_twice

# What `panel` says of how much was received: of the readings and not of the line, so no covariate.
COVERAGE = "coverage"


def read_panel(path: Path) -> Panel:
    """Read a panel, without its coverage. Raises DataError, naming the file, where it is none."""
    table = read_table(path, columns=REQUIRED)
    dated = _dated(table, "period", path)
    return Panel(dated.select([name for name in dated.column_names if name != COVERAGE]))


def read_upgrades(path: Path) -> Upgrades:
    """Read upgrades. Raises DataError, naming the file, where they are none."""
    return Upgrades(_dated(read_table(path), "upgraded_on", path))


def read_events(path: Path) -> Events:
    """Read non-routine events. Raises DataError, naming the file, where they are none."""
    table = read_table(path, columns=EVENT_COLUMNS)
    return Events(_dated(_dated(table, "begins", path), "ends", path))


def _dated(table: pa.Table, column: str, path: Path) -> pa.Table:
    """Take a column for dates; `line` for text, whatever the file made of it."""
    refuse_twice(table, path)
    if column not in table.column_names or "line" not in table.column_names:
        return table  # the type that takes it says what is missing
    try:
        days = table[column].cast(pa.date32(), safe=False)
        lines = table["line"].cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise DataError(f"{path}: the column {column!r} holds no dates; write 2026-03-02") from None
    table = table.set_column(table.column_names.index(column), column, days)
    return table.set_column(table.column_names.index("line"), "line", lines)
