"""Parses the JSON of one payload within the limits."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from ingest.readings import PayloadError

if TYPE_CHECKING:
    from ingest.readings import Limits

_decode = msgspec.json.Decoder().decode

_BOM = b"\xef\xbb\xbf"
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
# matches from any quote on, closed or not, and never goes back: linear for any payload
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
# the same, and whether it is a name
_NAME = re.compile(rb'"((?:[^"\\]++|\\.)*+)"?+(\s*+:)?+', re.DOTALL)
# one word without quotes: a status such as Offline, or a number that JSON does not know (+5, 007)
_BARE = re.compile(r"[\w.:+-]{1,64}")
# numbers of the JSON of JavaScript and Python that are none of JSON
_NON_FINITE = re.compile(rb"NaN|Infinity")


def parse(payload: bytes, limits: Limits) -> object:
    """Parse a payload: JSON, or one bare word, which is returned as text.

    NaN, Infinity and numbers beyond a double are floats that are not finite. PayloadError if it
    is over a limit that can be checked before parsing, is not UTF-8, or is not JSON.

    >>> from ingest.readings import Limits
    >>> parse(b'{"ts": 1, "value": NaN}', Limits()), parse(b"Offline", Limits())
    ({'ts': 1, 'value': nan}, 'Offline')
    """
    if len(payload) > limits.payload_bytes:
        raise PayloadError(
            "too_big", f"the payload has {len(payload)} bytes, the limit is {limits.payload_bytes}"
        )
    payload = payload.removeprefix(_BOM)
    if payload.count(b"{") + payload.count(b"[") > limits.depth:
        _check_depth(payload, limits.depth)
    # each name ends in ": unless blanks follow; what this lets pass is counted after parsing
    if (
        len(payload) > limits.fields
        and payload.count(b'":') - payload.count(b'\\":') > limits.fields
    ):
        _check_fields(payload, limits.fields)
    try:
        return _decode(payload)
    except UnicodeDecodeError as problem:
        raise PayloadError("not_utf8", f"the text is not UTF-8: {problem}") from problem
    except msgspec.ValidationError:  # a number beyond a double
        return _parse_again(payload)
    except msgspec.DecodeError as problem:
        if _NON_FINITE.search(payload):
            return _parse_again(payload)
        return _bare_word(payload, str(problem))


def check_names(document: object, payload: bytes, limits: Limits) -> None:
    """Refuse a parsed payload that has a name twice in an object, or too many names.

    Parsers keep the last of two silently. A colon stands between each name and its value, so
    an object that has fewer names, together with the colons in its texts, than its payload has
    colons has lost some; only then it is parsed again to see.
    """
    colons = payload.count(b":")
    names = len(document) if type(document) is dict else 0
    if colons != names:
        escaped = b"\\u003" in payload  # a colon that is none in the payload
        names, in_texts = _count(document)
        if escaped or colons != names + in_texts:
            _parse_again(payload)
    if names > limits.fields:
        _check_fields(payload, limits.fields)


def _check_fields(payload: bytes, fields_max: int) -> None:
    """Refuse too many names; those that the elements of a list repeat count once."""
    names = {name for name, colon in _NAME.findall(payload) if colon}
    if len(names) > fields_max:
        raise PayloadError("too_big", f"{len(names)} fields, the limit is {fields_max}")


def _count(document: object) -> tuple[int, int]:
    """Count the names, and the colons in names and texts."""
    names = in_texts = 0
    left: list[object] = [document]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            names += len(one)
            in_texts += "".join(one).count(":")
            one = one.values()
        elif isinstance(one, str):
            in_texts += one.count(":")
            continue
        elif not isinstance(one, list):
            continue
        for element in one:
            kind = type(element)
            if kind is str:
                in_texts += element.count(":")
            elif kind is dict or kind is list:
                left.append(element)
    return names, in_texts


def _check_depth(payload: bytes, depth_max: int) -> None:
    """Refuse nesting that is too deep, by the brackets alone, before a parser meets it."""
    depth = 0
    for bracket in _STRING.sub(b"", payload).translate(None, _NOT_BRACKETS):
        if bracket in b"[{":
            depth += 1
            if depth > depth_max:
                raise PayloadError("too_deep", f"nested deeper than the limit, {depth_max} levels")
        elif bracket in b"]}":
            depth -= 1


def _parse_again(payload: bytes) -> object:
    """Parse with the standard library: slower, takes NaN and 1e999, sees names that repeat."""
    try:
        text = payload.decode("utf-8-sig")
        document = json.loads(text, object_pairs_hook=_without_repeats)
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeError as problem:  # bytes that are no UTF-8, or half a surrogate pair
        raise PayloadError("not_utf8", f"the text is not UTF-8: {problem}") from problem
    except ValueError as problem:
        raise PayloadError("not_json", f"not JSON: {problem}") from problem
    return document


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) < len(pairs):
        name, times = Counter(name for name, _ in pairs).most_common(1)[0]
        raise PayloadError(
            "duplicate_key", f"the name {name[:64]!r} comes {times} times: duplicate"
        )
    return document


def _bare_word(payload: bytes, complaint: str) -> str:
    try:
        text = payload.decode().strip()
    except UnicodeDecodeError as problem:
        raise PayloadError("not_utf8", f"the text is not UTF-8: {problem}") from problem
    if not text:
        raise PayloadError("empty", "the payload is empty")
    if not _BARE.fullmatch(text):
        raise PayloadError("not_json", f"not JSON, nor one word: {complaint}")
    return text
