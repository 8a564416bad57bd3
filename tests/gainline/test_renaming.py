"""Tags that are named anew and units that change: the verbs, and ingest beside them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gainline.cli import run
from gainline.config import wiring
from gainline.config.loading import Settings, StoreSection
from gainline.ending import EXIT_ANSWER_IS_BAD, EXIT_WRONG_COMMAND_LINE
from gainline.flow import Bench, Intake
from ingest.blocks import Received
from ingest.sources import Sources
from store.query import fetch
from store.sums.rolling import roll_up

TS = 1_767_225_600_000
OLD, NEW = "lyon/l1/press/force", "lyon/l2/press/force"


def messages(topic: str, *, after_s: int = 0) -> list[Received]:
    times = [TS + 1000 * (after_s + number) for number in range(20)]
    sent = [json.dumps({"ts": time, "value": time % 7000}).encode() for time in times]
    return [Received(topic, one, TS * 1000, retained=False) for one in sent]


def receive(settings: Settings, *topics: str, after_s: int = 0) -> None:
    with (
        wiring.open_lake(settings, writer="ingest") as lake,
        wiring.open_journal(settings, first_position=lake.ingest_progress().position) as journal,
    ):
        intake = Intake(Sources(journal), lake, wiring.how_to_read(settings))
        for topic in topics:
            journal.append(messages(topic, after_s=after_s))
            intake.store_new()
    with wiring.open_lake(settings, writer="judge") as lake:
        bench = Bench(lake, wiring.rule_for(settings), wiring.judge_settings(settings))
        bench.judge_new(TS * 1000)
        bench.finish()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(store=StoreSection(folder=str(tmp_path / "store")))
    receive(made, OLD, "lyon/l1/oven/temperature")
    return made


def rename(settings: Settings, *words: str) -> int:
    return run(["tags", "rename", *words, "--store", settings.store.folder])


def asked(settings: Settings, sql: str) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in fetch(Path(settings.store.folder), sql).to_pylist()]


def test_a_renamed_tag_goes_on_under_its_new_name_with_what_was_set_by_hand(
    settings: Settings,
) -> None:
    at = ["--store", settings.store.folder]
    assert run(["tags", "set", OLD, "--unit", "kN", *at]) == 0
    assert rename(settings, OLD, NEW) == 0
    receive(settings, NEW, after_s=60)
    rows = f"SELECT topic, area, unit, count(*) FROM readings WHERE tag = '{NEW}' GROUP BY ALL"
    assert sorted(asked(settings, rows)) == [(OLD, "l2", "kN", 20), (NEW, "l2", "kN", 20)]
    assert asked(settings, "SELECT tag, edited FROM tags WHERE line = 'press'") == [(NEW, "unit")]


def test_all_tags_below_another_are_renamed_at_once_and_back(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rename(settings, "lyon/l1/*", "turin/l9/*") == 0
    assert "2 tags are shown" in capsys.readouterr().out
    names = "SELECT DISTINCT tag FROM readings ORDER BY tag"
    assert asked(settings, names) == [("turin/l9/oven/temperature",), ("turin/l9/press/force",)]
    assert rename(settings, "lyon/l1/*", "--undo") == 0
    assert asked(settings, names) == [("lyon/l1/oven/temperature",), (OLD,)]


def test_both_names_with_readings_in_the_same_hour_are_told(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    receive(settings, NEW)
    while roll_up(Path(settings.store.folder)):
        pass
    assert rename(settings, OLD, NEW) == 0
    assert f"in 1 hours both {OLD} and its new name" in capsys.readouterr().err
    assert asked(settings, f"SELECT count(*) FROM readings WHERE tag = '{NEW}'") == [(40,)]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("lyon/l1/pres/force", NEW), f"the nearest: {OLD}"),
        (("nowhere/*", "turin/*"), "no tag 'nowhere/*' is known"),
        (("lyon/l1/*", "turin/x"), "at the end of both names"),
        ((OLD, "turin/#"), "is no name of a tag"),
        ((OLD, OLD), "would be its own new name"),
        ((OLD, "--undo"), "is shown under another name"),
    ],
)
def test_a_mistake_is_told_and_changes_nothing(
    settings: Settings, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], why: str
) -> None:
    assert rename(settings, *words) == EXIT_ANSWER_IS_BAD
    assert why in capsys.readouterr().err
    assert asked(settings, "SELECT count(*) FROM renamed_tags") == [(0,)]


def test_a_name_that_is_itself_renamed_is_refused(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rename(settings, OLD, NEW) == 0
    assert rename(settings, "lyon/l1/oven/temperature", OLD) == EXIT_ANSWER_IS_BAD
    assert f"{OLD} is shown as {NEW} itself" in capsys.readouterr().err
    assert rename(settings, NEW, OLD) == EXIT_ANSWER_IS_BAD
    assert rename(settings, OLD) == EXIT_WRONG_COMMAND_LINE


def test_a_unit_changes_from_a_time_on(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ["--store", settings.store.folder]
    assert run(["tags", "set", OLD, "--unit", "kN", *at]) == 0
    assert run(["tags", "set", OLD, "--unit", "lbf", "--from", "2026-01-01T00:00:05Z", *at]) == 0
    units = f"SELECT unit, count(*) FROM readings WHERE tag = '{OLD}' GROUP BY ALL ORDER BY ALL"
    assert asked(settings, units) == [("kN", 5), ("lbf", 15)]
    early = ["tags", "set", OLD, "--unit", "N", "--from", "2025-01-01", *at]
    assert run(early) == EXIT_ANSWER_IS_BAD
    assert "has changed at 2026-01-01 00:00:05 UTC" in capsys.readouterr().err
    receive(settings, OLD, after_s=60)  # a start of ingest leaves it as it is
    assert asked(settings, units) == [("kN", 5), ("lbf", 35)]
    hours = (
        "SELECT u.unit, h.count FROM minute AS h JOIN units AS u ON u.tag = h.tag"
        " AND (u.from_time IS NULL OR h.minute >= u.from_time)"
        " AND (u.to_time IS NULL OR h.minute < u.to_time)"
        f" WHERE h.tag = '{OLD}' ORDER BY h.minute"
    )
    assert asked(settings, hours) == [("kN", 20), ("lbf", 20)]
    assert run(["tags", "set", OLD, "--unit", "N", *at]) == 0
    assert asked(settings, units) == [("N", 40)]


def test_a_time_is_for_a_unit_alone(settings: Settings) -> None:
    words = ["tags", "set", OLD, "--from", "2026-01-01", "--store", settings.store.folder]
    assert run([*words, "--line", "l9"]) == EXIT_WRONG_COMMAND_LINE
    assert run([*words, "--line", "l9", "--unit", "N"]) == EXIT_WRONG_COMMAND_LINE


def test_a_name_that_ingest_does_not_know_yet_keeps_what_was_said_of_it(settings: Settings) -> None:
    with (
        wiring.open_lake(settings, writer="ingest") as lake,
        wiring.open_journal(settings, first_position=lake.ingest_progress().position) as journal,
    ):
        intake = Intake(Sources(journal), lake, wiring.how_to_read(settings))
        at = ["--store", settings.store.folder]
        assert run(["tags", "set", OLD, "--unit", "kN", *at]) == 0
        assert rename(settings, OLD, NEW) == 0
        journal.append(messages(NEW, after_s=60))
        intake.store_new()
    assert asked(settings, f"SELECT unit, edited FROM tags WHERE tag = '{NEW}'") == [("kN", "unit")]
