"""Decodes one message into readings, whatever its bytes are."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from ingest import native
from ingest.document import check_names, parse
from ingest.readings import Context, PayloadError, Refusal, Rules
from ingest.shapes import DOCUMENT_READERS, TEXT_READERS

if TYPE_CHECKING:
    from ingest.readings import Decoded

_DEFAULT_RULES = Rules()
_UTF8_BYTES_MAX = 4  # of a character: a short message cannot make a long tag


def decode(topic: str, payload: bytes, rules: Rules = _DEFAULT_RULES) -> Decoded | Refusal:
    """Decode one message, whatever its bytes are; never an exception.

    >>> decode("line1/press", b'{"ts": 1767225600, "force": 2}').readings[0].time_us
    1767225600000000
    >>> decode("line1/press", b"[1, 2]").code
    'wrong_shape'
    """
    limits = rules.limits
    complaint = _complaint_of(topic, limits.tag_bytes)
    if complaint:
        return Refusal(*complaint, "")
    document: object = None
    context = Context(topic, limits, rules.zone_of(topic))
    try:
        document = parse(payload, limits)
        check_names(document, payload, limits)
        decoded = _read(document, context)
        if len(topic) + len(payload) >= limits.tag_bytes // _UTF8_BYTES_MAX:
            _check_tags(decoded, limits.tag_bytes)
    except PayloadError as problem:
        if problem.code == "not_json" and (text := _read_text(payload, context)) is not None:
            return text
        return Refusal(problem.code, problem.words, native.gateway_of(document))
    return decoded


def _read_text(payload: bytes, context: Context) -> Decoded | None:
    """Read what is no JSON."""
    text = payload.decode(errors="replace")
    outcomes = (read(text, context) for read in TEXT_READERS)
    return next((outcome for outcome in outcomes if outcome is not None), None)


def _read(document: object, context: Context) -> Decoded:
    for read in DOCUMENT_READERS:
        decoded = read(document, context)
        if decoded is not None:
            return decoded
    kind = "a list" if isinstance(document, list) else "an object"
    raise PayloadError("wrong_shape", f"{kind} of a shape that is not known: no reading recognised")


@lru_cache(maxsize=1 << 16)  # topics of the largest plants; those beyond are looked at again
def _complaint_of(topic: str, tag_bytes: int) -> tuple[str, str] | None:
    """Say what is wrong with a topic. It is a name, never a path: most oddities may stay."""
    if topic.startswith("spBv1.0/"):
        return "sparkplug", "Sparkplug messages (births, data, deaths) are not read yet"
    try:
        size = len(topic.encode())
    except UnicodeEncodeError:
        return "bad_topic", "the topic is not UTF-8"
    if size > tag_bytes:
        return "bad_topic", f"the topic has a length of {size} bytes, the limit is {tag_bytes}"
    if not topic or any(character in topic for character in "\0+#"):
        return "bad_topic", "the topic is empty or has a NUL, + or #, which no topic may have"
    return None


def _check_tags(decoded: Decoded, tag_bytes: int) -> None:
    names = [reading.name for reading in decoded.readings]
    if decoded.columns:
        names.extend(column.name for column in decoded.columns.columns)
    left = tag_bytes - len(decoded.topic.encode()) - 1
    for name in names:
        if len(name) > left or len(name.encode()) > left:
            raise PayloadError(
                "too_big", f"a name makes a tag longer than the limit, {tag_bytes} B"
            )
