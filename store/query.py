"""SQL that only reads: a connection for engineers, and one statement's answer as a table."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import duckdb

from contracts.errors import GainlineError
from store import failures
from store.catalog.attachment import attach, enter, unattached
from store.place.folder import Folder
from store.views.answers import Answer
from store.views.confinement import confine
from store.views.flag_macros import add_macros
from store.views.statements import only_statement
from store.views.table_macros import add_table_macros

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

# What a statement is asked on, for those who do not import duckdb.
Connection = duckdb.DuckDBPyConnection

# The tables and views are made in one transaction, after the catalog itself.
_IS_MADE = "EXPLAIN FROM house.view_version"
# A thread more costs a stack; beyond, a scan of one lake gains nothing.
_THREADS_MAX = 32


def connect(folder: Path) -> duckdb.DuckDBPyConnection:
    """Open the lake for reading: every view of it by its name, all times in UTC.

    Works while others write, and never waits for them; each statement sees the lake as of its
    start. Raises ConfigError if there is no store or one of a newer format, TransientError while
    it is being made.
    """
    place = Folder(folder)
    place.require_store()
    return _open(place, None)


def connect_confined(folder: Path, *, memory_mb: int) -> duckdb.DuckDBPyConnection:
    """Open the lake for SQL of others, and confine this process to it, for good. As `connect`.

    For a process that has begun for this alone. DuckDB refuses to reach any other file and to
    change its settings; the kernel holds the same, as `store.views.confinement.confine` says.
    """
    place = Folder(folder)
    place.require_store()
    # The threads that work on queries begin after the process was confined, and inherit that.
    connection = unattached(threads=1)
    connection.execute("SET allow_persistent_secrets = false")
    enter(connection, place)  # by secrets in files, which it may not read afterwards
    try:
        confine(place, memory_bytes=memory_mb << 20)
    except OSError as error:
        raise GainlineError(
            f"this process cannot be confined ({error}): see `ulimit -a`"
        ) from error
    _open(place, connection)
    threads = min(len(os.sched_getaffinity(0)), _THREADS_MAX)
    for setting in (
        f"threads = {threads}",
        f"memory_limit = '{memory_mb}MiB'",
        "temp_directory = ''",
        "python_enable_replacements = false",
    ):
        connection.execute(f"SET {setting}")
    _close_doors(connection, place)
    return connection


def ask(connection: duckdb.DuckDBPyConnection, sql: str) -> Answer:
    """Answer one statement that only reads, in parts that are taken one by one. As `fetch`."""
    add_table_macros(connection, sql)
    try:
        return Answer(connection.execute(only_statement(connection, sql)))
    except duckdb.Error as error:
        raise failures.of_query(error) from error


def fetch(folder: Path, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
    """Answer one statement that only reads, `?` standing for the parameters.

    For a process that writes no lake: SQL that reads the catalog's file past SQLite would undo the
    process's locks on it. Raises DataError for SQL that is wrong, that is more than one statement,
    that could change something or reaches outside the lake; ConfigError if there is no store.
    """
    with connect(folder) as connection:
        add_table_macros(connection, sql)
        _close_doors(connection, Folder(folder))
        return answer(connection, sql, parameters)


def fetch_rows(
    folder: Path, sql: str, parameters: Sequence[object] = ()
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Answer as `fetch`, with column names and plain Python rows: pyarrow is not even loaded.

    For commands that run for one small answer; half of the time of `fetch` is its import.
    """
    with connect(folder) as connection:
        add_table_macros(connection, sql)
        _close_doors(connection, Folder(folder))
        try:
            found = connection.execute(only_statement(connection, sql), list(parameters))
            return [column[0] for column in found.description or []], found.fetchall()
        except duckdb.Error as error:
            raise failures.of_query(error) from error


def answer(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[object] = ()
) -> pa.Table:
    """Answer one statement that only reads, on a connection that is open. As `fetch`."""
    try:
        statement = only_statement(connection, sql)
        return connection.execute(statement, list(parameters)).to_arrow_table()
    except duckdb.Error as error:
        raise failures.of_query(error) from error


def _open(place: Folder, connection: duckdb.DuckDBPyConnection | None) -> duckdb.DuckDBPyConnection:
    connection = attach(place, writable=False, connection=connection)
    try:
        connection.execute(_IS_MADE)
    except duckdb.CatalogException as error:
        connection.close()
        raise failures.unfinished(place.root) from error
    except duckdb.Error as error:
        connection.close()
        raise failures.of_catalog(error, place.root) from error
    add_macros(connection)
    return connection


def _close_doors(connection: duckdb.DuckDBPyConnection, folder: Folder) -> None:
    """Let statements of others reach the lake and no other file, for good."""
    literal = str(folder.data).replace("'", "''")
    for setting in (
        f"allowed_directories = ['{literal}']",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")
