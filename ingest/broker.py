"""The embedded MQTT broker: rumqttd by way of iotcore, in memory, for this machine only.

What rumqttd does differently from other brokers (measured with iotcore 0.4.0):

- It keeps a log per subscription filter in memory and drops the oldest segment, silently, once a
  reader is more than all segments behind. Acknowledged data is freed only in this way, so the
  log is at once what a slow reader may lag behind and what the broker may take of memory.
- Above its payload limit it resets the connection; the limit as it comes is 20 KiB.
- It sends at most 100 unacknowledged messages to a subscriber, whatever `max_inflight_count`
  says, and expects the acknowledgements in the order of the messages.
- With that many under way it answers no PINGREQ either, so a client that acknowledges nothing for
  longer than its keep-alive connects anew and gets them again.
- A persistent session lives as long as the broker, not longer: nothing is ever on disk.
- A message that matches two filters of a client is delivered twice.
- A topic that is not UTF-8 closes the connection of its sender.
- The flag DUP is not set on redelivery.
"""

from __future__ import annotations

import socket
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from iotcore import Broker

from contracts.errors import ConfigError, TransientError
from contracts.message import Address

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOPBACK = "127.0.0.1"  # it has no authentication, so nobody else may reach it

# The longest payload that ingest accepts (1 MiB), with the longest topic that MQTT allows and
# the fixed and variable header around them.
PACKET_BYTES_MAX = 1024 * 1024 + 64 * 1024 + 16

# What a filter's log holds before the oldest is dropped: 1 GiB, far more than a demonstration
# sends, in segments small enough that dropping one loses little.
SEGMENT_BYTES = 64 * 1024 * 1024
SEGMENT_COUNT_MAX = 16

# A free port can be taken by another process between the search and the use.
PORT_ATTEMPT_COUNT = 5

_SETTINGS = """\
id = 0

[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 200
max_segment_size = {segment_bytes}
max_segment_count = {segment_count}

[v4.1]
name = "gainline"
listen = "{address}"
next_connection_delay_ms = 1

[v4.1.connections]
connection_timeout_ms = 10000
max_payload_size = {packet_bytes}
max_inflight_count = 100
dynamic_filters = false
"""


@contextmanager
def embedded_broker(port: int | None = None) -> Iterator[Address]:
    """Run a broker in a child process on 127.0.0.1 for as long as the context lasts.

    `port` None takes a free one. MQTT 3.1.1, no authentication, nothing on disk: when the context
    ends, or this process does, the broker is gone with all it held. ConfigError if the port is
    in use, TransientError if the broker does not start.
    """
    with tempfile.TemporaryDirectory(prefix="gainline-broker-") as folder:
        broker, address = _started(port, Path(folder) / "rumqttd.toml")
        try:
            yield address
        finally:
            broker.stop()


def _started(port: int | None, settings: Path) -> tuple[Broker, Address]:
    attempts = PORT_ATTEMPT_COUNT if port is None else 1
    for attempt in range(1, attempts + 1):
        address = Address(LOOPBACK, _free_port() if port is None else port)
        settings.write_text(_settings_for(address), encoding="utf-8")
        try:
            _require_free(address)
            return Broker(config_path=str(settings)).start(), address
        except (OSError, RuntimeError) as error:
            if attempt == attempts:
                raise TransientError(
                    f"the embedded broker did not start on {address} ({error}): try again"
                ) from error
        except ConfigError:
            if attempt == attempts:
                raise
    raise AssertionError("the last attempt returns or raises")


def _settings_for(address: Address) -> str:
    return _SETTINGS.format(
        address=address,
        packet_bytes=PACKET_BYTES_MAX,
        segment_bytes=SEGMENT_BYTES,
        segment_count=SEGMENT_COUNT_MAX,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _require_free(address: Address) -> None:
    with socket.socket() as probe:
        # as the broker does: a port in TIME_WAIT is free
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise ConfigError(
                f"the port {address.port} cannot be used for the embedded broker"
                f" ({error.strerror}): stop what listens there, or choose another port"
            ) from error
