"""The loop over the readings in order of arrival."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from clean.company import Company, enter
from clean.compiled import entry, fingerprint, pasted, rule
from clean.context import NOBODY, Machines, is_explained, remember
from clean.doubts import gauge_doubts_of
from clean.kinds import HELD_CHANGES, SHOWN_MIN, learn_kind
from clean.limits import Limits, in_unit, mark_value
from clean.moves import NOT_SOUND
from clean.order import REPEAT, forget_oldest, insert, is_same, place_of, time_of
from clean.repair import repaired
from clean.rules import doubts_of
from clean.smoothing import smoothed
from clean.spikes import (
    FOUND,
    SIDE_MIN,
    SOUND,
    SUSPECT,
    WARM_UP,
    judge_lopsided,
    judge_spike,
)
from clean.state import (
    BALANCE,
    CANDIDATE,
    CHANGES,
    CODE,
    CODES_SHOWN,
    EMPTY,
    GAUGE,
    HALF,
    HIGHEST,
    HISTORY,
    INTERVAL,
    JUDGED,
    LOWEST,
    OUTSIDE,
    REORDER,
    RUN,
    SPIKE,
    STATE,
    TEXT,
    UNTRUSTED,
    USED,
    WAVEFORM,
    State,
)
from clean.window import (
    ROWS,
    SEEN,
    WIDTH,
    Floats,
    gather,
    is_after_gap,
    learn_code,
    learn_interval,
    settle_candidate,
    without_nearest,
)
from contracts.quality import Quality, Reason

GOOD: Final = int(Quality.GOOD)
UNCERTAIN: Final = int(Quality.UNCERTAIN)
BAD: Final = int(Quality.BAD)
MISSING_BIT: Final = int(Reason.MISSING)
TYPE_BIT: Final = int(Reason.TYPE)
SENTINEL_BIT: Final = int(Reason.SENTINEL)
RANGE_BIT: Final = int(Reason.RANGE)
SPIKE_BIT: Final = int(Reason.SPIKE)
DUPLICATE_BIT: Final = int(Reason.DUPLICATE)
CONFLICT_BIT: Final = int(Reason.CONFLICT)
LATE_BIT: Final = int(Reason.LATE)
GAP_BIT: Final = int(Reason.GAP)
NOTES: Final = GAP_BIT  # say nothing against the value: they may stand beside GOOD

# Nobody samples a process quantity 200 times a second: what is sampled faster is vibration, sound
# or current, where the extremes carry the diagnosis and are not to be judged.
WAVEFORM_INTERVAL_US: Final = 5_000.0

# A tag has numbers if there were more of them than texts, by half a window; for good after so many
# more that no outage with texts in their place may change it, and the same for texts.
NUMERIC_MIN: Final = 8
SETTLED: Final = 1000

CLOSING: Final = -1  # in place of the first number: nothing comes, judge what waits

Ints = npt.NDArray[np.int32]


class Rows(NamedTuple):
    """Readings in order of arrival, as the kernel takes them."""

    tag: npt.NDArray[np.int32]  # row of the state
    time: npt.NDArray[np.int64]  # us, what the order goes by
    value: npt.NDArray[np.float64]
    mark: npt.NDArray[np.uint8]  # UNTIMED, REFUSED, TEXT

    def at(self, places: npt.NDArray[np.int64]) -> Rows:
        """Pick readings, in the given order."""
        return Rows(self.tag[places], self.time[places], self.value[places], self.mark[places])


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
    machines: Machines
    company: Company
    limits: Limits
    verdicts: Verdicts
    fallen: npt.NDArray[np.int64]  # (1,): how many verdicts there are
    scratch: Floats
    seen: Floats  # (rows, WIDTH): what the rules saw of each number; no rows: nobody asks


def new_desk(
    state: State, others: tuple[Machines, Company], limits: Limits, size: int, explained: int = 0
) -> Desk:
    """Lay out a desk with room for `size` verdicts, and for what explains the first `explained`."""
    verdicts = Verdicts(
        np.empty(size, np.int32),
        np.empty(size, np.int8),
        np.empty(size, np.int32),
        np.empty(size, np.float64),
    )
    scratch, seen = np.full((ROWS, WIDTH), np.nan), np.full((explained, WIDTH), np.nan)
    return Desk(state, *others, limits, verdicts, np.zeros(1, np.int64), scratch, seen)


@pasted
def take_all(desk: Desk, rows: Rows, first_number: int) -> None:
    """Take in every reading and judge those whose look-ahead is complete.

    If CLOSING, takes in nothing and judges one that waits for each row. It is one loop for both
    because `judge_next` is pasted: called, it would be handed some 300 words for each reading,
    and in two places it would be compiled twice.
    """
    state, is_closing = desk.state, first_number == CLOSING
    for i in range(len(rows.tag)):
        tag = rows.tag[i]
        if not is_closing:
            take_one(desk, rows, i, first_number + i)
        wait = HALF + REORDER if desk.state.kind[tag] == GAUGE else REORDER
        if is_closing or state.tally[tag, USED] - state.tally[tag, JUDGED] > wait:
            judge_next(desk, tag)


@pasted
def take_one(desk: Desk, rows: Rows, i: int, number: int) -> None:
    """Put a reading in its place among those of its tag."""
    tag, value, mark, state = rows.tag[i], rows.value[i], rows.mark[i], desk.state
    if not mark & TEXT:
        mark |= mark_value(desk.limits, tag, value)
    value = in_unit(desk.limits, tag, value)
    time = time_of(state, tag, rows.time[i], mark)
    place = place_of(state, tag, time, mark)
    if place < 0:
        judge_misplaced(desk, tag, place, (value, mark, number))
    else:
        insert(state, tag, place)
        state.value[tag, place] = value if np.isfinite(value) else np.nan
        state.time[tag, place] = time
        state.number[tag, place] = number
        state.mark[tag, place] = mark
        if desk.company.place[tag] != NOBODY and not mark & (UNTRUSTED | CANDIDATE):
            enter(desk.company, tag, time, value)


@pasted
def judge_misplaced(desk: Desk, tag: int, place: int, reading: tuple[float, int, int]) -> None:
    """Judge a repeat or a late reading, at once and without feeding the state.

    A repeat has no clean value: the first arrival stands, and nothing is counted twice.
    """
    value, mark, number = reading
    bad = flaws_of(mark)
    if mark & TEXT:
        bad |= type_flaw_of(desk, tag)
    if place <= REPEAT + desk.state.value.shape[1]:
        same = is_same(desk.state, tag, place - REPEAT, value)
        write(desk, number, bad, DUPLICATE_BIT if same else CONFLICT_BIT, np.nan)
        return
    write(desk, number, bad, LATE_BIT, np.nan if mark & UNTRUSTED else value)


@pasted
def judge_next(desk: Desk, tag: int) -> None:
    """Judge the oldest reading that has no verdict, with the neighbours it has by now.

    What a value is in itself and a found spike are BAD; all else that is said is a doubt.
    """
    state = desk.state
    slot = state.tally[tag, JUDGED]
    settle_candidate(state, tag, slot)
    doubts = gap_before(desk, tag, slot)
    learn_interval(state, tag, slot)
    value, mark, spike = state.value[tag, slot], state.mark[tag, slot], SOUND
    clean = np.nan if mark & UNTRUSTED else value
    if is_gauge(desk, tag) and not mark & TEXT:
        if not mark & UNTRUSTED:
            sides = gather(state, tag, slot, UNTRUSTED, desk.scratch)
            doubts |= gauge_doubts_of(desk, tag, slot, sides)
            spike = judge_spikes(desk, tag, slot, sides)
        clean = replaced(desk, tag, slot, spike)
    doubts |= doubts_of(desk, tag, slot, spike)
    if not mark & UNTRUSTED and spike == SOUND:
        widen(state, tag, value, mark)
    if not mark & UNTRUSTED and desk.machines.place[tag] != NOBODY:
        remember(desk.machines, tag, state.time[tag, slot], value)
    bad = flaws_of(mark) | (SPIKE_BIT if spike == FOUND else 0)
    if mark & TEXT:
        bad |= type_flaw_of(desk, tag)
    count_types(state, tag, mark)
    state.mark[tag, slot] = (mark & ~CANDIDATE) | (SPIKE if spike == FOUND else 0)
    doubts |= SPIKE_BIT if spike == SUSPECT else 0
    if desk.limits.learns_kind[tag] and not state.mark[tag, slot] & NOT_SOUND:
        learn_its_kind(desk, tag, slot)
    write(desk, state.number[tag, slot], bad, doubts, clean)
    state.tally[tag, JUDGED] = slot + 1
    if slot + 1 > HALF:
        forget_oldest(state, tag)


@pasted
def judge_spikes(desk: Desk, tag: int, slot: int, sides: tuple[int, int]) -> int:
    """Apply the spike rule where the machine's state does not explain what it finds."""
    state = desk.state
    spike = judge_by_neighbours(state, tag, slot, sides, desk.scratch)
    if spike != SOUND and is_explained(state, desk.machines, tag, slot):
        spike, state.tally[tag, RUN] = SOUND, 0
    if spike == FOUND and desk.limits.codes.length[tag] == 0:
        learn_code(state, tag, slot)
    return spike


