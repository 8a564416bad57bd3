"""What was published arrives, and a broker that does not take it is said to be one."""

import socket
from collections import deque

import pytest

from contracts.errors import ContractError, TransientError
from contracts.message import Address
from ingest.broker import embedded_broker
from ingest.journal import Journal
from ingest.mqtt.client import require_reachable
from ingest.mqtt.publisher import Publisher
from tests.reception import NOWHERE, eventually, numbers_in, receiver_of, running


def test_a_publisher_waits_while_too_much_is_under_way_and_gives_up_on_a_dead_broker() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = Address(*server.getsockname())
        # the connection is taken, and then nobody ever answers
        with (
            pytest.raises(TransientError, match=r"did not acknowledge 200 messages within 0.5 s"),
            Publisher(address, client_id="p", give_up_s=0.5) as publisher,
        ):
            deque(publisher.publish("plant/a", b"x") for _ in range(201))


def test_a_publisher_survives_a_restart_of_the_broker(journal: Journal) -> None:
    with embedded_broker() as address:
        publisher = Publisher(address, client_id="p")
        publisher.__enter__()
        publisher.publish("plant/a", b"0")
        publisher.drain(5)
    publisher.publish("plant/a", b"1")
    with embedded_broker(address.port), running(receiver_of(address, journal)) as receiver:
        publisher.publish("plant/a", b"2")
        publisher.__exit__(None, None, None)
        eventually(lambda: receiver.received_count >= 2)
    assert sorted(set(numbers_in(journal)) - {0}) == [1, 2]


def test_a_topic_with_a_wildcard_cannot_be_published_to(broker: Address) -> None:
    with Publisher(broker, client_id="p") as publisher:
        with pytest.raises(ContractError, match="is no topic to publish to"):
            publisher.publish("plant/#", b"x")
        publisher.publish("plant/a", b"x")


def test_a_publisher_without_a_broker_says_what_to_check() -> None:
    with (
        pytest.raises(TransientError, match=r"127.0.0.1:1 cannot be reached .*check that it runs"),
        Publisher(NOWHERE, client_id="p"),
    ):
        pass


def test_something_else_on_the_port_is_no_broker() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = Address(*server.getsockname())
        with pytest.raises(TransientError, match="does not answer as an MQTT broker"):
            require_reachable(address, timeout_s=0.5)
