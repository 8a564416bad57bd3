import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.batches import CODED, RAW_SCHEMA, LedgerEntry, RawBatch, RawCommit
from contracts.errors import ContractError
from contracts.message import Message
from ingest import rows
from ingest.catalogue import Catalogue
from ingest.commit import Knowledge, decode_messages
from ingest.identity import Memory
from ingest.readings import Rules
from tests.ingest.payloads import payloads

TS = 1_767_225_600_000
RECEIVED_US = 1_767_225_700_000_000


def messages_of(*payloads: object, topic: str = "lyon/press/force") -> list[Message]:
    sent = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in payloads]
    return [
        Message(position, topic, one, RECEIVED_US + position, retained=False)
        for position, one in enumerate(sent, 40)
    ]


def knowing(memory: Memory | None = None, rules: Rules | None = None) -> Knowledge:
    rules = rules or Rules()
    return Knowledge(memory or Memory(), Catalogue({}, rules.limits), rules)


def commit_of(*payloads: object, memory: Memory | None = None) -> RawCommit:
    return decode_messages(messages_of(*payloads), knowing(memory), first_arrival=100)


def counted(seq: int, **fields: object) -> dict[str, object]:
    return {"gateway": "g", "epoch": "e", "seq": seq, "ts": TS, **fields}


def test_a_commit_holds_the_readings_in_order_of_arrival() -> None:
    commit = commit_of({"ts": [TS, TS + 1], "a": [1, 2], "b": [3, 4]}, b"5", counted(0, c=6))
    table = commit.readings.table
    assert table["arrival"].to_pylist() == list(range(100, 106))
    assert table["value"].to_pylist() == [1, 2, 3, 4, 5, 6]
    assert table["tag"].to_pylist()[3:] == [f"lyon/press/force{end}" for end in ("/b", "", "/c")]
    assert table["seq"].to_pylist() == [None] * 5 + [0]
    assert table["gateway"].to_pylist() == [None] * 5 + ["g"]
    assert table["epoch"].to_pylist() == [None] * 5 + ["e"]
    assert table["identity"].to_pylist() == list("CCCCDA")
    assert table["topic"].unique().to_pylist() == ["lyon/press/force"]
    assert table["received_time"].cast(pa.int64()).to_pylist() == [
        RECEIVED_US + position for position in (40, 40, 40, 40, 41, 42)
    ]
    assert (commit.until_position, commit.until_arrival) == (43, 106)


def test_what_cannot_be_read_is_a_dead_letter_and_harms_no_neighbour() -> None:
    commit = commit_of({"ts": TS, "value": 1}, b'{"ts": 1,', {"ts": TS, "value": 2})
    assert commit.readings.table["value"].to_pylist() == [1, 2]
    (letter,) = commit.dead_letters
    assert (letter.position, letter.payload, letter.gateway) == (41, b'{"ts": 1,', "")
    assert letter.reason.startswith("not_json: ")
    assert commit.ledger == (LedgerEntry("", 3, 2, 0, 1),)


def test_a_count_that_was_seen_is_a_duplicate_across_commits() -> None:
    first = commit_of(counted(0, a=1), counted(1, a=2), counted(0, a=1))
    assert first.ledger == (LedgerEntry("g", 3, 2, 1, 0),)
    second = commit_of(counted(1, a=2), counted(2, a=3), memory=Memory.load(first.memory))
    assert second.readings.table["value"].to_pylist() == [3]
    assert second.ledger == (LedgerEntry("g", 2, 1, 1, 0),)


def test_a_repeat_of_a_timed_message_is_a_duplicate_and_another_value_is_not() -> None:
    same, other = {"ts": TS, "value": 1}, {"ts": TS, "value": 2}
    commit = commit_of(same, other, same)
    assert commit.readings.table["value"].to_pylist() == [1, 2]
    assert commit.ledger == (LedgerEntry("", 3, 2, 1, 0),)


def test_a_message_without_a_time_is_stored_each_time() -> None:
    commit = commit_of(b"1", b"1", {"ts": 0, "value": 1}, {"ts": 0, "value": 1})
    assert commit.readings.table.num_rows == 4


