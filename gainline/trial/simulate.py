"""Publishes as gateways would: the days of a simulated plant, or what is measured now."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import NamedTuple

from gainline.config.connection import broker_endpoint
from gainline.config.loading import Settings
from ingest.fleet import FleetPlan, sendings
from ingest.mqtt.publisher import Publisher
from ingest.outgoing import Outgoing
from ingest.plant.plan import PlantPlan
from ingest.plant.simulation import simulate

# The broker acknowledges what it took before; a broker that writes to disk may take its time.
DRAIN_S = 30.0
# A broker ends a connection when its name comes again: several may simulate at once.
CLIENT_ID = f"gainline-simulate-{os.getpid()}"


class Published(NamedTuple):
    """What went out: messages, how many of them were repeats, readings without those of repeats."""

    messages: int
    repeats: int = 0
    readings: int | None = None  # not counted

    def in_words(self) -> str:
        """Say it in a line.

        >>> Published(3, repeats=1, readings=2).in_words()
        'published 3 messages, 1 of them a repeat, with 2 readings; each acknowledged by the broker'
        """
        repeats = "a repeat" if self.repeats == 1 else "repeats"
        counted = f", {self.repeats} of them {repeats}, with {self.readings} readings"
        more = "" if self.readings is None else counted
        return f"published {self.messages} messages{more}; each acknowledged by the broker"


def publish_plant(settings: Settings, *, seconds: float, rate: float, seed: int) -> Published:
    """Publish `rate` messages a second; give their number, each acknowledged by the broker.

    A message is a machine's day, the days of all machines in turn; the last week ends last
    Sunday, so that the readings are recent.
    """
    wanted = max(1, round(seconds * rate))
    messages = islice(simulate(_plan(seed, message_count=wanted)).messages(), wanted)
    timed = ((number / rate, message) for number, message in enumerate(messages))
    return Published(_publish(settings, timed))


def publish_fleet(settings: Settings, plan: FleetPlan) -> Published:
    """Publish what a fleet of gateways measures from now on, each message acknowledged.

    The gateways start anew: their epoch is the time.
    """
    plan = replace(plan, epoch=datetime.now(UTC).isoformat(timespec="seconds"))
    repeats = readings = 0

    def timed() -> Iterator[tuple[float, Outgoing]]:
        nonlocal repeats, readings
        for sending in sendings(plan, start_us=time.time_ns() // 1000):
            repeats += sending.is_repeat
            readings += 0 if sending.is_repeat else sending.reading_count
            yield sending.at_s, sending.message

    messages = _publish(settings, timed())
    return Published(messages, repeats, readings)


def _publish(settings: Settings, timed: Iterator[tuple[float, Outgoing]]) -> int:
    """Publish each message at its time, in seconds from now; give their number."""
    began_s, count = time.monotonic(), 0
    with Publisher(broker_endpoint(settings), client_id=CLIENT_ID) as publisher:
        for at_s, message in timed:
            time.sleep(max(0.0, began_s + at_s - time.monotonic()))
            publisher.publish(message.topic, message.payload)
            count += 1
        publisher.drain(DRAIN_S)
    return count


def _plan(seed: int, *, message_count: int) -> PlantPlan:
    """Plan a plant without upgrades, over weeks enough for the messages."""
    lines = PlantPlan().line_count
    weeks = message_count // (7 * lines) + 1
    today = datetime.now(UTC).date()
    monday = today - timedelta(days=today.weekday(), weeks=weeks)
    return PlantPlan(seed=seed, weeks=weeks, start=monday, waves=(), upgraded_share=0.0)
