"""The sums of shifts that the store keeps: days that something has changed are summed up anew.

What is kept equals what a sum over all readings would say: a day's sums depend on nothing but the
readings of the day and their neighbours, and every day that new readings, new verdicts or a new
plan can have changed is made anew, whole.
"""

# ruff: noqa: S608 - the SQL is put together of the store's own names

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import ContractError
from store import failures, tables
from store.catalog.attachment import attach
from store.commits.commit import Committer
from store.commits.swapping import Swap, Swapper
from store.place.folder import Folder
from store.place.locks import if_free
from store.segments.segment import Segment, write_segment
from store.shifts.shift_changes import Changed, changed, readings_per_day
from store.shifts.shift_sums import ShiftMetrics, Span, measure, spans_of, sums_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import duckdb

# Who holds this lock moves the sums of shifts.
LOCK = "shifts"
# Readings that are in memory at once, but for a day that has more; days that are made at once.
READINGS_AT_ONCE = 2_000_000
DAYS_AT_ONCE = 28
# A week's segment is written once for each run of days that reaches into it.
DAYS_PER_WEEK = 7
ONE_DAY = timedelta(days=1)

Day = tuple[str | None, date]  # of a site


class LinePlan(NamedTuple):
    """What was planned of a line when its sums were made: columns of tables.SHIFT_SUMS."""

    units_per_hour: float | None
    worth_of_piece: float | None
    currency: str
    co2_source: str


class Planned(NamedTuple):
    """What the configuration plans: asked of by the store, answered by the roof."""

    metrics: ShiftMetrics
    fingerprint: str  # of all that follows
    day_of: Callable[[str | None, datetime], date]  # of a site, a moment
    begin_of: Callable[[str | None, date], datetime]  # of a site's day
    lay_out: Callable[[Iterable[tuple[Span, date, date]]], pa.Table]  # days of spans, as spells
    of_day: Callable[[str | None, date], str]  # fingerprint of a site's day
    of_line: Callable[[str], LinePlan]


class Progress(NamedTuple):
    """How far the sums are; the columns of tables.SHIFT_PROGRESS."""

    step_count: int
    judge_commit: int
    rejudgement: int
    fingerprint: str
    places: str


def keep_shifts(
    folder: Path,
    planned: Planned,
    *,
    now: datetime,
    kept_since: datetime | None = None,
    tell: Callable[[int], object] = lambda _days: None,
) -> int:
    """Make anew the sums of all days that have changed; give their number.

    Days that begin before `kept_since` stay as they are: their readings may be gone. `tell` is told
    of the days of each step, and ends the work by raising. Also 0 while another process does it. A
    crash loses nothing: what was not noted is done again. Raises as store.lake.Lake.
    """
    place = Folder(folder)
    place.require_store()
    with if_free(place, LOCK) as is_free:
        if not is_free:
            return 0
        with failures.named(place.root), attach(place, writable=True) as connection:
            return _Keeper(connection, place, planned, tell).run(now, kept_since)


