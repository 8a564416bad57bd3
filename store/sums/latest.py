"""The view `latest`, kept warm for a process that is asked for it again and again."""

# ruff: noqa: S608 - the SQL is put together of the store's own names

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from contracts.quality import Reason
from store import failures, tables
from store.catalog.attachment import LAKE, METADATA
from store.query import connect
from store.rejudging.history import named

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

# The views that `latest` joins, and what stands in their place here.
_NEWEST, _KEPT_NEWEST = "clean.newest", "kept_newest"
_TAGS, _KEPT_TAGS = "main.tags", "kept_tags"
# How DuckLake calls it when the same rows come into other segments, and when rows come or go.
_REARRANGED = ("merge_adjacent", "rewrite_delete")
_ROWS_CHANGED = ("inserted_into_table", "deleted_from_table", "inlined_insert", "inlined_delete")
# Only rows that are added to this one make others the newest; else all is read anew.
_READINGS = tables.CLEAN_READINGS
# What `latest` is made of, and what tells that the views were made anew.
_FOUNDATIONS = (_READINGS, tables.TAG_ENTRIES, tables.TAG_NAMES, tables.VIEW_VERSION)


class _Look(NamedTuple):
    """A state of the lake that was looked at."""

    snapshot: int
    made_at: datetime  # a store that was put in its place has others at that number


class _Made(NamedTuple):
    """A snapshot, and what made it another than the one before: words of DuckLake, with commas."""

    look: _Look
    changes: str


class _Kept(NamedTuple):
    """What the newest readings were at that look."""

    judge_commit: int  # up to which these are
    newest: pa.Table  # the rows of clean.newest
    tags: pa.Table  # the rows of main.tags


