"""The bytes of a Sparkplug B payload, by the field numbers of the specification.

Source: Eclipse Sparkplug 3.0.0, chapter 6.4, "Sparkplug B MQTT Payload Definition".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from ingest.readings import PayloadError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGE = "gainline.sparkplug"

Part = Any  # a message of protobuf: its class is made at run time

# of each message its fields, by number; * is repeated; of those ending in _value one is sent
_VALUES = ("int_value uint32", "long_value uint64", "float_value float", "double_value double")
_MORE_VALUES = ("boolean_value bool", "string_value string")
_MESSAGES: dict[str, dict[int, str]] = {
    "Property": dict(
        enumerate(("type uint32", "is_null bool", *_VALUES, *_MORE_VALUES), 1),
    ),
    "Properties": {1: "keys string*", 2: "values Property*"},
    "Cell": dict(enumerate((*_VALUES, *_MORE_VALUES), 1)),
    "Row": {1: "elements Cell*"},
    "DataSet": {2: "columns string*", 3: "types uint32*", 4: "rows Row*"},
    "Template": {2: "metrics Metric*", 5: "is_definition bool"},
    "Metric": {
        1: "name string",
        2: "alias uint64",
        3: "timestamp uint64",
        4: "datatype uint32",
        5: "is_historical bool",
        6: "is_transient bool",
        7: "is_null bool",
        9: "properties Properties",
        **dict(enumerate((*_VALUES, *_MORE_VALUES), 10)),
        16: "bytes_value bytes",
        17: "dataset_value DataSet",
        18: "template_value Template",
    },
    "Payload": {1: "timestamp uint64", 2: "metrics Metric*", 3: "seq uint64"},
}


def parse_payload(payload: bytes) -> Part:
    """Parse a payload. PayloadError if it is none; fields that are not known are skipped."""
    try:
        return _Payload.FromString(payload)
    except message.DecodeError as problem:
        raise PayloadError("sparkplug", f"no Sparkplug B payload, by protobuf: {problem}") from None


def value_field_of(part: Part) -> str | None:
    """Name the field that holds the value of a metric, property or cell; None if there is none."""
    field: str | None = part.WhichOneof("value")
    return field


def _payload_class() -> type[Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="gainline/sparkplug.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        described = file.message_type.add(name=name)
        if any(words.split()[0].endswith("_value") for words in fields.values()):
            described.oneof_decl.add(name="value")
        for field in _fields_of(fields):
            if field.proto3_optional:
                field.oneof_index = len(described.oneof_decl)
                described.oneof_decl.add(name=f"_{field.name}")
            described.field.append(field)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = pool.FindMessageTypeByName(f"{_PACKAGE}.Payload")
    return message_factory.GetMessageClass(found)


def _fields_of(fields: dict[int, str]) -> Iterator[descriptor_pb2.FieldDescriptorProto]:
    """Describe fields as of proto3, which checks texts, with the presence that Sparkplug needs."""
    kinds = descriptor_pb2.FieldDescriptorProto
    for number, words in fields.items():
        name, kind = words.split()
        is_repeated = kind.endswith("*")
        kind = kind.removesuffix("*")
        field = kinds(name=name, number=number)
        field.label = kinds.LABEL_REPEATED if is_repeated else kinds.LABEL_OPTIONAL
        if kind in _MESSAGES:
            field.type, field.type_name = kinds.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
        else:
            field.type = kinds.Type.Value(f"TYPE_{kind.upper()}")
        if name.endswith("_value"):
            field.oneof_index = 0
        else:
            field.proto3_optional = not is_repeated and kind not in _MESSAGES
        yield field


_Payload = _payload_class()
