"""Verdicts that wait on disk until they replace others: too many for the memory."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.batches import CLEAN_SCHEMA
from store import failures
from store.place.durable import PART, make_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Rows of one file, and of one of its parts: verdicts are asked for by arrival, and the few of
# slow tags that stand beside much later ones shall not make one look through all of them.
FILE_ROWS = 524_288
PART_ROWS = 32_768

VERDICT_COLUMNS = ["value_clean", "quality", "reasons"]
_KEPT = ["arrival", "tag", *VERDICT_COLUMNS]
_NOTHING = CLEAN_SCHEMA.empty_table().select(_KEPT)


class _Part(NamedTuple):
    path: Path
    number: int  # of the row group
    first: int  # arrival
    last: int


class NewVerdicts:
    """Takes readings with verdicts, and finds those of given readings again.

    What a crash leaves behind is removed by the next one, or by maintenance: it is never synced.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tags = pa.array([], pa.string())
        self.raw_tags: list[str] = []
        self.sorted_tags: list[str] = []
        self._waiting: list[pa.Table] = []
        self._parts: list[_Part] = []
        self._files = 0
        _remove(folder)
        make_folder(folder)

    def name(self, tags: Mapping[str, bool]) -> None:
        """Say which tags will be asked for, and whether each comes as it is: before any is added.

        What is made of others may also come under names that nobody knows before.
        """
        self._tags = pa.array(list(tags), pa.string())
        self.sorted_tags = sorted(tags)
        self.raw_tags = [tag for tag, is_raw in tags.items() if is_raw]

    def add(self, readings: pa.Table) -> None:
        """Keep readings with their verdicts, of CLEAN_SCHEMA. Raises TransientError: disk full."""
        raw = pa.array(self.raw_tags, pa.string())
        is_raw: Any = pc.is_in(readings["tag"], value_set=raw)
        made = readings.filter(pc.invert(is_raw))
        if made.num_rows:
            self._write(made, "made")
        self._waiting.append(readings.select(_KEPT))
        if sum(table.num_rows for table in self._waiting) >= FILE_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write out what waits; only then it is found."""
        table = pa.concat_tables([_NOTHING, *self._waiting]).sort_by("arrival")
        self._waiting = []
        if not table.num_rows:
            return
        path = self._write(table, "verdicts")
        numbers = table["arrival"].to_numpy()
        for number, first in enumerate(range(0, len(numbers), PART_ROWS)):
            last = min(first + PART_ROWS, len(numbers)) - 1
            self._parts.append(_Part(path, number, int(numbers[first]), int(numbers[last])))

    def _write(self, table: pa.Table, name: str) -> Path:
        """Write a file that a crash may leave half, and nobody misses."""
        self._files += 1
        path = self._folder / f"{name}-{self._files:06d}.parquet{PART}"
        try:
            pq.write_table(table, path, row_group_size=PART_ROWS, compression="lz4")
        except OSError as error:
            raise failures.of_disk(error) from error
        return path

    def made(self) -> list[str]:
        """Name the files with the readings that are made of others, whole."""
        return sorted(str(path) for path in self._folder.glob("made-*"))

    def tag_numbers(self, tags: pa.ChunkedArray[Any]) -> npt.NDArray[np.int64]:
        """Give the numbers of tags, their places in the list; -1 for those that are not in it."""
        found: Any = pc.index_in(tags, value_set=self._tags)
        found = pc.fill_null(found, -1)
        return np.asarray(found.to_numpy(), np.int64)

    def is_made(self) -> npt.NDArray[np.bool_]:
        """Tell of each tag, by its number, whether it is made of another one."""
        return ~np.isin(np.array(self._tags.to_pylist(), object), self.raw_tags)

    def between(self, first: int, last: int, tags: npt.NDArray[np.int64]) -> Found:
        """Read the verdicts of some tags from one arrival to another, both included."""
        wanted = self._tags.take(tags)
        tables = [_NOTHING]
        for part in self._parts:
            if part.first <= last and part.last >= first:
                with pq.ParquetFile(part.path) as file:
                    rows = file.read_row_group(part.number, columns=_KEPT)
                tables.append(rows.filter(_is_between(rows, first, last, wanted)))
        table = pa.concat_tables(tables).sort_by("arrival").combine_chunks()
        return Found(table, table["arrival"].to_numpy(), self.tag_numbers(table["tag"]))

    def remove(self) -> None:
        """Remove all from the disk."""
        _remove(self._folder)


class Found(NamedTuple):
    """Readings with verdicts, in order of arrival."""

    table: pa.Table
    arrivals: npt.NDArray[np.int64]
    tags: npt.NDArray[np.int64]  # by number: see NewVerdicts.tag_numbers

    def places(
        self, arrivals: npt.NDArray[np.int64], tags: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Find the rows of readings, -1 where there is none; few readings share an arrival."""
        place = np.full(len(arrivals), -1, np.int64)
        if not len(self.arrivals):
            return place
        at = np.searchsorted(self.arrivals, arrivals)
        sought = np.arange(len(arrivals))
        while len(sought):
            inside = at[sought] < len(self.arrivals)
            sought = sought[inside]
            sought = sought[self.arrivals[at[sought]] == arrivals[sought]]
            is_it = self.tags[at[sought]] == tags[sought]
            place[sought[is_it]] = at[sought[is_it]]
            sought = sought[~is_it]
            at[sought] += 1
        return place


def _is_between(
    rows: pa.Table, first: int, last: int, tags: pa.Array[Any]
) -> pa.Array[pa.BooleanScalar]:
    arrivals = np.asarray(rows["arrival"].to_numpy())
    is_wanted: Any = pc.is_in(rows["tag"], value_set=tags)
    mask: Any = pa.array((arrivals >= first) & (arrivals <= last) & is_wanted.to_numpy())
    return cast("pa.Array[pa.BooleanScalar]", mask)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
