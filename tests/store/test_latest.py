"""`latest` kept warm: at every moment what the view says, and read anew only where it must be."""

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from shutil import rmtree

import pytest

from contracts.errors import GainlineError
from contracts.tags import Kind, Place, Tag
from store.lake import Lake
from store.query import fetch
from store.sums.latest import Latest
from tests.store.happenings import ROWS, START, Plant
from tests.store.samples import clean_commit, raw_commit, raw_rows


@pytest.fixture
def warm(root: Path, lake: Lake, judge: Lake) -> Iterator[Latest]:
    commit(lake, judge, 0)
    with Latest(root) as latest:
        yield latest


def commit(lake: Lake, judge: Lake, number: int) -> None:
    lake.commit_raw(raw_commit(number * ROWS, ROWS, position=number + 1))
    judge.commit_clean(clean_commit(raw_rows(number * ROWS, ROWS)))


def expect_the_view(warm: Latest, root: Path) -> None:
    assert warm.table().equals(fetch(root, "FROM latest ORDER BY tag"))


@pytest.mark.parametrize("seed", range(2))
def test_the_warm_rows_are_those_of_the_view_whatever_happens(
    root: Path, lake: Lake, judge: Lake, seed: int
) -> None:
    plant = Plant(root, lake, judge, random.Random(seed))  # noqa: S311 - it can be repeated
    plant.receive()
    with Latest(root) as warm:
        for _ in range(12):
            plant.happen()
            expect_the_view(warm, root)


def test_a_name_and_a_unit_that_change_are_seen(warm: Latest, root: Path, judge: Lake) -> None:
    tag = warm.table()["tag"][0].as_py()
    of_tag = Tag(tag, Place("s", "a", "l", "m", "x"), "bar", Kind.GAUGE)
    with closing(Lake.open(root, writer="tags")) as lake:
        lake.revise_tags(lambda _known: [of_tag])
        expect_the_view(warm, root)
        lake.rename_tags({tag: "another"})
        expect_the_view(warm, root)
        assert "another" in warm.table()["tag"].to_pylist()
        lake.revise_tags(
            lambda _: [replace(of_tag, unit="psi", unit_from=START - timedelta(days=1))]
        )
        expect_the_view(warm, root)
        judge.commit_clean(clean_commit(raw_rows(ROWS, ROWS)))
        expect_the_view(warm, root)


def test_only_what_is_new_is_read(warm: Latest, root: Path, lake: Lake, judge: Lake) -> None:
    warm.table()
    for path in (root / "data/clean/readings").iterdir():
        path.unlink()
    assert warm.table() is warm.table()
    commit(lake, judge, 1)
    newest = warm.table()["seq"].to_pylist()  # of three tags, whose readings come in turn
    assert sorted(newest) == [2 * ROWS - 3, 2 * ROWS - 2, 2 * ROWS - 1]


def test_a_store_that_takes_the_place_of_another_is_read_anew(tmp_path: Path) -> None:
    for value in (1.0, 2.0):
        with Lake.open(tmp_path / f"{value}", writer="judge") as judge:
            judge.commit_clean(clean_commit(raw_rows(0, ROWS, value=[value] * ROWS)))
    place = tmp_path / "place"
    (tmp_path / "1.0").rename(place)
    with Latest(place) as warm:
        assert set(warm.table()["value"].to_pylist()) == {1.0}
        rmtree(place)
        (tmp_path / "2.0").rename(place)
        with Lake.open(place, writer="judge") as judge:
            judge.commit_clean(clean_commit(raw_rows(ROWS, 1, value=[3.0])))
        expect_the_view(warm, place)


def test_a_store_that_is_gone_is_an_error_and_then_it_goes_on(warm: Latest, root: Path) -> None:
    warm.table()
    root.rename(root.with_name("away"))
    with pytest.raises(GainlineError):
        warm.table()
    root.with_name("away").rename(root)
    expect_the_view(warm, root)
