"""Which files a lake consists of, with what is noted of each."""

# ruff: noqa: S608 - the SQL is put together of the store's own names

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from store import tables
from store.catalog.attachment import METADATA

if TYPE_CHECKING:
    import duckdb

# A table's folder, relative to the data; a table that was altered has several rows in the catalog.
_FOLDERS = f"""
SELECT DISTINCT t.table_id, concat(s.schema_name, '.', t.table_name) AS name,
    CASE WHEN t.path_is_relative THEN concat(s.path, t.path) ELSE t.path END AS folder
FROM {METADATA}.ducklake_table AS t
JOIN {METADATA}.ducklake_schema AS s ON t.schema_id = s.schema_id
"""
_FILES = f"""
WITH folders AS ({_FOLDERS})
SELECT CASE WHEN f.path_is_relative THEN concat(p.folder, f.path) ELSE f.path END, p.name,
    f.file_size_bytes, {{rows}}
FROM {METADATA}.{{listing}} AS f JOIN folders AS p ON f.table_id = p.table_id
WHERE {{condition}}
"""
_NOW = "f.end_snapshot IS NULL"
_AS_OF = "f.begin_snapshot <= {0} AND (f.end_snapshot > {0} OR f.end_snapshot IS NULL)"
_LISTINGS = {"ducklake_data_file": "f.record_count", "ducklake_delete_file": "NULL"}


class Listed(NamedTuple):
    """A file that the catalog names."""

    name: str  # its path, relative to STORE
    table: str  # whose rows it holds; of a memory, the table whose row names it
    byte_count: int | None  # None: not noted
    row_count: int | None  # None: it holds no rows
    sha256: str | None  # None: not noted yet


def data_files(
    connection: duckdb.DuckDBPyConnection, *, with_old: bool = False, snapshot: int | None = None
) -> list[Listed]:
    """List the segments that the lake has now, or had at a snapshot; or all of them `with_old`.

    A segment of a merge has no hash until maintenance has noted it. Raises duckdb.Error.
    """
    noted = dict(connection.execute(f"SELECT path, sha256 FROM {tables.SEGMENTS.path}").fetchall())
    condition = "TRUE" if with_old else _NOW if snapshot is None else _AS_OF.format(snapshot)
    found = set[Listed]()
    for kind, rows in _LISTINGS.items():
        sql = _FILES.format(listing=kind, rows=rows, condition=condition)
        for path, table, byte_count, row_count in connection.execute(sql).fetchall():
            found.add(Listed(f"data/{path}", table, byte_count, row_count, noted.get(path)))
    return sorted(found, key=lambda each: each.name)


def memories(connection: duckdb.DuckDBPyConnection) -> list[Listed]:
    """List the files in which writers remember what they know. Raises duckdb.Error."""
    found = []
    for table in (tables.INGEST_PROGRESS, tables.JUDGE_PROGRESS):
        sql = f"SELECT memory_file, memory_sha256 FROM {table.path} WHERE memory_file IS NOT NULL"
        for name, sha256 in connection.execute(sql).fetchall():
            found.append(Listed(f"state/{name}", table.path, None, None, sha256))
    return found
