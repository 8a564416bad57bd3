"""The rows of many segments in the order of one, piece by piece, in bounded memory."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.coding import coded_schema
from store.segments.row_groups import open_segment, read_group, words_of_column
from store.segments.segment import ROW_GROUP_ROWS, in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from store.place.files import File

# Rows of a piece: it is read, sorted and written whole, which takes some 300 bytes a row.
PIECE_ROWS = 4 * ROW_GROUP_ROWS

_KEYS = ["tag", "source_time", "received_time", "arrival"]
_US_PER_DAY = 86_400_000_000
# Where rows without a source_time stand: after all others of their tag.
_NO_TIME = np.iinfo(np.int64).max
_Mask = npt.NDArray[np.bool_]
_Key = tuple[int, int]  # source_time in microseconds, arrival
_FIRST_KEY: _Key = (np.iinfo(np.int64).min, 0)
_LAST_KEY: _Key = (_NO_TIME, np.iinfo(np.int64).max)


class Part(NamedTuple):
    """Rows that are filed under one day (since 1970), or, without one, under none of `others`.

    A row is filed by its source_time, or by its received_time where it has none.
    """

    day: int | None
    others: frozenset[int] = frozenset()


class _Group(NamedTuple):
    """A row group, with what is known of it without reading it."""

    file: pq.ParquetFile
    number: int
    row_count: int
    tags: tuple[str, str] | None  # the least and the greatest
    days: tuple[int, int] | None  # under which all its rows are filed
    times: tuple[int, int] | None  # source_time: none is missing


class _Range(NamedTuple):
    """What a piece holds: tags, both included; of a single tag the keys from `first` to `end`."""

    tags: tuple[str, str]
    first: _Key = _FIRST_KEY
    end: _Key = _LAST_KEY


class Sources:
    """Segments of readings that are read together: a context manager, as it keeps them open."""

    def __init__(self, sources: Sequence[File], schema: pa.Schema) -> None:
        self._schema, self._files = schema, list[pq.ParquetFile]()
        try:
            for each in sources:
                self._files.append(open_segment(each, schema))
            self._groups = [group for file in self._files for group in _groups(file)]
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close all files."""
        for file in self._files:
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def days(self) -> Counter[int]:
        """Count the rows that are filed under each day."""
        counts = Counter[int]()
        for group in self._groups:
            if group.days and group.days[0] == group.days[1]:
                counts[group.days[0]] += group.row_count
            else:
                days = _days(self._read(group, ["source_time", "received_time"]))
                counts.update(dict(zip(*_counted(days), strict=True)))
        return counts

    def pieces(self, part: Part, tell: Callable[[int], object]) -> Iterator[pa.Table]:
        """Give the rows of a part in the order of a segment, PIECE_ROWS at most at a time.

        All have the schema of the segments, with strings as CODED. `tell` is told the rows of each
        piece that has been taken. Raises TransientError and GainlineError for the disk.
        """
        schema = coded_schema(self._schema)
        for wanted in self._ranges(part):
            found = [
                rows
                for group in self._groups
                if _may_hold(group, part, wanted)
                for rows in [_chosen(self._read(group), part, wanted)]
                if rows.num_rows
            ]
            if found:
                rows = in_order(pa.concat_tables(found))
                yield pa.Table.from_arrays(rows.columns, schema=schema)
                tell(rows.num_rows)

    def _ranges(self, part: Part) -> Iterator[_Range]:
        """Cut the tags of a part where they come to PIECE_ROWS, and a tag that has more."""
        first, last, total = "", "", 0
        for tag, count in sorted(self._tags(part).items()):
            if total and total + count > PIECE_ROWS:
                yield _Range((first, last))
                total = 0
            if count > PIECE_ROWS:
                yield from self._ranges_of(tag, part)
                continue
            first, last, total = first if total else tag, tag, total + count
        if total:
            yield _Range((first, last))

    def _tags(self, part: Part) -> Counter[str]:
        counts = Counter[str]()
        for group in self._groups:
            if _may_hold(group, part, None):
                names, codes = words_of_column(self._keys(group, part), "tag")
                for code, count in zip(*_counted(codes), strict=True):
                    counts[names[code]] += count
        return counts

    def _ranges_of(self, tag: str, part: Part) -> Iterator[_Range]:
        whole = _Range((tag, tag))
        keys = [
            _chosen(self._read(group, _KEYS), part, whole)
            for group in self._groups
            if _may_hold(group, part, whole)
        ]
        rows = pa.concat_tables(keys)
        times, arrivals = _times(rows), rows["arrival"].to_numpy()
        order = np.lexsort((arrivals, times))[::PIECE_ROWS]
        cuts = [(int(times[row]), int(arrivals[row])) for row in order[1:]]
        for first, end in zip([_FIRST_KEY, *cuts], [*cuts, _LAST_KEY], strict=True):
            yield _Range((tag, tag), first, end)

    def _keys(self, group: _Group, part: Part) -> pa.Table:
        """Read the tags of the rows of a part."""
        if group.days and group.days[0] == group.days[1]:
            return self._read(group, ["tag"])
        rows = self._read(group, _KEYS)
        return rows.filter(pa.array(_is_in(rows, part)))

    def _read(self, group: _Group, names: Sequence[str] = ()) -> pa.Table:
        return read_group(group.file, group.number, self._schema, names)


