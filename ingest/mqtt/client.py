"""Makes MQTT clients, and tells whether a broker can be reached."""

from __future__ import annotations

import select
import socket
import time
from typing import TYPE_CHECKING

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from contracts.errors import UnreachableError

if TYPE_CHECKING:
    from paho.mqtt.reasoncodes import ReasonCode

    from contracts.message import Address

# With QoS 2 paho answers PUBREC before anything is stored.
QOS = 1

KEEP_ALIVE_S = 30  # notices a broker that is gone without a word within a minute
TICK_S = 0.2  # how late we may notice that we are to stop


def require_reachable(address: Address, *, timeout_s: float = 5.0) -> None:
    """Connect as a client would and leave again; UnreachableError if that does not work."""
    answers: list[ReasonCode] = []
    client = new_client("", clean_session=True, manual_ack=False)
    client.connect_timeout = timeout_s
    client.on_connect = lambda _c, _u, _f, code, _p: answers.append(code)
    until_s = time.monotonic() + timeout_s
    try:
        client.connect(*address)
        while not answers and (sock := client.socket()) and time.monotonic() < until_s:
            poll = select.poll()
            poll.register(sock, select.POLLIN)
            poll.poll(TICK_S * 1000)
            client.loop_read()
    except OSError as error:
        raise unreachable(address, error) from error
    finally:
        client.disconnect()
    if not answers:
        raise unreachable(address, "it does not answer as an MQTT broker")
    if answers[0].is_failure:
        raise unreachable(address, answers[0])


def unreachable(address: Address, reason: object) -> UnreachableError:
    """Say that a broker cannot be reached, why, and what to check."""
    return UnreachableError(
        f"the broker {address} cannot be reached ({reason}): check that it runs, and its address"
    )


def new_client(client_id: str, *, clean_session: bool, manual_ack: bool) -> Client:
    """Make a client that is not connected yet."""
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id,
        clean_session=clean_session,
        manual_ack=manual_ack,
    )
    client.on_socket_open = _send_at_once
    return client


def _send_at_once(_client: Client, _: object, sock: object) -> None:
    # an acknowledgement is 4 bytes: without this, each may wait for that of the one before
    if isinstance(sock, socket.socket):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
