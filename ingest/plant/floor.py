"""What truly happens on the lines of a simulated plant, quarter of an hour by quarter.

The sizes are those of ordinary discrete manufacturing; none is taken from a data set. Random
numbers are drawn in the same order whatever the upgrades do, so a plan with and without an
effect differs in the effect alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from ingest.plant.plan import SLOTS_PER_DAY, SLOTS_PER_WEEK, LinePlan, PlantPlan

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

OFF, RUNNING, STOPPED, SETUP = 0, 1, 2, 3

SLOTS_PER_HOUR = 4
SLOTS_PER_SHIFT = 32
FIRST_SHIFT_SLOT = 24  # the early shift begins at 06:00

HOT_C, COLD_C = 24.0, 5.0  # outside these, machines suffer
OUTPUT_PER_HOT_C, COST_PER_HOT_C, COST_PER_COLD_C = -0.006, 0.006, 0.004
OUTPUT_OF_MIX, COST_OF_MIX = -0.25, 0.30  # from only simple to only complex products


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What lines share: weather and holidays of a site, trend and season of the plant (log)."""

    ambient_c: tuple[Floats, ...]  # per site, one value a slot
    works: tuple[Bools, ...]  # per site, one value a day: no holiday
    output: Floats  # one value a week
    cost: Floats  # one value a week


@dataclass(frozen=True, slots=True)
class Run:
    """What one line did; every array has one value a slot.

    `units_per_hour` is what it makes in an hour of production as it was planned, without upgrade.
    """

    units_per_hour: float
    state: Ints
    good: Ints
    scrap: Ints
    kwh: Floats
    kg: Floats
    product_mix: Floats
    ambient_c: Floats


def surroundings(plan: PlantPlan) -> Surroundings:
    """Draw what the lines share."""
    rng = plan.random("surroundings")
    weeks = np.arange(plan.weeks)
    season = np.sin(2 * math.pi * weeks / 52)
    works = tuple(rng.random(plan.weeks * 7) > 8 / 260 for _ in range(plan.site_count))
    return Surroundings(
        ambient_c=tuple(_weather(plan, site) for site in range(plan.site_count)),
        works=works,
        output=0.02 * season + rng.normal(0.0008, 0.004, plan.weeks).cumsum(),
        cost=0.01 * season + rng.normal(0.0005, 0.003, plan.weeks).cumsum(),
    )


def run_line(plan: PlantPlan, line: LinePlan, around: Surroundings) -> Run:
    """Run one line through the whole plan.

    Alpha multiplies the pieces at the same states and hours; energy and material per good unit
    are multiplied by 1 - beta. The scrap rate is not touched. Metered energy is that of the
    process alone; the base load of the building is fixed cost and on another meter.
    """
    rng = plan.random("line", line.number)
    state = _states(plan, rng, around.works[line.site])
    ambient = around.ambient_c[line.site]
    mix = _mix(plan, rng)
    hot, cold = np.maximum(ambient - HOT_C, 0), np.maximum(COLD_C - ambient, 0)
    built = _built(plan, line)

    speed = _noise(plan, rng, week=0.015, day=0.01) + _by_week(around.output)
    speed += OUTPUT_PER_HOT_C * hot + OUTPUT_OF_MIX * mix + built * math.log(line.alpha)
    speed += rng.normal(0, 0.05, plan.slot_count)
    planned = rng.uniform(60, 240)
    pieces = planned * np.exp(speed) * (state == RUNNING)

    scrap_rate = rng.uniform(0.015, 0.04) * np.exp(_noise(plan, rng, week=0.05, day=0.10))
    cost = _noise(plan, rng, week=0.010, day=0.01) + _by_week(around.cost)
    cost += COST_PER_HOT_C * hot + COST_PER_COLD_C * cold + COST_OF_MIX * mix
    per_piece = np.exp(cost + built * math.log1p(-line.beta)) * pieces
    return Run(
        units_per_hour=planned * SLOTS_PER_HOUR,
        state=state,
        good=_whole(pieces * (1 - scrap_rate)),
        scrap=_whole(pieces * scrap_rate),
        kwh=rng.uniform(0.4, 0.9) * per_piece,
        kg=rng.uniform(0.3, 0.8) * per_piece,
        product_mix=mix,
        ambient_c=ambient,
    )


def _weather(plan: PlantPlan, site: int) -> Floats:
    """Outdoor temperature: the year, spells of weather, the hour of the day."""
    rng = plan.random("weather", site)
    days = np.arange(plan.weeks * 7 + 1)
    mean = 11 + rng.uniform(0, 5) - 11 * np.cos(2 * math.pi * (days - 15) / 365)
    mean += _remembering(rng, len(days), memory=0.8, spread=3.0)
    slots = np.arange(plan.slot_count)
    hour = slots % SLOTS_PER_DAY / 4
    daily: Floats = 4 * np.sin(2 * math.pi * (hour - 9) / 24)
    smooth: Floats = np.interp(slots / SLOTS_PER_DAY, days, mean)
    return smooth + daily


