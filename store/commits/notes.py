"""Notes as rows of the store."""

# ruff: noqa: S608 - the SQL is put together of the store's own names

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from contracts.notes import NOTES_SCHEMA
from store import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import duckdb

    from contracts.notes import Note

_KNOWN_SQL = (
    f"SELECT DISTINCT note_id FROM {tables.NOTES.path}"
    " WHERE note_id IN (SELECT unnest(CAST(? AS VARCHAR[])))"
)


def notes_table(notes: Iterable[Note]) -> pa.Table:
    """Give notes as a table with the columns of NOTES_SCHEMA."""
    rows: list[dict[str, Any]] = [
        {
            name: str(note.kind) if name == "kind" else getattr(note, name)
            for name in NOTES_SCHEMA.names
        }
        for note in notes
    ]
    return pa.Table.from_pylist(rows, schema=NOTES_SCHEMA)


def known_of(connection: duckdb.DuckDBPyConnection, note_ids: Sequence[str]) -> set[str]:
    """Tell which of these notes a lake has."""
    if not note_ids:
        return set()
    return {note_id for (note_id,) in connection.execute(_KNOWN_SQL, [list(note_ids)]).fetchall()}


def commit_name(notes: Iterable[Note]) -> str:
    """Name the commit of notes by what is in it: tried again, it replaces what a crash left."""
    ids = " ".join(sorted(note.note_id for note in notes))
    return f"notes-{hashlib.sha256(ids.encode()).hexdigest()[:24]}"
