"""The embedded broker holds what ingest relies on, and leaves nothing behind."""

import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from contracts.errors import ConfigError, TransientError
from contracts.message import Address
from ingest.broker import PACKET_BYTES_MAX, embedded_broker
from ingest.journal import Journal
from ingest.mqtt.client import require_reachable
from ingest.mqtt.publisher import Publisher
from ingest.mqtt.receiver import Receiver

CONNACK = b"\x20\x02"
SUBACK = b"\x90\x03"


def child_processes() -> set[str]:
    tasks = Path("/proc/self/task").iterdir()
    return {pid for task in tasks for pid in (task / "children").read_text().split()}


def receive(address: Address, folder: Path, count: int) -> list[bytes]:
    """Payloads that a persistent session named "s" gets, in the order of arrival."""
    stop = threading.Event()
    with Journal.open(folder, limit_bytes=1 << 30) as journal:
        receiver = Receiver(address, topics=["plant/#"], client_id="s", journal=journal)
        thread = threading.Thread(target=receiver.run, args=(stop,))
        thread.start()
        until = time.monotonic() + 30
        while (
            receiver.received_count < count or not receiver.connected
        ) and time.monotonic() < until:
            time.sleep(0.01)
        stop.set()
        thread.join()
        return [message.payload for message in journal.read(0, limit_bytes=1 << 40)]


def subscribe_and_break(address: Address) -> None:
    """Make the persistent session "s", take what comes for a moment, then drop dead."""
    body = struct.pack(">H4sBBHH1s", 4, b"MQTT", 4, 0, 60, 1, b"s")
    filters = struct.pack(">HH7sB", 1, 7, b"plant/#", 1)
    with socket.create_connection(address) as sock:
        sock.sendall(bytes([0x10, len(body)]) + body + bytes([0x82, len(filters)]) + filters)
        answer = b""
        while SUBACK not in answer:
            answer += sock.recv(100)
        with Publisher(address, client_id="p") as publisher:
            for number in range(300):
                publisher.publish("plant/a", b"%d" % number)
        time.sleep(0.2)  # a window of them is under way
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset


def test_it_listens_on_loopback_only_and_leaves_nothing_behind() -> None:
    before = child_processes()
    with embedded_broker() as address:
        assert address.host == "127.0.0.1"
        require_reachable(address)
        (pid,) = child_processes() - before
        listening = subprocess.check_output(["cat", "/proc/net/tcp", "/proc/net/tcp6"], text=True)
        rows = [row.split() for row in listening.splitlines()]
        local = [row[1] for row in rows if row[1].endswith(f":{address.port:04X}")]
        assert "0A" in [row[3] for row in rows if row[1] in local]
        assert {where.split(":")[0] for where in local} == {"0100007F"}
    assert child_processes() == before
    assert not Path("/proc", pid).exists()
    with pytest.raises(TransientError, match=f"{address} cannot be reached"):
        require_reachable(address)


def test_it_dies_with_a_parent_that_is_killed() -> None:
    program = (
        "from ingest.broker import embedded_broker\n"
        "with embedded_broker() as address: print(address.port, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        address = Address("127.0.0.1", int(parent.stdout.readline()))
        require_reachable(address)
        parent.send_signal(signal.SIGKILL)
    time.sleep(0.5)
    with pytest.raises(TransientError):
        require_reachable(address)


def test_a_port_in_use_is_refused_with_the_remedy() -> None:
    with (
        embedded_broker() as address,
        pytest.raises(ConfigError, match=f"port {address.port} cannot be used .*another port"),
        embedded_broker(address.port),
    ):
        pass


def test_a_payload_of_the_limit_passes_and_a_larger_one_is_an_error(tmp_path: Path) -> None:
    with embedded_broker() as address:
        receive(address, tmp_path / "subscribe", 0)
        payloads = [bytes(900 * 1024), bytes(1024 * 1024)]
        with Publisher(address, client_id="p") as publisher:
            for payload in payloads:
                publisher.publish("plant/a", payload)
        # the session was made before: what came meanwhile waits for it
        assert receive(address, tmp_path, 2) == payloads
        with (
            pytest.raises(TransientError, match="takes payloads of this size"),
            Publisher(address, client_id="p", give_up_s=0.5) as publisher,
        ):
            publisher.publish("plant/a", bytes(PACKET_BYTES_MAX))


def test_a_session_that_broke_gets_everything_when_it_comes_back(tmp_path: Path) -> None:
    with embedded_broker() as address:
        subscribe_and_break(address)
        with Publisher(address, client_id="p") as publisher:
            for number in range(300, 3000):
                publisher.publish("plant/a", b"%d" % number)
        assert receive(address, tmp_path, 3000) == [b"%d" % number for number in range(3000)]
