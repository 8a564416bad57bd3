"""What store.shifts.kept_shifts keeps: whatever comes in whatever order, it equals a rebuild."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from contracts.batches import RawBatch, RawCommit
from contracts.tags import Kind, Place, Tag
from gainline.cli import run
from gainline.config.loading import Settings, load
from gainline.kpis.shift_keeping import keep_shifts_of
from store.lake import Lake
from store.query import fetch
from store.safety.scrub import scrub
from tests.store.samples import START_US, clean_commit, raw_rows

START = datetime.fromtimestamp(START_US / 1e6, UTC)
NOW = START + timedelta(days=70)
# Berlin and Shanghai begin their days at other moments; a stop reaches over midnight.
CONFIG = """
[[calendar]]
site = "berlin"
zone = "Europe/Berlin"
shifts = [
    { name = "early", start = "06:00", end = "14:00" },
    { name = "night", start = "22:00", end = "06:00" },
]
breaks = [{ start = "12:00", end = "12:30" }]
[[calendar]]
site = "shanghai"
zone = "Asia/Shanghai"
shifts = [{ name = "day", start = "08:00", end = "20:00" }]
[kpi]
units_per_hour = 120.0
[prices]
co2_tag = "grid/co2"
"""
METRICS = ("state", "good_count", "scrap_count", "energy_kwh")

Reading = tuple[str, float, float]  # tag, hour, value


class Plant:
    """A store, and the readings that are still to come to it."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "lake"
        self.config = root / "gainline.toml"
        self.config.write_text(CONFIG)
        self._arrival = 0
        self._lakes = [Lake.open(self.folder, writer=writer) for writer in ("ingest", "judge")]

    @property
    def settings(self) -> Settings:
        return load(self.config, environment={"GAINLINE__STORE__FOLDER": str(self.folder)})

    def commit(self, readings: list[Reading]) -> None:
        rows = raw_rows(
            self._arrival,
            len(readings),
            tag=[tag for tag, _, _ in readings],
            source_time=[START_US + int(hour * 3_600_000_000) for _, hour, _ in readings],
            value=[value for _, _, value in readings],
        )
        tags = [
            Tag(tag, place(tag), None, Kind.COUNTER)
            for tag in sorted({one for one, _, _ in readings})
        ]
        self._arrival += len(readings)
        ingest, judge = self._lakes
        ingest.commit_raw(
            RawCommit(RawBatch(rows), (), (), self._arrival, self._arrival, b""), new_tags=tags
        )
        judge.commit_clean(clean_commit(rows))

    def keep(self) -> int:
        return keep_shifts_of(self.settings, NOW)

    def kept(self) -> dict[str, list[dict[str, Any]]]:
        found = {
            "sums": "SELECT * FROM clean.shift_sums ORDER BY site, line, day, shift",
            "stops": "SELECT * FROM clean.stops ORDER BY site, line, machine, begins",
        }
        return {name: fetch(self.folder, sql).to_pylist() for name, sql in found.items()}

    def rebuilt(self) -> dict[str, list[dict[str, Any]]]:
        """What is kept when all of it was forgotten and is made anew."""
        lake = self._lakes[0]
        for table in ("clean.shift_sums", "clean.stops", "house.shift_progress"):
            lake._connection.execute(f"DELETE FROM {table}")
        self.keep()
        return self.kept()

    def close(self) -> None:
        for lake in self._lakes:
            lake.close()


def place(tag: str) -> Place:
    if tag == "grid/co2":
        return Place(None, None, None, None, "co2")
    site, line, machine, metric = tag.split("/")
    return Place(site, "a", line, machine, metric)


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    made = Plant(tmp_path)
    yield made
    made.close()


def history(random: Random, *, days: int) -> list[Reading]:
    """Readings of three machines, with silences of hours and days, a reset and a factor by hour."""
    found: list[Reading] = []
    for site, machine in (("berlin", "m1"), ("berlin", "m2"), ("shanghai", "m1")):
        begin = 0.0 if machine == "m1" else random.uniform(20, 60)
        for metric in METRICS:
            at, value = begin, 0.0
            while at < 24 * days:
                value = random.choice([0.0, 1.0, 1.0, 2.0, 3.0]) if metric == "state" else value
                found.append((f"{site}/l/{machine}/{metric}", at, value))
                value = 0.0 if random.random() < 0.02 else value + random.randint(0, 40)
                at += random.choice([0.25, 0.25, 0.5, 1.5, 7.0, 30.0])
    found += [
        ("grid/co2", float(hour), random.uniform(0.1, 0.6)) for hour in range(0, 24 * days, 2)
    ]
    return found


