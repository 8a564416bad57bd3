"""What of a catalog contradicts itself, or the files that it lists."""

# ruff: noqa: S608 - the SQL is put together of the store's own names

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from store.catalog.attachment import METADATA

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from store.catalog.listing import Listed
    from store.place.folder import Folder

# Least and greatest value of each column of each segment, as they stand in the catalog. Copied
# once: there each question would read them all.
_COPY = f"""
CREATE OR REPLACE TEMP TABLE known_spans AS
SELECT parse_filename(f.path) AS file, f.record_count, c.column_name, s.min_value, s.max_value
FROM {METADATA}.ducklake_data_file AS f
JOIN {METADATA}.ducklake_file_column_stats AS s ON f.data_file_id = s.data_file_id
JOIN {METADATA}.ducklake_column AS c ON s.table_id = c.table_id AND s.column_id = c.column_id
WHERE f.end_snapshot IS NULL AND c.end_snapshot IS NULL
    AND s.min_value IS NOT NULL AND s.max_value IS NOT NULL
"""
# Enough to know that it is damaged.
_FAULTS_MAX = 3


def faults(connection: duckdb.DuckDBPyConnection, folder: Folder) -> list[str]:
    """Say what SQLite finds wrong with the pages of the catalog; nothing where it is sound.

    It compares pages, indexes and types. Values have no checksum there: see `fault_of_listing`. A
    server looks after its own pages.
    """
    if folder.server is not None:
        return []
    sql = f"PRAGMA integrity_check({_FAULTS_MAX})"
    found = connection.execute("SELECT * FROM sqlite_query(?, ?)", [METADATA, sql]).fetchall()
    return [words for (words,) in found if words != "ok"]


def copy_spans(connection: duckdb.DuckDBPyConnection) -> None:
    """Copy what the catalog knows of segments, for `known_spans`. Raises duckdb.Error."""
    connection.execute(_COPY)


def known_spans(
    connection: duckdb.DuckDBPyConnection, listed: Listed
) -> dict[str, tuple[str, str]]:
    """Give least and greatest value of the columns of a segment, as the catalog has them."""
    # by its rows too: each table has a folder of its own, in which a name is given once
    found = connection.execute(
        "SELECT column_name, min_value, max_value FROM known_spans"
        " WHERE file = ? AND record_count = ?",
        [listed.name.rpartition("/")[2], listed.row_count],
    )
    return {name: (least, greatest) for name, least, greatest in found.fetchall()}


def fault_of_listing(
    connection: duckdb.DuckDBPyConnection, folder: Folder, listed: Listed
) -> str | None:
    """Say where the catalog contradicts a file that is what was written, None where it does not.

    Rows, and the least and greatest value of each column, by which queries skip files.
    """
    try:
        with (folder.files / listed.name).open() as source:
            footer = pq.read_metadata(source)
    except (OSError, pa.ArrowException) as error:
        return f"is no Parquet file ({str(error).splitlines()[0]})"
    if footer.num_rows != listed.row_count:
        return f"holds {footer.num_rows} rows, of which the catalog knows {listed.row_count}"
    known = known_spans(connection, listed)
    for name, least, greatest in _spans(footer):
        if name in known and not _covers(known[name], least, greatest):
            low, high = known[name]
            return f"holds {name} {least} to {greatest}, but {low} to {high} for the catalog"
    return None


def _spans(footer: pq.FileMetaData) -> Iterator[tuple[str, Any, Any]]:
    """Give name, least and greatest value of each column of which all row groups know them."""
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    for place in range(footer.num_columns):
        columns = [group.column(place) for group in groups]
        known: list[Any] = [column.statistics for column in columns]
        if known and all(each is not None and each.has_min_max for each in known):
            least, greatest = min(each.min for each in known), max(each.max for each in known)
            yield columns[0].path_in_schema, least, greatest


def _covers(known: tuple[str, str], least: Any, greatest: Any) -> bool:  # noqa: ANN401  # of any type that Parquet has
    try:
        low, high = (_read(words, least) for words in known)
    except ValueError:
        return False
    if isinstance(least, str):  # of a long one the catalog may keep the beginning
        return bool(low <= least) and (high >= greatest or greatest.startswith(high))
    return bool(low == least and high == greatest)


def _read(words: str, like: Any) -> Any:  # noqa: ANN401  # the same
    """Read what the catalog writes of a value, as the type that the file has. Raises ValueError."""
    if isinstance(like, datetime):
        read = datetime.fromisoformat(words)
        return read if like.tzinfo else read.replace(tzinfo=None)
    if isinstance(like, date):
        return date.fromisoformat(words)
    if isinstance(like, bool):
        return words == "true"
    if isinstance(like, (int, float)):
        return type(like)(words)
    return words if isinstance(like, str) else like
