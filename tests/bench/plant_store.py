"""A store as gainline leaves it after days of a plant: verdicts, late readings, maintenance.

What arrives comes in the order of its arrival, the readings of all tags interleaved; one in 200
comes up to six hours late, one in 100 is BAD, one in 200 UNCERTAIN. A tenth of the tags are
counters, a tenth states.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contracts.batches import CLEAN_SCHEMA, CleanBatch, CleanCommit
from contracts.quality import Reason
from contracts.tags import Kind, Place, Tag
from store.lake import Lake
from store.sums.rolling import roll_up
from store.upkeep.maintain import maintain, merge_small

SECOND_US = 1_000_000
GATEWAYS = 10
LATE_S_MAX = 6 * 3_600
# A commit of so many readings is what a busy minute comes to.
COMMIT_READINGS = 100_000
# The last of it comes by a commit a second, as `run` makes them, with its steps in between.
RECENT_S = 180
STEP_EVERY_S = 20


class Plan(NamedTuple):
    """How much there is: each tag has a reading every `every_s` seconds."""

    tags: int
    days: float
    every_s: int
    recent_s: int = RECENT_S

    @property
    def names(self) -> list[str]:
        """The tags, in no order that their names have."""
        return [
            f"plant/area{n % 7}/line{n % 31}/machine{n}/signal{n % 13}" for n in range(self.tags)
        ]


class Arrivals(NamedTuple):
    """Readings in order of arrival: the number of each one's tag, its times, value, verdict."""

    tag: npt.NDArray[np.int64]
    time_us: npt.NDArray[np.int64]
    received_us: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    quality: npt.NDArray[np.int8]

    def at(self, rows: Any) -> Arrivals:  # noqa: ANN401  # whatever numpy takes as an index
        """Take some rows."""
        return Arrivals(*(column[rows] for column in self))


