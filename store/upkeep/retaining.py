"""Retention: rows that are older than they are to be kept are removed."""

# ruff: noqa: S608 - the SQL is put together of the store's own names

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import numpy as np

from store import failures, tables
from store.catalog.attachment import attach
from store.commits.commit import Committer
from store.commits.swapping import Swap, Swapper
from store.place.folder import Folder
from store.place.locks import COMMIT_WAIT_S, claim, if_free
from store.segments.leaving_out import Choice, Mask, choose, of_tags, times_of, write_without
from store.segments.row_groups import words_of_column
from store.segments.spans import SegmentSpan, segment_spans
from store.upkeep.compacting import STEP_ROWS, next_name

if TYPE_CHECKING:
    import pyarrow as pa

# A segment that spans longer is written anew once half of the time it spans has gone; others wait
# until all of it has. So what is kept is at most twice as long as it should be, or two days longer.
WHOLE_SPAN = timedelta(days=2)

# What has a time to be kept: its table, and the column that its age is told by. A reading's is
# when it was received: one with a wild time would be removed at once, or never.
KINDS: Mapping[str, tuple[tables.Table, str]] = MappingProxyType(
    {
        "raw": (tables.RAW_READINGS, "received_time"),
        "clean": (tables.CLEAN_READINGS, "received_time"),
        "minute": (tables.MINUTE_PARTS, "bucket"),
        "hour": (tables.HOUR_PARTS, "bucket"),
        "dead_letters": (tables.DEAD_LETTERS, "received_time"),
    }
)
_IN_CATALOG = "filename NOT LIKE '%.parquet'"
_NOTHING: Mapping[str, float] = MappingProxyType({})
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class Retention(NamedTuple):
    """How long what is kept, in days, by the names of KINDS; what is not named is kept for ever.

    Of the rules, each a pattern of tags with days, the first counts that matches a tag and names
    the kind; they know nothing of dead letters.
    """

    days: Mapping[str, float] = _NOTHING
    rules: Sequence[tuple[str, Mapping[str, float]]] = ()
    dead_letters_mb: float | None = None  # more than so many megabytes: the oldest go

    def rules_of(self, kind: str) -> list[tuple[str, float]]:
        """Give the rules that name a kind, and what holds for all other tags, if anything does."""
        rules = [(pattern, days[kind]) for pattern, days in self.rules if kind in days]
        return rules + ([("*", self.days[kind])] if kind in self.days else [])


class Retained(NamedTuple):
    """What went of one kind, or would go."""

    kind: str
    removed: int = 0  # segments
    rewritten: int = 0  # because some of their rows stay
    rows: int = 0

    def plus(self, other: Retained) -> Retained:
        """Add what another step has removed."""
        counts = zip(self[1:], other[1:], strict=True)
        return Retained(self.kind, *(one + another for one, another in counts))


def retain(
    folder: Path, retention: Retention, *, now: datetime, is_dry_run: bool = False
) -> list[Retained]:
    """Remove what is older than it is to be kept, in steps beside the writers of a store.

    Nothing is removed that was not judged yet, or is not in the sums of minutes and hours yet. The
    files go once their snapshots expire: see store.upkeep.maintain. Raises as store.lake.Lake;
    TransientError while another process maintains the store.
    """
    place = Folder(folder)
    place.require_store()
    with (
        closing(claim(place, "maintain", wait_s=COMMIT_WAIT_S)),
        failures.named(place.root),
        attach(place, writable=True) as connection,
    ):
        committer = Committer(connection, place)
        retaining = Retaining(connection, place, committer, retention)
        totals = {kind: Retained(kind) for kind in KINDS}
        for step in retaining.steps(now, is_dry_run=is_dry_run):
            totals[step.kind] = totals[step.kind].plus(step)
        return list(totals.values())


