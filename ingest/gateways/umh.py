"""Reads messages of the United Manufacturing Hub, core and classic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.gateways.point import Points
from ingest.native import NAMELESS
from ingest.times import stamp_of

if TYPE_CHECKING:
    from ingest.readings import Context, Decoded

_TIME = "timestamp_ms"  # no other gateway names its time so


def read(document: object, context: Context) -> Decoded | None:
    """Read an object that has `timestamp_ms`: core (`value`), classic (names, groups of names).

    The tag is the topic as it is, its level `_historian`, `_raw` … included, dots or slashes
    between its levels; then the names. `value` adds no level, as in the native shapes: in core
    the topic ends with the metric. (united-manufacturing-hub/benthos-umh,
    docs/processing/classic-to-core-processor.md; united-manufacturing-hub,
    umh-core/docs/usage/unified-namespace/payload-formats.md)
    """
    if type(document) is not dict or _TIME not in document:
        return None
    stamp = stamp_of(document[_TIME], context.zone)
    points = Points(context)
    for name, sent in document.items():
        if name != _TIME:
            points.add("" if name == NAMELESS else name, sent, stamp)
    return points.decoded()
