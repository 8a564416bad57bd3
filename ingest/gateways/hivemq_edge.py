"""Reads what the protocol adapters of HiveMQ Edge publish."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingest.gateways.point import Points, levels_of, name_of
from ingest.quality_codes import of_opc_ua
from ingest.readings import PayloadError
from ingest.times import stamp_of

if TYPE_CHECKING:
    from ingest.readings import Context, Decoded

_NAME = "tagName"
_SOURCE_TIME, _TIME, _SERVER_TIME = "sourceTimestamp", "timestamp", "serverTimestamp"
_TIMES = (_SOURCE_TIME, _TIME, _SERVER_TIME)
_STATUSES = ("status", "statusCode")
_FIELDS = frozenset(
    {"value", _NAME, *_TIMES, *_STATUSES, "userProperties", "mqttUserProperties"}
    | {"sourcePicoSeconds", "serverPicoSeconds", "sourcePicoseconds", "serverPicoseconds"}
)


def read(document: object, context: Context) -> Decoded | None:
    """Read one value with its time, its tag or what OPC UA says of it, or the list `samples`.

    An object of `value` and one or more of `tagName`, `timestamp`, `sourceTimestamp`,
    `serverTimestamp`, `status` (an object, a status code of OPC UA), and of nothing else but user
    properties and picoseconds. Or an object with the list `samples`, whose first element has
    `tagValue`. The tag is the topic and the tag's name, if it is sent and the topic does not end
    with it. The source's time comes before the adapter's, that before the server's.
    (hivemq/hivemq-edge, ProtocolAdapterPublisherJsonPayload.java,
    ProtocolAdapterMultiPublishJsonPayload.java, OpcUaToJsonConverter.java)
    """
    if type(document) is not dict:
        return None
    points = Points(context)
    if _has_samples(document):
        for sample in document["samples"]:
            _add_sample(sample, document, points, context)
        return points.decoded()
    if not _is_value(document):
        return None
    sent = next((document[name] for name in _TIMES if document.get(name) is not None), None)
    code = next((document[name] for name in _STATUSES if name in document), None)
    name = _name_of(document, context.topic)
    points.add(name, document["value"], stamp_of(sent, context.zone), of_opc_ua(code))
    return points.decoded()


def _has_samples(document: dict[str, Any]) -> bool:
    samples = document.get("samples")
    return (
        type(samples) is list
        and bool(samples)
        and type(samples[0]) is dict
        and "tagValue" in samples[0]
    )


def _is_value(document: dict[str, Any]) -> bool:
    if "value" not in document or len(document) == 1 or not document.keys() <= _FIELDS:
        return False
    # any other gateway may say in its own words how it is
    return all(type(document.get(name, {})) is dict for name in _STATUSES)


def _name_of(one: dict[str, Any], topic: str) -> str:
    return "" if one.get(_NAME) is None else levels_of(topic, name_of(one[_NAME])).rstrip("/")


def _add_sample(sample: object, document: dict[str, Any], points: Points, context: Context) -> None:
    if type(sample) is not dict or "tagValue" not in sample:
        raise PayloadError("wrong_shape", "an element of samples has no tagValue")
    stamp = stamp_of(document.get(_TIME), context.zone)
    points.add(_name_of(sample, context.topic), sample["tagValue"], stamp)
