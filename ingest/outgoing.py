"""A message that waits to be published."""

from typing import NamedTuple


class Outgoing(NamedTuple):
    """One message as a gateway sends it: `topic` has no wildcards, `payload` is what goes out."""

    topic: str
    payload: bytes
