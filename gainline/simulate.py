"""Publishes as the gateways of a simulated plant would, at a given rate, for a given time."""

import time
from datetime import UTC, datetime, timedelta

from gainline.config import load, with_options
from gainline.connection import broker_endpoint
from ingest.mqtt.publisher import Publisher
from ingest.plant.plan import PlantPlan
from ingest.plant.simulation import simulate

# The broker acknowledges what it took before; a broker that writes to disk may take its time.
DRAIN_S = 30.0


def publish_plant(broker: str, *, seconds: float, rate: float, seed: int) -> int:
    """Publish `rate` messages a second; give their number, each acknowledged by the broker.

    A message is a machine's day, the days of all machines in turn; the last week ends last
    Sunday, so that the readings are recent.
    """
    endpoint = broker_endpoint(with_options(load(None), broker=broker))
    plant = simulate(_plan(seed, message_count=round(seconds * rate)))
    began, count = time.monotonic(), 0
    with Publisher(endpoint, client_id="gainline-simulate") as publisher:
        for count, message in enumerate(plant.messages(), 1):
            publisher.publish(message.topic, message.payload)
            time.sleep(max(0.0, began + count / rate - time.monotonic()))
            if count >= seconds * rate:
                break
        publisher.drain(DRAIN_S)
    return count


def _plan(seed: int, *, message_count: int) -> PlantPlan:
    """Plan a plant without upgrades, over weeks enough for the messages."""
    lines = PlantPlan().line_count
    weeks = message_count // (7 * lines) + 1
    today = datetime.now(UTC).date()
    monday = today - timedelta(days=today.weekday(), weeks=weeks)
    return PlantPlan(seed=seed, weeks=weeks, start=monday, waves=(), upgraded_share=0.0)
