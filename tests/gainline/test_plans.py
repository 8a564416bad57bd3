"""The verbs of gainline.decisions.plan_verbs: a pilot before an upgrade, a roll-out after it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gainline.cli import run
from gainline.files.tables import write_table
from ingest.plant.plan import PlantPlan
from ingest.plant.simulation import simulate

Answer = dict[str, Any]

CONFIG = """
[economics]
price_per_unit = 1.6
investment = 350000.0
running_cost_per_year = 25000.0
[gain]
ramp_periods = 3
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("plan")
    plant = simulate(PlantPlan(upgraded_share=0.25))
    write_table(plant.books.panel.table, made / "panel.csv")
    write_table(plant.upgrades.table, made / "upgrades.csv")
    (made / "gainline.toml").write_text(CONFIG)
    return made


def asked(folder: Path, capsys: pytest.CaptureFixture[str], verb: str, *words: str) -> Answer:
    files = ["--upgrades", str(folder / "upgrades.csv"), "--config", str(folder / "gainline.toml")]
    code = run(["plan", verb, str(folder / "panel.csv"), *files, *words, "--json"])
    shown = capsys.readouterr()
    assert code == 0, shown.err
    return dict(json.loads(shown.out))


def test_a_pilot_is_designed_on_what_no_upgrade_has_touched(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--alpha", "1.05", "--beta", "0.03", "--runs", "20", "--budget", "800000"]
    answer = asked(
        folder,
        capsys,
        "pilot",
        *words,
        "--line-count",
        "1",
        "--line-count",
        "2",
        "--charts",
        str(folder / "drawn"),
    )
    assert (folder / "drawn" / "power.svg").exists()
    assert answer["is_enough"]
    assert {row["lines"] for row in answer["designs"]} == {1, 2}
    assert {row["periods"] for row in answer["designs"]} == {6, 13, 26}
    assert all(row["cost"] == 350_000 * row["lines"] for row in answer["designs"])
    assert len(answer["lines"]) == answer["line_count"]
    assert "L07" not in answer["lines"]  # is upgraded


def test_a_rollout_is_decided_line_by_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "--budget",
        "800000",
        "--wait",
        "13",
        "--pilots",
        "1",
        "--charts",
        str(folder / "drawn"),
    ]
    answer = asked(folder, capsys, "rollout", *words)
    assert (folder / "drawn" / "rollout.svg").exists()
    assert answer["investment"] <= 800_000
    assert len(answer["lines"]) == 12
    chosen = [row for row in answer["lines"] if row["is_chosen"]]
    assert [row["line"] for row in chosen] == answer["chosen"]
    assert answer["expected_npv"] == pytest.approx(sum(row["expected_npv"] for row in chosen))
    assert answer["npv_low"] < answer["expected_npv"] < answer["npv_high"]
    (waiting,) = answer["waiting"]
    assert waiting["pilots"] == answer["chosen"][0]
    assert waiting["years"] == pytest.approx(13 * 7 / 365.25)
    assert waiting["gain"] == pytest.approx(waiting["later"] - waiting["now"])


def test_a_line_may_have_costs_of_its_own(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    costs = tmp_path / "costs.csv"
    costs.write_text("line,investment\nL12,9000000\nL05,1\n")
    answer = asked(folder, capsys, "rollout", "--costs", str(costs))
    rows = {row["line"]: row for row in answer["lines"]}
    assert rows["L12"]["investment"] == 9_000_000
    assert not rows["L12"]["is_chosen"]
    assert rows["L05"]["investment"] == 1
    assert rows["L09"]["investment"] == 350_000


@pytest.mark.parametrize(
    ("costs", "words"),
    [
        ("line,price\nL12,1\n", "has no column investment"),
        ("line,investment\nL99,1\n", "'L99' is not one that may be upgraded"),
        ("line,investment\nL12,1\nL12,2\n", "is there twice"),
        ("line,investment\nL12,x\n", "has no number as investment"),
        ("line,investment\nL12,-5\n", "costs.csv: line 'L12' has no number as investment"),
        ("line,investment\nL12,inf\n", "give one that is not negative"),
    ],
)
def test_costs_that_do_not_fit_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, costs: str, words: str
) -> None:
    path = tmp_path / "costs.csv"
    path.write_text(costs)
    files = [str(folder / "panel.csv"), "--upgrades", str(folder / "upgrades.csv")]
    config = ["--config", str(folder / "gainline.toml")]
    assert run(["plan", "rollout", *files, "--costs", str(path), *config]) == 1
    assert words in capsys.readouterr().err


def test_pilots_that_nobody_waits_for_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(folder / "panel.csv"), "--upgrades", str(folder / "upgrades.csv")]
    assert run(["plan", "rollout", *files, "--pilots", "2"]) == 2
    assert "--pilots is for --wait" in capsys.readouterr().err


def test_plans_are_read_by_people(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["--upgrades", str(folder / "upgrades.csv"), "--config", str(folder / "gainline.toml")]
    assert run(["plan", "rollout", str(folder / "panel.csv"), *files]) == 0
    shown = capsys.readouterr().out
    assert "chosen  L12, L09, L04" in shown
    assert "\nlines\nline  investment  expected_npv" in shown
    words = ["--runs", "20", "--line-count", "1", "--periods", "13", "--alpha", "1.001"]
    assert run(["plan", "pilot", str(folder / "panel.csv"), *files, *words]) == 0
    assert "note: no design shows what is hoped for" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("", "the panel has no rows"),
        ("L1,2024-01-01,many,1\n", "'output' is string, not numeric"),
        ("L1,2024-01-01,1,1\nL1,2024-01-01,1,1\n", "is there twice"),
    ],
)
def test_what_is_no_panel_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, rows: str, words: str
) -> None:
    path = tmp_path / "panel.csv"
    path.write_text(f"line,period,output,unit_cost\n{rows}")
    assert run(["plan", "pilot", str(path)]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("budget", ["-1", "nan", "inf"])
def test_a_budget_is_money(capsys: pytest.CaptureFixture[str], budget: str) -> None:
    assert run(["plan", "pilot", "panel.csv", f"--budget={budget}"]) == 2
    assert "not negative" in capsys.readouterr().err


def test_a_gain_that_no_pilot_could_hope_for_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["plan", "pilot", "panel.csv", "--alpha", "0.9"]) == 2
    assert "multiplier above 1" in capsys.readouterr().err


def test_a_budget_without_a_cost_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = tmp_path / "gainline.toml"
    config.write_text("[economics]\nprice_per_unit = 1.6\n")
    panel, upgrades = str(folder / "panel.csv"), str(folder / "upgrades.csv")
    words = ["--upgrades", upgrades, "--budget", "1", "--config", str(config)]
    for verb in ("pilot", "rollout"):
        assert run(["plan", verb, panel, *words]) == 3
        assert "economics.investment is 0" in capsys.readouterr().err
