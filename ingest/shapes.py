"""The shapes of payload that are recognised; a new gateway is one file and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest import native
from ingest.gateways import (
    aveva,
    cirrus,
    cognite,
    hivemq_edge,
    iotdb,
    kepware,
    line_protocol,
    neuron,
    opc_publisher,
    plain,
    sitewise,
    tasmota,
    telegraf,
    thingsboard,
    umh,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.readings import Context, Decoded

# Asked in this order; None means: not mine. What only one gateway sends comes before what several
# do, and what takes any object comes last. The native shapes take any object that has `ts`, and
# come early, as most messages are of them: before them stand only families that have `ts`, too.
DOCUMENT_READERS: tuple[Callable[[object, Context], Decoded | None], ...] = (
    thingsboard.read_device,
    aveva.read_one,
    native.read_object,
    umh.read,
    telegraf.read,
    neuron.read,
    aveva.read_items,
    kepware.read,
    tasmota.read,
    sitewise.read,
    cognite.read,
    opc_publisher.read,
    iotdb.read,
    cirrus.read,
    thingsboard.read_several,
    hivemq_edge.read,
    plain.read,
    native.read_scalar,
)

# The same for payloads that are not JSON.
TEXT_READERS: tuple[Callable[[str, Context], Decoded | None], ...] = (line_protocol.read,)
