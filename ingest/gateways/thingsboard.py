"""Reads telemetry for ThingsBoard, of devices and of gateways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingest.gateways.point import Points, levels_of
from ingest.readings import PayloadError
from ingest.times import stamp_of

if TYPE_CHECKING:
    from ingest.readings import Context, Decoded

_TIMED = frozenset({"ts", "values"})
_DEVICE_TOPICS = frozenset({"v1/devices/me/telemetry", "v2/t"})
_GATEWAY_TOPIC = "v1/gateway/telemetry"


def read_device(document: object, context: Context) -> Decoded | None:
    """Read an object of `ts` and the object `values`, and of nothing else.

    The tag is the topic and the names of the values. Asked before the native shapes, which take
    any object that has `ts`. (ThingsBoard documentation, MQTT Device API, "Telemetry")
    """
    if type(document) is not dict or "values" not in document:
        return None
    if len(document) != len(_TIMED) or not _is_timed(document):
        return None
    points = Points(context)
    _add("", document, points, context)
    return points.decoded()


def read_several(document: object, context: Context) -> Decoded | None:
    """Read a list of a device's objects, or a gateway's object of such lists by device.

    By the first of them the shape is known: an object of `values` and maybe `ts`. On the topics
    of ThingsBoard itself it may also be an object of values without a time, as any other may. A
    device is a level of the tag. (ThingsBoard documentation, MQTT Device API and Gateway API,
    "Telemetry")
    """
    if type(document) is list:
        devices = {"": document}
        is_own = context.topic in _DEVICE_TOPICS
    elif type(document) is dict and document:
        devices = document
        is_own = context.topic == _GATEWAY_TOPIC
    else:
        return None
    first = next(iter(devices.values()))
    if type(first) is not list or not first or not (_is_timed(first[0]) or is_own):
        return None
    points = Points(context)
    for device, elements in devices.items():
        if type(elements) is not list:
            raise PayloadError("wrong_shape", f"the device {device[:64]!r} has no list of values")
        levels = levels_of(context.topic, device)
        for element in elements:
            _add(levels, element, points, context)
    return points.decoded()


def _is_timed(element: object) -> bool:
    if type(element) is not dict or type(element.get("values")) is not dict:
        return False
    return element.keys() <= _TIMED and type(element.get("ts")) is not list


def _add(levels: str, element: Any, points: Points, context: Context) -> None:  # noqa: ANN401  # JSON
    if type(element) is not dict:
        raise PayloadError("wrong_shape", "an element of a list of values is no object")
    is_timed = _is_timed(element)
    stamp = stamp_of(element.get("ts") if is_timed else None, context.zone)
    for name, sent in (element["values"] if is_timed else element).items():
        points.add(f"{levels}{name}", sent, stamp)
