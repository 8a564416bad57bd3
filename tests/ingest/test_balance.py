"""Whatever comes in whatever order, the ledger balances and the gaps are the counts that lack.

Two intakes get the same messages, one a commit for each, with a restart after it, the other
commits of any length. Both must end with the same, and with what a plain model says.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contracts.batches import LedgerEntry, Mark, RawCommit
from contracts.message import DEAD_LETTERS, Message, Origin
from ingest.catalogue import Catalogue
from ingest.commit import Knowledge, decode_messages
from ingest.identity import Memory
from ingest.readings import Limits, Rules

TS_MS = 1_767_225_600_000
TAGS_MAX = 5  # of a gateway: the messages below that bring more bring six
RAISED = Rules()
NARROW = Rules(Limits(tags_per_gateway=TAGS_MAX))

Count = tuple[str, str, int]
counts = st.tuples(st.sampled_from("gh"), st.sampled_from("ef"), st.integers(0, 20))


def payload_of(count: Count) -> bytes:
    """Of each count always the same message: some good, some broken, some with too many tags."""
    gateway, epoch, seq = count
    said: dict[str, object] = {"gateway": gateway, "epoch": epoch, "seq": seq}
    kind = sum(map(ord, f"{gateway}{epoch}")) + seq
    if is_broad(count):
        values = {f"{gateway}{epoch}{seq}.{number}": 1 for number in range(TAGS_MAX + 1)}
        return json.dumps({**said, "ts": TS_MS + seq, **values}).encode()
    if kind % 5 == 0:
        return json.dumps({**said, "ts": [TS_MS, TS_MS], "x": [1]}).encode()
    return json.dumps({**said, "ts": TS_MS + seq, "value": seq}).encode()


def is_broad(count: Count) -> bool:
    gateway, epoch, seq = count
    return (sum(map(ord, f"{gateway}{epoch}")) + seq) % 5 == 1


class Totals(NamedTuple):
    """What an intake has said so far, all commits together."""

    ledger: Counter[tuple[str, str]]
    gaps: Counter[tuple[str, str, int, int]]
    dead: list[bytes]
    values: list[tuple[object, ...]]


class Intake:
    """Decodes messages into commits, and remembers nothing but what was committed."""

    def __init__(self) -> None:
        self.written: bytes | None = None
        self.arrival = 0
        self.tags: dict[str, str] = {}
        self.waiting: dict[int, str] = {}
        self.totals = Totals(Counter(), Counter(), [], [])
        self.restarted = 0

    def take(self, messages: list[Message], rules: Rules = NARROW) -> None:
        """Decode messages, in as many commits as it takes."""
        while messages:
            knowledge = Knowledge(
                Memory.load(self.written), Catalogue(self.tags, rules.limits), rules, self.waiting
            )
            commit = decode_messages(messages, knowledge, first_arrival=self.arrival)
            self._note(commit)
            messages = [one for one in messages if one.position >= commit.until_position]

    def _note(self, commit: RawCommit) -> None:
        self.written, self.arrival = commit.memory, commit.until_arrival
        self.tags.update({one.tag: one.gateway for one in commit.new_tags})
        totals = self.totals
        for entry in commit.ledger:
            for outcome in LedgerEntry._fields[1:]:
                totals.ledger[entry.gateway, outcome] += getattr(entry, outcome)
        for one in commit.gaps:
            totals.gaps[one[:4]] += one.change
        for letter in commit.dead_letters:
            self.waiting[letter.position] = letter.gateway
            totals.dead.append(letter.payload)
        for position in commit.replayed:
            del self.waiting[position]
        rows = commit.readings.table.select(["tag", "value", "gateway", "epoch", "seq", "identity"])
        totals.values.extend(tuple(row.values()) for row in rows.to_pylist())
        self.restarted += len(commit.restarted)

    def missing(self) -> set[Count]:
        """The counts that the commits have called missing, and not taken back."""
        assert set(self.totals.gaps.values()) <= {0, 1}
        ranges = [gap for gap, count in self.totals.gaps.items() if count]
        return {(g, e, seq) for g, e, first, last in ranges for seq in range(first, last + 1)}

    def marks(self) -> tuple[Mark, ...]:
        return Memory.load(self.written).marks()


class Balance(RuleBasedStateMachine):
    """Sends messages to both intakes, and counts for itself."""

    def __init__(self) -> None:
        super().__init__()
        self.one_by_one, self.together = Intake(), Intake()
        self.waiting: list[Message] = []
        self.sent: dict[int, Message] = {}
        self.seen: dict[Count, None] = {}
        self.received = 0

    def send(self, topic: str, payload: bytes, **more: object) -> None:
        message = Message(len(self.sent), topic, payload, TS_MS * 1000, retained=False)._replace(
            **more
        )
        self.sent[message.position] = message
        self.waiting.append(message)
        self.one_by_one.take([message])

    @rule(of=st.lists(counts, max_size=20))
    def counted(self, of: list[Count]) -> None:
        for one in of:
            self.send(f"{one[0]}/x", payload_of(one))
            self.seen[one] = None
            self.received += 1

    @rule(gateway=st.sampled_from("gh"), first=st.integers(0, 15))
    def in_order(self, gateway: str, first: int) -> None:
        for seq in range(first, first + 5):
            self.send(f"{gateway}/x", payload_of((gateway, "e", seq)))
            self.seen[gateway, "e", seq] = None
            self.received += 1

    @rule(second=st.integers(0, 5), value=st.integers(0, 1), retained=st.booleans())
    def timed(self, second: int, value: int, *, retained: bool) -> None:
        said = {"ts": TS_MS + 1000 * second, "value": value}
        self.send("t/x", json.dumps(said).encode(), retained=retained)
        self.received += 1

    @rule(
        payload=st.sampled_from([b"5", b"6", b"{", b"[1,", b"\xff"]),
        topic=st.sampled_from(["p/x", "q/x"]),
        retained=st.booleans(),
    )
    def bare(self, payload: bytes, topic: str, *, retained: bool) -> None:
        self.send(topic, payload, retained=retained)
        self.received += 1

    @rule()
    def own(self) -> None:
        self.send("gainline/commit/g", b'{"epoch": "e", "seq": 3}', retained=True)

    @rule(number=st.integers(0, 3))
    def imported(self, number: int) -> None:
        is_new = not any(one.origin == Origin("file", number) for one in self.sent.values())
        self.send("f/x", b"%d" % number, origin=Origin("file", number))
        self.received += is_new

    @precondition(lambda self: self.waiting)
    @rule()
    def commit(self) -> None:
        self.together.take(self.waiting)
        self.waiting = []

    @precondition(lambda self: self.one_by_one.waiting)
    @rule(data=st.data(), rules=st.sampled_from([NARROW, RAISED]))
    def replayed(self, data: st.DataObject, rules: Rules) -> None:
        self.together.take(self.waiting)
        self.waiting = []
        position = data.draw(st.sampled_from(sorted(self.one_by_one.waiting)))
        letter = self.sent[position]
        again = Message(len(self.sent), letter.topic, letter.payload, 0, retained=False)
        again = again._replace(origin=Origin(DEAD_LETTERS, position))
        self.sent[again.position] = again
        for intake in (self.one_by_one, self.together):
            intake.take([again], rules)
            intake.take([again], rules)  # a process that was cut off has sent it twice

    @invariant()
    def nothing_is_lost_from_the_ledger(self) -> None:
        ledger = self.one_by_one.totals.ledger
        gateways = {gateway for gateway, _ in ledger}
        for gateway in gateways:
            parts = [ledger[gateway, word] for word in ("stored", "duplicate", "dead_letter")]
            assert ledger[gateway, "received"] == sum(parts)
            assert min(parts) >= 0
        assert sum(ledger[gateway, "received"] for gateway in gateways) == self.received
        waiting = Counter(self.one_by_one.waiting.values())
        assert {g: ledger[g, "dead_letter"] for g in gateways if ledger[g, "dead_letter"]} == {
            gateway: count for gateway, count in waiting.items() if count
        }

    @invariant()
    def each_count_is_stored_or_a_dead_letter_once(self) -> None:
        totals = self.one_by_one.totals
        stored = {row[2:5] for row in totals.values if row[2]}
        plain = Counter(row for row in totals.values if row[2] and row[0].endswith("/x"))  # type: ignore[attr-defined]
        assert not plain or max(plain.values()) == 1
        dead = Counter(payload for payload in totals.dead if b"gateway" in payload)
        assert not dead or max(dead.values()) == 1
        waiting = {self.sent[position].payload for position in self.one_by_one.waiting}
        kept = {one for one in self.seen if payload_of(one) in waiting}
        assert stored | kept == set(self.seen)
        assert not stored & kept
        assert self.one_by_one.restarted == 0

    @invariant()
    def the_gaps_are_the_counts_that_lack(self) -> None:
        expected = set[Count]()
        for gateway, epoch in {one[:2] for one in self.seen}:
            came = {seq for g, e, seq in self.seen if (g, e) == (gateway, epoch)}
            expected |= {(gateway, epoch, seq) for seq in set(range(max(came))) - came}
        assert self.one_by_one.missing() == expected

    @invariant()
    def a_mark_promises_what_is_kept(self) -> None:
        marks = {one.gateway: one for one in self.one_by_one.marks()}
        for gateway in "gh":
            epochs = list(dict.fromkeys(e for g, e, _ in self.seen if g == gateway))
            reached = {epoch: self._reached(gateway, epoch) for epoch in epochs}
            if not epochs or reached[epochs[-1]] < 0:
                assert gateway not in marks
                continue
            mark = marks[gateway]
            assert (mark.epoch, mark.seq) == (epochs[-1], reached[epochs[-1]])
            assert dict(mark.earlier) == {e: reached[e] for e in epochs[:-1] if reached[e] >= 0}

    def _reached(self, gateway: str, epoch: str) -> int:
        seq = 0
        while (gateway, epoch, seq) in self.seen:
            seq += 1
        return seq - 1

    def teardown(self) -> None:
        self.together.take(self.waiting)
        one, other = self.one_by_one, self.together
        assert +one.totals.ledger == +other.totals.ledger
        assert one.missing() == other.missing()
        assert one.totals.dead == other.totals.dead
        assert one.totals.values == other.totals.values
        assert one.marks() == other.marks()
        assert one.written == other.written


TestBalance = Balance.TestCase
TestBalance.settings = settings(max_examples=60, stateful_step_count=12, deadline=None)
