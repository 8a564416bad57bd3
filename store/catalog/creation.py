"""The lake's tables and views: made where they are missing, views renewed when they change."""

# ruff: noqa: S608 - the SQL is put together of the store's own names

from collections.abc import Callable

import duckdb

from store import tables
from store.catalog.attachment import LAKE
from store.catalog.tag_names import has_former_units, has_renamed_tags
from store.segments.segment import ROW_GROUP_ROWS, SORT_KEYS, ZSTD_LEVEL
from store.views.views import Shape, views_sql, views_version

# A merge makes segments of at most so many bytes, about 2 M readings: it is one step of bounded
# work, and a query of one tag reads one row group of each.
MERGED_BYTES = 4_000_000
# How DuckLake writes when it merges: as store/segments/ does. Version 2 has the DELTA encoding.
_OPTIONS = {
    "parquet_compression": "zstd",
    "parquet_compression_level": ZSTD_LEVEL,
    "parquet_version": 2,
    "parquet_row_group_size": ROW_GROUP_ROWS,
    "target_file_size": f"{MERGED_BYTES}B",
}


def steps(connection: duckdb.DuckDBPyConnection) -> tuple[Callable[[], None], ...]:
    """Give the steps that make whatever the lake lacks: a transaction each, under the commit lock.

    In this order, as DuckLake takes no option of a schema that is not committed, and heeds it from
    the next one on. A crash between them leaves a lake that is not complete.
    """
    return (
        lambda: _make_schemas(connection),
        lambda: _keep_in_segments(connection),
        lambda: _make_tables(connection),
    )


def _make_schemas(connection: duckdb.DuckDBPyConnection) -> None:
    for schema in tables.SCHEMAS:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")


def _keep_in_segments(connection: duckdb.DuckDBPyConnection) -> None:
    """Let no row of what lies in segments into the catalog: there is then no place to ask for it.

    Said of the schemas for tables that are to be made, and of tables that an older program made.
    """
    sql = "CALL ducklake_set_option(?, 'data_inlining_row_limit', 0, schema => ?"
    for schema in {table.schema for table in tables.IN_SEGMENTS}:
        connection.execute(f"{sql})", [LAKE, schema])
    for table in tables.IN_SEGMENTS:
        if _columns(connection, table):
            words = [LAKE, table.schema, table.name]
            connection.execute(f"{sql}, table_name => ?)", words)


def _make_tables(connection: duckdb.DuckDBPyConnection) -> None:
    for table in tables.TABLES:
        connection.execute(table.ddl)
        _add_columns(connection, table)
    for table in (tables.RAW_READINGS, tables.CLEAN_READINGS):
        connection.execute(f"ALTER TABLE {table.path} SET SORTED BY ({', '.join(SORT_KEYS)})")
    for option, value in _OPTIONS.items():
        connection.execute("CALL ducklake_set_option(?, ?, ?)", [LAKE, option, value])
    for table in (tables.INGEST_PROGRESS, tables.JUDGE_PROGRESS):
        if not _has_rows(connection, table):
            connection.execute(f"INSERT INTO {table.path} VALUES (0, 0, 0, NULL, NULL, '')")
    _begin_rollups(connection)
    renew_views(connection)


def is_complete(connection: duckdb.DuckDBPyConnection) -> bool:
    """Tell whether the lake has all that this program makes: the views' version comes last."""
    found = connection.execute(
        "SELECT 1 FROM duckdb_tables() WHERE database_name = current_database()"
        " AND schema_name = ? AND table_name = ?",
        [tables.VIEW_VERSION.schema, tables.VIEW_VERSION.name],
    ).fetchone()
    if found is None or (version := _version(connection)) is None:
        return False
    return version == _expected_version(connection)


def renew_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the views anew. Call it inside a transaction, under the commit lock."""
    shape = _shape(connection)
    for statement in connection.extract_statements(views_sql(shape)):
        connection.execute(statement)
    version = views_version(shape)
    connection.execute(f"DELETE FROM {tables.VIEW_VERSION.path}")
    connection.execute(f"INSERT INTO {tables.VIEW_VERSION.path} VALUES (?)", [version])


def _add_columns(connection: duckdb.DuckDBPyConnection, table: tables.Table) -> None:
    """Add the columns that a lake of an older program lacks; its rows have null there."""
    there = _columns(connection, table)
    for field in table.columns:
        if field.name not in there:
            connection.execute(f"ALTER TABLE {table.path} ADD COLUMN {tables.column_ddl(field)}")


def _columns(connection: duckdb.DuckDBPyConnection, table: tables.Table) -> set[str]:
    """Give the columns that a table has, none where there is no such table."""
    found = connection.execute(
        "SELECT column_name FROM duckdb_columns() WHERE database_name = current_database()"
        " AND schema_name = ? AND table_name = ?",
        [table.schema, table.name],
    ).fetchall()
    return {name for (name,) in found}


def _begin_rollups(connection: duckdb.DuckDBPyConnection) -> None:
    """Begin before the first reading; those that are there already are of format 1."""
    if not _has_rows(connection, tables.ROLLUP_PROGRESS):
        first = "0" if _has_rows(connection, tables.CLEAN_READINGS) else "NULL"
        connection.execute(f"INSERT INTO {tables.ROLLUP_PROGRESS.path} VALUES (0, 0, {first})")


def _expected_version(connection: duckdb.DuckDBPyConnection) -> str | None:
    try:
        return views_version(_shape(connection))
    except duckdb.CatalogException:  # a lake of an older program has no rollups, or no names
        return None


def _shape(connection: duckdb.DuckDBPyConnection) -> Shape:
    return Shape(
        is_catching_up=_is_catching_up(connection),
        has_renamed_tags=has_renamed_tags(connection),
        has_former_units=has_former_units(connection),
    )


def _is_catching_up(connection: duckdb.DuckDBPyConnection) -> bool:
    sql = f"SELECT 1 FROM {tables.ROLLUP_PROGRESS.path} WHERE arrival IS NOT NULL"
    return connection.execute(sql).fetchone() is not None


def _version(connection: duckdb.DuckDBPyConnection) -> str | None:
    row = connection.execute(f"SELECT sha256 FROM {tables.VIEW_VERSION.path}").fetchone()
    return None if row is None else str(row[0])


def _has_rows(connection: duckdb.DuckDBPyConnection, table: tables.Table) -> bool:
    return connection.execute(f"SELECT 1 FROM {table.path} LIMIT 1").fetchone() is not None
