"""Reads OPC UA PubSub as JSON, and what Azure OPC Publisher sends besides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingest.gateways.point import Points, levels_of, name_of
from ingest.quality_codes import of_opc_ua
from ingest.readings import PayloadError
from ingest.times import stamp_of

if TYPE_CHECKING:
    from ingest.quality_codes import Verdict
    from ingest.readings import Context, Decoded

_DATA = "ua-data"
_WRITERS = ("DataSetWriterName", "DataSetWriterId")
_TIMES = ("SourceTimestamp", "ServerTimestamp")
# of a DataValue, OPC 10000-6, 5.4.2.17, and of its Variant, 5.4.2.16 (UaType since 1.05)
_DATA_VALUE = frozenset(
    {"Value", "StatusCode", "SourceTimestamp", "SourcePicoseconds", "ServerTimestamp"}
    | {"ServerPicoseconds", "UaType", "Dimensions"}
)
# objects that only wrap a value: a Variant, an ExtensionObject; a LocalizedText
_WRAPPERS = (
    ("Body", frozenset({"Type", "Body", "Dimensions", "TypeId", "Encoding"})),
    ("Text", frozenset({"Text", "Locale"})),
)


def read(document: object, context: Context) -> Decoded | None:
    """Read network messages, data set messages and samples, alone or in a list.

    A network message has `MessageType` ua-data and `Messages`; a data set message has the object
    `Payload` and a `DataSetWriterName` or `DataSetWriterId`; a sample has the text `NodeId` and
    `Value`. By the first of several the shape is known. The tag is the topic, the name or id of
    the data set writer, if the topic does not end with it, and the field; for a sample the
    server's host, and the DisplayName or the NodeId. A field is a DataValue, a Variant or the bare
    value. The time is the source's, else the server's, else the message's. No status code is
    good, and so is 0. Messages without values (metadata, keep-alives) are refused. (OPC 10000-14,
    7.2.5; Azure/Industrial-IoT, docs/opc-publisher/messageformats.md)
    """
    messages: list[Any] = document if type(document) is list else [document]
    if not messages or not _is_known(messages[0]):
        return None
    points = Points(context)
    for message in messages:
        if not _is_known(message):
            raise PayloadError("wrong_shape", "an element of the list is no message of OPC UA")
        if "MessageId" in message or "Messages" in message:
            _add_network_message(message, points, context)
        else:
            _add_message(message, points, context)
    return points.decoded()


def _is_known(message: object) -> bool:
    if type(message) is not dict:
        return False
    if "NodeId" in message:
        return "Value" in message and type(message["NodeId"]) is str
    kind = message.get("MessageType")
    if type(kind) is str and kind.startswith("ua-"):
        return True
    return type(message.get("Payload")) is dict and any(name in message for name in _WRITERS)


def _add_network_message(message: dict[str, Any], points: Points, context: Context) -> None:
    kind = message.get("MessageType", _DATA)
    if kind != _DATA:
        raise PayloadError("wrong_shape", f"a message of OPC UA without values: {str(kind)[:64]}")
    messages = message.get("Messages")
    for one in messages if type(messages) is list else [messages]:
        if type(one) is not dict:
            raise PayloadError("wrong_shape", "a network message has no object in Messages")
        _add_message(one, points, context)


def _add_message(message: dict[str, Any], points: Points, context: Context) -> None:
    if "NodeId" in message:
        _add_sample(message, points, context)
    elif type(message.get("Payload")) is dict:
        writer = next((message[name] for name in _WRITERS if message.get(name) is not None), None)
        levels = "" if writer is None else levels_of(context.topic, name_of(writer))
        for name, sent in message["Payload"].items():
            _add_field(f"{levels}{name}", sent, message, points, context)
    elif not any(name in message for name in (*_WRITERS, "MessageType")):
        for name, sent in message.items():  # a data set without a header
            _add_field(name, sent, {}, points, context)


def _add_sample(message: dict[str, Any], points: Points, context: Context) -> None:
    name = message.get("DisplayName")
    name = name_of(message["NodeId"] if name is None else name)
    server = message.get("EndpointUrl")
    host = _host_of(server) if isinstance(server, str) else ""
    levels = levels_of(context.topic, host)
    _add_field(f"{levels}{name}", message.get("Value"), message, points, context)


def _host_of(url: str) -> str:
    """Give what stands between // and the next /.

    >>> _host_of("opc.tcp://opcplc:50000/UA/Server")
    'opcplc:50000'
    """
    return url.rpartition("//")[2].partition("/")[0]


def _add_field(
    name: str, sent: object, message: dict[str, Any], points: Points, context: Context
) -> None:
    """Add a field; what it does not say of its time and quality, its message says."""
    if type(sent) is dict and sent and sent.keys() <= _DATA_VALUE:
        value, data_value = sent.get("Value"), sent
    else:
        value, data_value = sent, {}
    time = next((data_value[one] for one in _TIMES if data_value.get(one) is not None), None)
    stamp = stamp_of(message.get("Timestamp") if time is None else time, context.zone)
    points.add(name, _unwrapped(value), stamp, _verdict_of(data_value, message))


def _verdict_of(data_value: dict[str, Any], message: dict[str, Any]) -> Verdict:
    said = data_value.get("StatusCode")
    return of_opc_ua(message.get("Status") if said is None else said)


def _unwrapped(sent: Any) -> Any:  # noqa: ANN401  # JSON
    """Take a value out of the objects that say its type, at any depth."""
    if type(sent) is list:
        return [_unwrapped(one) for one in sent]
    if type(sent) is not dict:
        return sent
    for field, fields in _WRAPPERS:
        if field in sent and sent.keys() <= fields:
            return _unwrapped(sent[field])
    return {name: _unwrapped(inner) for name, inner in sent.items()}
