"""The simulated gateways publish what they say, at the pace they are told."""

from __future__ import annotations

import threading
from pathlib import Path

from gainline.simulate import publish_plant
from ingest.broker import embedded_broker
from ingest.journal import Journal
from ingest.mqtt.receiver import Receiver
from tests.end_to_end.pipeline import wait_for

LIMIT_BYTES = 1 << 27


def test_as_many_messages_go_out_as_were_asked_for_and_all_arrive(tmp_path: Path) -> None:
    stop = threading.Event()
    with (
        embedded_broker() as address,
        Journal.open(tmp_path / "journal", limit_bytes=LIMIT_BYTES) as journal,
    ):
        receiver = Receiver(address, topics=["#"], client_id="r", journal=journal)
        thread = threading.Thread(target=receiver.run, args=(stop,))
        thread.start()
        wait_for(lambda: receiver.connected, what="the receiver is subscribed")
        assert publish_plant(f"mqtt://{address}", seconds=0.5, rate=100, seed=3) == 50
        wait_for(lambda: journal.end == 50, what="all are in the journal")
        stop.set()
        thread.join()
        topics = {message.topic for message in journal.read(0, limit_bytes=LIMIT_BYTES)}
    assert len(topics) == 16
