"""What a commit of ingest brings beside readings, as rows of the tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from store import tables
from store.commits.commit import Addition
from store.commits.notes import notes_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from contracts.batches import RawCommit


def brought_by(commit: RawCommit) -> list[Addition]:
    """Give dead letters, those that were replayed, what was handed over, ledger, gaps and notes."""
    return [
        Addition(tables.DEAD_LETTERS, _dead_letters(commit)),
        Addition(tables.DEAD_LETTER_REPLAYS, _replays(commit, datetime.now(UTC))),
        Addition(tables.HANDED_OVER, _handed_over(commit)),
        Addition(tables.LEDGER_ENTRIES, _ledger_entries(commit)),
        Addition(tables.GAP_ENTRIES, _gap_entries(commit)),
        Addition(tables.NOTES, notes_table(commit.notes)),
    ]


def _dead_letters(commit: RawCommit) -> pa.Table:
    columns = zip(*commit.dead_letters, strict=True)
    return _table(tables.DEAD_LETTERS, columns, len(commit.dead_letters))


def _replays(commit: RawCommit, now: datetime) -> pa.Table:
    positions = commit.replayed
    return _table(tables.DEAD_LETTER_REPLAYS, [positions, [now] * len(positions)], len(positions))


def _handed_over(commit: RawCommit) -> pa.Table:
    columns = zip(*commit.handed_over, strict=True)
    return _table(tables.HANDED_OVER, columns, len(commit.handed_over))


def _ledger_entries(commit: RawCommit) -> pa.Table:
    return _table(tables.LEDGER_ENTRIES, zip(*commit.ledger, strict=True), len(commit.ledger))


def _gap_entries(commit: RawCommit) -> pa.Table:
    return _table(tables.GAP_ENTRIES, zip(*commit.gaps, strict=True), len(commit.gaps))


def _table(table: tables.Table, columns: Iterable[Sequence[Any]], count: int) -> pa.Table:
    if count == 0:
        return table.columns.empty_table()
    pairs = zip(columns, table.columns, strict=True)
    arrays = [pa.array(column, field.type) for column, field in pairs]
    return pa.Table.from_arrays(arrays, schema=table.columns)
