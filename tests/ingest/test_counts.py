from hypothesis import given
from hypothesis import strategies as st

from ingest.counts import RANGES_MAX, Seen

counts = st.lists(st.integers(0, 60), max_size=80)


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


@given(counts)
def test_what_is_missing_is_what_has_not_come_below_the_highest(sent: list[int]) -> None:
    seen = Seen()
    for count in sent:
        seen.add(count)
    missing = [c for first, last in seen.missing() for c in range(first, last + 1)]
    assert missing == sorted(set(range(max(sent, default=0))) - set(sent))
    reached = next(count for count in range(len(sent) + 1) if count not in sent)
    assert seen.through() == (reached - 1 if reached else None)


@given(st.lists(st.integers(0, 1_000), max_size=400))
def test_a_bounded_memory_never_takes_a_new_count_for_an_old_one(sent: list[int]) -> None:
    seen, known = Seen(), set[int]()
    for count in [2 * even for even in range(RANGES_MAX)] + sent:
        if not seen.add(count):
            assert count in known
        known.add(count)
        assert len(seen.starts) <= RANGES_MAX


@given(st.lists(st.integers(0, 1_000), max_size=400))
def test_what_is_forgotten_makes_no_gap_of_a_count_that_came(sent: list[int]) -> None:
    seen, known = Seen(), set[int]()
    for count in [2 * even for even in range(RANGES_MAX)] + sent:
        seen.add(count)
        known.add(count)
    assert not [c for first, last in seen.missing() for c in range(first, last + 1) if c in known]
    assert all(first >= seen.known_from for first, _ in seen.missing())


def test_the_lowest_range_is_forgotten_first_and_its_gap_stays_known() -> None:
    seen = Seen()
    for count in range(1, 2 * RANGES_MAX + 3, 2):
        seen.add(count)
    assert seen.starts[0] == 3
    assert (seen.known_from, seen.left) == (2, [(0, 0)])
    assert not seen.add(2 * RANGES_MAX + 1)
    assert seen.add(1), "forgotten: taken for new"
