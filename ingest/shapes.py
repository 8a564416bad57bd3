"""The shapes of payload that are recognised; a new gateway is one file and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest import native

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.readings import Context, Decoded

# Asked in this order; None means: not mine. What only one gateway sends comes before what several
# do, and what takes any object comes last.
DOCUMENT_READERS: tuple[Callable[[object, Context], Decoded | None], ...] = (
    native.read_object,
    native.read_scalar,
)

# The same for payloads that are not JSON.
TEXT_READERS: tuple[Callable[[str, Context], Decoded | None], ...] = ()
