"""New segments put in the place of old ones, of any tables, in one transaction."""

# ruff: noqa: S608 - the SQL is put together of the store's own names

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from contracts.errors import ContractError, TransientError
from store.catalog.attachment import INLINED_ROWS_MAX, LAKE
from store.tables import IN_SEGMENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import duckdb

    from store.commits.commit import Committer
    from store.place.folder import Folder
    from store.segments.segment import Segment
    from store.tables import Table

# Hashes noted by one INSERT: it must stay inside the catalog.
NOTED_AT_ONCE = INLINED_ROWS_MAX // 2
# Rows deleted by one DELETE: DuckLake holds their numbers in memory.
DELETED_AT_ONCE = 2_000_000


class Swap(NamedTuple):
    """What changes in one table."""

    table: Table
    gone: Sequence[str]  # names of segments, as `Swapper.listed` gives them
    segments: Sequence[Segment]  # that take their place, durable already


class Swapper:
    """Replaces whole segments: nobody sees a part of it, and a crash leaves only orphans.

    Those that are gone stay on disk for readers of older snapshots: see store.upkeep.maintain.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, folder: Folder, committer: Committer
    ) -> None:
        self._connection, self._folder, self._committer = connection, folder, committer

    def listed(self, table: Table) -> dict[str, int]:
        """Give the segments that a table has now, by name, with their rows. Raises duckdb.Error.

        A name is a path relative to STORE/data.
        """
        found = self._connection.execute(
            "SELECT d.data_file, s.row_count FROM ducklake_list_files(?, ?, schema => ?) AS d"
            " LEFT JOIN house.segments AS s ON d.data_file = concat(?, '/', s.path)",
            [LAKE, table.name, table.schema, str(self._folder.data)],
        ).fetchall()
        # a merged one whose hash maintenance has not noted yet: at most so large
        return {self.name(path): rows or DELETED_AT_ONCE for path, rows in found}

    def name(self, path: str) -> str:
        """Give the name of a segment by its path, as `filename` has it in SQL."""
        return path.removeprefix(f"{self._folder.data}/")

    def path(self, name: str) -> str:
        """Give the path of a segment by its name, as `filename` has it in SQL."""
        return f"{self._folder.data}/{name}"

    def swap(self, swaps: Sequence[Swap], work: Callable[[], object] = lambda: None) -> None:
        """Put new segments in the place of old ones and do `work`, whole or not at all.

        Raises TransientError where an old one is no longer listed, and as Committer.transact.
        """

        def replace_and_work() -> None:
            for swap in swaps:
                self._replace(swap)
            work()

        self._committer.transact(replace_and_work)
        for swap in swaps:
            if not self.listed(swap.table).keys().isdisjoint(swap.gone):
                raise ContractError(f"{swap.table.path} still lists segments without rows")

    def _replace(self, swap: Swap) -> None:
        if swap.gone:
            self._delete(swap.table, swap.gone)
        for segment in swap.segments:
            self._committer.add_segment(swap.table, segment)
        for first in range(0, len(swap.segments), NOTED_AT_ONCE):
            self._committer.insert_segments(swap.segments[first : first + NOTED_AT_ONCE])

    def _delete(self, table: Table, names: Sequence[str]) -> None:
        listed = self.listed(table)
        if not set(names) <= listed.keys():
            raise TransientError("segments were merged or replaced meanwhile: try again")
        # Then DuckLake lists a segment no more whose rows are all deleted, however few. Else it
        # would keep a note of each in the catalog, and the segment for ever.
        self._inline(table, 0)
        for part in _in_parts(names, listed):
            self._connection.execute(
                f"DELETE FROM {table.path} WHERE filename IN (SELECT unnest(CAST(? AS VARCHAR[])))",
                [[self.path(name) for name in part]],
            )
        if table not in IN_SEGMENTS:  # of those no row is ever there
            self._inline(table, INLINED_ROWS_MAX)
        self._connection.execute(
            "DELETE FROM house.segments WHERE path IN (SELECT unnest(CAST(? AS VARCHAR[])))",
            [list(names)],
        )

    def _inline(self, table: Table, row_count: int) -> None:
        """Say how many rows of a table go into the catalog, without a file."""
        self._connection.execute(
            "CALL ducklake_set_option(?, 'data_inlining_row_limit', ?, table_name => ?,"
            " schema => ?)",
            [LAKE, row_count, table.name, table.schema],
        )


def _in_parts(names: Sequence[str], rows: Mapping[str, int]) -> Iterator[list[str]]:
    """Cut a list of segments where it comes to DELETED_AT_ONCE rows."""
    part, count = list[str](), 0
    for name in names:
        part.append(name)
        count += rows[name]
        if count >= DELETED_AT_ONCE:
            yield part
            part, count = [], 0
    if part:
        yield part