class Retaining:
    """Removes what is too old, one step at a time, as the only maintainer of a store."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        folder: Folder,
        committer: Committer,
        retention: Retention,
    ) -> None:
        self._connection, self._folder, self._committer = connection, folder, committer
        self._retention = retention
        self._swapper = Swapper(connection, folder, committer)

    def steps(self, now: datetime, *, is_dry_run: bool = False) -> Iterator[Retained]:
        """Remove, or with `is_dry_run` only count. Raises duckdb.Error, and as Committer."""
        for kind, (table, time) in KINDS.items():
            if rules := self._retention.rules_of(kind):
                ages = _Ages(table, time, [(one, now - timedelta(days=d)) for one, d in rules])
                with self._unless_replaced(table) as is_free:
                    if is_free:
                        yield from self._steps_of(kind, ages, is_dry_run=is_dry_run)
        if (limit_mb := self._retention.dead_letters_mb) is not None:
            yield from self._cap(limit_mb * 1e6, is_dry_run=is_dry_run)

    def _steps_of(self, kind: str, ages: _Ages, *, is_dry_run: bool) -> Iterator[Retained]:
        old = list[SegmentSpan]()
        for each in segment_spans(self._connection, ages.table, time=ages.time):
            if each.first >= ages.latest or not self._is_done_with(ages.table, each):
                continue
            if ages.are_all_over(each):
                old.append(each)
            elif (choice := ages.choice(each)) is not None:
                step = self._leave_out(kind, each, choice, is_dry_run=is_dry_run)
                if step is not None:
                    yield step
        for group in _in_groups(old):
            if not is_dry_run:
                self._swapper.swap([Swap(ages.table, [each.name for each in group], [])])
            yield Retained(kind, len(group), 0, sum(each.row_count for each in group))
        if ages.table == tables.DEAD_LETTERS:
            count = self._forget_inlined(ages.latest, is_dry_run=is_dry_run)
            if count:
                yield Retained(kind, 0, 0, count)

    def _leave_out(
        self, kind: str, span: SegmentSpan, choice: Choice, *, is_dry_run: bool
    ) -> Retained | None:
        path = self._folder.data / span.name
        gone, total = choose(path, choice)
        if not gone:
            return None
        new = []
        if not is_dry_run:
            table = KINDS[kind][0]
            if gone < total:
                target = next_name(self._connection, self._folder, table, "kept")
                new = [write_without(path, target, choice)]
            self._swapper.swap([Swap(table, [span.name], new)])
        return Retained(kind, 1, int(gone < total), gone)

    def _forget_inlined(self, before: datetime, *, is_dry_run: bool) -> int:
        """Remove the dead letters that are in the catalog itself."""
        where = f"FROM {tables.DEAD_LETTERS.path} WHERE {_IN_CATALOG} AND received_time < ?"
        row = self._connection.execute(f"SELECT count(*) {where}", [before]).fetchone()
        assert row is not None
        if row[0] and not is_dry_run:
            self._committer.transact(lambda: self._connection.execute(f"DELETE {where}", [before]))
        return int(row[0])

    def _cap(self, limit_bytes: float, *, is_dry_run: bool) -> Iterator[Retained]:
        """Remove the oldest segments of dead letters beyond so many bytes."""
        spans = segment_spans(self._connection, tables.DEAD_LETTERS, time="received_time")
        total = sum(each.byte_count for each in spans)
        for each in sorted(spans, key=lambda each: each.last):
            if total <= limit_bytes:
                return
            total -= each.byte_count
            if not is_dry_run:
                self._swapper.swap([Swap(tables.DEAD_LETTERS, [each.name], [])])
            yield Retained("dead_letters", 1, 0, each.row_count)

    def _is_done_with(self, table: tables.Table, span: SegmentSpan) -> bool:
        """Tell whether nobody has to read these rows yet: the judge, or the rollups."""
        if table == tables.RAW_READINGS:
            return span.last_arrival < self._number("arrival", tables.JUDGE_PROGRESS)
        if table == tables.CLEAN_READINGS:
            is_known = self._number("arrival IS NULL", tables.ROLLUP_PROGRESS)
            last = self._number("judge_commit", tables.ROLLUP_PROGRESS)
            return bool(is_known) and span.last_commit <= last
        return True

    def _number(self, column: str, table: tables.Table) -> int:
        row = self._connection.execute(f"SELECT {column} FROM {table.path}").fetchone()
        assert row is not None
        return int(row[0])

    def _unless_replaced(self, table: tables.Table) -> AbstractContextManager[bool]:
        """Leave readings alone while they are judged again."""
        is_theirs = table in (tables.RAW_READINGS, tables.CLEAN_READINGS)
        return if_free(self._folder, "rejudge") if is_theirs else nullcontext(enter_result=True)


class _Ages:
    """Before which time the rows of each tag go."""

    def __init__(
        self, table: tables.Table, time: str, cutoffs: Sequence[tuple[str, datetime]]
    ) -> None:
        self.table, self.time, self._cutoffs = table, time, cutoffs
        self._is_plain = cutoffs[0][0] == "*"  # one for all tags
        self._covers_all = cutoffs[-1][0] == "*"
        self.latest = max(cutoff for _, cutoff in cutoffs)
        self._cutoff_us = cache(self._cutoff_us_of)

    def are_all_over(self, span: SegmentSpan) -> bool:
        """Tell whether no row stays, without a look at the tags."""
        return self._covers_all and span.last < min(cutoff for _, cutoff in self._cutoffs)

    def choice(self, span: SegmentSpan) -> Choice | None:
        """Say which rows of a segment go now; None where it is to wait."""
        is_long = span.last - span.first > WHOLE_SPAN
        is_half = is_long and self.latest - span.first > (span.last - span.first) / 2
        if not is_half and (self._is_plain or span.last >= self.latest):
            return None
        last_us = None if is_half else _us(span.last)
        columns = [self.time] if self._is_plain else ["tag", self.time]

        def is_gone(rows: pa.Table) -> Mask:
            times = times_of(rows, self.time)
            if self._is_plain:
                return np.asarray(times < _us(self.latest))
            if last_us is not None:  # tags of which all has gone, so that others cost nothing
                return of_tags(rows, lambda tag: self._cutoff_us(tag) > last_us)
            return self._is_over(rows, times)

        return Choice(self.table.columns, columns, is_gone)

    def _is_over(self, rows: pa.Table, times: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Mask:
        words, numbers = words_of_column(rows, "tag")
        cutoffs = np.array([self._cutoff_us(word) for word in words], np.int64)
        return np.asarray(times < cutoffs[numbers])

    def _cutoff_us_of(self, tag: str) -> int:
        for pattern, cutoff in self._cutoffs:
            if fnmatchcase(tag, pattern):
                return _us(cutoff)
        return np.iinfo(np.int64).min


def _us(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1)


def _in_groups(spans: Sequence[SegmentSpan]) -> Iterator[list[SegmentSpan]]:
    """Cut segments into groups of STEP_ROWS, or of one."""
    group, rows = list[SegmentSpan](), 0
    for each in spans:
        if group and rows + each.row_count > STEP_ROWS:
            yield group
            group, rows = [], 0
        group.append(each)
        rows += each.row_count
    if group:
        yield group
