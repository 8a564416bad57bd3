"""Reads what the IoT Gateway of Kepware publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.gateways.point import Points, name_of
from ingest.quality_codes import of_boolean
from ingest.readings import PayloadError
from ingest.times import stamp_of

if TYPE_CHECKING:
    from ingest.readings import Context, Decoded


def read(document: object, context: Context) -> Decoded | None:
    """Read the standard template, items alone, and the template that names each field in full.

    The standard template has the list `values` of items, each with `id` and `v`, and may have `q`
    and `t`; where an item has no `t`, the server's `timestamp` is its time. Items also come alone
    (`id`, `v` and the boolean `q`, and nothing but `t` beside), or as `tagname` and `value` with
    `timestamp`. A list may hold any of these; by the first of several the shape is known. The tag
    is the topic and the id as it is. A false q is BAD and the value is kept.
    (PTC, IoT Gateway, "Standard Template Data Format", "Advanced Template Data Format"; Clarify
    documentation, MQTT broker, formats, "Kepserver"; for items alone, public code that reads them)
    """
    groups = document if type(document) is list else [document]
    if not groups or not _is_known(groups[0]):
        return None
    points = Points(context)
    for group in groups:
        if type(group) is dict and type(group.get("values")) is list:
            for item in group["values"]:
                _add(item, group.get("timestamp"), points, context)
        else:
            _add(group, None, points, context)
    return points.decoded()


def _is_known(group: object) -> bool:
    if type(group) is not dict:
        return False
    values = group.get("values")
    if type(values) is list:
        return bool(values) and type(values[0]) is dict and {"id", "v"} <= values[0].keys()
    if "tagname" in group:
        return "value" in group
    return type(group.get("q")) is bool and {"id", "v"} <= group.keys() <= {"id", "v", "q", "t"}


def _add(item: object, server_time: object, points: Points, context: Context) -> None:
    if type(item) is not dict or not ("v" in item or "value" in item):
        raise PayloadError("wrong_shape", "an item has no value, neither v nor value")
    name = name_of(item.get("id", item.get("tagname")))
    stamp = stamp_of(item.get("t", item.get("timestamp", server_time)), context.zone)
    verdict = of_boolean(item.get("q", item.get("quality")))
    points.add(name, item.get("v", item.get("value")), stamp, verdict)
