"""Reads the native shapes (one reading, one machine, column arrays) and bare scalars."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from contracts.quality import Quality, Reason
from ingest.readings import Columns, Decoded, PayloadError, Reading
from ingest.times import stamp_of, stamps_of
from ingest.values import column_of, leaves_of, require_columns, value_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.readings import Context

IDENTITY = ("gateway", "epoch", "seq")
RESERVED = frozenset({"ts", *IDENTITY})  # these name no metric
NAMELESS = "value"  # this name adds no level to the tag: the topic ends with the metric
_WITHOUT_TIME = frozenset({NAMELESS, *IDENTITY})

_TRUSTED = (int(Quality.GOOD), 0)
_DOUBTED = (int(Quality.UNCERTAIN), int(Reason.TIME))

# of a gateway's name and of an epoch; a UUID has 36 bytes, the name of a host at most 253
IDENTITY_BYTES = 256
SEQ_MAX = 2**63 - 1


def read_object(document: object, context: Context) -> Decoded | None:
    """Read a native shape; None if the document is none.

    An object is native if it has `ts`; or gateway, epoch and seq; or nothing but `value` beside
    these. Every further field is a metric, nested objects are levels of the tag. A list in `ts`
    makes columns: then every metric is a list as long. PayloadError if the shape is native and
    broken.
    """
    if type(document) is not dict or not _is_native(document):
        return None
    gateway, epoch, seq = identity_of(document)
    sent = document.get("ts")
    if isinstance(sent, list):
        columns = _columns_of(document, sent, context)
        return Decoded(context.topic, gateway, epoch, seq, (), columns)
    readings = _readings_of(document, sent, context)
    if not readings:
        raise PayloadError("wrong_shape", "there is no reading in it: no value and no metric")
    return Decoded(context.topic, gateway, epoch, seq, readings)


def read_scalar(document: object, context: Context) -> Decoded | None:
    """Read a bare number, boolean, text or null as the value of the topic, without a time."""
    if isinstance(document, (dict, list)):
        return None
    one = value_of(document, context.limits)
    reading = Reading("", None, one.value, one.text, status=one.status)
    return Decoded(context.topic, None, None, None, [reading])


def identity_in(document: object) -> tuple[str, str | None, int | None]:
    """Tell gateway ("" if none), epoch and count of a document that is refused, where it can.

    >>> identity_in({"gateway": "g", "epoch": "e", "seq": 7, "ts": []})
    ('g', 'e', 7)
    >>> identity_in({"gateway": "g", "epoch": "e", "seq": -7})
    ('g', None, None)
    """
    gateway, epoch, seq = "", None, None
    if isinstance(document, dict):
        with suppress(PayloadError):
            gateway = _label_of(document, "gateway") or ""
            _, epoch, seq = identity_of(document)
    return gateway, epoch, seq


def _is_native(document: dict[str, object]) -> bool:
    return (
        "ts" in document
        or (bool(document) and document.keys() <= _WITHOUT_TIME)
        or all(document.get(name) is not None for name in IDENTITY)
    )


def identity_of(document: dict[str, object]) -> tuple[str | None, str | None, int | None]:
    """Read gateway, epoch and count, None where there is none. Raises PayloadError."""
    return _label_of(document, "gateway"), _label_of(document, "epoch"), _seq_of(document)


def _seq_of(document: dict[str, object]) -> int | None:
    seq = document.get("seq")
    if seq is None:
        return None
    if isinstance(seq, bool) or not isinstance(seq, int) or not 0 <= seq <= SEQ_MAX:
        raise PayloadError("bad_identity", "the field seq is no count 0, 1, 2, …")
    return seq


def _label_of(document: dict[str, object], field: str) -> str | None:
    """Read a name; a whole number will do, as some count their starts."""
    sent = document.get(field)
    if sent is None:
        return None
    label = str(sent) if type(sent) is int else sent
    if not isinstance(label, str) or not 0 < len(label.encode()) <= IDENTITY_BYTES:
        raise PayloadError("bad_identity", f"the field {field} is no text of 1 to 256 bytes")
    return label


def _readings_of(document: dict[str, object], sent: object, context: Context) -> list[Reading]:
    """Read every metric at the one time of the message."""
    limits = context.limits
    stamp = stamp_of(sent, context.zone)
    quality, reasons = _DOUBTED if stamp.is_doubtful else _TRUSTED
    readings = []
    for name, leaf in islice(_leaves_of(document), limits.fields + 1):
        one = value_of(leaf, limits)
        readings.append(Reading(name, stamp.us, one.value, one.text, quality, reasons, one.status))
    if len(readings) > limits.fields:
        raise PayloadError("too_big", f"more values than the limit of fields, {limits.fields}")
    return readings


def _leaves_of(document: dict[str, object]) -> Iterator[tuple[str, object]]:
    for name, sent in document.items():
        if name in RESERVED:
            continue
        if isinstance(sent, (dict, list)):
            yield from leaves_of(sent, name)
        else:
            yield "" if name == NAMELESS else name, sent


def _columns_of(document: dict[str, object], sent: list[object], context: Context) -> Columns:
    """Read every metric as a list that is as long as the list of times."""
    limits = context.limits
    columns = list(_lists_of(document))
    require_columns(len(columns), len(sent), limits)
    for name, values in columns:
        if len(values) != len(sent):
            raise PayloadError(
                "ragged", f"the field {name[:64]!r} has {len(values)} values, ts has {len(sent)}"
            )
    us, doubtful = stamps_of(sent, context.zone)
    return Columns(us, doubtful, [column_of(*one, limits) for one in columns])


def _lists_of(fields: dict[str, object], prefix: str = "") -> Iterator[tuple[str, list[object]]]:
    for name, sent in fields.items():
        if not prefix and name in RESERVED:
            continue
        if isinstance(sent, dict):
            yield from _lists_of(sent, f"{prefix}{name}/")
        elif isinstance(sent, list):
            yield "" if not prefix and name == NAMELESS else f"{prefix}{name}", sent
        else:
            raise PayloadError("ragged", f"the field {name[:64]!r} is no list, but ts is one")
