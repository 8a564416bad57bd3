"""The verb `sql`: one statement, those of standard input, or a shell."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from contracts.errors import DataError, GainlineError
from gainline.config.store_place import store_folder
from gainline.sql.contained import Cell
from gainline.sql.text import statements_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gainline.config.loading import Settings

# Where answers cannot follow each other.
_ONE_ANSWER = ("parquet", "arrow")


def answer(query: str | None, form: str, settings_of: Callable[[], Settings]) -> None:
    """Write what a statement finds to standard output. Raises as `Cell.ask`.

    None: the statements of standard input, or a shell where that is a terminal; "-": the former.
    """
    # the process that answers loads what it needs while we read the configuration
    with Cell() as cell:
        _open(cell, settings_of())
        if query is None and sys.stdin.isatty() and sys.stdout.isatty():
            from gainline.sql.shell import converse  # noqa: PLC0415  # a single answer does without

            converse(cell, _for_people(form))
        elif query in (None, "-"):
            answer_each(cell, form, sys.stdin.buffer)
        else:
            cell.ask(str(query), form, sys.stdout.buffer)


def answer_each(cell: Cell, form: str, lines: Iterable[bytes]) -> None:
    """Answer one statement after another, until one fails: what it raises tells its number."""
    cell.await_open()
    for number, sql in enumerate(statements_of(lines), 1):
        if number > 1 and form in _ONE_ANSWER:
            raise DataError(f"{form} holds one answer, and this is one more: give one statement")
        try:
            cell.ask(sql, form, sys.stdout.buffer)
        except GainlineError as error:
            raise type(error)(f"statement {number}: {error}") from error
        sys.stdout.buffer.flush()


def _open(cell: Cell, settings: Settings) -> None:
    """Let a process ask the store of the configuration, within its limits."""
    limits = settings.sql
    cell.open(
        store_folder(settings),
        memory_limit_mb=limits.memory_limit_mb,
        time_limit_s=limits.time_limit_s,
    )


def _for_people(form: str) -> str:
    if form in _ONE_ANSWER:
        raise DataError(f"{form} is nothing to look at: give a QUERY, and a file to write to")
    return form
