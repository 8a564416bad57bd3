"""The simulated gateways publish what they say, at the pace they are told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gainline.config.loading import Settings, with_options
from gainline.trial.simulate import publish_fleet, publish_plant
from ingest.broker import embedded_broker
from ingest.fleet import FleetPlan, Shape
from ingest.journal import Journal
from ingest.mqtt.receiver import Receiver
from tests.end_to_end.pipeline import wait_for

LIMIT_BYTES = 1 << 27


@contextmanager
def received(tmp_path: Path) -> Iterator[tuple[Settings, Journal]]:
    """A broker to publish to, and the journal into which everything is received."""
    stop = threading.Event()
    with (
        embedded_broker() as address,
        Journal.open(tmp_path / "journal", limit_bytes=LIMIT_BYTES) as journal,
    ):
        receiver = Receiver(address, topics=["#"], client_id="r", journal=journal)
        thread = threading.Thread(target=receiver.run, args=(stop,))
        thread.start()
        wait_for(lambda: receiver.connected, what="the receiver is subscribed")
        yield with_options(Settings(), broker=f"mqtt://{address}"), journal
        stop.set()
        thread.join()


def test_as_many_days_go_out_as_were_asked_for_and_all_arrive(tmp_path: Path) -> None:
    with received(tmp_path) as (settings, journal):
        done = publish_plant(settings, seconds=0.5, rate=100, seed=3)
        assert done.messages == 50
        wait_for(lambda: journal.end == 50, what="all are in the journal")
        messages = journal.read(0, limit_bytes=LIMIT_BYTES)
    assert len({message.topic for message in messages}) == 16


def test_a_fleet_counts_what_it_sends_and_all_arrives(tmp_path: Path) -> None:
    plan = FleetPlan(Shape.MIXED, rate=100, seconds=1, outages=2, repeat_share=0.2)
    with received(tmp_path) as (settings, journal):
        done = publish_fleet(settings, plan)
        wait_for(lambda: journal.end == done.messages, what="all are in the journal")
        messages = journal.read(0, limit_bytes=LIMIT_BYTES)
    assert done.messages == 100 + done.repeats
    assert (
        len({(message.topic, message.payload) for message in messages}) >= 100 - 25
    )  # bare values
    assert done.in_words().startswith(f"published {done.messages} messages, {done.repeats} of")
