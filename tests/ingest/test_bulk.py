"""The reader that takes much at once hears what paho hears, whatever a broker does."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from structlog.testing import capture_logs

from contracts.endpoint import Endpoint
from contracts.message import Address
from ingest.broker import embedded_broker
from ingest.frames import MESSAGE_BYTES_MAX, publish_frame
from ingest.journal import Journal
from ingest.mqtt import receiver as receiving
from ingest.mqtt import soundness
from ingest.mqtt.bulk import BulkClient
from ingest.mqtt.client import Session, connect, new_client
from ingest.mqtt.receiver import Receiver
from ingest.mqtt.stock import StockClient
from ingest.stream import Other, Publishes
from tests.reception import (
    Peer,
    at_work,
    eventually,
    everything_in,
    full_journal,
    listening,
    mosquitto_at,
    numbers_in,
    publish,
    receiver_of,
    running,
)

LIMIT_BYTES = 1 << 28
TOPICS = ("plant/a", "plant/ü/温度", "plant//", "plant/ a b ", "plant/" + "x" * 300)
PAYLOADS = (b"", b"1", b"\0\xff", b'{"value": 1}', b"y" * 120, b"z" * 20_000, b"b" * (1 << 20))


@pytest.fixture(params=["embedded", "mosquitto", "mosquitto, MQTT 5"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Endpoint]:
    if request.param == "embedded":
        with embedded_broker() as address:
            yield Endpoint(address)
        return
    program = request.getfixturevalue("mosquitto")
    with mosquitto_at(program, tmp_path / "mosquitto") as address:
        yield Endpoint(address, version="5" if "5" in request.param else "3.1.1")


def test_the_journal_is_the_same_as_with_paho_alone(
    broker: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(broker, [("plant/kept", b"old", 1, True), ("plant/gone", b"new", 0, True)])
    expected = [("plant/kept", b"old", True), ("plant/gone", b"new", True)]
    traffic = [
        (topic, payload, qos, False) for topic in TOPICS for payload in PAYLOADS for qos in (0, 1)
    ]
    expected += [(topic, payload, False) for topic, payload, _, _ in traffic]
    with (
        Journal.open(tmp_path / "bulk", limit_bytes=LIMIT_BYTES) as by_bulk,
        Journal.open(tmp_path / "stock", limit_bytes=LIMIT_BYTES) as by_stock,
    ):
        bulk = Receiver(broker, topics=["plant/#"], client_id="bulk", journal=by_bulk)
        monkeypatch.setattr(receiving, "reader_kind", lambda: StockClient)
        stock = Receiver(broker, topics=["plant/#"], client_id="stock", journal=by_stock)
        assert (bulk.reader, stock.reader) == ("bulk", "stock")
        with running(bulk), running(stock):
            eventually(lambda: bulk.received_count == stock.received_count == 2)
            send(broker, traffic)
            eventually(lambda: bulk.received_count == stock.received_count == len(expected))
        for one in (by_bulk, by_stock):
            found = [(m.topic, m.payload, m.retained) for m in everything_in(one)]
            assert sorted(found) == sorted(expected)


def send(broker: Endpoint, traffic: list[tuple[str, bytes, int, bool]]) -> None:
    """Publish with paho, one after the other: what is sent at QoS 0 has no other order."""
    client = Client(CallbackAPIVersion.VERSION2, "sender")
    client.connect(*broker.address)
    client.loop_start()
    for topic, payload, qos, retain in traffic:
        client.publish(topic, payload, qos, retain).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


def test_what_a_lost_connection_had_begun_is_dropped_and_the_next_begins_anew(
    journal: Journal,
) -> None:
    seven, eight = frame("7", 7), frame("8", 8)
    with listening() as (server, address), at_work(receiver_of(address, journal)) as receiver:
        with Peer(server) as peer:
            peer.greet()
            peer.wire.sendall(seven + eight[:-1])
            assert peer.acknowledged(1) == [7]
        with Peer(server) as peer:
            peer.greet()
            for byte in eight + frame("9", 9):
                peer.wire.sendall(bytes([byte]))
            assert peer.acknowledged(2) == [8, 9]
            assert receiver.received_count == 3
    assert [m.payload for m in everything_in(journal)] == [b"7", b"8", b"9"]


def frame(payload: str, packet_id: int) -> bytes:
    return publish_frame(b"plant/a", payload.encode(), packet_id=packet_id, retained=False)


def test_an_acknowledgement_never_crosses_to_the_next_connection(tmp_path: Path) -> None:
    with (
        full_journal(tmp_path) as journal,
        listening() as (server, address),
        at_work(receiver_of(address, journal)) as receiver,
    ):
        written = journal.end
        with Peer(server) as peer:
            peer.greet()
            peer.wire.sendall(frame("old", 7) + frame("of QoS 0", 0) + frame("old too", 8))
            eventually(lambda: receiver.is_waiting_for_space)
        with Peer(server) as peer:
            peer.greet()
            eventually(lambda: receiver.connected)
            journal.trim(journal.end)
            eventually(lambda: not receiver.is_waiting_for_space)
            assert_silent(peer)
            peer.wire.sendall(frame("new", 7))
            assert peer.acknowledged(1) == [7]
            assert_silent(peer)
        found = journal.read(written, limit_bytes=LIMIT_BYTES)
    assert [m.payload for m in found] == [b"of QoS 0", b"new"]


def assert_silent(peer: Peer) -> None:
    peer.wire.settimeout(0.3)
    with pytest.raises(TimeoutError):
        peer.frame()
    peer.wire.settimeout(20)


@pytest.mark.parametrize("broken", [b"\x32\xff\xff\xff\xff\x7f", b"\x90\x01\0", b"\x36\x02\0\0"])
def test_a_broker_that_sends_something_else_is_left_and_entered_again(
    journal: Journal, broken: bytes
) -> None:
    with (
        listening() as (server, address),
        at_work(receiver_of(address, journal)),
        capture_logs() as log,
    ):
        with Peer(server) as peer:
            peer.greet()
            peer.wire.sendall(frame("1", 1) + broken + frame("2", 2))
            while peer.frame():
                pass
        with Peer(server) as peer:
            peer.greet()
            peer.wire.sendall(frame("1", 1) + frame("2", 2))
            assert peer.acknowledged(2) == [1, 2]
    assert [m.payload for m in everything_in(journal)] == [b"1", b"2"]
    reasons = [entry["reason"] for entry in log if entry["event"] == "broker_lost"]
    assert reasons[0].startswith("what the broker sends is no MQTT that we know")


def test_a_message_of_20_mib_is_cut_and_its_neighbours_are_not(journal: Journal) -> None:
    huge = publish_frame(b"plant/h", b"x" * (20 << 20), packet_id=2, retained=False)
    with (
        listening() as (server, address),
        at_work(receiver_of(address, journal)),
        Peer(server) as peer,
    ):
        peer.greet()
        peer.wire.sendall(frame("1", 1) + huge + frame("3", 3))
        assert peer.acknowledged(3) == [1, 2, 3]
    first, cut, last = everything_in(journal)
    assert (first.payload, last.payload, cut.topic) == (b"1", b"3", "plant/h")
    assert MESSAGE_BYTES_MAX - 100 < len(cut.payload) < MESSAGE_BYTES_MAX


def test_what_was_refused_is_asked_for_again_and_does_not_count_as_connected(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "RESUBSCRIBE_S", 0.3)
    with listening() as (server, address), capture_logs() as log:
        topics = ["plant/#", "secret/#"]
        receiver = Receiver(address, topics=topics, client_id="r", journal=journal)
        with at_work(receiver), Peer(server) as peer:
            peer.greet(b"\1\x80")
            assert peer.grant(b"\x80") == b"\0\x08secret/#\1"
            assert not receiver.connected
            assert receiver.connected_at_us is not None
            peer.wire.sendall(frame("1", 1))
            assert peer.acknowledged(1) == [1]
            assert peer.grant(b"\0") == b"\0\x08secret/#\1"
            eventually(lambda: receiver.connected)
            assert_silent(peer)
    events = [entry["event"] for entry in log]
    assert events.count("subscription_refused") == 2
    assert events.count("subscription_without_acknowledgement") == 1


def test_pings_pass_while_the_journal_is_full(broker: Endpoint, tmp_path: Path) -> None:
    with (
        full_journal(tmp_path / "full") as journal,
        running(receiver_of(broker, journal, keep_alive_s=1)) as receiver,
        capture_logs() as log,
    ):
        since, written = receiver.connected_at_us, journal.end
        publishing = threading.Thread(target=publish, args=(broker.address, range(300)))
        publishing.start()
        eventually(lambda: receiver.is_waiting_for_space)
        time.sleep(3.5)
        assert (receiver.received_count, journal.end) == (0, written)
        journal.trim(journal.end)
        eventually(lambda: receiver.received_count == 300, within_s=5)
        publishing.join()
        assert receiver.connected_at_us == since
        assert numbers_in(journal, written) == list(range(300))
    assert [entry["event"] for entry in log if "journal" not in entry["event"]] == []


@contextmanager
def paired(kind: type[BulkClient]) -> Iterator[tuple[BulkClient, socket.socket]]:
    """Connect a client of this kind with a socket."""
    ours, brokers = socket.socketpair()

    class Paired(kind):  # type: ignore[misc, valid-type]
        def _create_socket(self) -> socket.socket:
            return ours

    endpoint = Endpoint(Address("127.0.0.1", 1))
    client = new_client(endpoint, Session("c", is_acked_by_hand=True), Paired)
    client.on_socket_open = None
    with ours, brokers:
        connect(client, endpoint, Session("c"))
        brokers.settimeout(10)
        brokers.recv(1000)
        yield client, brokers


def test_acknowledgements_that_the_socket_does_not_take_at_once_follow_whole_and_in_order() -> None:
    packet_ids = [number.to_bytes(2, "big") for number in range(1, 65_536)]
    with paired(BulkClient) as (client, brokers):
        for _ in range(3):
            client.acknowledge(packet_ids)
        client.subscribe("a", 1)
        assert client.want_write()
        received = b""
        while len(received) < 3 * 4 * 65_535 + 8:
            received += brokers.recv(1 << 20)
            client.loop_write()
        assert not client.want_write()
    acknowledged, subscription = received[:-8], received[-8:]
    assert acknowledged == 3 * b"".join(b"\x40\x02" + packet_id for packet_id in packet_ids)
    assert subscription[:1] == b"\x82"


class HardOfHearing(BulkClient):
    """What a change inside paho could make of the reader: it misses a message."""

    def _take(self, data: bytes):  # type: ignore[no-untyped-def]  # noqa: ANN202
        return super()._take(data.replace(b"\x30\x06\0\x03a/bx", b""))


class Changed(BulkClient):
    """A paho that calls something else than it did."""

    def _packet_queue(self) -> None:  # type: ignore[override]
        pass


class Mute(BulkClient):
    """Its answers do not reach the broker."""

    def acknowledge(self, packet_ids: list[bytes]) -> None:
        pass


class Deaf(BulkClient):
    """It does not understand that it is connected."""

    def _handle(self, frame: Other):  # type: ignore[no-untyped-def]  # noqa: ANN202, ARG002
        return 0


@pytest.mark.parametrize("kind", [HardOfHearing, Changed, Mute, Deaf])
def test_a_reader_that_does_not_hear_what_paho_hears_is_not_used(
    kind: type[BulkClient], journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert soundness.bulk_is_sound(BulkClient)
    monkeypatch.setattr(soundness, "_WAIT_S", 0.1)
    monkeypatch.setattr(soundness, "BulkClient", kind)
    with (
        capture_logs() as log,
        embedded_broker() as address,
        running(receiver_of(address, journal)) as receiver,
    ):
        assert receiver.reader == "stock"
        publish(address, range(300))
        eventually(lambda: receiver.received_count == 300)
    assert [entry["event"] for entry in log].count("bulk_reader_unusable") == 1


def test_of_what_is_read_at_once_nothing_is_left_when_the_connection_ends_within_it() -> None:
    parts: list[Publishes] = []
    with paired(BulkClient) as (client, brokers):
        client.on_publishes = parts.append
        client.on_subscribe = lambda *_: client.disconnect()
        brokers.sendall(b"\x20\x02\0\0" + frame("1", 1) + b"\x90\x03\0\1\1" + frame("2", 2))
        client.loop_read()
        client.loop_write()
        client.loop_read()
    assert [part.packet_ids for part in parts[:1]] == [[b"\0\1"]]
    assert client.socket() is None
