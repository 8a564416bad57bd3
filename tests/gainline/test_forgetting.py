"""The verb `forget`, end to end: what is left of a tag in the folder of a store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gainline.cli import run
from gainline.config import wiring
from gainline.config.loading import Settings, StoreSection
from gainline.flow import Bench, Intake
from ingest.blocks import Received
from ingest.sources import Sources
from store.query import fetch

TS = 1_767_225_600_000
SECRET = "lyon/badge/anna"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with a secret tag among others, of which readings wait for their verdicts."""
    folder = tmp_path / "store"
    settings = Settings(store=StoreSection(folder=str(folder)))
    sent = [
        Received(
            topic,
            json.dumps({"ts": TS + 1000 * n, "value": n}).encode(),
            TS * 1000,
            retained=False,
        )
        for n in range(40)
        for topic in (f"{SECRET}/in", "lyon/press/force")
    ]
    with (
        wiring.open_lake(settings, writer="ingest") as lake,
        wiring.open_journal(settings, first_position=0) as journal,
    ):
        journal.append(sent)
        intake = Intake(Sources(journal), lake, wiring.how_to_read(settings))
        assert intake.store_new() == len(sent)
    with wiring.open_lake(settings, writer="judge") as lake:
        bench = Bench(lake, wiring.rule_for(settings), wiring.judge_settings(settings))
        assert bench.judge_new(TS * 1000) == len(sent)
    return folder


def judge_the_rest(store: Path) -> None:
    settings = Settings(store=StoreSection(folder=str(store)))
    with wiring.open_lake(settings, writer="judge") as lake:
        bench = Bench(lake, wiring.rule_for(settings), wiring.judge_settings(settings))
        bench.finish()


def places_with(store: Path, mark: bytes) -> set[str]:
    found = (path for path in store.rglob("*") if path.is_file() and mark in path.read_bytes())
    return {path.relative_to(store).parts[0] for path in found}


def one(store: Path, sql: str) -> object:
    return fetch(store, sql).columns[0].to_pylist()[0]


def test_the_judge_forgets_too_and_what_waited_for_a_verdict_does_not_come_back(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert {"state", "data"} <= places_with(store, b"anna")
    assert run(["forget", "--tag", "lyon/badge/*", "--store", str(store), "--yes"]) == 0
    assert "the judge that runs" not in capsys.readouterr().out
    assert places_with(store, b"anna") == {"journal"}
    judge_the_rest(store)
    assert places_with(store, b"anna") == {"journal"}
    assert one(store, "SELECT count(*) FROM readings") == 40
    assert one(store, "SELECT count(DISTINCT tag) FROM readings") == 1


def test_a_judge_that_runs_is_named(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(store=StoreSection(folder=str(store)))
    with wiring.open_lake(settings, writer="judge"):
        assert run(["forget", "--tag", "lyon/badge/*", "--store", str(store), "--yes"]) == 0
    assert "the judge that runs remembers" in capsys.readouterr().out
    assert "state" in places_with(store, b"anna")


def test_a_tag_is_forgotten_by_the_name_that_it_is_shown_under(store: Path) -> None:
    words = ["--store", str(store)]
    assert run(["tags", "rename", f"{SECRET}/in", "lyon/gate/in", *words]) == 0
    assert one(store, "SELECT count(*) FROM readings WHERE tag = 'lyon/gate/in'") != 0
    assert run(["forget", "--tag", "lyon/gate/*", "--yes", *words]) == 0
    assert places_with(store, b"anna") == {"journal"}
    assert places_with(store, b"lyon/gate/in") == set()
    judge_the_rest(store)
    assert one(store, "SELECT count(*) FROM readings") == 40
    assert one(store, "SELECT count(*) FROM renamed_tags") == 0
