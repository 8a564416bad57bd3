"""Decodes messages into readings, each one apart: a bad one never costs its neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from functools import lru_cache
from typing import TYPE_CHECKING

from contracts.batches import DeadLetter, LedgerEntry, RawBatch, RawCommit
from contracts.errors import ContractError
from ingest import native
from ingest.document import check_names, parse
from ingest.identity import level_of
from ingest.readings import Context, Limits, PayloadError, Refusal
from ingest.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import tzinfo

    from contracts.message import Message
    from ingest.identity import Memory
    from ingest.readings import Decoded

# One function a shape, asked in this order; None means: not mine. A new gateway is one more.
READERS: tuple[Callable[[object, Context], Decoded | None], ...] = (
    native.read_object,
    native.read_scalar,
)

# The table of one commit ends with the message that takes it over this, about: short messages can
# make long ones, as each of up to 65,536 readings repeats a tag of up to a kibibyte.
TABLE_BYTES_MAX = 128 << 20

_DEFAULT_LIMITS = Limits()
_UTF8_BYTES_MAX = 4  # of a character: a short message cannot make a long tag


def decode(
    topic: str, payload: bytes, *, limits: Limits = _DEFAULT_LIMITS, zone: tzinfo = UTC
) -> Decoded | Refusal:
    """Decode one message, whatever its bytes are; never an exception.

    `zone` is that of times without an offset.

    >>> decode("line1/press", b'{"ts": 1767225600, "force": 2}').readings[0].time_us
    1767225600000000
    >>> decode("line1/press", b"[1, 2]").code
    'wrong_shape'
    """
    complaint = _complaint_of(topic, limits.tag_bytes)
    if complaint:
        return Refusal(*complaint, "")
    document: object = None
    try:
        document = parse(payload, limits)
        check_names(document, payload, limits)
        decoded = _read(document, Context(topic, limits, zone))
        if len(topic) + len(payload) >= limits.tag_bytes // _UTF8_BYTES_MAX:
            _check_tags(decoded, limits.tag_bytes)
    except PayloadError as problem:
        return Refusal(problem.code, problem.words, native.gateway_of(document))
    return decoded


def decode_messages(
    messages: Sequence[Message],
    memory: Memory,
    *,
    limits: Limits = _DEFAULT_LIMITS,
    first_arrival: int,
    zone: tzinfo = UTC,
) -> RawCommit:
    """Decode messages, in the order of their positions, into one commit: the first at least.

    Those from `until_position` of the commit on would make it too big: decode them again.
    `memory` is left as it is; what must be remembered once this is committed is
    `Memory.load(commit.memory)`. Of each message the commit holds the readings, or a dead letter,
    or nothing but its place in the ledger: it has been seen before.
    """
    if not messages:
        raise ContractError("there are no messages to decode: wait for some")
    remembered, rows, ledger = memory.copy(), Rows(), _Ledger()
    dead: list[DeadLetter] = []
    for message in messages:
        outcome = decode(message.topic, message.payload, limits=limits, zone=zone)
        if isinstance(outcome, Refusal):
            dead.append(_dead_letter(message, outcome))
            ledger.of(outcome.gateway).dead_letter += 1
            continue
        entry = ledger.of(outcome.gateway or "")
        level = level_of(outcome)
        if remembered.admit(level, message, outcome):
            rows.add(message, outcome, level)
            entry.stored += 1
        else:
            entry.duplicate += 1
        if rows.byte_count >= TABLE_BYTES_MAX:
            break
    remembered.forget()
    return RawCommit(
        readings=RawBatch(rows.table(first_arrival)),
        dead_letters=tuple(dead),
        ledger=ledger.entries(),
        until_position=message.position + 1,
        until_arrival=first_arrival + rows.count,
        memory=remembered.dump(),
    )


def _read(document: object, context: Context) -> Decoded:
    for read in READERS:
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


def _dead_letter(message: Message, refusal: Refusal) -> DeadLetter:
    return DeadLetter(
        position=message.position,
        topic=message.topic.encode(errors="backslashreplace").decode(),
        payload=message.payload,
        reason=f"{refusal.code}: {refusal.words}",
        received_us=message.received_us,
        gateway=refusal.gateway,
    )


@dataclass(slots=True)
class _Counts:
    stored: int = 0
    duplicate: int = 0
    dead_letter: int = 0


class _Ledger:
    """Counts what became of each gateway's messages."""

    def __init__(self) -> None:
        self._counts: dict[str, _Counts] = {}

    def of(self, gateway: str) -> _Counts:
        counts = self._counts.get(gateway)
        if counts is None:
            counts = self._counts[gateway] = _Counts()
        return counts

    def entries(self) -> tuple[LedgerEntry, ...]:
        return tuple(
            LedgerEntry(
                gateway,
                one.stored + one.duplicate + one.dead_letter,
                one.stored,
                one.duplicate,
                one.dead_letter,
            )
            for gateway, one in self._counts.items()
        )
