"""paho's client with a reader of its own: much at once, and messages stay the bytes that came.

Paho connects, authenticates, keeps alive and handles every answer; it spends four calls to the
kernel and some 20 µs on a message, and this a fiftieth. It uses names that paho keeps to itself:
`soundness` says whether they still mean what they did.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable

from paho.mqtt import MQTTException
from paho.mqtt.client import Client
from paho.mqtt.enums import LogLevel, MessageType, MQTTErrorCode

from ingest.frames import FrameError, acknowledgements
from ingest.mqtt.client import QOS
from ingest.stream import Other, Publishes, Stream

# Some two thousand messages: with more, what it costs to ask the kernel no longer counts.
READ_BYTES = 256 * 1024

# What paho raises on an answer that it cannot read, from a broker that is none.
_BROKEN = (FrameError, MQTTException, struct.error, LookupError, ValueError)


class BulkClient(Client):
    """A client whose messages go to `on_publishes` and are acknowledged by `acknowledge` alone."""

    reader = "bulk"
    messages_max: int | None = None  # before they are acknowledged: as many as there are

    on_publishes: Callable[[Publishes], None]
    is_drained = True  # the last `loop_read` left nothing to be read, for all we know
    complaint = ""  # why this connection was given up, where the broker is not understood
    _stream: Stream

    @property
    def frame_protocol(self) -> int:
        """The version of MQTT in which messages are handed on."""
        return int(self._protocol)

    def reconnect(self) -> MQTTErrorCode:
        """Connect anew; what is left of a frame that the last connection began is dropped."""
        self._stream, self.complaint = Stream(self.frame_protocol), ""
        return super().reconnect()

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:  # noqa: ARG002  # paho's
        """Read once, as much as is there, and hand it on."""
        if self._sock is None:
            return MQTTErrorCode.MQTT_ERR_NO_CONN
        try:
            data = self._sock_recv(READ_BYTES)
        except BlockingIOError:
            self.is_drained = True
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        except OSError as error:
            self._easy_log(LogLevel.MQTT_LOG_ERR, "failed to receive on socket: %s", error)
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
        if not data:
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
        with self._msgtime_mutex:
            self._last_bytes_received = time.monotonic()
        # TLS and WebSocket hand out one record at a time
        self.is_drained = len(data) < READ_BYTES and type(self._sock) is socket.socket
        try:
            return self._take(data)
        except _BROKEN as error:
            self.complaint = f"what the broker sends is no MQTT that we know: {error}"
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_PROTOCOL)

    def _take(self, data: bytes) -> MQTTErrorCode:
        for part in self._stream.feed(data):
            if isinstance(part, Publishes):
                self.on_publishes(part)
                continue
            result = self._handle(part)
            if result > 0:
                return self._loop_rc_handle(result)
            if self._sock is None:
                return MQTTErrorCode.MQTT_ERR_NO_CONN
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _handle(self, frame: Other) -> MQTTErrorCode:
        """Let paho handle a frame as if it had read it itself."""
        self._in_packet = {
            "command": frame.head,
            "have_remaining": 1,
            "remaining_count": [],
            "remaining_mult": 1,
            "remaining_length": len(frame.body),
            "packet": bytearray(frame.body),
            "to_process": 0,
            "pos": 0,
        }
        return self._packet_handle()

    def acknowledge(self, packet_ids: list[bytes]) -> None:
        """Acknowledge messages of this connection, in one write.

        It is one packet to paho, which writes the rest of it when the socket takes more, and
        nothing in between.
        """
        if packet_ids and self._sock is not None:
            self._packet_queue(MessageType.PUBACK, acknowledgements(packet_ids), 0, QOS)

    def excuse_silence(self) -> None:
        """Do not take the broker for gone that did not answer a ping while we did not read."""
        self._ping_t = 0.0
