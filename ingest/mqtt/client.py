"""Makes MQTT clients, connects them, and says why that did not work."""

from __future__ import annotations

import logging
import os
import secrets
import select
import socket
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

from paho.mqtt.client import Client, WebsocketConnectionError
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from contracts.endpoint import Endpoint, endpoint_of
from contracts.errors import UnreachableError

if TYPE_CHECKING:
    from paho.mqtt.reasoncodes import ReasonCode

    from contracts.message import Address

# With QoS 2 paho answers PUBREC before anything is stored.
QOS = 1

KEEP_ALIVE_S = 30  # notices a broker that is gone without a word within a minute
TICK_S = 0.2  # how late we may notice that we are to stop
REACH_S = 5.0  # for a broker to take a connection and answer; a network needs well under one

# The most that MQTT 5 can say: never, and as many as there are packet ids. A broker that is told
# nothing keeps nothing when the connection ends, and mosquitto drops beyond 20 under way.
EXPIRY_NEVER_S = 0xFFFF_FFFF
RECEIVE_MAXIMUM = 0xFFFF

# What is raised before anybody has taken the connection.
NOBODY_THERE = (ConnectionRefusedError, TimeoutError, socket.gaierror)

ClientT = TypeVar("ClientT", bound=Client)


@dataclass(frozen=True)
class Session:
    """What a client wants of a broker beside the connection."""

    client_id: str  # names the session; empty for one that is not kept
    is_kept: bool = False  # the broker queues for us while we are away
    is_acked_by_hand: bool = False  # else paho acknowledges before anything is on disk
    receive_maximum: int = RECEIVE_MAXIMUM  # messages under way to us; MQTT 5 alone can say it


def new_client(endpoint: Endpoint, session: Session, kind: type[ClientT]) -> ClientT:
    """Make a client that is not connected yet, of a class that is paho's or made from it."""
    is_5 = endpoint.version == "5"
    client = kind(
        CallbackAPIVersion.VERSION2,
        session.client_id,
        clean_session=None if is_5 else not session.is_kept,  # 5 says it when it connects
        protocol=MQTTProtocolVersion.MQTTv5 if is_5 else MQTTProtocolVersion.MQTTv311,
        transport="websockets" if endpoint.is_websocket else "tcp",
        manual_ack=session.is_acked_by_hand,
    )
    client.connect_timeout = REACH_S
    client.on_socket_open = _send_at_once
    client.enable_logger(_LastError(endpoint))
    if endpoint.is_websocket:
        client.ws_set_options(endpoint.path)
    if endpoint.tls is not None:
        client.tls_set_context(endpoint.tls)
    if endpoint.username is not None:
        client.username_pw_set(endpoint.username, endpoint.password)
    return client


def connect(
    client: Client, endpoint: Endpoint, session: Session, *, keep_alive_s: int = KEEP_ALIVE_S
) -> None:
    """Connect and send what MQTT begins with; UnreachableError if nobody takes it.

    Whether the broker lets us in, its answer tells: `on_connect`, and `refusal` for its words.
    """
    host, port = endpoint.address
    try:
        if endpoint.version == "5":
            client.connect(
                host,
                port,
                keep_alive_s,
                clean_start=not session.is_kept,
                properties=_properties(session),
            )
        else:
            client.connect(host, port, keep_alive_s)
    except OSError as error:
        raise unreachable(endpoint, error) from error


def holds_more(client: Client) -> bool:
    """Tell whether TLS holds bytes that it has decrypted already, of which no poll knows."""
    sock = client.socket()
    return sock is not None and hasattr(sock, "pending") and sock.pending() > 0


