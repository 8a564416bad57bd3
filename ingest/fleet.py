"""Simulates gateways that send what is measured now, in every native shape, late where offline."""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from contracts.errors import ConfigError
from ingest.outgoing import Outgoing

if TYPE_CHECKING:
    from collections.abc import Iterator

METRICS = ("temperature_c", "vibration_mm_s", "power_kw", "good_count", "state")
MACHINES = 4  # of one gateway
COLUMN_ROWS = 40  # of a column message: with five metrics 200 readings
ROW_US = 100_000  # between two rows of it
OFFLINE_SHARE = 0.1  # of the whole time, for one outage
GATEWAYS_MAX = 4_096  # as many as are remembered: see ingest/identity.py

_encode = msgspec.json.Encoder().encode


class Shape(StrEnum):
    """What a gateway sends."""

    READING = "reading"  # one reading: {"ts", "value"}
    MACHINE = "machine"  # all metrics of a machine at one time
    COLUMNS = "columns"  # many times at once
    VALUE = "value"  # a bare value: no time, no count
    MIXED = "mixed"  # the shapes above in turn, gateway by gateway


_EACH = (Shape.READING, Shape.MACHINE, Shape.COLUMNS, Shape.VALUE)


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """What is simulated; all that is random follows from `seed`.

    `rate` is messages a second of all gateways together, over `seconds`. A message goes out up to
    `jitter_s` later than what it says was measured. In an outage a gateway goes offline for
    OFFLINE_SHARE of the time, keeps its messages and sends them when it is back. `repeat_share` of
    the messages go out twice, as after a lost acknowledgement. `epoch` names this start.
    ConfigError where that makes no fleet.
    """

    shape: Shape = Shape.MIXED
    gateways: int = 4
    rate: float = 20.0
    seconds: float = 60.0
    jitter_s: float = 0.0
    outages: int = 0
    repeat_share: float = 0.0
    seed: int = 1
    epoch: str = "simulated"

    def __post_init__(self) -> None:
        for is_met, demand in (
            (1 <= self.gateways <= GATEWAYS_MAX, f"gateways must be 1 to {GATEWAYS_MAX}"),
            (self.rate > 0 and self.seconds > 0, "rate and seconds must be above 0"),
            (self.jitter_s >= 0 and self.outages >= 0, "jitter and outages must be 0 or more"),
            (0 <= self.repeat_share < 1, "the share of repeats must be 0 or more, and below 1"),
        ):
            if not is_met:
                raise ConfigError(demand)


class Sending(NamedTuple):
    """A message, when it goes out (seconds since the start), and how many readings it holds."""

    at_s: float
    message: Outgoing
    reading_count: int
    is_repeat: bool


def sendings(plan: FleetPlan, *, start_us: int) -> Iterator[Sending]:
    """Give all messages of a fleet in the order in which they go out.

    `start_us` is the source time, microseconds since 1970, at which the first is measured.

    >>> first = next(sendings(FleetPlan(Shape.VALUE), start_us=0))
    >>> first.message.topic.split("/")[:2], first.reading_count
    (['simulated', 'gateway1'], 1)
    """
    offline = _outages(plan)
    streams = [
        _gateway(plan, number, start_us, offline.get(number, ()))
        for number in range(1, plan.gateways + 1)
    ]
    yield from heapq.merge(*streams, key=lambda sending: sending.at_s)


def _outages(plan: FleetPlan) -> dict[int, tuple[tuple[float, float], ...]]:
    """Draw who is offline from when to when, in seconds since the start."""
    chance = random.Random(f"{plan.seed} outages")  # noqa: S311  # a simulation, no secret
    length_s = OFFLINE_SHARE * plan.seconds
    drawn: dict[int, list[tuple[float, float]]] = {}
    for _ in range(plan.outages):
        begin_s = chance.uniform(0, plan.seconds - length_s)
        who = chance.randint(1, plan.gateways)
        drawn.setdefault(who, []).append((begin_s, begin_s + length_s))
    return {number: tuple(sorted(spans)) for number, spans in drawn.items()}


def _gateway(
    plan: FleetPlan, number: int, start_us: int, offline: tuple[tuple[float, float], ...]
) -> Iterator[Sending]:
    chance = random.Random(f"{plan.seed} {number}")  # noqa: S311  # the same
    shape = _EACH[(number - 1) % len(_EACH)] if plan.shape is Shape.MIXED else plan.shape
    interval_s = plan.gateways / plan.rate
    floor = _Floor(f"simulated/gateway{number}", chance)
    sent_s = 0.0
    for seq in count():
        measured_s = (seq + (number - 1) / plan.gateways) * interval_s
        if measured_s >= plan.seconds - interval_s / 2 / plan.gateways:
            return
        sent_s = max(sent_s, measured_s + chance.uniform(0, plan.jitter_s))
        for begin_s, end_s in offline:
            if begin_s <= sent_s < end_s:
                sent_s = end_s
        identity = {"gateway": f"gateway{number}", "epoch": plan.epoch, "seq": seq}
        now_us = start_us + round(measured_s * 1_000_000)
        message, reading_count = floor.message(shape, seq, now_us, identity)
        yield Sending(sent_s, message, reading_count, is_repeat=False)
        if chance.random() < plan.repeat_share:
            yield Sending(sent_s, message, reading_count, is_repeat=True)


class _Floor:
    """The machines of one gateway."""

    def __init__(self, stem: str, chance: random.Random) -> None:
        self._stem = stem
        self._chance = chance
        self._made = [0] * MACHINES  # good units, which only grow

    def message(
        self, shape: Shape, seq: int, now_us: int, identity: dict[str, Any]
    ) -> tuple[Outgoing, int]:
        """Measure in turn what the shape holds; give the message and how many readings it has."""
        machine = seq % MACHINES
        topic = f"{self._stem}/line{machine // 2 + 1}/machine{machine + 1}"
        ms = now_us // 1000
        if shape is Shape.COLUMNS:
            times = [now_us - ROW_US * row for row in reversed(range(COLUMN_ROWS))]
            rows = [self._measure(machine, time_us) for time_us in times]
            columns = {name: [row[name] for row in rows] for name in METRICS}
            sent = {**identity, "ts": [time_us // 1000 for time_us in times], **columns}
            return Outgoing(topic, _encode(sent)), COLUMN_ROWS * len(METRICS)
        measured = self._measure(machine, now_us)
        if shape is Shape.MACHINE:
            return Outgoing(topic, _encode({**identity, "ts": ms, **measured})), len(METRICS)
        metric = METRICS[seq // MACHINES % len(METRICS)]
        value = measured[metric]
        body = value if shape is Shape.VALUE else {**identity, "ts": ms, "value": value}
        return Outgoing(f"{topic}/{metric}", _encode(body)), 1

    def _measure(self, machine: int, time_us: int) -> dict[str, float]:
        """Read all sensors of a machine: warm by day, with a unit made now and then."""
        day = math.sin(2 * math.pi * (time_us / 86_400e6))
        noise = self._chance.gauss
        self._made[machine] += self._chance.random() < 1 / 2
        return {
            "temperature_c": round(60 + 5 * day + noise(0, 0.2), 2),
            "vibration_mm_s": round(abs(2 + noise(0, 0.3)), 3),
            "power_kw": round(40 + 3 * day + noise(0, 0.5), 2),
            "good_count": self._made[machine],
            "state": 1,
        }
