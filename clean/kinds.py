"""Learns from its values of what kind a tag is, where no more than its name is known.

A name is a hint: `consumption_kwh` may be a meter or what each hour took. What is learned:

- A "counter" that falls again and again is none. Page's test (1954) sums the log likelihood of
  every change, falls one in two (a quantity that is measured) against one in twenty (a counter
  that is disturbed); a fall to near zero, as a counter's reset, is neither. If all it has shown
  are whole numbers it is an inventory, else a gauge.
- A gauge that only grows is a counter: no fall in so many changes, on both sides of a day, and
  nothing below zero. What a process does, a day brings back; and a quantity that is measured
  wavers, so a counter with resets is not told from a cycle: it needs its name.
- A gauge that shows but a few small whole numbers, each for a while, is a state.

The kind counts from the next reading on, and what was learned of the tag as of another is
forgotten. Further evidence may change it again.
"""

from __future__ import annotations

import math
from typing import Final

from clean.compiled import rule
from clean.counters import ROUNDING, is_reset
from clean.state import (
    CODES_SHOWN,
    COUNTER,
    GAUGE,
    INVENTORY,
    KIND_EVIDENCE,
    KIND_SINCE_H,
    STATE,
)
from clean.window import Floats

FALLS_MEASURED: Final = 0.5  # of the changes: what goes to and fro falls as often as it rises
FALLS_DISTURBED: Final = 0.05  # of a counter, as the counter rule bears
FALL_WEIGHT: Final = math.log(FALLS_MEASURED / FALLS_DISTURBED)
RISE_WEIGHT: Final = math.log((1.0 - FALLS_MEASURED) / (1.0 - FALLS_DISTURBED))
FALLS_PROOF: Final = math.log(1e6)  # a false alarm in about a million changes

# Were falls as rare as one in a hundred changes, so many rises in a row came once in 150 times.
RISES_MIN: Final = 500.0
RISING_H: Final = 24.0
H_PER_US: Final = 1.0 / 3_600_000_000.0

SHOWN_MIN: Final = 500  # readings, for the same reason
CODES: Final = 8  # 0 to 7: a few bits of a register
FEW: Final = 4  # off, idle, running, fault: more of them may well be small numbers of something
HELD_CHANGES: Final = 0.25  # of the readings: as for the chatter of states, a state lasts
MORE: Final = 2.0**CODES  # stands for all larger whole numbers
NO_CODES: Final = -1.0  # it has shown what is no whole number, or negative


@rule
def learn_kind(kind: int, move: tuple[float, float, int, bool], doubt: Floats) -> int:
    """Learn from a sound reading, and give the kind that the tag is of from now on.

    `move` is the last value, this one, its time (us), and whether the tag was read SHOWN_MIN times
    and holds its values.
    """
    last, value, time_us, is_lasting = move
    doubt[CODES_SHOWN] = with_code(doubt[CODES_SHOWN], value)
    if kind == STATE:
        return STATE if are_few(doubt[CODES_SHOWN]) else GAUGE
    if kind == GAUGE and is_lasting and are_few(doubt[CODES_SHOWN]):
        return STATE
    step = value - last
    if not abs(step) > ROUNDING * abs(last):
        return kind
    if kind == GAUGE:
        return COUNTER if only_grows(last, step, time_us, doubt) else GAUGE
    if kind == COUNTER and falls_often(last, value, doubt):
        return INVENTORY if doubt[CODES_SHOWN] >= 0.0 else GAUGE
    return kind


@rule
def with_code(shown: float, value: float) -> float:
    """Enter a value into the sum of bits of what a tag has shown.

    >>> with_code(with_code(0.0, 0.0), 2.0), with_code(5.0, 900.0), with_code(5.0, 0.5)
    (5.0, 261.0, -1.0)
    """
    if shown < 0.0 or value < 0.0 or value != math.floor(value):
        return NO_CODES
    bit = 2.0 ** min(value, float(CODES))
    return shown if math.floor(shown / bit) % 2.0 == 1.0 else shown + bit


@rule
def are_few(shown: float) -> bool:
    """Tell whether these are few small codes.

    >>> are_few(1.0 + 2.0 + 8.0), are_few(31.0), are_few(1.0 + MORE), are_few(NO_CODES)
    (True, False, False, False)
    """
    if not 0.0 < shown < MORE:
        return False
    count, left = 0.0, shown
    for _ in range(CODES):
        count += left % 2.0
        left = math.floor(left / 2.0)
    return bool(count <= FEW)


@rule
def only_grows(last: float, step: float, time_us: int, doubt: Floats) -> bool:
    """Count changes without a fall; tell whether there were enough of them, for long enough.

    A fall is as likely as a rise, where a branch costs more than to count both.
    """
    before, hours = doubt[KIND_EVIDENCE], time_us * H_PER_US
    rises = min(before + 1.0, RISES_MIN) if (step > 0.0) & (last >= 0.0) else 0.0
    doubt[KIND_EVIDENCE] = rises
    since = doubt[KIND_SINCE_H]
    doubt[KIND_SINCE_H] = hours if rises <= 1.0 else since
    return bool(rises >= RISES_MIN and hours - doubt[KIND_SINCE_H] >= RISING_H)


@rule
def falls_often(last: float, value: float, doubt: Floats) -> bool:
    """Sum the evidence that a counter is none; tell whether it is enough.

    >>> import numpy as np
    >>> from clean.state import DOUBTS
    >>> doubt = np.zeros(DOUBTS)
    >>> [falls_often(9.0, 8.0, doubt) for _ in range(6)]
    [False, False, False, False, False, True]
    """
    if value > last:
        doubt[KIND_EVIDENCE] = max(doubt[KIND_EVIDENCE] + RISE_WEIGHT, 0.0)
    elif not is_reset(value, last, 0.0):
        doubt[KIND_EVIDENCE] += FALL_WEIGHT
    return bool(doubt[KIND_EVIDENCE] > FALLS_PROOF)
