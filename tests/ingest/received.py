"""Messages as a journal or an inbox takes them."""

from __future__ import annotations

from hypothesis import strategies as st

from contracts.message import Message, Origin
from ingest.blocks import Received

origins = st.builds(Origin, st.text(max_size=9), st.integers(0, 2**63 - 1))


def lists_of_any_kind(
    origin: st.SearchStrategy[Origin] | st.SearchStrategy[Origin | None],
) -> st.SearchStrategy[list[Received]]:
    one = st.builds(
        Received,
        topic=st.text(max_size=50),
        payload=st.binary(max_size=300),
        received_us=st.integers(-(2**63), 2**63 - 1),
        retained=st.booleans(),
        origin=origin,
    )
    return st.lists(one, max_size=8)


def some(
    count: int, *, start: int = 0, size: int = 20, origin: str | None = None
) -> list[Received]:
    """Make messages that differ, numbered from `start` on, also under a name of origin."""
    return [
        Received(
            f"t/{i}",
            bytes([i % 256]) * size,
            i,
            retained=False,
            origin=Origin(origin, i) if origin else None,
        )
        for i in range(start, start + count)
    ]


def numbered(messages: list[Received], position: int = 0) -> list[Message]:
    """Give messages as they are read from `position` on."""
    return [Message(position + i, *message) for i, message in enumerate(messages)]
