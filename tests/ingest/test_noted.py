"""ingest.noted: a note goes the way of a reading, and is none."""

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.batches import LedgerEntry, RawCommit
from contracts.errors import ConfigError
from contracts.message import Message, Origin
from contracts.notes import SAID, Note, NoteKind
from contracts.tags import Place
from ingest.catalogue import Catalogue
from ingest.commit import Knowledge, decode_messages
from ingest.decode import decode
from ingest.identity import Memory
from ingest.noted import DEFAULT_TOPIC, NoteTopics, check_topic
from ingest.probe import probe_lines
from ingest.readings import Decoded, PayloadError, Refusal, Rules
from tests.contracts.test_notes import notes

ZONES = {"lyon": ZoneInfo("Europe/Paris")}
TOPICS = NoteTopics(DEFAULT_TOPIC, lambda site: ZONES.get(site or "", UTC))
RULES = Rules(notes=TOPICS)
ON = "gainline/note/lyon/body/l1"
RECEIVED_US = 1_772_441_400_000_000
RECEIVED = datetime(2026, 3, 2, 8, 50, tzinfo=UTC)
JAM = {"kind": "downtime_reason", "name": "jam", "begins": 1_772_439_000_000, "author": "A. Brun"}
DATED = {**JAM, "source_time": "2026-03-02T08:50:00Z"}


def decoded(said: object, topic: str = ON) -> Decoded | Refusal:
    payload = said if isinstance(said, bytes) else json.dumps(said).encode()
    return decode(topic, payload, RULES, received_us=RECEIVED_US)


def note_in(said: object, topic: str = ON) -> Note:
    outcome = decoded(said, topic)
    assert isinstance(outcome, Decoded), outcome
    assert outcome.note is not None
    assert not outcome.readings
    return outcome.note


def commit_of(
    *messages: Message, memory: bytes | None = None, known: set[str] = frozenset()
) -> RawCommit:  # type: ignore[assignment]
    knowledge = Knowledge(
        Memory.load(memory), Catalogue({}, RULES.limits), RULES, has_note=lambda one: one in known
    )
    return decode_messages(messages, knowledge, first_arrival=0)


def message(position: int, said: object, topic: str = ON, **words: object) -> Message:
    payload = said if isinstance(said, bytes) else json.dumps(said).encode()
    made = Message(position, topic, payload, RECEIVED_US + position, retained=False)
    return made._replace(**words)


def test_a_note_stands_where_its_topic_says_and_was_said_when_it_came() -> None:
    note = note_in(JAM)
    assert (note.kind, note.name, note.via) == (NoteKind.DOWNTIME_REASON, "jam", "mqtt")
    assert (note.site, note.area, note.line, note.machine) == ("lyon", "body", "l1", None)
    assert note.begins == datetime(2026, 3, 2, 8, 10, tzinfo=UTC)
    assert note.source_time == note.received_time == RECEIVED


def test_a_payload_names_what_its_topic_leaves_open_and_the_clock_is_that_of_its_site() -> None:
    said = {**JAM, "begins": "2026-03-02T09:10", "machine": "press"}
    for topic, more in ((ON, {}), (ON, {"line": "l1"}), ("gainline/note", {"site": "lyon"})):
        note = note_in({**said, **more}, topic)
        assert note.begins == datetime(2026, 3, 2, 8, 10, tzinfo=UTC)
        assert (note.site, note.machine) == ("lyon", "press")
        assert note.line == ("l1" if topic == ON else None)
    elsewhere = note_in({**said, "site": "turin"}, "gainline/note")
    assert elsewhere.begins == datetime(2026, 3, 2, 9, 10, tzinfo=UTC)


@pytest.mark.parametrize("more", [{"line": "l2"}, {"site": "turin"}, {"area": 7}])
def test_a_payload_that_contradicts_its_topic_is_refused(more: dict[str, object]) -> None:
    outcome = decoded({**JAM, **more})
    assert isinstance(outcome, Refusal)
    assert outcome.code == "bad_note"
    assert "send it on the topic of that one" in outcome.words


@given(notes())
def test_a_note_that_is_sent_is_read_as_the_same(note: Note) -> None:
    said = {name: getattr(note, name) for name in SAID}
    sent = {
        name: word.isoformat() if isinstance(word, datetime) else word
        for name, word in said.items()
    }
    read = note_in(sent, "gainline/note")
    assert read.note_id == note.note_id


@given(st.binary(max_size=60) | st.dictionaries(st.sampled_from(SAID), st.text()).map(json.dumps))
def test_whatever_is_sent_there_is_a_note_or_refused(payload: bytes | str) -> None:
    payload = payload.encode() if isinstance(payload, str) else payload
    outcome = decode(ON, payload, RULES)
    assert isinstance(outcome, Refusal) or outcome.note is not None


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        (b"jam", "bad_note", "a note is an object"),
        (b"{", "not_json", "not JSON"),
        (b'{"kind": "remark", "kind": "price"}', "duplicate_key", "comes 2 times"),
        ({**JAM, "beginns": 1}, "bad_note", "did you mean begins"),
        ({**JAM, "begins": 1e300}, "bad_note", "begins '1e+300' is no time"),
        ({**JAM, "author": None}, "bad_note", "a note has an author"),
        ({**JAM, "seq": -1}, "bad_identity", "the field seq"),
    ],
)
def test_what_is_no_note_is_refused_with_what_to_mend(said: object, code: str, words: str) -> None:
    outcome = decoded(said)
    assert isinstance(outcome, Refusal)
    assert (outcome.code, words in outcome.words) == (code, True), outcome


