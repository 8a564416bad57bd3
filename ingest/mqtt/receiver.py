"""Reads the messages of a broker into the journal and acknowledges what is on disk."""

from __future__ import annotations

import math
import select
import time
from typing import TYPE_CHECKING

import structlog
from paho.mqtt.client import Client

from contracts.endpoint import endpoint_of
from contracts.errors import TransientError, UnreachableError
from contracts.message import NOT_UTF8
from ingest.journal import Journal, Received
from ingest.mqtt.client import (
    KEEP_ALIVE_S,
    QOS,
    TICK_S,
    Session,
    connect,
    holds_more,
    last_error,
    new_client,
    refusal,
)

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from paho.mqtt.client import ConnectFlags, DisconnectFlags, MQTTMessage
    from paho.mqtt.reasoncodes import ReasonCode

    from contracts.endpoint import Endpoint
    from contracts.message import Address

# One fdatasync takes milliseconds: with 1000 messages, or 4 MiB, its share in the time of a
# group is small, and what a crash makes the broker send again stays small too.
GROUP_COUNT_MAX = 1000
GROUP_BYTES_MAX = 4 * 1024 * 1024
# A socket that is never drained must not keep the first message of a group waiting for longer.
GROUP_AGE_S_MAX = 0.1

FULL_RETRY_S = 0.5  # well under the 5 s in which ingest resumes when space comes free
LEAVE_S_MAX = 1.0  # for the broker to take the last acknowledgements; it may be stuck
FENCE_TOPIC = "gainline/nobody/subscribes/to/this"

RECONNECT_S_MIN = 0.1  # doubled at each failure
RECONNECT_S_MAX = 3.0  # an outage then costs at most this beyond its own length
LOG_EVERY_S = 10.0  # while the broker is away

_log = structlog.get_logger()


