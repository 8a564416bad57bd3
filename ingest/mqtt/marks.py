"""Publishes the newest commit mark of each gateway, without anybody having to wait for it."""

from __future__ import annotations

import math
import threading
import time
from itertools import islice
from typing import TYPE_CHECKING

import structlog
from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode

from contracts.endpoint import endpoint_of
from contracts.errors import UnreachableError
from ingest.marks import payload_of, topic_of
from ingest.mqtt.client import QOS, TICK_S, Session, connect, new_client, refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paho.mqtt.client import ConnectFlags
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from contracts.batches import Mark
    from contracts.endpoint import Endpoint
    from contracts.message import Address

# As many as ingest remembers gateways; beyond it the mark that is the oldest is forgotten.
MARKS_MAX = 4_096
UNDER_WAY_MAX = 20  # what every broker takes at once; a mark is some fifty bytes
# A mark that comes later only keeps a spool longer: no hurry, and no load on a broker that is ill.
RECONNECT_S_MIN = 0.5  # doubled at each failure
RECONNECT_S_MAX = 15.0
LEAVE_S_MAX = 1.0  # for the last marks; at the next start all are published again
LOG_EVERY_S = 60.0

_log = structlog.get_logger()


class MarkPublisher:
    """Publishes commit marks, retained, on a connection of its own, from the thread of `run`.

    A broker that is away, slow or that refuses marks holds up nothing else: of each gateway the
    newest mark is kept. After a connection that broke all marks are published again, as the broker
    may have forgotten them.
    """

    def __init__(self, broker: Address | Endpoint, *, client_id: str) -> None:
        """Prepare; nothing is connected before there is a mark."""
        self._broker = endpoint_of(broker)
        self._session = Session(client_id)
        self._lock = threading.Lock()
        self._newest: dict[str, bytes] = {}  # by topic, the one handed over last at the end
        self._due: dict[str, bytes] = {}
        self._under_way: set[int] = set()  # packet ids
        self._is_let_in = False
        self._log_at_s = -math.inf

    def hand_over(self, marks: Sequence[Mark]) -> None:
        """Take marks of what is committed; never waits for the broker."""
        with self._lock:
            for mark in marks:
                topic, payload = topic_of(mark.gateway), payload_of(mark)
                for kept in (self._newest, self._due):
                    kept.pop(topic, None)
                    kept[topic] = payload
            for kept in (self._newest, self._due):
                for topic in list(islice(kept, max(0, len(kept) - MARKS_MAX))):
                    del kept[topic]

    def run(self, stop: threading.Event) -> None:
        """Publish until `stop` is set; then what is left, for a moment."""
        delay_s = 0.0
        while not stop.wait(max(delay_s, TICK_S)):
            if not self._due:
                continue
            began_s = time.monotonic()
            self._serve(stop)
            if time.monotonic() - began_s > RECONNECT_S_MAX:
                delay_s = 0.0  # it was no flapping
            delay_s = min(max(2 * delay_s, RECONNECT_S_MIN), RECONNECT_S_MAX)

    def _serve(self, stop: threading.Event) -> None:
        """Publish on one connection until it ends, or until `stop` is set and all is published."""
        client = self._connected()
        if client is None:
            return
        until_s = math.inf
        while time.monotonic() < until_s:
            if client.loop(TICK_S) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._complain("marks_wait", reason="the connection has ended")
                with self._lock:  # the broker may have been started anew, and know none
                    self._due = self._newest.copy()
                return
            if self._is_let_in:
                self._publish_due(client)
            if stop.is_set():
                until_s = min(until_s, time.monotonic() + LEAVE_S_MAX)
                if not self._due and not self._under_way:
                    break
        client.disconnect()

    def _connected(self) -> Client | None:
        client = new_client(self._broker, self._session, Client)
        client.on_connect = self._on_connect
        client.on_publish = self._on_publish
        self._is_let_in = False
        self._under_way.clear()
        try:
            connect(client, self._broker, self._session)
        except UnreachableError as error:
            self._complain("marks_wait", reason=str(error))
            return None
        return client

    def _publish_due(self, client: Client) -> None:
        while self._due and len(self._under_way) < UNDER_WAY_MAX:
            with self._lock:
                topic = next(iter(self._due))
                payload = self._due.pop(topic)
            message = client.publish(topic, payload, QOS, retain=True)
            if not message.is_published():
                self._under_way.add(message.mid)

    def _on_connect(
        self, _client: Client, _: object, _flags: ConnectFlags, code: ReasonCode, *_more: object
    ) -> None:
        if code.is_failure:
            self._complain("marks_wait", reason=str(refusal(self._broker, code)))
            return
        self._is_let_in = True

    def _on_publish(
        self, _client: Client, _: object, packet_id: int, code: ReasonCode, _more: Properties
    ) -> None:
        self._under_way.discard(packet_id)
        if code.is_failure:
            self._complain("mark_refused", reason=str(code))

    def _complain(self, event: str, **values: object) -> None:
        if time.monotonic() >= self._log_at_s:
            self._log_at_s = time.monotonic() + LOG_EVERY_S
            _log.warning(event, broker=str(self._broker), **values)
