"""Nothing is acknowledged before it is in the journal, and nothing is lost on the way there."""

import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from contracts.errors import GainlineError
from contracts.message import NOT_UTF8, Address
from ingest.broker import embedded_broker
from ingest.journal import Journal
from ingest.journal_view import JournalView
from ingest.mqtt.publisher import Publisher
from tests.reception import (
    EVERYTHING,
    NOWHERE,
    Peer,
    at_work,
    eventually,
    everything_in,
    listening,
    mosquitto_at,
    numbers_in,
    publish,
    receiver_of,
    running,
)


def test_messages_arrive_in_order_and_are_acknowledged_once(
    broker: Address, journal: Journal
) -> None:
    before_us = time.time_ns() // 1000
    with running(receiver_of(broker, journal)) as receiver:
        publish(broker, range(2000))
        eventually(lambda: receiver.received_count == 2000)
    with running(receiver_of(broker, journal)) as receiver:
        publish(broker, range(2000, 2010))
        eventually(lambda: receiver.received_count == 10)
    assert not receiver.connected
    assert numbers_in(journal) == list(range(2010))
    messages = everything_in(journal)
    assert {message.topic for message in messages} == {f"plant/{i}" for i in range(7)}
    times = [message.received_us for message in messages]
    assert times == sorted(times)
    assert before_us <= times[0] <= times[-1] <= time.time_ns() // 1000


def test_a_retained_message_is_marked(broker: Address, journal: Journal) -> None:
    with Publisher(broker, client_id="p") as publisher:
        publisher.publish("plant/a", b"old", retain=True)
    with running(receiver_of(broker, journal)) as receiver:
        publish(broker, range(1), size=1)
        eventually(lambda: receiver.received_count == 2)
    assert {(m.payload, m.retained) for m in everything_in(journal)} == {
        (b"old", True),
        (b"0", False),
    }


def test_a_full_journal_acknowledges_nothing_and_goes_on_when_there_is_space(
    broker: Address, tmp_path: Path
) -> None:
    with (
        Journal.open(tmp_path, limit_bytes=1 << 18, segment_bytes=1 << 16) as journal,
        running(receiver_of(broker, journal)) as receiver,
        capture_logs() as logs,
    ):
        publish(broker, range(1000), size=500)
        eventually(lambda: receiver.is_waiting_for_space)
        received = receiver.received_count
        time.sleep(1)
        assert receiver.received_count == received == journal.end < 1000
        numbers = []
        while len(numbers) < 1000:
            numbers += [int(m.payload) for m in journal.read(len(numbers), limit_bytes=EVERYTHING)]
            journal.trim(len(numbers))
            time.sleep(0.01)
        eventually(lambda: not receiver.is_waiting_for_space)
    assert numbers == list(range(1000))
    events = [entry["event"] for entry in logs]
    assert 1 <= events.count("journal_full") == events.count("journal_has_space_again") < 10


def test_what_a_broken_connection_leaves_unwritten_comes_again_and_is_acknowledged_then(
    broker: Address, tmp_path: Path
) -> None:
    with (
        Journal.open(tmp_path, limit_bytes=1 << 18, segment_bytes=1 << 16) as journal,
        running(receiver_of(broker, journal)) as receiver,
    ):
        publish(broker, range(1000), size=500)
        eventually(lambda: receiver.is_waiting_for_space)
        written = journal.end
        take_over_session(broker, b"r")
        assert journal.end == written
        numbers = []
        while len(numbers) < 1000:
            numbers += [int(m.payload) for m in journal.read(len(numbers), limit_bytes=EVERYTHING)]
            journal.trim(len(numbers))
            time.sleep(0.01)
    assert numbers == list(range(1000))


def take_over_session(address: Address, client_id: bytes) -> None:
    """Connect under the receiver's name, for which the broker drops the receiver."""
    head = struct.pack(">H4sBBHH", 4, b"MQTT", 4, 0, 60, len(client_id))
    with socket.create_connection(address) as sock:
        sock.sendall(bytes([0x10, len(head) + len(client_id)]) + head + client_id)
        assert sock.recv(4)[:2] == b"\x20\x02"


RECEIVE = """
import sys, threading
from pathlib import Path
from contracts.message import Address
from ingest.journal import Journal
from ingest.mqtt.receiver import Receiver

journal = Journal.open(Path(sys.argv[1]), limit_bytes=1 << 30)
address = Address("127.0.0.1", int(sys.argv[2]))
receiver = Receiver(address, topics=["plant/#"], client_id="r", journal=journal)
receiver.run(threading.Event())
"""


