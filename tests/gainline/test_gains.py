"""What the verb of gainline.gains.gain_verbs answers."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from contracts.errors import DataError
from gainline.files.tables import write_table
from gainline.gains.fits import Asked, fit_files
from ingest.plant.plan import PlantPlan
from ingest.plant.simulation import simulate

OPTIONS = Asked(windows={"ramp": 3})


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_gain_of_a_file_has_the_promised_shape(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    plant = simulate(PlantPlan())
    panel, upgrades = tmp_path / f"panel.{ending}", tmp_path / f"upgrades.{ending}"
    write_table(plant.books.panel.table, panel)
    write_table(plant.upgrades.table, upgrades)
    fit_files(panel, upgrades, OPTIONS, as_json=True)
    answer = json.loads(capsys.readouterr().out)
    assert list(answer) == ["alpha", "beta", "lines", "next_line", "level", "verdict", "warnings"]
    assert answer["alpha"]["low"] < answer["alpha"]["estimate"] < answer["alpha"]["high"]
    assert {line["line"] for line in answer["lines"]} == set(
        plant.upgrades.table["line"].to_pylist()
    )
    fit_files(panel, upgrades, OPTIONS, as_json=False)
    assert f"verdict: {answer['verdict']}" in capsys.readouterr().out


def test_how_much_was_received_is_no_covariate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plant = simulate(PlantPlan())
    table, upgrades = plant.books.panel.table, tmp_path / "upgrades.csv"
    coverage = pa.array([0.9 + number % 7 / 70 for number in range(table.num_rows)])
    write_table(table, tmp_path / "books.csv")
    write_table(table.append_column("coverage", coverage), tmp_path / "panel.csv")
    write_table(plant.upgrades.table, upgrades)
    answers = []
    for name in ("books", "panel"):
        fit_files(tmp_path / f"{name}.csv", upgrades, OPTIONS, as_json=True)
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1]


def test_one_line_is_compared_with_a_mixture_of_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plant = simulate(PlantPlan())
    panel, upgrades = tmp_path / "panel.parquet", tmp_path / "upgrades.parquet"
    write_table(plant.books.panel.table, panel)
    write_table(plant.upgrades.table, upgrades)
    line = plant.upgrades.table["line"].to_pylist()[0]
    fit_files(panel, upgrades, Asked("synthetic", line, windows={"ramp": 3}), as_json=False)
    text = capsys.readouterr().out
    assert f"line {line}" in text
    assert "compared with a mixture" in text
    with pytest.raises(DataError, match="8 lines were upgraded, and a mixture is for one"):
        fit_files(panel, upgrades, Asked("synthetic"), as_json=False)


def test_a_level_is_told_as_it_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plant = simulate(PlantPlan())
    panel, upgrades = tmp_path / "panel.parquet", tmp_path / "upgrades.parquet"
    write_table(plant.books.panel.table, panel)
    write_table(plant.upgrades.table, upgrades)
    fit_files(panel, upgrades, Asked(level=0.9975), as_json=False)
    assert capsys.readouterr().out.count("99.75% interval") == 2


def test_a_panel_without_dates_is_named(tmp_path: Path) -> None:
    panel, upgrades = tmp_path / "panel.csv", tmp_path / "upgrades.csv"
    panel.write_text("line,period,output,unit_cost\nL1,soon,1,1\n")
    upgrades.write_text("line,upgraded_on\nL1,2026-03-02\n")
    with pytest.raises(DataError, match=r"panel\.csv: the column 'period' holds no dates"):
        fit_files(panel, upgrades, OPTIONS, as_json=True)


def test_a_column_that_is_there_twice_is_named(tmp_path: Path) -> None:
    panel, upgrades = tmp_path / "panel.csv", tmp_path / "upgrades.csv"
    panel.write_text("line,period,output,unit_cost,mix,mix\nL1,2026-03-02,1,1,0,1\n")
    upgrades.write_text("line,upgraded_on,line\nL1,2026-03-02,L1\n")
    with pytest.raises(DataError, match=r"panel\.csv: the column 'mix' is there twice"):
        fit_files(panel, upgrades, OPTIONS, as_json=True)
    panel.write_text("line,period,output,unit_cost\nL1,2026-03-02,1,1\n")
    with pytest.raises(DataError, match=r"upgrades\.csv: the column 'line' is there twice"):
        fit_files(panel, upgrades, OPTIONS, as_json=True)


def test_events_that_leave_nothing_of_an_upgraded_line_are_named_as_the_cause(
    tmp_path: Path,
) -> None:
    plant = simulate(PlantPlan())
    panel, upgrades, events = (tmp_path / f"{name}.csv" for name in ("panel", "upgrades", "events"))
    write_table(plant.books.panel.table, panel)
    write_table(plant.upgrades.table, upgrades)
    line = plant.upgrades.table["line"][0].as_py()
    events.write_text(f"line,begins,ends,reason\n{line},2020-01-01,2030-01-01,rebuilt\n")
    with pytest.raises(DataError, match=f"events leave no period of the upgraded line '{line}'"):
        fit_files(panel, upgrades, Asked(events=events), as_json=True)


def test_no_name_of_a_line_drives_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plant = simulate(PlantPlan())
    names = {line: f"{line}\x1b[2J\n" for line in set(plant.books.panel.table["line"].to_pylist())}
    panel, upgrades = tmp_path / "panel.parquet", tmp_path / "upgrades.parquet"
    for table, path in ((plant.books.panel.table, panel), (plant.upgrades.table, upgrades)):
        renamed = pa.array([names[line] for line in table["line"].to_pylist()])
        write_table(table.set_column(0, "line", renamed), path)
    fit_files(panel, upgrades, Asked(details=True), as_json=False)
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert text.count(r"\x1b[2J\n ") >= len(names)


def test_details_are_told_in_words_and_in_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plant = simulate(PlantPlan())
    panel, upgrades = tmp_path / "panel.parquet", tmp_path / "upgrades.parquet"
    write_table(plant.books.panel.table, panel)
    write_table(plant.upgrades.table, upgrades)
    asked = Asked(windows={"ramp": 3}, details=True)
    fit_files(panel, upgrades, asked, as_json=True)
    details = json.loads(capsys.readouterr().out)["details"]
    assert list(details) == ["course", "in_time", "placebos", "anticipations", "level"]
    assert sorted(details["in_time"]) == ["alpha", "beta"]
    fit_files(panel, upgrades, asked, as_json=False)
    text = capsys.readouterr().out
    for words in ("by periods since the upgrade", "placebo in time", "as if they had been"):
        assert words in text


def test_a_gain_is_drawn_into_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plant = simulate(PlantPlan(weeks=40, waves=(20,)))
    panel, upgrades, folder = (tmp_path / name for name in ("panel.csv", "upgrades.csv", "charts"))
    write_table(plant.books.panel.table, panel)
    write_table(plant.upgrades.table, upgrades)
    asked = Asked(windows={"ramp": 3, "anticipation": 0}, details=True, charts=folder)
    fit_files(panel, upgrades, asked, as_json=True)
    assert "course" in json.loads(capsys.readouterr().out)["details"]
    drawn = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert set(drawn) == {
        "output.svg",
        "gain-lines.svg",
        "gain-course.svg",
        "gain-placebos.svg",
        "gain-anticipation.svg",
    }
    assert all("<svg" in svg for svg in drawn.values())
