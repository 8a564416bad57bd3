"""paho's client as it comes, for a paho that the bulk reader does not know."""

from __future__ import annotations

import select
from collections.abc import Callable

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode

from ingest.frames import MESSAGE_BYTES_MAX, MQTT_3, publish_frame
from ingest.mqtt.client import QOS, holds_more
from ingest.stream import Publishes


class StockClient(Client):
    """A client whose messages go to `on_publishes` and are acknowledged by `acknowledge` alone."""

    reader = "stock"
    # Each is acknowledged by a call of its own: with more, the broker's window would run empty.
    messages_max: int | None = 50
    complaint = ""

    on_publishes: Callable[[Publishes], None]
    frame_protocol = MQTT_3  # in which messages are handed on, whatever the connection speaks

    def reconnect(self) -> MQTTErrorCode:
        """Connect anew."""
        self.on_message = self._hand_on
        return super().reconnect()

    @property
    def is_drained(self) -> bool:
        """Tell whether nothing more can be read now."""
        sock = self.socket()
        if sock is None:
            return True
        poll = select.poll()
        poll.register(sock.fileno(), select.POLLIN)
        return not holds_more(self) and not poll.poll(0)

    def _hand_on(self, _client: Client, _: object, message: MQTTMessage) -> None:
        try:
            topic = message.topic.encode()
        except UnicodeDecodeError as error:
            topic = error.object
        packet_id = message.mid if message.qos == QOS else 0
        payload = bytes(message.payload[:MESSAGE_BYTES_MAX])
        frame = publish_frame(topic, payload, packet_id=packet_id, retained=message.retain)
        ids = [packet_id.to_bytes(2, "big")] if packet_id else []
        self.on_publishes(Publishes(1, ids, frame))

    def acknowledge(self, packet_ids: list[bytes]) -> None:
        """Acknowledge messages of this connection."""
        for packet_id in packet_ids:
            if self.socket() is not None:
                self.ack(int.from_bytes(packet_id, "big"), QOS)

    def excuse_silence(self) -> None:
        """Do nothing: paho may take the broker for gone; what it had sent comes again."""
