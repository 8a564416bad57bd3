"""Hands out the readings of many tags, from a store or a file, a bounded number at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Final, TypedDict, cast

import pyarrow as pa
import pyarrow.compute as pc

from clean.columns import WANTED, refuse_names, tags_of, times_of, values_of
from contracts.errors import DataError
from contracts.moments import TIME
from contracts.tags import Kind
from gainline.config.loading import Settings
from gainline.config.places import tag_maker
from gainline.files.long_tables import open_table
from gainline.judging.cleaning import naming
from store.query import answer, connect

# What is in memory at once. A year of a reading a minute is half a million, so that a tag is seen
# through all seasons; of one with more, the newest count.
READINGS_MAX = 2_000_000

READ: Final = pa.schema(WANTED)

TAGS_SQL = """
SELECT r.tag, count(*) AS readings, t.metric, t.unit, t.kind, t.edited
FROM raw.readings AS r LEFT JOIN tags AS t ON r.tag = t.tag
WHERE r.text IS NULL AND {span}
GROUP BY ALL ORDER BY r.tag
"""
# What the source itself calls bad is no reading to learn from.
READINGS_SQL = """
SELECT tag, coalesce(source_time, received_time) AS source_time,
       CASE WHEN source_quality = 2 THEN NULL ELSE value END AS value
FROM raw.readings AS r
WHERE list_contains(?, r.tag) AND r.text IS NULL AND {span}
ORDER BY arrival {order}
"""
SPAN_SQL = (
    "coalesce(r.source_time, r.received_time) >= coalesce(?, TIMESTAMPTZ '-infinity')"
    " AND coalesce(r.source_time, r.received_time) < coalesce(?, TIMESTAMPTZ 'infinity')"
)


@dataclass(frozen=True)
class Wish:
    """Which readings are asked for: of the tags that match a pattern, from a time to before one."""

    pattern: str = "*"
    begin: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True)
class Subject:
    """A tag, and what is known of it beside its readings."""

    tag: str
    kind: Kind
    metric: str | None
    unit: str | None
    is_kind_set: bool = False  # by hand or in the configuration, not by the metric's name


# Some tags, and their readings in order of arrival: tag, source_time, value.
Part = tuple[list[Subject], pa.Table]
Ask = Callable[[str, list[object]], pa.Table]


class _Row(TypedDict):
    """One tag, as the store or the file counts it."""

    tag: str
    readings: int
    metric: str | None
    unit: str | None
    kind: str | None
    edited: str | None


def of_store(folder: Path, wish: Wish) -> Iterator[Part]:
    """Give the raw readings of a store. Raises DataError where no tag matches."""
    with connect(folder) as lake:
        ask = partial(answer, lake)
        found = ask(TAGS_SQL.format(span=SPAN_SQL), [wish.begin, wish.end]).to_pylist()
        for part in _packed(cast("list[_Row]", found), wish, folder):
            subjects = [_subject(row) for row in part]
            yield subjects, _readings(ask, [row["tag"] for row in part], wish)


def of_file(settings: Settings, path: Path, wish: Wish) -> Iterator[Part]:
    """Give the readings with a time of a Parquet or CSV file. Raises DataError as `of_store`."""
    table = _within(_timed(path), wish)
    counts = table.group_by("tag").aggregate([([], "count_all")]).to_pylist()
    rows = [cast("_Row", {"tag": one["tag"], "readings": one["count_all"]}) for one in counts]
    make = tag_maker(settings)
    for part in _packed(sorted(rows, key=lambda row: row["tag"]), wish, path):
        tags = [row["tag"] for row in part]
        made = [make(tag, None) for tag in tags]
        chosen = table.filter(pc.is_in(table["tag"], pa.array(tags)))
        if len(tags) == 1:
            chosen = chosen.slice(max(0, chosen.num_rows - READINGS_MAX))
        yield [Subject(tag.tag, tag.kind, tag.place.metric, tag.unit) for tag in made], chosen


def _packed(rows: Iterable[_Row], wish: Wish, where: Path) -> Iterator[list[_Row]]:
    """Pack the tags that match into parts of at most READINGS_MAX readings, or of one tag."""
    wanted = [row for row in rows if fnmatchcase(row["tag"], wish.pattern)]
    if not wanted:
        raise DataError(f"{where}: no reading of a tag that matches {wish.pattern!r} in that time")
    part: list[_Row] = []
    size = 0
    for row in wanted:
        if part and size + row["readings"] > READINGS_MAX:
            yield part
            part, size = [], 0
        part.append(row)
        size += row["readings"]
    yield part


def _subject(row: _Row) -> Subject:
    is_set = "kind" in (row["edited"] or "").split()
    return Subject(row["tag"], Kind(row["kind"] or "gauge"), row["metric"], row["unit"], is_set)


def _readings(ask: Ask, tags: list[str], wish: Wish) -> pa.Table:
    wanted: list[object] = [tags, wish.begin, wish.end]
    if len(tags) > 1:
        return ask(READINGS_SQL.format(span=SPAN_SQL, order=""), wanted)
    newest = ask(READINGS_SQL.format(span=SPAN_SQL, order=f"DESC LIMIT {READINGS_MAX}"), wanted)
    return newest.take(pa.array(range(newest.num_rows - 1, -1, -1), pa.int64()))


def _timed(path: Path) -> pa.Table:
    """Read what has a time, as the judge takes it. Raises DataError for a column that is wrong."""
    with open_table(path) as table, naming(path):
        refuse_names(table.schema.names, ())
        parts = [
            pa.table([tags_of(one).cast(pa.string()), times_of(one), values_of(one)], schema=READ)
            for one in table.batches(READ.names)
        ]
    whole = pa.concat_tables([READ.empty_table(), *parts])
    return whole.filter(pc.is_valid(whole["source_time"]))


def _within(table: pa.Table, wish: Wish) -> pa.Table:
    if wish.begin is None and wish.end is None:
        return table
    times = table["source_time"]
    wanted = pc.is_valid(times)
    if wish.begin is not None:
        wanted = pc.and_(wanted, pc.greater_equal(times, pa.scalar(wish.begin, TIME)))
    if wish.end is not None:
        wanted = pc.and_(wanted, pc.less(times, pa.scalar(wish.end, TIME)))
    return table.filter(wanted)
