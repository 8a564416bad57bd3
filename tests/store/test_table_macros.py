"""store.views.table_macros: what they give is what the readings say, and costs few files."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

import gainline
from contracts.batches import RawBatch, RawCommit
from contracts.errors import DataError
from contracts.quality import Quality, Reason
from store.lake import Lake
from store.query import fetch
from store.sums.rolling import roll_up
from tests.store.samples import START_US, as_format_1, clean_commit, raw_rows

START = datetime(2026, 1, 5, tzinfo=UTC)
A, B = "s/a/l/m/tag0", "s/a/l/m/tag1"

Known = list[tuple[str, datetime, float]]


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def put(root: Path, tags: list[str], seconds: list[float], **columns: list[object]) -> None:
    """Store readings with their verdicts, GOOD unless columns say otherwise."""
    with Lake.open(root, writer="ingest") as lake, Lake.open(root, writer="judge") as judge:
        first = lake.ingest_progress().arrival
        names = {"value", "text"} & columns.keys()
        rows = raw_rows(
            first,
            len(tags),
            tag=tags,
            source_time=[START_US + round(one * 1e6) for one in seconds],
            **{name: columns.pop(name) for name in names},
        )
        batch = RawBatch(rows)
        lake.commit_raw(
            RawCommit(batch, (), (), lake.ingest_progress().position + 1, first + len(tags), b"")
        )
        judge.commit_clean(clean_commit(rows, **columns))


def rows_of(root: Path, sql: str) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in fetch(root, sql).to_pylist()]


def files_read(root: Path, sql: str) -> list[int]:
    plan = fetch(root, f"EXPLAIN ANALYZE {sql}")["explain_value"][0].as_py()
    return [int(count) for count in re.findall(r"Total Files Read: (\d+)", plan)]


def test_around_gives_both_ends_and_leaves_out_what_is_bad(root: Path) -> None:
    put(root, [A] * 5 + [B], [0, 10, 20, 30, 31, 20], quality=[0, 0, 2, 1, 0, 0])
    sql = f"SELECT source_time, quality FROM around('{A}', '2026-01-05 00:00:20', '10 seconds'{{}})"
    assert rows_of(root, sql.format("")) == [(at(10), 0), (at(30), 1)]
    assert rows_of(root, sql.format(", with_bad := true")) == [
        (at(10), 0),
        (at(20), 2),
        (at(30), 1),
    ]


def test_around_each_of_many_events(root: Path) -> None:
    put(root, [A] * 100, list(range(100)), quality=[2 * (n in {20, 60}) for n in range(100)])
    found = rows_of(
        root,
        "SELECT e.source_time, count(*) FROM readings AS e,"
        f" around('{B[:-1]}0', e.source_time, INTERVAL 3 SECONDS)"
        " WHERE e.quality = 2 GROUP BY 1 ORDER BY 1",
    )
    assert found == [(at(20), 6), (at(60), 6)]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Known]:
    """A store of random readings, partly rolled up; and those that are usable."""
    root = tmp_path_factory.mktemp("macros") / "lake"
    chance = random.Random(5)  # noqa: S311 - of a test
    usable: Known = []
    for part in range(3):
        tags = [chance.choice([A, B, "s/a/l/m/other"]) for _ in range(300)]
        seconds = [round(chance.uniform(0, 5 * 3600), 3) for _ in tags]
        values = [float(chance.randint(-50, 50)) for _ in tags]
        quality = [chance.choice([0, 0, 0, 1, 2]) for _ in tags]
        put(root, tags, seconds, value=values, quality=quality)
        rows = zip(tags, seconds, values, quality, strict=True)
        usable += [(tag, at(s), value) for tag, s, value, bad in rows if bad < Quality.BAD]
        if part == 1:
            roll_up(root)
    return root, usable


@pytest.mark.parametrize("every_s", [7200, 1800, 60, 97.5])
@pytest.mark.parametrize(("first", "end"), [(None, None), (3600, 14400), (1234, 9999), (60, 7260)])
def test_align_gives_means_on_a_grid_and_what_holds(
    known: tuple[Path, Known], every_s: float, first: float | None, end: float | None
) -> None:
    root, usable = known
    ends = [f"{name} := '{at(s)}'" for name, s in (("from_time", first), ("to_time", end)) if s]
    words = ", ".join([f"['{B}', '{A}']", f"'{every_s} seconds'", *ends])
    found = fetch(root, f"FROM align({words})").to_pylist()
    assert [{**row, "mean": row["mean"] and round(row["mean"], 9)} for row in found] == _aligned(
        usable, timedelta(seconds=every_s), first and at(first), end and at(end)
    )


def _aligned(
    usable: Known, every: timedelta, first: datetime | None, end: datetime | None
) -> list[dict[str, object]]:
    """The same in plain Python."""
    origin = datetime(2000, 1, 3, tzinfo=UTC)
    buckets = defaultdict(list)
    for tag, time, value in sorted(usable, key=lambda one: one[1]):
        if tag in (A, B) and (first is None or first <= time) and (end is None or time < end):
            buckets[tag, origin + (time - origin) // every * every].append((time, value))
    times = [time for _, time in buckets]
    time = origin + ((first or min(times)) - origin) // every * every
    last = max(times) if end is None else end - timedelta(microseconds=1)
    held = {
        tag: max((o[1:] for o in usable if o[0] == tag and first and o[1] < first), default=None)
        for tag in (A, B)
    }
    rows: list[dict[str, object]] = []
    while time <= last:
        for tag in (A, B):
            here = buckets.get((tag, time), [])
            held[tag] = here[-1] if here else held[tag]
            mean = round(sum(value for _, value in here) / len(here), 9) if here else None
            when, value = held[tag] or (None, None)
            names = ("time", "tag", "mean", "last", "last_time", "count")
            rows.append(dict(zip(names, (time, tag, mean, value, when, len(here)), strict=True)))
        time += every
    return rows


def test_a_tag_that_does_not_exist_is_a_gap_in_align(known: tuple[Path, Known]) -> None:
    sql = (
        f"SELECT DISTINCT mean, last, count FROM align(['{A}', 'nope'], '1 day') WHERE tag = 'nope'"
    )
    assert rows_of(known[0], sql) == [(None, None, 0)]


def test_asof_is_the_newest_that_is_not_later(root: Path) -> None:
    put(root, [A] * 4, [10, 20, 30, 40], value=[1.0, 2.0, 3.0, 4.0], quality=[0, 1, 2, 0])
    put(root, [B] * 4, [9, 20, 35, 50], value=[5.0, 6.0, 7.0, 8.0])
    assert rows_of(root, f"FROM asof('{A}', '{B}')") == [
        (at(9), 5.0, None, None, None),
        (at(20), 6.0, 2.0, None, at(20)),
        (at(35), 7.0, 2.0, None, at(20)),
        (at(50), 8.0, 4.0, None, at(40)),
    ]
    within = f"FROM asof('{A}', '{B}', from_time := '{at(20)}', to_time := '{at(50)}')"
    assert [row[0] for row in rows_of(root, within)] == [at(20), at(35)]


def test_asof_of_times_and_of_texts(root: Path) -> None:
    put(root, [A] * 2, [10, 20], value=[None, None], text=["RUN", "STOP"])
    times = "[TIMESTAMPTZ '2026-01-05 00:00:15Z', TIMESTAMPTZ '2026-01-05 00:00:05Z']"
    assert rows_of(root, f"SELECT source_time, text FROM asof('{A}', {times})") == [
        (at(5), None),
        (at(15), "RUN"),
    ]


def test_of_readings_at_one_time_the_first_stands_in_asof(root: Path) -> None:
    reasons = [0, int(Reason.CONFLICT)]
    put(root, [A] * 2, [10, 10], value=[1.0, 2.0], quality=[0, 1], reasons=reasons)
    put(root, [B], [10])
    assert [row[2] for row in rows_of(root, f"FROM asof('{A}', '{B}')")] == [1.0]


@pytest.mark.parametrize("points", [4, 40, 400, 5000])
@pytest.mark.parametrize(
    "ends", ["", ", from_time := '2026-01-05 01:00', to_time := '2026-01-05 02:00'"]
)
def test_downsample_keeps_what_a_line_chart_shows(
    known: tuple[Path, Known], points: int, ends: str
) -> None:
    root, usable = known
    kept = rows_of(root, f"FROM downsample('{A}', {points}{ends})")
    first, end = (at(3600), at(7200)) if ends else (None, None)
    of_tag = [o[1:] for o in usable if o[0] == A and (not end or at(3600) <= o[1] < end)]
    assert len(kept) <= points
    assert set(kept) <= set(of_tag)
    whole = [(time, value) for time, value in kept if isinstance(time, datetime)]
    assert _columns(whole, points // 4, (first, end)) == _columns(of_tag, points // 4, (first, end))


def _columns(
    rows: list[tuple[datetime, object]], count: int, ends: tuple[datetime | None, datetime | None]
) -> dict[int, tuple[object, ...]]:
    """What is drawn in each column of pixels: where the line enters and leaves, how far it goes."""
    first, last = min(rows)[0], max(rows)[0]
    if ends[0] and ends[1]:
        first, last = ends[0], ends[1] - timedelta(microseconds=1)
    us = timedelta(microseconds=1)
    width = ((last - first) // us // count + 1) * us
    columns = defaultdict(list)
    for time, value in sorted(rows):
        columns[(time - first) // width].append((time, value))
    return {
        number: (here[0], here[-1], min(v for _, v in here), max(v for _, v in here))
        for number, here in columns.items()
    }


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("around('{tag}')", "around.tag, event_time, span"),
        ("around('{tag}', 'yesterday', '1 s')", "invalid timestamp"),
        ("around('{tag}', '2026-01-05', 5)", "INTERVAL"),
        ("align('{tag}', '1 hour')", "cast to the destination type"),
        ("align(['{tag}'], '0 s')", "using zero"),
        ("align(['{tag}'], '-1 hour')", "greater than 0"),
        ("align(['nope'], '-1 hour')", "give an interval above 0"),
        ("asof('{tag}', 5)", "asof.tag, other VARCHAR"),
        ("downsample('{tag}', 3)", "give 4 points or more"),
        ("downsample('{tag}', 'x')", "Could not convert"),
        ("downsample('{tag}', from_time := 'x')", "invalid timestamp"),
    ],
)
def test_nonsense_is_refused_in_one_line(known: tuple[Path, Known], sql: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as refusal:
        fetch(known[0], "FROM " + sql.format(tag=A))
    assert "\n" not in str(refusal.value)


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten segments of an hour each, of three tags; the rollups have them all."""
    root = tmp_path_factory.mktemp("days") / "lake"
    for number in range(10):
        seconds = [number * 3600 + 20.0 * step for step in range(180)]
        put(root, [A, B, "s/a/l/m/z"] * 60, seconds)
    while roll_up(root):
        pass
    return root


