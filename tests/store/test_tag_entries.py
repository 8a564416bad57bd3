import threading
from dataclasses import replace
from pathlib import Path

from contracts.tags import EDITABLE, Kind, Place, Tag
from store.lake import Lake
from store.query import fetch
from tests.store.samples import raw_commit

PLAIN = Tag("a/b", Place(site="a", metric="b"), None, Kind.GAUGE)


def test_all_that_is_known_of_a_tag_comes_back(lake: Lake) -> None:
    place = Place("s", "a", "l", "m", "x/y")
    tags = [PLAIN, Tag("t", place, "°C", Kind.STATE, "spBv1.0/t", frozenset(EDITABLE), "gw")]
    lake.commit_raw(raw_commit(0, 1, position=1), new_tags=tags)
    assert lake.known_tags() == {tag.tag: tag for tag in tags}


def test_the_view_says_what_was_set_by_hand(lake: Lake, root: Path) -> None:
    lake.commit_raw(raw_commit(0, 1, position=1), new_tags=[PLAIN])
    edited = replace(PLAIN, unit="K", tag="e", edited=frozenset({"unit", "line"}))
    assert lake.revise_tags(lambda _: [edited]) == 1
    asked = fetch(root, "SELECT tag, unit, edited FROM tags ORDER BY tag").to_pylist()
    assert asked == [
        {"tag": "a/b", "unit": None, "edited": None},
        {"tag": "e", "unit": "K", "edited": "line unit"},
    ]


def test_no_change_is_no_commit(lake: Lake) -> None:
    lake.commit_raw(raw_commit(0, 1, position=1), new_tags=[PLAIN])
    assert lake.revise_tags(lambda _: []) == 0
    assert lake._connection.execute("SELECT count(*) FROM house.tag_entries").fetchone() == (1,)


def test_a_change_that_another_writer_overtakes_is_thought_over_again(
    lake: Lake, root: Path
) -> None:
    lake.commit_raw(raw_commit(0, 1, position=1), new_tags=[PLAIN])
    asked = []

    with Lake.open(root, writer="tags") as other:

        def revise(known: dict[str, Tag]) -> list[Tag]:
            asked.append(known["a/b"])
            if len(asked) == 1:
                by_hand = replace(PLAIN, unit="K", edited=frozenset({"unit"}))
                other.revise_tags(lambda _: [by_hand])
            return [replace(known["a/b"], kind=Kind.STATE)]

        assert lake.revise_tags(revise) == 1
    assert [tag.unit for tag in asked] == [None, "K"]
    (tag,) = lake.known_tags().values()
    assert (tag.unit, tag.kind) == ("K", Kind.STATE)


def test_two_that_edit_at_the_same_time_wait_for_one_another(lake: Lake, root: Path) -> None:
    tags = [replace(PLAIN, tag=f"t{number}") for number in range(4)]
    lake.commit_raw(raw_commit(0, 1, position=1), new_tags=tags)

    def edit(name: str) -> None:
        with Lake.open(root, writer="tags") as other:
            other.revise_tags(lambda known: [replace(known[name], unit="K")])

    threads = [threading.Thread(target=edit, args=(tag.tag,)) for tag in tags]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert [tag.unit for tag in lake.known_tags().values()] == ["K"] * 4