def expect_equal(
    one: dict[str, list[dict[str, Any]]], other: dict[str, list[dict[str, Any]]]
) -> None:
    assert {name: len(rows) for name, rows in one.items()} == {
        name: len(rows) for name, rows in other.items()
    }
    for name, rows in one.items():
        for row, same in zip(rows, other[name], strict=True):
            numbers = {key: row[key] for key in row if isinstance(row[key], float)}
            assert {key: same[key] for key in numbers} == pytest.approx(numbers, rel=1e-9, abs=1e-6)
            assert {k: v for k, v in row.items() if k not in numbers} == {
                k: v for k, v in same.items() if k not in numbers
            }


@pytest.mark.parametrize("seed", range(3))
def test_whatever_comes_in_whatever_order_what_is_kept_equals_a_rebuild(
    plant: Plant, seed: int
) -> None:
    random = Random(seed)  # noqa: S311
    readings = sorted(history(random, days=7), key=lambda one: one[1] + random.expovariate(1 / 5))
    while readings:
        count = random.randint(20, 400)
        plant.commit(readings[:count])
        readings = readings[count:]
        if random.random() < 0.6:
            plant.keep()
    plant.keep()
    kept = plant.kept()
    assert kept["sums"]
    assert kept["stops"]
    expect_equal(kept, plant.rebuilt())


def test_what_is_kept_is_what_the_verb_says(
    plant: Plant, capsys: pytest.CaptureFixture[str]
) -> None:
    random = Random(7)  # noqa: S311
    plant.commit(sorted(history(random, days=9), key=lambda one: one[1]))
    plant.keep()
    words = ["--store", str(plant.folder), "--config", str(plant.config), "--json"]
    span = ["--from", START.isoformat(), "--to", NOW.isoformat()]
    assert run(["kpi", *words, *span]) == 0
    told = json.loads(capsys.readouterr().out)
    kept = fetch(
        plant.folder, "SELECT * FROM shift_kpi ORDER BY site, line, day, shift"
    ).to_pylist()
    assert len(kept) == len(told) > 20
    told.sort(key=lambda row: (row["site"], row["line"], row["day"], row["shift"]))
    names = set(kept[0]) & set(told[0]) - {"day"}
    assert names >= {"oee", "teep", "mtbf_h", "co2e_per_good", "hourly_factor_kwh", "ideal_s"}
    for row, same in zip(kept, told, strict=True):
        for name in names:
            assert row[name] == pytest.approx(same[name]), name


def test_a_store_that_keeps_sums_of_several_days_is_sound(plant: Plant) -> None:
    # an hour's stop, and one of three minutes on the next day
    states = [(8.0, 2.0), (9.0, 1.0), (10.0, 1.0), (32.0, 1.0), (32.05, 2.0), (32.1, 1.0)]
    plant.commit([("berlin/l/m1/state", at, state) for at, state in states])
    plant.keep()
    sql = "SELECT count(DISTINCT day) AS days, count(DISTINCT is_small) AS sizes FROM downtime"
    assert fetch(plant.folder, sql).to_pylist() == [{"days": 2, "sizes": 2}]
    assert scrub(plant.folder).damages == []


def test_a_late_reading_makes_only_its_own_days_anew(plant: Plant) -> None:
    quarters = [quarter / 4 for quarter in range(4 * 24 * 6)]
    plant.commit([("berlin/l/m1/state", at, 1.0) for at in quarters])
    assert plant.keep() == 7  # 6 days from midnight UTC are in 7 days that begin at 6 in Berlin
    plant.commit([("berlin/l/m1/state", 60.1, 2.0)])
    assert plant.keep() == 1
    assert plant.keep() == 0


def test_a_new_calendar_makes_the_days_anew_that_it_changes(plant: Plant) -> None:
    plant.commit([("berlin/l/m1/state", quarter / 4, 1.0) for quarter in range(4 * 24 * 6)])
    plant.keep()
    plant.config.write_text(CONFIG.replace("[kpi]", "holidays = [2026-01-07]\n[kpi]", 1))
    assert plant.keep() == 0  # of the other site
    berlin = CONFIG.replace(
        '[[calendar]]\nsite = "s', 'holidays = [2026-01-07]\n[[calendar]]\nsite = "s'
    )
    plant.config.write_text(berlin)
    assert plant.keep() == 1
    planned = fetch(
        plant.folder, "SELECT sum(pbt_s) AS s FROM clean.shift_sums WHERE day = '2026-01-07'"
    )
    assert planned.to_pylist() == [{"s": 0.0}]