def test_a_topic_with_levels_that_have_no_name_is_refused() -> None:
    outcome = decoded(JAM, f"{ON}/oven/door")
    assert isinstance(outcome, Refusal)
    assert outcome.code == "bad_note"


def test_a_note_counts_as_stored_and_harms_no_reading_beside_it() -> None:
    reading = message(1, {"ts": 1_772_439_000_000, "value": 2}, "lyon/body/l1/press/force")
    broken = message(2, {"kind": "joke"})
    commit = commit_of(message(0, DATED), reading, broken)
    assert [note.name for note in commit.notes] == ["jam"]
    assert commit.readings.table.num_rows == commit.until_arrival == 1
    (letter,) = commit.dead_letters
    assert letter.reason.startswith("bad_note: a note with the kind 'joke'")
    assert commit.ledger == (LedgerEntry("", 3, 2, 0, 1),)
    assert commit.new_tags[0].tag == "lyon/body/l1/press/force"


def test_a_note_that_comes_again_is_a_duplicate_however_it_is_written() -> None:
    other_words = json.dumps(DATED, indent=1).encode()
    first = commit_of(message(0, DATED), message(1, DATED), message(2, other_words))
    assert len(first.notes) == 1
    assert first.ledger == (LedgerEntry("", 3, 1, 2, 0),)
    second = commit_of(message(3, DATED), memory=first.memory)
    assert (second.notes, second.ledger) == ((), (LedgerEntry("", 1, 0, 1, 0),))
    known = {first.notes[0].note_id}  # as when it was said by hand
    third = commit_of(message(0, DATED), known=known)
    assert (third.notes, third.ledger) == ((), (LedgerEntry("", 1, 0, 1, 0),))


def test_a_note_without_a_time_is_a_new_one_each_time_but_where_the_broker_has_kept_it() -> None:
    kept = [message(at, JAM, retained=True) for at in (2, 3, 4)]
    commit = commit_of(message(0, JAM), message(1, JAM), *kept)
    assert len(commit.notes) == 3
    assert commit.ledger == (LedgerEntry("", 5, 3, 2, 0),)


def test_a_note_with_a_count_is_one_of_its_gateways_messages() -> None:
    counted = [message(seq, {**JAM, "gateway": "g", "epoch": "e", "seq": seq}) for seq in (0, 2, 2)]
    commit = commit_of(*counted)
    assert commit.ledger == (LedgerEntry("g", 3, 2, 1, 0),)
    assert [(gap.first_seq, gap.last_seq) for gap in commit.gaps] == [(1, 1)]


def test_a_dead_letter_that_is_sent_again_becomes_its_note() -> None:
    again = message(9, DATED, origin=Origin("dead-letters/x", 4))
    knowledge = Knowledge(Memory(), Catalogue({}, RULES.limits), RULES, {4: ""})
    commit = decode_messages([again], knowledge, first_arrival=0)
    assert (len(commit.notes), commit.replayed) == (1, (4,))
    assert commit.ledger == (LedgerEntry("", 0, 1, 0, -1),)


def test_many_messages_at_once_hold_notes_as_well() -> None:
    readings = [
        message(at, {"ts": 1_772_439_000_000 + at, "value": at}, "a/b/c/d/e") for at in range(300)
    ]
    said = [message(300 + at, {**DATED, "text": f"number {at}"}) for at in range(300)]
    mixed = [one for pair in zip(readings, said, strict=True) for one in pair]
    numbered = [one._replace(position=at) for at, one in enumerate(mixed)]
    commit = commit_of(*numbered)
    assert (len(commit.notes), commit.readings.table.num_rows) == (300, 300)


def test_without_a_topic_of_notes_what_comes_is_a_reading() -> None:
    outcome = decode(ON, b'{"kind": "remark", "text": "x"}', Rules())
    assert isinstance(outcome, Decoded)
    assert outcome.note is None


def test_a_probe_shows_the_note() -> None:
    (line,) = probe_lines(decoded(DATED))
    assert line["note_id"] == note_in(DATED).note_id
    assert (line["kind"], line["line"]) == ("downtime_reason", "l1")
    assert line["begins"] == "2026-03-02T08:10:00.000000Z"


def test_another_place_for_notes_is_a_template() -> None:
    topics = NoteTopics("{site}/{line}/$note")
    assert topics.filter == "+/+/$note"
    assert topics.has("lyon/l1/$note")
    assert not topics.has("lyon/l1/note")
    assert topics.place_of("lyon/l1/$note") == Place(site="lyon", line="l1")
    with pytest.raises(PayloadError, match=r"levels that notes\.topic does not name"):
        NoteTopics("notes/{site?}").place_of("notes/lyon/l1")


@pytest.mark.parametrize(
    "template", ["a/{floor}", "a/{site?}/b", "a/{site}/{site}", "a//b", "a/b*"]
)
def test_a_template_that_cannot_be_read_is_a_mistake(template: str) -> None:
    with pytest.raises(ConfigError, match=r"notes\.topic: the template"):
        check_topic(template)
