"""Reads Sparkplug written as JSON, as the modules of Cirrus Link publish it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ingest.gateways.point import Points, levels_of, name_of
from ingest.quality_codes import UNSAID, Verdict, of_sparkplug
from ingest.readings import PayloadError
from ingest.times import Stamp, stamp_of

if TYPE_CHECKING:
    from ingest.readings import Context, Decoded

_PLACES = ("groupId", "edgeNodeId", "deviceId")
_MARKS = ("dataType", "isNull", "alias")  # no metric of another gateway has these


class _Said(NamedTuple):
    stamp: Stamp
    verdict: Verdict


def read(document: object, context: Context) -> Decoded | None:
    """Read an object with the list `metrics`, or one of `topic` and such a `payload`.

    By the first metric the shape is known: it has a name or an alias, and `dataType` or `value`,
    and no `fields`, as Telegraf's. The tag is the topic (group, edge node and device, if they are
    sent and the MQTT topic does not end with them) and the metric's name; a template's metrics
    are levels below it. The quality is the property Quality, and good without it. `seq` belongs
    to Sparkplug and is no reading. (Cirrus Link documentation, MQTT Transmission, "Sparkplug B
    JSON", and cloud injectors, "JSON message format")
    """
    if type(document) is not dict:
        return None
    payload, levels = document, ""
    if type(document.get("topic")) is dict and type(document.get("payload")) is dict:
        payload = document["payload"]
        levels = _levels_of(document["topic"], context.topic)
    metrics = payload.get("metrics")
    if type(metrics) is not list or not metrics or not _is_metric(metrics[0]):
        return None
    points = Points(context)
    whole = _Said(stamp_of(payload.get("timestamp"), context.zone), UNSAID)
    for metric in metrics:
        _add(levels, metric, whole, points, context)
    return points.decoded()


def _levels_of(sent: dict[str, Any], topic: str) -> str:
    places = (name_of(sent[place]) for place in _PLACES if sent.get(place) is not None)
    return levels_of(topic, *places)


def _is_metric(metric: object) -> bool:
    if type(metric) is not dict or "fields" in metric:
        return False
    return ("name" in metric and "value" in metric) or any(mark in metric for mark in _MARKS)


def _add(levels: str, metric: object, whole: _Said, points: Points, context: Context) -> None:
    """Add a metric; what it does not say of its time and quality, `whole` says."""
    if type(metric) is not dict:
        raise PayloadError("wrong_shape", "an element of metrics is no object")
    name = levels + name_of(metric.get("name"))
    said = _Said(
        whole.stamp
        if metric.get("timestamp") is None
        else stamp_of(metric["timestamp"], context.zone),
        _verdict_of(metric.get("properties"), whole.verdict),
    )
    value = None if metric.get("isNull") is True else metric.get("value")
    if type(value) is dict and type(value.get("metrics")) is list:
        for inner in value["metrics"]:
            _add(f"{name}/", inner, said, points, context)
    else:
        points.add(name, value, said.stamp, said.verdict)


def _verdict_of(properties: object, otherwise: Verdict) -> Verdict:
    sent = properties.get("Quality") if type(properties) is dict else None
    if type(sent) is dict:
        sent = sent.get("value")
    return otherwise if sent is None else of_sparkplug(sent)