def test_carbon_is_told_by_the_factor_of_the_hour(plant: Plant) -> None:
    plant.commit(
        [
            *[("shanghai/l/m1/state", quarter / 4, 1.0) for quarter in range(41)],
            ("shanghai/l/m1/energy_kwh", 1.0, 0.0),
            ("shanghai/l/m1/energy_kwh", 3.0, 100.0),
            ("grid/co2", 1.5, 0.2),
        ]
    )
    plant.keep()
    (row,) = fetch(plant.folder, "SELECT * FROM energy WHERE energy_kwh > 0").to_pylist()
    assert (row["energy_kwh"], row["hourly_factor_share"]) == (
        pytest.approx(100),
        pytest.approx(0.5),
    )
    assert row["co2e_kg"] == pytest.approx(50 * 0.2 + 50 * 0.38)


def test_a_step_longer_than_a_month_is_of_no_shift(plant: Plant) -> None:
    plant.commit(
        [
            *[("shanghai/l/m1/state", hour / 2, 1.0) for hour in range(2 * 24 * 40)],
            ("shanghai/l/m1/good_count", 1.0, 0.0),
            ("shanghai/l/m1/good_count", 24.0 * 30, 300.0),
            ("shanghai/l/m1/energy_kwh", 1.0, 0.0),
            ("shanghai/l/m1/energy_kwh", 24.0 * 33, 300.0),
        ]
    )
    plant.keep()
    sql = "SELECT sum(good + unplanned_good) AS good, sum(energy_kwh) AS kwh FROM clean.shift_sums"
    (row,) = fetch(plant.folder, sql).to_pylist()
    assert (row["good"], row["kwh"]) == (pytest.approx(300), 0)
    expect_equal(plant.kept(), plant.rebuilt())


def test_a_step_that_began_days_before_is_of_the_state_in_which_it_began(plant: Plant) -> None:
    quarters = [quarter / 4 for quarter in range(4 * 24 * 6)]
    plant.commit(
        [
            *[("berlin/l/m1/state", at, 2.0 if at < 20 else 1.0) for at in quarters],
            ("berlin/l/m1/energy_kwh", 10.0, 0.0),
            ("berlin/l/m1/energy_kwh", 110.0, 100.0),
        ]
    )
    plant.keep()
    plant.commit([("berlin/l/m1/state", 60.1, 2.0)])
    assert plant.keep() == 1
    kept = plant.kept()
    assert sum(row["idle_kwh"] for row in kept["sums"]) == pytest.approx(100)
    expect_equal(kept, plant.rebuilt())


def test_a_machine_is_planned_from_its_first_state_on(plant: Plant) -> None:
    plant.commit([("shanghai/l/m1/state", quarter / 4, 1.0) for quarter in range(49)])
    plant.commit([("shanghai/l/m2/state", 6 + quarter / 4, 1.0) for quarter in range(25)])
    plant.keep()
    (row,) = fetch(plant.folder, "SELECT * FROM shift_kpi").to_pylist()
    assert (row["pbt_s"], row["unknown_s"]) == (18 * 3600, 0)


def test_the_reason_of_a_stop_is_the_one_that_the_verb_tells(
    plant: Plant, capsys: pytest.CaptureFixture[str]
) -> None:
    random = Random(3)  # noqa: S311
    plant.commit(sorted(history(random, days=5), key=lambda one: one[1]))
    notes = plant.folder.parent / "notes.csv"
    rows = ["kind,site,area,line,machine,begins,ends,name,author,source_time"]
    for number in range(200):
        begins = START + timedelta(hours=random.uniform(0, 120))
        ends = begins + timedelta(hours=random.expovariate(0.5))
        place = [random.choice(["", word]) for word in ("berlin", "a", "l", "m1")]
        end = ends.isoformat() if random.random() < 0.9 else ""
        said = (START + timedelta(minutes=random.randint(0, 20))).isoformat()
        rows.append(
            ",".join(
                ["downtime_reason", *place, begins.isoformat(), end, f"r{number}", "A. B.", said]
            )
        )
    notes.write_text("\n".join(rows) + "\n")
    words = ["--store", str(plant.folder), "--config", str(plant.config)]
    assert run(["note", "import", str(notes), *words]) == 0
    plant.keep()
    capsys.readouterr()
    span = ["--from", START.isoformat(), "--to", NOW.isoformat()]
    assert run(["kpi", "--stops", "--json", *words, *span]) == 0
    told = json.loads(capsys.readouterr().out)
    kept = fetch(plant.folder, "FROM downtime ORDER BY site, line, machine, begins").to_pylist()
    names = ("site", "machine", "seconds", "reason", "reason_author", "reason_note")
    assert len({row["reason"] for row in kept}) > 3
    assert [[row[name] for name in names] for row in kept] == [
        [row[name] for name in names] for row in told
    ]
