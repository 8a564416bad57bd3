"""Reads the telemetry of Tasmota."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingest.gateways.point import Points
from ingest.times import Stamp, stamp_of

if TYPE_CHECKING:
    from ingest.readings import Context, Decoded

# answers to the commands STATUS 8, 10 and 11 hold the message of SENSOR or STATE
_ANSWERS = ("StatusSNS", "StatusSTS")
_TIMELESS = Stamp(None, is_doubtful=False)


def read(document: object, context: Context) -> Decoded | None:
    """Read SENSOR, STATE and what else has the text `Time`, or has it in StatusSNS or StatusSTS.

    The tag is the topic and the names, level by level. The time is local to the device and comes
    without an offset: it is read in the site's zone, unless `Epoch` says it in UTC (command
    Time 2). Messages without Time, such as RESULT, are plain objects; LWT is a bare word.
    (arendst/Tasmota, issue #1621; tasmota/tasmota_support/support_command.ino, CmndTime)
    """
    if type(document) is not dict:
        return None
    if not (_is_timed(document) or any(_is_timed(document.get(name)) for name in _ANSWERS)):
        return None
    points = Points(context)
    stamp = _stamp_of(document, context)
    for name, sent in _fields_of(document):
        if name in _ANSWERS and _is_timed(sent):
            own = _stamp_of(sent, context)
            for inner, leaf in _fields_of(sent):
                points.add(f"{name}/{inner}", leaf, own)
        else:
            points.add(name, sent, stamp)
    return points.decoded()


def _is_timed(document: object) -> bool:
    return type(document) is dict and type(document.get("Time")) is str


def _stamp_of(document: dict[str, Any], context: Context) -> Stamp:
    if not _is_timed(document):
        return _TIMELESS
    epoch = document.get("Epoch")
    return stamp_of(document["Time"] if epoch is None else epoch, context.zone)


def _fields_of(document: dict[str, Any]) -> list[tuple[str, Any]]:
    times = ("Time", "Epoch") if _is_timed(document) else ()
    return [(name, sent) for name, sent in document.items() if name not in times]
