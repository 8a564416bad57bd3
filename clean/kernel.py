"""The loop over the readings in order of arrival."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from clean.compiled import entry, fingerprint, pasted, rule
from clean.limits import Limits, mark_value
from clean.order import REPEAT, forget_oldest, insert, is_same, place_of
from clean.repair import repaired
from clean.spikes import FOUND, SIDE_MIN, SOUND, judge_lopsided, judge_spike
from clean.state import (
    CANDIDATE,
    CODE,
    EMPTY,
    GAUGE,
    HALF,
    HIGHEST,
    INTERVAL,
    JUDGED,
    LOWEST,
    OUTSIDE,
    REORDER,
    SPIKE,
    TEXT,
    UNTRUSTED,
    USED,
    State,
)
from clean.window import ROWS, WIDTH, Floats, gather, learn_interval, settle_candidate
from contracts.quality import Quality, Reason

GOOD: Final = int(Quality.GOOD)
UNCERTAIN: Final = int(Quality.UNCERTAIN)
BAD: Final = int(Quality.BAD)
MISSING_BIT: Final = int(Reason.MISSING)
SENTINEL_BIT: Final = int(Reason.SENTINEL)
RANGE_BIT: Final = int(Reason.RANGE)
SPIKE_BIT: Final = int(Reason.SPIKE)
DUPLICATE_BIT: Final = int(Reason.DUPLICATE)
CONFLICT_BIT: Final = int(Reason.CONFLICT)
LATE_BIT: Final = int(Reason.LATE)

# Nobody samples a process quantity 200 times a second: what is sampled faster is vibration, sound
# or current, where the extremes carry the diagnosis and are not to be judged.
WAVEFORM_INTERVAL_US: Final = 5_000.0


Ints = npt.NDArray[np.int32]


class Rows(NamedTuple):
    """Readings in order of arrival, as the kernel takes them."""

    tag: npt.NDArray[np.int32]  # row of the state
    time: npt.NDArray[np.int64]  # us, what the order goes by
    value: npt.NDArray[np.float64]
    mark: npt.NDArray[np.uint8]  # UNTIMED, REFUSED, TEXT


class Verdicts(NamedTuple):
    """Final verdicts in the order in which they fell."""

    number: npt.NDArray[np.int32]
    quality: npt.NDArray[np.int8]
    reasons: npt.NDArray[np.int32]
    value_clean: npt.NDArray[np.float64]

    def at(self, places: npt.NDArray[np.int64] | slice) -> Verdicts:
        """Pick verdicts, in the given order."""
        return Verdicts(
            self.number[places],
            self.quality[places],
            self.reasons[places],
            self.value_clean[places],
        )


class Desk(NamedTuple):
    """All that the kernel works on."""

    state: State
    limits: Limits
    verdicts: Verdicts
    fallen: npt.NDArray[np.int64]  # (1,): how many verdicts there are
    scratch: Floats


def new_desk(state: State, limits: Limits, size: int) -> Desk:
    """Lay out a desk with room for `size` verdicts."""
    verdicts = Verdicts(
        np.empty(size, np.int32),
        np.empty(size, np.int8),
        np.empty(size, np.int32),
        np.empty(size, np.float64),
    )
    return Desk(state, limits, verdicts, np.zeros(1, np.int64), np.empty((ROWS, WIDTH)))


@pasted
def take_all(desk: Desk, rows: Rows, first_number: int) -> None:
    """Take in every reading and judge those whose look-ahead is complete."""
    for i in range(len(rows.tag)):
        tag, value, mark = rows.tag[i], rows.value[i], rows.mark[i]
        number = first_number + i
        if mark & TEXT:
            write(desk, number, 0, SOUND, np.nan)
            continue
        mark |= mark_value(desk.limits, tag, value)
        place = place_of(desk.state, tag, rows.time[i], mark)
        if place < 0:
            judge_misplaced(desk, tag, place, (value, mark, number))
            continue
        insert(desk.state, tag, place)
        desk.state.value[tag, place] = value if np.isfinite(value) else np.nan
        desk.state.time[tag, place] = rows.time[i]
        desk.state.number[tag, place] = number
        desk.state.mark[tag, place] = mark
        wait = HALF + REORDER if desk.limits.kind[tag] == GAUGE else REORDER
        if desk.state.tally[tag, USED] - desk.state.tally[tag, JUDGED] > wait:
            judge_next(desk, tag)


@pasted
def judge_misplaced(desk: Desk, tag: int, place: int, reading: tuple[float, int, int]) -> None:
    """Judge a repeat or a late reading, at once and without feeding the state.

    A repeat has no clean value: the first arrival stands, and nothing is counted twice.
    """
    value, mark, number = reading
    reasons = reasons_of(mark)
    if place <= REPEAT + desk.state.value.shape[1]:
        same = is_same(desk.state, tag, place - REPEAT, value)
        reasons |= DUPLICATE_BIT if same else CONFLICT_BIT
        write(desk, number, reasons, SOUND, np.nan)
        return
    usable = not mark & UNTRUSTED
    write(desk, number, reasons | LATE_BIT, SOUND, value if usable else np.nan)


@rule
def judge_next(desk: Desk, tag: int) -> None:
    """Judge the oldest reading that has no verdict, with the neighbours it has by now."""
    state = desk.state
    slot = state.tally[tag, JUDGED]
    settle_candidate(state, tag, slot)
    learn_interval(state, tag, slot)
    value, mark, spike = state.value[tag, slot], state.mark[tag, slot], SOUND
    clean = np.nan if mark & UNTRUSTED else value
    if is_gauge(desk, tag):
        if not mark & UNTRUSTED:
            spike = judge_by_neighbours(state, tag, slot, desk.scratch)
        if mark & UNTRUSTED or spike == FOUND:
            sides = gather(state, tag, slot, UNTRUSTED | SPIKE, desk.scratch)
            clean = repaired(state.trait[tag], sides, desk.scratch)
    if not mark & UNTRUSTED and spike == SOUND:
        widen(state, tag, value, mark)
    write(desk, state.number[tag, slot], reasons_of(mark), spike, clean)
    state.mark[tag, slot] = (mark & ~CANDIDATE) | (SPIKE if spike == FOUND else 0)
    state.tally[tag, JUDGED] = slot + 1
    if slot + 1 > HALF:
        forget_oldest(state, tag)


@pasted
def judge_by_neighbours(state: State, tag: int, slot: int, scratch: Floats) -> int:
    """Apply the spike rule, and at an edge also its lopsided form.

    The centred windows take spikes that have been found: medians stand them, and a true step that
    was mistaken for one cannot lock itself out. At the edge, where they soon are the majority,
    they are left out.
    """
    sides, spike = gather(state, tag, slot, UNTRUSTED, scratch), SOUND
    side = min(sides[0], sides[1])
    if side >= SIDE_MIN:
        spike = judge_spike(state, tag, state.value[tag, slot], sides, scratch)
    if side < HALF and spike != FOUND:
        sides = gather(state, tag, slot, UNTRUSTED | SPIKE, scratch)
        lopsided = judge_lopsided(state, tag, state.value[tag, slot], sides, scratch)
        if side < SIDE_MIN or lopsided == FOUND:
            spike = lopsided
    return spike


@pasted
def is_gauge(desk: Desk, tag: int) -> bool:
    """Tell whether neighbours may judge this tag: not a counter, a state, a waveform."""
    interval = desk.state.trait[tag, INTERVAL]
    return desk.limits.kind[tag] == GAUGE and not 0.0 < interval < WAVEFORM_INTERVAL_US


@rule
def reasons_of(mark: int) -> int:
    """Name the reasons that a value carries in itself."""
    reasons = MISSING_BIT if mark & EMPTY else 0
    reasons |= RANGE_BIT if mark & OUTSIDE else 0
    return reasons | (SENTINEL_BIT if mark & CODE else 0)


@pasted
def widen(state: State, tag: int, value: float, mark: int) -> None:
    """Widen what the tag is known to reach; by a customary code only where it is known."""
    trait = state.trait[tag]
    if mark & CANDIDATE and trait[LOWEST] > trait[HIGHEST]:
        return
    trait[LOWEST] = min(trait[LOWEST], value)
    trait[HIGHEST] = max(trait[HIGHEST], value)


@rule
def write(desk: Desk, number: int, reasons: int, spike: int, clean: float) -> None:
    """Write down a final verdict. Only a value's own reasons and a found spike say BAD."""
    verdicts = desk.verdicts
    at = desk.fallen[0]
    quality = UNCERTAIN if reasons or spike != SOUND else GOOD
    if reasons & (MISSING_BIT | RANGE_BIT | SENTINEL_BIT) or spike == FOUND:
        quality = BAD
    verdicts.number[at] = number
    verdicts.quality[at] = quality
    verdicts.reasons[at] = reasons | (SPIKE_BIT if spike != SOUND else 0)
    verdicts.value_clean[at] = clean
    desk.fallen[0] = at + 1


@pasted
def close_all(desk: Desk, tags: Ints, depth: Ints) -> None:
    """Judge the oldest `depth` waiting readings of each tag with the neighbours they have."""
    for i in range(len(tags)):
        for _ in range(depth[i]):
            judge_next(desk, tags[i])


def _take_entry(version: str) -> Callable[[Desk, Rows, int], None]:
    @entry
    def take(desk: Desk, rows: Rows, first_number: int) -> None:
        if version:
            take_all(desk, rows, first_number)

    return take


def _close_entry(version: str) -> Callable[[Desk, Ints, Ints], None]:
    @entry
    def close(desk: Desk, tags: Ints, depth: Ints) -> None:
        if version:
            close_all(desk, tags, depth)

    return close


take = _take_entry(fingerprint(take_all))
close = _close_entry(fingerprint(close_all))
