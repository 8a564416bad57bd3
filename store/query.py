"""SQL that only reads: a connection for engineers, and one statement's answer as a table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import duckdb

from contracts.errors import DataError, GainlineError, TransientError
from store import failures
from store.catalog import attach
from store.flag_macros import add_macros
from store.folder import Folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

# EXPLAIN ANALYZE runs what it explains: what follows this must be a query too.
_EXPLAIN = re.compile(r"\s*EXPLAIN(\s+ANALYZE\b)?(\s*\([^()]*\))?", re.IGNORECASE)
# Table functions of DuckLake that remove files even in a SELECT, and those that run a text as SQL,
# in which such a name could hide.
_HARMFUL = re.compile(
    r"\b(ducklake_(add|cleanup|commit|delete|expire|flush|merge|rewrite|set)\w*"
    r"|query|query_table)\"?\s*\(",
    re.IGNORECASE,
)
# The tables and views are made in one transaction, after the catalog itself.
_IS_MADE = "EXPLAIN FROM house.view_version"
_OUTSIDE = re.compile(r"file system operations are disabled|disabled by configuration")


def connect(folder: Path) -> duckdb.DuckDBPyConnection:
    """Open the lake for reading: every view of it by its name, all times in UTC.

    Works while others write, and never waits for them; each statement sees the lake as of its
    start. Raises ConfigError if there is no store or one of a newer format, TransientError while
    it is being made.
    """
    place = Folder(folder)
    place.require_store()
    connection = attach(place, writable=False)
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


def fetch(folder: Path, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
    """Answer one statement that only reads, `?` standing for the parameters.

    For a process that writes no lake: SQL that reads the catalog's file past SQLite would undo the
    process's locks on it. Raises DataError for SQL that is wrong, that is more than one statement,
    that could change something or reaches outside the lake; ConfigError if there is no store.
    """
    with connect(folder) as connection:
        _confine(connection, Folder(folder))
        return answer(connection, sql, parameters)


def fetch_rows(
    folder: Path, sql: str, parameters: Sequence[object] = ()
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Answer as `fetch`, with column names and plain Python rows: pyarrow is not even loaded.

    For commands that run for one small answer; half of the time of `fetch` is its import.
    """
    with connect(folder) as connection:
        _confine(connection, Folder(folder))
        try:
            found = connection.execute(_only_statement(connection, sql), list(parameters))
            return [column[0] for column in found.description or []], found.fetchall()
        except duckdb.Error as error:
            raise _of_query(error) from error


def answer(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[object] = ()
) -> pa.Table:
    """Answer one statement that only reads, on a connection that is open. As `fetch`."""
    try:
        statement = _only_statement(connection, sql)
        return connection.execute(statement, list(parameters)).to_arrow_table()
    except duckdb.Error as error:
        raise _of_query(error) from error


def _only_statement(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise DataError(f"the SQL holds {len(statements)} statements: give one SELECT")
    statement = statements[0]
    inner = statement
    if statement.type == duckdb.StatementType.EXPLAIN:
        inner = connection.extract_statements(_EXPLAIN.sub("", statement.query, count=1))[0]
    # DESCRIBE, SHOW and SUMMARIZE are SELECTs to DuckDB
    if inner.type != duckdb.StatementType.SELECT:
        raise DataError(f"the SQL is no query but {inner.type.name}: ask by one SELECT")
    if harmful := _HARMFUL.search(statement.query):
        raise DataError(f"the SQL calls {harmful[1]}, which can do more than read: leave it out")
    return statement


def _confine(connection: duckdb.DuckDBPyConnection, folder: Folder) -> None:
    """Let statements of others reach the lake and no other file, for good."""
    literal = str(folder.data).replace("'", "''")
    for setting in (
        f"allowed_directories = ['{literal}']",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")


def _of_query(error: duckdb.Error) -> GainlineError:
    words = failures.one_line(error)
    if isinstance(error, (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException)):
        return DataError(f"the SQL is wrong: {words}")
    if isinstance(error, duckdb.PermissionException) or _OUTSIDE.search(words):
        return DataError(f"the SQL reaches outside the store, which is not allowed: {words}")
    if failures.is_conflict(error):
        return TransientError(f"the catalog is held ({words}): try again")
    if isinstance(error, duckdb.IOException):
        return GainlineError(f"the store cannot be read ({words}): see `gainline doctor`")
    return DataError(f"the SQL failed: {words}")
