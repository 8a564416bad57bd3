from hypothesis import given
from hypothesis import strategies as st

from ingest.filters import is_filter, overlap

names = st.sampled_from(["a", "b", "$s", ""])
topics = st.lists(names, min_size=1, max_size=4).map("/".join).filter(bool)
filters = (
    st.tuples(st.lists(names | st.just("+"), max_size=3), st.sampled_from(["#", "+", "a", "b"]))
    .map(lambda parts: "/".join([*parts[0], parts[1]]))
    .filter(is_filter)
)


def matches(topic_filter: str, topic: str) -> bool:
    """The rules of MQTT 5.0, 4.7, told level by level."""
    wanted, levels = topic_filter.split("/"), topic.split("/")
    if levels[0].startswith("$") and wanted[0] in ("+", "#"):
        return False
    for number, want in enumerate(wanted):
        if want == "#":
            return number <= len(levels)
        if number >= len(levels) or want not in ("+", levels[number]):
            return False
    return len(wanted) == len(levels)


@given(filters, filters, topics)
def test_filters_that_match_one_topic_overlap(one: str, other: str, topic: str) -> None:
    if matches(one, topic) and matches(other, topic):
        assert overlap(one, other)
        assert overlap(other, one)


@given(filters, filters)
def test_filters_that_overlap_match_one_topic(one: str, other: str) -> None:
    if overlap(one, other):
        assert any(matches(one, topic) and matches(other, topic) for topic in common(one, other))


def common(one: str, other: str) -> list[str]:
    """Topics made of what both ask for, with and without what # stands for."""
    first, second = one.split("/"), other.split("/")
    length = max(len(first), len(second))
    levels = []
    for number in range(length):
        asked = [
            each[number]
            for each in (first, second)
            if number < len(each) and each[number] not in ("+", "#")
        ]
        levels.append(asked[0] if asked else "x")
    return ["/".join(levels[:end]) for end in range(1, length + 1)]


def test_what_is_no_filter_is_known() -> None:
    for text in ("", "a/b#", "a+/b", "#/a", "a\0b", "x" * 70_000):
        assert not is_filter(text)
