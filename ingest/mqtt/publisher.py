"""Publishes messages to a broker, each until the broker has acknowledged it."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Self

from paho.mqtt.client import Client

from contracts.endpoint import endpoint_of
from contracts.errors import ContractError, TransientError
from ingest.mqtt.client import QOS, TICK_S, Session, connect, new_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from contracts.endpoint import Endpoint
    from contracts.message import Address

# What a publisher may have under way: enough to keep a broker busy, and bounded in memory.
WINDOW_COUNT = 200
WINDOW_BYTES = 8 * 1024 * 1024
GIVE_UP_S = 60.0  # without one acknowledgement; a broker restarts faster


class Publisher:
    """Publishes with QoS 1, with a bounded number of messages under way; a context manager.

    Reconnects by itself and sends again what was not acknowledged, so a message may arrive twice.
    Leaving the context without an error waits for the last acknowledgement.
    """

    def __init__(
        self, broker: Address | Endpoint, *, client_id: str, give_up_s: float = GIVE_UP_S
    ) -> None:
        """Prepare; entering the context connects. `give_up_s` bounds a wait without progress."""
        self._broker = endpoint_of(broker)
        self._session = Session(client_id)
        self._give_up_s = give_up_s
        self._changed = threading.Condition()
        self._sizes: deque[int] = deque()  # of the messages under way, acknowledged in order
        self._bytes = 0
        self._progress_at_s = 0.0
        self._client = new_client(self._broker, self._session, Client)
        self._client.max_inflight_messages_set(WINDOW_COUNT)
        self._client.reconnect_delay_set(1, 4)
        self._client.on_publish = self._on_publish

    def __enter__(self) -> Self:
        """Connect; TransientError if the broker cannot be reached."""
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

        TransientError if the broker acknowledges nothing for `give_up_s`, ContractError for a
        topic that cannot be published to.
        """
        self._wait_until(self._has_room)
        with self._changed:
            if not self._sizes:
                self._progress_at_s = time.monotonic()
            self._sizes.append(len(payload))
            self._bytes += len(payload)
        try:
            self._client.publish(topic, payload, QOS, retain)
        except ValueError as error:
            with self._changed:
                self._bytes -= self._sizes.pop()
            raise ContractError(f"{topic!r} is no topic to publish to: {error}") from error

    def _has_room(self) -> bool:
        return len(self._sizes) < WINDOW_COUNT and self._bytes < WINDOW_BYTES

    def drain(self, timeout_s: float) -> None:
        """Wait until all is acknowledged; TransientError if that takes longer."""
        until_s = time.monotonic() + timeout_s
        self._wait_until(lambda: not self._sizes or time.monotonic() >= until_s)
        if self._sizes:
            raise self._stuck(timeout_s)

    def _wait_until(self, is_done: Callable[[], bool]) -> None:
        with self._changed:
            while not is_done():
                if time.monotonic() - self._progress_at_s > self._give_up_s:
                    raise self._stuck(self._give_up_s)
                self._changed.wait(TICK_S)

    def _stuck(self, waited_s: float) -> TransientError:
        return TransientError(
            f"the broker {self._broker} did not acknowledge {len(self._sizes)} messages within"
            f" {waited_s:g} s: check that it runs and takes payloads of this size, then publish"
            " these again"
        )

    def _on_publish(self, *_: object) -> None:
        with self._changed:
            self._bytes -= self._sizes.popleft()
            self._progress_at_s = time.monotonic()
            self._changed.notify()
