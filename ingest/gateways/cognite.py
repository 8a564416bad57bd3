"""Reads messages for Cognite Data Fusion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingest.gateways.point import Points, name_of
from ingest.quality_codes import of_opc_ua
from ingest.readings import PayloadError
from ingest.times import stamp_of

if TYPE_CHECKING:
    from ingest.readings import Context, Decoded

_SERIES = "timeseriesData"  # no other gateway names its series so


def read(document: object, context: Context) -> Decoded | None:
    """Read an object with the list `timeseriesData`.

    The tag is the topic and the series' externalId, its instance's space and externalId, or its
    id. `status` is a status code of OPC UA. (Cognite documentation, hosted extractors,
    "Data formats"; "Datapoints"; "Reference: Status codes")
    """
    if type(document) is not dict or type(document.get(_SERIES)) is not list:
        return None
    points = Points(context)
    for series in document[_SERIES]:
        items = series.get("items") if type(series) is dict else None
        if type(items) is not list:
            raise PayloadError("wrong_shape", "a time series has no list of items")
        name = _name_of(series)
        for item in items:
            if type(item) is not dict or "value" not in item:
                raise PayloadError("wrong_shape", "an item of a time series has no value")
            stamp = stamp_of(item.get("timestamp"), context.zone)
            points.add(name, item["value"], stamp, of_opc_ua(item.get("status")))
    return points.decoded()


def _name_of(series: dict[str, Any]) -> str:
    instance = series.get("instanceId")
    if type(instance) is dict:
        return f"{name_of(instance.get('space'))}/{name_of(instance.get('externalId'))}"
    return name_of(series.get("externalId", series.get("id")))
