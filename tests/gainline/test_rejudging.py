"""A range of time judged again: as if the lake had been judged so from its beginning."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from contracts.batches import LedgerEntry, RawBatch, RawCommit
from contracts.quality import Reason
from contracts.tags import TagRule
from gainline.cli import run
from gainline.config import wiring
from gainline.config.loading import Settings
from gainline.config.rules_in_force import rules_in_force
from gainline.config.sections import StoreSection, TagSection
from gainline.config.store_place import store_folder
from gainline.judging import rejudging as verb
from gainline.judging.rejudging import Wish, rejudge
from store import lake as lake_module
from store.lake import Lake
from store.query import fetch
from store.rejudging.history import Span
from store.rejudging.rewriting import Change
from tests.store.samples import START_US, raw_rows

START = datetime.fromtimestamp(START_US / 1e6, UTC)
COUNT = 3000  # readings, a second apart, of three tags in turn
SPAN = Span(START + timedelta(seconds=1001), START + timedelta(seconds=2000))
FIRST_INSIDE = 1003  # of tag1
ALL = "SELECT * FROM clean.readings ORDER BY arrival"
VERDICT = ["value_clean", "quality", "reasons"]
HIGHER = TagSection(pattern="*/tag1", high=22.0)


def settings_in(folder: Path, *tags: TagSection) -> Settings:
    return Settings(store=StoreSection(folder=str(folder)), tags=tags)


def values() -> list[float]:
    """A noisy level with a spike now and then, one at the first reading of the range."""
    found = np.random.default_rng(4).normal(20, 1, COUNT)
    found[[FIRST_INSIDE, *range(100, COUNT, 131)]] += 30
    return [float(value) for value in found]


def judge_lake(settings: Settings, *, is_finished: bool = False) -> Path:
    """Make a lake and judge it, in parts; the last readings wait for their successors."""
    folder, part = store_folder(settings), COUNT // 5
    with Lake.open(folder, writer="ingest") as lake, Lake.open(folder, writer="judge") as judged:
        bench = wiring.bench(settings, judged)
        rows = raw_rows(0, COUNT, value=values())
        for first in range(0, COUNT, part):
            batch, end = RawBatch(rows.slice(first, part)), first + part
            entry = LedgerEntry("gw1", part, part, 0, 0)
            lake.commit_raw(RawCommit(batch, (), (entry,), end, end, b"%d" % end))
            bench.judge_new(START_US)
        if is_finished:
            bench.finish()
    return folder


def inside(rows: pa.Table, tag: str) -> pa.Table:
    return rows.filter(pa.array(SPAN.holds(rows))).filter(pc.match_substring(pc.field("tag"), tag))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return judge_lake(settings_in(tmp_path_factory.mktemp("made") / "store"))


@pytest.fixture
def judged(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "store")


def test_verdicts_are_those_of_a_lake_that_was_judged_so_from_its_beginning(
    tmp_path: Path, judged: Path
) -> None:
    settings = settings_in(judged, HIGHER)
    before = fetch(judged, ALL)
    done = rejudge(settings, Wish(SPAN, "*/tag[12]"))
    after = fetch(judged, ALL)
    reference = fetch(judge_lake(settings_in(tmp_path / "other", HIGHER)), ALL)
    for tag in ("tag1", "tag2"):
        assert inside(after, tag).select(VERDICT).equals(inside(reference, tag).select(VERDICT))
        assert set(inside(after, tag)["rule_version"].to_pylist()) == {2}
    assert not inside(after, "tag1").select(VERDICT).equals(inside(before, "tag1").select(VERDICT))
    kept = [name for name in after.column_names if name not in (*VERDICT, "rule_version")]
    assert after.select(kept).equals(before.select(kept))
    is_elsewhere = pa.array(~SPAN.holds(before))
    assert after.filter(is_elsewhere).equals(before.filter(is_elsewhere))
    assert inside(after, "tag0").equals(inside(before, "tag0"))
    assert (done.tag_count, done.version, done.outcome.replaced) == (2, 2, 666)


def test_the_first_readings_of_the_range_are_judged_by_what_was_before(
    judged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verb, "RUN_UP_READINGS", 100)
    monkeypatch.setattr("store.rejudging.history.FIRST_STEP_READINGS", 64)
    told = rejudge(settings_in(judged), Wish(SPAN, "*/tag1"), is_dry_run=True)
    assert told.outcome.changes == {}
    monkeypatch.setattr(verb, "RUN_UP_READINGS", 0)
    told = rejudge(settings_in(judged), Wish(SPAN, "*/tag1"), is_dry_run=True)
    assert Change(2, Reason.SPIKE, 1, Reason.SPIKE) in told.outcome.changes


def test_readings_that_wait_for_their_verdict_get_it_from_the_running_judge(
    tmp_path: Path, judged: Path
) -> None:
    count = fetch(judged, "SELECT count(*) AS n FROM readings")["n"][0].as_py()
    assert count < COUNT
    settings = settings_in(judged, HIGHER)
    done = rejudge(settings, Wish(Span(START, None)))
    assert done.outcome.replaced == count
    with Lake.open(judged, writer="judge") as lake:
        wiring.bench(settings, lake).finish()
    reference = judge_lake(settings_in(tmp_path / "other", HIGHER), is_finished=True)
    found, expected = fetch(judged, ALL), fetch(reference, ALL)
    assert found.drop("rule_version").equals(expected.drop("rule_version"))


def test_a_dry_run_tells_what_comes_and_changes_nothing(judged: Path) -> None:
    settings, wish = settings_in(judged, HIGHER), Wish(SPAN, "*/tag1")
    before = fetch(judged, ALL)
    told = rejudge(settings, wish, is_dry_run=True)
    assert told.outcome.changes
    assert fetch(judged, ALL).equals(before)
    assert fetch(judged, "FROM rejudgements").num_rows == 0
    done = rejudge(settings, wish)
    assert told == done._replace(version=None)
    again = rejudge(settings, wish)
    assert again.outcome.replaced == done.outcome.replaced
    assert (again.outcome.changes, again.version) == ({}, done.version)


def test_the_tags_that_a_verdict_depends_on_are_judged_along(judged: Path) -> None:
    rules = {
        "s/a/l/m/tag1": TagRule(machine_states=("s/a/l/m/state", "s/a/l/m/tag0")),
        "s/a/l/m/tag0": TagRule(neighbours=("s/a/l/m/tag2",)),
    }
    known = {f"s/a/l/m/tag{number}" for number in range(3)}
    with Lake.open(judged, writer="rejudge") as lake, closing(lake.rejudging(SPAN)) as rejudging:
        work = verb._Work(rejudging, lambda tag: rules.get(tag, TagRule()), "*/tag1", known)
        assert [each.tag for each in work.tags] == ["s/a/l/m/tag1"]
        assert set(work._needed_by(["s/a/l/m/tag1"])) == known


def test_rules_are_others_where_configuration_or_kinds_are() -> None:
    plain = rules_in_force(Settings(), {})
    assert plain == rules_in_force(Settings(), {})
    higher = rules_in_force(Settings(tags=(HIGHER,)), {})
    assert higher.digest != plain.digest
    assert json.loads(higher.configuration)["tags"] == [{"pattern": "*/tag1", "high": 22.0}]


def test_the_verb_says_what_has_changed(
    judged: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "gainline.toml"
    config.write_text('[[tags]]\npattern = "*/tag1"\nhigh = 22.0\n')
    words = ["judge", "--from", str(SPAN.start), "--to", str(SPAN.end), "--tag", "*/tag1"]
    words += ["--store", str(judged), "--config", str(config)]
    assert run([*words, "--dry-run"]) == 0
    head, *table = capfd.readouterr().out.splitlines()
    assert "333 readings of 1 tags would be judged again: " in head
    assert table[2].split()[:3] == ["GOOD", "BAD", "range"]
    assert run([*words, "--json"]) == 0
    said = json.loads(capfd.readouterr().out)
    assert (said["replaced"], said["rule_version"]) == (333, 2)
    assert said["changed"] == sum(change["readings"] for change in said["changes"]) > 0
    assert said["changes"][0]["new_reasons"] == ["range"]


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["--from", "yesterday"], 2, "is no time"),
        (["--from", "2026-01-06", "--to", "2026-01-06"], 2, "is not after --from"),
        (["--tag", "*"], 2, "add --from"),
        (["--from", "2026-01-06", "--store", "nowhere"], 3, "there is no store"),
        (["--from", "2030-01-01"], 0, "nothing was judged in that range"),
        (["--from", "2026-01-05", "--tag", "other/*"], 0, "nothing was judged in that range"),
    ],
)
def test_a_mistake_is_one_line_and_an_empty_range_none(
    judged: Path, capfd: pytest.CaptureFixture[str], words: list[str], code: int, line: str
) -> None:
    store = [] if "--store" in words else ["--store", str(judged)]
    assert run(["judge", *words, *store]) == code
    said = capfd.readouterr()
    assert line in (said.err if code else said.out)
    assert len((said.err if code else said.out).splitlines()) == 1


def test_two_cannot_judge_again_at_the_same_time(
    judged: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(lake_module._WAITS_S, "rejudge", 0.1)
    with Lake.open(judged, writer="rejudge"):
        assert run(["judge", "--from", "2026-01-05", "--store", str(judged)]) == 75
    assert "another process writes the rejudge" in capfd.readouterr().err
