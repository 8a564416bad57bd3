"""Reads what EMQX Neuron uploads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingest.gateways.point import Points, name_of
from ingest.quality_codes import of_error
from ingest.readings import PayloadError
from ingest.times import stamp_of

if TYPE_CHECKING:
    from ingest.readings import Context, Decoded
    from ingest.times import Stamp

# what names the source: since Neuron 2.1, and in Neuron 2.0
_SOURCES = (("node", "group"), ("node_name", "group_config_name"))


def read(document: object, context: Context) -> Decoded | None:
    """Read the formats values, tags and ECP, and answers to a request to read.

    An object with the texts `node` and `group`, and either the objects `values` and `errors` or
    the list `tags`; an answer has `uuid` instead of node and group. The tag is the topic, node,
    group and name; node and group are left out where the topic ends with them, as it does by
    default since 2.4: before and after, they are its levels once. An error code makes a BAD
    reading. `metas` and `type` describe others and are no readings.
    (emqx/neuron-docs, en_US/configuration/north-apps/mqtt/api.md, zh_CN/neuron-mqtt-topics.md)
    """
    if type(document) is not dict or not _is_upload(document):
        return None
    source = _source_of(document, context.topic)
    stamp = stamp_of(document.get("timestamp"), context.zone)
    points = Points(context)
    for name, sent in _items_of(document, "values"):
        points.add(f"{source}{name}", sent, stamp)
    for name, code in _items_of(document, "errors"):
        points.add(f"{source}{name}", None, stamp, of_error(code))
    for tag in _tags_of(document):
        _add_tag(tag, source, stamp, points)
    return points.decoded()


def _is_upload(document: dict[str, Any]) -> bool:
    tags = document.get("tags")
    if type(tags) is list:
        return "uuid" in document or _names_of(document) is not None
    has_values = any(type(document.get(name)) is dict for name in ("values", "errors"))
    return has_values and _names_of(document) is not None


def _names_of(document: dict[str, Any]) -> tuple[str, str] | None:
    for keys in _SOURCES:
        node, group = (document.get(key) for key in keys)
        if type(node) is str and type(group) is str:
            return node, group
    return None


def _source_of(document: dict[str, Any], topic: str) -> str:
    """Give node and group as levels, unless the topic has them."""
    names = _names_of(document)
    if names is None or f"/{topic}".endswith("/{}/{}".format(*names)):
        return ""
    return "{}/{}/".format(*names)


def _items_of(document: dict[str, Any], field: str) -> list[tuple[str, Any]]:
    sent = document.get(field)
    if sent is None:
        return []
    if type(sent) is not dict:
        raise PayloadError("wrong_shape", f"the field {field} is no object")
    return list(sent.items())


def _tags_of(document: dict[str, Any]) -> list[Any]:
    tags = document.get("tags")
    if tags is None:
        return []
    if type(tags) is not list:
        raise PayloadError("wrong_shape", "the field tags is no list")
    return tags


def _add_tag(tag: object, source: str, stamp: Stamp, points: Points) -> None:
    if type(tag) is not dict:
        raise PayloadError("wrong_shape", "an element of tags is no object")
    name = name_of(tag.get("name", tag.get("id")))
    points.add(f"{source}{name}", tag.get("value"), stamp, of_error(tag.get("error")))
