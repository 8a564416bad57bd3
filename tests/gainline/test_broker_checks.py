"""gainline.checks.broker_checks: what a client can see of good brokers and of bad ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contracts.endpoint import Endpoint
from contracts.errors import ConfigError, UnreachableError
from contracts.message import Address
from gainline.checks.broker_checks import broker_findings, granted
from gainline.checks.finding import Finding
from gainline.config.connection import broker_endpoint
from gainline.config.loading import Settings
from gainline.config.sections import BrokerSection
from ingest.broker import embedded_broker
from ingest.journal import Journal
from ingest.mqtt.examination import Keeping, keeping, not_granted
from ingest.mqtt.publisher import Publisher
from ingest.mqtt.receiver import Receiver
from tests.authority import Authority
from tests.end_to_end.pipeline import wait_for
from tests.mosquitto import free_address, mosquitto_running

AS_IT_COMES = "allow_anonymous true\n"


@contextmanager
def broker(program: str, folder: Path, settings: str, **keys: str) -> Iterator[Settings]:
    address = free_address()
    lines = f"listener {address.port} 127.0.0.1\n{settings}"
    with mosquitto_running(program, folder, lines, address.port):
        yield Settings(broker=BrokerSection(url=f"mqtt://{address}", **keys))


def shipped(repository: Path, data: Path) -> str:
    """Take deploy/mosquitto.conf, but for the places that only its container has."""
    text = (repository / "deploy" / "mosquitto.conf").read_text()
    assert "\nlistener 1883\n" in text
    return text.replace("\nlistener 1883\n", "\n").replace("/mosquitto/data/", f"{data}/")


def by_subject(settings: Settings) -> dict[str, Finding]:
    return {found.subject: found for found in broker_findings(settings, None)}


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_a_mosquitto_as_it_comes_is_found_to_drop_messages(
    mosquitto: str, tmp_path: Path, version: str
) -> None:
    with broker(mosquitto, tmp_path, AS_IT_COMES, version=version) as settings:
        began_s = time.monotonic()
        found = by_subject(settings)
        assert time.monotonic() - began_s < 10
    assert [found[subject].is_good for subject in found] == [True, True, False]
    words = found["broker's queue"].words
    assert "keeps 1000 of 1100 messages" in words
    assert "max_queued_messages 0" in words


def test_the_mosquitto_of_the_compose_file_is_found_good(
    mosquitto: str, tmp_path: Path, repository: Path
) -> None:
    with broker(mosquitto, tmp_path, shipped(repository, tmp_path)) as settings:
        found = by_subject(settings)
    assert all(one.is_good and not one.is_doubtful for one in found.values()), found
    assert "1100 messages were kept" in found["broker's queue"].words


def test_the_mosquitto_of_the_compose_file_has_almost_all_on_disk_when_it_is_killed(
    mosquitto: str, tmp_path: Path, repository: Path
) -> None:
    port, changes_per_save = free_address().port, 100
    lines = f"listener {port} 127.0.0.1\n{shipped(repository, tmp_path)}"
    assert f"autosave_interval {changes_per_save}\n" in lines
    endpoint = Endpoint(Address("127.0.0.1", port))
    with Journal.open(tmp_path / "journal", limit_bytes=1 << 28) as journal:
        with mosquitto_running(mosquitto, tmp_path, lines, port) as process:
            receive(endpoint, journal, 0)
            with Publisher(endpoint, client_id="p") as publisher:
                for number in range(2000):
                    publisher.publish("plant/a", b"%d" % number)
            process.kill()
        with mosquitto_running(mosquitto, tmp_path, lines, port):
            receive(endpoint, journal, 2000 - changes_per_save)


def receive(endpoint: Endpoint, journal: Journal, count: int) -> None:
    stop = threading.Event()
    receiver = Receiver(endpoint, topics=["plant/#"], client_id="r", journal=journal)
    thread = threading.Thread(target=receiver.run, args=(stop,))
    thread.start()
    try:
        wait_for(lambda: receiver.connected and journal.end >= count, what="what was kept came")
    finally:
        stop.set()
        thread.join(10)


def test_a_broker_that_knows_no_dollar_topics_is_no_false_alarm() -> None:
    with embedded_broker() as address:
        found = by_subject(Settings(broker=BrokerSection(url=f"mqtt://{address}")))
    assert all(one.is_good for one in found.values())
    assert "not looked at" in found["broker's queue"].words


def test_nothing_of_the_doctor_stays_in_the_broker(mosquitto: str, tmp_path: Path) -> None:
    data = f"{AS_IT_COMES}persistence true\npersistence_location {tmp_path}/\n"
    with broker(mosquitto, tmp_path, data) as settings:
        assert keeping(broker_endpoint(settings)) == Keeping(1100, 1000, is_resumed=True)
    assert b"gainline-doctor" not in (tmp_path / "mosquitto.db").read_bytes()


def test_with_the_rules_in_the_docs_a_gateway_writes_below_its_own_name_alone(
    mosquitto: str, authority: Authority, tmp_path: Path, repository: Path
) -> None:
    page = (repository / "docs" / "brokers.md").read_text()
    lines, rules = (block.split("\n```")[0] for block in page.split("```conf\n")[1:])
    (tmp_path / "acl").write_text(rules + "\n")
    (tmp_path / "ca.pem").write_text(Path(authority.ca).read_text())
    for path, text in zip(("broker.pem", "broker.key"), authority.signed("broker"), strict=True):
        (tmp_path / path).write_text(Path(text).read_text())
    port = free_address().port
    lines = lines.replace("listener 8883", f"max_queued_messages 0\nlistener {port} 127.0.0.1")
    lines = lines.replace("/etc/mosquitto/", f"{tmp_path}/")

    def entering(name: str) -> Settings:
        cert, key = authority.signed(name)
        section = BrokerSection(
            url=f"mqtts://127.0.0.1:{port}",
            version="5",
            topics=("site/#",),
            ca_file=authority.ca,
            cert_file=cert,
            key_file=key,
        )
        return Settings(broker=section)

    with mosquitto_running(mosquitto, tmp_path, lines + "\n", port):
        found = by_subject(entering("gainline"))
        assert all(one.is_good and not one.is_doubtful for one in found.values()), found
        with Publisher(broker_endpoint(entering("gw1")), client_id="gw1") as gateway:
            gateway.publish("site/gw1/line/machine/temperature", b"1")
            gateway.drain(5)
            gateway.publish("site/gw2/line/machine/temperature", b"1")
            with pytest.raises(ConfigError, match=r"'site/gw2/.*Not authorized"):
                gateway.drain(5)
        assert keeping(broker_endpoint(entering("gw1"))) is None


def test_a_filter_that_is_not_granted_is_named(mosquitto: str, tmp_path: Path) -> None:
    lines = f"{AS_IT_COMES}max_qos 0\n"
    with broker(mosquitto, tmp_path, lines, topics=("plant/#",)) as settings:  # type: ignore[arg-type]
        with pytest.raises(UnreachableError, match=r"'plant/#' at QoS 1 \(granted at QoS 0 alone"):
            granted(settings)
        shared = ["$share/group/plant/#"]
        assert list(not_granted(broker_endpoint(settings), shared)) == shared
