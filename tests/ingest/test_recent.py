import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.message import Message
from ingest import recent
from ingest.decode import decode
from ingest.lasts import hash_of
from ingest.layouts import Layout
from ingest.readings import Decoded, Limits
from ingest.recent import KEY_BYTES, Recent, key_of, keys_of_hashes
from ingest.runs import Run, read_run
from ingest.topic_numbers import Stored, TopicNumbers, tags_of

TS = 1_767_225_600_000


def message(payload: bytes, topic: str = "a") -> Message:
    return Message(0, topic, payload, 0, retained=False)


def key(payload: bytes, topic: str = "a") -> bytes:
    sent = message(payload, topic)
    decoded = decode(topic, payload)
    assert isinstance(decoded, Decoded)
    return key_of(decoded, hash_of(sent))


def as_it_is(topic: str, layout: Layout) -> Stored:
    return Stored(topic, tags_of(topic, layout))


def run_of(sent: list[tuple[str, bytes]]) -> Run:
    messages = [message(payload, topic) for topic, payload in sent]
    run = read_run(messages, TopicNumbers(), as_it_is, Limits())
    assert run is not None
    return run


def test_the_same_reading_is_a_repeat_however_it_is_written() -> None:
    assert key(b'{"ts": 1767225600, "value": 2}') == key(b'{"value":2.0,"ts":1767225600000}')


def test_another_tag_time_value_or_sender_is_another_reading() -> None:
    sent = (
        b'{"ts": 1767225600, "value": 2}',
        b'{"ts": 1767225601, "value": 2}',
        b'{"ts": 1767225600, "value": 3}',
        b'{"ts": 1767225600, "value": null}',
        b'{"ts": 1767225600, "value": "two"}',
        b'{"ts": 1767225600, "other": 2}',
        b'{"ts": 1767225600, "value": 2, "gateway": "g"}',
        b'{"ts": 1767225600, "value": 2, "gateway": "h"}',
        b'{"ts": [1767225600], "value": [2]}',
    )
    keys = {key(one, topic) for one in sent for topic in ("a", "b")}
    assert len(keys) == 2 * len(sent)
    assert {len(one) for one in keys} == {KEY_BYTES}


singles = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 6), st.integers(0, 1)))
steps = st.lists(st.tuples(singles, st.booleans(), st.booleans()), max_size=8)


@settings(deadline=None)  # the first example takes what is done once
@given(steps)
def test_messages_are_known_the_same_whether_they_come_by_one_or_at_once(
    sent: list[tuple[list[tuple[str, int, int]], bool, bool]],
) -> None:
    one_by_one, mixed = Recent(), Recent()
    for readings, is_at_once, is_restart in sent:
        run = [
            (topic, json.dumps({"ts": TS + late, "value": value}).encode())
            for topic, late, value in readings
        ]
        keys = [key(payload, topic) for topic, payload in run]
        before = mixed.dump()
        if not (run and is_at_once and mixed.admit_run(run_of(run), [])):
            assert mixed.dump() == before
            answers = [mixed.admit(one) for one in keys]
        else:
            answers = [True] * len(keys)
        assert [one_by_one.admit(one) for one in keys] == answers
        assert mixed.dump() == one_by_one.dump()
        mixed = Recent(mixed.dump()) if is_restart else mixed.copy()


def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "RECENT_MAX", 3)
    memory = Recent()
    payloads = [f'{{"ts":{TS + n},"value":1}}'.encode() for n in range(6)]
    assert all(memory.admit(key(one)) for one in payloads[:2])
    assert memory.admit_run(run_of([("a", one) for one in payloads[2:4]]), [])
    memory.forget()
    assert memory.dump() == b"".join(map(key, payloads[1:4]))
    assert memory.admit_run(run_of([("a", one) for one in payloads[4:]]), [])
    memory.forget()
    assert memory.dump() == b"".join(map(key, payloads[3:]))
    assert memory.admit(key(payloads[0]))


def test_a_copy_leaves_the_original_as_it_was() -> None:
    memory = Recent()
    sent = [("a", f'{{"ts":{TS + n},"value":1}}'.encode()) for n in range(4)]
    assert memory.admit_run(run_of(sent[:2]), [])
    written = memory.dump()
    assert memory.copy().admit_run(run_of(sent[2:]), [])
    assert memory.dump() == written
    assert memory.copy().admit_run(run_of(sent[2:]), [])
    assert not memory.copy().admit_run(run_of(sent[:1]), [])


def test_hashes_of_an_older_program_are_still_known() -> None:
    payload = b'{"ts": 1767225600, "other": 2}'
    memory = Recent(keys_of_hashes(hash_of(message(b"x")) + hash_of(message(payload))))
    assert not memory.admit(key(payload))
