import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import ContractError
from contracts.message import Message
from ingest import identity
from ingest.decode import decode
from ingest.identity import RANGES_MAX, Level, Memory, Seen, hash_of, level_of
from ingest.readings import Decoded

counts = st.lists(st.integers(0, 60), max_size=80)


def counted(seq: int, *, gateway: str = "gw", epoch: str = "e") -> Decoded:
    return Decoded("t", gateway, epoch, seq, [])


def message(payload: bytes, topic: str = "line/temperature") -> Message:
    return Message(0, topic, payload, 0, retained=False)


def admit_count(memory: Memory, decoded: Decoded) -> bool:
    return memory.admit(Level.COUNTED, message(b""), decoded)


def admit_hash(memory: Memory, payload: bytes) -> bool:
    return memory.admit(Level.TIMED, message(payload), Decoded("t", None, None, None, []))


def level(payload: bytes) -> Level:
    decoded = decode("line/temperature", payload)
    assert isinstance(decoded, Decoded)
    return level_of(decoded)


@given(counts)
def test_ranges_know_the_same_as_a_set(sent: list[int]) -> None:
    seen, known = Seen(), set[int]()
    for count in sent:
        assert seen.add(count) is (count not in known)
        known.add(count)
    covered = [c for a, b in zip(seen.starts, seen.ends, strict=True) for c in range(a, b + 1)]
    assert covered == sorted(known)
    pairs = zip(seen.ends, seen.starts[1:], strict=False)
    assert all(end + 1 < start for end, start in pairs), "ranges touch"


@given(st.lists(st.integers(0, 1_000), max_size=400))
def test_a_bounded_memory_never_takes_a_new_count_for_an_old_one(sent: list[int]) -> None:
    seen, known = Seen(), set[int]()
    for count in [2 * even for even in range(RANGES_MAX)] + sent:
        if not seen.add(count):
            assert count in known
        known.add(count)
        assert len(seen.starts) <= RANGES_MAX


def test_the_lowest_range_is_forgotten_first() -> None:
    seen = Seen()
    for count in range(0, 2 * RANGES_MAX + 2, 2):
        seen.add(count)
    assert seen.starts[0] == 2
    assert not seen.add(2 * RANGES_MAX)
    assert seen.add(0)


def test_a_count_is_known_per_gateway_and_epoch() -> None:
    memory = Memory()
    assert admit_count(memory, counted(0))
    assert admit_count(memory, counted(0, epoch="other"))
    assert admit_count(memory, counted(0, gateway="other"))
    assert not admit_count(memory, counted(0))


def test_the_oldest_epochs_are_forgotten() -> None:
    memory = Memory()
    for epoch in range(identity.EPOCHS_MAX + 1):
        assert admit_count(memory, counted(7, epoch=str(epoch)))
    assert not admit_count(memory, counted(7, epoch="1"))
    assert admit_count(memory, counted(7, epoch="0"))


def test_the_gateway_heard_of_longest_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "GATEWAYS_MAX", 2)
    memory = Memory()
    for gateway, seq in (("a", 0), ("b", 0), ("a", 1), ("c", 0)):
        admit_count(memory, counted(seq, gateway=gateway))
    memory.forget()
    assert not admit_count(memory, counted(0, gateway="a"))
    assert not admit_count(memory, counted(0, gateway="c"))
    assert admit_count(memory, counted(0, gateway="b"))


def test_a_timed_message_is_known_among_the_last_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "RECENT_MAX", 2)
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


@pytest.mark.parametrize("written", [b"", b"\xc1", b"\x93\x09\x90\xc4\x00"])
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