class _Keeper:
    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        folder: Folder,
        planned: Planned,
        tell: Callable[[int], object],
    ) -> None:
        self._connection, self._folder, self._planned = connection, folder, planned
        self._tell = tell
        self._swapper = Swapper(connection, folder, Committer(connection, folder))
        row = connection.execute(f"SELECT * FROM {tables.SHIFT_PROGRESS.path}").fetchone()
        self._now = Progress(*row) if row else Progress(0, 0, 0, "", "")
        self._is_new = row is None

    def run(self, now: datetime, kept_since: datetime | None) -> int:
        found = changed(
            self._connection,
            self._planned.metrics,
            since_commit=self._now.judge_commit,
            since_rejudgement=self._now.rejudgement,
        )
        days = set(self._days(found, now)) | set(self._replanned(found))
        days = {day for day in days if kept_since is None or self._begin(day) >= kept_since}
        then = Progress(
            self._now.step_count,
            found.judge_commit,
            found.rejudgement,
            self._planned.fingerprint,
            found.places,
        )
        if not days and then == self._now:
            return 0
        if days:
            measure(self._connection, self._planned.metrics.state)
        batches = list(_batches(days, self._days_at_once(days))) if days else [set()]
        for batch in batches:
            is_last = batch is batches[-1]
            self._make(batch, now, then if is_last else self._now)
            self._tell(len(batch))
        return len(days)

    def _days_at_once(self, days: set[Day]) -> int:
        newest = self._begin(max(days, key=lambda day: day[1])) + ONE_DAY
        a_day = readings_per_day(self._connection, self._planned.metrics, newest)
        at_once = READINGS_AT_ONCE // max(1, a_day)
        if at_once < DAYS_PER_WEEK:
            return max(1, at_once)
        return min(DAYS_AT_ONCE, at_once - at_once % DAYS_PER_WEEK)

    def _days(self, found: Changed, now: datetime) -> Iterator[Day]:
        """Give every day that a change reaches into; none lies in the future."""
        for site, first, last in found.spans:
            day = self._planned.day_of(site, first)
            end = self._planned.day_of(site, min(last, now))
            while day <= end:
                yield site, day
                day += ONE_DAY

    def _replanned(self, found: Changed) -> Iterator[Day]:
        """Give the days that were made by another plan, or of tags that stand elsewhere now."""
        has_moved = found.has_moved(self._now.places)
        if not has_moved and self._now.fingerprint == self._planned.fingerprint:
            return
        rows = self._connection.execute(
            f"SELECT DISTINCT site, day, plan FROM {tables.SHIFT_SUMS.path}"
        ).fetchall()
        for site, day, plan in rows:
            if has_moved or plan != self._planned.of_day(site, day):
                yield site, day

    def _make(self, days: set[Day], now: datetime, then: Progress) -> None:
        """Sum up some days, and put their weeks in the place of what was kept of them."""
        then = then._replace(step_count=self._now.step_count + 1)
        sums, stops = self._summed(days, now) if days else (None, None)
        swaps = list[Swap]()
        if sums is not None and stops is not None:
            swaps += self._swaps(tables.SHIFT_SUMS, self._with_plan(sums), days, then)
            swaps += self._swaps(tables.STOPS, stops, days, then)
        self._swapper.swap(swaps, lambda: self._move(then))
        self._now, self._is_new = then, False

    def _summed(self, days: set[Day], now: datetime) -> tuple[pa.Table, pa.Table]:
        by_site = {site: [day for _, day in of] for site, of in _by_site(days)}
        since = min(self._begin((site, min(its))) for site, its in by_site.items())
        ends = (self._begin((site, max(its) + ONE_DAY)) for site, its in by_site.items())
        until = min(max(ends), now)
        # with the day before, of which a stop may go on
        early = since - ONE_DAY
        spans = spans_of(self._connection, self._planned.metrics.state, early, until)
        spells = self._planned.lay_out(
            (span, min(by_site[span.site]) - ONE_DAY, max(by_site[span.site]))
            for span in spans
            if span.site in by_site
        )
        sums, stops = sums_of(self._connection, self._planned.metrics, spells, (since, until))
        return _of_days(sums, days), _of_days(stops, days)

    def _with_plan(self, sums: pa.Table) -> pa.Table:
        """Say beside sums by which plan they were made."""
        rows: list[dict[str, Any]] = sums.select(["site", "line", "day"]).to_pylist()
        plans = [self._planned.of_line(row["line"]) for row in rows]
        columns: dict[str, list[Any]] = {
            name: [getattr(plan, name) for plan in plans] for name in LinePlan._fields
        }
        columns["plan"] = [self._planned.of_day(row["site"], row["day"]) for row in rows]
        for name, values in columns.items():
            field = tables.SHIFT_SUMS.columns.field(name)
            sums = sums.append_column(field, pa.array(values, field.type))
        return sums

    def _swaps(
        self, table: tables.Table, rows: pa.Table, days: set[Day], then: Progress
    ) -> Iterator[Swap]:
        """Give a segment of each week that has one of the days; what else was in it stays."""
        listed = list(self._swapper.listed(table))
        mondays: Any = pc.floor_temporal(rows["day"], unit="week")
        for monday in sorted({_monday(day) for _, day in days}):
            prefix = f"{table.folder}/week-{monday}-"
            gone = [name for name in listed if name.startswith(prefix)]
            kept = _without_days(self._read(table, gone), days)
            new = rows.filter(pc.equal(mondays, pa.scalar(monday, rows.schema.field("day").type)))
            whole = pa.concat_tables([kept, new.select(kept.column_names).cast(kept.schema)])
            segments = []
            if whole.num_rows:
                segments.append(self._write(whole, f"{prefix}{then.step_count:012d}"))
            if gone or segments:
                yield Swap(table, gone, segments)

    def _read(self, table: tables.Table, names: list[str]) -> pa.Table:
        found = self._connection.execute(
            f"SELECT * FROM {table.path} WHERE filename IN (SELECT unnest(CAST(? AS VARCHAR[])))",
            [[self._swapper.path(name) for name in names]],
        ).to_arrow_table()
        return found.select(table.columns.names).cast(table.columns)

    def _write(self, rows: pa.Table, name: str) -> Segment:
        ordered = rows.sort_by([("site", "ascending"), ("line", "ascending"), ("day", "ascending")])
        return write_segment(ordered, self._folder.data / f"{name}.parquet")

    def _move(self, then: Progress) -> None:
        """Move the one row inside a transaction; the step that it was based on guards it."""
        table = tables.SHIFT_PROGRESS.path
        if self._is_new:
            held = self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            if held != (0,):
                raise ContractError("the sums of shifts were moved by another process")
            self._connection.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?)", [*then])
            return
        names = ", ".join(f"{name} = ?" for name in then._fields)
        moved = self._connection.execute(
            f"UPDATE {table} SET {names} WHERE step_count = ?", [*then, self._now.step_count]
        ).fetchone()
        if moved is None or moved[0] != 1:
            raise ContractError("the sums of shifts were moved by another process: run only one")

    def _begin(self, day: Day) -> datetime:
        return self._planned.begin_of(*day)


