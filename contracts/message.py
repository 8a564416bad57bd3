"""One message as the broker delivered it."""

from typing import NamedTuple


class Message(NamedTuple):
    """A message between the wire and the decoder.

    `position` counts the messages of one journal: 0, 1, 2, … over its whole life.
    `received_us` is microseconds since 1970 in UTC, when the first byte was read.
    """

    position: int
    topic: str
    payload: bytes
    received_us: int
    retained: bool


class Address(NamedTuple):
    """Where a broker listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"
