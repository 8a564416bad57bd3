"""What no snapshot shows any more: old snapshots, their files, their rows in the catalog."""

# ruff: noqa: S608 - the SQL is put together of the store's own names

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from store.catalog.attachment import LAKE, METADATA

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

    from store.commits.commit import Committer
    from store.place.folder import Folder


class Expiry:
    """Lets old snapshots go, and what they alone showed. Every method raises duckdb.Error."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, folder: Folder, committer: Committer
    ) -> None:
        self._connection, self._folder, self._committer = connection, folder, committer

    def expire(self, older_than: datetime) -> int:
        """Let all older snapshots but the last one go; give their number."""
        # by number: DuckLake compares the times themselves only by their day in a SQLite catalog
        found = self._connection.execute(
            "SELECT snapshot_id FROM ducklake_snapshots(?) WHERE snapshot_time < ?"
            " AND snapshot_id < (SELECT max(snapshot_id) FROM ducklake_snapshots(?))",
            [LAKE, older_than, LAKE],
        )
        old = [number for (number,) in found.fetchall()]
        if old:
            sql = "CALL ducklake_expire_snapshots(?, versions => ?)"
            self._committer.transact(lambda: self._connection.execute(sql, [LAKE, old]))
        return len(old)

    def purge_versions(self) -> None:
        """Remove old versions of rows that no snapshot shows: DuckLake keeps them for ever.

        Each commit leaves one of its writer's progress row, and every UPDATE reads them all.
        """
        row = self._connection.execute(
            f"SELECT min(snapshot_id) FROM {METADATA}.ducklake_snapshot"
        ).fetchone()
        assert row is not None
        found = self._connection.execute(
            f"SELECT table_name FROM {METADATA}.ducklake_inlined_data_tables"
        )
        for (name,) in found.fetchall():
            delete = f'DELETE FROM {METADATA}."{name}" WHERE end_snapshot <= {int(row[0])}'
            self._committer.transact(partial(self._connection.execute, delete))

    def purge_bounds(self) -> None:
        """Remove the least and greatest values of segments that are no longer listed.

        Every query with a condition reads those of all segments, however old: in a day of rollups
        thousands. What is asked of an older snapshot then looks into all segments that it had.
        """
        unlisted = f"SELECT data_file_id FROM {METADATA}.ducklake_data_file WHERE end_snapshot > 0"
        delete = (
            f"DELETE FROM {METADATA}.ducklake_file_column_stats WHERE data_file_id IN ({unlisted})"
        )
        self._committer.transact(lambda: self._connection.execute(delete))

    def remove_files(self, older_than: datetime) -> int:
        """Remove the files of snapshots that expired before, on disk, then from DuckLake's list.

        Call it where `store.place.locks.removal` allows it. Raises OSError.
        """
        found = self._connection.execute(
            "SELECT data_file_id, path"
            f" FROM {METADATA}.ducklake_files_scheduled_for_deletion"
            " WHERE CAST(schedule_start AS TIMESTAMPTZ) < ?",
            [older_than],
        )
        files = found.fetchall()
        root = f"{self._folder.data}/"
        for _, path in files:
            (self._folder.data / path.removeprefix(root)).remove()
        delete = (
            f"DELETE FROM {METADATA}.ducklake_files_scheduled_for_deletion"
            f" WHERE data_file_id IN ({', '.join(str(int(number)) for number, _ in files)})"
        )
        if files:
            self._committer.transact(lambda: self._connection.execute(delete))
        return len(files)