def _batches(days: set[Day], at_once: int) -> Iterator[set[Day]]:
    """Cut days into runs that follow one another and end with a week where they can."""
    run = list[date]()
    for day in [*sorted({day for _, day in days}), date.max]:
        is_whole = len(run) == at_once or (at_once >= DAYS_PER_WEEK and _is_full(run, day, at_once))
        if run and (day - run[-1] > ONE_DAY or is_whole):
            yield {one for one in days if run[0] <= one[1] <= run[-1]}
            run = []
        run.append(day)


def _is_full(run: list[date], day: date, at_once: int) -> bool:
    """Whether a week ends before this day, and the next one would be too much."""
    return day.weekday() == 0 and len(run) + DAYS_PER_WEEK > at_once


def _by_site(days: set[Day]) -> Iterator[tuple[str | None, list[Day]]]:
    def name(day: Day) -> tuple[bool, str]:
        return day[0] is not None, day[0] or ""

    for _, its in groupby(sorted(days, key=name), key=name):
        of_site = list(its)
        yield of_site[0][0], of_site


def _of_days(rows: pa.Table, days: set[Day]) -> pa.Table:
    return rows.filter(_is_in(rows, days))


def _without_days(rows: pa.Table, days: set[Day]) -> pa.Table:
    return rows.filter(pc.invert(_is_in(rows, days)))


def _is_in(rows: pa.Table, days: set[Day]) -> pa.BooleanArray:
    pairs = zip(rows["site"].to_pylist(), rows["day"].to_pylist(), strict=True)
    return pa.array([pair in days for pair in pairs], pa.bool_())


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