def _states(plan: PlantPlan, rng: np.random.Generator, works: Bools) -> Ints:
    """Off shift, or loaded: set up after a change of product, stopped by a failure, or running."""
    loaded = _loaded(plan, rng, works)
    begins = np.flatnonzero(
        loaded & (np.arange(plan.slot_count) % SLOTS_PER_SHIFT == FIRST_SHIFT_SLOT)
    )
    changes = begins[rng.random(len(begins)) < 0.3]  # about every third shift
    setup = _covered(plan.slot_count, changes, rng.integers(1, 4, len(changes)))
    failures = np.flatnonzero(rng.random(plan.slot_count) < 0.015)
    lengths = np.minimum(rng.geometric(0.45, len(failures)), SLOTS_PER_SHIFT)
    stopped = _covered(plan.slot_count, failures, lengths)
    state = np.where(stopped, STOPPED, np.where(setup, SETUP, RUNNING))
    return np.where(loaded, state, OFF).astype(np.int64)


def _loaded(plan: PlantPlan, rng: np.random.Generator, works: Bools) -> Bools:
    """Two or three shifts from Monday to Friday, some on Saturday, less holidays, maintenance.

    A day runs from 06:00 to 06:00: a night shift belongs to the day on which it starts.
    """
    days = plan.weeks * 7
    shifts = np.zeros((days, 3), dtype=bool)
    weekday = np.arange(days) % 7
    shifts[weekday < 5, : rng.integers(2, 4)] = True
    shifts[weekday == 5, 0] = rng.random(plan.weeks) < rng.uniform(0.1, 0.5)
    shifts[~works] = False
    first, day = rng.integers(0, 4), rng.integers(0, 5)
    shifts[7 * first + day :: 28, 0] = False  # planned maintenance every four weeks
    slots = np.repeat(shifts.ravel(), SLOTS_PER_SHIFT)
    return np.concatenate([np.zeros(FIRST_SHIFT_SLOT, dtype=bool), slots])[: plan.slot_count]


def _covered(size: int, starts: Ints, lengths: Ints) -> Bools:
    """Which slots lie in one of the spells."""
    steps = np.zeros(size + 1, dtype=np.int64)
    np.add.at(steps, starts, 1)
    np.add.at(steps, np.minimum(starts + lengths, size), -1)
    return steps.cumsum()[:size] > 0


def _mix(plan: PlantPlan, rng: np.random.Generator) -> Floats:
    """Share of complex products, planned day by day."""
    week = _remembering(rng, plan.weeks, memory=0.5, spread=0.10)
    day = rng.uniform(0.35, 0.65) + np.repeat(week, 7) + rng.normal(0, 0.05, plan.weeks * 7)
    return np.repeat(np.clip(day, 0, 1), SLOTS_PER_DAY)


def _built(plan: PlantPlan, line: LinePlan) -> Floats:
    """How much of the effect is there: 0 before the upgrade, 1 once it has built up."""
    if line.upgrade_week is None:
        return np.zeros(plan.slot_count)
    since = np.arange(plan.slot_count) - line.upgrade_week * SLOTS_PER_WEEK
    ramp = max(plan.ramp_weeks * SLOTS_PER_WEEK, 1)
    return np.clip((since + (plan.ramp_weeks == 0)) / ramp, 0, 1)


def _noise(plan: PlantPlan, rng: np.random.Generator, *, week: float, day: float) -> Floats:
    """Draw a line's own noise on the log scale, with memory from week to week."""
    weeks = _remembering(rng, plan.weeks, memory=0.6, spread=week)
    return np.repeat(np.repeat(weeks, 7) + rng.normal(0, day, plan.weeks * 7), SLOTS_PER_DAY)


def _remembering(rng: np.random.Generator, size: int, *, memory: float, spread: float) -> Floats:
    """Stationary first-order autoregression with standard deviation `spread`."""
    draws = rng.normal(0, spread, size)
    draws[1:] *= math.sqrt(1 - memory**2)
    return np.array(list(accumulate(draws.tolist(), lambda last, new: memory * last + new)))


def _by_week(values: Floats) -> Floats:
    return np.repeat(values, SLOTS_PER_WEEK)


def _whole(pieces: Floats) -> Ints:
    """Count whole pieces; what is begun in one slot is finished in a later one.

    >>> _whole(np.array([0.6, 0.6, 0.6, 0.6])).tolist()
    [0, 1, 0, 1]
    """
    done: Ints = np.floor(pieces.cumsum()).astype(np.int64)
    return np.diff(done, prepend=0)