@pasted
def replaced(desk: Desk, tag: int, slot: int, spike: int) -> float:
    """Repair what cannot be used, without leaning on the same run; smooth the rest if asked to."""
    state, value = desk.state, desk.state.value[tag, slot]
    is_bad = spike == FOUND or state.mark[tag, slot] & UNTRUSTED != 0
    if not is_bad and (spike == SUSPECT or not desk.limits.smooth[tag]):
        return float(value)
    before, after = gather(state, tag, slot, UNTRUSTED | SPIKE, desk.scratch)
    if not is_bad:
        return smoothed(value, state.trait[tag], (before, after), desk.scratch)
    after = without_nearest(state.tally[tag, RUN], after, desk.scratch)
    return repaired(state.trait[tag], (before, after), desk.scratch)


@pasted
def judge_by_neighbours(
    state: State, tag: int, slot: int, sides: tuple[int, int], scratch: Floats
) -> int:
    """Apply the spike rule, and at an edge also its lopsided form.

    The centred windows take spikes that have been found: medians stand them, and a true step that
    was mistaken for one cannot lock itself out. At the edge, where they soon are the majority,
    they are left out.
    """
    side, run, spike = min(sides[0], sides[1]), state.tally[tag, RUN], SOUND
    state.tally[tag, RUN] = max(run - 1, 0)
    if side >= SIDE_MIN:
        spike = judge_spike(state, tag, state.value[tag, slot], sides, scratch)
    if side < HALF and spike != FOUND:
        sides = gather(state, tag, slot, UNTRUSTED | SPIKE, scratch)
        lopsided = judge_lopsided(state, tag, state.value[tag, slot], sides, scratch)
        if side < SIDE_MIN or lopsided == FOUND:
            spike = lopsided
    return FOUND if run > 0 else spike


