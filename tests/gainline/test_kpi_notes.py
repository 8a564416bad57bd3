"""Notes in KPIs: planned stops, reasons, targets, prices, each seen where it changes a figure."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.notes import Heard, Note, note_of
from gainline.cli import run
from gainline.config.loading import load
from gainline.kpis.answers import kpi_rows
from gainline.kpis.shift_keeping import keep_shifts_of
from store.lake import Lake
from store.query import fetch
from tests.plants import Reading, fill

NOW = datetime(2026, 2, 1, tzinfo=UTC)
CONFIG = """
[[calendar]]
zone = "UTC"
shifts = [{ name = "early", start = "06:00", end = "14:00" }]
[kpi]
units_per_hour = 120.0
[prices]
co2_kg_per_kwh = 0.5
[economics]
price_per_unit = 20.0
unit_cost = 12.0
"""
HOUR = 3600.0


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled") / "lake"
    readings = list[Reading]()
    for machine in ("l1/m", "l1/n", "l2/m"):
        down = range(12, 20) if machine == "l1/m" else ()
        readings += [
            (f"s/a/{machine}/state", 6 + quarter / 4, 2.0 if quarter in down else 1.0)
            for quarter in range(33)
        ]
        readings += [(f"s/a/{machine}/good_count", at, (at - 6) * 100) for at in (6, 14)]
        readings += [(f"s/a/{machine}/energy_kwh", at, (at - 6) * 10) for at in (6, 14)]
    fill(folder, readings)
    return folder


@pytest.fixture
def store(filled: Path, tmp_path: Path) -> Path:
    """Two lines that run from 6 to 14, l1 with two machines; m of l1 is down from 9 to 11."""
    (tmp_path / "gainline.toml").write_text(CONFIG)
    return Path(shutil.copytree(filled, tmp_path / "lake"))


def say(
    store: Path, kind: str, begins: str | None = None, ends: str | None = None, **words: object
) -> Note:
    """Store a note on 5 January 2026, which is a Monday."""
    times = {name: f"2026-01-05T{at}Z" for name, at in (("begins", begins), ("ends", ends)) if at}
    note = note_of({"kind": kind, **times, **words}, Heard(NOW, "csv", author="A. Brun"))
    with Lake.open(store, writer="notes") as lake:
        lake.add_notes([note])
    return note


def asked(store: Path, by: str = "shift") -> dict[str, dict[str, Any]]:
    environment = {"GAINLINE__STORE__FOLDER": str(store)}
    settings = load(store.parent / "gainline.toml", environment=environment)
    return {row["line"]: row for row in kpi_rows(settings, by)}  # type: ignore[arg-type]


def stops(store: Path, capsys: pytest.CaptureFixture[str], *options: str) -> list[dict[str, Any]]:
    words = ["--store", str(store), "--config", str(store.parent / "gainline.toml"), *options]
    assert run(["kpi", "--stops", "--json", *words]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def kept(store: Path) -> dict[tuple[str, str | None], dict[str, Any]]:
    """What the views say once they are brought up to date."""
    environment = {"GAINLINE__STORE__FOLDER": str(store)}
    keep_shifts_of(load(store.parent / "gainline.toml", environment=environment), NOW)
    rows = fetch(store, "FROM shift_kpi").to_pylist()
    return {(row["line"], row["shift"]): row for row in rows}


def test_without_notes_nothing_is_overridden(store: Path) -> None:
    rows = asked(store)
    assert {row["line"]: (row["targets"], row["overridden"]) for row in rows.values()} == {
        "l1": ({}, []),
        "l2": ({}, []),
    }
    assert (rows["l1"]["pbt_s"], rows["l1"]["adot_s"]) == (16 * HOUR, 2 * HOUR)
    assert rows["l1"]["losses"][0]["money"] is not None


@pytest.mark.parametrize("by", ["shift", "day", "week"])
def test_a_planned_stop_of_a_site_is_planned_of_no_line(store: Path, by: str) -> None:
    note = say(store, "planned_stop", "09:00", "10:00", site="s")
    rows = asked(store, by)
    assert (rows["l1"]["pbt_s"], rows["l1"]["adot_s"]) == (14 * HOUR, HOUR)
    assert rows["l2"]["pbt_s"] == 7 * HOUR
    assert rows["l1"]["overridden"] == rows["l2"]["overridden"] == [note.note_id]
    assert rows["l2"]["unplanned_good"] == pytest.approx(100)


def test_a_planned_stop_of_a_line_leaves_the_other_lines_as_they_were(store: Path) -> None:
    before = asked(store)
    note = say(store, "planned_stop", "09:00", "10:00", line="l1")
    rows = asked(store)
    assert rows["l2"] == before["l2"]
    assert (rows["l1"]["pbt_s"], rows["l1"]["adot_s"]) == (14 * HOUR, HOUR)
    assert rows["l1"]["overridden"] == [note.note_id]
    assert rows["l1"]["calendar_s"] == before["l1"]["calendar_s"]


def test_a_planned_stop_of_a_machine_leaves_the_others_of_its_line_as_they_were(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    note = say(store, "planned_stop", "09:30", "11:00", site="s", line="l1", machine="m")
    rows = asked(store)
    assert (rows["l1"]["pbt_s"], rows["l1"]["adot_s"]) == (14.5 * HOUR, 0.5 * HOUR)
    assert rows["l1"]["overridden"] == [note.note_id]
    (stop,) = stops(store, capsys)
    assert (stop["seconds"], stop["overridden"]) == (0.5 * HOUR, [note.note_id])
    say(store, "retraction", retracts=note.note_id)
    assert asked(store)["l1"]["pbt_s"] == 16 * HOUR


def test_what_is_kept_of_shifts_follows_planned_stops(store: Path) -> None:
    assert kept(store)["l1", "early"]["pbt_s"] == 16 * HOUR
    note = say(store, "planned_stop", "09:00", "10:00", line="l1")
    say(store, "planned_stop", "12:00", "13:00", site="s")
    told, rows = kept(store), asked(store)
    for line in ("l1", "l2"):
        for name in ("pbt_s", "adot_s", "good", "availability", "stop_count"):
            assert told[line, "early"][name] == pytest.approx(rows[line][name]), name
    assert told["l1", "early"]["pbt_s"] == 12 * HOUR
    say(store, "retraction", retracts=note.note_id)
    assert kept(store)["l1", "early"]["pbt_s"] == 14 * HOUR


def test_a_stop_has_the_reason_that_people_gave(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (stop,) = stops(store, capsys)
    assert (stop["reason"], stop["reason_author"], stop["overridden"]) == (None, None, [])
    say(store, "downtime_reason", "09:10", name="no idea", line="l2")
    jam = say(store, "downtime_reason", "08:50", "11:00", name="jam", line="l1")
    (stop,) = stops(store, capsys)
    assert (stop["reason"], stop["reason_author"]) == ("jam", "A. Brun")
    assert stop["reason_note"] == jam.note_id
    words = ["--store", str(store), "--config", str(store.parent / "gainline.toml")]
    assert run(["kpi", "--stops", *words]) == 0
    head = capsys.readouterr().out.splitlines()[0].split()
    assert head[-3:] == ["reason", "reason_author", "reason_note"]


def test_a_target_stands_beside_the_kpis_of_its_line(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    say(store, "target", name="oee", value=0.8)
    say(store, "target", name="oee", value=0.9, line="l1")
    say(store, "target", name="availability", value=0.95, begins="06:01")  # after the day has begun
    rows = asked(store)
    assert (rows["l1"]["targets"], rows["l2"]["targets"]) == ({"oee": 0.9}, {"oee": 0.8})
    assert rows["l1"]["overridden"] == []  # no figure is another
    words = ["--store", str(store), "--config", str(store.parent / "gainline.toml")]
    assert run(["kpi", *words]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].split()[-1] == "targets"
    assert "oee 0.9" in out


def test_prices_are_those_of_the_day_and_said_to_be(store: Path) -> None:
    before = asked(store)["l2"]
    factor = say(store, "price", name="co2_kg_per_kwh", value=0.1, begins="00:00")
    worth = say(store, "price", name="price_per_unit", value=28.0, begins="00:00")
    say(store, "price", name="price_per_unit", value=99.0, ends="00:00")  # until then
    row = asked(store)["l2"]
    assert row["overridden"] == sorted([factor.note_id, worth.note_id])
    assert row["co2e_kg"] == pytest.approx(before["co2e_kg"] / 5)
    assert row["co2e_per_good"] == pytest.approx(before["co2e_per_good"] / 5)
    assert row["co2_source"] == "said by A. Brun"
    for after, earlier in zip(row["losses"], before["losses"], strict=True):
        assert after["money"] == pytest.approx(2 * earlier["money"])


def test_a_planned_stop_of_a_line_at_another_site_changes_nothing(store: Path) -> None:
    say(store, "planned_stop", "09:00", "10:00", site="t", line="l1")
    assert asked(store)["l1"]["overridden"] == []
