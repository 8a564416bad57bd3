"""How to enter a broker: where it listens, over what, in which version, and as whom."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal

from contracts.errors import ContractError
from contracts.message import Address

Scheme = Literal["mqtt", "mqtts", "ws", "wss"]
Version = Literal["3.1.1", "5"]


@dataclass(frozen=True)
class Endpoint:
    """A broker, and what it wants to know of us.

    `tls` is there with mqtts and wss, and only there. It says whom we trust and who we are.
    """

    address: Address
    scheme: Scheme = "mqtt"
    path: str = ""  # of a WebSocket
    version: Version = "3.1.1"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.is_encrypted != (self.tls is not None):
            raise ContractError(f"{self}: TLS belongs to mqtts and wss, and they need it")
        if self.password is not None and self.username is None:
            raise ContractError(f"{self}: a password without a user name")

    def __str__(self) -> str:
        """Name the broker without user and password, so that it may stand in a log."""
        host, port = self.address
        host = f"[{host}]" if ":" in host else host
        return f"{self.scheme}://{host}:{port}{self.path}"

    @property
    def is_encrypted(self) -> bool:
        """Tell whether TLS is spoken."""
        return self.scheme in ("mqtts", "wss")

    @property
    def is_websocket(self) -> bool:
        """Tell whether MQTT is spoken inside a WebSocket."""
        return self.scheme in ("ws", "wss")

    @property
    def is_local(self) -> bool:
        """Tell whether the broker is on this machine, so that nothing goes over a network.

        >>> Endpoint(Address("127.0.0.1", 1883)).is_local, Endpoint(Address("h", 1883)).is_local
        (True, False)
        """
        try:
            return ip_address(self.address.host).is_loopback
        except ValueError:
            return self.address.host == "localhost"


def endpoint_of(broker: Address | Endpoint) -> Endpoint:
    """Make an endpoint of an address alone: MQTT 3.1.1 without TLS, as nobody."""
    return broker if isinstance(broker, Endpoint) else Endpoint(broker)
