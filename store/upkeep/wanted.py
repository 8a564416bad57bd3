"""Which rows of each table are of given tags and a span of time, and what these touch."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from contracts.moments import TIME
from store import tables
from store.segments.leaving_out import Choice, Mask, of_tags, times_of
from store.segments.row_groups import words_of_column

if TYPE_CHECKING:
    from store.rejudging.history import Span


class _Rule(NamedTuple):
    """How a row of a table is known: by a word, and by the first of the times that it has."""

    word: str
    times: tuple[str, ...]
    width: timedelta = timedelta(0)  # what a row stands for, from its time on


_READING = _Rule("tag", ("source_time", "received_time"))
_RULES = {
    tables.RAW_READINGS.path: _READING,
    tables.CLEAN_READINGS.path: _READING,
    tables.MINUTE_PARTS.path: _Rule("tag", ("bucket",), timedelta(minutes=1)),
    tables.HOUR_PARTS.path: _Rule("tag", ("bucket",), timedelta(hours=1)),
    tables.LATEST_PARTS.path: _READING,
    tables.DEAD_LETTERS.path: _Rule("topic", ("received_time",)),
    tables.TAG_ENTRIES.path: _Rule("tag", ()),
    tables.TAG_NAMES.path: _Rule("tag", ()),
}


class Wanted:
    """Rows of the tags that match, all of them or those filed under a span.

    A dead letter is one of a tag if its topic matches, or is one that readings of the tag came on.
    A minute or an hour is in a span if all of it is.
    """

    def __init__(self, matches: Callable[[str], bool], span: Span | None = None) -> None:
        self.matches, self.span = matches, span
        self.topics = set[str]()

    def see_topics(self, rows: pa.Table) -> None:
        """Note the topics that raw readings came on."""
        words, numbers = words_of_column(rows, "topic")
        self.topics.update(words[number] for number in np.unique(numbers))

    def choice(self, table: tables.Table) -> Choice:
        """Say which rows of the segments of a table are wanted."""
        rule = _RULES[table.path]
        columns = list(dict.fromkeys([rule.word, *rule.times]))
        if table == tables.RAW_READINGS:
            columns.append("topic")

        def is_wanted(rows: pa.Table) -> Mask:
            mask = of_tags(rows, self.is_word(table), rule.word)
            return mask & self._in_span(rows, rule) if self.span and rule.times else mask

        return Choice(table.columns, columns, is_wanted)

    def is_word(self, table: tables.Table) -> Callable[[str], bool]:
        """Tell what words in a table are wanted: tags, or topics."""
        if table == tables.DEAD_LETTERS:
            return lambda topic: topic in self.topics or self.matches(topic)
        return self.matches

    def word(self, table: tables.Table) -> str:
        """Name the column with these words."""
        return _RULES[table.path].word

    def _in_span(self, rows: pa.Table, rule: _Rule) -> Mask:
        assert self.span is not None
        start, end = self.span
        times = times_of(rows, *rule.times)
        mask = np.asarray(times >= _us(start))
        return mask if end is None else mask & (times <= _us(end - rule.width) - (not rule.width))


class Touched:
    """From when to when readings of each tag go: see store.sums.recomputing.TOUCHED."""

    def __init__(self) -> None:
        self._spans: dict[str, tuple[int, int]] = {}

    def see(self, rows: pa.Table) -> None:
        """Note readings of clean.readings that go."""
        words, numbers = words_of_column(rows, "tag")
        times = times_of(rows, "source_time", "received_time")
        for number in np.unique(numbers):
            own = times[numbers == number]
            self._add(words[number], int(own.min()), int(own.max()))

    def add(self, other: Touched) -> None:
        """Add what others have noted."""
        for tag, (first, last) in other._spans.items():
            self._add(tag, first, last)

    def table(self) -> pa.Table:
        """Give one row a tag: `tag`, `first`, `last`."""
        firsts = [first for first, _ in self._spans.values()]
        lasts = [last for _, last in self._spans.values()]
        columns: dict[str, Any] = {"tag": pa.array(list(self._spans), pa.string())}
        columns |= {"first": pa.array(firsts, pa.int64()).cast(TIME)}
        columns |= {"last": pa.array(lasts, pa.int64()).cast(TIME)}
        return pa.table(columns)

    def _add(self, tag: str, first: int, last: int) -> None:
        known = self._spans.get(tag, (first, last))
        self._spans[tag] = min(first, known[0]), max(last, known[1])


def _us(time: object) -> int:
    number: int = pa.scalar(time, TIME).cast(pa.int64()).as_py()
    return number
