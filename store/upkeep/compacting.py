"""Compaction: the segments of a day become few, sorted by tag and time."""

# ruff: noqa: S608 - the SQL is put together of the store's own names

from __future__ import annotations

from collections import Counter
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from contracts.errors import ContractError
from store import failures, tables
from store.catalog.attachment import METADATA, attach
from store.commits.commit import Committer
from store.commits.swapping import Swap, Swapper
from store.place.folder import Folder
from store.place.locks import COMMIT_WAIT_S, claim, if_free
from store.segments.segment import ROW_GROUP_ROWS, Segment, write_pieces
from store.segments.sorting import Part, Sources
from store.segments.spans import SegmentSpan, segment_spans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import date

    from store.place.files import File

# Rows of one step, and of the largest segment that it makes, some 25 MB: writers wait about 2 s
# until so many have changed places. A segment of half as many stays as it is.
STEP_ROWS = 64 * ROW_GROUP_ROWS
# Segments of one step: they are open at the same time.
STEP_SEGMENTS = 256
# A day has segments of its own if its rows come to so many bytes: below, DuckLake's merge would
# put them together with those of other days.
OWN_DAY_BYTES = 1_000_000

COMPACTED = (tables.RAW_READINGS, tables.CLEAN_READINGS)


class Compacted(NamedTuple):
    """What one step has done, or how much all of them have."""

    gone: int = 0  # segments
    new: int = 0  # that took their place
    rows: int = 0

    def plus(self, other: Compacted) -> Compacted:
        """Add what another step has done."""
        return Compacted(self.gone + other.gone, self.new + other.new, self.rows + other.rows)


def compact(folder: Path, *, tell: Callable[[int], object] = lambda _rows: None) -> Compacted:
    """Compact all that a store has now, the current day too, in steps beside its writers.

    `tell` is told of rows that are written; what it raises ends the work, and what is done stays.
    Raises as store.lake.Lake; TransientError while another process maintains the store.
    """
    place = Folder(folder)
    place.require_store()
    with (
        closing(claim(place, "maintain", wait_s=COMMIT_WAIT_S)),
        failures.named(place.root),
        attach(place, writable=True) as connection,
    ):
        compaction = Compaction(connection, place, Committer(connection, place), tell)
        done = Compacted()
        for step in compaction.steps():
            done = done.plus(step)
        return done


def row_count(folder: Path) -> int:
    """Say how many rows `compact` would write, but for those that a later step takes again."""
    place = Folder(folder)
    place.require_store()
    try:
        with attach(place, writable=False) as connection:
            last = {table.path: _last_arrival(connection, table) for table in COMPACTED}
            groups = [
                group
                for table in COMPACTED
                for group in _groups(connection, table, None, last[table.path])
            ]
    except duckdb.Error as error:
        raise failures.of_catalog(error, place.root) from error
    return sum(each.row_count for group in groups for each in group)


