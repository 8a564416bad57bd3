"""Asks a broker what it grants us, and what it keeps for a client that is away."""

from __future__ import annotations

import secrets
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from paho.mqtt.client import Client
from paho.mqtt.subscribeoptions import SubscribeOptions

from contracts.errors import GainlineError
from ingest.mqtt.client import (
    QOS,
    REACH_S,
    TICK_S,
    Session,
    connect,
    last_error,
    new_client,
    refusal,
    unreachable,
)
from ingest.mqtt.publisher import Publisher

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paho.mqtt.client import ConnectFlags, MQTTMessage
    from paho.mqtt.reasoncodes import ReasonCode

    from contracts.endpoint import Endpoint

# More than the 1000 that mosquitto queues as it comes.
AWAY_COUNT = 1100
# When nothing more has come for so long, no more will: a broker sends what waits at once.
QUIET_S = 1.0
# No filter with # or + at its beginning matches a topic that begins with $, so the readings of
# nobody are mixed with these, and no queue but ours is filled by them.
TOPIC = "$gainline/doctor"
SHARED = "$share/"
NO_RETAINED = 2  # of MQTT 5: no need to send us what is retained


@dataclass(frozen=True)
class Keeping:
    """How many of the messages that a broker acknowledged it kept for a client that was away."""

    sent_count: int
    kept_count: int
    is_resumed: bool  # the session was there again


def not_granted(endpoint: Endpoint, filters: Sequence[str]) -> dict[str, str]:
    """Subscribe to filters as a client of a moment; give those not granted at QoS 1, and why.

    A shared subscription is asked for alone: a member that leaves would take messages with it.
    UnreachableError if the broker cannot be reached, does not let us in, or does not answer.
    """
    asked = [_unshared(one) for one in filters]
    with _Guest(endpoint, Session(f"gainline-doctor-{secrets.token_hex(3)}")) as guest:
        codes = guest.subscribe(asked)
        if codes is None:
            raise unreachable(endpoint, "it does not answer a subscription")
    return {
        one: f"granted at QoS {code.value} alone" if code.value < QOS else str(code)
        for one, code in zip(filters, codes, strict=True)
        if code.is_failure or code.value < QOS
    }


def _unshared(topic: str) -> str:
    return topic.split("/", 2)[2] if topic.startswith(SHARED) and topic.count("/") > 1 else topic


def keeping(endpoint: Endpoint) -> Keeping | None:
    """Leave a session behind, publish to it, come back and count; None where that cannot be done.

    The topic and both clients are this call's own, and nothing of them stays. It cannot be done
    where the broker or its rules let nobody write and read this topic. UnreachableError if the
    broker cannot be reached or does not let us in.
    """
    name = secrets.token_hex(3)
    kept, topic = Session(f"gainline-doctor-{name}", is_kept=True), f"{TOPIC}/{name}"
    try:
        if not _can_be_used(endpoint, kept, topic):
            return None
        _publish(endpoint, topic, AWAY_COUNT)
        with _Guest(endpoint, kept) as guest:
            guest.wait_for_messages(AWAY_COUNT)
            return Keeping(AWAY_COUNT, guest.message_count, guest.is_resumed)
    finally:
        with suppress(GainlineError), _Guest(endpoint, Session(kept.client_id)):
            pass  # one that is not kept ends the one that was


def _can_be_used(endpoint: Endpoint, kept: Session, topic: str) -> bool:
    """Subscribe and see whether a message comes; the session stays."""
    with _Guest(endpoint, kept) as guest:
        codes = guest.subscribe([topic])
        if codes is None or codes[0].is_failure:
            return False
        try:
            _publish(endpoint, topic, 1)
        except GainlineError:
            return False
        guest.wait_for_messages(1)
        return guest.message_count > 0


def _publish(endpoint: Endpoint, topic: str, count: int) -> None:
    name = f"gainline-sender-{secrets.token_hex(3)}"
    with Publisher(endpoint, client_id=name, give_up_s=REACH_S) as publisher:
        for number in range(count):
            publisher.publish(topic, b"%d" % number)


class _Guest:
    """A client of a moment, which paho's own thread serves; a context manager."""

    def __init__(self, endpoint: Endpoint, session: Session) -> None:
        self.message_count = 0
        self.is_resumed = False
        self._endpoint, self._session = endpoint, session
        self._changed = threading.Condition()
        self._answer: ReasonCode | None = None
        self._codes: list[ReasonCode] | None = None
        self._is_gone = False
        self._client = new_client(endpoint, session, Client)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def __enter__(self) -> Self:
        """Connect; UnreachableError unless the broker lets us in."""
        connect(self._client, self._endpoint, self._session)
        self._client.loop_start()
        self._wait_until(lambda: self._answer is not None or self._is_gone, REACH_S)
        if self._answer is not None and not self._answer.is_failure:
            return self
        self._leave()
        if self._answer is not None:
            raise refusal(self._endpoint, self._answer)
        raise unreachable(self._endpoint, last_error(self._client) or "it does not answer")

    def __exit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def subscribe(self, filters: Sequence[str]) -> list[ReasonCode] | None:
        """Subscribe at QoS 1; give the answers, None if there is none."""
        if self._endpoint.version == "5":
            options = SubscribeOptions(qos=QOS, retainHandling=NO_RETAINED)
            self._client.subscribe([(one, options) for one in filters])
        else:
            self._client.subscribe([(one, QOS) for one in filters])
        self._wait_until(lambda: self._codes is not None or self._is_gone, REACH_S)
        return self._codes

    def wait_for_messages(self, count: int) -> None:
        """Wait until so many messages are there, or nothing more comes."""
        known = -1
        while known < self.message_count < count:
            known = self.message_count
            self._wait_until(lambda: self.message_count >= count, QUIET_S)

    def _wait_until(self, is_so: Callable[[], bool], timeout_s: float) -> None:
        until_s = time.monotonic() + timeout_s
        with self._changed:
            while not is_so() and time.monotonic() < until_s:
                self._changed.wait(TICK_S)

    def _on_connect(
        self, _c: Client, _: object, flags: ConnectFlags, code: ReasonCode, *_more: object
    ) -> None:
        with self._changed:
            self._answer, self.is_resumed = code, flags.session_present
            self._changed.notify()

    def _on_disconnect(self, *_: object) -> None:
        with self._changed:
            self._is_gone = True
            self._changed.notify()

    def _on_subscribe(
        self, _c: Client, _: object, _packet_id: int, codes: list[ReasonCode], *_more: object
    ) -> None:
        with self._changed:
            self._codes = codes
            self._changed.notify()

    def _on_message(self, _c: Client, _: object, _message: MQTTMessage) -> None:
        with self._changed:
            self.message_count += 1
            self._changed.notify()