def require_reachable(broker: Address | Endpoint, *, timeout_s: float = REACH_S) -> None:
    """Connect as a client would and leave again; UnreachableError if that does not work."""
    endpoint = endpoint_of(broker)
    session = Session(f"gainline-check-{secrets.token_hex(3)}")  # some brokers want a name
    answers: list[ReasonCode] = []
    client = new_client(endpoint, session, Client)
    client.connect_timeout = timeout_s
    client.on_connect = lambda _c, _u, _f, code, _p: answers.append(code)
    until_s = time.monotonic() + timeout_s
    try:
        connect(client, endpoint, session)
        while not answers and (sock := client.socket()) and time.monotonic() < until_s:
            poll = select.poll()
            poll.register(sock, select.POLLIN)
            poll.poll(TICK_S * 1000)
            client.loop_read()
    finally:
        client.disconnect()
    if not answers:
        raise unreachable(endpoint, _cause_of(client) or _silence(endpoint))
    if answers[0].is_failure:
        raise refusal(endpoint, answers[0])


def unreachable(endpoint: Endpoint, reason: object) -> UnreachableError:
    """Say that a broker cannot be reached, why, and what to check."""
    words, remedy = _words(reason), _remedy(endpoint, reason)
    return UnreachableError(f"the broker {endpoint} cannot be reached ({words}): {remedy}")


def refusal(endpoint: Endpoint, code: ReasonCode) -> UnreachableError:
    """Say that a broker does not let us in, why, and what to check."""
    who = f"user {endpoint.username!r}" if endpoint.username else "a client without a user name"
    remedy = {
        "Bad user name or password": "check broker.username and broker.password_file",
        "Not authorized": "check broker.username, broker.password_file and the broker's rules",
        "Client identifier not valid": "check broker.client_id",
        "Unsupported protocol version": "set broker.version to the other one",
    }.get(str(code), "see the broker's log")
    return UnreachableError(f"the broker {endpoint} refuses {who} ({code}): {remedy}")


def last_error(client: Client) -> str:
    """Tell why a connection broke, and what to check; nothing if nobody knows."""
    cause = _cause_of(client)
    if cause is None:
        return ""
    endpoint = cast("_LastError", client.logger).endpoint
    return f"{_words(cause)}: {_remedy(endpoint, cause)}"


def _cause_of(client: Client) -> OSError | None:
    return client.logger.cause if isinstance(client.logger, _LastError) else None


class _LastError(logging.Logger):
    """Keeps paho's last error: it tells callbacks that a connection broke, and only here why."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__("paho", logging.ERROR)
        self.endpoint = endpoint
        self.cause: OSError | None = None
        self.addFilter(self._note)

    def _note(self, record: logging.LogRecord) -> bool:
        causes = [one for one in record.args or () if isinstance(one, OSError)]
        self.cause = causes[-1] if causes else self.cause
        return False  # it goes no further


def _properties(session: Session) -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's
    properties.ReceiveMaximum = session.receive_maximum
    if session.is_kept:
        properties.SessionExpiryInterval = EXPIRY_NEVER_S
    return properties


def _send_at_once(_client: Client, _: object, sock: object) -> None:
    # an acknowledgement is 4 bytes: without this, each may wait for that of the one before
    with socket.socket(fileno=os.dup(cast("socket.socket", sock).fileno())) as same:
        same.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _silence(endpoint: Endpoint) -> str:
    return f"it does not answer as an MQTT broker of version {endpoint.version}"


def _words(reason: object) -> str:
    """Say what OpenSSL or the kernel means; OpenSSL's own text ends with a line of its source."""
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"its certificate does not verify: {reason.verify_message.rstrip('.')}"
    if isinstance(reason, ssl.SSLError):
        words = (reason.reason or str(reason)).partition(" (_ssl.c")[0]
        return f"TLS fails: {words.replace('_', ' ').lower()}"
    if isinstance(reason, OSError):
        return reason.strerror or str(reason)
    return str(reason)


def _remedy(endpoint: Endpoint, reason: object) -> str:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return (
            "set broker.ca_file to the certificate of the authority that signed it, and in"
            " broker.url use a host that it names"
        )
    if isinstance(reason, WebsocketConnectionError):
        return "check that this port speaks WebSocket, and the path in broker.url"
    # a broker that does not like our certificate, or gets none, may hang up without a word
    if endpoint.is_encrypted and not isinstance(reason, NOBODY_THERE):
        return (
            "check that this port speaks TLS, and whether it asks for a certificate"
            " (broker.cert_file, broker.key_file)"
        )
    return "check that it runs, and its address"
