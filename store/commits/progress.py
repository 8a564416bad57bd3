"""A writer's progress: its one row in the catalog, its memory in a file that the row names."""

# ruff: noqa: S608 - the SQL is put together of the store's own names

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import pyarrow.compute as pc

from contracts.batches import Progress
from contracts.errors import ContractError, DataError
from store import failures, tables
from store.commits.commit import AlreadyCommittedError

if TYPE_CHECKING:
    import duckdb

    from store.commits.commit import Addition
    from store.place.files import File
    from store.place.folder import Folder


class ProgressRow(NamedTuple):
    """The row as it stands in the catalog; the columns of tables.INGEST_PROGRESS."""

    commit_count: int
    position: int
    arrival: int
    memory_file: str | None
    memory_sha256: str | None
    fingerprint: str


class ProgressKeeper:
    """Reads and moves one writer's progress."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, folder: Folder, table: tables.Table
    ) -> None:
        self._connection = connection
        self._state = folder.state
        self._table = table
        self._last: ProgressRow | None = None  # of this writer's own last commit

    def last_row(self) -> ProgressRow:
        """Give the row of the last commit of this writer, which nobody else moves."""
        if self._last is None:
            self._last = self.row()
        return self._last

    def row(self) -> ProgressRow:
        """Read the row as it stands in the catalog. Raises duckdb.Error."""
        found = self._connection.execute(f"SELECT * FROM {self._table.path}").fetchone()
        if found is None:
            raise DataError(f"{self._table.path} is empty: restore the store from a backup")
        return ProgressRow(*found)

    def progress(self) -> Progress:
        """Read row and memory. Raises DataError if the memory is not what was written."""
        row = self.row()
        return Progress(row.position, row.arrival, self._memory(row))

    def prepare(self, before: ProgressRow, after: Progress, rows: str) -> ProgressRow:
        """Write the memory durably and give the row for the commit that follows `before`.

        `rows` describes what the commit adds, so that the same commit is known if it comes again.
        """
        memory = after.memory or b""
        digest = hashlib.sha256(memory).hexdigest()
        words = f"{after.position} {after.arrival} {digest} {rows}"
        fingerprint = hashlib.sha256(words.encode()).hexdigest()
        if fingerprint == before.fingerprint:
            return before
        count = before.commit_count + 1
        name = before.memory_file
        if name is None or digest != before.memory_sha256:
            name = f"{self._table.name}-{count:012d}"
            (self._state / name).write(lambda sink: sink.write(memory))
        return ProgressRow(count, after.position, after.arrival, name, digest, fingerprint)

    def move(self, before: ProgressRow, after: ProgressRow) -> None:
        """Replace the row inside a transaction; the row it was based on guards it."""
        self._last = None  # until the transaction has ended well
        names = ", ".join(f"{name} = ?" for name in after._fields)
        moved = self._connection.execute(
            f"UPDATE {self._table.path} SET {names} WHERE commit_count = ?",
            [*after, before.commit_count],
        ).fetchone()
        if moved is not None and moved[0] == 1:
            return
        if self.row().fingerprint == after.fingerprint:
            raise AlreadyCommittedError
        raise ContractError(f"{self._table.path} was moved by another writer: run only one")

    def settle(self, row: ProgressRow) -> None:
        """After the commit: go on from the new row, remove the memories it does not name."""
        self._last = row
        for name in self._state.names(f"{self._table.name}-"):
            if name != row.memory_file:
                _remove(self._state / name)

    def _memory(self, row: ProgressRow) -> bytes | None:
        if row.memory_file is None:
            return None
        file = self._state / row.memory_file
        try:
            memory = b"".join(file.blocks())
        except FileNotFoundError as error:
            raise DataError(f"{file} is missing: restore the store from a backup") from error
        except OSError as error:
            raise failures.of_disk(error) from error
        if hashlib.sha256(memory).hexdigest() != row.memory_sha256:
            raise DataError(f"{file} has changed on disk: restore the store from a backup")
        return memory


def _remove(file: File) -> None:
    try:
        file.remove()
    except OSError:
        # a leftover costs bytes, not truth: the next commit tries again
        return


def require_next(before: ProgressRow, after: ProgressRow, readings: Addition) -> None:
    """Hold the order of commits: none goes back, and the readings' numbers are its own."""
    if after.position < before.position or after.arrival < before.arrival:
        raise ContractError(
            f"a commit up to position {after.position}, arrival {after.arrival} comes after one up"
            f" to {before.position}, {before.arrival}: the journal is not that of this lake"
        )
    if readings.rows.num_rows == 0:
        return
    numbers: dict[str, int] = pc.min_max(readings.rows["arrival"]).as_py()  # type: ignore[assignment]
    # the judge may hold a reading back, over any number of commits
    first = before.arrival if readings.table is tables.RAW_READINGS else 0
    if numbers["min"] < first or numbers["max"] >= after.arrival:
        raise ContractError(
            f"readings {numbers['min']} to {numbers['max']} in a commit of {first} up to"
            f" {after.arrival}: they would be stored twice or never be judged"
        )
