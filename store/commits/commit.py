"""One commit: new rows durable first, then a single transaction of the catalog."""

# ruff: noqa: S608 - the SQL is put together of the store's own names

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import pyarrow as pa

from contracts.errors import GainlineError
from store import failures, tables
from store.catalog.attachment import LAKE
from store.place.locks import committing
from store.segments.segment import Segment, write_segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from store.place.folder import Folder

# Up to here rows go into the catalog itself, where SQLite syncs them: a commit of a few rows makes
# no file of its own. Well below catalog.INLINED_ROWS_MAX.
INLINED_ROWS = 100
INLINED_BYTES = 65_536
# With the commit lock only a reader that checkpoints the catalog can be in the way, for moments.
_ATTEMPTS = 6
_FIRST_WAIT_S = 0.05


class Addition(NamedTuple):
    """Rows for one table."""

    table: tables.Table
    rows: pa.Table


class AlreadyCommittedError(Exception):
    """Raised by the work of a transaction that finds that it was done before."""


class Committer:
    """Commits to the lake for one writer, on one connection, from one thread at a time."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Folder) -> None:
        self._connection = connection
        self._folder = folder
        self._is_broken = False

    def commit(
        self, name: str, additions: Sequence[Addition], work: Callable[[], object] = lambda: None
    ) -> None:
        """Add rows to tables and do `work`, whole or not at all.

        `name` is that of the segments: after the writer and its position, so that a commit that is
        tried again after a crash replaces what the crash left. Raises TransientError where it is
        worth trying again, else GainlineError, after which the lake must be opened again.
        """
        filled = [addition for addition in additions if addition.rows.num_rows]
        small = [addition for addition in filled if _is_small(addition)]
        with self.guarded():
            segments = [
                (addition, self._write(name, addition))
                for addition in filled
                if not _is_small(addition)
            ]

            def add_and_work() -> None:
                self._add(small, segments)
                work()

            self.transact(add_and_work)

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Refuse all further work once the disk has failed: what is on it, nobody knows."""
        if self._is_broken:
            raise GainlineError("the store failed before: check its disk and open it again")
        try:
            yield
        except GainlineError as error:
            self._is_broken = type(error) is GainlineError
            raise

    def transact(self, work: Callable[[], object]) -> None:
        """Do `work` in one transaction, under the lock that all writers of the store share.

        `work` may raise AlreadyCommittedError, which ends the transaction without a change.
        """
        wait_s = _FIRST_WAIT_S
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with committing(self._folder):
                    self._once(work)
                return  # noqa: TRY300 - the end of a loop, not of a try
            except duckdb.Error as error:
                if attempt == _ATTEMPTS or not failures.is_conflict(error):
                    raise failures.of_catalog(error, self._folder.root) from error
            time.sleep(wait_s)
            wait_s *= 2

    def _once(self, work: Callable[[], object]) -> None:
        self._connection.execute("BEGIN")
        try:
            work()
            self._connection.execute("COMMIT")
        except AlreadyCommittedError:
            self._connection.execute("ROLLBACK")
        except BaseException:
            _roll_back(self._connection)
            raise

    def _write(self, name: str, addition: Addition) -> Segment:
        file = self._folder.data / f"{addition.table.folder}/{name}.parquet"
        return write_segment(addition.rows, file)

    def _add(self, small: list[Addition], segments: list[tuple[Addition, Segment]]) -> None:
        for addition in small:
            self._insert(addition.table, addition.rows)
        for addition, segment in segments:
            self.add_segment(addition.table, segment)
        if segments:
            self.insert_segments([segment for _, segment in segments])

    def add_segment(self, table: tables.Table, segment: Segment) -> None:
        """Make a segment part of a table. Call it inside a transaction that notes its hash."""
        self._connection.execute(
            "CALL ducklake_add_data_files(?, ?, ?, schema => ?)",
            [LAKE, table.name, str(segment.file), table.schema],
        )

    def insert_segments(self, segments: Sequence[Segment]) -> None:
        """Note the hashes of new segments. Call it inside the transaction that adds them."""
        rows = [(each.file.name, *each[1:]) for each in segments]
        columns = zip(*rows, strict=True)
        schema = tables.SEGMENTS.columns
        arrays = [pa.array(column, f.type) for column, f in zip(columns, schema, strict=True)]
        self._insert(tables.SEGMENTS, pa.Table.from_arrays(arrays, schema=schema))

    def _insert(self, table: tables.Table, rows: pa.Table) -> None:
        self._connection.register("incoming_rows", rows)
        try:
            self._connection.execute(
                f"INSERT INTO {table.path} BY NAME SELECT * FROM incoming_rows"
            )
        finally:
            self._connection.unregister("incoming_rows")


def _is_small(addition: Addition) -> bool:
    is_listed = addition.table in tables.IN_SEGMENTS
    rows = addition.rows
    return not is_listed and rows.num_rows <= INLINED_ROWS and rows.nbytes <= INLINED_BYTES


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.execute("ROLLBACK")
    except duckdb.Error:
        # a failed COMMIT has rolled back already
        return
