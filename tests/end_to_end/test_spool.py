"""Gateways that keep what is not marked lose nothing to a broker that keeps nothing."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from contracts.message import Address
from tests.end_to_end.pipeline import rows, service, wait_for
from tests.mosquitto import free_address, mosquitto_running

TS_MS = 1_767_225_600_000
COUNTS = "SELECT seq, count(*) AS n FROM raw.readings GROUP BY seq ORDER BY seq"


class Gateway:
    """A gateway that deletes from its spool what is marked, and nothing else."""

    def __init__(self, address: Address) -> None:
        self._lock = threading.Lock()
        self.spool: dict[int, bytes] = {}
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda *_: self._client.subscribe("gainline/commit/gw", 1)
        self._client.on_message = self._delete
        self._client.reconnect_delay_set(1, 1)
        self._client.connect_async(*address)
        self._client.loop_start()

    def _delete(self, _client: Client, _: object, message: MQTTMessage) -> None:
        mark = json.loads(message.payload)
        with self._lock:
            if mark["epoch"] == "e":
                self.spool = {seq: one for seq, one in self.spool.items() if seq > mark["seq"]}

    def send(self, counts: range) -> None:
        """Keep messages and send them, once."""
        for seq in counts:
            head = {"gateway": "gw", "epoch": "e", "seq": seq, "ts": TS_MS + seq}
            self.spool[seq] = json.dumps({**head, "value": seq}).encode()
        self.send_again(of=counts)

    def send_again(self, of: range | None = None) -> None:
        """Send what is kept."""
        with self._lock:
            kept = dict(self.spool)
        for seq, payload in kept.items():
            if of is None or seq in of:
                self._client.publish("s/a/l/m/x", payload, 1)

    def leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.mark.timeout(180)
def test_a_broker_without_persistence_is_killed_and_nothing_is_lost_or_doubled(
    mosquitto: str, tmp_path: Path
) -> None:
    address, store, log = free_address(), tmp_path / "store", tmp_path / "log"
    settings = f"listener {address.port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
    words = ("ingest", "--broker", f"mqtt://{address}", "--store", store)
    gateway = Gateway(address)
    try:
        with mosquitto_running(mosquitto, tmp_path, settings, address.port) as broker:
            with service(*words, log=log) as process:
                wait_for(lambda: "broker_connected" in log.read_text(), what="it is connected")
                gateway.send(range(100))
                wait_for(lambda: not gateway.spool, what="all is marked")
                process.kill()  # now the broker alone has what is sent
                process.wait()
            gateway.send(range(100, 300))
            broker.kill()
        with (
            mosquitto_running(mosquitto, tmp_path, settings, address.port),
            service(*words, log=log) as process,
        ):
            wait_for(lambda: log.read_text().count("broker_connected") == 2, what="it is back")
            assert sorted(gateway.spool) == list(range(100, 300))
            while gateway.spool:  # what is not marked is sent, more than once
                gateway.send_again()
                gateway.send_again()
                wait_for(lambda: not gateway.spool, what="all is marked")
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
    finally:
        gateway.leave()
    assert rows(store, COUNTS) == [{"seq": seq, "n": 1} for seq in range(300)]
    assert rows(store, "FROM gaps") == []
    (ledger,) = rows(store, "FROM ledger")
    assert (ledger["gateway"], ledger["stored"], ledger["dead_letter"]) == ("gw", 300, 0)
    assert ledger["received"] == 300 + ledger["duplicate"]
