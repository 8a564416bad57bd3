"""Decodes one message into readings, whatever its bytes are."""

from __future__ import annotations

from datetime import UTC
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ingest import native
from ingest.document import check_names, parse
from ingest.noted import decode_note
from ingest.readings import Context, Decoded, PayloadError, Refusal, Rules
from ingest.shapes import DOCUMENT_READERS, TEXT_READERS
from ingest.sparkplug import host
from ingest.sparkplug.births import Births
from ingest.sparkplug.host import PREFIX, Outcome

if TYPE_CHECKING:
    from ingest.sparkplug.host import Sender

_DEFAULT_RULES = Rules()
_UTF8_BYTES_MAX = 4  # of a character: a short message cannot make a long tag


def decode(
    topic: str, payload: bytes, rules: Rules = _DEFAULT_RULES, *, received_us: int = 0
) -> Decoded | Refusal:
    """Decode one message, whatever its bytes are; never an exception.

    `received_us` stands for the time of a note that has none.

    >>> decode("line1/press", b'{"ts": 1767225600, "force": 2}').readings[0].time_us
    1767225600000000
    >>> decode("line1/press", b"[1, 2]").code
    'wrong_shape'
    """
    limits = rules.limits
    if topic.startswith(PREFIX):
        return decode_sparkplug(topic, payload, Births(), rules).decoded
    complaint = complaint_of_topic(topic, limits.tag_bytes)
    if complaint:
        return Refusal(*complaint, "")
    if rules.notes is not None and rules.notes.has(topic):
        return decode_note(topic, payload, rules.notes, limits, received_us)
    return _decode(Context(topic, limits, rules.zone_of(topic)), payload)


def decode_sparkplug(
    topic: str, payload: bytes, births: Births, rules: Rules, *, received_us: int = 0
) -> Outcome:
    """Decode a message of an edge node, in the light of the births; never an exception.

    `births` stays as it is: note what the outcome says once the message is stored.
    """
    limits = rules.limits
    complaint = complaint_of_topic(topic, limits.tag_bytes)
    if complaint:
        return Outcome(Refusal(*complaint, ""))
    sender = host.sender_of(topic) if payload.startswith(b"{") else None
    if sender is not None:
        return Outcome(_decode_json(sender, payload, Context(sender.stem, limits, UTC)))
    outcome = host.read(topic, payload, births, received_us=received_us, limits=limits)
    if isinstance(outcome.decoded, Decoded):
        try:
            _check_tags(outcome.decoded, limits.tag_bytes)
        except PayloadError as problem:
            gateway = outcome.decoded.gateway or ""
            return Outcome(Refusal(problem.code, problem.words, gateway))
    return outcome


def _decode(context: Context, payload: bytes) -> Decoded | Refusal:
    document: object = None
    limits = context.limits
    try:
        try:
            document = parse(payload, limits)
        except PayloadError as problem:
            decoded = _read_text(payload, context, problem)
        else:
            check_names(document, payload, limits)
            decoded = _read(document, context)
        if len(context.topic) + len(payload) >= limits.tag_bytes // _UTF8_BYTES_MAX:
            _check_tags(decoded, limits.tag_bytes)
    except PayloadError as problem:
        return Refusal(problem.code, problem.words, *native.identity_in(document))
    return decoded


def _decode_json(sender: Sender, payload: bytes, context: Context) -> Decoded | Refusal:
    """Decode Sparkplug as JSON, which names its metrics itself: no protobuf begins with a brace."""
    outcome = _decode(context, payload)
    if isinstance(outcome, Refusal):
        return outcome._replace(gateway=outcome.gateway or sender.gateway)
    return outcome if outcome.gateway else replace(outcome, gateway=sender.gateway)


def _read_text(payload: bytes, context: Context, problem: PayloadError) -> Decoded:
    """Read what is no JSON, and why."""
    if problem.code == "not_json":
        text = payload.decode(errors="replace")
        for read in TEXT_READERS:
            decoded = read(text, context)
            if decoded is not None:
                return decoded
    raise problem


def _read(document: object, context: Context) -> Decoded:
    for read in DOCUMENT_READERS:
        decoded = read(document, context)
        if decoded is not None:
            return decoded
    kind = "a list" if isinstance(document, list) else "an object"
    raise PayloadError("wrong_shape", f"{kind} of a shape that is not known: no reading recognised")


@lru_cache(maxsize=1 << 16)  # topics of the largest plants; those beyond are looked at again
def complaint_of_topic(topic: str, tag_bytes: int) -> tuple[str, str] | None:
    """Say what is wrong with a topic, if anything. It is a name, never a path: most may stay."""
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
