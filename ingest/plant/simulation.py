"""The simulated plant: a year of readings with known upgrades, faults and books.

Nothing here is measured anywhere. The plant exists so that the whole way from MQTT to the
statement of gains can be run, and its answer compared with a truth that is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import msgspec
import numpy as np

from contracts.panel import Upgrades
from ingest.outgoing import Outgoing
from ingest.plant.books import Books, keep_books, upgrades_of
from ingest.plant.faults import Fault, Outage, lose_readings, plant_faults
from ingest.plant.floor import Bools, Ints, Run, run_line, surroundings
from ingest.plant.plan import SLOT_US, SLOTS_PER_DAY, LinePlan, PlantPlan, line_plans
from ingest.plant.sensors import METRICS, Columns, read_machine

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Plant:
    """A plant that has run. Books and upgrades are there at once; readings when asked for."""

    plan: PlantPlan
    books: Books
    upgrades: Upgrades
    runs: tuple[tuple[LinePlan, Run], ...] = field(repr=False)

    def messages(self) -> Iterator[Outgoing]:
        """Send what the gateways sent: a column array per machine and day, in order of time.

        A machine is read every quarter of an hour. A day of which everything was lost is not sent.
        `seq` counts the messages of a gateway without a gap: what a gateway lost, it lost before it
        counted.
        """
        seqs = {feed.line.gateway: 0 for feed in self._feeds}
        times_ms = (self.plan.start_us + np.arange(self.plan.slot_count + 1) * SLOT_US) // 1000
        for day in range(self.plan.weeks * 7):
            for feed in self._feeds:
                rows = feed.rows_of(day)
                if len(rows):
                    gateway = feed.line.gateway
                    head = {"gateway": gateway, "epoch": self.plan.epoch, "seq": seqs[gateway]}
                    body = {name: values[rows].tolist() for name, values in feed.columns.items()}
                    payload = _encode({**head, "ts": times_ms[rows].tolist(), **body})
                    yield Outgoing(feed.line.topic, payload)
                    seqs[gateway] += 1

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Every fault planted in a gauge and every reset of a counter."""
        return tuple(fault for feed in self._feeds for fault in feed.faults)

    @cached_property
    def outages(self) -> tuple[Outage, ...]:
        """Every spell in which a gateway lost its readings."""
        return tuple(outage for _, outages in self._losses.values() for outage in outages)

    @property
    def reading_count(self) -> int:
        """How many readings the messages carry, nulls included."""
        return sum(int((~feed.lost).sum()) for feed in self._feeds) * len(METRICS)

    @property
    def message_count(self) -> int:
        """How many messages there are."""
        days = range(self.plan.weeks * 7)
        return sum(len(feed.rows_of(day)) > 0 for feed in self._feeds for day in days)

    @cached_property
    def _losses(self) -> dict[str, tuple[Bools, tuple[Outage, ...]]]:
        gateways = dict.fromkeys(line.gateway for line, _ in self.runs)
        return {name: lose_readings(self.plan, name, n) for n, name in enumerate(gateways)}

    @cached_property
    def _feeds(self) -> tuple[_Feed, ...]:
        return tuple(self._feed(line, run) for line, run in self.runs)

    def _feed(self, line: LinePlan, run: Run) -> _Feed:
        lost = self._losses[line.gateway][0]
        columns, faults = plant_faults(self.plan, line, read_machine(self.plan, line, run), lost)
        return _Feed(line, columns, lost, faults)


@dataclass(frozen=True, slots=True)
class _Feed:
    """All that one machine showed, and which of it was lost on the way."""

    line: LinePlan
    columns: Columns
    lost: Bools
    faults: tuple[Fault, ...]

    def rows_of(self, day: int) -> Ints:
        """List the readings of a day that came through; midnight ends a day."""
        first = day * SLOTS_PER_DAY + 1 if day else 0
        last = (day + 1) * SLOTS_PER_DAY + 1
        return first + np.flatnonzero(~self.lost[first:last])


def simulate(plan: PlantPlan) -> Plant:
    """Run the plant. The same plan gives the same plant, byte for byte."""
    around = surroundings(plan)
    lines = line_plans(plan)
    runs = tuple((line, run_line(plan, line, around)) for line in lines)
    return Plant(plan, keep_books(plan, runs), upgrades_of(plan, lines), runs)