class Plant:
    """Gives what arrives until a time, then until a later one."""

    def __init__(self, plan: Plan, start_us: int) -> None:
        self._plan, self._made_us = plan, start_us
        self._rng = rng = np.random.default_rng(1)
        count = plan.tags
        self._phase_us = rng.integers(0, plan.every_s * 1_000, count) * 1_000
        self._level = np.round(rng.uniform(10, 90, count), 2)
        self._is_counter = np.arange(count) % 10 == 0
        self._is_state = np.arange(count) % 10 == 1
        self._level[self._is_state] = 0
        empty = np.zeros(0, np.int64)
        self._waiting = Arrivals(empty, empty, empty, np.zeros(0), np.zeros(0, np.int8))

    def until(self, end_us: int) -> Arrivals:
        """Give what arrives before a time and was not given yet, in the order of its arrival."""
        steps = -(-(end_us - self._made_us) // (self._plan.every_s * SECOND_US))
        if steps > 0:
            made = self._steps(int(steps))
            pairs = zip(self._waiting, made, strict=True)
            self._waiting = Arrivals(*(np.concatenate(pair) for pair in pairs))
        has_come = self._waiting.received_us < end_us
        come = self._waiting.at(has_come)
        self._waiting = self._waiting.at(~has_come)
        return come.at(np.argsort(come.received_us, kind="stable"))

    def _steps(self, steps: int) -> Arrivals:
        rng, count = self._rng, self._plan.tags
        shape = (steps, count)
        moves = np.where(self._is_counter, rng.poisson(0.3, shape), rng.normal(0, 0.05, shape))
        walk = np.round(self._level + np.cumsum(moves, axis=0), 2)
        flips = (rng.random((steps, int(self._is_state.sum()))) < 0.01).cumsum(axis=0)
        walk[:, self._is_state] = (self._level[self._is_state] + flips) % 2
        self._level = walk[-1]
        step_us = self._plan.every_s * SECOND_US
        times = self._made_us + np.arange(steps)[:, None] * step_us + self._phase_us
        self._made_us += steps * step_us
        rows = steps * count
        delay_us = rng.exponential(0.2 * SECOND_US, rows).astype(np.int64)
        is_late = rng.random(rows) < 0.005
        delay_us[is_late] = rng.integers(60, LATE_S_MAX, int(is_late.sum())) * SECOND_US
        chance = rng.random(rows)
        quality = np.where(chance < 0.01, 2, np.where(chance < 0.015, 1, 0)).astype(np.int8)
        tag = np.tile(np.arange(count), steps)
        return Arrivals(tag, times.ravel(), times.ravel() + delay_us, walk.ravel(), quality)


def fill(folder: Path, plan: Plan, until: datetime) -> Iterator[Arrivals]:
    """Make a store of what comes until a time, and give all of it, commit by commit.

    The last `recent_s` seconds come by a commit a second, after a round of maintenance.
    """
    end_us = int(until.timestamp()) * SECOND_US
    start_us = end_us - int(plan.days * 86_400) * SECOND_US
    recent_us = end_us - plan.recent_s * SECOND_US
    catalogue(folder, plan)
    plant = Plant(plan, start_us)
    commit_us = COMMIT_READINGS * plan.every_s * SECOND_US // plan.tags
    with Lake.open(folder, writer="judge") as judge:
        writer = Writer(judge, plan)
        for time_us in [*range(start_us + commit_us, recent_us, commit_us), recent_us]:
            yield writer.commit(plant.until(time_us))
            roll_up(folder)
        maintain(folder, now=datetime.fromtimestamp(recent_us / SECOND_US, UTC))
        for second in range(1, plan.recent_s + 1):
            yield writer.commit(plant.until(recent_us + second * SECOND_US))
            # the last ones are neither merged nor rolled up yet
            if second % STEP_EVERY_S == 0 and second < plan.recent_s:
                merge_small(folder)
                roll_up(folder)


def catalogue(folder: Path, plan: Plan) -> None:
    """Note the tags."""
    tags = [
        Tag(name, Place(*name.split("/")), "°C" if number % 2 else None, Kind.GAUGE)
        for number, name in enumerate(plan.names)
    ]
    with Lake.open(folder, writer="tags") as lake:
        lake.revise_tags(lambda _known: tags)


class Writer:
    """Commits what arrives, as the judge does."""

    def __init__(self, judge: Lake, plan: Plan) -> None:
        self._judge, self._arrival = judge, judge.judge_progress().arrival
        self._names = pa.array(plan.names)
        self._gateways = pa.array([f"gateway-{number % GATEWAYS}" for number in range(plan.tags)])

    def commit(self, come: Arrivals) -> Arrivals:
        """Commit readings; give them."""
        if len(come.tag):
            table = self._table(come)
            self._arrival += len(come.tag)
            self._judge.commit_clean(CleanCommit(CleanBatch(table), self._arrival, b"", 1))
        return come

    def _table(self, come: Arrivals) -> pa.Table:
        rows, numbers = len(come.tag), pa.array(come.tag)
        arrivals = np.arange(self._arrival, self._arrival + rows)
        bits = np.array([0, int(Reason.SPIKE), int(Reason.RANGE)], np.int32)
        given = {
            "arrival": arrivals,
            "tag": self._names.take(numbers),
            "source_time": come.time_us,
            "received_time": come.received_us,
            "value": come.value,
            "source_quality": np.zeros(rows, np.int8),
            "source_reasons": np.zeros(rows, np.int32),
            "gateway": self._gateways.take(numbers),
            "epoch": pa.array(["0190c1f2"]).take(pa.array(np.zeros(rows, np.int8))),
            "seq": arrivals // GATEWAYS,
            "identity": pa.array(["A"]).take(pa.array(np.zeros(rows, np.int8))),
            "topic": self._names.take(numbers),
            "value_clean": pa.array(come.value, mask=come.quality == 2),
            "quality": come.quality,
            "reasons": bits[come.quality],
        }
        arrays = [
            pa.array(given[field.name]).cast(field.type)
            if field.name in given
            else pa.nulls(rows, field.type)
            for field in CLEAN_SCHEMA
        ]
        return pa.Table.from_arrays(arrays, schema=CLEAN_SCHEMA)
