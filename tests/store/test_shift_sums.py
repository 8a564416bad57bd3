"""What a line did in a shift: times, stops, pieces and energy, by readings in a real lake."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from contracts.batches import RawBatch, RawCommit
from contracts.shifts import SPELLS_SCHEMA
from contracts.tags import Kind, Place, Tag
from store.lake import Lake
from store.shifts.shift_sums import ShiftMetrics, Span, shift_sums
from tests.store.samples import START_US, clean_commit, raw_rows

START = datetime.fromtimestamp(START_US / 1e6, UTC)
METRICS = ShiftMetrics(
    state="state",
    good="good",
    energy="kwh",
    scrap="scrap",
    running=(1,),
    setup=(3,),
    down=(2,),
    holds_s=3600,
    small_stop_s=300,
)
MINUTE = 60_000_000


def fill(
    lake: Lake,
    judge: Lake,
    readings: list[tuple[str, float, float]],
    *,
    first: int = 0,
    quality: list[int] | None = None,
) -> None:
    """Store readings given as tag, minute and value; tags are line/machine/metric at site s."""
    rows = raw_rows(
        first,
        len(readings),
        tag=[tag for tag, _, _ in readings],
        source_time=[START_US + int(minute * MINUTE) for _, minute, _ in readings],
        value=[value for _, _, value in readings],
    )
    tags = [
        Tag(tag, Place("s", "a", *tag.split("/")), None, Kind.COUNTER)
        for tag in sorted({tag for tag, _, _ in readings})
    ]
    end = first + len(readings)
    lake.commit_raw(RawCommit(RawBatch(rows), (), (), end, end, b""), new_tags=tags)
    judge.commit_clean(clean_commit(rows, quality=quality or [0] * len(readings)))


def lay_out(spans: list[Span]) -> pa.Table:
    """Two shifts of an hour, a break in the first, and an hour between two shifts."""
    edges = [(0, "a", "work"), (20, "a", "break"), (30, "a", "work"), (60, "b", "work")]
    ends = [20, 30, 60, 120, 180]
    rows = [
        {
            "site": span.site,
            "day": date(2026, 1, 5),
            "shift": shift,
            "kind": kind,
            "begins": START + timedelta(minutes=begin),
            "ends": START + timedelta(minutes=end),
        }
        for span in spans
        for (begin, shift, kind), end in zip([*edges, (120, None, "off")], ends, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=SPELLS_SCHEMA)


def summed(root: Path) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    sums, stops = shift_sums(root, METRICS, lay_out, since=None, until=START + timedelta(days=9))
    return sums.to_pylist(), stops.to_pylist()


def minutes(row: dict[str, object], name: str) -> float:
    value = row[f"{name}_s"]
    assert isinstance(value, float)
    return value / 60


def test_planned_time_is_split_by_what_the_state_says(lake: Lake, judge: Lake, root: Path) -> None:
    states = [(0, 3), (5, 1), (15, 2), (40, 1), (50, 0), (52, 1), (100, 2), (110, 1), (150, 0)]
    fill(lake, judge, [("l/m/state", at, value) for at, value in states])
    (first, second, between), stops = summed(root)
    assert (first["shift"], second["shift"], between["shift"]) == ("a", "b", None)
    # the stop from 15 to 40 has a break of ten minutes in it
    names = ("pbt", "setup", "apt", "adot", "delay", "unknown")
    assert [minutes(first, name) for name in names] == [50, 5, 28, 15, 2, 0]
    assert [minutes(second, name) for name in names] == [60, 0, 50, 10, 0, 0]
    assert minutes(between, "pbt") == 0
    assert minutes(between, "calendar") == 60
    assert [(first["stop_count"], first["small_stop_count"], first["failure_count"])] == [(2, 1, 1)]
    assert (minutes(first, "small_stop"), minutes(first, "failure")) == (2, 15)
    assert [(one["kind"], one["seconds"], one["state"]) for one in stops] == [
        ("down", 900, 2),
        ("delay", 120, 0),
        ("down", 600, 2),
    ]


def test_a_stop_that_lasts_into_the_next_shift_is_one_failure(
    lake: Lake, judge: Lake, root: Path
) -> None:
    fill(lake, judge, [("l/m/state", at, value) for at, value in [(0, 1), (50, 2), (80, 1)]])
    (first, second, _), stops = summed(root)
    assert (first["failure_count"], second["failure_count"]) == (1, 0)
    assert (minutes(first, "failure"), minutes(second, "failure")) == (10, 20)
    assert [one["is_continued"] for one in stops] == [False, True]


def test_a_state_that_is_not_heard_of_again_is_unknown_in_the_end(
    lake: Lake, judge: Lake, root: Path
) -> None:
    fill(lake, judge, [("l/m/state", 0, 1.0), ("l/m/state", 200, 1.0)])
    (first, second, _), _ = summed(root)
    assert minutes(first, "unknown") == 0
    assert (minutes(second, "unknown"), minutes(second, "apt")) == (60, 0)


def test_a_bad_state_ends_the_one_before_and_is_none(lake: Lake, judge: Lake, root: Path) -> None:
    readings = [("l/m/state", 0.0, 1.0), ("l/m/state", 40.0, 99.0), ("l/m/state", 50.0, 1.0)]
    fill(lake, judge, readings, quality=[0, 2, 0])
    (first, _, _), _ = summed(root)
    assert (minutes(first, "unknown"), minutes(first, "apt")) == (10, 40)
    assert (first["reading_count"], first["good_reading_count"]) == (3, 2)


def test_pieces_and_energy_are_spread_over_the_spells_between_two_readings(
    lake: Lake, judge: Lake, root: Path
) -> None:
    fill(
        lake,
        judge,
        [
            ("l/m/state", 0, 1),
            ("l/m/state", 60, 0),
            ("l/m/good", 0, 100),
            ("l/m/good", 10, 110),  # in work
            ("l/m/good", 40, 140),  # ten of thirty minutes are a break
            ("l/m/good", 80, 20),  # reset: it has counted 20 since
            ("l/m/scrap", 0, 5),
            ("l/m/scrap", 60, 11),
            ("l/m/kwh", 0, 0),
            ("l/m/kwh", 60, 60),
            ("l/m/kwh", 120, 70),
        ],
    )
    (first, second, _), _ = summed(root)
    assert first["good"] == pytest.approx(10 + 20 + 10)
    assert first["unplanned_good"] == pytest.approx(10)
    assert second["good"] == pytest.approx(10)
    assert first["scrap"] == pytest.approx(5)  # of six, one in the break
    assert (first["energy_kwh"], first["idle_kwh"]) == (pytest.approx(60), 0)
    assert (second["energy_kwh"], second["idle_kwh"]) == (pytest.approx(10), pytest.approx(10))


def test_machines_of_a_line_add_up(lake: Lake, judge: Lake, root: Path) -> None:
    fill(
        lake,
        judge,
        [("l/m1/state", 0, 1), ("l/m2/state", 0, 2), ("l/m1/state", 60, 1), ("l/m2/state", 60, 1)],
    )
    (first, _, _), stops = summed(root)
    assert [minutes(first, name) for name in ("pbt", "apt", "adot")] == [100, 50, 50]
    assert [one["machine"] for one in stops] == ["m2"]


def test_a_late_reading_changes_the_shift_that_it_is_of(
    lake: Lake, judge: Lake, root: Path
) -> None:
    fill(lake, judge, [("l/m/state", at, value) for at, value in [(0, 1), (60, 1), (120, 1)]])
    before, _ = summed(root)
    fill(lake, judge, [("l/m/state", 70, 2), ("l/m/state", 90, 1)], first=3)
    after, _ = summed(root)
    assert after[0] == before[0]
    assert (minutes(before[1], "apt"), minutes(after[1], "apt")) == (60, 40)


def test_without_a_state_there_is_no_shift(lake: Lake, judge: Lake, root: Path) -> None:
    fill(lake, judge, [("l/m/good", 0, 1)])
    assert summed(root) == ([], [])
