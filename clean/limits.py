"""What a single value tells by itself: missing, outside the physical range, a code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from clean.compiled import rule
from clean.state import (
    CANDIDATE,
    CODE,
    COUNTER,
    EMPTY,
    GAUGE,
    HIGHEST,
    HISTORY,
    INVENTORY,
    LOWEST,
    OUTSIDE,
    STATE,
    WAVEFORM,
    WIDE_SCALE,
    State,
)
from contracts.tags import Kind, TagRule

KIND_CODES: Final[dict[Kind, int]] = {
    Kind.GAUGE: GAUGE,
    Kind.COUNTER: COUNTER,
    Kind.STATE: STATE,
    Kind.WAVEFORM: WAVEFORM,
    Kind.INVENTORY: INVENTORY,
}

# Numbers that by custom stand for "no value", used where a tag has no list of its own:
# runs of nines (loggers), the ends of 16-bit registers, plain and in tenths (PLC, Modbus),
# and -127 of a DS18B20 that does not answer.
CUSTOMARY: Final = (
    -9999.0, 9999.0, -999.9, 999.9, -999.0, 99999.0, -99999.0,
    65535.0, 6553.5, 32767.0, 3276.7, -32768.0, -3276.8, -127.0,
)  # fmt: skip
# They may also be true values, so history decides: a code lies further outside all good values
# than these are apart, and by many times the noise, which a tag does not reach by a step.
FAR_SPANS: Final = 1.0
FAR_SCALES: Final = 20.0
HISTORY_MIN: Final = 8  # readings, about half a window: before, nothing is called far


class Lists(NamedTuple):
    """A list of numbers for each tag, laid out one after the other."""

    first: npt.NDArray[np.int32]  # where the tag's own begins
    length: npt.NDArray[np.int32]
    numbers: npt.NDArray[np.float64]


class Limits(NamedTuple):
    """The rules of the tags as arrays, one row per tag."""

    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    kind: npt.NDArray[np.int8]  # which it begins as
    learns_kind: npt.NDArray[np.bool_]
    codes: Lists  # sentinels
    rests: Lists
    factor: npt.NDArray[np.float64]  # a reading times this, plus `offset`, is in the unit
    offset: npt.NDArray[np.float64]
    smooth: npt.NDArray[np.bool_]  # whether good readings are smoothed
    rate_max: npt.NDArray[np.float64]  # change a second; 0: not told
    rollover: npt.NDArray[np.float64]  # 0: not told
    states: Lists  # those there are; none: not told
    is_told: npt.NDArray[np.bool_]  # whether a rule must look that looks only where it is told


def limits_of(rules: Sequence[TagRule]) -> Limits:
    """Lay out rules for the kernel."""
    return Limits(
        low=np.array([-np.inf if one.low is None else one.low for one in rules], np.float64),
        high=np.array([np.inf if one.high is None else one.high for one in rules], np.float64),
        kind=np.array([KIND_CODES[one.kind] for one in rules], np.int8),
        learns_kind=np.array([one.learns_kind for one in rules], np.bool_),
        codes=lists_of([one.sentinels for one in rules]),
        rests=lists_of([one.rest for one in rules]),
        factor=np.array([one.factor for one in rules], np.float64),
        offset=np.array([one.offset for one in rules], np.float64),
        smooth=np.array([one.is_smoothed for one in rules], np.bool_),
        rate_max=np.array([one.rate_max or 0.0 for one in rules], np.float64),
        rollover=np.array([one.rollover or 0.0 for one in rules], np.float64),
        states=lists_of([one.states for one in rules]),
        is_told=np.array(
            [bool(one.rate_max or one.states or one.neighbours) for one in rules], np.bool_
        ),
    )


def lists_of(lists: Sequence[Sequence[float]]) -> Lists:
    """Lay out one list of numbers for each tag."""
    lengths = np.array([len(one) for one in lists], np.int32)
    numbers = np.array([number for one in lists for number in one], np.float64)
    return Lists((np.cumsum(lengths) - lengths).astype(np.int32), lengths, numbers)


def joined(limits: Limits, others: Limits) -> Limits:
    """Put the rules of more tags after those there are.

    >>> both = joined(limits_of([TagRule(sentinels=(85.0, 0.0))]), limits_of([TagRule(high=9.0)]))
    >>> both.codes.first.tolist(), both.codes.length.tolist(), both.high.tolist()
    ([0, 2], [2, 0], [inf, 9.0])
    """
    pairs: Any = zip(limits, others, strict=True)
    whole: Any = (
        _joined_lists(*pair) if isinstance(pair[0], Lists) else np.concatenate(pair)
        for pair in pairs
    )
    return Limits(*whole)


def _joined_lists(lists: Lists, others: Lists) -> Lists:
    moved = others._replace(first=others.first + np.int32(len(lists.numbers)))
    pairs: Any = zip(lists, moved, strict=True)
    return Lists(*(np.concatenate(pair) for pair in pairs))


@rule
def is_listed(lists: Lists, tag: int, value: float) -> bool:
    """Tell whether the list of a tag has a number.

    >>> is_listed(lists_of([(), (4.0, 20.0)]), 1, 20.0)
    True
    """
    first, found = lists.first[tag], False
    for k in range(first, first + lists.length[tag]):
        found |= value == lists.numbers[k]
    return found


@rule
def in_unit(limits: Limits, tag: int, value: float) -> float:
    """Convert a raw value into the unit of its tag; with nothing to convert it stays as it is.

    >>> in_unit(limits_of([TagRule(factor=5 / 9, offset=-160 / 9)]), 0, 212.0)
    100.0
    """
    if limits.factor[tag] == 1.0 and limits.offset[tag] == 0.0:
        return value
    return float(value * limits.factor[tag] + limits.offset[tag])


@rule
def mark_value(limits: Limits, tag: int, value: float) -> int:
    """Mark a raw value by what is known without any other reading.

    >>> rules = limits_of([TagRule(low=0.0, high=90.0, sentinels=(85.0,)), TagRule()])
    >>> [mark_value(rules, 0, x) for x in (20.0, -1.0, 85.0, float("inf"))] == [
    ...     0, OUTSIDE, CODE, EMPTY]
    True
    >>> mark_value(rules, 1, 65535.0) == CANDIDATE
    True
    """
    converted = in_unit(limits, tag, value)
    if not np.isfinite(converted):
        return EMPTY
    mark = 0
    if converted < limits.low[tag] or converted > limits.high[tag]:
        mark |= OUTSIDE
    if limits.codes.length[tag] == 0:
        for code in CUSTOMARY:
            if value == code:
                mark |= CANDIDATE
    return mark | CODE if is_listed(limits.codes, tag, value) else mark


@rule
def is_far(state: State, tag: int, value: float) -> bool:
    """Tell whether a value lies far outside all good values of the tag so far.

    Nothing is far from a tag with less than HISTORY_MIN readings of history, nor from one that
    has never had any value but the customary codes.
    """
    if state.tally[tag, HISTORY] < HISTORY_MIN:
        return False
    low, high = state.trait[tag, LOWEST], state.trait[tag, HIGHEST]
    outside = max(low - value, value - high)
    enough = max(FAR_SPANS * (high - low), FAR_SCALES * state.trait[tag, WIDE_SCALE])
    return bool(low <= high and outside > enough)
