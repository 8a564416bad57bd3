"""The lake: takes readings and verdicts, each commit whole or not at all, and hands them on."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, TypeVar

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from contracts.batches import RAW_SCHEMA, Progress, RawBatch
from contracts.errors import ContractError, TransientError
from store import failures, tables
from store.catalog.attachment import attach, kept_open
from store.catalog.creation import is_complete, renew_views, steps
from store.catalog.migration import migrated
from store.catalog.rule_versions import filed, rule_version
from store.catalog.tag_entries import (
    entries_of,
    entries_since,
    known_tags,
    last_revision,
    unknown_of,
)
from store.catalog.tag_names import Names, changed_rows, last_naming, names_in
from store.commits.brought import brought_by
from store.commits.commit import Addition, AlreadyCommittedError, Committer
from store.commits.notes import commit_name, known_of, notes_table
from store.commits.progress import ProgressKeeper, ProgressRow, require_next
from store.commits.raw_rows import raw_between
from store.place.durable import sync_folder
from store.place.folder import Folder
from store.place.locks import COMMIT_WAIT_S, REJUDGE_WAIT_S, claim, committing
from store.rejudging.rejudging import Rejudging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from contracts.batches import CleanCommit, RawCommit
    from contracts.notes import Note
    from contracts.tags import Tag
    from store.place.locks import Lock
    from store.rejudging.history import Span

# What a process may be to a store; there is at most one of each at a time.
Writer = Literal["ingest", "judge", "reports", "maintain", "tags", "notes", "rejudge"]
# Those that commit readings, and ask the catalog alone: there one thread takes 0.7 of the time.
_ROLE_OF_PROGRESS = {"ingest": tables.INGEST_PROGRESS, "judge": tables.JUDGE_PROGRESS}
# Those that are commands: two of them wait for one another.
_WAITS_S = {"tags": COMMIT_WAIT_S, "notes": COMMIT_WAIT_S, "rejudge": REJUDGE_WAIT_S}
# Others change the catalogue in moments: ingest when a new tag comes, people now and then.
_REVISIONS_TRIED = 20

Answer = TypeVar("Answer")


class ReportSlot(NamedTuple):
    """A report that was made: of which schedule, for which slot, when, where it lies."""

    schedule: str
    slot: datetime
    made_at: datetime
    path: str


class _TagsChangedError(TransientError):
    """Says that the tag catalogue is no longer what a change of it began with."""


class Lake:
    """A store, open for one writer; used from one thread at a time.

    Every method raises TransientError where the same call may succeed later (a full disk, a
    catalog that is held), and GainlineError where the disk failed: then open the lake again.
    """

    def __init__(self, folder: Folder, writer: Writer, lock: Lock) -> None:
        self._folder = folder
        self._writer = writer
        self._lock = lock
        self._connection = attach(folder, writable=True)
        if writer in _ROLE_OF_PROGRESS:
            self._connection.execute("SET threads = 1")
        self._kept = kept_open(self._connection, folder)
        self._committer = Committer(self._connection, folder)
        self._keepers = {
            name: ProgressKeeper(self._connection, folder, table)
            for name, table in _ROLE_OF_PROGRESS.items()
        }

    @classmethod
    def open(cls, folder: Path, *, writer: Writer) -> Self:
        """Open the store, making or finishing it where needed, as its only writer of this kind.

        Raises ConfigError: the folder is no store and not empty, the store is of a newer format,
        or another process is this writer already.
        """
        place = Folder(folder)
        place.prepare()
        lock = claim(place, writer, wait_s=_WAITS_S.get(writer, 0.0))
        lake = None
        try:
            with migrated(place, writer):
                # two that attach a catalog that is not there yet would both make it
                with committing(place):
                    lake = cls(place, writer, lock)
                lake._complete()
        except BaseException:
            if lake is None:
                lock.close()
            else:
                lake.close()
            raise
        return lake

    def close(self) -> None:
        """Give up the store; what was committed stays."""
        self._kept.close()
        self._connection.close()
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def ingest_progress(self) -> Progress:
        """Tell how far ingest has come, as of its last commit."""
        return self._progress(self._keepers["ingest"])

    def judge_progress(self) -> Progress:
        """Tell how far the judge has come, as of its last commit; its position is always 0."""
        return self._progress(self._keepers["judge"])

    def commit_raw(self, commit: RawCommit, *, new_tags: Sequence[Tag] = ()) -> None:
        """Store all that one commit of ingest brings. The last commit may come again: it is known.

        Raises ContractError for a commit that does not follow the last one.
        """
        table = commit.readings.table
        counts = f"{table.num_rows} {len(commit.dead_letters)} {len(commit.ledger)}"
        self._advance(
            Progress(commit.until_position, commit.until_arrival, commit.memory),
            [
                Addition(tables.RAW_READINGS, table),
                *brought_by(commit),
                Addition(tables.TAG_ENTRIES, self._tag_entries(new_tags)),
            ],
            counts,
        )

    def waiting_dead_letters(self, positions: Sequence[int]) -> dict[int, str]:
        """Give the gateway of each dead letter at these positions that was not replayed."""
        rows = self._rows(
            "SELECT d.position, d.gateway FROM house.dead_letters AS d"
            " WHERE d.position IN (SELECT unnest(?::BIGINT[])) AND NOT EXISTS"
            " (SELECT 1 FROM house.dead_letter_replays AS p WHERE p.position = d.position)",
            [list(positions)],
        )
        return dict(rows)

    def commit_clean(self, commit: CleanCommit) -> None:
        """Store all that one commit of the judge brings. The last commit may come again.

        Raises ContractError for a commit that does not follow the last one.
        """
        number = self._row(self._keepers["judge"]).commit_count + 1
        table = filed(commit.readings.table, commit.rule_version, judge_commit=number)
        counts = f"{table.num_rows} {pc.min(table['arrival']).as_py()}"
        self._advance(
            Progress(0, commit.until_arrival, commit.memory),
            [Addition(tables.CLEAN_READINGS, table)],
            counts,
        )

    def rule_version(self, digest: str, configuration: str) -> int:
        """Give the number of the rules with this digest; new ones get the next number."""
        return self._asked(
            lambda connection: rule_version(connection, self._committer, digest, configuration)
        )

    def rejudging(self, span: Span) -> Rejudging:
        """Begin to judge again what is filed under a span. Raises ContractError: other writers."""
        if self._writer != "rejudge":
            raise ContractError(f"a lake opened for {self._writer} replaces no verdicts")
        return Rejudging(self._connection, self._folder, self._committer, span)

    def raw_after(self, arrival: int, *, limit: int) -> RawBatch:
        """Give up to `limit` readings from number `arrival` on, in order of arrival.

        Their strings are CODED. Reads the segments that hold them and no others: a limit below the
        size of a commit reads the same segment several times. Empty only when there is no later
        reading.
        """
        try:
            if self._keepers["ingest"].row().arrival <= arrival:
                return RawBatch(RAW_SCHEMA.empty_table())
            table = self._raw_between(arrival, arrival + limit)
            if table.num_rows == 0:  # numbers that were never given
                first = self._first_arrival(arrival)
                table = self._raw_between(first, first + limit)
        except duckdb.Error as error:
            raise failures.of_catalog(error, self._folder.root) from error
        return RawBatch(table)

    def revise_tags(self, revise: Callable[[dict[str, Tag]], Iterable[Tag]]) -> int:
        """Change what is known of tags; give the number of tags that changed.

        `revise` is given the catalogue and gives the tags that shall be otherwise; where another
        writer changes the catalogue meanwhile, it is asked again, so that no change is lost.
        """
        for _ in range(_REVISIONS_TRIED):
            last = self._asked(last_revision)
            rows = entries_of(revise(self.known_tags()), last + 1, datetime.now(UTC))
            if rows.num_rows == 0:
                return 0
            name = f"{self._writer}-tags-{last + 1:012d}"
            addition = Addition(tables.TAG_ENTRIES, rows)
            with suppress(_TagsChangedError):
                self._committer.commit(
                    name, [addition], partial(self._revised, rows.num_rows, since=last)
                )
                return rows.num_rows
        raise _TagsChangedError("the tag catalogue is being changed by others: try again")

    def known_tags(self) -> dict[str, Tag]:
        """Give the tag catalogue."""
        return self._asked(known_tags)

    def rename_tags(
        self,
        changes: Mapping[str, str | None],
        revise: Callable[[dict[str, Tag]], Iterable[Tag]] = lambda _: (),
    ) -> int:
        """Show the readings of tags under other names, None: their own; `revise` as above.

        Gives the number of tags that are shown otherwise. Raises DataError for names that lead
        back to themselves.
        """
        self.revise_tags(revise)
        revision = self._asked(last_naming) + 1
        names = self._asked(names_in)
        rows = changed_rows(names, changes, revision, datetime.now(UTC))
        if rows.num_rows:
            self._committer.commit(
                f"{self._writer}-names-{revision:012d}",
                [Addition(tables.TAG_NAMES, rows)],
                self._renew_views,
            )
        return rows.num_rows

    def tag_names(self) -> Names:
        """Give the names under which readings of tags are shown."""
        return self._asked(names_in)

    def known_notes(self, note_ids: Sequence[str]) -> set[str]:
        """Tell which of these notes are in the lake."""
        return self._asked(partial(known_of, note_ids=note_ids))

    def add_notes(self, notes: Sequence[Note]) -> int:
        """Store notes, whole or not at all; give the number of those that are new."""
        by_id = {note.note_id: note for note in notes}
        known = self.known_notes(list(by_id))
        new = [note for note_id, note in by_id.items() if note_id not in known]
        if new:
            self._committer.commit(commit_name(new), [Addition(tables.NOTES, notes_table(new))])
        return len(new)

    def report_slots(self, schedule: str) -> list[ReportSlot]:
        """Give the reports of a schedule that were made, oldest slot first."""
        rows = self._rows(
            "SELECT schedule, slot, made_at, path FROM house.report_slots WHERE schedule = ?"
            " ORDER BY slot",
            [schedule],
        )
        return [
            ReportSlot(name, slot.astimezone(UTC), made_at.astimezone(UTC), path)
            for name, slot, made_at, path in rows
        ]

    def record_report(self, report: ReportSlot, estimates: pa.Table | None = None) -> None:
        """Note a report that was made, once, with what it has estimated of the upgrades.

        A slot that is noted already stays as it is. `estimates` as gain_estimates gives them.
        """

        def work() -> None:
            noted = self._connection.execute(
                "SELECT 1 FROM house.report_slots WHERE schedule = ? AND slot = ?",
                [report.schedule, report.slot],
            ).fetchone()
            if noted:
                raise AlreadyCommittedError
            self._connection.execute(
                "INSERT INTO house.report_slots VALUES (?, ?, ?, ?)", [*report]
            )

        name = f"reports-{report.schedule}-{report.made_at:%Y%m%dT%H%M%S%f}"
        additions = [] if estimates is None else [Addition(tables.GAIN_ESTIMATES, estimates)]
        self._committer.commit(name, additions, work)

    def _complete(self) -> None:
        try:
            if not is_complete(self._connection):
                for step in steps(self._connection):
                    self._committer.transact(step)
                sync_folder(self._folder.root)  # the names of a catalog that is new
        except duckdb.Error as error:
            raise failures.of_catalog(error, self._folder.root) from error
        except OSError as error:
            raise failures.of_disk(error) from error

    def _advance(self, target: Progress, additions: list[Addition], counts: str) -> None:
        if self._writer not in self._keepers:
            raise ContractError(f"a lake opened for {self._writer} commits no readings")
        keeper = self._keepers[self._writer]
        before = self._row(keeper)
        with self._committer.guarded():
            after = keeper.prepare(before, target, counts)
        if after is before:
            return
        require_next(before, after, additions[0])
        name = f"{self._writer}-{after.commit_count:012d}"
        self._committer.commit(name, additions, lambda: keeper.move(before, after))
        keeper.settle(after)

    def _progress(self, keeper: ProgressKeeper) -> Progress:
        try:
            return keeper.progress()
        except duckdb.Error as error:
            raise failures.of_catalog(error, self._folder.root) from error

    def _row(self, keeper: ProgressKeeper) -> ProgressRow:
        try:
            return keeper.last_row()
        except duckdb.Error as error:
            raise failures.of_catalog(error, self._folder.root) from error

    def _raw_between(self, first: int, until: int) -> pa.Table:
        return raw_between(self._connection, self._folder, first, until)

    def _first_arrival(self, arrival: int) -> int:
        row = self._connection.execute(
            "SELECT min(arrival) FROM raw.readings WHERE arrival >= ?", [arrival]
        ).fetchone()
        return arrival if row is None or row[0] is None else int(row[0])

    def _revised(self, entry_count: int, *, since: int) -> None:
        """Refuse, inside a transaction, unless the entries since a revision are our own."""
        if entries_since(self._connection, since) != entry_count:
            raise _TagsChangedError("the tag catalogue was changed meanwhile")
        self._renew_views()

    def _renew_views(self) -> None:
        """Make the views anew, inside a transaction, if they must heed what they did not."""
        if not is_complete(self._connection):
            renew_views(self._connection)

    def _tag_entries(self, tags: Sequence[Tag]) -> pa.Table:
        new = self._asked(partial(unknown_of, tags=tags)) if tags else []
        return entries_of(new, self._asked(last_revision) + 1 if new else 0, datetime.now(UTC))

    def _asked(self, question: Callable[[duckdb.DuckDBPyConnection], Answer]) -> Answer:
        try:
            return question(self._connection)
        except duckdb.Error as error:
            raise failures.of_catalog(error, self._folder.root) from error

    def _rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, list(parameters)).fetchall()
        except duckdb.Error as error:
            raise failures.of_catalog(error, self._folder.root) from error
