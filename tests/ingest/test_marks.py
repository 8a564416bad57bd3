"""Marks reach whoever subscribes, whatever the broker does, and nobody waits for it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from contracts.batches import Mark
from contracts.endpoint import Endpoint, Version
from contracts.message import Address
from ingest.broker import embedded_broker
from ingest.commit import OWN_TOPICS
from ingest.marks import payload_of, topic_of
from ingest.mqtt import marks as module
from ingest.mqtt.marks import MarkPublisher
from tests.end_to_end.pipeline import wait_for
from tests.mosquitto import free_address, mosquitto_running

WITHIN_S = 30.0
WITHOUT_PERSISTENCE = "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"


@contextmanager
def publishing(
    address: Address, version: Version = "3.1.1", *marks: Mark
) -> Iterator[MarkPublisher]:
    """A publisher at work in a thread of its own."""
    publisher, stop = MarkPublisher(Endpoint(address, version=version), client_id="marks"), None
    publisher.hand_over(marks)
    stop = threading.Event()
    thread = threading.Thread(target=publisher.run, args=(stop,), daemon=True)
    thread.start()
    try:
        yield publisher
    finally:
        stop.set()
        thread.join(WITHIN_S)
        assert not thread.is_alive()


def retained(address: Address) -> dict[str, object]:
    """The marks that the broker keeps, by topic, as a client sees them that comes now."""
    found, is_done = dict[str, object](), threading.Event()
    client = Client(CallbackAPIVersion.VERSION2)

    def note(_client: Client, _: object, message: object) -> None:
        topic, payload = message.topic, message.payload  # type: ignore[attr-defined]
        if topic == "the/end":
            is_done.set()
        elif message.retain:  # type: ignore[attr-defined]
            found[topic] = json.loads(payload)

    client.on_message = note
    # what is published after the subscription comes after what the broker has kept
    client.on_subscribe = lambda *_: client.publish("the/end", b"", 1)
    client.on_connect = lambda *_: client.subscribe([(f"{OWN_TOPICS}#", 1), ("the/end", 1)])
    client.connect(*address)
    client.loop_start()
    try:
        assert is_done.wait(WITHIN_S)
    finally:
        client.disconnect()
        client.loop_stop()
    return found


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.text(min_size=1))
def test_each_gateway_has_one_topic_of_its_own_with_one_level(gateway: str, other: str) -> None:
    topic = topic_of(gateway)
    level = topic.removeprefix(OWN_TOPICS)
    assert topic.startswith(OWN_TOPICS)
    assert level
    assert not set(level) & set("/+#\0")
    other = other.encode(errors="replace").decode()
    assert (topic == topic_of(other)) is (gateway == other)


def test_a_mark_says_epoch_and_count() -> None:
    assert json.loads(payload_of(Mark("g", "é", 9))) == {"epoch": "é", "seq": 9}


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_a_mark_is_kept_by_the_broker_and_replaced_by_the_next(
    version: Version, mosquitto: str, tmp_path: Path
) -> None:
    address = free_address()
    settings = WITHOUT_PERSISTENCE.format(port=address.port)
    many = [Mark(f"g{number}", "e", number) for number in range(100)]
    with (
        mosquitto_running(mosquitto, tmp_path, settings, address.port),
        publishing(address, version, *many) as publisher,
    ):
        wait_for(lambda: len(retained(address)) == 100, what="all are there", limit_s=WITHIN_S)
        publisher.hand_over([Mark("g7", "e", 8), Mark("a/b", "e", 1)])
        publisher.hand_over([Mark("g7", "f", 0, (("e", 8),))])
        expected = {"epoch": "f", "seq": 0, "earlier": {"e": 8}}
        wait_for(
            lambda: retained(address)[f"{OWN_TOPICS}g7"] == expected,
            what="the newest is there",
            limit_s=WITHIN_S,
        )
        assert f"{OWN_TOPICS}a%2Fb" in retained(address)


def test_marks_are_published_again_to_a_broker_that_has_forgotten_them(
    mosquitto: str, tmp_path: Path
) -> None:
    address = free_address()
    settings = WITHOUT_PERSISTENCE.format(port=address.port)
    with publishing(address, "3.1.1", Mark("quiet", "e", 3)) as publisher:
        for seq in (4, 5):  # the broker is away at first, and is killed once
            publisher.hand_over([Mark("g", "e", seq)])
            with mosquitto_running(mosquitto, tmp_path, settings, address.port) as broker:
                expected = {"quiet": 3, "g": seq}
                wait_for(
                    lambda expected=expected: _counts(retained(address)) == expected,  # type: ignore[misc]
                    what="the marks are there",
                    limit_s=WITHIN_S,
                )
                broker.kill()


def _counts(found: dict[str, object]) -> dict[str, int]:
    return {topic.removeprefix(OWN_TOPICS): one["seq"] for topic, one in found.items()}  # type: ignore[index]


def test_whoever_hands_marks_over_does_not_wait_and_fills_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MARKS_MAX", 3)
    with publishing(free_address()) as publisher:  # nobody is there
        began_s = time.monotonic()
        for number in range(1000):
            publisher.hand_over([Mark(f"g{number}", "e", 0)])
        assert time.monotonic() - began_s < WITHIN_S
        assert len(publisher._newest) == len(publisher._due) == 3


def test_the_last_marks_are_published_before_it_ends() -> None:
    with embedded_broker() as address:
        with publishing(address) as publisher:
            publisher.hand_over([Mark("g", "e", 0)])
            wait_for(lambda: retained(address), what="it is connected", limit_s=WITHIN_S)
            publisher.hand_over([Mark("g", "e", 1)])
        assert _counts(retained(address)) == {"g": 1}
