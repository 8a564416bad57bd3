"""Reads the messages of a broker into the journal and acknowledges what is on disk."""

from __future__ import annotations

import math
import select
import time
from typing import TYPE_CHECKING

import structlog

from contracts.endpoint import endpoint_of
from contracts.errors import TransientError, UnreachableError
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
from ingest.mqtt.group import Group
from ingest.mqtt.soundness import ReaderClient, reader_kind

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
    from paho.mqtt.reasoncodes import ReasonCode

    from contracts.endpoint import Endpoint
    from contracts.message import Address
    from ingest.journal import Journal
    from ingest.stream import Publishes

# One fdatasync takes milliseconds: with so much its share in the time of a group is small, and what
# a crash makes the broker send again stays small too.
GROUP_BYTES_MAX = 4 * 1024 * 1024
# A socket that is never drained must not keep the first message of a group waiting for longer.
GROUP_AGE_S_MAX = 0.1

FULL_RETRY_S = 0.5  # well under the 5 s in which ingest resumes when space comes free
# While the journal is full, reading goes on up to this: the answers to our pings stand behind what
# the broker sends without waiting for us, which is its window. The largest, the 65,535 messages of
# MQTT 5, comes to half of it with 250 bytes each.
HELD_BYTES_MAX = 32 * 1024 * 1024
LEAVE_S_MAX = 1.0  # for the broker to take the last acknowledgements; it may be stuck
FENCE_TOPIC = "gainline/nobody/subscribes/to/this"

RECONNECT_S_MIN = 0.1  # doubled at each failure
RECONNECT_S_MAX = 3.0  # an outage then costs at most this beyond its own length
RESUBSCRIBE_S = 10.0  # what was refused; somebody must change the broker's rules first
LOG_EVERY_S = 10.0  # while the broker is away

_log = structlog.get_logger()


