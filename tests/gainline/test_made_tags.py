"""Waveforms through the lake: their features are tags of their own, stored exactly once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.batches import LedgerEntry, RawBatch, RawCommit
from contracts.quality import Reason
from contracts.tags import Kind, Tag
from gainline.config import wiring
from gainline.config.loading import Settings
from gainline.config.made_tags import made_of
from gainline.config.places import renewed, tag_maker
from gainline.config.sections import CleanSection, StoreSection, TagSection
from gainline.config.store_place import store_folder
from gainline.page.flowstate import flow_state
from store.lake import Lake
from store.query import fetch
from store.upkeep.maintain import maintain
from tests.store.samples import START_US, raw_rows

RATE, BLOCK = 2_000, 500  # readings a second, a block
COUNT = 40 * BLOCK
WAVE, FORCE = "s/a/l/m/vibration_raw", "s/a/l/m/force"
FEATURES = ("crest", "envelope", "kurtosis", "peak", "rms")
SECTION = TagSection(pattern="*/vibration_raw", unit="g")


def settings_in(folder: Path, *sections: TagSection) -> Settings:
    return Settings(
        store=StoreSection(folder=str(folder / "store")),
        clean=CleanSection(block_s=BLOCK / RATE),
        tags=(SECTION, *sections),
    )


def commit(first: int, count: int) -> RawCommit:
    """Readings of a waveform, loud in one block, and among them some of a force."""
    numbers = np.arange(first, first + count)
    loud = np.where(numbers // BLOCK == 25, 8.0, 1.0)
    values = np.random.default_rng(3).normal(0, 1, COUNT)[numbers] * loud
    times = START_US + numbers * 1_000_000 // RATE
    rows = raw_rows(
        first,
        count,
        tag=[FORCE if number % 100 == 7 else WAVE for number in numbers],
        value=values.tolist(),
        source_time=times.tolist(),
        received_time=(times + 1000).tolist(),
    )
    entry = LedgerEntry("gw1", count, count, 0, 0)
    return RawCommit(RawBatch(rows), (), (entry,), first + count, first + count, b"%d" % first)


def stored(
    settings: Settings, parts: int, *, is_killed: bool = False, is_finished: bool = True
) -> None:
    """Store and judge in so many parts, each by a process of its own.

    Where it `is_killed`, another one dies before with what it has not committed.
    """
    make, size = tag_maker(settings), COUNT // parts
    for first in range(0, COUNT, size):
        with wiring.open_lake(settings, writer="ingest") as lake:
            new = [make(tag, None) for tag in (WAVE, FORCE)] if first == 0 else []
            lake.commit_raw(commit(first, size), new_tags=new)
        with wiring.open_lake(settings, writer="judge") as lake:
            if is_killed:
                wiring.bench(settings, Dying(lake)).judge_new(START_US)  # type: ignore[arg-type]
            wiring.bench(settings, lake).judge_new(START_US)
    if is_finished:
        with wiring.open_lake(settings, writer="judge") as lake:
            wiring.bench(settings, lake).finish()


class Dying:
    """A lake that is left by its process before it commits."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def commit_clean(self, commit: object) -> None:
        """Do nothing: the process is dead."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever the lake has
        return getattr(self._lake, name)


def readings(settings: Settings) -> list[dict[str, Any]]:
    sql = "SELECT * EXCLUDE (rule_version, judge_commit) FROM clean.readings ORDER BY arrival, tag"
    return fetch(store_folder(settings), sql).to_pylist()


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = settings_in(tmp_path_factory.mktemp("made"))
    stored(settings, 1)
    return settings


def test_features_are_judged_readings_of_the_lake(settings: Settings) -> None:
    rows = readings(settings)
    assert [row["arrival"] for row in rows if row["tag"] in (WAVE, FORCE)] == list(range(COUNT))
    rms = [row for row in rows if row["tag"] == f"{WAVE}/rms"]
    assert len(rms) == 40
    assert [number for number, row in enumerate(rms) if row["quality"]] == [25]
    assert rms[25]["reasons"] == Reason.SPIKE
    assert not any(row["reasons"] for row in rows if row["tag"] == WAVE)


def test_features_stand_in_the_catalogue_beside_their_waveform(settings: Settings) -> None:
    sql = "SELECT tag, line, machine, metric, unit, kind FROM tags ORDER BY tag"
    rows = fetch(store_folder(settings), sql).to_pylist()
    made = {row["metric"]: row for row in rows if made_of(row["tag"])}
    assert sorted(made) == [f"vibration_raw/{name}" for name in FEATURES]
    assert {row["unit"] for row in made.values()} == {"g", None}
    assert made["vibration_raw/rms"] == {
        "tag": f"{WAVE}/rms",
        "line": "l",
        "machine": "m",
        "metric": "vibration_raw/rms",
        "unit": "g",
        "kind": "gauge",
    }
    assert made["vibration_raw/kurtosis"]["unit"] is None


def test_a_judge_that_is_killed_stores_each_feature_once_and_the_same(
    settings: Settings, tmp_path: Path
) -> None:
    other = settings_in(tmp_path)
    stored(other, 8, is_killed=True)
    assert readings(other) == readings(settings)
    maintain(store_folder(other), now=datetime.now(UTC))
    assert readings(other) == readings(settings)


def test_what_is_made_counts_as_no_reading_that_was_judged(settings: Settings) -> None:
    state = flow_state(store_folder(settings))
    assert (state.raw_readings, state.judged_readings) == (COUNT, COUNT)


def test_ingest_that_starts_again_leaves_the_features_in_their_place(settings: Settings) -> None:
    with wiring.open_lake(settings, writer="ingest") as lake:
        known = lake.known_tags()
    assert renewed(known, tag_maker(settings)) == []
    moved = replace(
        known[WAVE].saying({"machine": "press", "unit": "mm/s2"}),
        edited=frozenset({"machine", "unit"}),
    )
    changed = {tag.tag: tag for tag in renewed(known | {WAVE: moved}, tag_maker(settings))}
    assert sorted(changed) == [f"{WAVE}/{name}" for name in FEATURES]
    assert changed[f"{WAVE}/rms"].place.machine == "press"
    assert changed[f"{WAVE}/rms"].unit == "mm/s2"
    assert changed[f"{WAVE}/crest"].unit is None


def test_the_configuration_may_give_a_feature_a_unit_of_its_own(settings: Settings) -> None:
    with wiring.open_lake(settings, writer="ingest") as lake:
        known = lake.known_tags()
    section = TagSection(pattern="*/rms", unit="m/s2")
    (changed,) = renewed(known, tag_maker(Settings(tags=(SECTION, section))))
    assert changed == replace(known[f"{WAVE}/rms"], unit="m/s2")


def test_a_plain_tag_with_the_name_of_a_feature_stays_what_it_is() -> None:
    tag = Tag(
        "s/a/l/m/force/rms",
        tag_maker(Settings())("s/a/l/m/force/rms", None).place,
        None,
        Kind.GAUGE,
    )
    assert renewed({tag.tag: tag}, tag_maker(Settings())) == []


def test_what_is_no_waveform_has_no_features(
    tmp_path: Path,
) -> None:
    settings = Settings(
        store=StoreSection(folder=str(tmp_path / "store")),
        tags=(TagSection(pattern="*", kind="gauge"),),
    )
    stored(settings, 2)
    assert {row["tag"] for row in readings(settings)} == {WAVE, FORCE}
