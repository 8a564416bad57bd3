"""Reads an object that no other family knows: its names are metrics, as Node-RED sends them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from contracts.quality import Quality, Reason
from ingest import native
from ingest.gateways.point import Points
from ingest.quality_codes import STATUS_CHARACTERS_MAX, UNSAID, Verdict
from ingest.times import SET_SINCE_US, Stamp, stamp_of

if TYPE_CHECKING:
    from ingest.readings import Context, Decoded

# Names of the time, in small letters and without signs; the first that is there counts. What
# these name is a moment and nothing else.
_MOMENTS = ("timestamp", "sourcetimestamp", "sourcetime", "datetime", "ts")
# These may name a duration or a temperature, too: they are the time if it is one since 2000.
_MAYBE_MOMENTS = ("time", "t")
_RANKS = {name: rank for rank, name in enumerate((*_MOMENTS, *_MAYBE_MOMENTS))}
_NO_RANK = len(_RANKS)
_SIGNS = str.maketrans("", "", "_-@ ")

_METER = frozenset({"value", "raw", "pre", "error"})
_METER_FINE = ("no error", "")
_METER_AS_READ = ("raw", "pre", "error")  # these are no less true when the value could not be had


class _Time(NamedTuple):
    field: str | None  # that holds it
    stamp: Stamp


_TIMELESS = _Time(None, Stamp(None, is_doubtful=False))


def read(document: object, context: Context) -> Decoded | None:
    """Read any object with a value in it; to be asked last.

    The tag is the topic and the names: nested objects and lists are levels, `value` at the top
    adds none, as in the native shapes. The time is the field at the top named `timestamp`,
    `source_timestamp`, `source_time`, `datetime` or `ts`, or, if it holds a moment since 2000,
    `time` or `t`; in any case of letters, with or without _ - @ and blanks. Are the times a list,
    the others are columns as in the native shapes. (Node-RED cookbook, "Publish a JSON message to
    a topic")

    A meter of AI-on-the-edge is known by `value`, `raw`, `pre` and the text `error`. It keeps the
    level `value`; if the error is neither "no error" nor empty, what was computed is BAD.
    (jomjol/AI-on-the-edge-device-docs, docs/MQTT-API.md; AI-on-the-edge-device, issue #1800)
    """
    if type(document) is not dict or not document:
        return None
    field, stamp = _time_of(document, context)
    values = [(name, sent) for name, sent in document.items() if name != field]
    if field is not None and type(document[field]) is list:
        return native.read_object({**dict(values), "ts": document[field]}, context)
    points = Points(context)
    if type(document.get("error")) is str and document.keys() >= _METER:
        verdict = _verdict_of_meter(document["error"])
        for name, sent in values:
            points.add(name, sent, stamp, UNSAID if name in _METER_AS_READ else verdict)
    else:
        for name, sent in values:
            points.add("" if name == native.NAMELESS else name, sent, stamp)
    return points.decoded()


def _time_of(document: dict[str, Any], context: Context) -> _Time:
    """Find the field that holds the time; an object is none, but a group of values."""
    ranked = [
        (rank, name)
        for name, sent in document.items()
        if (rank := _rank_of(name)) < _NO_RANK and type(sent) is not dict
    ]
    for rank, name in sorted(ranked):
        sent = document[name]
        first = sent[0] if type(sent) is list and sent else sent
        stamp = stamp_of(first, context.zone)
        if rank < len(_MOMENTS) or (stamp.us is not None and stamp.us >= SET_SINCE_US):
            return _Time(name, stamp)
    return _TIMELESS


@lru_cache(maxsize=1 << 16)  # names of the metrics of the largest plants
def _rank_of(name: str) -> int:
    return _RANKS.get(name.translate(_SIGNS).lower(), _NO_RANK)


def _verdict_of_meter(error: str) -> Verdict:
    if error in _METER_FINE:
        return UNSAID
    return Verdict(int(Quality.BAD), int(Reason.SOURCE), error[:STATUS_CHARACTERS_MAX])