@pasted
def is_gauge(desk: Desk, tag: int) -> bool:
    """Tell whether neighbours may judge this tag: not a counter, a state, a waveform."""
    interval = desk.state.trait[tag, INTERVAL]
    return desk.state.kind[tag] == GAUGE and not 0.0 < interval < WAVEFORM_INTERVAL_US


@pasted
def gap_before(desk: Desk, tag: int, slot: int) -> int:
    """Say that a reading is the first after a gap, of a tag that is sampled and well known."""
    state, kind = desk.state, desk.state.kind[tag]
    if kind in (STATE, WAVEFORM) or not is_after_gap(state, tag, slot):
        return 0
    if kind == GAUGE and (state.tally[tag, HISTORY] < WARM_UP or not is_gauge(desk, tag)):
        return 0
    return GAP_BIT


@rule
def type_flaw_of(desk: Desk, tag: int) -> int:
    """Name what is wrong with a text where numbers belong; a state may be told in words."""
    may_be_text = desk.state.kind[tag] in (STATE, WAVEFORM)
    return 0 if may_be_text or desk.state.tally[tag, BALANCE] < NUMERIC_MIN else TYPE_BIT


@rule
def learn_its_kind(desk: Desk, tag: int, slot: int) -> None:
    """Learn of what kind the tag is; as another one it begins anew.

    Not pasted: what is rare would take the registers of what is not.
    """
    state, kind, doubt = desk.state, desk.state.kind[tag], desk.state.doubt[tag]
    if slot == 0 or state.mark[tag, slot - 1] & NOT_SOUND:
        return
    lasts = state.tally[tag, HISTORY] >= SHOWN_MIN and doubt[CHANGES] <= HELD_CHANGES
    move = state.value[tag, slot - 1], state.value[tag, slot], state.time[tag, slot], lasts
    learned = learn_kind(kind, move, doubt)
    if learned != kind:
        for column in range(CODES_SHOWN):
            doubt[column] = 0.0
        state.kind[tag], state.tally[tag, RUN] = learned, 0
        desk.company.compared[tag] = 0


@pasted
def count_types(state: State, tag: int, mark: int) -> None:
    """Count whether the tag has more numbers or more texts, until that is settled."""
    if abs(state.tally[tag, BALANCE]) < SETTLED and not mark & EMPTY:
        state.tally[tag, BALANCE] += -1 if mark & TEXT else 1


@rule
def flaws_of(mark: int) -> int:
    """Name what is wrong with a value in itself."""
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
def write(desk: Desk, number: int, bad: int, doubts: int, clean: float) -> None:
    """Write down a final verdict: `bad` and `doubts` are reasons that say BAD and UNCERTAIN."""
    verdicts = desk.verdicts
    at = desk.fallen[0]
    verdicts.number[at] = number
    verdicts.quality[at] = BAD if bad else UNCERTAIN if doubts & ~NOTES else GOOD
    verdicts.reasons[at] = bad | doubts
    verdicts.value_clean[at] = clean
    desk.fallen[0] = at + 1
    if number < len(desk.seen):
        for k in range(WIDTH):
            desk.seen[number, k] = desk.scratch[SEEN, k]
            desk.scratch[SEEN, k] = np.nan


def close(desk: Desk, tags: Ints, depth: Ints) -> None:
    """Judge the oldest `depth` waiting readings of each tag with the neighbours they have."""
    none = Rows(np.repeat(tags, depth), np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint8))
    take(desk, none, CLOSING)


def _take_entry(version: str) -> Callable[[Desk, Rows, int], None]:
    @entry
    def take(desk: Desk, rows: Rows, first_number: int) -> None:
        if version:
            take_all(desk, rows, first_number)

    return take


take = _take_entry(fingerprint(take_all))
