"""The verb of gainline.kpis.verbs: from readings in a lake to the KPIs of a line in a shift."""

import json
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from gainline.cli import run
from gainline.config.loading import load
from gainline.kpis.answers import kpi_rows
from gainline.kpis.pareto import losses_of
from tests.plants import fill

MINUTE_US = 60_000_000
# Monday, 5 January 2026, from midnight UTC on, which is 1 o'clock in Berlin.
CONFIG = """
[[calendar]]
site = "s"
zone = "Europe/Berlin"
shifts = [
    { name = "early", start = "06:00", end = "14:00" },
    { name = "night", start = "22:00", end = "06:00" },
]
breaks = [{ start = "12:00", end = "12:30" }]
[kpi]
units_per_hour_of = { l = 120.0 }
[prices]
co2_kg_per_kwh = 0.5
[economics]
price_per_unit = 20.0
unit_cost = 12.0
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled") / "lake"
    down = {9.0 + quarter / 4 for quarter in range(8)}
    states = [(hour / 4, 2.0 if hour / 4 in down else 1.0) for hour in range(20, 53)]
    series = {
        "state": [(at, value if 5 <= at < 13 else 0.0) for at, value in states],
        "good_count": [(5, 1000), (9, 1400), (13, 1550)],
        "scrap_count": [(5, 0), (13, 50)],
        "energy_kwh": [(5, 0), (9, 200), (11, 220), (13, 320)],
    }
    fill(
        folder,
        [(f"s/a/l/m/{metric}", at, value) for metric, its in series.items() for at, value in its],
    )
    return folder


@pytest.fixture
def store(filled: Path, tmp_path: Path) -> Path:
    """A line that runs from 6 to 14 in Berlin but for two hours; its states come by the quarter."""
    (tmp_path / "gainline.toml").write_text(CONFIG)
    return Path(shutil.copytree(filled, tmp_path / "lake"))


def asked(
    store: Path, capsys: pytest.CaptureFixture[str], *options: str
) -> list[dict[str, object]]:
    config = str(store.parent / "gainline.toml")
    assert run(["kpi", "--store", str(store), "--config", config, "--json", *options]) == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def test_a_shift_is_told_with_its_kpis_and_losses(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (row,) = asked(store, capsys)
    assert (row["site"], row["line"], row["day"], row["shift"]) == ("s", "l", "2026-01-05", "early")
    assert (row["pbt_s"], row["apt_s"], row["adot_s"]) == (7.5 * 3600, 6 * 3600 - 1800, 7200)
    assert row["availability"] == pytest.approx(5.5 / 7.5)
    assert (row["failure_count"], row["mttr_h"]) == (1, 2.0)
    assert (row["energy_kwh"], row["idle_kwh"]) == (pytest.approx(320), pytest.approx(20))
    good = 550 - 150 / 8  # the pieces of half an hour of break
    scrap = 50 * 7.5 / 8
    assert (row["good"], row["scrap"]) == (pytest.approx(good), pytest.approx(scrap))
    assert row["effectiveness"] == pytest.approx((good + scrap) * 30 / (5.5 * 3600))
    assert row["co2e_per_good"] == pytest.approx(320 * 0.5 / good)
    assert (row["coverage"], row["good_share"]) == (1.0, 1.0)
    losses = row["losses"]
    assert isinstance(losses, list)
    assert losses[0] == {"name": "breakdown", "minutes": 120.0, "money": pytest.approx(240 * 8)}


def test_a_day_and_a_week_are_the_sums_of_their_shifts(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shift,), (day,), (week,), (all_,) = (
        asked(store, capsys, "--by", by) for by in ("shift", "day", "week", "all")
    )
    assert (day["day"], day["shift"], week["day"]) == ("2026-01-05", None, "2026-01-05")
    assert day["oee"] == week["oee"] == all_["oee"] == shift["oee"]


def test_all_the_time_is_one_row_a_line_of_its_last_day(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (store.parent / "gainline.toml").write_text(
        CONFIG.replace('start = "06:00", end = "14:00"', 'start = "10:00", end = "09:00"').replace(
            '    { name = "night", start = "22:00", end = "06:00" },\n', ""
        )
    )
    days = asked(store, capsys, "--by", "day")
    assert [row["day"] for row in days] == ["2026-01-04", "2026-01-05"]
    (row,) = asked(store, capsys, "--by", "all")
    assert (row["line"], row["day"], row["shift"]) == ("l", "2026-01-05", None)
    good = [float(str(one["good"])) for one in days]
    assert (len(good), row["good"]) == (2, pytest.approx(sum(good)))


def test_a_part_of_the_time_is_told_as_the_whole_tells_it(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (whole,) = asked(store, capsys)
    ends = ("2026-01-05T05:00:00Z", "2026-01-05T09:20:00Z", "2026-01-05T13:00:00Z")
    parts = [asked(store, capsys, "--from", begin, "--to", end)[0] for begin, end in pairwise(ends)]
    for name in ("pbt_s", "apt_s", "adot_s", "good", "scrap", "energy_kwh", "idle_kwh"):
        told = [float(str(part[name])) for part in parts]
        assert all(told), name
        assert sum(told) == pytest.approx(float(str(whole[name]))), name
    assert asked(store, capsys, "--from", ends[0]) == [whole]


def test_a_time_without_readings_is_named(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["kpi", "--store", str(store), "--from", "2026-02-01T00:00:00Z"]) == 1
    assert "no line has a state in this time: check --from" in capsys.readouterr().err


def test_without_the_rate_of_a_line_there_is_no_oee(
    store: Path,
) -> None:
    settings = load(None, environment={"GAINLINE__STORE__FOLDER": str(store)})
    rows = kpi_rows(settings, "day")
    assert [(row["day"], row["oee"]) for row in rows] == [("2026-01-05", None)]


def test_stops_are_listed(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (stop,) = asked(store, capsys, "--stops", "--line", "l")
    assert (stop["begins"], stop["ends"]) == (
        "2026-01-05T09:00:00.000000Z",
        "2026-01-05T11:00:00.000000Z",
    )
    assert (stop["seconds"], stop["kind"], stop["is_small"]) == (7200, "down", False)


def test_a_line_that_is_not_there_is_named(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["kpi", "--store", str(store), "--line", "x"]) == 1
    assert "no line is called 'x'; there are l" in capsys.readouterr().err


def test_people_get_a_table(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["kpi", "--store", str(store), "--by", "day"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split()[:4] == ["site", "line", "day", "shift"]


def test_a_line_that_never_stood_still_has_no_stops(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = ("--line", "l", "--from", "2026-01-05T05:00:00Z", "--to", "2026-01-05T08:00:00Z")
    for words in (("--stops", *before), ("--pareto", "stops", *before)):
        assert asked(store, capsys, *words) == []
        config = str(store.parent / "gainline.toml")
        assert run(["kpi", "--store", str(store), "--config", config, *words]) == 0
        assert len(capsys.readouterr().out.splitlines()) == 2  # the head alone


def test_losses_and_stops_are_summed_up_the_largest_first(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = asked(store, capsys, "--pareto", "losses")
    assert lost[0]["name"] == "breakdown"
    assert (lost[0]["minutes"], lost[0]["money"]) == (120.0, pytest.approx(240 * 8))
    shares = [float(str(row["share_so_far"])) for row in lost]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    (stop,) = asked(store, capsys, "--pareto", "stops")
    assert stop == {
        "name": "down, state 2",
        "minutes": 120.0,
        "share_so_far": 1.0,
        "money": None,
        "count": 1,
    }
    words = ["--store", str(store), "--pareto", "losses", "--stops"]
    assert run(["kpi", *words]) == 2
    assert "give one of them" in capsys.readouterr().err


def test_a_loss_of_no_time_costs_nothing_and_one_of_unknown_worth_an_unknown_sum() -> None:
    known, none, unknown = (
        {"losses": [{"name": "breakdown", "minutes": minutes, "money": money}]}
        for minutes, money in ((60.0, 5.0), (0.0, None), (30.0, None))
    )
    for rows, money in (([known, none], 5.0), ([none, known], 5.0), ([known, unknown], None)):
        (lost,) = losses_of(rows)
        assert lost["money"] == money


def test_where_nothing_was_made_the_planned_rate_says_what_was_lost(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = CONFIG.replace("[kpi]", '[kpi]\nscrap_count = "no_such"')
    (store.parent / "gainline.toml").write_text(text + '[panel]\ngood_count = "no_such"\n')
    lost = {row["name"]: row["money"] for row in asked(store, capsys, "--pareto", "losses")}
    assert lost == {
        "breakdown": pytest.approx(2 * 120 * 8),
        "reduced_speed": pytest.approx(5.5 * 120 * 8),  # it ran, and nothing was counted
    }


def test_people_read_a_pareto_as_a_table(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["kpi", "--store", str(store), "--pareto", "stops"]) == 0
    head, _, row = capsys.readouterr().out.splitlines()[:3]
    assert head.split() == ["name", "minutes", "share_so_far", "count"]
    assert row.split()[-3:] == ["120", "1.000", "1"]
