"""Reads what the MQTT publisher of AVEVA Communication Drivers sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingest.gateways.point import Points, name_of
from ingest.quality_codes import of_opc_da
from ingest.readings import PayloadError
from ingest.times import stamp_of

if TYPE_CHECKING:
    from ingest.readings import Context, Decoded

_ONE = frozenset({"d", "dt", "ts", "q"})
_ITEM = frozenset({"id", "v", "q"})


def read_one(document: object, context: Context) -> Decoded | None:
    """Read JSON-VTQ1: an object of `d`, `dt`, `ts` and `q`, and of nothing else.

    The tag is the topic. `d` is the value, `dt` a number for its type and no reading, `q` a
    quality of OPC DA. Asked before the native shapes, which take any object that has `ts`.
    (AVEVA Communication Drivers, "MQTT Publisher item naming")
    """
    if type(document) is not dict or len(document) != len(_ONE) or document.keys() != _ONE:
        return None
    points = Points(context)
    points.add("", document["d"], stamp_of(document["ts"], context.zone), of_opc_da(document["q"]))
    return points.decoded()


def read_items(document: object, context: Context) -> Decoded | None:
    """Read JSON-VTQ2: `timestamp` and the list `values` of items, or a list of such objects.

    An item has `id`, `v` and `q`, and may have `t`; by the first of them the shape is known. It
    is also that of Kepware, whose q is a boolean: here it is a number, a quality of OPC DA. The
    tag is the topic and the id. (AVEVA Communication Drivers, "MQTT Publisher item naming")
    """
    groups: list[Any] = document if type(document) is list else [document]
    if not groups or not _is_group(groups[0]):
        return None
    points = Points(context)
    for group in groups:
        items = group.get("values") if type(group) is dict else None
        if type(items) is not list:
            raise PayloadError("wrong_shape", "an element of the list has no list of values")
        for item in items:
            if type(item) is not dict or "v" not in item:
                raise PayloadError("wrong_shape", "an item has no value v")
            stamp = stamp_of(item.get("t", group.get("timestamp")), context.zone)
            points.add(name_of(item.get("id")), item["v"], stamp, of_opc_da(item.get("q")))
    return points.decoded()


def _is_group(group: object) -> bool:
    items = group.get("values") if type(group) is dict else None
    if type(items) is not list or not items or type(items[0]) is not dict:
        return False
    return items[0].keys() >= _ITEM and type(items[0]["q"]) is int
