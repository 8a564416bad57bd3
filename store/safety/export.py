"""The lake as plain files: those of a snapshot in a folder, or one sorted table of readings."""

# ruff: noqa: S608 - the SQL is put together of the store's own names

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from contracts.errors import ConfigError, DataError
from store import failures
from store.catalog import listing
from store.catalog.attachment import LAKE, attach
from store.place.durable import copy_blocks, make_folder, sync_file, sync_folder, write_file
from store.place.folder import Folder
from store.place.locks import files_kept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

# What is small beside the readings, each as one file.
VIEWS = ("tags", "ledger", "gaps", "dead_letters", "notes", "rule_versions", "rejudgements")
READINGS = ("raw.readings", "clean.readings")
# Comes last: a folder without it is half an export.
MANIFEST = "manifest.json"
_PARQUET = "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 131072"
_CSV = "FORMAT csv, HEADER"


class Range(NamedTuple):
    """Which readings are wanted: of tags that match, from a time to before another one."""

    pattern: str | None = None  # as of the shell; None: all
    begin: datetime | None = None
    end: datetime | None = None


class Exported(NamedTuple):
    """What has come out."""

    snapshot: int
    made_at: datetime  # of the snapshot
    row_counts: dict[str, int]  # of each table


def export_files(
    folder: Path,
    out: Path,
    *,
    at: int | datetime | None = None,
    tell: Callable[[int], object] = lambda _: None,
) -> Exported:
    """Copy the files of a snapshot into a new folder: `raw/readings/`, `clean/readings/`, views.

    A snapshot is asked for by its number, or by a time as of which it was the newest; None: the
    newest. Each segment is compared with its hash. Raises ConfigError for a folder that is not
    empty and a snapshot that is not there, DataError for a damaged segment.
    """
    if out.exists() and any(out.iterdir()):
        raise ConfigError(f"{out} is not empty: choose a new folder, or remove half an export")
    with _snapshot(folder, at) as (connection, place, exported):
        make_folder(out)
        files = [
            (_copied(place, out, each, tell), each.row_count or 0)
            for each in listing.data_files(connection, snapshot=exported.snapshot)
            if each.table in READINGS
        ]
        for table in READINGS:
            there = sum(rows for name, rows in files if name.startswith(table.replace(".", "/")))
            exported.row_counts[table] = there
            _require_all(connection, table, there)
        for view in VIEWS:
            rows = _write(
                connection, f"SELECT * FROM {view}", [], out / f"{view}.parquet", _PARQUET
            )
            files.append((f"{view}.parquet", rows))
            exported.row_counts[view] = rows
        words = {
            "snapshot": exported.snapshot,
            "made_at": exported.made_at.isoformat(),
            "files": [{"path": name, "rows": rows} for name, rows in files],
        }
        content = json.dumps(words, indent=1).encode()
        for changed in {out, *(path.parent for path in out.rglob("*.parquet"))}:
            sync_folder(changed)
        write_file(out / MANIFEST, lambda sink: sink.write(content))
        return exported


def export_readings(
    folder: Path, out: Path, wanted: Range, *, at: int | datetime | None = None, is_csv: bool
) -> Exported:
    """Write the rows of the view `readings` as one file, sorted by tag and source_time.

    In bounded memory: what does not fit waits beside the file. In CSV the reasons have blanks
    between them. Raises as `export_files`, DataError where no tag matches.
    """
    with _snapshot(folder, at) as (connection, _, exported):
        wait = out.with_name(f"{out.name}.wait")
        connection.execute(f"SET temp_directory = {_literal(wait)}")
        columns = "* REPLACE (array_to_string(reasons, ' ') AS reasons)" if is_csv else "*"
        condition, values = _condition(connection, wanted)
        sql = f"SELECT {columns} FROM readings{condition} ORDER BY tag, source_time"
        try:
            rows = _write(connection, sql, values, out, _CSV if is_csv else _PARQUET)
        finally:
            shutil.rmtree(wait, ignore_errors=True)
        exported.row_counts["readings"] = rows
        return exported


@contextmanager
def _snapshot(
    folder: Path, at: int | datetime | None
) -> Iterator[tuple[duckdb.DuckDBPyConnection, Folder, Exported]]:
    """Attach the lake as of a snapshot, whose files are kept meanwhile."""
    place = Folder(folder)
    place.require_store()
    with (
        failures.named(place.root),
        files_kept(place),
        attach(place, writable=False) as connection,
    ):
        number, made_at = _found(connection, at)
        connection.execute(f"USE memory; DETACH {LAKE}")
        attach(place, writable=False, connection=connection, snapshot=number)
        yield connection, place, Exported(number, made_at.astimezone(UTC), {})


def _found(
    connection: duckdb.DuckDBPyConnection, at: int | datetime | None
) -> tuple[int, datetime]:
    condition, values = "TRUE", list[object]()
    if at is not None:
        condition = "snapshot_id = ?" if isinstance(at, int) else "snapshot_time <= ?"
        values = [at]
    listed = f"FROM ducklake_snapshots('{LAKE}')"
    found = connection.execute(
        f"SELECT snapshot_id, snapshot_time {listed} WHERE {condition}"
        " ORDER BY snapshot_id DESC LIMIT 1",
        values,
    ).fetchone()
    if found is None:
        first, since, last = connection.execute(
            f"SELECT min(snapshot_id), min(snapshot_time), max(snapshot_id) {listed}"
        ).fetchone() or (None, None, None)
        raise ConfigError(
            f"there is no snapshot {at}: the store has {first} to {last}, the first of {since};"
            " what is older comes from a backup, by `gainline restore --at`"
        )
    return int(found[0]), found[1]


def _copied(place: Folder, out: Path, listed: listing.Listed, tell: Callable[[int], object]) -> str:
    name = listed.name.removeprefix("data/")
    target = out / name
    make_folder(target.parent)
    source = place.files / listed.name
    if listed.sha256 not in (None, copy_blocks(source.blocks(), target, listed.sha256)):
        raise DataError(f"{source} holds other bytes than were written: see `gainline scrub`")
    tell(listed.byte_count or 0)
    return name


def _condition(
    connection: duckdb.DuckDBPyConnection, wanted: Range
) -> tuple[str, Sequence[object]]:
    parts, values = list[str](), list[object]()
    if wanted.pattern is not None:
        known = [tag for (tag,) in connection.execute("SELECT tag FROM tags").fetchall()]
        tags = [tag for tag in known if fnmatchcase(tag, wanted.pattern)]
        if not tags:
            raise DataError(f"no tag matches {wanted.pattern!r}: see `gainline tags list`")
        parts.append("tag IN (SELECT unnest(CAST(? AS VARCHAR[])))")
        values.append(tags)
    for moment, comparison in ((wanted.begin, ">="), (wanted.end, "<")):
        if moment is not None:
            parts.append(f"source_time {comparison} ?")
            values.append(moment)
    return (f" WHERE {' AND '.join(parts)}" if parts else ""), values


def _write(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    values: Sequence[object],
    path: Path,
    options: str,
) -> int:
    """Let DuckDB write an answer to a file, which it does not sync; give its rows."""
    copy = f"COPY ({sql}) TO {_literal(path)} ({options})"
    row = connection.execute(copy, list(values)).fetchone()
    sync_file(path)
    return int(row[0]) if row else 0


def _require_all(connection: duckdb.DuckDBPyConnection, table: str, there: int) -> None:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    if row != (there,):
        raise DataError(
            f"the files of {table} have {there} rows, the table has {row and row[0]}: export it"
            " as one file"
        )


def _literal(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
