"""The judge of a stream: readings in, the same readings with final verdicts out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from clean.arrow import floats, from_bytes, integers, nullable, to_bytes
from clean.blocks import TURN_ARRIVALS, Blocks, source_of
from clean.clocks import is_future, is_untimed, order_times
from clean.held import Held
from clean.kernel import Rows, Verdicts
from clean.roster import Roster, empty_roster
from clean.settings import Settings
from clean.state import REFUSED, SLOTS, TEXT, UNTIMED, pending
from contracts.batches import CLEAN_SCHEMA, RAW_SCHEMA, CleanBatch, RawBatch
from contracts.coding import coded, coded_schema
from contracts.quality import Quality, Reason
from contracts.tags import TagRule

_CODED_SCHEMA: Final = coded_schema(CLEAN_SCHEMA)


class Judge:
    """Judges readings of any number of tags in order of arrival.

    Every reading is returned exactly once, when its verdict is final: after seven newer readings
    of its tag for the window and seven for disorder, or at `expire`. The verdicts depend on the
    readings and on the calls of `expire` alone, not on how the readings are cut into batches.
    Strings are CODED in what it returns, and may be in what it is given.
    Beside them come the features of waveforms, judged as well: see clean.blocks.
    """

    def __init__(self, rules: Callable[[str], TagRule], settings: Settings) -> None:
        self._settings = settings
        self._blocks = Blocks(rules, settings.block_s)
        self._roster = empty_roster(self._blocks.rule)
        self._held = Held(coded(RAW_SCHEMA.empty_table()))

    @classmethod
    def restore(cls, memory: bytes, rules: Callable[[str], TagRule], settings: Settings) -> Judge:
        """Go on where `memory()` was taken; DataError if another version took it."""
        judge = cls(rules, settings)
        held, blocks, done, *known = from_bytes(memory)
        judge._roster = Roster.restore(known, judge._blocks.rule)
        judge._blocks.recall([blocks, done])
        judge._held = Held(coded(held))
        return judge

    def memory(self) -> bytes:
        """Everything the judge knows, the waiting readings included."""
        roster = self._roster
        held = self._held.compact(roster.state)
        return to_bytes(held.cast(RAW_SCHEMA), *self._blocks.tables(), *roster.tables())

    def made_in(self, batch: CleanBatch) -> set[str]:
        """Name the tags in a batch that are those of features of waveforms."""
        if not self._blocks:
            return set()
        tags: Any = batch.table["tag"].unify_dictionaries()
        return set(pc.unique(tags).to_pylist()).intersection(self._blocks.made_tags)

    def begin(self, tags: Sequence[str], arrival: int) -> None:
        """Let tags in, and make features only of blocks that end from an arrival on."""
        self._roster.rows_of(pa.chunked_array([pa.array(tags, pa.string())]))
        self._blocks.first_arrival = arrival

    def untold(self, until: int) -> set[str]:
        """Name the waveforms with features up to an arrival whose verdict is not final."""
        if not self._blocks:
            return set()
        made = np.isin(self._roster.tags, self._blocks.made_tags)
        waits = pending(self._roster.state)
        waits[: len(made)] &= made[:, None]
        waits[len(made) :] = False
        rows = self._held.rows(np.sort(self._roster.state.number[waits]), ["arrival", "tag"])
        is_early = pa.array(integers(rows["arrival"]) <= until)
        late: list[Any] = rows["tag"].filter(is_early).to_pylist()
        return self._blocks.untold(until) | {source_of(tag) for tag in late}

    def push(self, batch: RawBatch) -> CleanBatch:
        """Take in readings; return those, of any batch, whose verdict is final by now."""
        table = coded(batch.table)
        tag = self._roster.rows_of(table["tag"])
        if not self._blocks:
            return CleanBatch(self._fallen(self._take(table, tag))[0])
        parts = []
        for turn, rows in turns_of(table):
            parts.append(self._serve(self._blocks.waiting(turn=turn), turn))
            parts.append(
                self._settle(
                    self._take(table.slice(rows.start, rows.stop - rows.start), tag[rows]), turn
                )
            )
        return _together(parts)

    def expire(self, now_us: int) -> CleanBatch:
        """Judge what was received more than `max_delay_s` before `now_us`, as things stand.

        Older readings of the same tags are judged with them. Until the value has come back a spike
        cannot be told from a step: it is UNCERTAIN, not BAD. Blocks that have got nothing since
        then end.
        """
        before_us = now_us - round(self._settings.max_delay_s * 1e6)
        if not self._blocks:
            return CleanBatch(self._fallen(self._roster.close(self._overdue(before_us)))[0])
        parts = [self._settle(self._roster.close(self._overdue(before_us)))]
        names = self._roster.tags
        waits = np.flatnonzero(pending(self._roster.state).any(axis=1)).tolist()
        self._blocks.close(before_us, {names[row] for row in waits})
        parts.append(self._serve(self._blocks.waiting(before_us=before_us)))
        parts.append(self._settle(self._roster.close(self._overdue(before_us))))
        return _together(parts)

    def finish(self) -> CleanBatch:
        """Judge all that waits, as at the end of a file."""
        parts = [self._settle(self._roster.close())]
        self._blocks.close()
        parts.append(self._serve(self._blocks.waiting()))
        return _together([*parts, self._settle(self._roster.close())])

    def _take(self, table: pa.Table, tag: npt.NDArray[np.int32]) -> Verdicts:
        return self._roster.take(rows_of(table, tag), self._held.add(coded(table)))

    def _serve(self, features: pa.Table, turn: int = 0) -> pa.Table:
        """Take in features of waveforms; return the readings whose verdict is final by that."""
        if not features.num_rows:
            return CLEAN_SCHEMA.empty_table()
        return self._settle(self._take(features, self._roster.rows_of(features["tag"])), turn)

    def _settle(self, verdicts: Verdicts, turn: int = 0) -> pa.Table:
        """Put the verdicts beside their readings, and those of waveforms into their blocks."""
        table, order = self._fallen(verdicts)
        table = table.cast(CLEAN_SCHEMA)  # many small tables are not put together coded
        if self._blocks and table.num_rows:
            self._blocks.enter(table, order, turn)
        return table

    def _overdue(self, before_us: int) -> npt.NDArray[np.bool_]:
        """Tell which slots hold a reading that waits since before a time."""
        state = self._roster.state
        overdue = pending(state)
        numbers = state.number[overdue]
        received, name = np.zeros(len(numbers), np.int64), "received_time"
        by_number = np.argsort(numbers)
        received[by_number] = integers(self._held.rows(numbers[by_number], [name])[name])
        overdue[overdue] = received < before_us
        return overdue

    def _fallen(self, verdicts: Verdicts) -> tuple[pa.Table, npt.NDArray[np.int64]]:
        """Give readings with their verdicts, as they came, and the place of each as they fell."""
        order = np.argsort(verdicts.number)
        verdicts = verdicts.at(order)
        table = self._held.rows(verdicts.number)
        if self._held.is_wasteful(len(self._roster.tags) * SLOTS):
            self._held.compact(self._roster.state)
        return judged(table, verdicts), order


def turns_of(table: pa.Table) -> Iterator[tuple[int, slice]]:
    """Cut readings in order of arrival where the number of arrival begins another turn."""
    turns = integers(table["arrival"]) // TURN_ARRIVALS
    begins = np.flatnonzero(np.diff(turns, prepend=-1)).tolist()
    for first, end in pairwise([*begins, len(turns)]):
        yield int(turns[first]), slice(first, end)


def rows_of(table: pa.Table, tag: npt.NDArray[np.int32]) -> Rows:
    """Lay out raw readings for the kernel; `tag` is the row of each one's tag."""
    untimed = is_untimed(table)
    refused = integers(table["source_quality"]) == Quality.BAD
    text = table["value"].is_null().to_numpy() & table["text"].is_valid().to_numpy()
    mark = untimed * np.uint8(UNTIMED) | refused * np.uint8(REFUSED) | text * np.uint8(TEXT)
    return Rows(tag, order_times(table, untimed), floats(table["value"]), mark)


def judged(table: pa.Table, verdicts: Verdicts) -> pa.Table:
    """Put the verdicts beside the readings, and merge in what the source says of itself."""
    source = integers(table["source_quality"]).astype(np.int8)
    reasons = verdicts.reasons | integers(table["source_reasons"]).astype(np.int32)
    unexplained = (source != Quality.GOOD) & (integers(table["source_reasons"]) == 0)
    future = is_future(table)
    reasons |= unexplained * np.int32(Reason.SOURCE) | future * np.int32(Reason.FUTURE)
    quality = np.maximum(verdicts.quality, np.maximum(source, future * np.int8(Quality.UNCERTAIN)))
    columns = [nullable(verdicts.value_clean), pa.array(quality), pa.array(reasons)]
    return pa.table([*table.columns, *columns], schema=_CODED_SCHEMA)


def _together(parts: list[pa.Table]) -> CleanBatch:
    """Put readings with verdicts together, in order of arrival."""
    table = pa.concat_tables([CLEAN_SCHEMA.empty_table(), *parts])
    arrivals = integers(table["arrival"])
    if (np.diff(arrivals) < 0).any():
        table = table.take(np.argsort(arrivals, kind="stable"))
    return CleanBatch(coded(table))
