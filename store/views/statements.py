"""Tells the one statement of SQL that only reads from all others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import duckdb
import msgspec

from contracts.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

# A statement is text that a person writes: more is a mistake, and a parser is fed no more.
SQL_BYTES_MAX = 1 << 20
# Table functions that only read, of the lake or of nothing. All others are refused, so that one
# that a newer DuckDB brings is refused too: some remove files, write logs, read files by name, run
# a text as SQL, or take an address in memory.
TABLE_FUNCTIONS = frozenset(
    {
        *("around", "align", "asof", "downsample"),  # macros of ours
        *("range", "generate_series", "unnest", "repeat", "repeat_row"),
        *("json_each", "json_tree", "summary", "histogram", "histogram_values"),
        *("duckdb_columns", "duckdb_functions", "duckdb_keywords", "duckdb_memory"),
        *("duckdb_schemas", "duckdb_tables", "duckdb_types", "duckdb_views"),
        *("pg_timezone_names", "pragma_table_info", "pragma_version"),
        *("ducklake_current_snapshot", "ducklake_last_committed_snapshot", "ducklake_snapshots"),
        *("ducklake_list_files", "ducklake_table_changes", "ducklake_table_deletions"),
        *("ducklake_table_info", "ducklake_table_insertions"),
        # the same, called as functions of the lake's schema
        *("current_snapshot", "last_committed_snapshot", "snapshots", "table_changes"),
        *("table_deletions", "table_info", "table_insertions"),
    }
)
# Views of DuckDB's own that tell more than what the lake holds: where its catalog is, and how it is
# reached, settings, logs.
_HIDDEN = frozenset({"duckdb_databases", "duckdb_logs", "pg_settings", "pragma_database_list"})
# Functions of a value that plan a text as SQL, whatever it reaches for, or write into a log.
_NO_VALUES = frozenset({"json_serialize_plan", "write_log"})
# EXPLAIN ANALYZE runs what it explains: what follows these words must be a query too.
_EXPLAIN = re.compile(
    r"\s*EXPLAIN(?:\s+ANALYZE\b)?(?:\s*\(\s*(?:FORMAT|ANALYZE)[\w\s,]*\))?", re.IGNORECASE
)
# DuckDB writes a statement of several steps out of it, the first of which is no query.
_SEVERAL_STEPS = re.compile(r"\s*(?:PIVOT|PIVOT_WIDER)\b", re.IGNORECASE)


def only_statement(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    """Parse SQL that must be one SELECT, or an EXPLAIN, DESCRIBE, SHOW or SUMMARIZE of one.

    It is told from the tree that DuckDB's own parser makes: neither comments nor quotes nor other
    spellings hide a statement or the name of a function. Raises DataError with the reason,
    duckdb.Error for SQL that is wrong.
    """
    if len(sql.encode("utf-8", "surrogatepass")) > SQL_BYTES_MAX:
        raise DataError(f"the SQL is longer than {SQL_BYTES_MAX >> 10} KiB: ask for less at once")
    if "\0" in sql:
        raise DataError("the SQL holds a character of number 0, where the parser would end")
    try:
        statements = connection.extract_statements(sql)
    except duckdb.IOException as error:  # IMPORT is replaced by what its file says
        raise DataError("the SQL names a file to import: ask by one SELECT") from error
    if len(statements) > 1 and _SEVERAL_STEPS.match(sql):
        raise DataError("a PIVOT is no single query: write FROM (PIVOT … ON … IN (…) USING …)")
    if len(statements) != 1:
        raise DataError(f"the SQL holds {len(statements)} statements: give one SELECT")
    statement = statements[0]
    _require_query(connection, statement)
    return statement


def _require_query(connection: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> None:
    query = statement.query
    kind = statement.type
    if kind == duckdb.StatementType.EXPLAIN:
        query, kind = _explained(connection, query)
    # DESCRIBE, SHOW and SUMMARIZE are SELECTs to DuckDB
    if kind != duckdb.StatementType.SELECT:
        raise DataError(f"the SQL is no query but {kind.name}: ask by one SELECT")
    for node in _nodes(_tree(connection, query)):
        if node.get("type") == "TABLE_FUNCTION":
            _require_harmless(_name_of(node.get("function"), "function_name"), TABLE_FUNCTIONS)
        elif node.get("class") == "FUNCTION":
            name = _name_of(node, "function_name")
            _require_harmless(name, {name} - _NO_VALUES)
        elif node.get("type") in ("BASE_TABLE", "SHOW_REF"):
            name = _name_of(node, "table_name").strip('"')
            _require_harmless(name, {name} - _HIDDEN)


def _require_harmless(name: str, allowed: AbstractSet[str]) -> None:
    if name not in allowed:
        raise DataError(
            f"the SQL asks {name[:80]}, which is not among the tables, views and functions that"
            " only read the store: leave it out"
        )


def _explained(
    connection: duckdb.DuckDBPyConnection, query: str
) -> tuple[str, duckdb.StatementType]:
    """Give the statement that is explained; what cannot be told apart for certain is an EXPLAIN."""
    if head := _EXPLAIN.match(query):
        rest = query[head.end() :]
        inner = connection.extract_statements(rest)
        if len(inner) == 1:
            return rest, inner[0].type
    return query, duckdb.StatementType.EXPLAIN


def _tree(connection: duckdb.DuckDBPyConnection, query: str) -> Any:  # noqa: ANN401  # JSON
    # as a literal: to take a parameter duckdb loads pandas, half a second
    literal = "'" + query.replace("'", "''") + "'"
    row = connection.execute(f"SELECT json_serialize_sql({literal})").fetchone()
    tree = msgspec.json.decode(row[0]) if row else {}
    if tree.get("error", True) or len(tree.get("statements", ())) != 1:
        words = " ".join(str(tree.get("error_message", "it has no tree")).split())
        raise DataError(f"the SQL is no query that can be looked through ({words}): simplify it")
    return tree


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401  # JSON
    """Give each node of the tree, at any depth."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _name_of(node: Any, key: str) -> str:  # noqa: ANN401  # JSON
    """Name a table or a function, in lower case as DuckDB finds it."""
    name = node.get(key) if isinstance(node, dict) else None
    return name.lower() if isinstance(name, str) else "what has no name"
