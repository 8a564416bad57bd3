"""The verdicts of a table of any length, which is read in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clean.arrow import floats, integers
from clean.columns import tags_of, times_of, values_of
from clean.kernel import Rows, Verdicts
from clean.roster import Roster, empty_roster
from clean.state import UNTIMED
from contracts.errors import DataError
from contracts.quality import Reason
from contracts.tags import TagRule

Batches = Callable[[], Iterable[pa.Table]]  # each call reads the table from its beginning
Places = npt.NDArray[np.int64]

# The judge counts waiting readings in 32 bits.
ROWS_MAX: Final = 2**31 - 1


class Sheet(NamedTuple):
    """One verdict a row, in the order of the rows: 13 bytes of memory each."""

    quality: npt.NDArray[np.int8]
    reasons: npt.NDArray[np.int32]
    value_clean: npt.NDArray[np.float64]

    def enter(self, verdicts: Verdicts, places: Places | None) -> None:
        """Write down verdicts; `places` says where the rows of their numbers stand."""
        at = verdicts.number if places is None else places[verdicts.number]
        self.quality[at] = verdicts.quality
        self.reasons[at] |= verdicts.reasons
        self.value_clean[at] = verdicts.value_clean


class Survey(NamedTuple):
    """What must be known of all tags before the first reading is judged."""

    counts: npt.NDArray[np.int64]  # readings of each
    first: npt.NDArray[np.int64]  # the first source_time of each, us; 0 where it has none
    is_timed: bool  # every reading has a time


def judge_batches(batches: Batches, count: int, rules: Callable[[str], TagRule]) -> Sheet:
    """Judge `count` readings in order of arrival, with the columns tag, source_time and value.

    Reads the batches at least twice. The tags that tell a state others ask for are judged first,
    and what neighbours say is read before, so that it does not matter how the tags are
    interleaved, unless one that tells a state asks for another's. A reading without a time is
    where it stands in the order of arrival. DataError where a column cannot be read as what it
    must be.
    """
    if count > ROWS_MAX:
        raise DataError(f"{count} rows are more than the {ROWS_MAX} of one table: split it")
    roster = empty_roster(rules)
    survey = survey_of(roster, batches)
    sheet = Sheet(np.zeros(count, np.int8), np.zeros(count, np.int32), np.full(count, np.nan))
    if roster.circle.told().any():
        _hear_all(roster, batches, survey, rules)
    tells = roster.context.tellers()[: len(survey.counts)]
    if tells.any():
        roster.context.make_room(survey.counts)
        _judge(roster, batches, survey, sheet, tells)
        _judge(roster, batches, survey, sheet, ~tells)
    else:
        _judge(roster, batches, survey, sheet, None)
    return sheet


def _hear_all(
    roster: Roster, batches: Batches, survey: Survey, rules: Callable[[str], TagRule]
) -> None:
    """Enter what neighbours say, before any reading is judged: who is compared finds all of it.

    Another roster reads it, as only what is in its place in the order is entered.
    """
    reader = empty_roster(rules)
    reader.rows_of(pa.chunked_array([pa.array(roster.tags, pa.string())]))
    reader.circle.make_room(survey.counts)
    told = roster.circle.told()
    last = None if survey.is_timed else survey.first.copy()
    number = 0
    for batch in batches():
        rows = rows_in(roster, batch, last)
        own = np.flatnonzero(told[rows.tag])
        reader.take(rows.at(own), number)
        number += len(own)
    roster.circle.take_over(reader.circle)


def survey_of(roster: Roster, batches: Batches) -> Survey:
    """Read the table once for what must be known of its tags, and let them into the roster."""
    counts, first = np.zeros(0, np.int64), np.zeros(0, np.int64)
    is_timed = True
    for batch in batches():
        tag, times = roster.rows_of(tags_of(batch)), times_of(batch)
        new = len(roster.tags) - len(counts)
        counts = np.append(counts, np.zeros(new, np.int64)) + np.bincount(
            tag, minlength=len(counts) + new
        )
        first = np.append(first, np.zeros(new, np.int64))
        is_timed &= not times.null_count
        timed = np.flatnonzero(times.is_valid().to_numpy() & (first[tag] == 0))[::-1]
        first[tag[timed]] = integers(times)[timed]  # the last one written is the first that came
    return Survey(counts, first, is_timed)


def _judge(
    roster: Roster,
    batches: Batches,
    survey: Survey,
    sheet: Sheet,
    chosen: npt.NDArray[np.bool_] | None,
) -> None:
    """Judge the readings of the chosen tags, or of all."""
    last = None if survey.is_timed else survey.first.copy()
    places = None if chosen is None else np.empty(int(survey.counts[chosen].sum()), np.int64)
    at = number = 0
    for batch in batches():
        rows = rows_in(roster, batch, last)
        if chosen is not None and places is not None:
            own = np.flatnonzero(chosen[rows.tag])
            rows = rows.at(own)
            places[number : number + len(own)] = at + own
        sheet.enter(roster.take(rows, number), places)
        if last is not None:
            own = np.arange(len(rows.tag)) if chosen is None else own
            sheet.reasons[at + own] |= time_reasons(rows)
        at, number = at + batch.num_rows, number + len(rows.tag)
    sheet.enter(roster.close(), places)


def rows_in(roster: Roster, batch: pa.Table, last: npt.NDArray[np.int64] | None) -> Rows:
    """Give the readings of a batch as the kernel takes them; `last` as for `placed`."""
    tag, times = roster.rows_of(tags_of(batch)), times_of(batch)
    time, untimed = integers(times), times.is_null().to_numpy()
    if last is not None:
        time = placed(time, untimed, tag, last)
    return Rows(tag, time, floats(values_of(batch)), untimed * np.uint8(UNTIMED))


def time_reasons(rows: Rows) -> npt.NDArray[np.int32]:
    """Give the reason of readings without a time, as those of a stream bring it with them."""
    return np.where(rows.mark & UNTIMED, np.int32(Reason.TIME), np.int32(0))


def placed(
    time: npt.NDArray[np.int64],
    untimed: npt.NDArray[np.bool_],
    tag: npt.NDArray[np.int32],
    last: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Give a reading without a time that of the reading of its tag that came before it.

    `last` is the time of each tag's newest arrival so far, and is kept up to date.

    >>> last = np.array([5, 7])
    >>> untimed = np.array([True, False, True, True])
    >>> placed(np.array([0, 9, 0, 0]), untimed, np.array([0, 0, 1, 0]), last).tolist()
    [5, 9, 7, 9]
    >>> last.tolist()
    [9, 7]
    """
    order = np.argsort(tag, kind="stable")
    tags, rank = tag[order], np.arange(len(tag))
    begins = np.flatnonzero(np.diff(tags, prepend=-1))
    begin = np.repeat(begins, np.diff(begins, append=len(tag)))
    before = np.maximum.accumulate(np.where(untimed[order], -1, rank))
    whole = np.empty_like(time)
    whole[order] = np.where(before >= begin, time[order][before], last[tags])
    last[tag] = whole
    return whole
