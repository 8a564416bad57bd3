"""Segments of verdicts written anew, row group by row group, with some verdicts replaced."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from store import failures, tables
from store.rejudging.new_verdicts import VERDICT_COLUMNS, Found, NewVerdicts
from store.segments.segment import Segment, write_pieces

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from store.place.files import File
    from store.rejudging.history import Span

# Rows whose new verdicts are in memory at once, 25 bytes each: a merged segment has about as many.
ROWS_AT_ONCE = 2_000_000

_SCHEMA = tables.CLEAN_READINGS.columns
_KEYS = ["tag", "source_time", "received_time", "arrival"]


class Change(NamedTuple):
    """A verdict before and after; the same where the repaired value alone is another."""

    old_quality: int
    old_reasons: int
    new_quality: int
    new_reasons: int


class Rewriting:
    """Replaces verdicts of the readings under a span by new ones, and counts what changes."""

    def __init__(self, new: NewVerdicts, span: Span, version: int | None) -> None:
        new.flush()
        self._new, self._span, self.version = new, span, version
        self._is_made = new.is_made()
        self.replaced = self.removed = 0
        self.changes: Counter[Change] = Counter()

    def rewrite(self, source: File, target: File) -> Segment | None:
        """Write a segment anew: all its rows, in their order, with the new verdicts there are.

        Left out is what old rules made of other readings and the new ones do not. None, and
        nothing is written, where no verdict of it is replaced.
        """
        before = self.replaced, self.removed
        segment = write_pieces(self._pieces(source), target)
        if (self.replaced, self.removed) != before:
            return segment
        target.remove()
        return None

    def compare(self, source: File) -> None:
        """Only count what `rewrite` would change."""
        for _ in self._pieces(source, only=[*_KEYS, *VERDICT_COLUMNS, "rule_version"]):
            pass

    def _pieces(self, source: File, *, only: Sequence[str] = ()) -> Iterator[pa.Table]:
        """Read a segment row group by row group, and replace; `only` the columns to be compared."""
        names = only or _SCHEMA.names
        try:
            with pq.ParquetFile(source.open()) as file:
                for groups in _runs(file):
                    meant = [group for group in groups if self._may_hold(file, group)]
                    found = self._found(_read(file, meant, _KEYS)) if meant else None
                    for group in groups if not only else meant:
                        rows = _read(file, [group], names)
                        yield self._replaced(rows, found) if found and group in meant else rows
        except OSError as error:
            raise failures.of_disk(error) from error

    def _may_hold(self, file: pq.ParquetFile, group: int) -> bool:
        """Tell from its least and its greatest tag whether a row group may hold a wanted one."""
        columns = file.metadata.row_group(group)
        column = columns.column(file.schema_arrow.names.index("tag"))
        known: Any = column.statistics
        if known is None or not known.has_min_max:
            return True
        first = bisect_left(self._new.sorted_tags, known.min)
        return first < bisect_right(self._new.sorted_tags, known.max)

    def _found(self, keys: pa.Table) -> Found:
        """Read the new verdicts of readings."""
        tags, is_meant = self._meant(keys)
        arrivals = keys["arrival"].to_numpy()[is_meant]
        if not len(arrivals):
            return self._new.between(0, -1, tags[is_meant])
        few = np.unique(tags[is_meant])
        return self._new.between(int(arrivals.min()), int(arrivals.max()), few)

    def _meant(self, rows: pa.Table) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Give the numbers of the readings' tags, and which readings are to be judged again."""
        tags = self._new.tag_numbers(rows["tag"])
        return tags, self._span.holds(rows) & (tags >= 0)

    def _replaced(self, rows: pa.Table, found: Found) -> pa.Table:
        tags, is_meant = self._meant(rows)
        place = np.full(rows.num_rows, -1, np.int64)
        place[is_meant] = found.places(rows["arrival"].to_numpy()[is_meant], tags[is_meant])
        is_new = place >= 0
        is_gone = is_meant & ~is_new & self._is_made[tags]
        if is_new.any():
            rows = self._with(rows, is_new, found.table.take(place[is_new]))
        if is_gone.any():
            self.removed += int(is_gone.sum())
            rows = rows.filter(pa.array(~is_gone))
        return rows

    def _with(self, rows: pa.Table, is_new: npt.NDArray[np.bool_], new: pa.Table) -> pa.Table:
        self._count(rows.filter(pa.array(is_new)), new)
        mask: Any = pa.array(is_new)
        for name in [*VERDICT_COLUMNS, "rule_version"]:
            values: Any = pa.scalar(self.version, pa.int32())
            if name in VERDICT_COLUMNS:
                values = new[name].combine_chunks()
            column = pc.replace_with_mask(rows[name].combine_chunks(), mask, values)
            rows = rows.set_column(rows.schema.get_field_index(name), name, column)
        return rows

    def _count(self, old: pa.Table, new: pa.Table) -> None:
        values = [_bits(table["value_clean"]) for table in (old, new)]
        verdicts = [table[name].to_numpy() for table in (old, new) for name in VERDICT_COLUMNS[1:]]
        words = np.stack([verdict.astype(np.int64) for verdict in verdicts], axis=1)
        is_same = (values[0] == values[1]) & np.all(words[:, :2] == words[:, 2:], axis=1)
        self.replaced += len(words)
        kinds, counts = np.unique(words[~is_same], axis=0, return_counts=True)
        for kind, count in zip(kinds.tolist(), counts.tolist(), strict=True):
            self.changes[Change(*kind)] += count


def _runs(file: pq.ParquetFile) -> Iterator[list[int]]:
    """Cut the row groups of a file into runs of at most ROWS_AT_ONCE rows."""
    run, count = list[int](), 0
    for group in range(file.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        if run and count + rows > ROWS_AT_ONCE:
            yield run
            run, count = [], 0
        run.append(group)
        count += rows
    if run:
        yield run


def _read(file: pq.ParquetFile, groups: Sequence[int], names: Sequence[str]) -> pa.Table:
    """Read row groups; a column that an older program did not know is null."""
    there = set(file.schema_arrow.names)
    rows = file.read_row_groups(list(groups), columns=[name for name in names if name in there])
    columns: list[Any] = []
    for name in names:
        kind = _SCHEMA.field(name).type
        if name not in there:
            columns.append(pa.nulls(rows.num_rows, kind))
        else:
            column: Any = rows[name].cast(kind)
            columns.append(column.dictionary_encode() if pa.types.is_string(kind) else column)
    return pa.table(columns, list(names))


def _bits(values: pa.ChunkedArray[Any]) -> npt.NDArray[np.int64]:
    """Values such that no value equals no value."""
    return np.array(values.to_numpy(), np.float64).view(np.int64)
