import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.batches import RAW_SCHEMA, RawBatch, RawCommit
from contracts.message import Message, Origin
from ingest import commit, layouts, runs
from ingest.catalogue import Catalogue
from ingest.commit import Knowledge, decode_messages
from ingest.identity import Memory
from ingest.layouts import Layout
from ingest.privacy import Privacy, PrivateTags
from ingest.readings import Limits, Rules
from ingest.runs import read_run
from ingest.topic_numbers import Stored, TopicNumbers, tags_of

TS = 1_767_225_600_000
TOPICS = ("a", "a/b", "line/temperature", "x" * 40, "spBv1.0/g", "gainline/commit/g", "a/+")
NAMES = ("ts", "value", "gateway", "epoch", "seq", "t\\u0073", "Value", "")
TEXTS = ('"g"', '"h:{}"', '""', '"a\\"b"', '"\\u00e9"', '"é"', '"a\nb"', '"\\ud800"', "null", "7")
TIMES = ("1767225600000", "1767225600", "1767225600001", "0", "-1", "1e12", "1767225600000.5")
NUMBERS = ("1", "-0", "-0.0", "21.53", "1e999", "NaN", "true", "null", '"5"', "9007199254740993")
COUNTS = ("0", "1", "2", "3", "-1", "9223372036854775807", "9223372036854775808", "true", "1.0")
ODD = (b"", b"{", b"5", b'{"ts":1767225600000,"value":1}\n', b'{"ts":1767225600000,"value":1}{}')

# the fields of a reading, with one of them odd now and then, or twice, or missing
fields = st.fixed_dictionaries(
    {
        "ts": st.sampled_from(TIMES[:1] * 6 + TIMES) | st.integers(TS, TS + 5).map(str),
        "value": st.sampled_from(NUMBERS[:1] * 6 + NUMBERS) | st.integers().map(str),
    },
    optional={
        "gateway": st.sampled_from(TEXTS[:1] * 6 + TEXTS),
        "epoch": st.sampled_from(TEXTS[:1] * 6 + TEXTS),
        "seq": st.sampled_from(COUNTS[:4] * 4 + COUNTS),
        "more": st.sampled_from(
            ("", ',"ts":5', ',"value":6', " ", "\t", "\n", "}", "[", ',"x":{}')
        ),
    },
)


def payload_of(parts: dict[str, str]) -> bytes:
    more = parts.pop("more", "")
    joined = ",".join(f'"{name}":{sent}' for name, sent in parts.items())
    return ("{" + joined + more + "}").encode()


near_native = fields.map(payload_of)
cells = st.integers(0, 9).map(str) | st.sampled_from(NUMBERS)
lists = st.lists(cells, max_size=3).map(lambda cells: f"[{','.join(cells)}]")
metrics = cells | lists | st.just('{"x":1}')
machines = st.dictionaries(
    st.sampled_from(("ts", "value", "force", "speed", "gateway", "epoch", "seq", "")),
    st.just("1767225600000") | metrics | st.sampled_from(TEXTS),
    max_size=6,
).map(payload_of)
plain = st.tuples(st.integers(TS, TS + 9), st.floats(allow_nan=False, allow_infinity=False)).map(
    lambda pair: json.dumps({"ts": pair[0], "value": pair[1]}).encode()
)
counted = st.tuples(st.integers(0, 9), st.sampled_from("gh")).map(
    lambda pair: json.dumps(
        {"ts": TS + pair[0], "value": 1.5, "gateway": pair[1], "epoch": "e:1", "seq": pair[0]}
    ).encode()
)
odd = near_native | machines | st.sampled_from(ODD) | st.binary(max_size=20)


@st.composite
def of_one_layout(draw: st.DrawFn) -> list[bytes]:
    """Objects or columns of the same metrics, one now and then in another order."""
    names = draw(
        st.lists(st.sampled_from(("value", "force", "speed", "")), min_size=1, unique=True)
    )
    is_columns, is_counted = draw(st.booleans()), draw(st.booleans())
    sent, seqs = [], {"g": 0, "h": 0}
    for number in range(draw(st.integers(2, 8))):
        is_odd = draw(st.integers(0, 15)) == 0
        length = 0 if is_odd else draw(st.integers(1, 3))
        stamps = [TS + 10 * number + late for late in range(length)]
        parts: dict[str, object] = {"ts": stamps if is_columns else TS + 10 * number}
        for name in draw(st.permutations(names)) if is_odd else names:
            value = draw(st.integers(0, 5))
            parts[name] = [value] * length if is_columns else value
        if is_counted:
            gateway = draw(st.sampled_from("gh"))
            parts |= {"gateway": gateway, "epoch": "speed", "seq": seqs[gateway]}
            seqs[gateway] += 1
        sent.append(json.dumps(parts).encode())
    return sent