class Compaction:
    """Compacts one step at a time, as the only maintainer of a store.

    A step takes segments whose last reading was received on one day. What is filed under a day, by
    source_time, comes into a segment of that day if it is much; the rest, as what a gateway sends
    with a wild time, comes into another one, so that a query by time still skips those of the
    days. Nothing that a reader sees changes, and a crash at any moment leaves all as it was.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        folder: Folder,
        committer: Committer,
        tell: Callable[[int], object] = lambda _rows: None,
    ) -> None:
        """`tell` is told of rows that are written."""
        self._connection, self._folder, self._tell = connection, folder, tell
        self._swapper = Swapper(connection, folder, committer)

    def steps(self, *, until: date | None = None) -> Iterator[Compacted]:
        """Compact what was received before a day, by default all, until nothing is to be gained.

        What is committed meanwhile is left: else a busy writer would keep it at work for ever.
        Verdicts are left alone while others judge them again. Raises duckdb.Error, and as
        Committer.transact.
        """
        for table in COMPACTED:
            last = _last_arrival(self._connection, table)
            while group := next(_groups(self._connection, table, until, last), None):
                with self._unless_replaced(table) as is_free:
                    if not is_free:
                        break
                    yield self._step(table, group)

    def _unless_replaced(self, table: tables.Table) -> AbstractContextManager[bool]:
        is_theirs = table == tables.CLEAN_READINGS
        return if_free(self._folder, "rejudge") if is_theirs else nullcontext(enter_result=True)

    def _step(self, table: tables.Table, group: Sequence[SegmentSpan]) -> Compacted:
        names = [each.name for each in group]
        rows = sum(each.row_count for each in group)
        segments = self._written(table, group, rows)
        # What this raises may come after the commit: whether the lake has them, it then must tell.
        self._swapper.swap([Swap(table, names, segments)])
        return Compacted(len(names), len(segments), rows)

    def _written(
        self, table: tables.Table, group: Sequence[SegmentSpan], rows: int
    ) -> list[Segment]:
        """Write the new segments; where that fails, none of them stays."""
        segments = list[Segment]()
        try:
            files = [self._folder.data / each.name for each in group]
            with Sources(files, table.columns) as sources:
                byte_count = sum(each.byte_count for each in group)
                for part in _parts(sources.days(), byte_count / rows):
                    target = next_name(
                        self._connection, self._folder, table, f"day-{len(segments):03d}"
                    )
                    segments.append(write_pieces(sources.pieces(part, self._tell), target))
            _require_all(rows, segments)
        except BaseException:
            for segment in segments:  # else a leftover, which maintenance would remove later
                segment.file.remove()
            raise
        return segments


def next_name(
    connection: duckdb.DuckDBPyConnection, folder: Folder, table: tables.Table, word: str
) -> File:
    """Name a segment after the snapshot that it follows: what a crash left is replaced."""
    row = connection.execute(
        f"SELECT max(snapshot_id) FROM {METADATA}.ducklake_snapshot"
    ).fetchone()
    assert row is not None
    return folder.data / f"{table.folder}/{word}-{row[0]:012d}.parquet"


def _last_arrival(connection: duckdb.DuckDBPyConnection, table: tables.Table) -> int:
    spans = segment_spans(connection, table, time="received_time")
    return max((each.last_arrival for each in spans), default=0)


def _groups(
    connection: duckdb.DuckDBPyConnection,
    table: tables.Table,
    until: date | None,
    last_arrival: int,
) -> Iterator[list[SegmentSpan]]:
    """Choose the segments of each next step: those of a day that are small."""
    days: dict[date, list[SegmentSpan]] = {}
    for each in segment_spans(connection, table, time="received_time"):
        day = each.last.date()
        is_old = each.last_arrival <= last_arrival and (until is None or day < until)
        if is_old and each.row_count < STEP_ROWS // 2:
            days.setdefault(day, []).append(each)
    for _, small in sorted(days.items()):
        for group in _in_groups(sorted(small, key=lambda each: each.first_arrival)):
            if _gains(group):
                yield group


def _require_all(row_count: int, segments: Sequence[Segment]) -> None:
    if (kept := sum(segment.row_count for segment in segments)) != row_count:
        raise ContractError(f"compaction would make {kept} rows of {row_count}: report it")


def _in_groups(spans: Sequence[SegmentSpan]) -> Iterator[list[SegmentSpan]]:
    group, rows = list[SegmentSpan](), 0
    for each in spans:
        if group and (rows + each.row_count > STEP_ROWS or len(group) == STEP_SEGMENTS):
            yield group
            group, rows = [], 0
        group.append(each)
        rows += each.row_count
    if group:
        yield group


def _gains(group: Sequence[SegmentSpan]) -> bool:
    """Tell whether two segments would become one: of the same day, or both of several days."""
    kinds = Counter(
        each.filed_first.date() if each.filed_first.date() == each.filed_last.date() else None
        for each in group
    )
    return max(kinds.values()) > 1


def _parts(days: Counter[int], bytes_per_row: float) -> Iterator[Part]:
    """Name the days that have segments of their own, then the rest, if there is any."""
    own = {day for day, rows in days.items() if rows * bytes_per_row >= OWN_DAY_BYTES}
    if len(days) == 1:
        own = set(days)
    yield from (Part(day) for day in sorted(own))
    if days.keys() - own:
        yield Part(None, frozenset(own))
