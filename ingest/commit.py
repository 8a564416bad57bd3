"""Turns messages into one commit: readings, dead letters, the ledger, what is remembered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from contracts.batches import DeadLetter, HandedOver, LedgerEntry, RawBatch, RawCommit
from contracts.errors import ContractError
from ingest.decode import complaint_of_topic, decode, decode_sparkplug
from ingest.identity import level_of
from ingest.privacy import Private
from ingest.private_runs import Left, left_of
from ingest.readings import Refusal
from ingest.rows import Rows
from ingest.runs import read_run
from ingest.sparkplug.host import PREFIX, Outcome
from ingest.timeliness import with_time_reasons
from ingest.topic_numbers import Stored, tags_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from contracts.message import Message, Origin
    from contracts.notes import Note
    from ingest.catalogue import Catalogue
    from ingest.identity import Memory
    from ingest.layouts import Layout
    from ingest.readings import Decoded, Rules

# The table of one commit ends with the message that takes it over this, about: short messages can
# make long ones, as a reading of two bytes in a list of numbers is a row of eighty.
TABLE_BYTES_MAX = 128 << 20

# Messages that are read at once: what is done once for so many costs nothing beside them, in a few
# megabytes; of fewer than the second, one by one costs no more.
RUN_MAX = 1 << 15
RUN_MIN = 128

# What gainline itself publishes comes back to a reader of everything: it is nobody's message.
OWN_TOPICS = "gainline/commit/"


@dataclass
class Knowledge:
    """What is known when messages are decoded: what was seen, which tags there are, the rules.

    `waiting` is the gateway under which each dead letter is counted that is among the messages and
    has not been replayed, by its position. `has_note` tells of a note, by its id, whether the lake
    has it. `next_memory` is what was seen once the commit that was decoded last is in the lake.
    """

    memory: Memory
    catalogue: Catalogue
    rules: Rules
    waiting: Mapping[int, str] = field(default_factory=dict)
    has_note: Callable[[str], bool] = lambda _: False
    next_memory: Memory | None = field(default=None, init=False)


def decode_messages(
    messages: Sequence[Message], known: Knowledge, *, first_arrival: int
) -> RawCommit:
    """Decode messages, in the order of their positions, into one commit: the first at least.

    Those from `until_position` of the commit on would make it too big: decode them again.
    `known.memory` is left as it is; what must be remembered once this is committed is
    `known.next_memory`, or `Memory.load(commit.memory)`, which is the same. The catalogue learns
    the new tags: `settle` it then, or `discard`. Of each message the commit holds the readings, or
    a dead letter, or nothing but its place in the ledger: it has been seen before.
    """
    if not messages:
        raise ContractError("there are no messages to decode: wait for some")
    known.catalogue.discard()
    draft = _Draft(known)
    count = draft.add_all(messages)
    until_position = messages[count - 1].position + 1
    commit = draft.commit(until_position=until_position, first_arrival=first_arrival)
    known.next_memory = draft.memory
    draft.memory.settle()
    return commit


class _Draft:
    """A commit in the making."""

    def __init__(self, known: Knowledge) -> None:
        self.rows = Rows()
        self.memory = known.memory.copy()
        self._catalogue, self._rules = known.catalogue, known.rules
        self._privacy = known.rules.privacy
        self._catalogue.topic_numbers.retry()
        self._ledger = _Ledger(self.memory.ledger_name)
        self._dead: list[DeadLetter] = []
        self._notes: dict[str, Note] = {}  # by their ids
        self._has_note = known.has_note
        self._replayed: list[int] = []
        self._waiting = dict(known.waiting)
        self._handed_over: dict[str, _Counts] = {}

    def add_all(self, messages: Sequence[Message]) -> int:
        """Give messages their places until there are too many rows; tell how many it took.

        Native readings are taken by the thousand where all of so many messages are new and in
        order. Where they are not, each half is tried, and at last each message by itself.
        """
        left = [(start, start + RUN_MAX) for start in range(0, len(messages), RUN_MAX)][::-1]
        while left:
            start, end = left.pop()
            run = messages[start:end]
            if len(run) >= RUN_MIN:
                if not self._add_run(run):
                    middle = start + len(run) // 2
                    left += [(middle, end), (start, middle)]
                continue
            for number, message in enumerate(run, start + 1):
                self.add(message)
                self._catalogue.topic_numbers.doubt(message)
                if self.rows.byte_count >= TABLE_BYTES_MAX:
                    return number
        return len(messages)

    def _add_run(self, messages: Sequence[Message]) -> bool:
        """Store messages that can be read at once, if all are new; else do nothing."""
        limits = self._rules.limits
        run = read_run(messages, self._catalogue.topic_numbers, self._stored_as, limits)
        if run is None or self.rows.byte_count_with(run) >= TABLE_BYTES_MAX:
            return False
        left = Left(run, run, {})
        if self._privacy is not None:
            run = self._privacy.of_run(run)
            left = left_of(run)
        if left.known is not None and not self.memory.admit_run(left.known):
            return False
        if left.stored is not None:
            self.rows.add_run(left.stored)
        for gateway, count in run.by_gateway():
            self._ledger.of(gateway).stored += count
        for gateway, count in left.left_out.items():
            self._ledger.of(gateway).left_out += count
        return True

    def _stored_as(self, topic: str, layout: Layout) -> Stored | None:
        """Tell how messages of a topic and a layout are stored; None if one by one."""
        tag_bytes = self._rules.limits.tag_bytes
        if (
            topic.startswith((OWN_TOPICS, PREFIX))
            or (self._rules.notes is not None and self._rules.notes.has(topic))
            or complaint_of_topic(topic, tag_bytes) is not None
            or len(topic.encode()) >= tag_bytes
        ):
            return None
        if self._privacy is None:
            stored: Stored | None = Stored(topic, tags_of(topic, layout))
        else:
            stored = self._privacy.stored(topic, layout.paths)
        if stored is None or not all(self._catalogue.has(tag) for tag in stored.tags if tag):
            return None
        return stored

    def add(self, message: Message) -> None:
        """Give a message its place."""
        if message.origin is not None:
            self._add_handed_over(message, message.origin)
        elif not message.topic.startswith(OWN_TOPICS):
            self._add_new(message)

    def _add_handed_over(self, message: Message, origin: Origin) -> None:
        """Give a message its place that no broker delivered, once for each origin."""
        counts = self._handed_over.setdefault(origin.name, _Counts())
        before = self.rows.count
        if origin.is_dead_letter:
            counts.add(self._add_again(message, origin.number))
        elif self.memory.is_new_origin(origin):  # else one that was cut off has handed it over
            self.memory.note_origin(origin)
            counts.add(self._add_new(message))
        counts.readings += self.rows.count - before

    def _add_new(self, message: Message) -> str:
        """Give a message its place; tell what it became, in a word of the ledger."""
        private = self._read(message)
        if isinstance(private.outcome.decoded, Refusal):
            return self._refuse(private, private.outcome.decoded)
        return self._store(private, private.outcome.decoded)

    def _read(self, message: Message) -> Private:
        """Decode a message, and take out of it what is not to be stored."""
        outcome = self._decode(message)
        if self._privacy is None:
            return Private(message, outcome)
        return self._privacy.applied(message, outcome)

    def _decode(self, message: Message) -> Outcome:
        if not message.topic.startswith(PREFIX):
            topic, payload, received_us = message.topic, message.payload, message.received_us
            return Outcome(decode(topic, payload, self._rules, received_us=received_us))
        return decode_sparkplug(
            message.topic,
            message.payload,
            self.memory.births,
            self._rules,
            received_us=message.received_us,
        )

    def _store(self, private: Private, decoded: Decoded) -> str:
        """Store a message, unless it has been seen, or brings more tags than may be."""
        message, outcome, gateway = private.message, private.outcome, decoded.gateway or ""
        complaint = self._complaint_of(outcome, decoded)
        if complaint:
            refusal = Refusal("too_many_tags", complaint, gateway, decoded.epoch, decoded.seq)
            return self._refuse(private, refusal)
        level = level_of(decoded)
        known_by = private.known_by(level, decoded)
        is_new = private.is_nothing and not message.retained
        is_seen = not is_new and not self.memory.admit(level, message, known_by)
        if is_seen or self._knows(decoded.note):
            self._ledger.of(gateway).duplicate += 1
            return "duplicate"
        if outcome.node_name:
            self.memory.births.note(outcome.node_name, outcome.node)
        self._keep(private, decoded, level)
        self._ledger.of(gateway).stored += 1
        return "stored"

    def _knows(self, note: Note | None) -> bool:
        """Tell whether a message is a note that is stored, whichever way it came."""
        return note is not None and (note.note_id in self._notes or self._has_note(note.note_id))

    def _complaint_of(self, outcome: Outcome, decoded: Decoded) -> str:
        if not outcome.apart:
            return self._catalogue.complaint_of(decoded)
        complaints = (self._catalogue.complaint_of(part) for _, part in outcome.apart)
        return next(filter(None, complaints), "")

    def _keep(self, private: Private, decoded: Decoded, level: str) -> None:
        """Add the readings of a message, and its tags."""
        message, apart = private.message, private.outcome.apart
        for topic, part in apart or ((message.topic, decoded),):
            self._catalogue.learn(part, topic)
            self.rows.add(message._replace(topic=topic) if apart else message, part, level)
        if decoded.note is not None:
            self._notes[decoded.note.note_id] = decoded.note
        if private.left_out:
            self._ledger.of(decoded.gateway or "").left_out += private.left_out

    def _refuse(self, private: Private, refusal: Refusal) -> str:
        """Keep a message that cannot be read, unless it has been seen."""
        entry = self._ledger.of(refusal.gateway)
        if not self.memory.admit_refused(private.message, refusal):
            entry.duplicate += 1
            return "duplicate"
        self._dead.append(_dead_letter(private, refusal))
        entry.dead_letter += 1
        return "dead_letter"

    def _add_again(self, message: Message, position: int) -> str:
        """Store a dead letter that can be read by now; else it stays what it is."""
        if position not in self._waiting:
            return "duplicate"
        private = self._read(message)
        decoded = private.outcome.decoded
        if isinstance(decoded, Refusal) or self._complaint_of(private.outcome, decoded):
            return "dead_letter"
        level = level_of(decoded)
        # its count is known from now on, if it was not when it was refused
        known_by = private.known_by(level, decoded)
        self.memory.note_replayed(level, private.message, known_by)
        self._keep(private, decoded, level)
        self._ledger.of(self._waiting.pop(position)).dead_letter -= 1
        self._ledger.of(decoded.gateway or "").stored += 1
        self._replayed.append(position)
        return "stored"

    def commit(self, *, until_position: int, first_arrival: int) -> RawCommit:
        """Make the commit of what was added."""
        self.memory.forget()
        changes = self.memory.changes
        return RawCommit(
            readings=RawBatch(with_time_reasons(self.rows.table(first_arrival))),
            dead_letters=tuple(self._dead),
            ledger=self._ledger.entries(),
            until_position=until_position,
            until_arrival=first_arrival + self.rows.count,
            memory=self.memory.dump(),
            new_tags=self._catalogue.new,
            gaps=changes.changed_gaps(),
            marks=changes.changed_marks(),
            restarted=changes.restarted(),
            replayed=tuple(self._replayed),
            notes=tuple(self._notes.values()),
            handed_over=tuple(
                HandedOver(name, one.stored, one.duplicate, one.dead_letter, one.readings)
                for name, one in self._handed_over.items()
            ),
        )


def _dead_letter(private: Private, refusal: Refusal) -> DeadLetter:
    message = private.message
    return DeadLetter(
        position=message.position,
        topic=message.topic.encode(errors="backslashreplace").decode(),
        payload=b"" if private.is_touched else message.payload,
        reason=f"{refusal.code}: {refusal.words}",
        received_us=message.received_us,
        gateway=refusal.gateway,
    )


@dataclass(slots=True)
class _Counts:
    stored: int = 0
    duplicate: int = 0
    dead_letter: int = 0
    readings: int = 0
    left_out: int = 0  # readings

    def add(self, outcome: str) -> None:
        """Count one more message that became what the word of the ledger says."""
        setattr(self, outcome, getattr(self, outcome) + 1)


class _Ledger:
    """Counts what became of each gateway's messages."""

    def __init__(self, name_of: Callable[[str], str]) -> None:
        self._name_of = name_of
        self._counts: dict[str, _Counts] = {}  # by the name in the ledger
        self._counts_of: dict[str, _Counts] = {}  # by gateway

    def of(self, gateway: str) -> _Counts:
        counts = self._counts_of.get(gateway)
        if counts is None:
            counts = self._counts.setdefault(self._name_of(gateway), _Counts())
            self._counts_of[gateway] = counts
        return counts

    def entries(self) -> tuple[LedgerEntry, ...]:
        return tuple(
            LedgerEntry(
                gateway,
                one.stored + one.duplicate + one.dead_letter,
                one.stored,
                one.duplicate,
                one.dead_letter,
                one.left_out,
            )
            for gateway, one in self._counts.items()
        )
