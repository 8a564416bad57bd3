"""The faults planted in a simulated plant's readings, never in its books."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import numpy as np

from ingest.plant.floor import Bools, Floats, Ints
from ingest.plant.plan import SLOT_US, LinePlan, PlantPlan
from ingest.plant.sensors import GAUGES, Columns

SENTINEL = -9999.0  # what many converters send for "no value"
WEEKS_PER_YEAR = 52
RESET_BLOCK_WEEKS = 26  # in most half-years a controller is restarted once
RESET_SHARE = 0.7
OUTAGES_PER_YEAR = 5
OUTAGE_SLOTS = (4, 80)  # 1 to 20 hours


class FaultKind(StrEnum):
    """How a sensor or a counter fails."""

    SPIKE = "spike"  # one reading far off
    SENTINEL = "sentinel"  # SENTINEL in place of the value
    DROPOUT = "dropout"  # null in place of the value
    STUCK = "stuck"  # the last value again and again
    RESET = "reset"  # a counter that begins again at 0


class Fault(NamedTuple):
    """A planted fault: the source times of its first and last reading, microseconds."""

    tag: str
    start_us: int
    end_us: int
    kind: FaultKind


class Outage(NamedTuple):
    """A gateway that lost what its machines sent; the times of the first and last lost reading."""

    gateway: str
    start_us: int
    end_us: int


# kind: faults of a gauge in a year, shortest and longest in readings
_RATES = {
    FaultKind.STUCK: (0.5, 24, 96),
    FaultKind.DROPOUT: (4.0, 1, 8),
    FaultKind.SENTINEL: (3.0, 1, 6),
    FaultKind.SPIKE: (6.0, 1, 1),
}


def lose_readings(plan: PlantPlan, gateway: str, number: int) -> tuple[Bools, tuple[Outage, ...]]:
    """Draw a gateway's outages. True where a reading is lost; the first and last never are."""
    rng = plan.random("outages", number)
    size = plan.slot_count + 1
    lost = np.zeros(size, dtype=bool)
    for _ in range(rng.poisson(OUTAGES_PER_YEAR * plan.weeks / WEEKS_PER_YEAR)):
        length = int(rng.integers(OUTAGE_SLOTS[0], OUTAGE_SLOTS[1] + 1))
        start = int(rng.integers(1, size - length - 1))
        lost[start : start + length] = True
    edges = np.flatnonzero(np.diff(lost.astype(np.int8))) + 1
    spells = edges.reshape(-1, 2).tolist()
    outages = (Outage(gateway, _at(plan, start), _at(plan, end - 1)) for start, end in spells)
    return lost, tuple(outages)


def plant_faults(
    plan: PlantPlan, line: LinePlan, columns: Columns, lost: Bools
) -> tuple[Columns, tuple[Fault, ...]]:
    """Spoil gauges and reset counters. No fault lies where readings are lost or another lies.

    The columns given are left as they are; NaN stands for a value that is sent as null.
    """
    rng = plan.random("faults", line.number)
    spoilt = dict(columns)
    faults: list[Fault] = []
    for metric, (decimals, span) in GAUGES.items():
        values = np.array(columns[metric], np.float64)
        free = ~lost
        free[0] = False
        for kind, start, end in _draw(plan, rng, free):
            _spoil(rng, values[start:end], values[start - 1], kind=kind, span=span)
            values[start:end] = np.round(values[start:end], decimals)
            faults.append(_fault(plan, f"{line.topic}/{metric}", (start, end), kind))
        spoilt[metric] = values
    for at in _draw_resets(plan, rng, lost):
        for metric in ("good_count", "scrap_count"):
            spoilt[metric] = _reset(spoilt[metric], at)
            faults.append(_fault(plan, f"{line.topic}/{metric}", (at, at + 1), FaultKind.RESET))
    return spoilt, tuple(faults)


def _draw(
    plan: PlantPlan, rng: np.random.Generator, free: Bools
) -> list[tuple[FaultKind, int, int]]:
    """Draw spells of readings that neither overlap nor touch."""
    spells = []
    for kind, (per_year, shortest, longest) in _RATES.items():
        for _ in range(rng.poisson(per_year * plan.weeks / WEEKS_PER_YEAR)):
            length = int(rng.integers(shortest, longest + 1))
            start = int(rng.integers(1, len(free) - length))
            end = start + length
            if free[start - 1 : end + 1].all():
                free[start:end] = False
                spells.append((kind, start, end))
    return spells


def _spoil(
    rng: np.random.Generator, values: Floats, before: float, *, kind: FaultKind, span: float
) -> None:
    """Write the fault over the values, in place."""
    if kind is FaultKind.SPIKE:
        values += rng.choice([-1, 1]) * rng.uniform(0.3, 0.8) * span
    elif kind is FaultKind.SENTINEL:
        values[:] = SENTINEL
    elif kind is FaultKind.DROPOUT:
        values[:] = np.nan
    else:
        values[:] = before


def _draw_resets(plan: PlantPlan, rng: np.random.Generator, lost: Bools) -> list[int]:
    """Draw the readings that are the first after a restart, a quarter of a year apart or more."""
    resets = []
    block = min(RESET_BLOCK_WEEKS, plan.weeks) * plan.slot_count // plan.weeks
    for begin in range(0, plan.slot_count - block + 1, block):
        at = begin + int(rng.integers(block // 4, block * 3 // 4))
        if rng.random() < RESET_SHARE and not lost[at - 1 : at + 1].any():
            resets.append(at)
    return resets


def _reset(total: Floats | Ints, at: int) -> Floats | Ints:
    """Begin again at 0 just after the reading before `at`.

    >>> _reset(np.array([5, 7, 8]), 1).tolist()
    [5, 2, 3]
    """
    return np.concatenate([total[:at], total[at:] - total[at - 1]])


def _fault(plan: PlantPlan, tag: str, spell: tuple[int, int], kind: FaultKind) -> Fault:
    return Fault(tag, _at(plan, spell[0]), _at(plan, spell[1] - 1), kind)


def _at(plan: PlantPlan, reading: int) -> int:
    return plan.start_us + reading * SLOT_US
