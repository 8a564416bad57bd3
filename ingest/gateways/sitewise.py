"""Reads values for AWS IoT SiteWise, and those that it publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingest.gateways.point import Points, name_of
from ingest.quality_codes import of_word
from ingest.readings import PayloadError
from ingest.times import Stamp, stamp_of

if TYPE_CHECKING:
    from ingest.readings import Context, Decoded

# the fields of a Variant, one of which is there; beside them there is nullValue
_VALUES = ("doubleValue", "integerValue", "booleanValue", "stringValue")
_NANOS = 10**9  # of a second


def read(document: object, context: Context) -> Decoded | None:
    """Read BatchPutAssetPropertyValue, one of its entries, or a property value notification.

    An object with the list `entries`, whose first element has the list `propertyValues`; that
    element alone; or the type PropertyValueUpdate with the object `payload`. The tag is the topic
    and the property's alias, or its asset's id and its own. A nullValue is a reading without a
    value. (AWS, "AWS IoT SiteWise API Reference": BatchPutAssetPropertyValue, Variant,
    TimeInNanos; "AWS IoT SiteWise User Guide": "Query asset property notifications")
    """
    if type(document) is not dict:
        return None
    entries = _entries_of(document)
    if entries is None:
        return None
    points = Points(context)
    for entry in entries:
        values = entry.get("propertyValues", entry.get("values")) if type(entry) is dict else None
        if type(values) is not list:
            raise PayloadError("wrong_shape", "an entry has no list of values")
        name = _name_of(entry)
        for one in values:
            _add(name, one, points, context)
    return points.decoded()


def _entries_of(document: dict[str, Any]) -> list[Any] | None:
    entries = document.get("entries")
    if type(entries) is list:
        first = entries[0] if entries else None
        return entries if type(first) is dict and "propertyValues" in first else None
    if type(document.get("propertyValues")) is list:
        return [document]
    if document.get("type") == "PropertyValueUpdate" and type(document.get("payload")) is dict:
        return [document["payload"]]
    return None


def _name_of(entry: dict[str, Any]) -> str:
    alias = entry.get("propertyAlias")
    if alias is not None:
        return name_of(alias)
    return f"{name_of(entry.get('assetId'))}/{name_of(entry.get('propertyId'))}"


def _add(name: str, one: object, points: Points, context: Context) -> None:
    variant = one.get("value") if type(one) is dict else None
    if type(one) is not dict or type(variant) is not dict:
        raise PayloadError("wrong_shape", "a value of an entry has no object named value")
    field = next((field for field in _VALUES if variant.get(field) is not None), None)
    if field is None and "nullValue" not in variant:
        raise PayloadError("wrong_shape", "a value of an entry has none of the known types")
    stamp = _stamp_of(one.get("timestamp"), context)
    points.add(name, None if field is None else variant[field], stamp, of_word(one.get("quality")))


def _stamp_of(sent: object, context: Context) -> Stamp:
    """Read seconds and nanoseconds; what is neither is no time to use."""
    if type(sent) is not dict:
        return stamp_of(sent, context.zone)
    seconds, nanos = sent.get("timeInSeconds"), sent.get("offsetInNanos")
    if type(seconds) is int and type(nanos) is int and seconds >= 0 and 0 <= nanos < _NANOS:
        return stamp_of(f"{seconds}.{nanos:09}")
    return stamp_of(seconds, context.zone)
