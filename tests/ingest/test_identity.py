import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import ContractError
from contracts.message import Message, Origin
from ingest import epochs, identity, lasts, recent
from ingest.decode import decode
from ingest.epochs import EPOCHS_MAX
from ingest.identity import LEDGER_NAMES_MAX, OTHERS, Level, Memory, hash_of, level_of
from ingest.readings import Decoded, Reading, Refusal


def counted(seq: int, *, gateway: str = "gw", epoch: str = "e") -> Decoded:
    return Decoded("t", gateway, epoch, seq, [])


def message(payload: bytes, topic: str = "line/temperature", *, retained: bool = False) -> Message:
    return Message(0, topic, payload, 0, retained=retained)


def admit_count(memory: Memory, decoded: Decoded) -> bool:
    return memory.admit(Level.COUNTED, message(b""), decoded)


def admit_hash(memory: Memory, payload: bytes) -> bool:
    return memory.admit(Level.TIMED, message(payload), Decoded("t", None, None, None, []))


def admit(memory: Memory, one: Message) -> bool:
    """Admit a message as a commit does."""
    outcome = decode(one.topic, one.payload)
    if isinstance(outcome, Refusal):
        return memory.admit_refused(one, outcome)
    return memory.admit(level_of(outcome), one, outcome)


def level(payload: bytes) -> Level:
    decoded = decode("line/temperature", payload)
    assert isinstance(decoded, Decoded)
    return level_of(decoded)


def test_a_count_is_known_per_gateway_and_epoch() -> None:
    memory = Memory()
    assert admit_count(memory, counted(0))
    assert admit_count(memory, counted(0, epoch="other"))
    assert admit_count(memory, counted(0, gateway="other"))
    assert not admit_count(memory, counted(0))


def test_the_oldest_epochs_are_forgotten() -> None:
    memory = Memory()
    for epoch in range(EPOCHS_MAX + 1):
        assert admit_count(memory, counted(7, epoch=str(epoch)))
    assert not admit_count(memory, counted(7, epoch="1"))
    assert admit_count(memory, counted(7, epoch="0"))


def test_the_gateway_heard_of_longest_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epochs, "GATEWAYS_MAX", 2)
    memory = Memory()
    for gateway, seq in (("a", 0), ("b", 0), ("a", 1), ("c", 0)):
        admit_count(memory, counted(seq, gateway=gateway))
    memory.forget()
    assert not admit_count(memory, counted(0, gateway="a"))
    assert not admit_count(memory, counted(0, gateway="c"))
    assert admit_count(memory, counted(0, gateway="b"))


def test_a_timed_message_is_known_among_the_last_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "RECENT_MAX", 2)
    memory = Memory()
    assert [admit_hash(memory, one) for one in (b"a", b"b", b"a", b"c")] == [
        True,
        True,
        False,
        True,
    ]
    memory.forget()
    assert [admit_hash(memory, one) for one in (b"a", b"c")] == [False, False]
    assert admit_hash(memory, b"b")


def test_the_same_payload_on_another_topic_is_another_message() -> None:
    assert hash_of(message(b"1", "a")) != hash_of(message(b"1", "b"))
    assert hash_of(message(b"b1", "a")) != hash_of(message(b"1", "ab"))


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.integers(0, 2**63 - 1))),
    st.lists(st.binary(max_size=5)),
)
def test_a_memory_is_the_same_after_it_was_written_and_read(
    seqs: list[tuple[str, str, int]], payloads: list[bytes]
) -> None:
    memory = Memory()
    for gateway, epoch, seq in seqs:
        admit_count(memory, counted(seq, gateway=gateway, epoch=epoch))
    for payload in payloads:
        admit_hash(memory, payload)
    again = Memory.load(memory.dump())
    assert again.dump() == memory.dump()
    for gateway, epoch, seq in seqs:
        assert not admit_count(again, counted(seq, gateway=gateway, epoch=epoch))
    assert not any(admit_hash(again, payload) for payload in payloads)


def test_a_copy_leaves_the_original_alone() -> None:
    memory = Memory()
    admit_count(memory, counted(0))
    before = memory.dump()
    twin = memory.copy()
    assert admit_count(twin, counted(1))
    assert admit_hash(twin, b"a")
    assert memory.dump() == before


def test_a_retained_value_that_is_sent_again_for_a_subscription_is_known() -> None:
    memory = Memory()
    kept = message(b"21.5", retained=True)
    assert [admit(memory, one) for one in (kept, kept)] == [True, False]
    again = Memory.load(memory.dump())
    assert not admit(again, kept)
    assert admit(again, message(b"21.5", "other/temperature", retained=True))


