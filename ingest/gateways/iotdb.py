"""Reads the JSON that the MQTT service of Apache IoTDB takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from ingest.gateways.point import Points, levels_of, name_of
from ingest.readings import Columns, Decoded, PayloadError
from ingest.times import stamp_of, stamps_of
from ingest.values import column_of, require_columns

if TYPE_CHECKING:
    from ingest.readings import Context

_ROW = "timestamp"
_ROWS = "timestamps"


def read(document: object, context: Context) -> Decoded | None:
    """Read the values of a device at one time, or at several, or a list of these.

    An object with the text `device`, the lists `measurements` and `values`, and `timestamp`, or
    `timestamps` and a list of values for each of them; by the first of several the shape is
    known. The tag is the topic, the device as it is written, and the measurement; the device is
    left out where the topic ends with it. (apache/iotdb, JSONPayloadFormatter.java; user guide,
    "MQTT Protocol")
    """
    if type(document) is dict:
        if not _is_known(document):
            return None
        if _ROWS in document:
            columns = _columns_of(document, context)
            return Decoded(context.topic, None, None, None, (), columns)
        document = [document]
    if type(document) is not list or not document or not _is_known(document[0]):
        return None
    points = Points(context)
    for one in document:
        if not _is_known(one):
            raise PayloadError("wrong_shape", "an element of the list is no device's values")
        _add(one, points, context)
    return points.decoded()


def _is_known(document: object) -> TypeGuard[dict[str, Any]]:
    return (
        type(document) is dict
        and type(document.get("measurements")) is list
        and type(document.get("values")) is list
        and type(document.get("device")) is str
        and (_ROW in document or type(document.get(_ROWS)) is list)
    )


def _names_of(document: dict[str, Any], context: Context) -> list[str]:
    levels = levels_of(context.topic, document["device"])
    return [levels + name_of(name).strip("/") for name in document["measurements"]]


def _rows_of(document: dict[str, Any]) -> list[list[Any]]:
    """Give a list of values for each time, each as long as the list of measurements."""
    rows = document["values"] if _ROWS in document else [document["values"]]
    times = len(document[_ROWS]) if _ROWS in document else 1
    if len(rows) != times:
        raise PayloadError("ragged", f"there are {len(rows)} lists of values, and {times} times")
    count = len(document["measurements"])
    for row in rows:
        if type(row) is not list or len(row) != count:
            raise PayloadError(
                "ragged", f"a list of values is not as long as measurements, {count}"
            )
    return rows


def _columns_of(document: dict[str, Any], context: Context) -> Columns:
    limits = context.limits
    names, rows = _names_of(document, context), _rows_of(document)
    require_columns(len(names), len(rows), limits)
    us, doubtful = stamps_of(document[_ROWS], context.zone)
    columns = zip(names, zip(*rows, strict=True), strict=True)
    return Columns(us, doubtful, [column_of(name, list(sent), limits) for name, sent in columns])


def _add(document: dict[str, Any], points: Points, context: Context) -> None:
    names = _names_of(document, context)
    times = document[_ROWS] if _ROWS in document else [document[_ROW]]
    for sent, row in zip(times, _rows_of(document), strict=True):
        stamp = stamp_of(sent, context.zone)
        for name, value in zip(names, row, strict=True):
            points.add(name, value, stamp)
