"""Turns messages into one commit: readings, dead letters, the ledger, what is remembered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from contracts.batches import DeadLetter, LedgerEntry, RawBatch, RawCommit
from contracts.errors import ContractError
from contracts.message import DEAD_LETTERS
from ingest.decode import decode
from ingest.identity import level_of
from ingest.readings import Refusal
from ingest.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from contracts.message import Message
    from ingest.catalogue import Catalogue
    from ingest.identity import Memory
    from ingest.readings import Decoded, Rules

# The table of one commit ends with the message that takes it over this, about: short messages can
# make long ones, as each of up to 65,536 readings repeats a tag of up to a kibibyte.
TABLE_BYTES_MAX = 128 << 20

# What gainline itself publishes comes back to a reader of everything: it is nobody's message.
OWN_TOPICS = "gainline/commit/"


@dataclass(frozen=True)
class Knowledge:
    """What is known when messages are decoded: what was seen, which tags there are, the rules."""

    memory: Memory
    catalogue: Catalogue
    rules: Rules


def decode_messages(
    messages: Sequence[Message], known: Knowledge, *, first_arrival: int
) -> RawCommit:
    """Decode messages, in the order of their positions, into one commit: the first at least.

    Those from `until_position` of the commit on would make it too big: decode them again.
    `known.memory` is left as it is; what must be remembered once this is committed is
    `Memory.load(commit.memory)`. The catalogue learns the new tags: `settle` it then, or
    `discard`. Of each message the commit holds the readings, or a dead letter, or nothing but its
    place in the ledger: it has been seen before.
    """
    if not messages:
        raise ContractError("there are no messages to decode: wait for some")
    known.catalogue.discard()
    draft = _Draft(known)
    for message in messages:
        draft.add(message)
        if draft.rows.byte_count >= TABLE_BYTES_MAX:
            break
    return draft.commit(until_position=message.position + 1, first_arrival=first_arrival)


class _Draft:
    """A commit in the making."""

    def __init__(self, known: Knowledge) -> None:
        self.rows = Rows()
        self._memory = known.memory.copy()
        self._catalogue, self._rules = known.catalogue, known.rules
        self._ledger = _Ledger()
        self._dead: list[DeadLetter] = []
        self._replayed: list[int] = []

    def add(self, message: Message) -> None:
        """Give a message its place."""
        origin = message.origin
        if message.topic.startswith(OWN_TOPICS):
            return
        if origin is not None and not self._memory.is_new_origin(origin):
            return  # it was handed over before, by a process that did not live to know
        outcome = decode(message.topic, message.payload, self._rules)
        if origin is not None and origin.name == DEAD_LETTERS:
            self._add_again(message, outcome, origin.number)
        elif isinstance(outcome, Refusal):
            self._refuse(message, outcome)
        else:
            self._store(message, outcome)

    def _store(self, message: Message, decoded: Decoded) -> None:
        """Store a message, unless it has been seen, or brings more tags than may be."""
        gateway = decoded.gateway or ""
        complaint = self._catalogue.complaint_of(decoded)
        if complaint:
            refusal = Refusal("too_many_tags", complaint, gateway, decoded.epoch, decoded.seq)
            self._refuse(message, refusal)
            return
        self._memory.note_origin(message.origin)
        level = level_of(decoded)
        if self._memory.admit(level, message, decoded):
            self._catalogue.learn(decoded)
            self.rows.add(message, decoded, level)
            self._ledger.of(gateway).stored += 1
        else:
            self._ledger.of(gateway).duplicate += 1

    def _refuse(self, message: Message, refusal: Refusal) -> None:
        """Keep a message that cannot be read, unless it has been seen."""
        self._memory.note_origin(message.origin)
        entry = self._ledger.of(refusal.gateway)
        if not self._memory.admit_refused(refusal):
            entry.duplicate += 1
            return
        self._dead.append(_dead_letter(message, refusal))
        entry.dead_letter += 1

    def _add_again(self, message: Message, outcome: Decoded | Refusal, position: int) -> None:
        """Store a dead letter that can be read by now; else it stays what it is."""
        if isinstance(outcome, Refusal) or self._catalogue.complaint_of(outcome):
            return
        self._memory.note_origin(message.origin)
        self._catalogue.learn(outcome)
        self.rows.add(message, outcome, level_of(outcome))
        entry = self._ledger.of(outcome.gateway or "")
        entry.stored += 1
        entry.dead_letter -= 1
        self._replayed.append(position)

    def commit(self, *, until_position: int, first_arrival: int) -> RawCommit:
        """Make the commit of what was added."""
        self._memory.forget()
        return RawCommit(
            readings=RawBatch(self.rows.table(first_arrival)),
            dead_letters=tuple(self._dead),
            ledger=self._ledger.entries(),
            until_position=until_position,
            until_arrival=first_arrival + self.rows.count,
            memory=self._memory.dump(),
            new_tags=self._catalogue.new,
            gaps=self._memory.changed_gaps(),
            replayed=tuple(self._replayed),
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