def test_a_retained_value_is_new_where_another_came_since() -> None:
    memory = Memory()
    kept = message(b"21.5", retained=True)
    assert admit(memory, kept)
    assert admit(memory, message(b"22.5"))
    assert admit(memory, kept)
    assert admit(memory, message(b"21.5")), "a value without a time that is no repeat"


def test_a_retained_message_is_known_long_after_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "RECENT_MAX", 2)
    memory = Memory()
    payload = b'{"ts": 1767225600, "value": 1}'
    assert admit(memory, message(payload))
    for number in range(5):
        assert admit(memory, message(payload, f"line/other{number}"))
    memory.forget()
    assert not admit(memory, message(payload, retained=True))


def test_what_cannot_be_read_is_known_until_its_topic_has_something_else() -> None:
    memory = Memory()
    sent = [message(payload) for payload in (b"{", b"{", b"[", b"{")]
    assert [admit(memory, one) for one in sent] == [True, False, True, True]
    assert admit(memory, message(b"{", "line/other"))


def test_what_cannot_be_read_is_known_by_its_count_where_that_can() -> None:
    memory = Memory()
    sent = b'{"gateway": "g", "epoch": "e", "seq": 0, "ts": "never", "value": %d}'
    assert admit(memory, message(sent % 1))
    assert not admit(memory, message(sent % 2))
    assert memory.changes.changed_gaps() == ()


def test_the_topics_heard_of_longest_ago_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lasts, "TOPICS_MAX", 2)
    memory = Memory()
    for topic in "abc":
        admit(memory, message(b"1", topic, retained=True))
    memory.forget()
    assert [admit(memory, message(b"1", topic, retained=True)) for topic in "cba"] == [
        False,
        False,
        True,
    ]


def test_files_handed_over_longest_ago_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "ORIGINS_MAX", 2)
    memory = Memory()
    for name in "abac":
        memory.note_origin(Origin(name, 0))
    memory.forget()
    assert [memory.is_new_origin(Origin(name, 0)) for name in "abc"] == [False, True, False]


def test_the_ledger_has_a_bounded_number_of_names_each_for_good() -> None:
    memory = Memory()
    for number in range(LEDGER_NAMES_MAX):
        assert memory.ledger_name(f"g{number}") == f"g{number}"
    assert memory.ledger_name("one too many") == OTHERS
    again = Memory.load(memory.dump())
    assert again.ledger_name("one too many") == OTHERS
    assert again.ledger_name("g0") == "g0"


def test_a_memory_of_an_older_program_is_read() -> None:
    """Version 1: version, gateways with ranges, hashes of 16 bytes, origins."""
    digest = hash_of(message(b"a"))
    gateways = [["gw", [["e", [2, 9], [5, 9]]]]]
    written = msgspec.msgpack.encode([1, gateways, digest, [["file", [0], [3]]]])
    memory = Memory.load(written).copy()
    assert not admit_count(memory, counted(3))
    assert admit_count(memory, counted(10))
    assert not admit_hash(memory, b"a")
    assert not memory.is_new_origin(Origin("file", 3))
    gaps = [tuple(gap[2:]) for gap in memory.changes.changed_gaps()]
    assert gaps == [(0, 1, 1), (6, 8, 1)], "no gap was listed before"
    assert Memory.load(memory.dump()).changes.changed_gaps() == ()


def test_a_repeat_is_a_repeat_for_an_older_memory_that_knows_no_times() -> None:
    written = msgspec.msgpack.encode([1, [["gw", [["e", [0], [5]]]]], b""])
    memory = Memory.load(written)
    late = Decoded("t", "gw", "e", 3, [Reading("", 2**60, 1.0)])
    assert not admit_count(memory, late)


@pytest.mark.parametrize(
    "written", [b"", b"\xc1", b"\x93\x09\x90\xc4\x00", b"\x93\x00\x90\xc4\x00"]
)
def test_a_memory_that_is_not_ours_is_refused(written: bytes) -> None:
    with pytest.raises(ContractError, match="memory of ingest"):
        Memory.load(written)


def test_the_level_is_what_a_message_can_be_recognised_by() -> None:
    assert level(b'{"gateway": "g", "epoch": "e", "seq": 0, "value": 1}') is Level.COUNTED
    assert level(b'{"gateway": "g", "seq": 0, "ts": 1767225600, "value": 1}') is Level.TIMED
    assert level(b'{"ts": 1767225600, "a": 1, "b": 2}') is Level.TIMED
    assert level(b'{"ts": [1767225600], "a": [1]}') is Level.TIMED
    assert level(b"21.5") is Level.NONE


def test_a_time_that_cannot_be_trusted_recognises_nothing() -> None:
    assert level(b'{"ts": 0, "value": 1}') is Level.NONE
    assert level(b'{"ts": [1767225600, 0], "a": [1, 1]}') is Level.NONE
    assert level(b'{"ts": [1767225600, null], "a": [1, 1]}') is Level.NONE
