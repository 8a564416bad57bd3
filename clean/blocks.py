"""Cuts waveforms into blocks, and makes readings of the features of each.

A block lasts `block_s` and ends where the clock is a multiple of that, so that it does not matter
where a judge begins. The first after a pause also takes what is left until such a time: a burst
that is no longer than a block is one block, whenever it comes.

Blocks are cut in order of time, from readings as their verdicts fall. What counts is neither BAD
nor a repeat nor late. The features stand where the last reading of the block that counts stands,
with its times, its arrival and its gateway: a feature is known no sooner than what it is made of,
and is at most as good. They are readings of tags of their own, such as `x/rms` of a waveform `x`:
gauges, whatever else is told of them. Readings that come under such a name are judged with them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from clean.arrow import floats, integers
from clean.clocks import is_untimed, order_times
from clean.waveforms import READINGS_MIN, Features, features_of
from contracts.batches import RAW_SCHEMA
from contracts.quality import Quality, Reason
from contracts.tags import Kind, TagRule

# A pause of this share of a block ends it: 13 intervals of the slowest signal of which a block has
# READINGS_MIN readings, more than a jitter of the clock.
PAUSE_SHARE: Final = 0.05
# A block with more is cut: 1.3 s of the fastest accelerometers in use (51.2 kHz), 512 KiB.
READINGS_MAX: Final = 65_536
# Readings are taken in turns that end at multiples of this number of their arrival, and features
# between them: a millisecond of work, and the same places however the readings are batched.
TURN_ARRIVALS: Final = 2_048

NEVER: Final = -(1 << 62)  # us, before any time
SPOILED: Final = int(Reason.DUPLICATE | Reason.CONFLICT | Reason.LATE)
DONE_SCHEMA: Final = RAW_SCHEMA.append(pa.field("turn", pa.int64(), nullable=False))
OPEN_SCHEMA: Final = pa.schema(
    [
        *RAW_SCHEMA,
        pa.field("values", pa.list_(pa.float64())),
        pa.field("end_us", pa.int64()),
        pa.field("last_us", pa.int64()),
        pa.field("quality", pa.int64()),
        pa.field("reasons", pa.int64()),
    ]
)

Rules = Callable[[str], TagRule]
Numbers = npt.NDArray[np.int64]


@dataclass
class Block:
    """A block that is still open."""

    end_us: int  # what comes then is of the next
    last_us: int  # the newest time there is
    last: pa.Table  # its last reading, of RAW_SCHEMA
    values: npt.NDArray[np.float64]
    quality: int  # the worst of its readings
    reasons: int  # why it is not GOOD

    def and_then(self, other: Block) -> Block:
        """Give this block with one that follows."""
        return replace(
            other,
            values=np.append(self.values, other.values),
            quality=max(self.quality, other.quality),
            reasons=self.reasons | other.reasons,
        )


class Blocks:
    """The open blocks of all waveforms, and the features that wait to be judged."""

    def __init__(self, rules: Rules, block_s: float) -> None:
        self._rules, self._block_us = rules, max(1, round(block_s * 1e6))
        self._sources: dict[str, None] = {}
        self._made: dict[str, None] = {}
        self._open: dict[str, Block] = {}
        self._done = DONE_SCHEMA.empty_table()
        self.first_arrival = 0  # of blocks that end before it no features are made

    def rule(self, tag: str) -> TagRule:
        """Give the rule of a tag that the judge meets, which may be a waveform or made of one."""
        told = self._rules(tag)
        if tag in self._made:
            return replace(told, kind=Kind.GAUGE, learns_kind=False, factor=1.0, offset=0.0)
        if told.kind is Kind.WAVEFORM:
            self._sources[tag] = None
            self._made |= dict.fromkeys(feature_tags(tag))
        return told

    @property
    def made_tags(self) -> list[str]:
        """The tags that features of waveforms may have, in order of appearance."""
        return list(self._made)

    def __bool__(self) -> bool:
        """Tell whether there is a waveform."""
        return bool(self._sources)

    def tables(self) -> list[pa.Table]:
        """Write all that is known."""
        return [_written(self._open), self._done]

    def recall(self, tables: list[pa.Table]) -> None:
        """Take back what `tables` wrote, of tags that still are waveforms."""
        opened, self._done = tables
        self._open = {tag: block for tag, block in _read(opened).items() if tag in self._sources}

    def enter(self, readings: pa.Table, order: Numbers, turn: int) -> None:
        """Take in readings of CLEAN_SCHEMA; `order` tells the place of each as the verdicts fell.

        In that order the readings of a tag are in order of time.
        """
        sources: Any = pa.array(list(self._sources), pa.string())
        coded: Any = pc.index_in(readings["tag"], value_set=sources)
        tags = pc.fill_null(coded, -1).to_numpy()
        if not (tags >= 0).any():
            return
        rows = _rows_of(readings)
        counts = (tags >= 0) & rows.is_usable
        for number in np.unique(tags[counts]).tolist():
            places = np.flatnonzero(counts & (tags == number))
            places = places[np.argsort(order[places])]
            self._extend(sources[number].as_py(), rows.at(places), turn)

    def close(self, before_us: int | None = None, waiting: Collection[str] = ()) -> None:
        """End open blocks: all, or those that have a feature and got nothing new since a time.

        What was received is looked at, in us. A block stays open while readings of its tag are
        `waiting` for their verdict. One with fewer values is left as it is: as long as nothing
        else happens, nobody has to remember that this was asked.
        """
        for tag, block in list(self._open.items()):
            is_due = before_us is None or (
                integers(block.last["received_time"])[0] < before_us
                and len(block.values) >= READINGS_MIN
                and tag not in waiting
            )
            if is_due:
                self._finish(self._open.pop(tag), 0)

    def waiting(self, *, turn: int | None = None, before_us: int | None = None) -> pa.Table:
        """Hand out the features of turns before one, or of what was received before a time.

        All, where neither is given. Of RAW_SCHEMA, in order of arrival.
        """
        if not self._done.num_rows:
            return RAW_SCHEMA.empty_table()
        chosen = np.ones(self._done.num_rows, np.bool_)
        if turn is not None:
            chosen &= integers(self._done["turn"]) < turn
        if before_us is not None:
            chosen &= integers(self._done["received_time"]) < before_us
        given = self._done.filter(pa.array(chosen)).select(RAW_SCHEMA.names)
        self._done = self._done.filter(pa.array(~chosen))
        return given.sort_by([("arrival", "ascending"), ("tag", "ascending")])

    def untold(self, until: int) -> set[str]:
        """Name the waveforms with a block that may end, or has ended, up to an arrival."""
        opened = {
            tag for tag, block in self._open.items() if integers(block.last["arrival"])[0] <= until
        }
        is_early = integers(self._done["arrival"]) <= until
        made: list[Any] = self._done["tag"].filter(pa.array(is_early)).to_pylist()
        return opened | {source_of(tag) for tag in made}

    def _extend(self, tag: str, rows: _Rows, turn: int) -> None:
        """Put the readings of one tag into its block, and end those that are complete."""
        block = self._open.pop(tag, None)
        known = None if block is None else (block.last_us, block.end_us)
        times = rows.times if known is None else np.maximum(rows.times, known[0])
        rows = rows._replace(times=np.maximum.accumulate(times))
        for cut in cuts_of(rows.times, known, self._block_us):
            first, is_new = cut.first, cut.is_new
            while first < cut.end:
                if block is not None and (is_new or len(block.values) == READINGS_MAX):
                    self._finish(block, turn)
                    block = None
                room = READINGS_MAX - (0 if block is None else len(block.values))
                end, is_new = min(cut.end, first + room), False
                part = _block_of(rows.at(slice(first, end)), cut.end_us)
                block = part if block is None else block.and_then(part)
                first = end
        if block is not None:
            self._open[tag] = block

    def _finish(self, block: Block, turn: int) -> None:
        """Make readings of the features of a block that has enough values."""
        arrival = integers(block.last["arrival"])[0]
        if len(block.values) < READINGS_MIN or arrival < self.first_arrival:
            return
        found = np.array(features_of(block.values))
        is_told = np.isfinite(found)
        names = np.array(feature_tags(block.last["tag"][0].as_py()))[is_told]
        count = len(names)
        columns: dict[str, Any] = {
            "tag": pa.array(names.tolist(), pa.string()),
            "value": pa.array(found[is_told]),
            "text": pa.nulls(count, pa.string()),
            "source_quality": pa.array([block.quality] * count, pa.int8()),
            "source_reasons": pa.array([block.reasons] * count, pa.int32()),
            "source_status": pa.nulls(count, pa.string()),
        }
        rows = block.last.cast(RAW_SCHEMA).take(pa.array([0] * count, pa.int64()))
        whole = [columns.get(name, rows[name]) for name in RAW_SCHEMA.names]
        turns = pa.array([turn] * count, pa.int64())
        done = pa.table([*whole, turns], schema=DONE_SCHEMA)
        self._done = pa.concat_tables([self._done, done])


class Cut(NamedTuple):
    """Readings of one block that follow one another: from `first` on, before `end`."""

    first: int
    end: int
    end_us: int  # of the block
    is_new: bool  # the block begins here


def feature_tags(tag: str) -> list[str]:
    """Name the tags of the features of a waveform.

    >>> feature_tags("s/a/l/m/vibration_raw")[:2]
    ['s/a/l/m/vibration_raw/rms', 's/a/l/m/vibration_raw/peak']
    """
    return [f"{tag}/{name}" for name in Features._fields]


def source_of(made: str) -> str:
    """Name the waveform that a feature is of.

    >>> source_of("s/a/l/m/vibration_raw/rms")
    's/a/l/m/vibration_raw'
    """
    return made.rpartition("/")[0]


def cuts_of(times: Numbers, known: tuple[int, int] | None, block_us: int) -> Iterator[Cut]:
    """Cut ascending times where one block ends and another begins.

    `known` is the newest time of the open block, and its end; None where there is none.

    >>> [tuple(cut) for cut in cuts_of(np.arange(70, 310, 5), None, 100)]
    [(0, 26, 200, True), (26, 46, 300, True), (46, 48, 400, True)]
    >>> [tuple(cut) for cut in cuts_of(np.array([305, 340]), (300, 400), 100)]
    [(0, 1, 400, False), (1, 2, 500, True)]
    """
    last_us, known_end = known or (NEVER, 0)
    before = np.append(last_us, times[:-1])
    is_start = times - before > PAUSE_SHARE * block_us
    starts = times[is_start] + block_us
    ends = np.append(known_end, -(-starts // block_us) * block_us)[np.cumsum(is_start)]
    ends += np.where(times < ends, 0, (times - ends) // block_us + 1) * block_us
    is_new = is_start | (ends != np.append(known_end, ends[:-1]))
    firsts = np.flatnonzero(is_new | (np.arange(len(times)) == 0))
    for first, end in pairwise([*firsts.tolist(), len(times)]):
        yield Cut(first, end, int(ends[first]), bool(is_new[first]))


class _Rows(NamedTuple):
    """Readings with final verdicts, as arrays, and where to find them whole."""

    table: pa.Table
    place: Numbers  # in the table
    times: Numbers
    values: npt.NDArray[np.float64]
    quality: Numbers
    reasons: Numbers
    is_usable: npt.NDArray[np.bool_]  # neither BAD nor a repeat nor late, and with a value

    def at(self, places: Numbers | slice) -> _Rows:
        return _Rows(
            self.table,
            self.place[places],
            self.times[places],
            self.values[places],
            self.quality[places],
            self.reasons[places],
            self.is_usable[places],
        )


def _rows_of(table: pa.Table) -> _Rows:
    values = floats(table["value_clean"])
    quality, reasons = integers(table["quality"]), integers(table["reasons"])
    is_told = ~np.isnan(values) & table["value"].is_valid().to_numpy()
    is_usable = is_told & (quality != Quality.BAD) & (reasons & SPOILED == 0)
    place = np.arange(table.num_rows)
    return _Rows(
        table, place, order_times(table, is_untimed(table)), values, quality, reasons, is_usable
    )


def _block_of(rows: _Rows, end_us: int) -> Block:
    doubted = rows.reasons[rows.quality != Quality.GOOD]
    return Block(
        end_us=end_us,
        last_us=int(rows.times[-1]),
        last=rows.table.slice(int(rows.place[-1]), 1).select(RAW_SCHEMA.names),
        values=rows.values,
        quality=int(rows.quality.max()),
        reasons=int(np.bitwise_or.reduce(doubted, initial=0)),
    )


def _written(blocks: dict[str, Block]) -> pa.Table:
    """Write open blocks, one a row."""
    rows = [
        [column[0].as_py() for column in block.last.columns]
        + [block.values, block.end_us, block.last_us, block.quality, block.reasons]
        for block in blocks.values()
    ]
    columns: Any = zip(*rows, strict=True) if rows else [[] for _ in OPEN_SCHEMA]
    arrays = [pa.array(col, field.type) for col, field in zip(columns, OPEN_SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=OPEN_SCHEMA)


def _read(table: pa.Table) -> dict[str, Block]:
    """Read what `_written` wrote."""
    blocks = {}
    for number, row in enumerate(table.drop_columns(RAW_SCHEMA.names).to_pylist()):
        last = table.slice(number, 1).select(RAW_SCHEMA.names)
        row["values"] = np.array(row["values"])
        blocks[str(last["tag"][0].as_py())] = Block(last=last, **row)
    return blocks
