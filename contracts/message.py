"""One message as the broker delivered it."""

from typing import NamedTuple

# What the topic of a message begins with if it was not UTF-8; its odd bytes follow as \xNN. No
# real topic holds a "#", so this names no tag: a dead letter.
NOT_UTF8 = "#not-utf-8/"


class Origin(NamedTuple):
    """Where a message comes from that no broker delivered, and its number there.

    The same origin is the same message: however often it is handed over, it is stored once.
    """

    name: str  # of a part of a file by its content, or DEAD_LETTERS and the name of the occasion
    number: int

    @property
    def is_dead_letter(self) -> bool:
        """Tell whether this is a dead letter that is sent again."""
        return self.name.startswith(DEAD_LETTERS)


# What the origin of dead letters that are sent again begins with; the number is the position of
# the dead letter.
DEAD_LETTERS = "dead-letters/"


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
    origin: Origin | None = None


class Address(NamedTuple):
    """Where a broker listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"