SPAN = "from_time := '2026-01-05 04:00', to_time := '2026-01-05 05:00'"


@pytest.mark.parametrize(
    ("sql", "most"),
    [
        (f"FROM around('{A}', '2026-01-05 04:30', '10 minutes')", 1),
        (f"FROM downsample('{A}', 100, {SPAN})", 2),
        # the values may be older than the range
        (f"FROM asof('{A}', '{B}', {SPAN})", 1 + 5),
        (f"FROM align(['{A}', '{B}'], '7 seconds', {SPAN})", 2),
        (f"SELECT * FROM readings WHERE tag = '{A}' AND source_time < '2026-01-05 00:10'", 1),
        (f"SELECT * FROM raw.readings WHERE tag = '{A}' AND source_time < '2026-01-05 00:10'", 1),
        (f"SELECT * FROM minute WHERE tag = '{A}' AND minute < '2026-01-05 00:10'", 1),
        (f"SELECT * FROM hour WHERE tag = '{A}' AND hour < '2026-01-05 01:00'", 1),
        ("SELECT * FROM readings WHERE tag = 's/a/l/m/zz'", 0),
        ("FROM align(['s/a/l/m/zz', 's/b'], '7 seconds')", 0),
    ],
)
def test_tag_and_time_reach_the_scan(days: Path, sql: str, most: int) -> None:
    assert len(fetch(days, "FROM ducklake_list_files('lake', 'readings', schema => 'clean')")) == 10
    assert sum(files_read(days, sql)) <= most


def test_a_store_of_an_older_program_is_read_without_what_it_lacks(root: Path) -> None:
    with Lake.open(root, writer="ingest") as lake:
        as_format_1(lake, root)
    assert fetch(root, f"FROM around('{A}', '2026-01-05', '1 s')").num_rows == 0
    with pytest.raises(DataError, match="align does not exist"):
        fetch(root, f"FROM align(['{A}'], '1 s')")
    with gainline.connect(str(root)) as connection:
        assert connection.execute("SELECT count(*) FROM readings").fetchall() == [(0,)]


def test_a_schema_of_its_own_has_each_macro(known: tuple[Path, Known]) -> None:
    found = fetch(known[0], f"SELECT * FROM downsample('{A}') LIMIT 0").schema
    assert found.names == ["source_time", "value"]
    assert found.field("source_time").type == pa.timestamp("us", tz="UTC")
