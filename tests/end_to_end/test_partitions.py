"""Several readers as processes, one committer: nothing lost, nothing doubled, whoever dies."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from contracts.errors import ConfigError
from contracts.message import Address
from gainline.config.loading import Settings
from gainline.config.sections import IngestSection, StoreSection
from gainline.running.partitions import journals_of_partitions, partitions
from ingest.fleet import FleetPlan, Shape, sendings
from ingest.mqtt.publisher import Publisher
from tests.end_to_end.pipeline import gainline, rows, service, wait_for
from tests.mosquitto import free_address, mosquitto_running

BROKER = "listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
CONFIG = """
[broker]
url = "mqtt://127.0.0.1:{port}"
[ingest]
partitions = {partitions}
[store]
folder = "{store}"
"""
PARTITIONS = '[["simulated/gateway1/#", "simulated/gateway2/#"], ["simulated/gateway3/#"]]'
COUNTS_SQL = """
SELECT count(*)::BIGINT AS readings, count(DISTINCT (gateway, seq))::BIGINT AS messages,
       (SELECT sum(received)::BIGINT FROM ledger) AS received,
       (SELECT count(*) FROM gaps) AS gaps
FROM raw.readings
"""


def readers_of(pid: int) -> list[int]:
    """Find the processes that a process has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[1]) == pid and words[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def test_every_partition_is_read_and_a_killed_reader_is_started_again(
    tmp_path: Path, mosquitto: str
) -> None:
    port, store, log = free_address().port, tmp_path / "lake", tmp_path / "ingest.log"
    config = tmp_path / "gainline.toml"
    config.write_text(CONFIG.format(port=port, partitions=PARTITIONS, store=store))
    plan = FleetPlan(Shape.READING, gateways=3, rate=300, seconds=2)
    messages = [one.message for one in sendings(plan, start_us=1_767_225_600_000_000)]
    with mosquitto_running(mosquitto, tmp_path / "broker", BROKER.format(port=port), port):
        with service("ingest", "--config", config, log=log) as ingest:
            wait_for(lambda: log.read_text().count("broker_connected") >= 2, what="both read")
            victim, _ = readers_of(ingest.pid)
            with Publisher(Address("127.0.0.1", port), client_id="gateways") as publisher:
                for number, message in enumerate(messages):
                    publisher.publish(message.topic, message.payload)
                    if number == len(messages) // 2:
                        os.kill(victim, signal.SIGKILL)
                publisher.drain(60)
            wait_for(lambda: received(store) >= len(messages), what="all is in the lake")
            ingest.send_signal(signal.SIGTERM)
            assert ingest.wait(15) == 0
            wait_for(lambda: not readers_of(ingest.pid), what="no reader is left")
        (counts,) = rows(store, COUNTS_SQL)
        assert counts["readings"] == counts["messages"] == len(messages)
        assert counts["gaps"] == 0
        assert gainline("ledger", "--store", store).returncode == 0
        assert list(journals_of_partitions(store)) == ["1", "2"]

        # undivided again: what the readers left is stored, and counting goes on
        config.write_text(CONFIG.format(port=port, partitions="[]", store=store))
        with service("ingest", "--config", config, log=log):
            wait_for(lambda: log.read_text().count("broker_connected") >= 4, what="one reads")
            with Publisher(Address("127.0.0.1", port), client_id="gateways") as publisher:
                publisher.publish("simulated/gateway4/x", b'{"ts": 1767225600000, "a": 1}')
                publisher.drain(60)
            wait_for(
                lambda: rows(store, "FROM raw.readings WHERE tag = 'simulated/gateway4/x/a'"),
                what="what comes now is stored",
            )
    assert rows(store, "SELECT count(*) AS n FROM raw.readings")[0]["n"] == len(messages) + 1


def received(store: Path) -> int:
    """Ask how many messages of gateways the lake has."""
    found = rows(store, "SELECT sum(stored + dead_letter)::BIGINT AS n FROM ledger")
    return int(found[0]["n"] or 0) if found else 0


def test_partitions_that_share_a_topic_are_refused(tmp_path: Path) -> None:
    def of(*groups: tuple[str, ...]) -> Settings:
        return Settings(
            ingest=IngestSection(partitions=groups), store=StoreSection(folder=str(tmp_path))
        )

    with pytest.raises(ConfigError, match=r"ingest\.partitions: 'a/#' and 'a/\+' match the same"):
        partitions(of(("a/#",), ("b/#", "a/+")))
    with pytest.raises(ConfigError, match="no filter"):
        partitions(of(("a/#/b",)))
    assert [part.client_id for part in partitions(of(("a/#",), ("b/#",)))] == [
        "gainline-ingest-1",
        "gainline-ingest-2",
    ]