payloads = (
    st.lists(plain, min_size=2, max_size=12)
    | st.lists(counted, min_size=2, max_size=12)
    | st.integers(0, 6).map(
        lambda first: [
            f'{{"ts":{TS + n},"value":{n},"gateway":"g","epoch":"e","seq":{n}}}'.encode()
            for n in range(first, first + 5)
        ]
    )
    | st.lists(near_native, min_size=2, max_size=6)
    | of_one_layout()
    | of_one_layout()
    | st.lists(machines, min_size=2, max_size=6)
    | st.lists(plain | counted | odd, max_size=12)
)


@st.composite
def interleaved(draw: st.DrawFn) -> tuple[list[bytes], list[int]]:
    """Two topics in turn, each with a layout of its own."""
    both = zip(draw(of_one_layout()), draw(of_one_layout()), strict=False)
    return [payload for pair in both for payload in pair], [0, 1]


batches = (
    st.tuples(payloads, st.just([0]))
    | st.tuples(payloads, st.lists(st.integers(0, 3), min_size=1, max_size=4))
    | st.tuples(payloads, st.lists(st.integers(0, 99), min_size=1, max_size=4))
    | st.tuples(payloads, st.just([0, 0, 0, 91]) | st.just([0, 0, 0, 96]))
    | interleaved()
)


def messages_of(sent: list[bytes], first: int, topics: list[int]) -> list[Message]:
    choices = [topics[number % len(topics)] for number in range(len(sent))]
    return [
        Message(
            first + number,
            TOPICS[choice % len(TOPICS)],
            payload,
            TS * 1000 + number,
            retained=90 <= choice < 95,
            origin=Origin("file", number) if choice >= 95 else None,
        )
        for number, (payload, choice) in enumerate(zip(sent, choices, strict=True))
    ]


