"""Features of waveforms, judged again: as if the lake had been judged so from its beginning."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gainline.config import wiring
from gainline.config.loading import Settings
from gainline.config.sections import TagSection
from gainline.config.store_place import store_folder
from gainline.judging.rejudging import Wish, rejudge
from store.query import fetch
from store.rejudging.history import Span
from tests.gainline.test_made_tags import FEATURES, START_US, WAVE, readings, settings_in, stored

START = datetime.fromtimestamp(START_US / 1e6, UTC)
SPAN = Span(START + timedelta(seconds=3.1), START + timedelta(seconds=8.05))  # blocks 12 to 31
AFTER = Span(START + timedelta(seconds=3.1), None)
LOWER = TagSection(pattern="*/rms", high=1.0)
PLAIN = TagSection(pattern="*/vibration_raw", kind="gauge")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = settings_in(tmp_path_factory.mktemp("made"))
    stored(settings, 4, is_finished=False)
    return settings


@pytest.fixture
def folder(made: Settings, tmp_path: Path) -> Path:
    shutil.copytree(store_folder(made), tmp_path / "store")
    return tmp_path


def rows_in(settings: Settings, span: Span) -> list[dict[str, Any]]:
    rows = [row for row in readings(settings) if row["source_time"] >= span.start]
    return [row for row in rows if span.end is None or row["source_time"] < span.end]


@pytest.mark.parametrize("span", [SPAN, AFTER])
def test_the_same_rules_change_nothing(folder: Path, span: Span) -> None:
    outcome = rejudge(settings_in(folder), Wish(span), is_dry_run=True).outcome
    assert outcome.replaced > 9_000
    assert (outcome.changes, outcome.added, outcome.removed) == ({}, 0, 0)


@pytest.mark.parametrize("span", [SPAN, AFTER])
def test_features_get_the_verdicts_of_a_lake_that_was_judged_so(
    folder: Path, tmp_path: Path, span: Span
) -> None:
    settings, other = settings_in(folder, LOWER), settings_in(tmp_path / "other", LOWER)
    done = rejudge(settings, Wish(span, "*/rms"))
    stored(other, 1, is_finished=False)
    within = [row for row in rows_in(settings, span) if row["tag"].startswith(WAVE)]
    assert done.outcome.replaced == len(within)
    keys = {(row["arrival"], row["tag"]) for row in within}
    assert within == [row for row in readings(other) if (row["arrival"], row["tag"]) in keys]
    assert any(row["tag"].endswith("/rms") and row["quality"] == 2 for row in within)


def test_what_waits_in_the_running_judge_is_told_by_it_and_once(
    folder: Path, tmp_path: Path
) -> None:
    settings, other = settings_in(folder), settings_in(tmp_path / "other")
    rejudge(settings, Wish(AFTER))
    for each in (settings, other):
        if each is other:
            stored(other, 1, is_finished=False)
        with wiring.open_lake(each, writer="judge") as lake:
            wiring.bench(each, lake).finish()
    assert readings(settings) == readings(other)


def test_a_tag_that_turns_out_to_be_a_waveform_gets_features(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    plain = Settings(store=settings.store, clean=settings.clean, tags=(PLAIN,))
    stored(plain, 2)
    assert not any(row["tag"].endswith("/rms") for row in readings(plain))
    done = rejudge(settings, Wish(SPAN, WAVE))
    found = [row for row in readings(settings) if row["tag"] == f"{WAVE}/rms"]
    assert [(row["arrival"] + 1) // 500 for row in found] == list(range(13, 33))
    assert done.outcome.added == 5 * len(found)
    tags = fetch(store_folder(settings), "SELECT machine, metric FROM tags").to_pylist()
    assert {"machine": "m", "metric": "vibration_raw/rms"} in tags


def test_features_of_what_is_no_waveform_go(folder: Path) -> None:
    settings = settings_in(folder)
    plain = Settings(store=settings.store, clean=settings.clean, tags=(PLAIN,))
    before = sum(row["tag"].endswith(FEATURES) for row in rows_in(settings, SPAN))
    done = rejudge(plain, Wish(SPAN))
    assert done.outcome.removed == before > 0
    assert not any(row["tag"].endswith(FEATURES) for row in rows_in(settings, SPAN))
