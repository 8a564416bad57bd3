"""How the lines ran, of a store: the same as `gainline kpi`, held at the moment of the report."""

from __future__ import annotations

import json
import math
import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.notes import Heard, note_of
from contracts.report import Performance
from gainline.cli import run
from gainline.config.loading import Settings, load
from gainline.reports.performance import LENGTH, commands, performance
from gainline.reports.reporting import Occasion, write_report
from store.lake import Lake
from tests.plants import Reading, fill
from tests.store.samples import START_US

START = datetime.fromtimestamp(START_US / 1e6, UTC)  # a Monday
HOUR = timedelta(hours=1)
# Into an hour that has begun, and into the step of a counter.
MOMENT = START + timedelta(days=57, hours=9, minutes=37)
CONFIG = """
[kpi]
state_holds_s = 100000.0
units_per_hour_of = { l1 = 120.0, l2 = 60.0 }
[economics]
price_per_unit = 20.0
unit_cost = 12.0
"""
SHIFT = '{ name = "early", start = "06:00", end = "14:00" }'
LINES = ("l1", "l2")
MACHINES = {"l1/m": 100.0, "l1/n": 100.0, "l2/m": 30.0}  # and their pieces an hour
# Of l1/m on some days of the second time, from midnight on for as many hours.
DOWN_HOURS = {40: 6.0, 50: 12.0}


def readings(first: datetime, last: datetime) -> list[Reading]:
    """States by the six hours and counters by the seven, which no shift or day begins with."""
    found = []
    for machine, rate in MACHINES.items():
        for hours in range(24 * 80):
            at, day = START + hours * HOUR, hours // 24
            if not first <= at < last:
                continue
            if hours % 6 == 0:
                is_down = machine == "l1/m" and hours % 24 < DOWN_HOURS.get(day, 0.0)
                found.append((f"s/a/{machine}/state", float(hours), 2.0 if is_down else 1.0))
            if hours % 7 == 0:
                found.append((f"s/a/{machine}/good_count", float(hours), rate * hours))
                found.append((f"s/a/{machine}/scrap_count", float(hours), 2.0 * hours))
                found.append((f"s/a/{machine}/energy_kwh", float(hours), 7.0 * hours))
    return found


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "lake"
    fill(folder, readings(START, MOMENT))
    (tmp_path / "gainline.toml").write_text(CONFIG)
    return folder


def settings_of(store: Path, config: str | None = None) -> Settings:
    if config is not None:
        (store.parent / "gainline.toml").write_text(config)
    environment = {"GAINLINE__STORE__FOLDER": str(store)}
    return load(store.parent / "gainline.toml", environment=environment)


def say(store: Path, kind: str, **words: object) -> None:
    note = note_of({"kind": kind, **words}, Heard(MOMENT, "csv", author="A. Brun"))
    with Lake.open(store, writer="notes") as lake:
        lake.add_notes([note])