@contextmanager
def runs_of(least: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(commit, "RUN_MIN", least)
        patched.setattr(runs, "MESSAGES_A_LAYOUT_MIN", 1)
        patched.setattr(layouts, "AT_ONCE_BYTES", 150)
        yield


def commits_of(
    parts: list[list[Message]], rules: Rules, *, is_restarted: bool
) -> Iterator[RawCommit]:
    limits = rules.limits
    tags = [
        f"{topic}{path}" for topic in TOPICS for path in ("", "/force", "/speed", "/d", "/dt", "/q")
    ]
    if rules.privacy is not None:
        tags = [rules.privacy._treated(tag).tag for tag in tags]
    catalogue, memory = Catalogue(dict.fromkeys(tags, ""), limits), Memory()
    for messages in parts:
        known = Knowledge(memory, catalogue, rules)
        done = decode_messages(messages, known, first_arrival=0)
        catalogue.settle()
        assert known.next_memory is not None
        memory = Memory.load(done.memory) if is_restarted else known.next_memory
        strings = done.readings.table.cast(RAW_SCHEMA)  # however they were coded
        yield replace(done, readings=RawBatch(strings))


def bits_of(one: RawCommit) -> list[int]:
    values = one.readings.table["value"].fill_null(0.0).to_numpy()
    return np.asarray(values, np.float64).view(np.int64).tolist()


limits = st.sampled_from(
    (
        Limits(),
        Limits(fields=4),
        Limits(depth=0),
        Limits(depth=1),
        Limits(payload_bytes=30),
        Limits(tag_bytes=40),
        Limits(readings=2),
    )
)
KEY = b"a key that is long enough to be one"
privacies = st.none() | st.lists(
    st.sampled_from(
        (
            PrivateTags("*/force", is_dropped=True),
            PrivateTags("a", is_dropped=True),
            PrivateTags("line/*", levels=()),
            PrivateTags("a*", levels=(1, -1)),
            PrivateTags("*/speed", levels=(1,)),
            PrivateTags("a/b*", hides_value=True),
            PrivateTags("*", hides_text=True),
            PrivateTags("a*", drops_text=True),
        )
    ),
    min_size=1,
    max_size=3,
).flatmap(lambda rules: st.sampled_from((Privacy(rules, KEY), Privacy(rules, KEY, ["g*"]))))
TWICE = [b'{"ts":1767225600000,"value":1,"value":2}', b'{"ts":1767225600000}']
SAME = [b'{"ts":1767225600000,"value":5}'] * 3, [b'{"ts":1767225600,"value":5.0}'] * 3


@example([(TWICE, [0])], Limits(), None)
@example([(SAME[0], [0]), (SAME[1], [0])], Limits(), None)
@settings(max_examples=200, deadline=None)  # the first example takes what is done once
@given(st.lists(batches, min_size=1, max_size=4), limits, privacies)
def test_a_commit_is_the_same_however_many_messages_are_read_at_once(
    sent: list[tuple[list[bytes], list[int]]], limits: Limits, privacy: Privacy | None
) -> None:
    rules = Rules(limits, privacy=privacy)
    parts = [
        messages_of(payloads, 1000 * number, topics)
        for number, (payloads, topics) in enumerate(sent)
        if payloads
    ]
    with runs_of(2):
        at_once = list(commits_of(parts, rules, is_restarted=False))
    with runs_of(1 << 60):
        one_by_one = list(commits_of(parts, rules, is_restarted=True))
    assert at_once == one_by_one
    assert [bits_of(one) for one in at_once] == [bits_of(one) for one in one_by_one]


def as_a(topic: str, layout: Layout) -> Stored | None:
    return Stored(topic, tags_of(topic, layout)) if topic == "a" else None


def read(*sent: bytes, limits: Limits | None = None, topic: str = "a") -> object:
    messages = [Message(n, topic, one, TS * 1000, retained=False) for n, one in enumerate(sent)]
    return read_run(messages, TopicNumbers(), as_a, limits or Limits())


def native(seq: int) -> bytes:
    fields = {"ts": TS + seq, "value": seq, "gateway": "g:1", "epoch": "e", "seq": seq}
    return json.dumps(fields).encode()


def test_native_readings_are_read_at_once() -> None:
    assert read(b'{"ts":1767225600000,"value":1}', b'{"value":2.5,"ts":1767225600001}')
    assert read(*(native(seq) for seq in range(5)))


@pytest.mark.parametrize(
    "other",
    [
        b'{"ts":1767225600000,"value":1,"value":2}',
        b'{"ts":1767225600000,"value":"1"}',
        b'{"ts":1767225600000,"value":true}',
        b'{"ts":1767225600000,"value":NaN}',
        b'{"ts":1767225600000,"value":1e999}',
        b'{"ts":1767225600000,"val\\u0075e":1}',
        b'{"ts":0,"value":1}',
        b'{"ts":1767225600000,"value":1} ',
        b'{"ts":1767225600000,\n"value":1}',
        b'{"ts":1767225600000,"value":1}{}',
        b'{"ts":1767225600000,"value":1,"x":{}}',
        b'{"ts":1767225600000,"value":1,"seq":null}',
        b"{}",
        b"",
        native(3),
    ],
)
def test_what_is_not_quite_native_is_left_to_be_looked_at(other: bytes) -> None:
    plain = b'{"ts":1767225600000,"value":1}'
    assert read(plain, other) is None
    assert read(other, plain) is None


def test_a_topic_that_is_no_known_tag_is_left_to_be_looked_at() -> None:
    assert read(native(1), native(2), topic="b") is None


def test_a_payload_over_the_limit_is_left_to_be_looked_at() -> None:
    sent = native(1)
    assert read(sent, sent, limits=Limits(payload_bytes=len(sent)))
    assert read(sent, sent, limits=Limits(payload_bytes=len(sent) - 1)) is None


def test_runs_are_taken_at_once_beside_what_is_broken() -> None:
    sent = [f'{{"ts":{TS + n},"value":{n}}}'.encode() for n in range(1000)]
    sent[700] = b"{"
    messages = messages_of(sent, 0, [0])
    with runs_of(128):
        (one,) = commits_of([messages], Rules(), is_restarted=False)
    assert one.readings.table.num_rows == 999
    assert [letter.position for letter in one.dead_letters] == [700]
    assert one.readings.table["value"].num_chunks > 1  # of runs, and of what lies between them


def test_what_a_family_of_gateways_reads_is_not_taken_for_native() -> None:
    sent = [f'{{"d":{n},"dt":5,"ts":{TS + n},"q":192}}'.encode() for n in range(9)]  # AVEVA's
    known = Knowledge(
        Memory(), Catalogue(dict.fromkeys(["a/d", "a/dt", "a/q"], ""), Limits()), Rules()
    )
    with runs_of(2):
        commit = decode_messages(messages_of(sent, 0, [0]), known, first_arrival=0)
    assert commit.readings.table["tag"].to_pylist() == ["a"] * 9
