"""gainline.gains.panel_verbs: the readings of a store become the panel that a gain takes."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from contracts.tags import Kind
from gainline.cli import run
from gainline.files.tables import read_table
from tests.plants import fill

HOURS = 3 * 7 * 24
LOST = range(200, 260)  # of the second week more than a third
CONFIG = """
[panel]
mix = "mix"
[prices]
energy_per_kwh = 0.2
material_per_kg = 2.0
labour_per_hour = 5.0
maintenance_per_hour = 1.0
[[upgrades]]
line = "l"
upgraded_on = 2026-01-19
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A line that is loaded two hours of three; an hour makes 100 pieces of 10 kWh and 5 kg."""
    readings = [
        (f"s/a/l/m/{metric}", float(hour), value)
        for hour in range(HOURS + 1)
        if hour not in LOST
        for metric, value in (
            ("state", float(hour % 3 > 0)),
            ("good_count", 100.0 * hour),
            ("energy_kwh", 10.0 * hour),
            ("material_kg", 5.0 * hour),
            ("mix", 0.5),
            ("ambient_c", 20.0),
        )
    ]
    folder = tmp_path / "lake"
    fill(folder, readings, kind=Kind.GAUGE)
    (tmp_path / "gainline.toml").write_text(CONFIG)
    return folder


def written(store: Path, *words: str) -> int:
    config = str(store.parent / "gainline.toml")
    return run(["panel", *words, "--store", str(store), "--config", config])


def test_a_store_becomes_a_panel_and_what_is_left_out_is_listed(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    panel, upgrades = store.parent / "panel.csv", store.parent / "upgrades.csv"
    assert written(store, str(panel), "--upgrades", str(upgrades), "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["rows"] == 2
    assert [(one["period"], one["reason"]) for one in said["left_out"]] == [
        ("2026-01-12", "coverage"),
        ("2026-01-26", "coverage"),
    ]
    first, second = read_table(panel).to_pylist()
    assert (first["period"], second["period"]) == (date(2026, 1, 5), date(2026, 1, 19))
    assert (first["line"], first["output"], first["coverage"]) == ("l", 16_800, 1)
    assert first["load_hours"] == pytest.approx(112)
    # energy and material of every hour; labour and upkeep of loaded ones, two of three
    assert first["unit_cost"] == pytest.approx((10 * 0.2 + 5 * 2.0 + 6.0 * 2 / 3) / 100)
    assert read_table(upgrades).to_pylist() == [{"line": "l", "upgraded_on": date(2026, 1, 19)}]


def test_an_upgrade_that_somebody_noted_is_written_too(store: Path, tmp_path: Path) -> None:
    words = ["note", "upgrade", "--line", "l", "--on", "2026-01-12", "--author", "shift lead"]
    config = str(tmp_path / "gainline.toml")
    assert run([*words, "--store", str(store), "--config", config]) == 0
    upgrades = tmp_path / "upgrades.parquet"
    assert written(store, str(tmp_path / "panel.parquet"), "--upgrades", str(upgrades)) == 0
    assert read_table(upgrades)["upgraded_on"].to_pylist() == [date(2026, 1, 12)]


def test_a_panel_by_the_day_lists_days_of_which_nothing_came(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert written(store, str(tmp_path / "panel.parquet"), "--every", "day") == 0
    table = read_table(tmp_path / "panel.parquet")
    assert table.num_rows == 18
    assert set(table["site"].to_pylist()) == {"s"}
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("left out")]
    assert [line.split()[3:5] for line in said] == [
        ["2026-01-13", "coverage"],
        ["2026-01-14", "missing"],
        ["2026-01-15", "coverage"],
        ["2026-01-26", "coverage"],
    ]
    assert set(table["output"].to_pylist()) == {2400.0}


def test_a_file_that_cannot_be_written_is_said_before_the_work(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert written(store, str(store.parent / "panel.xlsx")) == 1
    assert "name it .parquet or .csv" in capsys.readouterr().err
