from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.batches import GapChange, Mark
from ingest import epochs as module
from ingest.counts import RANGES_MAX
from ingest.epochs import EPOCHS_MAX, Epochs
from ingest.readings import Decoded, Reading

HOUR_US = 3_600_000_000


def sent(seq: int, *times: int | None, gateway: str = "gw", epoch: str = "e") -> Decoded:
    """Make a message with a reading for each of the times."""
    return Decoded("t", gateway, epoch, seq, [Reading("", time_us, 1.0) for time_us in times])


def admit_all(epochs: Epochs, counts: Sequence[int], **names: str) -> list[bool]:
    return [epochs.admit(sent(count, **names)) for count in counts]


def listed(changes: Sequence[GapChange]) -> set[tuple[int, int]]:
    """Sum the changes up, as the lake does."""
    sums: dict[tuple[int, int], int] = {}
    for one in changes:
        sums[one.first_seq, one.last_seq] = sums.get((one.first_seq, one.last_seq), 0) + one.change
    assert set(sums.values()) <= {0, 1}
    return {gap for gap, count in sums.items() if count}


def told(epochs: Epochs) -> tuple[GapChange, ...]:
    changes = epochs.changed_gaps()
    epochs.settle()
    return changes


def test_a_gap_is_told_when_it_opens_is_partly_closed_and_closed() -> None:
    epochs = Epochs()
    admit_all(epochs, [0, 1, 5])
    assert told(epochs) == (("gw", "e", 2, 4, 1),)
    admit_all(epochs, [6, 7])
    assert told(epochs) == ()
    admit_all(epochs, [3])
    assert told(epochs) == (
        ("gw", "e", 2, 4, -1),
        ("gw", "e", 2, 2, 1),
        ("gw", "e", 4, 4, 1),
    )
    admit_all(epochs, [4, 2])
    assert told(epochs) == (("gw", "e", 2, 2, -1), ("gw", "e", 4, 4, -1))


def test_an_epoch_first_seen_at_17_lacks_0_to_16() -> None:
    epochs = Epochs()
    admit_all(epochs, [17])
    assert told(epochs) == (("gw", "e", 0, 16, 1),)


@given(st.lists(st.lists(st.integers(0, 40), max_size=12), max_size=8), st.data())
def test_the_changes_of_all_commits_sum_up_to_what_is_missing(
    commits: list[list[int]], data: st.DataObject
) -> None:
    epochs, changes = Epochs(), list[GapChange]()
    for counts in commits:
        admit_all(epochs, counts)
        changes += epochs.changed_gaps()
        if data.draw(st.booleans()):
            epochs.settle()
        else:
            epochs = Epochs.load(epochs.dump(), is_overrun=False, is_listed=True)
    came = {count for counts in commits for count in counts}
    missing = {count for first, last in listed(changes) for count in range(first, last + 1)}
    assert missing == set(range(max(came, default=0))) - came


def test_the_gaps_of_a_run_that_was_forgotten_in_part_stay_listed() -> None:
    epochs, changes = Epochs(), list[GapChange]()
    for first in range(1, 3 * RANGES_MAX, 100):
        admit_all(epochs, range(first, first + 100, 2))
        changes += told(epochs)
    assert listed(changes) == {(even, even) for even in range(0, first + 99, 2)}


def test_an_epoch_that_was_forgotten_and_comes_again_claims_no_gap() -> None:
    epochs = Epochs()
    admit_all(epochs, range(100), epoch="old")
    for number in range(EPOCHS_MAX):
        admit_all(epochs, [0], epoch=f"e{number}")
    told(epochs)
    epochs = Epochs.load(epochs.dump(), is_overrun=False, is_listed=True)
    assert admit_all(epochs, [60], epoch="old") == [True]
    assert told(epochs) == ()
    (mark,) = epochs.marks()
    assert mark.epoch == f"e{EPOCHS_MAX - 1}", "an old epoch is not the one the gateway is in"


def test_a_gateway_that_may_have_been_forgotten_claims_no_gap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "GATEWAYS_MAX", 1)
    epochs = Epochs()
    for gateway in "ab":
        admit_all(epochs, range(3), gateway=gateway)
    epochs.forget()
    epochs = Epochs.load(epochs.dump(), is_overrun=epochs.is_overrun, is_listed=True)
    assert admit_all(epochs, [2], gateway="a") == [True]
    assert told(epochs) == ()
    assert admit_all(epochs, [2], gateway="a", epoch="new") == [True]
    assert told(epochs) == (("a", "new", 0, 1, 1),)


def test_a_mark_is_the_count_up_to_which_all_have_come() -> None:
    epochs = Epochs()
    admit_all(epochs, [1, 2])
    assert epochs.changed_marks() == ()
    epochs.settle()
    admit_all(epochs, [0, 4])
    assert epochs.changed_marks() == (Mark("gw", "e", 2),)
    epochs.settle()
    admit_all(epochs, [5])
    assert epochs.changed_marks() == ()
    assert epochs.admit_unread(("gw", "e", 3), 0), "a dead letter counts"
    assert epochs.changed_marks() == epochs.marks() == (Mark("gw", "e", 5),)


def test_a_mark_is_of_the_last_epoch_and_tells_of_the_earlier() -> None:
    epochs = Epochs()
    admit_all(epochs, [0, 1], epoch="first")
    admit_all(epochs, [1], epoch="second")
    assert epochs.marks() == ()
    admit_all(epochs, [0], epoch="second")
    admit_all(epochs, [2], epoch="first")
    assert epochs.marks() == (Mark("gw", "second", 1, (("first", 2),)),)


def test_counting_anew_in_the_same_epoch_is_known_by_its_times() -> None:
    epochs = Epochs()
    for seq in range(10):
        assert epochs.admit(sent(seq, seq * HOUR_US))
    assert not epochs.admit(sent(0, 0)), "a redelivery"
    assert epochs.admit(sent(0, 20 * HOUR_US)), "a new reading"
    assert epochs.restarted() == (("gw", "e"),)
    epochs = Epochs.load(epochs.dump(), is_overrun=False, is_listed=True)
    assert [epochs.admit(sent(seq, (20 + seq) * HOUR_US)) for seq in range(1, 5)] == [True] * 4
    assert not epochs.admit(sent(3, 23 * HOUR_US)), "a redelivery of the new run"
    assert not epochs.admit(sent(7, 7 * HOUR_US)), "a redelivery of the old run"
    assert epochs.marks() == (Mark("gw", "e", 4),)
    assert epochs.changed_gaps() == ()
    assert epochs.restarted() == ()


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.lists(st.none() | st.integers(0, 30), max_size=3)),
        max_size=30,
    )
)
def test_a_redelivery_is_never_taken_for_counting_anew(
    messages: list[tuple[int, list[int | None]]],
) -> None:
    """Of each count the same message, however often and in whatever order."""
    first = dict(reversed(messages))
    epochs, stored = Epochs(), list[int]()
    for seq, _ in messages:
        if epochs.admit(sent(seq, *first[seq])):
            stored.append(seq)
    assert sorted(stored) == sorted(first)


def test_a_count_without_times_that_was_here_is_a_redelivery() -> None:
    epochs = Epochs()
    assert epochs.admit(sent(0, 5))
    assert not epochs.admit(sent(0))
    assert not epochs.admit(sent(0, 7, None))


def test_what_could_be_read_only_now_does_not_look_like_counting_anew() -> None:
    epochs = Epochs()
    assert epochs.admit_unread(("gw", "e", 0), 50)
    epochs.note(sent(0, 40))
    assert not epochs.admit(sent(0, 40))
    assert epochs.restarted() == ()
