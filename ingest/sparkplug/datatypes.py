"""The values of Sparkplug metrics by their datatype, as numbers and texts."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from ingest.readings import PayloadError
from ingest.sparkplug.payload import Part, value_field_of

if TYPE_CHECKING:
    from collections.abc import Iterator


class Datatype(IntEnum):
    """The datatypes of Sparkplug 3.0.0, 6.4.16, that need a word of their own here."""

    UNKNOWN = 0
    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    DATASET = 16
    TEMPLATE = 19
    BOOLEAN_ARRAY = 32
    STRING_ARRAY = 33


# two's complement in an unsigned field: what the field has beyond the largest positive number
_SIGNED = {Datatype.INT8: 32, Datatype.INT16: 32, Datatype.INT32: 32, Datatype.INT64: 64}
# packed little-endian, 6.4.17; DateTimeArray counts milliseconds
_ARRAYS = {
    22: "<i1",
    23: "<i2",
    24: "<i4",
    25: "<i8",
    26: "<u1",
    27: "<u2",
    28: "<u4",
    29: "<u8",
    30: "<f4",
    31: "<f8",
    34: "<i8",
}
_INTEGERS = ("int_value", "long_value")
_LENGTH_BYTES = 4  # of a BooleanArray's count
ARRAY_ELEMENTS_MAX = 65_536  # as many as a message may have readings


def is_ambiguous(part: Part, datatype: int) -> bool:
    """Tell whether the datatype is needed and not known: an integer may be signed or not."""
    return datatype == Datatype.UNKNOWN and value_field_of(part) in (*_INTEGERS, "bytes_value")


def leaves_of(part: Part, datatype: int, name: str) -> Iterator[tuple[str, object]]:
    """Give the values of a metric, property or cell: one, or those of an array or a data set.

    The elements of an array are levels of the tag, 0, 1, 2, …; those of a data set are its columns
    and then its rows. Bytes and files have no value here: None.
    """
    field = value_field_of(part)
    if field is None:
        yield name, None
    elif field in _INTEGERS:
        yield name, _signed(getattr(part, field), datatype)
    elif field == "dataset_value":
        yield from _cells_of(part.dataset_value, name)
    elif field == "bytes_value":
        elements = _elements_of(part.bytes_value, datatype)
        if elements is None:
            yield name, None
        else:
            yield from ((f"{name}/{index}", one) for index, one in enumerate(elements))
    else:
        yield name, getattr(part, field)


def _signed(number: int, datatype: int) -> int:
    """Read an integer by its datatype.

    >>> _signed(4294967284, Datatype.INT32), _signed(4294967284, 7)
    (-12, 4294967284)
    """
    bits = _SIGNED.get(Datatype(datatype)) if datatype in _SIGNED else None
    return number - (1 << bits) if bits and number >= 1 << (bits - 1) else number


def _cells_of(dataset: Part, name: str) -> Iterator[tuple[str, object]]:
    columns, types = list(dataset.columns), list(dataset.types)
    if len(columns) != len(types):
        raise PayloadError("sparkplug", "a data set has not as many types as columns")
    for number, row in enumerate(dataset.rows):
        if len(row.elements) != len(columns):
            raise PayloadError("sparkplug", "a row of a data set has not as many cells as columns")
        for column, datatype, cell in zip(columns, types, row.elements, strict=True):
            yield from leaves_of(cell, datatype, f"{name}/{column}/{number}")


def _elements_of(packed: bytes, datatype: int) -> list[Any] | None:
    """Unpack an array; None if it is none: bytes or a file."""
    if datatype == Datatype.BOOLEAN_ARRAY:
        return _booleans_of(packed)
    if datatype == Datatype.STRING_ARRAY:
        texts = packed.split(b"\0", ARRAY_ELEMENTS_MAX)
        return [text.decode(errors="replace") for text in texts[: packed.count(b"\0")]]
    kind = _ARRAYS.get(datatype)
    if kind is None:
        return None
    size = np.dtype(kind).itemsize
    if len(packed) % size:
        raise PayloadError("sparkplug", f"an array of {len(packed)} bytes has no whole elements")
    _check_count(len(packed) // size)
    return list(np.frombuffer(packed, kind).tolist())


def _booleans_of(packed: bytes) -> list[Any]:
    """Unpack a count, then bits, the highest of a byte first.

    >>> _booleans_of(bytes([12, 0, 0, 0, 0x34, 0xD0]))[:6]
    [False, False, True, True, False, True]
    """
    count = int.from_bytes(packed[:_LENGTH_BYTES], "little")
    bits = np.unpackbits(np.frombuffer(packed[_LENGTH_BYTES:], np.uint8))
    if len(packed) < _LENGTH_BYTES or not count <= len(bits) < count + 8:
        raise PayloadError("sparkplug", "the count of a boolean array is not that of its bits")
    _check_count(count)
    return list(bits[:count].astype(bool).tolist())


def _check_count(count: int) -> None:
    if count > ARRAY_ELEMENTS_MAX:
        raise PayloadError("too_big", f"an array of {count} elements, more than the limit")
