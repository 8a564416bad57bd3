from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from contracts.batches import RawBatch, RawCommit
from contracts.periods import PERIODS_SCHEMA
from contracts.quality import Reason
from contracts.tags import Kind, Place, Tag
from store.lake import Lake
from store.query import connect
from store.shifts.periods import periods
from tests.store.samples import START_US, clean_commit, raw_rows

DAY_US = 86_400_000_000


def fill(
    lake: Lake, judge: Lake, readings: list[tuple[str, float, float]], **verdicts: list[int]
) -> None:
    """Store readings given as tag, day and value; tags are line/machine/metric at site s."""
    rows = raw_rows(
        0,
        len(readings),
        tag=[tag for tag, _, _ in readings],
        source_time=[START_US + int(day * DAY_US) for _, day, _ in readings],
        value=[value for _, _, value in readings],
    )
    tags = [
        Tag(tag, Place("s", "a", *tag.split("/")), None, Kind.COUNTER)
        for tag in sorted({tag for tag, _, _ in readings})
    ]
    lake.commit_raw(RawCommit(RawBatch(rows), (), (), 1, len(readings), b""), new_tags=tags)
    judge.commit_clean(clean_commit(rows, **verdicts))


def test_a_counters_steps_belong_to_the_period_in_which_they_began(
    lake: Lake, judge: Lake, root: Path
) -> None:
    counted = [0.0, 5.0, 9.0, 2.0, 2.0, 12.0]  # a reset after 9
    days = [0.0, 3.0, 6.9, 7.1, 9.0, 15.0]
    fill(lake, judge, [("l/m/pieces", day, v) for day, v in zip(days, counted, strict=True)])
    found = periods(root).to_pylist()
    assert [row["period"] for row in found] == [
        date(2026, 1, 5),
        date(2026, 1, 12),
        date(2026, 1, 19),
    ]
    assert [row["increase"] for row in found] == [5 + 4 + 2, 0 + 10, 0]
    assert [row["count"] for row in found] == [3, 2, 1]


def test_only_trusted_readings_count(lake: Lake, judge: Lake, root: Path) -> None:
    values = [1.0, 1000.0, 3.0, 2.0, 4.0]
    fill(
        lake,
        judge,
        [("l/m/pieces", number / 10, value) for number, value in enumerate(values)],
        quality=[0, 2, 0, 1, 1],
        reasons=[0, int(Reason.SPIKE), 0, int(Reason.CONFLICT), int(Reason.FLATLINE)],
    )
    (row,) = periods(root).to_pylist()
    assert (row["increase"], row["count"], row["good_count"]) == (3.0, 3, 2)
    assert row["mean"] == pytest.approx(8 / 3)


def test_a_counter_that_ran_backwards_has_counted_nothing(
    lake: Lake, judge: Lake, root: Path
) -> None:
    values = [1000.0, 1004.0, 999.0, 1006.0, 2.0]  # the last is a reset
    fill(
        lake,
        judge,
        [("l/m/pieces", number / 10, value) for number, value in enumerate(values)],
        quality=[0, 0, 1, 0, 0],
        reasons=[0, 0, int(Reason.COUNTER), 0, 0],
    )
    (row,) = periods(root).to_pylist()
    assert row["increase"] == 4 + 0 + 7 + 2


def test_machines_of_a_line_are_summed_up_and_lines_of_one_name_kept_apart(
    lake: Lake, judge: Lake, root: Path
) -> None:
    fill(
        lake,
        judge,
        [("l/m1/n", 0, 0.0), ("l/m1/n", 1, 4.0), ("l/m2/n", 0, 1.0), ("l/m2/n", 1, 3.0)],
    )
    elsewhere = Tag("l/m3/n", Place("other", "a", "l", "m3", "n"), None, Kind.COUNTER)
    lake.revise_tags(lambda _: [elsewhere])
    rows = raw_rows(4, 1, tag=["l/m3/n"], source_time=[START_US], value=[7.0])
    lake.commit_raw(RawCommit(RawBatch(rows), (), (), 2, 5, b""))
    judge.commit_clean(clean_commit(rows))
    other, here = periods(root).to_pylist()
    assert (other["line"], other["mean"]) == ("other/a/l", 7.0)
    assert here == {
        "line": "s/a/l",
        "period": date(2026, 1, 5),
        "metric": "n",
        "increase": 6.0,
        "mean": 2.0,
        "active_share": 0.75,
        "count": 4,
        "good_count": 4,
        "site": "s",
        "area": "a",
    }


def test_what_comes_after_the_moment_asked_for_does_not_count(
    lake: Lake, judge: Lake, root: Path
) -> None:
    fill(lake, judge, [("l/m/n", 0, 0.0), ("l/m/n", 1, 4.0), ("l/m/n", 2, 9.0)])
    until = datetime.fromtimestamp((START_US + 2 * DAY_US) / 1e6, UTC)
    (row,) = periods(root, until=until).to_pylist()
    assert (row["increase"], row["count"]) == (4.0, 2)


def test_periods_are_what_the_floor_says_they_are(lake: Lake, judge: Lake, root: Path) -> None:
    fill(lake, judge, [("l/m/n", 0, 1.0)])
    assert periods(root).select(PERIODS_SCHEMA.names).schema.equals(PERIODS_SCHEMA)


@pytest.mark.parametrize(("every", "count"), [("day", 3), ("week", 2), ("month", 2)])
def test_periods_may_be_days_weeks_or_months(
    lake: Lake, judge: Lake, root: Path, every: str, count: int
) -> None:
    fill(lake, judge, [("l/m/n", day, 1.0) for day in (0, 1, 27)])
    with connect(root) as connection:
        assert periods(connection, every=every).num_rows == count
