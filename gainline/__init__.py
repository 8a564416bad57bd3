"""The roof: wires the rooms, reads the configuration, offers the commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from store.query import Connection

__all__ = ["connect"]


def connect(store: str | Path) -> Connection:
    """Open a store for reading from a program or a notebook: a connection of DuckDB.

    It has every view and macro by its name and all times in UTC, works while `gainline run` writes,
    and sees with each statement all that is committed by then. The store cannot be changed by it;
    tables and files of your own can. Raises `contracts.errors.ConfigError` where there is no store,
    or one of a newer format, `contracts.errors.TransientError` while it is being made.
    """
    # a command or a program that does not ask loads no DuckDB
    from pathlib import Path  # noqa: PLC0415  # see above

    from store import query  # noqa: PLC0415  # see above
    from store.views import table_macros  # noqa: PLC0415  # see above

    connection = query.connect(Path(store))
    table_macros.add_table_macros(connection)
    return connection