def test_kill_9_in_the_middle_of_a_stream_loses_nothing(broker: Address, tmp_path: Path) -> None:
    with (
        Journal.open(tmp_path / "first", limit_bytes=1 << 30) as first,
        running(receiver_of(broker, first)),
    ):
        pass  # the session exists from here on
    folder = tmp_path / "journal"
    with stream_to(broker) as sent:
        for _ in range(2):
            known = count_on_disk(folder)
            with subprocess.Popen([sys.executable, "-c", RECEIVE, folder, str(broker.port)]) as one:
                try:
                    eventually(lambda: count_on_disk(folder) > known + 500)  # noqa: B023  # called within the turn
                finally:
                    one.send_signal(signal.SIGKILL)
    with Journal.open(folder, limit_bytes=1 << 30) as journal:
        with running(receiver_of(broker, journal)):
            eventually(lambda: set(numbers_in(journal)) == set(range(len(sent))))
        again = journal.end - len(sent)
    assert again <= 2 * 100  # no more than the broker's window at each kill


@contextmanager
def stream_to(broker: Address) -> Iterator[list[int]]:
    """Publish numbers until the block ends; all of them are acknowledged then."""
    sent, stop = list[int](), threading.Event()

    def work() -> None:
        with Publisher(broker, client_id="p") as publisher:
            while not stop.wait(0.001):  # so that it never is far ahead
                for _ in range(10):
                    publisher.publish("plant/a", str(len(sent)).encode())
                    sent.append(len(sent))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield sent
    finally:
        stop.set()
        thread.join()


def count_on_disk(folder: Path) -> int:
    """Count what another process has written into its journal."""
    view = JournalView(folder)
    try:
        return len(view.read(0, limit_bytes=EVERYTHING))
    finally:
        view.close()


def test_after_a_restart_of_the_broker_it_connects_and_subscribes_by_itself(
    journal: Journal,
) -> None:
    with capture_logs() as logs:
        with embedded_broker() as address:
            receiver = receiver_of(address, journal)
            stop = threading.Event()
            thread = threading.Thread(target=receiver.run, args=(stop,))
            thread.start()
            eventually(lambda: receiver.connected)
        eventually(lambda: not receiver.connected)
        with embedded_broker(address.port):
            eventually(lambda: receiver.connected)
            publish(address, range(10))
            eventually(lambda: receiver.received_count == 10)
            stop.set()
            thread.join()
    assert numbers_in(journal) == list(range(10))
    assert [entry["event"] for entry in logs].count("broker_lost") == 1


def test_an_idle_connection_is_kept_alive(broker: Address, journal: Journal) -> None:
    with running(receiver_of(broker, journal, keep_alive_s=1)) as receiver, capture_logs() as logs:
        time.sleep(3.5)  # the broker would hang up after 1.5 s
        assert receiver.connected
        assert logs == []


def test_a_broker_that_is_away_is_one_line_and_no_delay_at_the_end(journal: Journal) -> None:
    receiver, stop = receiver_of(NOWHERE, journal), threading.Event()
    threading.Timer(1.0, stop.set).start()
    started = time.monotonic()
    with capture_logs() as logs:
        receiver.run(stop)
    assert time.monotonic() - started < 2
    assert [entry["event"] for entry in logs] == ["broker_unreachable"]


def test_a_journal_that_failed_ends_the_receiver_without_an_acknowledgement(
    broker: Address, journal: Journal, tmp_path: Path
) -> None:
    with running(receiver_of(broker, journal)):
        pass
    publish(broker, range(50))
    journal.close()
    with pytest.raises(GainlineError, match="closed"):
        receiver_of(broker, journal).run(threading.Event())
    with (
        Journal.open(tmp_path / "other", limit_bytes=1 << 30) as other,
        running(receiver_of(broker, other)) as receiver,
    ):
        eventually(lambda: receiver.received_count == 50)
        assert numbers_in(other) == list(range(50))


def test_a_topic_that_is_not_utf_8_is_received_and_acknowledged_like_any_other(
    journal: Journal,
) -> None:
    with listening() as (server, address):
        with at_work(receiver_of(address, journal)):
            peer = Peer(server)
            peer.greet()
            peer.wire.sendall(b"\x32\x08\0\x03a/\xff\0\x07x" + b"\x32\x08\0\x03a/b\0\x08y")
            assert peer.acknowledged(2) == [7, 8]
            leaving = threading.Thread(target=peer.say_farewell)
            leaving.start()
        leaving.join()
        peer.wire.close()
    assert [(m.topic, m.payload) for m in everything_in(journal)] == [
        (NOT_UTF8 + r"a/\xff", b"x"),
        ("a/b", b"y"),
    ]


def test_with_mosquitto_what_came_while_we_were_away_arrives_too(
    mosquitto: str, journal: Journal, tmp_path: Path
) -> None:
    with mosquitto_at(mosquitto, tmp_path) as address:
        with running(receiver_of(address, journal)) as receiver:
            publish(address, range(1500))
            eventually(lambda: receiver.received_count == 1500)
        publish(address, range(1500, 3000))
        with running(receiver_of(address, journal)) as receiver:
            eventually(lambda: receiver.received_count == 1500)
    assert numbers_in(journal) == list(range(3000))
