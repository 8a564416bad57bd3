"""Judging again: the verdicts of a range of time replaced by others, all in one snapshot."""

# ruff: noqa: S608 - the SQL is put together of the store's own names

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import pyarrow as pa

from contracts.batches import CLEAN_SCHEMA
from store import failures, tables
from store.catalog.rule_versions import filed
from store.commits.swapping import Swap, Swapper
from store.rejudging import history
from store.rejudging.new_verdicts import NewVerdicts
from store.rejudging.rewriting import Change, Rewriting
from store.segments.segment import Segment, write_segment
from store.sums.recomputing import Recomputing, rollups_held

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from contracts.batches import CleanBatch, RawBatch
    from store.commits.commit import Committer
    from store.place.files import File
    from store.place.folder import Folder
    from store.rejudging.history import JudgedTag, Span

# Where new verdicts wait, in STORE/state.
FOLDER = "rejudge"


class Outcome(NamedTuple):
    """What judging again has done, or would do."""

    replaced: int  # readings with a new verdict
    changes: Mapping[Change, int]  # readings whose verdict or repaired value is another
    added: int = 0  # what new rules make of readings, as features of a waveform
    removed: int = 0  # what old rules made of them and new ones do not


class Rejudging:
    """A change of the verdicts under a span: nobody sees it before `replace` is done.

    Only readings that had a verdict when it began get another one; what the judge does meanwhile
    stays. Every method raises TransientError where the same call may succeed later, and
    GainlineError where the disk failed.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        folder: Folder,
        committer: Committer,
        span: Span,
    ) -> None:
        self._connection, self._folder, self._committer = connection, folder, committer
        self._swapper = Swapper(connection, folder, committer)
        self.span = span
        self._new = NewVerdicts(folder.scratch / FOLDER)
        self._segments: list[str] = []  # names of those with a reading to be judged again
        with self._asking():
            self._connection.execute("BEGIN")  # both as of one snapshot
            try:
                self._listed = self._swapper.listed(tables.CLEAN_READINGS).keys()
                self.judged_tags: list[JudgedTag] = history.judged_tags(connection, span)
            finally:
                self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Remove what waits on disk; what was replaced stays replaced."""
        self._new.remove()

    def choose(self, tags: Sequence[str]) -> int:
        """Say of which judged tags the verdicts are replaced; give the number of their readings."""
        known = {each.tag: each.is_raw for each in self.judged_tags}
        self._new.name({tag: known[tag] for tag in tags})
        with self._asking(), history.named(self._connection, "chosen", pa.table({"tag": tags})):
            found = self._connection.execute(
                "SELECT filename, count(*) FROM clean.readings JOIN chosen USING (tag)"
                f" WHERE {self.span.sql} GROUP BY filename"
            ).fetchall()
        names = {self._swapper.name(path): count for path, count in found}
        counts = {name: names[name] for name in self._listed & names.keys()}
        self._segments = sorted(counts)
        return sum(counts.values())

    def run_up(self, tags: Sequence[str], *, before: int, count: int) -> dict[str, int]:
        """Say from which arrival on to judge each tag, to know it: see history.run_up."""
        with self._asking():
            return history.run_up(self._connection, tags, before=before, count=count)

    def raw(self, starts: Mapping[str, int], *, first: int, limit: int) -> RawBatch:
        """Give the raw readings of a range of arrivals: see history.raw_batch."""
        with self._asking():
            return history.raw_batch(self._connection, starts, first=first, limit=limit)

    def made(self, tags: Sequence[str], *, before: int, count: int) -> RawBatch:
        """Give what was made of other readings before an arrival: see history.made_batch."""
        with self._asking():
            return history.made_batch(self._connection, tags, before=before, count=count)

    def last_arrival(self) -> int:
        """Give the number of the last raw reading, -1 where there is none."""
        with self._asking():
            return history.last_arrival(self._connection)

    def add(self, verdicts: CleanBatch) -> None:
        """Take verdicts of chosen tags under the span, of each reading once, in any order."""
        self._new.add(verdicts.table.cast(CLEAN_SCHEMA))

    def compare(self) -> Outcome:
        """Say what `replace` would change."""
        rewriting = Rewriting(self._new, self.span, None)
        for name in self._segments:
            rewriting.compare(self._file(name))
        return self._outcome(rewriting, self._made().num_rows)

    def replace(self, pattern: str | None, version: int) -> Outcome:
        """Give the readings their new verdicts, all at once.

        New segments with them are on the disk before the one transaction that puts them in the
        place of the old ones, which stay for those who read them: see store.upkeep.maintain.
        """
        with self._asking():
            number = self._number()
        rewriting = Rewriting(self._new, self.span, version)
        name = f"rejudge-{number:06d}"
        with self._committer.guarded():
            swap, made_count = self._written(rewriting, name)
            outcome = self._outcome(rewriting, made_count)
            if swap.gone or swap.segments:
                changed = sum(outcome.changes.values())
                row: list[object] = [number, datetime.now(UTC), *self.span, pattern, version]
                row += [outcome.replaced, changed]
                with rollups_held(self._folder), self._asking():
                    recomputing = Recomputing(self._connection, self._folder, self._swapper)
                    parts = recomputing.swaps(swap, self._touched(), name)
                    self._swapper.swap([swap, *parts], lambda: self._note(row))
        return outcome

    def _touched(self) -> pa.Table:
        """Say between which times readings of which tags get a verdict, or are made."""
        made = self._new.made()
        sources = (
            "SELECT tag, source_time FROM clean.readings"
            f" WHERE {self.span.sql} AND tag IN (SELECT tag FROM chosen)"
        )
        if made:
            sources += (
                " UNION ALL SELECT tag, coalesce(source_time, received_time) FROM read_parquet(?)"
            )
        chosen = pa.table({"tag": pa.array(self._new.sorted_tags, pa.string())})
        with history.named(self._connection, "chosen", chosen):
            return self._connection.execute(
                "SELECT tag, min(source_time) AS first, max(source_time) AS last"
                f" FROM ({sources}) GROUP BY tag",
                [made] if made else [],
            ).to_arrow_table()

    def _written(self, rewriting: Rewriting, name: str) -> tuple[Swap, int]:
        """Write the new segments; where that fails, none of them stays.

        Gives also how many readings are made of others that were not made before.
        """
        folder = tables.CLEAN_READINGS.folder
        gone, segments = list[str](), list[Segment]()
        try:
            for count, old in enumerate(self._segments):
                target = self._file(f"{folder}/{name}-{count:06d}.parquet")
                segment = rewriting.rewrite(self._file(old), target)
                if segment is not None:
                    gone.append(old)
                    segments.append(segment)
                    if not segment.row_count:  # all that was in it new rules do not make
                        segments.pop().file.remove()
            made = filed(self._made(), rewriting.version, judge_commit=0)
            if made.num_rows:
                file = self._file(f"{folder}/{name}-made.parquet")
                segments.append(write_segment(made, file))
        except BaseException:
            for segment in segments:
                segment.file.remove()
            raise
        return Swap(tables.CLEAN_READINGS, gone, segments), made.num_rows

    def _note(self, row: list[object]) -> None:
        places = ", ".join("?" for _ in row)
        self._connection.execute(f"INSERT INTO house.rejudgements VALUES ({places})", row)

    def _made(self) -> pa.Table:
        """Give what new rules make of judged readings, and old rules have not made of them."""
        if not (files := self._new.made()):
            return CLEAN_SCHEMA.empty_table()
        names = ", ".join(f"v.{name}" for name in CLEAN_SCHEMA.names)
        old = (
            f"SELECT arrival, tag FROM {tables.CLEAN_READINGS.path}"
            " WHERE filename IN (SELECT unnest(CAST(? AS VARCHAR[])))"
        )
        with self._asking():
            found = self._connection.execute(
                f"WITH old AS MATERIALIZED ({old}) SELECT {names} FROM read_parquet(?) AS v"
                " WHERE EXISTS (SELECT 1 FROM old AS o WHERE o.arrival = v.arrival) AND NOT EXISTS"
                " (SELECT 1 FROM old AS o WHERE o.arrival = v.arrival AND o.tag = v.tag)",
                [[self._swapper.path(name) for name in self._segments], files],
            )
            return found.to_arrow_table().cast(CLEAN_SCHEMA)

    def _outcome(self, rewriting: Rewriting, added: int) -> Outcome:
        return Outcome(rewriting.replaced, rewriting.changes, added, rewriting.removed)

    def _file(self, name: str) -> File:
        return self._folder.data / name

    def _number(self) -> int:
        row = self._connection.execute(
            "SELECT coalesce(max(number), 0) + 1 FROM house.rejudgements"
        ).fetchone()
        assert row is not None
        return int(row[0])

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            raise failures.of_catalog(error, self._folder.root) from error
