"""The verb `sql`: one statement, those of standard input, or a shell."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from gainline.contained import Cell
from gainline.store_place import store_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from gainline.config import Settings


def answer_once(query: str, form: str, settings_of: Callable[[], Settings]) -> None:
    """Write the answer of one statement to standard output. Raises as `Cell.ask`."""
    # the process that answers loads what it needs while we read the configuration
    with Cell() as cell:
        open_cell(cell, settings_of())
        cell.ask(query, form, sys.stdout.buffer)


def open_cell(cell: Cell, settings: Settings) -> None:
    """Let a process ask the store of the configuration, within its limits."""
    limits = settings.sql
    cell.open(
        store_folder(settings),
        memory_limit_mb=limits.memory_limit_mb,
        time_limit_s=limits.time_limit_s,
    )
