"""Reads the line protocol of InfluxDB and Telegraf."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ingest.gateways.point import Points
from ingest.gateways.series import series_of
from ingest.readings import PayloadError
from ingest.times import stamp_of

if TYPE_CHECKING:
    from ingest.readings import Context, Decoded

# Each alternative begins with another character and none is gone back into: linear for any text.
_NAME = r"(?:[^,=\x20\r\n\\]++|\\[^\r\n])++"  # of a tag or field, and the value of a tag
_MEASUREMENT = r"(?:[^,\x20\r\n\\#]|\\[^\r\n])(?:[^,\x20\r\n\\]++|\\[^\r\n])*+"
_STRING = r'"(?:[^"\\]++|\\.)*+"'  # may hold anything, line breaks too
_VALUE = rf'(?:{_STRING}|[^,="\x20\r\n\\]++)'
_POINT = re.compile(
    rf"({_MEASUREMENT})((?:,{_NAME}={_NAME})*+)\x20++"
    rf"({_NAME}={_VALUE}(?:,{_NAME}={_VALUE})*+)"
    r"(?:\x20++(-?\d{1,20}))?+\x20*+(?:\r?\n|\Z)",
    re.ASCII | re.DOTALL,
)
_TAG = re.compile(rf",({_NAME})=({_NAME})")
_FIELD = re.compile(rf"({_NAME})=({_VALUE})", re.DOTALL)
_SKIPPED = re.compile(r"(?:[\x20\t\r]*+(?:#[^\n]*+)?+(?:\n|\Z))++")  # empty lines, comments
_OTHER = ("{", "[", "<", '"', "'")  # opens JSON, XML or a text in quotes
_ATTEMPT = re.compile(rf"\S++\x20++{_NAME}=")  # what is meant to be a point

_ESCAPED_NAME = re.compile(r"\\([,=\x20])")  # before any other character a backslash is one
_ESCAPED_STRING = re.compile(r'\\(["\\])')
_BOOLEANS = {
    **dict.fromkeys(("t", "T", "true", "True", "TRUE"), True),
    **dict.fromkeys(("f", "F", "false", "False", "FALSE"), False),
}
# A float, or a whole number with its suffix. InfluxDB takes no NaN: it costs the point, not others.
_NUMBER = re.compile(
    r"([+-]?(?:(?:\d++\.?+\d*+|\.\d++)(?:[eE][+-]?\d++)?|[nN]a[nN]|[iI]nf(?:inity)?))|(-?\d++)[iu]",
    re.ASCII,
)


def read(text: str, context: Context) -> Decoded | None:
    r"""Read points, one a line; empty lines and lines that begin with # are none.

    None if the first line is none and looks like none, or begins as JSON and XML do; a broken line
    further on breaks the message, which is kept whole. The tag is the topic, the series
    (`series_of`) and the field. A time is in nanoseconds if the writer is not told otherwise,
    other units are known by magnitude; a point may have none.
    (InfluxDB documentation, "Line protocol reference")

    >>> from datetime import UTC
    >>> from ingest.readings import Context, Limits
    >>> decoded = read("cpu,core=0 load=45,n=2i 1637014942460689291\n", Context("t", Limits(), UTC))
    >>> [(one.name, one.value, one.time_us) for one in decoded.readings]
    [('core=0/cpu/load', 45.0, 1637014942460689), ('core=0/cpu/n', 2.0, 1637014942460689)]
    """
    start = _skip(text, 1 if text.startswith("\ufeff") else 0)
    is_point = _POINT.match(text, start) or _ATTEMPT.match(text, start)
    if not is_point or text.startswith(_OTHER, start):
        return None
    points = Points(context)
    known: dict[tuple[str, str], str] = {}
    while start < len(text):
        point = _POINT.match(text, start)
        if point is None:
            line = text.count("\n", 0, start) + 1
            raise PayloadError("bad_line", f"line {line} is not of the format of line protocol")
        head = point[1], point[2]
        series = known.get(head)
        if series is None:
            series = known[head] = _series_of(*head, context.topic)
        stamp = stamp_of(None if point[4] is None else int(point[4]), context.zone)
        for name, token in _FIELD.findall(point[3]):
            points.add(f"{series}/{_plain(name)}", _value_of(token), stamp)
        start = _skip(text, point.end())
    return points.decoded()


def _skip(text: str, start: int) -> int:
    skipped = _SKIPPED.match(text, start)
    return skipped.end() if skipped else start


def _series_of(measurement: str, sent_tags: str, topic: str) -> str:
    tags = [(_plain(key), _plain(value)) for key, value in _TAG.findall(sent_tags)]
    return series_of(topic, _plain(measurement), tags)


def _plain(name: str) -> str:
    return _ESCAPED_NAME.sub(r"\1", name) if "\\" in name else name


def _value_of(token: str) -> str | float | bool:
    if token[0] == '"':
        return _ESCAPED_STRING.sub(r"\1", token[1:-1])
    number = _NUMBER.fullmatch(token)
    if number:
        return float(number[1] or number[2])
    if token not in _BOOLEANS:
        raise PayloadError(
            "bad_line", f"the value {token[:64]!r} is none of the format of line protocol"
        )
    return _BOOLEANS[token]