def _groups(file: pq.ParquetFile) -> Iterator[_Group]:
    names = file.schema_arrow.names
    for number in range(file.num_row_groups):
        columns = file.metadata.row_group(number)
        span = {
            name: _span(columns.column(names.index(name)).statistics)
            for name in ("tag", "source_time", "received_time")
        }
        times = span["source_time"]
        if times is not None:
            times = (_us(times[0]), _us(times[1]))
        days = (times[0] // _US_PER_DAY, times[1] // _US_PER_DAY) if times else None
        yield _Group(file, number, columns.num_rows, span["tag"], days, times)


def _span(statistics: Any) -> Any:  # noqa: ANN401  # of a column of any type
    """Give the least and the greatest value, if these are known and no row is null."""
    if statistics is None or not statistics.has_min_max or statistics.null_count != 0:
        return None
    return statistics.min, statistics.max


def _us(time: Any) -> int:  # noqa: ANN401  # a datetime, of pyarrow or of pandas
    return int(pa.scalar(time, pa.timestamp("us", tz="UTC")).cast(pa.int64()).as_py())


def _may_hold(group: _Group, part: Part, wanted: _Range | None) -> bool:
    if group.days is not None:
        first, last = group.days
        if part.day is not None and not first <= part.day <= last:
            return False
        if first == last and first in part.others:
            return False
    if wanted is None:
        return True
    if group.tags and (group.tags[0] > wanted.tags[1] or group.tags[1] < wanted.tags[0]):
        return False
    return group.times is None or (
        group.times[0] <= wanted.end[0] and group.times[1] >= wanted.first[0]
    )


def _chosen(rows: pa.Table, part: Part, wanted: _Range) -> pa.Table:
    names, codes = words_of_column(rows, "tag")
    first, last = wanted.tags
    is_wanted = np.array([first <= name <= last for name in names], np.bool_)[codes]
    is_wanted &= _is_in(rows, part)
    if (wanted.first, wanted.end) != (_FIRST_KEY, _LAST_KEY):
        times, arrivals = _times(rows), rows["arrival"].to_numpy()
        is_wanted &= ~_is_before(times, arrivals, wanted.first)
        is_wanted &= _is_before(times, arrivals, wanted.end)
    return rows if is_wanted.all() else rows.filter(pa.array(is_wanted))


def _is_in(rows: pa.Table, part: Part) -> _Mask:
    days = _days(rows)
    if part.day is not None:
        return np.asarray(days == part.day)
    return np.isin(days, list(part.others), invert=True)


def _is_before(times: npt.NDArray[np.int64], arrivals: npt.NDArray[np.int64], key: _Key) -> _Mask:
    return np.asarray((times < key[0]) | ((times == key[0]) & (arrivals < key[1])))


def _days(rows: pa.Table) -> npt.NDArray[np.int64]:
    times = _times(rows)
    is_missing = times == _NO_TIME
    if is_missing.any():
        times[is_missing] = _microseconds(rows, "received_time")[is_missing]
    return np.asarray(times // _US_PER_DAY)


def _times(rows: pa.Table) -> npt.NDArray[np.int64]:
    return _microseconds(rows, "source_time")


def _microseconds(rows: pa.Table, name: str) -> npt.NDArray[np.int64]:
    column: Any = rows[name].cast(pa.int64())
    return np.array(column.fill_null(_NO_TIME).to_numpy(), np.int64)


def _counted(values: npt.NDArray[Any]) -> tuple[list[int], list[int]]:
    found, counts = np.unique(values, return_counts=True)
    return found.tolist(), counts.tolist()
