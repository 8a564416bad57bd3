"""The judge of a stream: readings in, the same readings with final verdicts out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clean.arrow import floats, from_bytes, integers, nullable, to_bytes
from clean.held import Held
from clean.kernel import Rows, Verdicts
from clean.roster import Roster, empty_roster
from clean.settings import Settings
from clean.state import REFUSED, SLOTS, TEXT, UNTIMED, pending
from contracts.batches import CLEAN_SCHEMA, RAW_SCHEMA, CleanBatch, RawBatch
from contracts.quality import Quality, Reason
from contracts.tags import TagRule

# A device's clock may be set to the wrong zone, which is at most 14 hours. A time further ahead
# than a day is no time: taken for true, it would make all that follows late.
FUTURE_US: Final = 86_400_000_000
# Where its clock is further ahead than a free-running one loses in a month, the order goes by the
# time of arrival: by its own time all that follows would be late until that time has come.
AHEAD_US: Final = 600_000_000


class Judge:
    """Judges readings of any number of tags in order of arrival.

    Every reading is returned exactly once, when its verdict is final: after seven newer readings
    of its tag for the window and seven for disorder, or at `expire`. The verdicts depend on the
    readings and on the calls of `expire` alone, not on how the readings are cut into batches.
    """

    def __init__(self, rules: Callable[[str], TagRule], settings: Settings) -> None:
        self._settings = settings
        self._roster = empty_roster(rules)
        self._held = Held(RAW_SCHEMA.empty_table())

    @classmethod
    def restore(cls, memory: bytes, rules: Callable[[str], TagRule], settings: Settings) -> Judge:
        """Go on where `memory()` was taken; DataError if another version took it."""
        judge = cls(rules, settings)
        held, *known = from_bytes(memory)
        judge._roster = Roster.restore(known, rules)
        judge._held = Held(held)
        return judge

    def memory(self) -> bytes:
        """Everything the judge knows, the waiting readings included."""
        roster = self._roster
        held = self._held.compact(roster.state)
        return to_bytes(held, *roster.tables())

    def push(self, batch: RawBatch) -> CleanBatch:
        """Take in readings; return those, of any batch, whose verdict is final by now."""
        table = batch.table
        tag = self._roster.rows_of(table["tag"])
        verdicts = self._roster.take(rows_of(table, tag), self._held.add(table))
        return self._leave(verdicts)

    def expire(self, now_us: int) -> CleanBatch:
        """Judge what was received more than `max_delay_s` before `now_us`, as things stand.

        Older readings of the same tags are judged with them. Until the value has come back a spike
        cannot be told from a step: it is UNCERTAIN, not BAD.
        """
        state = self._roster.state
        overdue = pending(state)
        numbers = state.number[overdue]
        received, name = np.zeros(len(numbers), np.int64), "received_time"
        by_number = np.argsort(numbers)
        received[by_number] = integers(self._held.rows(numbers[by_number], [name])[name])
        overdue[overdue] = received < now_us - round(self._settings.max_delay_s * 1e6)
        return self._leave(self._roster.close(overdue))

    def finish(self) -> CleanBatch:
        """Judge all that waits, as at the end of a file."""
        return self._leave(self._roster.close())

    def _leave(self, verdicts: Verdicts) -> CleanBatch:
        verdicts = verdicts.at(np.argsort(verdicts.number))
        table = self._held.rows(verdicts.number)
        if self._held.is_wasteful(len(self._roster.tags) * SLOTS):
            self._held.compact(self._roster.state)
        return CleanBatch(judged(table, verdicts))


def rows_of(table: pa.Table, tag: npt.NDArray[np.int32]) -> Rows:
    """Lay out raw readings for the kernel; `tag` is the row of each one's tag."""
    received, source = integers(table["received_time"]), integers(table["source_time"])
    untimed = table["source_time"].is_null().to_numpy() | (ahead_us(table) > AHEAD_US)
    refused = integers(table["source_quality"]) == Quality.BAD
    text = table["value"].is_null().to_numpy() & table["text"].is_valid().to_numpy()
    mark = untimed * np.uint8(UNTIMED) | refused * np.uint8(REFUSED) | text * np.uint8(TEXT)
    return Rows(tag, np.where(untimed, received, source), floats(table["value"]), mark)


def is_future(table: pa.Table) -> npt.NDArray[np.bool_]:
    """Tell which source times are further ahead than any wrong zone."""
    return np.asarray(ahead_us(table) > FUTURE_US)


def ahead_us(table: pa.Table) -> npt.NDArray[np.int64]:
    """Give how far the source times are ahead of the arrival, us."""
    return np.asarray(integers(table["source_time"]) - integers(table["received_time"]))


def judged(table: pa.Table, verdicts: Verdicts) -> pa.Table:
    """Put the verdicts beside the readings, and merge in what the source says of itself."""
    source = integers(table["source_quality"]).astype(np.int8)
    reasons = verdicts.reasons | integers(table["source_reasons"]).astype(np.int32)
    unexplained = (source != Quality.GOOD) & (integers(table["source_reasons"]) == 0)
    future = is_future(table)
    reasons |= unexplained * np.int32(Reason.SOURCE) | future * np.int32(Reason.FUTURE)
    quality = np.maximum(verdicts.quality, np.maximum(source, future * np.int8(Quality.UNCERTAIN)))
    columns = [nullable(verdicts.value_clean), pa.array(quality), pa.array(reasons)]
    return pa.table([*table.columns, *columns], schema=CLEAN_SCHEMA)
