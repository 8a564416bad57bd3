"""The verb of gainline.decisions.profit_verbs: what a gain does to profit, known or of a panel."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from gainline.cli import run
from gainline.files.tables import write_table
from ingest.plant.plan import PlantPlan
from ingest.plant.simulation import simulate

PLANT = """
[prices]
energy_per_kwh = 0.15
[economics]
price_per_unit = 20.0
fixed_cost_per_year = 700000.0
[economics.plant]
hours_per_year = 6000.0
units_per_hour = 60.0
oee = 0.65
material_cost_per_unit = 10.0
energy_kwh_per_unit = 1.8
labour_cost_per_hour = 58.0
maintenance_cost_per_hour = 20.0
"""
ONE_LINE = """
[economics]
price_per_unit = 20.0
good_units_per_year = 1000.0
unit_cost = 10.0
"""


def answered(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, *words: str
) -> dict[str, float]:
    path = tmp_path / "gainline.toml"
    path.write_text(text, encoding="utf-8")
    assert run(["profit", *words, "--config", str(path), "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    plant, folder = simulate(PlantPlan()), tmp_path_factory.mktemp("panel")
    write_table(plant.books.panel.table, folder / "panel.csv")
    write_table(plant.upgrades.table, folder / "upgrades.csv")
    return ["--panel", str(folder / "panel.csv"), "--upgrades", str(folder / "upgrades.csv")]


def test_the_founding_example_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["profit", "--alpha", "1.2", "--beta", "0.1", "--model", "cost_plus", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["profit_ratio"] == pytest.approx(1.08, abs=1e-12)


def test_a_line_that_sells_at_a_price_gets_no_ratio_of_another_contract(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "gainline.toml"
    path.write_text("[economics]\nprice_per_unit = 1.6\n", encoding="utf-8")
    words = ["profit", "--alpha", "1.2", "--beta", "0.1", "--config", str(path)]
    assert run(words) == 3
    assert "good_units_per_year and unit_cost are not set" in capsys.readouterr().err
    assert run([*words, "--model", "cost_plus"]) == 0
    assert capsys.readouterr().out == "profit_ratio  1.08\n"


@pytest.mark.parametrize(
    ("alpha", "beta", "fix"),
    [("-1", "0", "give a multiplier"), ("5000", "0", "multiplier"), ("1", "1.5", "give a share")],
)
def test_a_gain_that_cannot_be_is_refused_with_its_remedy(
    capsys: pytest.CaptureFixture[str], alpha: str, beta: str, fix: str
) -> None:
    assert run(["profit", "--alpha", alpha, "--beta", beta]) == 2
    assert fix in capsys.readouterr().err


def test_a_plant_makes_the_figures_of_the_model(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    answer = answered(capsys, tmp_path, PLANT, "--alpha", "1.2", "--beta", "0.1")
    assert round(answer["profit_ratio"], 3) == 1.637
    assert answer["profit_before"] == pytest.approx(1_108_820)
    assert "irr" not in answer  # nothing is invested
    capped = PLANT.replace("[economics]", "[economics]\ndemand_per_year = 234000.0")
    answer = answered(capsys, tmp_path, capped, "--alpha", "1.2", "--beta", "0.1")
    assert round(answer["profit_ratio"], 3) == 1.259


def test_energy_that_stays_as_it_is_changes_by_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = ONE_LINE + "energy_kwh_per_unit = 2.0\n"
    answer = answered(capsys, tmp_path, text, "--alpha", "1", "--beta", "0")
    assert (answer["energy_change_kwh"], answer["co2_change_t"]) == (0, 0)


def test_what_never_pays_back_is_null(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = ONE_LINE + "investment = 100.0\n"
    answer = answered(capsys, tmp_path, text, "--alpha", "0.9", "--beta", "0")
    assert answer["payback_years"] is None


def test_the_price_follows_the_cost_where_the_configuration_says_so(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = ONE_LINE + "pricing = 'cost_plus'\nmargin = 0.2\n"
    answer = answered(capsys, tmp_path, text, "--alpha", "1.2", "--beta", "0.1")
    assert answer["profit_ratio"] == pytest.approx(1.08, abs=1e-12)
    assert answer["profit_before"] == pytest.approx(2000)


def test_the_gain_of_a_panel_is_priced_with_its_uncertainty(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, files: list[str]
) -> None:
    text = "[gain]\nramp_periods = 3\n[economics]\nprice_per_unit = 1.6\ninvestment = 350000.0\n"
    answer = answered(capsys, tmp_path, text, *files)
    bounds = answer["intervals"]  # type: ignore[index]
    for name in ("alpha", "beta", "profit_change", "npv", "irr", "payback_years"):
        assert bounds[name]["low"] < answer[name] < bounds[name]["high"]  # type: ignore[index]
    assert answer["verdict"] == "causal"
    assert answer["line_count"] == 8
    assert run(["profit", *files, "--config", str(tmp_path / "gainline.toml")]) == 0
    assert "profit_change" in capsys.readouterr().out


def test_an_upgrade_after_the_panel_has_earned_nothing_yet(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, files: list[str]
) -> None:
    text = "[economics]\nprice_per_unit = 1.6\n"
    told = answered(capsys, tmp_path, text, *files)
    rows, panel = (Path(files[n]).read_text(encoding="utf-8").splitlines()[1:] for n in (3, 1))
    free = min({row.split(",")[0] for row in panel} - {row.split(",")[0] for row in rows})
    # and what else a table of upgrades tells is no matter of the profit
    later = ["line,upgraded_on,output", *(f"{row},7" for row in rows), f"{free},2030-01-07,7"]
    (tmp_path / "later.csv").write_text("\n".join(later), encoding="utf-8")
    found = answered(capsys, tmp_path, text, *files[:3], str(tmp_path / "later.csv"))
    assert found["line_count"] == told["line_count"] == 8
    assert found["profit_change"] == told["profit_change"]


def test_a_panel_is_not_priced_by_defaults(
    capsys: pytest.CaptureFixture[str], files: list[str]
) -> None:
    assert run(["profit", *files]) == 3
    assert "economics.price_per_unit" in capsys.readouterr().err


def test_what_else_is_true_of_a_line_is_no_price(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, files: list[str]
) -> None:
    path = tmp_path / "gainline.toml"
    path.write_text("[economics]\ninvestment = 350000.0\n", encoding="utf-8")
    assert run(["profit", *files, "--config", str(path)]) == 3
    assert "economics.price_per_unit: it is not set" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        (["--alpha", "1.2"], "give --alpha and --beta"),
        ([], "give --alpha and --beta"),
        (["--panel", "p.csv"], "go together"),
        (["--panel", "p.csv", "--upgrades", "u.csv", "--beta", "0"], "without --alpha"),
    ],
)
def test_half_a_gain_is_refused(
    capsys: pytest.CaptureFixture[str], words: list[str], fix: str
) -> None:
    assert run(["profit", *words]) == 2
    assert fix in " ".join(capsys.readouterr().err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("components", "fix"),
    [
        ("[[economics.components]]\nname = 'x'\n", "has no share"),
        (PLANT + "[[economics.components]]\nname = 'x'\nbeta = 0.0\n", "one of energy"),
        (PLANT + "[[economics.components]]\nname = 'energy'\nshare = 0.1\n", "a beta alone"),
    ],
)
def test_components_that_do_not_fit_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, components: str, fix: str
) -> None:
    path = tmp_path / "gainline.toml"
    path.write_text(components if "plant" in components else ONE_LINE + components)
    assert run(["profit", "--alpha", "1.2", "--beta", "0.1", "--config", str(path)]) == 3
    assert fix in capsys.readouterr().err


def test_a_component_of_a_plant_has_its_own_beta(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = PLANT + "[[economics.components]]\nname = 'material'\nbeta = 0.0\n"
    answer = answered(capsys, tmp_path, text, "--alpha", "1", "--beta", "0.1")
    assert answer["profit_change"] == pytest.approx(234_000 * 0.227)


def test_a_tornado_and_targets_come_with_the_answer(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = PLANT.replace("[economics]", "[economics]\ninvestment = 1e6")
    words = ["--alpha", "1.2", "--beta", "0.1", "--tornado", "--target", "npv=0"]
    answer = answered(capsys, tmp_path, text, *words, "--target", "irr=0.3")
    assert answer["tornado"][0]["input"] == "price"  # type: ignore[index]
    assert [one["target"] for one in answer["targets"]] == ["npv", "irr"]  # type: ignore[attr-defined]
    assert run(["profit", *words, "--config", str(tmp_path / "gainline.toml")]) == 0
    assert "\ntargets\ntarget " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("target", "code"), [("npv", 2), ("npv=x", 2), ("npv=inf", 2), ("profit=1", 2)]
)
def test_a_target_that_is_none_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, target: str, code: int
) -> None:
    path = tmp_path / "gainline.toml"
    path.write_text(ONE_LINE)
    words = ["profit", "--alpha", "1.2", "--beta", "0", "--config", str(path), "--target", target]
    assert run(words) == code
    assert capsys.readouterr().err


SCENARIOS = """
[[scenarios]]
name = "dear"
prices = { energy_per_kwh = 0.28 }
economics = { price_per_unit = 18.0 }
"""


def test_scenarios_stand_side_by_side(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = ONE_LINE + "energy_kwh_per_unit = 2.0\ninvestment = 100.0\n" + SCENARIOS
    answer = answered(capsys, tmp_path, text, "--alpha", "1.2", "--beta", "0.1", "--scenarios")
    configured, dear = answer["scenarios"]  # type: ignore[misc]
    assert (configured["scenario"], dear["scenario"]) == ("as configured", "dear")
    assert configured["npv"] == answer["npv"]
    # 0.1 more for each of 2 kWh: 10.2 a unit
    by_hand = (18 - 10.2 * 0.9) * 1200 - (18 - 10.2) * 1000
    assert dear["profit_change"] == pytest.approx(by_hand)


def test_a_scenario_of_a_plant_follows_from_the_plant(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    answer = answered(
        capsys, tmp_path, PLANT + SCENARIOS, "--alpha", "1", "--beta", "0.1", "--scenarios"
    )
    dear = answer["scenarios"][1]  # type: ignore[index]
    assert dear["profit_change"] == pytest.approx(234_000 * 0.1 * (12 + 1.8 * 0.28))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SCENARIOS + SCENARIOS, "'dear' is there twice"),
        (
            "[[scenarios]]\nname = 'x'\neconomics = { price = 1.0 }\n",
            "unknown key scenarios.economics.price;",
        ),
        (
            ONE_LINE + "[[scenarios]]\nname = 'x'\neconomics = { demand_per_year = 1.0 }\n",
            "scenario x: demand_units",
        ),
    ],
)
def test_a_scenario_that_cannot_be_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "gainline.toml"
    path.write_text(text if text.startswith(ONE_LINE) else ONE_LINE + text)
    asked = ["profit", "--alpha", "1.2", "--beta", "0", "--config", str(path), "--scenarios"]
    assert run(asked) == 3
    assert words in capsys.readouterr().err


def test_a_name_that_is_there_twice_is_found_before_anything_starts(tmp_path: Path) -> None:
    path = tmp_path / "gainline.toml"
    path.write_text(SCENARIOS + SCENARIOS)
    assert run(["check-config", "--config", str(path)]) == 3


def test_what_is_asked_for_is_drawn(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = ONE_LINE + "energy_kwh_per_unit = 2.0\ninvestment = 100.0\n" + SCENARIOS
    folder = tmp_path / "drawn"
    words = ["--alpha", "1.2", "--beta", "0.1", "--charts", str(folder)]
    answered(capsys, tmp_path, text, *words, "--tornado", "--scenarios", "--target", "npv=0")
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["bridge.svg", "scenarios.svg", "target-npv.svg", "tornado.svg"]
    for path in folder.iterdir():
        assert ET.fromstring(path.read_bytes()).tag.endswith("svg")  # noqa: S314 - ours
    (tmp_path / "file").touch()
    asked = [
        "profit",
        *words[:5],
        str(tmp_path / "file"),
        "--config",
        str(tmp_path / "gainline.toml"),
    ]
    assert run(asked) == 3
    assert "cannot be made" in capsys.readouterr().err