def answered(store: Path, capsys: pytest.CaptureFixture[str], command: str) -> list[dict[str, Any]]:
    """Give what a command of the report prints."""
    words = shlex.split(command)[1:]
    config = ["--store", str(store), "--config", str(store.parent / "gainline.toml"), "--json"]
    assert run([*words, *config]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_the_report_equals_the_commands_that_it_names(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = performance(settings_of(store), MOMENT)
    assert (told.begins, told.ends) == (told.ends - LENGTH, START + timedelta(days=57, hours=6))
    named = commands(told)
    for name, of in (("KPIs", "now"), ("KPIs of the time before", "before")):
        rows = answered(store, capsys, named[name])
        assert [row["line"] for row in rows] == [row.line for row in told.lines] == list(LINES)
        for row, line in zip(rows, told.lines, strict=True):
            shown = getattr(line, of)
            assert {key: row[key] for key in shown} == pytest.approx(shown)
            assert shown["oee"] is not None
    assert told.lines[0].now["mttr_h"] == pytest.approx(9.0)  # two failures, of 6 and 12 hours
    losses = answered(store, capsys, named["Losses"])
    assert [(one.name, one.hours * 60, one.money) for one in told.losses] == [
        (row["name"], pytest.approx(row["minutes"]), pytest.approx(row["money"])) for row in losses
    ]


def test_the_plant_is_the_sum_of_its_lines_and_not_their_mean(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = performance(settings_of(store), MOMENT)
    rows = answered(store, capsys, commands(told)["KPIs"])
    apt, pbt, ideal, good, made = (
        sum(row[name] for row in rows) for name in ("apt_s", "pbt_s", "ideal_s", "good", "good")
    )
    made += sum(row["scrap"] + row["rework"] for row in rows)
    oee = told.plant.now["oee"]
    assert oee == pytest.approx((apt / pbt) * (ideal / apt) * (good / made))
    mean = sum(row["oee"] for row in rows) / len(rows)
    assert oee is not None
    assert abs(oee - mean) > 0.01


def test_readings_after_the_moment_change_nothing(store: Path) -> None:
    settings, before = settings_of(store), readings(START, MOMENT)
    told = performance(settings, MOMENT)
    hour = (MOMENT - START) / HOUR
    later = [
        ("s/a/l1/m/state", hour + 1 / 60, 2.0),
        ("s/a/l2/m/state", math.ceil(hour), 2.0),
        ("s/a/l3/m/state", hour + 2 / 60, 1.0),
        ("s/a/l1/m/good_count", hour + 3 / 60, 1e6),
        ("s/a/l2/m/energy_kwh", hour + 48, 1e6),
    ]
    fill(store, later, first=len(before))
    assert performance(settings, MOMENT) == told
    assert performance(settings, MOMENT + timedelta(days=3)) != told


def test_a_recording_is_told_by_its_own_end(store: Path) -> None:
    settings = settings_of(store)
    years_later = performance(settings, MOMENT + timedelta(days=1000))
    assert years_later.ends == START + timedelta(days=57, hours=6)
    assert years_later == performance(settings, MOMENT)


def test_a_line_that_is_new_has_nothing_before(tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    fill(folder, readings(START, START + timedelta(days=20)))
    (tmp_path / "gainline.toml").write_text(CONFIG)
    told = performance(settings_of(folder), MOMENT)
    assert [(row.line, row.before) for row in told.lines] == [("l1", {}), ("l2", {})]
    assert told.plant.before == {}
    assert told.plant.now["availability"] == 1.0


def test_a_zero_that_nobody_has_counted_is_not_known(store: Path) -> None:
    config = CONFIG.replace("[kpi]", '[kpi]\nscrap_count = "none"').replace(", l2 = 60.0", "")
    told = performance(settings_of(store, config + '[panel]\nenergy_kwh = "none"\n'), MOMENT)
    unknown = ("quality_ratio", "scrap_ratio", "energy_per_good", "co2e_per_good")
    assert [told.plant.now[name] for name in (*unknown, "oee")] == [None] * 5
    assert told.lines[0].now["oee"] is not None  # l1 has a rate


def test_notes_are_seen_in_their_lines(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = settings_of(store)
    assert performance(settings, MOMENT).reasons == ()
    down = START + timedelta(days=50)
    say(store, "target", name="oee", value=0.8)
    say(store, "target", name="oee", value=0.9, line="l1")
    say(store, "downtime_reason", name="jam", line="l1", begins=f"{down:%Y-%m-%dT%H:%M}Z")
    say(
        store,
        "planned_stop",
        line="l2",
        begins=f"{down:%Y-%m-%dT%H:%M}Z",
        ends=f"{down + HOUR:%Y-%m-%dT%H:%M}Z",
    )
    told = performance(settings, MOMENT)
    first, second = told.lines
    assert (told.plant.targets, first.targets, second.targets) == (
        {"oee": 0.8},
        {"oee": 0.9},
        {"oee": 0.8},
    )
    assert (told.plant.is_noted, first.is_noted, second.is_noted) == (True, False, True)
    assert [(one.name, one.hours, one.state) for one in told.reasons] == [
        ("jam", 12.0, None),
        ("down", 6.0, 2.0),
    ]
    rows = answered(store, capsys, commands(told)["Reasons of stops"])
    assert [row["minutes"] for row in rows] == [720, 360]


def test_the_report_says_it_with_the_commands(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    report = write_report(settings_of(store), out, Occasion("Report", MOMENT))
    assert isinstance(report.performance, Performance)
    page = out.read_text()
    assert "How the lines ran" in page
    for command in commands(report.performance).values():
        assert command in page


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ('[panel]\nstate = "mood"\n', "no line has a state"),
        (f'[[calendar]]\nzone = "Mars/Base"\nshifts = [{SHIFT}]\n', "Mars/Base"),
    ],
)
def test_a_report_that_cannot_tell_it_says_why_and_tells_the_rest(
    store: Path, tmp_path: Path, config: str, why: str
) -> None:
    out = tmp_path / "report.html"
    report = write_report(settings_of(store, config), out, Occasion("Report", MOMENT))
    assert report.performance is None
    assert why in report.no_performance_because
    assert "It cannot be told how the lines ran" in out.read_text()
    assert len(report.quality) == len(LINES)


def test_before_the_first_state_there_is_nothing_to_tell(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    occasion = replace(Occasion("Report", MOMENT), until=START - HOUR)
    report = write_report(settings_of(store), out, occasion)
    assert "no line has a state" in report.no_performance_because
