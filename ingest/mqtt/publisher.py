"""Publishes messages to a broker, each until the broker has acknowledged it."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Self

from paho.mqtt.client import Client

from contracts.endpoint import endpoint_of
from contracts.errors import ConfigError, ContractError, TransientError
from ingest.mqtt.client import QOS, TICK_S, Session, connect, last_error, new_client, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from paho.mqtt.client import ConnectFlags, DisconnectFlags
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from contracts.endpoint import Endpoint
    from contracts.errors import GainlineError, UnreachableError
    from contracts.message import Address

# What a publisher may have under way: enough to keep a broker busy, and bounded in memory.
WINDOW_COUNT = 200
WINDOW_BYTES = 8 * 1024 * 1024
GIVE_UP_S = 60.0  # without one acknowledgement; a broker restarts faster

# What MQTT 5 calls refusals that may pass; the others stay until somebody changes something.
PASSING = {"Unspecified error", "Implementation specific error", "Quota exceeded"}


class Publisher:
    """Publishes with QoS 1, with a bounded number of messages under way; a context manager.

    Reconnects by itself and sends again what was not acknowledged, so a message may arrive twice.
    Leaving the context without an error waits for the last acknowledgement. With MQTT 5 a message
    that the broker refuses is an error of the next call; with 3.1.1 a broker that drops a message,
    for its rules or its size, acknowledges it like any other.
    """

    def __init__(
        self, broker: Address | Endpoint, *, client_id: str, give_up_s: float = GIVE_UP_S
    ) -> None:
        """Prepare; entering the context connects. `give_up_s` bounds a wait without progress."""
        self._broker = endpoint_of(broker)
        self._session = Session(client_id)
        self._give_up_s = give_up_s
        self._changed = threading.Condition()
        # topic and size of the messages under way, acknowledged in order
        self._under_way: deque[tuple[str, int]] = deque()
        self._bytes = 0
        # with MQTT 5 the broker's first answer says how many it takes at once
        self._window_count = 1 if self._broker.version == "5" else WINDOW_COUNT
        self._progress_at_s = 0.0
        self._refused: list[tuple[str, ReasonCode]] = []  # since the last error
        self._has_entered = False  # the broker has let us in at least once
        self._no_entry: UnreachableError | None = None  # why it has not
        self._trouble = ""  # why a connection ended since the last acknowledgement
        self._client = self._new_client()

    def _new_client(self) -> Client:
        client = new_client(self._broker, self._session, Client)
        client.max_inflight_messages_set(WINDOW_COUNT)
        client.reconnect_delay_set(1, 4)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        return client

    def __enter__(self) -> Self:
        """Connect; UnreachableError if nobody takes the connection."""
        connect(self._client, self._broker, self._session)
        self._client.loop_start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.drain(self._give_up_s)
        finally:
            self._client.disconnect()
            self._client.loop_stop()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Hand one message over, waiting while the window is full.

        TransientError if the broker acknowledges nothing for `give_up_s`, UnreachableError if it
        does not let us in, ContractError for a topic that cannot be published to. ConfigError, or
        TransientError for what may pass, if it refused an earlier message; this one is not sent.
        """
        self._wait_until(self._has_room)
        self._raise_refused()
        with self._changed:
            if not self._under_way:
                self._progress_at_s = time.monotonic()
            self._under_way.append((topic, len(payload)))
            self._bytes += len(payload)
        try:
            self._client.publish(topic, payload, QOS, retain)
        except ValueError as error:
            with self._changed:
                self._bytes -= self._under_way.pop()[1]
            raise ContractError(f"{topic!r} is no topic to publish to: {error}") from error

    def _has_room(self) -> bool:
        return len(self._under_way) < self._window_count and self._bytes < WINDOW_BYTES

    def drain(self, timeout_s: float) -> None:
        """Wait until all is acknowledged; TransientError if that takes longer.

        Raises what `publish` does for a message that was refused.
        """
        until_s = time.monotonic() + timeout_s
        self._wait_until(lambda: not self._under_way or time.monotonic() >= until_s)
        self._raise_refused()
        if self._under_way:
            raise self._stuck(timeout_s)

    def _wait_until(self, is_done: Callable[[], bool]) -> None:
        with self._changed:
            while not is_done():
                if self._no_entry is not None:
                    raise self._no_entry
                if time.monotonic() - self._progress_at_s > self._give_up_s:
                    raise self._stuck(self._give_up_s)
                self._changed.wait(TICK_S)

    def _stuck(self, waited_s: float) -> TransientError:
        why = f" ({self._trouble})" if self._trouble else ""
        return TransientError(
            f"the broker {self._broker} did not acknowledge {len(self._under_way)} messages within"
            f" {waited_s:g} s{why}: check that it runs and takes payloads of this size, then"
            " publish these again"
        )

    def _raise_refused(self) -> None:
        """Say once what the broker has refused."""
        with self._changed:
            refused, self._refused = self._refused, []
        if refused:
            raise self._complaint(refused)

    def _complaint(self, refused: list[tuple[str, ReasonCode]]) -> GainlineError:
        topic, code = refused[0]
        count = "a message" if len(refused) == 1 else f"{len(refused)} messages, the first"
        words = f"the broker {self._broker} refused {count} on {topic!r} ({code})"
        if str(code) in PASSING:
            return TransientError(f"{words}: see the broker's log, then publish again")
        who = f"user {self._broker.username!r}" if self._broker.username else "everybody"
        return ConfigError(f"{words}: allow {who} this topic and size at the broker")

    def _on_publish(
        self, _c: Client, _: object, _packet_id: int, code: ReasonCode, _p: Properties
    ) -> None:
        with self._changed:
            topic, size = self._under_way.popleft()
            self._bytes -= size
            self._progress_at_s, self._trouble = time.monotonic(), ""
            if code.is_failure:
                self._refused.append((topic, code))
            self._changed.notify()

    def _on_connect(
        self, _c: Client, _: object, _flags: ConnectFlags, code: ReasonCode, more: Properties | None
    ) -> None:
        with self._changed:
            if not code.is_failure:
                # the attribute is there only where the broker has said it
                at_once: int = getattr(more, "ReceiveMaximum", WINDOW_COUNT)
                self._window_count = min(at_once, WINDOW_COUNT)
                self._no_entry, self._has_entered = None, True
            elif not self._has_entered:
                self._no_entry = refusal(self._broker, code)
            else:
                self._trouble = str(refusal(self._broker, code))
            self._changed.notify()

    def _on_disconnect(
        self, client: Client, _: object, _flags: DisconnectFlags, code: ReasonCode, *_more: object
    ) -> None:
        with self._changed:
            self._trouble = self._trouble or last_error(client) or str(code)
