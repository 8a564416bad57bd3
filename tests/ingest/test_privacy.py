"""What rules of privacy leave of messages, before anything of them is stored."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.batches import LedgerEntry, RawCommit
from contracts.message import Message
from ingest.catalogue import Catalogue
from ingest.commit import Knowledge, decode_messages
from ingest.identity import Memory
from ingest.privacy import LEFT_OUT, Privacy, PrivateTags, _beginnings
from ingest.readings import Limits, Rules
from ingest.sparkplug.payload import Part, parse_payload

TS = 1_767_225_600_000
RECEIVED_US = TS * 1000
KEY = b"a key that is long enough to be one"
BADGES = "lyon/gate/badge/*"


def told(*rules: PrivateTags, gateways: tuple[str, ...] = ()) -> Privacy:
    return Privacy(rules, KEY, gateways)


def pseudonym(text: str) -> str:
    return told().pseudonym(text)


def commit_of(
    privacy: Privacy, *sent: tuple[str, object], memory: bytes | None = None, first: int = 0
) -> RawCommit:
    messages = [
        Message(
            first + position,
            topic,
            one if isinstance(one, bytes) else json.dumps(one).encode(),
            RECEIVED_US,
            retained=False,
        )
        for position, (topic, one) in enumerate(sent)
    ]
    catalogue = Catalogue({}, Limits(tags=3))
    known = Knowledge(Memory.load(memory), catalogue, Rules(Limits(tags=3), privacy=privacy))
    return decode_messages(messages, known, first_arrival=0)


def rows_of(commit: RawCommit, *columns: str) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in commit.readings.table.select(columns).to_pylist()]


def everything_in(commit: RawCommit) -> bytes:
    """All that is stored of a commit, and all that is remembered."""
    rows = commit.readings.table.to_pylist()
    return repr((rows, commit.dead_letters, commit.ledger, commit.new_tags)).encode() + (
        repr((commit.gaps, commit.marks)).encode() + commit.memory
    )


def test_a_tag_that_is_dropped_leaves_the_place_of_its_message_in_the_ledger() -> None:
    privacy = told(PrivateTags(BADGES, is_dropped=True))
    sent = {"gateway": "g", "epoch": "e", "seq": 0, "ts": TS, "entered": 4711, "left": 4712}
    commit = commit_of(privacy, ("lyon/gate/badge/anna", sent), ("lyon/gate/door", {"open": 1}))
    assert rows_of(commit, "tag", "value") == [("lyon/gate/door/open", 1)]
    assert commit.ledger == (LedgerEntry("g", 1, 1, 0, 0, 2), LedgerEntry("", 1, 1, 0, 0))
    assert commit.gaps == ()
    assert b"anna" not in everything_in(commit)
    again = commit_of(privacy, ("lyon/gate/badge/anna", sent), memory=commit.memory, first=2)
    assert again.ledger == (LedgerEntry("g", 1, 0, 1, 0),)


def test_one_metric_of_a_machine_is_dropped_and_the_others_stay() -> None:
    privacy = told(PrivateTags("*/operator", is_dropped=True))
    sent = [("lyon/press", {"ts": TS + n, "operator": 7, "force": n}) for n in range(3)]
    commit = commit_of(privacy, *sent, sent[0])
    assert rows_of(commit, "tag", "value") == [("lyon/press/force", n) for n in range(3)]
    assert commit.ledger == (LedgerEntry("", 4, 3, 1, 0, 3),)


def test_a_level_becomes_a_pseudonym_wherever_the_tag_stands() -> None:
    privacy = told(PrivateTags(BADGES, levels=(4,)))
    commit = commit_of(privacy, ("lyon/gate/badge/anna", {"ts": TS, "entered": 1}))
    topic = f"lyon/gate/badge/{pseudonym('anna')}"
    assert rows_of(commit, "tag", "topic") == [(f"{topic}/entered", topic)]
    assert [(one.tag, one.path) for one in commit.new_tags] == [(f"{topic}/entered", None)]
    assert b"anna" not in everything_in(commit)


@pytest.mark.parametrize(
    ("levels", "hidden"), [((), (0, 1, 2)), ((-1,), (3,)), ((1, -2, 9), (0, 2)), ((-9,), ())]
)
def test_levels_are_counted_from_either_end(
    levels: tuple[int, ...], hidden: tuple[int, ...]
) -> None:
    names = ["a", "b", "c", "d"]
    commit = commit_of(told(PrivateTags("*", levels=levels)), ("a/b/c", {"ts": TS, "d": 1}))
    stored = [pseudonym(one) if place in hidden else one for place, one in enumerate(names)]
    assert rows_of(commit, "tag", "topic") == [("/".join(stored), "/".join(stored[:3]))]


def test_tags_of_one_message_may_begin_in_two_ways() -> None:
    privacy = told(PrivateTags("*/operator", levels=(2,)))
    commit = commit_of(privacy, ("lyon/press", {"ts": TS, "operator": 7, "force": 2}))
    hidden = f"lyon/{pseudonym('press')}"
    assert rows_of(commit, "tag", "topic") == [
        (f"{hidden}/operator", hidden),
        ("lyon/press/force", "lyon/press"),
    ]
    assert commit.ledger == (LedgerEntry("", 1, 1, 0, 0),)


def test_the_same_badge_is_the_same_pseudonym_as_number_as_text_and_as_level() -> None:
    privacy = told(
        PrivateTags("*/badge", hides_value=True), PrivateTags("gate/*/entered", levels=(2,))
    )
    commit = commit_of(
        privacy,
        ("a/badge", {"ts": TS, "value": 4711}),
        ("a/badge", {"ts": TS + 1, "value": "004711"}),
        ("gate/4711", {"ts": TS, "entered": 1}),
    )
    assert rows_of(commit, "tag", "value", "text") == [
        ("a/badge", None, pseudonym("4711")),
        ("a/badge", None, pseudonym("004711")),
        (f"gate/{pseudonym('4711')}/entered", 1, None),
    ]
    assert rows_of(commit, "source_quality")[0] == (0,)
    assert b"4711" not in everything_in(commit)
    assert rows_of(commit_of(privacy, ("a/badge", {"ts": [TS], "value": [4711]})), "text") == [
        (pseudonym("4711"),)
    ]


def test_texts_are_dropped_or_hidden_and_numbers_stay() -> None:
    sent = [("a/note", {"ts": TS + n, "value": one}) for n, one in enumerate([5, "anna did it"])]
    hidden = commit_of(told(PrivateTags("*/note", hides_text=True)), *sent)
    assert rows_of(hidden, "value", "text") == [(5, None), (None, pseudonym("anna did it"))]
    dropped = commit_of(told(PrivateTags("*/note", drops_text=True)), *sent)
    assert rows_of(dropped, "value", "text") == [(5, None), (None, None)]
    assert b"anna" not in everything_in(hidden) + everything_in(dropped)


def test_gateways_become_pseudonyms_and_their_counts_go_on() -> None:
    privacy = told(gateways=("phone-*",))
    sent = [
        ("a", {"gateway": "phone-anna", "epoch": "e", "seq": seq, "ts": TS + seq, "b": 1})
        for seq in (0, 1, 1, 3)
    ]
    commit = commit_of(privacy, *sent)
    name = pseudonym("phone-anna")
    assert commit.ledger == (LedgerEntry(name, 4, 3, 1, 0),)
    assert [gap[:4] for gap in commit.gaps] == [(name, "e", 2, 2)]
    assert [mark.gateway for mark in commit.marks] == [name]
    assert b"anna" not in everything_in(commit)


def test_a_repeat_is_known_by_what_is_left_of_it() -> None:
    privacy = told(PrivateTags("*/badge", hides_value=True))
    sent = [("a/badge", {"ts": TS, "value": one}) for one in (4711, 4711, 4712)]
    commit = commit_of(privacy, *sent)
    assert commit.ledger == (LedgerEntry("", 3, 2, 1, 0),)
    again = commit_of(privacy, sent[2], memory=commit.memory, first=3)
    assert again.ledger == (LedgerEntry("", 1, 0, 1, 0),)


def test_a_message_that_cannot_be_read_keeps_its_code_alone_where_a_rule_covers_it() -> None:
    privacy = told(
        PrivateTags("lyon/gate/*", is_dropped=True), PrivateTags("lyon/badge/*", levels=(3,))
    )
    commit = commit_of(
        privacy,
        ("lyon/gate/anna", b"{anna"),
        ("lyon/badge/anna", b"{anna 1"),
        ("lyon/badge/anna", b"{anna 1"),
        ("lyon/badge/anna", b"{anna 2"),
        ("lyon/press", b"{press"),
    )
    assert [(one.topic, one.payload) for one in commit.dead_letters] == [
        (LEFT_OUT, b""),
        (f"lyon/badge/{pseudonym('anna')}", b""),
        (f"lyon/badge/{pseudonym('anna')}", b""),
        ("lyon/press", b"{press"),
    ]
    assert all(one.reason.startswith("not_json: ") for one in commit.dead_letters)
    assert commit.ledger == (LedgerEntry("", 5, 0, 1, 4),)
    assert b"anna" not in everything_in(commit)


def test_a_message_with_too_many_tags_keeps_no_payload_either() -> None:
    privacy = told(PrivateTags("a/*", hides_value=True))
    sent = {"ts": TS, "b": "anna", "c": "anna", "d": "anna", "e": "anna"}
    commit = commit_of(privacy, ("a", sent))
    (letter,) = commit.dead_letters
    assert (letter.payload, letter.reason.partition(":")[0]) == (b"", "too_many_tags")
    assert b"anna" not in everything_in(commit)


def test_of_sparkplug_topic_gateway_and_path_are_hidden_as_the_tag_is() -> None:
    payload = parse_payload(b"")
    payload.timestamp = TS
    metric: Part = payload.metrics.add()
    metric.name, metric.datatype, metric.int_value = "entered", 3, 1
    privacy = told(PrivateTags("plant/anna/*", levels=(2, 3)))
    commit = commit_of(privacy, ("spBv1.0/plant/DDATA/anna/door", payload.SerializeToString()))
    anna, door = pseudonym("anna"), pseudonym("door")
    assert rows_of(commit, "tag", "topic", "gateway") == [
        (f"plant/{anna}/{door}/entered", f"spBv1.0/plant/DDATA/{anna}/{door}", f"plant/{anna}")
    ]
    assert commit.new_tags[0].path == f"spBv1.0/plant/DDATA/{anna}/{door}/entered"
    assert b"anna" not in everything_in(commit)
    broken = commit_of(privacy, ("spBv1.0/plant/DDATA/anna/door", b"\xff"))
    assert broken.dead_letters[0].gateway == f"plant/{anna}"
    assert b"anna" not in everything_in(broken)


def test_another_key_makes_other_pseudonyms() -> None:
    assert Privacy([], KEY).pseudonym("anna") == pseudonym("anna")
    assert Privacy([], KEY + b"2").pseudonym("anna") != pseudonym("anna")


words = st.text("ab/*?[]!", max_size=8)


@given(words, st.text("ab/", max_size=8), st.integers(0, 8))
def test_a_topic_is_covered_by_every_pattern_that_matches_a_tag_below_it(
    pattern: str, tag: str, cut: int
) -> None:
    if fnmatchcase(tag, pattern):
        assert _beginnings(pattern)(tag[:cut])


@pytest.mark.parametrize("topic", ["turin/gate", "lyon/press"])
def test_a_topic_is_not_covered_by_a_pattern_that_begins_otherwise(topic: str) -> None:
    commit = commit_of(told(PrivateTags(BADGES, is_dropped=True)), (topic, b"{broken"))
    assert commit.dead_letters[0].payload == b"{broken"