def test_a_refused_count_that_comes_again_is_a_duplicate_and_no_gap() -> None:
    refused = commit_of(counted(0, a=1), {**counted(1), "ts": [TS], "a": 1}, counted(2, a=1))
    assert refused.ledger == (LedgerEntry("g", 3, 2, 0, 1),)
    assert refused.gaps == ()
    again = commit_of({**counted(1), "ts": [TS], "a": 1}, memory=Memory.load(refused.memory))
    assert again.ledger == (LedgerEntry("g", 1, 0, 1, 0),)
    assert again.dead_letters == ()


def test_the_ledger_counts_each_gateway_apart() -> None:
    other = {**counted(0, a=1), "gateway": "h"}
    commit = commit_of(counted(0, a=1), other, b"{", {**other, "seq": -1})
    assert sorted(commit.ledger) == [
        LedgerEntry("", 1, 0, 0, 1),
        LedgerEntry("g", 1, 1, 0, 0),
        LedgerEntry("h", 2, 1, 0, 1),
    ]


def test_the_callers_memory_stays_as_it_was_committed() -> None:
    memory = Memory()
    before = memory.dump()
    first = commit_of(counted(0, a=1), {"ts": TS, "value": 1}, memory=memory)
    assert memory.dump() == before
    assert commit_of(counted(0, a=1), {"ts": TS, "value": 1}, memory=memory) == first


def test_a_batch_is_the_same_however_it_is_cut_into_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = [counted(n, a=n, b="x" * n, c=None) if n % 2 else str(n).encode() for n in range(9)]
    whole = commit_of(*sent).readings.table.cast(RAW_SCHEMA)
    monkeypatch.setattr(rows, "CHUNK_READINGS", 2)
    assert commit_of(*sent).readings.table.cast(RAW_SCHEMA).equals(whole)


def test_strings_that_rows_share_are_coded_and_no_other_type_is_let_in() -> None:
    table = commit_of(counted(0, a=1), counted(1, b=2)).readings.table
    assert [field.name for field in table.schema if field.type.equals(CODED)] == [
        "tag",
        "gateway",
        "epoch",
        "identity",
        "topic",
    ]
    assert table.cast(RAW_SCHEMA)["tag"].to_pylist() == table["tag"].to_pylist()
    number = table.schema.get_field_index("value")
    with pytest.raises(ContractError, match="schema"):
        RawBatch(table.set_column(number, "value", table["value"].dictionary_encode()))


def test_a_commit_that_would_be_too_big_ends_early_and_the_next_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingest.commit.TABLE_BYTES_MAX", 1_000)
    messages = messages_of(*(counted(seq, ts=[TS] * 20, a=[seq] * 20) for seq in range(3)))
    seqs, memory = [], Memory()
    while messages:
        commit = decode_messages(messages, knowing(memory), first_arrival=0)
        assert [entry.received for entry in commit.ledger] == [1]
        assert commit.until_position == messages[0].position + 1
        seqs += commit.readings.table["seq"].unique().to_pylist()
        memory = Memory.load(commit.memory)
        messages = messages[1:]
    assert seqs == [0, 1, 2]


def test_a_commit_of_refused_messages_has_no_rows() -> None:
    commit = commit_of(b"{", b"[")
    assert commit.readings.table.num_rows == 0
    assert (commit.until_arrival, len(commit.dead_letters)) == (100, 2)


def test_no_messages_make_no_commit() -> None:
    with pytest.raises(ContractError, match="no messages"):
        commit_of()


@pytest.mark.parametrize("topic", ["plant/+/a", "plant/\udcff", "", "x" * 2000])
def test_a_refused_topic_is_written_as_text(topic: str) -> None:
    commit = decode_messages(messages_of(b"1", topic=topic), knowing(), first_arrival=0)
    pa.array([letter.topic for letter in commit.dead_letters]).validate(full=True)


@given(st.lists(payloads, min_size=1, max_size=8))
def test_the_ledger_balances_and_nothing_is_dropped_silently(sent: list[bytes]) -> None:
    commit = decode_messages(messages_of(*sent), knowing(), first_arrival=0)
    assert sum(entry.received for entry in commit.ledger) == len(sent)
    assert sum(entry.dead_letter for entry in commit.ledger) == len(commit.dead_letters)
    assert commit.readings.table.num_rows >= sum(entry.stored for entry in commit.ledger)
    commit.readings.table.validate(full=True)
    assert Memory.load(commit.memory).dump() == commit.memory