class Receiver:
    """Reads topics of one broker into the journal and acknowledges what is on disk.

    Everything happens in the thread that calls `run`, so an acknowledgement can only go out on
    the connection its message came from. The socket is read only while the group has room: when
    the journal is full this stops the broker. Pings still pass as long as the broker's window is
    smaller than a group, and the broker answers them (rumqttd does not); where they do not, the
    connection times out, what was read from it is forgotten, and the broker sends it again.
    """

    def __init__(
        self,
        broker: Address | Endpoint,
        *,
        topics: Sequence[str],
        client_id: str,
        journal: Journal,
        keep_alive_s: int = KEEP_ALIVE_S,
    ) -> None:
        """Prepare; nothing is connected yet. `client_id` names the session at the broker."""
        self.connected = False  # and subscribed: what is published from now on arrives
        self.is_waiting_for_space = False  # the journal or its disk is full
        self.received_count = 0  # messages in the journal and acknowledged
        self._broker = endpoint_of(broker)
        self._session = Session(client_id, is_kept=True, is_acked_by_hand=True)
        self._topics = tuple(topics)
        self._journal = journal
        self._keep_alive_s = keep_alive_s
        self._client = self._new_client()
        self._group: list[Received] = []
        self._packet_ids: list[int] = []  # of the group, 0 for a message of QoS 0
        self._group_bytes = 0
        self._flush_at_s = 0.0  # monotonic; not before
        self._delay_s = 0.0  # before the next attempt to connect
        self._connected_at_s = math.inf  # monotonic; no connection
        self._is_leaving = False
        self._fence_id: int | None = None  # of the question that ends a connection
        self._is_fenced = False  # and was it answered?
        self._log_at_s = 0.0

    def _new_client(self) -> Client:
        client = new_client(self._broker, self._session, Client)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def run(self, stop: threading.Event) -> None:
        """Receive until `stop` is set; then write and acknowledge what was read, and leave.

        Reconnects by itself and never raises for a broker that is away. GainlineError if the
        journal can no longer be trusted: nothing unwritten has been acknowledged.
        """
        try:
            while not stop.is_set():
                if self._client.socket() is None:
                    self._connect(stop)
                else:
                    self._turn()
            self._flush()
        finally:
            self._leave()

    def _connect(self, stop: threading.Event) -> None:
        if stop.wait(self._delay_s):
            return
        self._delay_s = min(max(2 * self._delay_s, RECONNECT_S_MIN), RECONNECT_S_MAX)
        try:
            connect(self._client, self._broker, self._session, keep_alive_s=self._keep_alive_s)
        except UnreachableError as error:
            self._complain("broker_unreachable", reason=str(error))

    def _complain(self, event: str, **values: object) -> None:
        if time.monotonic() >= self._log_at_s:
            self._log_at_s = time.monotonic() + LOG_EVERY_S
            _log.warning(event, broker=str(self._broker), **values)

    def _turn(self) -> None:
        """Wait for the socket once, and do what it allows."""
        sock = self._client.socket()
        if sock is None:
            return
        poll = select.poll()
        reading = select.POLLIN if self._has_room() else 0
        poll.register(sock, reading | (select.POLLOUT if self._client.want_write() else 0))
        is_held = bool(reading) and holds_more(self._client)
        ready = sum(events for _, events in poll.poll(0 if is_held else TICK_S * 1000))
        if ready & select.POLLOUT:
            self._client.loop_write()
        if ready & ~select.POLLOUT or is_held:
            poll.modify(sock, select.POLLIN)
            self._drain(poll)
        self._client.loop_misc()
        if time.monotonic() >= self._flush_at_s:
            self._flush()

    def _drain(self, poll: select.poll) -> None:
        """Read until nothing more is there, the group is full, or it is old."""
        until_s = time.monotonic() + GROUP_AGE_S_MAX
        while True:
            self._client.loop_read()  # one packet
            if (
                self._client.socket() is None
                or not self._has_room()
                or time.monotonic() >= until_s
                or not (holds_more(self._client) or poll.poll(0))
            ):
                return

    def _has_room(self) -> bool:
        return len(self._group) < GROUP_COUNT_MAX and self._group_bytes < GROUP_BYTES_MAX

    def _flush(self) -> None:
        """Write the group, then acknowledge it; keep it if the journal is full."""
        if not self._group:
            return
        try:
            self._journal.append(self._group)
        except TransientError as error:
            self._flush_at_s = time.monotonic() + FULL_RETRY_S
            if not self.is_waiting_for_space:
                self.is_waiting_for_space = True
                _log.error("journal_full", reason=str(error))
            return
        if self.is_waiting_for_space:
            self.is_waiting_for_space = False
            _log.info("journal_has_space_again")
        packet_ids = self._packet_ids
        self.received_count += len(self._group)
        self._group, self._packet_ids, self._group_bytes = [], [], 0
        for packet_id in packet_ids:
            if packet_id and self._client.socket() is not None:
                self._client.ack(packet_id, QOS)

    def _leave(self) -> None:
        """Disconnect once the broker has taken every acknowledgement.

        A broker that writes to a closed connection forgets what it has not read from it yet. It
        answers in order, so its answer to a question after the last acknowledgement is the sign.
        """
        self._is_leaving = True
        until_s = time.monotonic() + LEAVE_S_MAX
        if self.connected:
            # rumqttd answers UNSUBSCRIBE only for a topic that was subscribed to
            _, self._fence_id = self._client.subscribe(FENCE_TOPIC, QOS)
            self._client.unsubscribe(FENCE_TOPIC)
            while self.connected and not self._is_fenced and time.monotonic() < until_s:
                self._exchange()
        self._client.disconnect()
        while self._client.socket() is not None and time.monotonic() < until_s + TICK_S:
            self._exchange()

    def _exchange(self) -> None:
        if (sock := self._client.socket()) is None:
            return
        poll = select.poll()
        poll.register(sock, select.POLLIN | (select.POLLOUT if self._client.want_write() else 0))
        poll.poll(TICK_S * 1000)
        self._client.loop_write()
        self._client.loop_read()

    def _on_connect(
        self, client: Client, _: object, flags: ConnectFlags, code: ReasonCode, *_more: object
    ) -> None:
        if code.is_failure:
            self._complain("broker_refuses", reason=str(refusal(self._broker, code)))
            return
        self._connected_at_s = time.monotonic()
        _log.info("broker_connected", broker=str(self._broker), resumed=flags.session_present)
        client.subscribe([(topic, QOS) for topic in self._topics])

    def _on_subscribe(
        self, _c: Client, _: object, packet_id: int, codes: list[ReasonCode], *_more: object
    ) -> None:
        if packet_id == self._fence_id:
            self._is_fenced = True
            return
        for topic, code in zip(self._topics, codes, strict=False):
            if code.is_failure:
                _log.error("subscription_refused", topic=topic, reason=str(code))
        self.connected = True

    def _on_disconnect(
        self, _client: Client, _: object, __: DisconnectFlags, code: ReasonCode, *_more: object
    ) -> None:
        """Forget what is not in the journal: the broker will send it again, QoS 0 apart."""
        self.connected = False
        if time.monotonic() - self._connected_at_s > RECONNECT_S_MAX:
            self._delay_s = 0.0  # it was no flapping
        self._connected_at_s = math.inf
        if not self._is_leaving:
            reason = last_error(self._client) or str(code)
            self._complain("broker_lost", reason=reason, dropped=len(self._group))
        pairs = zip(self._group, self._packet_ids, strict=True)
        self._group = [message for message, packet_id in pairs if packet_id == 0]
        self._packet_ids = [0] * len(self._group)
        self._group_bytes = sum(len(message.payload) for message in self._group)

    def _on_message(self, _client: Client, _: object, message: MQTTMessage) -> None:
        received_us = time.time_ns() // 1000
        try:
            topic = message.topic
        except UnicodeDecodeError as error:
            topic = NOT_UTF8 + error.object.decode(errors="backslashreplace")
        payload = bytes(message.payload)
        self._group.append(Received(topic, payload, received_us, message.retain))
        self._packet_ids.append(message.mid if message.qos else 0)
        self._group_bytes += len(topic) + len(payload)
