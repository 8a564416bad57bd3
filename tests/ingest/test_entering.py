"""Receiver and publisher enter a broker by every door, and say why one stays shut."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from contracts.endpoint import Endpoint
from contracts.errors import ConfigError, TransientError, UnreachableError
from contracts.message import Address
from gainline.cli import run
from gainline.config.connection import broker_endpoint
from gainline.config.loading import Settings
from gainline.config.sections import BrokerSection
from ingest.journal import Journal
from ingest.mqtt.client import require_reachable
from ingest.mqtt.publisher import Publisher
from ingest.mqtt.receiver import Receiver
from tests.authority import Authority
from tests.end_to_end.pipeline import wait_for
from tests.mosquitto import free_address, mosquitto_running

LIMIT_BYTES = 1 << 28
MESSAGE_COUNT = 1500  # more than one read of a socket, one TLS record or one group holds
DOORS = ("mqtt", "mqtts", "ws", "wss", "certificate")
RULES = "user gateway\ntopic write plant/#\nuser gainline\ntopic read plant/#\n"


@dataclass(frozen=True)
class Plant:
    """A broker with a listener for each door, and what to write into the configuration for it."""

    sections: dict[str, dict[str, str]]

    def endpoint(self, door: str, **changes: str) -> Endpoint:
        keys = {key: one for key, one in (self.sections[door] | changes).items() if one}
        return broker_endpoint(Settings(broker=BrokerSection(**keys)))


@pytest.fixture(scope="module")
def plant(
    mosquitto: str, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Plant]:
    folder = tmp_path_factory.mktemp("plant")
    users, rules = folder / "users", folder / "rules"
    users.touch(0o600)
    for user in ("gateway", "gainline"):
        words = ["mosquitto_passwd", "-b", users, user, f"secret of {user}"]
        subprocess.run(words, check=True, capture_output=True, timeout=30)
    rules.write_text(RULES)
    cert, key = authority.signed("broker")
    lines = [
        "per_listener_settings true\npersistence false\nmax_queued_messages 0\nlog_type all",
        "connection_messages true",
    ]
    sections: dict[str, dict[str, str]] = {}
    for door in DOORS:
        port = free_address().port
        lines.append(f"listener {port} 127.0.0.1\nacl_file {rules}")
        if door.startswith("ws"):
            lines.append("protocol websockets")
        sections[door] = {"url": f"{door if door != 'certificate' else 'mqtts'}://127.0.0.1:{port}"}
        if door in ("mqtts", "wss", "certificate"):
            lines.append(f"cafile {authority.ca}\ncertfile {cert}\nkeyfile {key}")
            sections[door] |= {"ca_file": authority.ca}
        if door == "certificate":
            lines.append("require_certificate true\nuse_identity_as_username true")
            own, own_key = authority.signed("gainline")
            sections[door] |= {"cert_file": own, "key_file": own_key}
        else:
            lines.append(f"allow_anonymous false\npassword_file {users}")
            sections[door] |= {"username": "gainline", "password": "secret of gainline"}
    ports = [int(keys["url"].rpartition(":")[2]) for keys in sections.values()]
    with mosquitto_running(mosquitto, folder, "\n".join(lines) + "\n", *ports):
        yield Plant(sections)


@pytest.fixture(scope="module")
def gateway(plant: Plant, authority: Authority) -> Callable[..., Endpoint]:
    """How a gateway enters by a door."""
    cert, key = authority.signed("gateway")

    def made(door: str, **changes: str) -> Endpoint:
        own = {"username": "gateway", "password": "secret of gateway"}
        if door == "certificate":
            own = {"cert_file": cert, "key_file": key}
        return plant.endpoint(door, **own | changes)

    return made


@pytest.mark.parametrize("version", ["3.1.1", "5"])
@pytest.mark.parametrize("door", DOORS)
def test_all_that_is_published_arrives_by_every_door(
    plant: Plant, gateway: Callable[..., Endpoint], door: str, version: str, tmp_path: Path
) -> None:
    endpoint = plant.endpoint(door, version=version)
    stop, name = threading.Event(), f"gainline-{door}-{version}"
    with Journal.open(tmp_path / "journal", limit_bytes=LIMIT_BYTES) as journal:
        receiver = Receiver(endpoint, topics=["plant/#"], client_id=name, journal=journal)
        thread = threading.Thread(target=receiver.run, args=(stop,))
        thread.start()
        try:
            wait_for(lambda: receiver.connected, what="the receiver is subscribed")
            with Publisher(gateway(door, version=version), client_id=f"g-{name}") as publisher:
                for number in range(MESSAGE_COUNT):
                    publisher.publish("plant/a", str(number).encode().rjust(100))
            wait_for(lambda: journal.end >= MESSAGE_COUNT, what="all are in the journal")
        finally:
            stop.set()
            thread.join(10)
        messages = journal.read(0, limit_bytes=LIMIT_BYTES)
    assert [int(message.payload) for message in messages] == list(range(MESSAGE_COUNT))


def test_with_mqtt_5_the_broker_keeps_the_session_too(
    plant: Plant, gateway: Callable[..., Endpoint], tmp_path: Path
) -> None:
    endpoint, stop = plant.endpoint("mqtt", version="5"), threading.Event()
    with Journal.open(tmp_path / "journal", limit_bytes=LIMIT_BYTES) as journal:
        for count in (0, 2000):
            receiver = Receiver(endpoint, topics=["plant/#"], client_id="kept", journal=journal)
            thread = threading.Thread(target=receiver.run, args=(stop,))
            thread.start()
            wait_for(lambda: receiver.connected, what="subscribed")  # noqa: B023 - in this turn
            wait_for(lambda: journal.end == count, what="what came is there")  # noqa: B023 - same
            stop.set()
            thread.join(10)
            stop.clear()
            with Publisher(gateway("mqtt"), client_id="p") as publisher:
                for number in range(2000 - count):
                    publisher.publish("plant/a", b"%d" % number)
        assert len({message.payload for message in journal.read(0, limit_bytes=1 << 28)}) == 2000


@pytest.mark.parametrize(
    ("door", "changes", "words"),
    [
        ("mqtt", {"password": "wrong"}, "refuses user 'gainline' (Not authorized): check broker.u"),
        ("mqtt", {"username": "", "password": ""}, "refuses a client without a user name"),
        ("mqtts", {"ca_file": ""}, "its certificate does not verify: self-signed certificate"),
        ("wss", {"ca_file": ""}, "set broker.ca_file to the certificate of the authority"),
        ("certificate", {"cert_file": "", "key_file": ""}, "whether it asks for a certificate"),
    ],
)
@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_a_door_that_stays_shut_says_why(
    plant: Plant, door: str, version: str, changes: dict[str, str], words: str
) -> None:
    with pytest.raises(UnreachableError) as raised:
        require_reachable(plant.endpoint(door, version=version, **changes))
    assert words in str(raised.value)
    assert "secret" not in str(raised.value)
    assert "_ssl.c" not in str(raised.value)


def test_a_certificate_of_another_host_is_refused(
    mosquitto: str, authority: Authority, tmp_path: Path
) -> None:
    cert, key = authority.signed("elsewhere", host="elsewhere.example")
    port = free_address().port
    lines = f"listener {port} 127.0.0.1\nallow_anonymous true\ncertfile {cert}\nkeyfile {key}\n"
    keys = BrokerSection(url=f"mqtts://127.0.0.1:{port}", ca_file=authority.ca)
    with (
        mosquitto_running(mosquitto, tmp_path, lines, port),
        pytest.raises(
            UnreachableError, match=r"does not verify: IP address mismatch.* a host that"
        ),
    ):
        require_reachable(broker_endpoint(Settings(broker=keys)))


# paho leaves the socket of a failed WebSocket to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_door_of_another_kind_is_said_to_be_one(plant: Plant, authority: Authority) -> None:
    def url_of(door: str) -> str:
        return plant.sections[door]["url"].partition("://")[2]

    for url, words in (
        (f"mqtts://{url_of('mqtt')}", "check that this port speaks TLS"),
        (f"ws://{url_of('mqtt')}", "check that this port speaks WebSocket"),
        (f"mqtt://{url_of('mqtts')}", "cannot be reached"),
        (f"mqtt://{url_of('ws')}", "cannot be reached"),
    ):
        keys = BrokerSection(url=url, ca_file=authority.ca if url.startswith("mqtts") else None)
        with pytest.raises(UnreachableError) as raised:
            require_reachable(broker_endpoint(Settings(broker=keys)), timeout_s=1)
        assert words in str(raised.value)


def test_the_service_says_why_it_does_not_come_in(plant: Plant, tmp_path: Path) -> None:
    for door, changes, words in (
        ("mqtt", {"password": "wrong"}, "check broker.username, broker.password_file"),
        ("mqtts", {"ca_file": ""}, "set broker.ca_file"),
        ("certificate", {"cert_file": "", "key_file": ""}, "whether it asks for a certificate"),
    ):
        stop, endpoint = threading.Event(), plant.endpoint(door, **changes)
        with (
            Journal.open(tmp_path / "journal", limit_bytes=LIMIT_BYTES) as journal,
            capture_logs() as logs,
        ):
            receiver = Receiver(endpoint, topics=["#"], client_id="r", journal=journal)
            thread = threading.Thread(target=receiver.run, args=(stop,))
            thread.start()
            wait_for(lambda: bool(logs), what="it says so")
            stop.set()
            thread.join(10)
        assert words in logs[0]["reason"]
        assert "secret" not in str(logs)


def test_a_publisher_that_is_not_let_in_does_not_wait_for_it(plant: Plant) -> None:
    wrong = plant.endpoint("mqtt", password="wrong")
    with (
        pytest.raises(UnreachableError, match="refuses user 'gainline'"),
        Publisher(wrong, client_id="p") as publisher,
    ):
        publisher.publish("plant/a", b"1")


def test_with_mqtt_5_a_message_that_the_broker_refuses_is_an_error(
    gateway: Callable[..., Endpoint],
) -> None:
    with Publisher(gateway("mqtt", version="5"), client_id="p") as publisher:
        publisher.publish("elsewhere/a", b"1")
        with pytest.raises(ConfigError, match=r"refused a message on 'elsewhere/a' \(Not authori"):
            publisher.drain(5)
        publisher.publish("plant/a", b"1")  # it was said once
    with Publisher(gateway("mqtt"), client_id="p") as publisher:
        publisher.publish("elsewhere/a", b"1")  # 3.1.1 has no word for it


def test_a_broker_that_goes_away_is_named_with_the_cause(mosquitto: str, tmp_path: Path) -> None:
    port = free_address().port
    endpoint = Endpoint(Address("127.0.0.1", port), version="5")
    lines = f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_packet_size 2000\n"
    with (
        mosquitto_running(mosquitto, tmp_path, lines, port),
        pytest.raises(TransientError, match=r"acknowledge 1 messages within 1 s \(Packet too larg"),
        Publisher(endpoint, client_id="p", give_up_s=1) as publisher,
    ):
        publisher.publish("a", b"1" * 3000)


def test_the_live_check_ends_with_4_and_no_command_shows_the_password(
    plant: Plant,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config, store = tmp_path / "gainline.toml", tmp_path / "store"
    url, topics = plant.sections["mqtt"]["url"], 'topics = ["plant/#"]'
    config.write_text(f'[broker]\nurl = "{url}"\nusername = "gainline"\n{topics}\n')
    said, codes = "", []
    for password in ("secret of gainline", "another secret"):
        monkeypatch.setenv("GAINLINE__BROKER__PASSWORD", password)
        for words in (
            ["check-config", "--live", "--config", str(config)],
            ["doctor", "--config", str(config), "--store", str(store)],
        ):
            codes.append(run(words))
            said += "".join(capfd.readouterr())
    assert codes == [0, 0, 4, 1]
    assert "lets user 'gainline' in" in said
    assert "refuses user 'gainline' (Not authorized): check broker.username" in said
    assert "secret" not in said


def test_messages_in_one_record_of_tls_do_not_wait_for_the_next(
    authority: Authority, tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.signed("server"))
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        Journal.open(tmp_path / "journal", limit_bytes=LIMIT_BYTES) as journal,
    ):
        url = f"mqtts://127.0.0.1:{server.getsockname()[1]}"
        keys = BrokerSection(url=url, ca_file=authority.ca)
        endpoint = broker_endpoint(Settings(broker=keys))
        receiver = Receiver(endpoint, topics=["#"], client_id="r", journal=journal)
        stop = threading.Event()
        thread = threading.Thread(target=receiver.run, args=(stop,))
        thread.start()
        try:
            with context.wrap_socket(server.accept()[0], server_side=True) as peer:
                peer.settimeout(10)
                assert peer.recv(1000)[:1] == b"\x10"
                peer.sendall(b"\x20\x02\0\0")
                assert peer.recv(1000)[:1] == b"\x82"
                peer.sendall(b"\x90\x03\0\x01\x01")
                peer.sendall(b"".join(b"\x32\x06\0\x01a\0%cx" % mid for mid in range(1, 101)))
                wait_for(lambda: journal.end == 100, what="all are in the journal", limit_s=10)
                stop.set()
        finally:
            stop.set()
            thread.join(10)
