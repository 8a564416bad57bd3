from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import typer

from contracts.errors import DataError
from contracts.tags import EDITABLE
from gainline.cli import run
from gainline.config import wiring
from gainline.config.loading import Settings
from gainline.config.sections import StoreSection, TagSection
from gainline.ending import EXIT_ANSWER_IS_BAD, EXIT_WRONG_COMMAND_LINE, EXIT_WRONG_CONFIGURATION
from gainline.flow import Bench, Intake
from gainline.tags import tagging
from gainline.tags.verbs import tags_app
from ingest.blocks import Received
from ingest.sources import Sources
from store.query import fetch

TAG = "lyon/body/l1/oven/temperature"
OTHER = "lyon/body/l1/oven/=odd"
NOW_US = 1_767_225_600_000_000


def settings_of(store: Path, *tags: TagSection) -> Settings:
    return Settings(store=StoreSection(folder=str(store)), tags=tags)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    start_ingest(settings_of(folder), {"temperature": 1.5, "=odd": 2})
    return folder


def start_ingest(settings: Settings, *payloads: dict[str, float]) -> None:
    with (
        wiring.open_lake(settings, writer="ingest") as lake,
        wiring.open_journal(settings, first_position=lake.ingest_progress().position) as journal,
    ):
        intake = Intake(Sources(journal), lake, wiring.how_to_read(settings))
        sent = [json.dumps(payload).encode() for payload in payloads]
        journal.append([Received("lyon/body/l1/oven", one, NOW_US, retained=False) for one in sent])
        intake.store_new()


def test_every_word_of_a_tag_has_its_option() -> None:
    verbs = typer.main.get_command(tags_app).commands  # type: ignore[attr-defined]
    assert set(EDITABLE) <= {word.name for word in verbs["set"].params}


def known(store: Path, tag: str = TAG) -> dict[str, object]:
    (row,) = fetch(store, "SELECT * FROM tags WHERE tag = ?", [tag]).to_pylist()
    return dict(row)


def test_what_is_set_by_hand_wins_over_topic_and_configuration(store: Path) -> None:
    words = ["--unit", "degC", "--kind", "state", "--area", "", "--store", str(store)]
    assert run(["tags", "set", TAG, *words]) == 0
    assert known(store)["edited"] == "area kind unit"
    section = TagSection(pattern="*", unit="K", kind="gauge", area="a2", line="l2")
    start_ingest(settings_of(store, section))
    row = known(store)
    assert (row["unit"], row["kind"], row["area"], row["line"]) == ("degC", "state", None, "l2")


def test_an_edit_is_seen_by_all_readings_of_the_tag(store: Path) -> None:
    tagging.set_tag(settings_of(store), TAG, {"unit": "degC"})
    with wiring.open_lake(settings_of(store), writer="judge") as lake:
        rule = wiring.rule_for(settings_of(store), lake.known_tags())
        bench = Bench(lake, rule, wiring.judge_settings(Settings()))
        bench.judge_new(NOW_US)
        bench.finish()
    asked = fetch(store, "SELECT unit FROM readings WHERE tag = ?", [TAG])
    assert asked["unit"].to_pylist() == ["degC"]


def test_a_tag_is_edited_while_ingest_runs(store: Path) -> None:
    settings = settings_of(store)
    with wiring.open_lake(settings, writer="ingest") as lake:
        before = lake.known_tags()[TAG]
        assert run(["tags", "set", TAG, "--line", "l9", "--store", str(store)]) == 0
        assert lake.known_tags()[TAG] == before.saying({"line": "l9"}, edited=frozenset({"line"}))


def test_what_was_set_by_hand_can_be_forgotten(store: Path) -> None:
    settings = settings_of(store, TagSection(pattern="*", unit="K"))
    tagging.set_tag(settings, TAG, {"unit": "degC", "line": "l9"})
    tagging.set_tag(settings, TAG, {"site": "nice"}, as_configured=True)
    row = known(store)
    assert (row["unit"], row["line"], row["site"], row["edited"]) == ("K", "l1", "nice", "site")


def test_a_tag_that_is_not_known_is_refused_with_the_nearest(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["tags", "set", TAG.replace("oven", "ofen"), "--unit", "K", "--store", str(store)])
    assert code == EXIT_ANSWER_IS_BAD
    assert f"the nearest: {TAG}" in capsys.readouterr().err


def test_a_mistake_on_the_command_line_is_one(store: Path, tmp_path: Path) -> None:
    at = ["--store", str(store)]
    assert run(["tags", "set", TAG, *at]) == EXIT_WRONG_COMMAND_LINE
    assert run(["tags", "set", TAG, "--kind", "text", *at]) == EXIT_WRONG_COMMAND_LINE
    assert run(["tags", "set", TAG, "--unit", "x" * 257, *at]) == EXIT_ANSWER_IS_BAD
    assert run(["tags", "set", TAG, "--unit", "\x1b[31m", *at]) == EXIT_ANSWER_IS_BAD
    nowhere = tmp_path / "nowhere"
    code = run(["tags", "set", TAG, "--unit", "K", "--store", str(nowhere)])
    assert code == EXIT_WRONG_CONFIGURATION
    assert not nowhere.exists()


def listed(store: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    capsys.readouterr()
    assert run(["tags", "list", "--store", str(store), "--format", "csv"]) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def test_a_list_goes_out_and_comes_back_edited(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tagging.set_tag(settings_of(store), TAG, {"unit": "-x"})
    rows = listed(store, capsys)
    assert list(rows[0]) == ["tag", *EDITABLE, "edited"]
    by_tag = {row["tag"]: row for row in rows}
    by_tag[OTHER] |= {"unit": "bar", "area": ""}
    file = tmp_path / "tags.csv"
    with file.open("w", newline="") as target:
        writer = csv.DictWriter(target, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    assert tagging.import_tags(store, file) == (2, 1)
    assert tagging.import_tags(store, file) == (2, 0)
    assert (known(store, OTHER)["area"], known(store, OTHER)["edited"]) == (None, "area unit")
    assert (known(store)["unit"], known(store)["edited"]) == ("-x", "unit")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"tag,unit\n{TAG},K\nlyon/x,K\n", "tags.csv:3: no tag is called 'lyon/x'"),
        (f"tag,kind\n{TAG},\n", "tags.csv:2: the kind '' is none of"),
        (f"tag,unit\n{TAG}\n", "tags.csv:2: write one cell"),
        (f"tag,unit\n{TAG},K,bar\n", "tags.csv:2: write one cell"),
        (f"tag,units\n{TAG},K\n", "write tag, then any of site"),
        ("unit\nK\n", "write tag, then any of site"),
        ("", "write tag, then any of site"),
    ],
)
def test_one_mistake_in_a_file_and_nothing_is_changed(
    store: Path, tmp_path: Path, text: str, words: str
) -> None:
    file = tmp_path / "tags.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=words):
        tagging.import_tags(store, file)
    assert known(store)["edited"] is None
    with pytest.raises(DataError, match="cannot be read"):
        tagging.import_tags(store, tmp_path / "none.csv")