class Latest:
    """The newest reading of each tag, as the view `latest` has it, by tag.

    Where nothing has changed it asks for the number of the lake's snapshot, where readings came it
    reads those; whatever else happened, it asks the view. Used from one thread at a time.
    """

    def __init__(self, folder: Path) -> None:
        """Open the store. Raises as store.query.connect."""
        self._connection = connect(folder)
        self._look: _Look | None = None
        self._kept: _Kept | None = None
        self._sql = ""
        self._watched = dict[str, tables.Table]()
        self._table: pa.Table | None = None

    def close(self) -> None:
        """Let go of the store."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def table(self) -> pa.Table:
        """Give the rows of `latest` as of now; the same object where nothing has changed.

        Raises GainlineError as a query does.
        """
        try:
            self._connection.execute("BEGIN")
            try:
                self._follow()
            finally:
                self._connection.execute("ROLLBACK")
        except duckdb.Error as error:
            self._look = None
            raise failures.of_query(error) from error
        assert self._table is not None
        return self._table

    def _follow(self) -> None:
        (snapshot,) = self._one(f"SELECT id FROM ducklake_current_snapshot('{LAKE}')")
        if self._look is not None and self._look.snapshot == snapshot:
            return
        look, self._look = self._look, None
        made = self._made(snapshot if look is None else look.snapshot, snapshot)
        if self._kept and look is not None and self._is_added_to(look, made):
            self._kept = self._with_new(self._kept)
        else:
            self._kept = self._begin()
        with (
            named(self._connection, _KEPT_NEWEST, self._kept.newest),
            named(self._connection, _KEPT_TAGS, self._kept.tags),
        ):
            self._table = self._asked(self._sql)
        self._look = made[-1].look

    def _made(self, first: int, last: int) -> list[_Made]:
        """Tell of the snapshots from one to another, as far as they are still known."""
        rows = self._connection.execute(
            "SELECT s.snapshot_id, s.snapshot_time, coalesce(c.changes_made, '')"
            f" FROM {METADATA}.ducklake_snapshot AS s"
            f" JOIN {METADATA}.ducklake_snapshot_changes AS c USING (snapshot_id)"
            " WHERE s.snapshot_id BETWEEN ? AND ? ORDER BY s.snapshot_id",
            [min(first, last), last],
        ).fetchall()
        return [_Made(_Look(number, made_at), changes) for number, made_at, changes in rows]

    def _is_added_to(self, look: _Look, made: list[_Made]) -> bool:
        """Tell whether each snapshot since a look is known, and has but added readings."""
        is_whole = made[0].look == look and len(made) == made[-1].look.snapshot - look.snapshot + 1
        changes = [change for each in made[1:] for change in each.changes.split(",")]
        return is_whole and all(map(self._is_addition, changes))

    def _is_addition(self, change: str) -> bool:
        """Tell whether what is the newest can have changed by new readings alone.

        A change is DuckLake's word for it and, behind a colon, the number of the table.
        """
        kind, _, number = change.partition(":")
        if kind in _REARRANGED:
            return True
        if kind not in _ROWS_CHANGED:
            return False
        watched = self._watched.get(number)
        return watched is None or (watched == _READINGS and kind == "inserted_into_table")

    def _begin(self) -> _Kept:
        """Ask the views."""
        (sql,) = self._one(
            "SELECT sql FROM duckdb_views() WHERE database_name = current_database()"
            " AND schema_name = 'main' AND view_name = 'latest'"
        )
        body = sql.partition(" AS ")[2].rstrip(";")
        body = body.replace(_NEWEST, _KEPT_NEWEST).replace(_TAGS, _KEPT_TAGS)
        self._sql = f"FROM ({body}) ORDER BY tag"
        self._watched = self._numbers()
        (judge_commit,) = self._one(f"SELECT commit_count FROM {tables.JUDGE_PROGRESS.path}")
        newest, tags = self._asked(f"FROM {_NEWEST}"), self._asked(f"FROM {_TAGS}")
        return _Kept(judge_commit, newest, tags)

    def _with_new(self, kept: _Kept) -> _Kept:
        """Add what later commits of the judge have brought."""
        columns = kept.newest.column_names
        sql = f"SELECT {', '.join(columns)} FROM clean.named WHERE judge_commit > ?"
        new = self._connection.execute(sql, [kept.judge_commit]).to_arrow_table()
        if not new.num_rows:
            return kept
        last = int(pc.max(new["judge_commit"]).as_py())
        bits: Any = pc.field("reasons")
        is_ahead = pc.bit_wise_and(bits, int(Reason.FUTURE)) != 0
        both = pa.concat_tables([kept.newest, new.filter(~is_ahead)])
        return kept._replace(judge_commit=last, newest=_newest(both))

    def _numbers(self) -> dict[str, tables.Table]:
        """Find the tables to watch by their numbers, as DuckLake writes them."""
        rows = self._connection.execute(
            f"SELECT h.schema_name, t.table_name, t.table_id FROM {METADATA}.ducklake_table AS t"
            f" JOIN {METADATA}.ducklake_schema AS h USING (schema_id)"
            " WHERE t.end_snapshot IS NULL AND h.end_snapshot IS NULL"
        ).fetchall()
        watched = {(table.schema, table.name): table for table in _FOUNDATIONS}
        return {
            str(number): watched[schema, name]
            for schema, name, number in rows
            if (schema, name) in watched
        }

    def _asked(self, sql: str) -> pa.Table:
        return self._connection.execute(sql).to_arrow_table()

    def _one(self, sql: str) -> tuple[Any, ...]:
        row = self._connection.execute(sql).fetchone()
        assert row is not None
        return row


def _newest(readings: pa.Table) -> pa.Table:
    """Give of each tag the last by source_time; of those at the same time the last that came."""
    keys: Any = [("tag", "ascending"), ("source_time", "descending"), ("arrival", "descending")]
    ordered = readings.sort_by(keys)
    tags: Any = ordered["tag"].combine_chunks()
    if not len(tags):
        return ordered
    is_first = pc.not_equal(tags[1:], tags[:-1])
    return ordered.filter(pa.concat_arrays([pa.array([True]), is_first]))
