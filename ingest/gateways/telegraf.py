"""Reads the JSON of Telegraf."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeGuard

from ingest.gateways.point import Points
from ingest.gateways.series import series_of
from ingest.readings import PayloadError
from ingest.times import stamp_of

if TYPE_CHECKING:
    from ingest.readings import Context, Decoded


def read(document: object, context: Context) -> Decoded | None:
    """Read one metric, a batch of them in `metrics`, or a list of them.

    A metric is an object with the text `name` and the object `fields`; by the first of several
    the shape is known. The tag is the topic, the series (`series_of`) and the field. The time is
    in seconds if Telegraf is not told otherwise, other units are known by magnitude.
    (influxdata/telegraf, plugins/serializers/json/README.md)
    """
    metrics = _metrics_of(document)
    if metrics is None:
        return None
    points = Points(context)
    for metric in metrics:
        if not _is_metric(metric):
            raise PayloadError("wrong_shape", "a metric of the batch has no name or no fields")
        _add(metric, points, context)
    return points.decoded()


def _metrics_of(document: object) -> list[Any] | None:
    if type(document) is dict:
        if "fields" in document:
            return [document] if _is_metric(document) else None
        document = document.get("metrics")
    if type(document) is not list or not document:
        return None
    return document if _is_metric(document[0]) else None


def _is_metric(document: object) -> TypeGuard[dict[str, Any]]:
    return (
        type(document) is dict
        and type(document.get("fields")) is dict
        and type(document.get("name")) is str
        and type(document.get("tags", {})) is dict
    )


def _add(metric: dict[str, Any], points: Points, context: Context) -> None:
    tags = ((key, _text_of(value)) for key, value in metric.get("tags", {}).items())
    series = series_of(context.topic, metric["name"], tags)
    stamp = stamp_of(metric.get("timestamp"), context.zone)
    for field, sent in metric["fields"].items():
        points.add(f"{series}/{field}", sent, stamp)


def _text_of(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