class Receiver:
    """Reads topics of one broker into the journal and acknowledges what is on disk.

    Everything happens in the thread that calls `run`, and what was read is forgotten with its
    connection, so an acknowledgement can only go out on the connection its message came from.
    While the journal is full little is read, which stops the broker; pings still pass, and a broker
    that cannot answer them meanwhile (rumqttd, while its window is full) is not taken for gone.
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
        self.connected = False  # and subscribed to all: what is published from now on arrives
        self.connected_at_us: int | None = None  # since 1970 in UTC; None without a connection
        self.is_waiting_for_space = False  # the journal or its disk is full
        self.received_count = 0  # messages in the journal and acknowledged
        self._broker = endpoint_of(broker)
        self._session = Session(client_id, is_kept=True, is_acked_by_hand=True)
        self._topics = list(topics)
        self._journal = journal
        self._keep_alive_s = keep_alive_s
        self._client = self._new_client()
        self.reader = self._client.reader  # "bulk", or "stock" where paho is one we do not know
        self._group = Group()
        self._flush_at_s = 0.0  # monotonic; not before
        self._delay_s = 0.0  # before the next attempt to connect
        self._connected_at_s = math.inf  # monotonic; no connection
        self._asked: list[str] = []  # topics that the broker has not granted yet
        self._ask_at_s = math.inf  # monotonic; for these once more
        self._is_leaving = False
        self._fence_id: int | None = None  # of the question that ends a connection
        self._is_fenced = False  # and was it answered?
        self._log_at_s = 0.0

    def _new_client(self) -> ReaderClient:
        client: ReaderClient = new_client(self._broker, self._session, reader_kind())
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publishes = self._on_publishes
        return client

    @property
    def journal_bytes(self) -> int:
        """What the journal takes of the disk."""
        return self._journal.byte_count

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
        self._group = self._group.of_qos_0()  # so already, unless paho lost a connection in silence
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
            self._drain()
        self._look_after_connection()
        if time.monotonic() >= self._flush_at_s:
            self._flush()

    def _drain(self) -> None:
        """Read until nothing more is there, the group is full, or it is old."""
        until_s = time.monotonic() + GROUP_AGE_S_MAX
        while True:
            self._client.loop_read()
            if (
                self._client.socket() is None
                or self._client.is_drained
                or not self._has_room()
                or time.monotonic() >= until_s
            ):
                return

    def _has_room(self) -> bool:
        if self.is_waiting_for_space:
            return self._group.byte_count < HELD_BYTES_MAX
        count_max = self._client.messages_max or math.inf
        return self._group.byte_count < GROUP_BYTES_MAX and self._group.message_count < count_max

    def _look_after_connection(self) -> None:
        if self.is_waiting_for_space:
            self._client.excuse_silence()
        self._client.loop_misc()
        if time.monotonic() >= self._ask_at_s:
            self._subscribe(self._asked)

    def _flush(self) -> None:
        """Write the group, then acknowledge it; keep it if the journal is full."""
        bytes_max = min(GROUP_BYTES_MAX, self._journal.block_bytes_max)
        while block := self._group.first_block(bytes_max=bytes_max):
            try:
                self._journal.append_frames(block.chunks, self._client.frame_protocol)
            except TransientError as error:
                self._flush_at_s = time.monotonic() + FULL_RETRY_S
                if not self.is_waiting_for_space:
                    self.is_waiting_for_space = True
                    _log.error("journal_full", reason=str(error))
                return
            self._group.remove(block)
            self.received_count += block.message_count
            self._client.acknowledge(block.packet_ids)
        if self.is_waiting_for_space:
            self.is_waiting_for_space = False
            _log.info("journal_has_space_again")

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
        self, _c: Client, _: object, flags: ConnectFlags, code: ReasonCode, *_more: object
    ) -> None:
        if code.is_failure:
            self._complain("broker_refuses", reason=str(refusal(self._broker, code)))
            return
        self._connected_at_s, self.connected_at_us = time.monotonic(), time.time_ns() // 1000
        _log.info("broker_connected", broker=str(self._broker), resumed=flags.session_present)
        self._subscribe(self._topics)

    def _subscribe(self, topics: list[str]) -> None:
        self._asked, self._ask_at_s = topics, math.inf
        self._client.subscribe([(topic, QOS) for topic in topics])

    def _on_subscribe(
        self, _c: Client, _: object, packet_id: int, codes: list[ReasonCode], *_more: object
    ) -> None:
        if packet_id == self._fence_id:
            self._is_fenced = True
            return
        answers = list(zip(self._asked, codes, strict=False))
        for topic, code in answers:
            if code.is_failure:
                _log.error("subscription_refused", topic=topic, reason=str(code))
            elif code.value < QOS:
                _log.warning("subscription_without_acknowledgement", topic=topic, reason=str(code))
        refused = [topic for topic, code in answers if code.is_failure]
        self.connected = not refused
        if refused:
            self._asked, self._ask_at_s = refused, time.monotonic() + RESUBSCRIBE_S

    def _on_disconnect(
        self, _client: Client, _: object, __: DisconnectFlags, code: ReasonCode, *_more: object
    ) -> None:
        """Forget what is not in the journal: the broker will send it again, QoS 0 apart."""
        self.connected = False
        if time.monotonic() - self._connected_at_s > RECONNECT_S_MAX:
            self._delay_s = 0.0  # it was no flapping
        self._connected_at_s, self.connected_at_us, self._ask_at_s = math.inf, None, math.inf
        kept = self._group.of_qos_0()
        if not self._is_leaving:
            reason = self._client.complaint or last_error(self._client) or str(code)
            dropped = self._group.message_count - kept.message_count
            self._complain("broker_lost", reason=reason, dropped=dropped)
        self._group = kept

    def _on_publishes(self, part: Publishes) -> None:
        if not self._is_leaving:  # what comes now is not acknowledged, and comes again
            self._group.add(part)
