"""The verbs of gainline.notes.verbs: what is said is stored whole, listed, and taken back."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.errors import DataError
from contracts.tags import Kind, Place, Tag
from gainline.cli import run
from gainline.config.loading import Settings, load
from gainline.ending import EXIT_ANSWER_IS_BAD, EXIT_WRONG_COMMAND_LINE, EXIT_WRONG_CONFIGURATION
from gainline.notes import noting
from store.lake import Lake
from store.query import fetch
from tests.store.samples import raw_commit

CONFIG = """
[ingest.zones]
lyon = "Europe/Paris"
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    tag = Tag("lyon/body/l1/oven/t", Place("lyon", "body", "l1", "oven", "t"), None, Kind.GAUGE)
    with Lake.open(folder, writer="ingest") as lake:
        lake.commit_raw(raw_commit(0, 3, position=3), new_tags=[tag])
    (tmp_path / "gainline.toml").write_text(CONFIG)
    return folder


def said(store: Path, *words: str) -> int:
    config = str(store.parent / "gainline.toml")
    return run(["note", *words, "--store", str(store), "--config", config])


def rows(store: Path) -> list[dict[str, object]]:
    return fetch(store, "FROM notes ORDER BY source_time").to_pylist()


def settings_of(store: Path) -> Settings:
    config = store.parent / "gainline.toml"
    return load(config, environment={"GAINLINE__STORE__FOLDER": str(store)})


def test_each_kind_of_note_is_said_by_its_verb(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ["--site", "lyon", "--line", "l1", "--author", "A. Brun"]
    begins = ["--from", "2026-03-02T08:00", "--to", "2026-03-02T09:00Z"]
    assert said(store, "downtime-reason", "--reason", "jam", *begins, *at) == 0
    assert said(store, "planned-stop", *begins, *at) == 0
    assert said(store, "upgrade", "--on", "2026-03-02", *at) == 0
    assert said(store, "price", "energy_per_kwh", "0.21", "--from", "2026-01-01") == 0
    assert said(store, "target", "oee", "0.8", "--line", "l1") == 0
    assert said(store, "remark", "a strange noise", *at) == 0
    assert capsys.readouterr().err == ""
    jam, stop, upgrade, price, target, remark = rows(store)
    assert (jam["name"], jam["author"], jam["via"]) == ("jam", "A. Brun", "verb")
    assert jam["begins"] == datetime(2026, 3, 2, 7, tzinfo=UTC)  # by the clock in Lyon
    assert jam["ends"] == stop["ends"] == datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert upgrade["begins"] == datetime(2026, 3, 1, 23, tzinfo=UTC)
    assert (price["value"], price["begins"]) == (0.21, datetime(2026, 1, 1, tzinfo=UTC))
    assert (target["name"], target["value"], target["site"]) == ("oee", 0.8, None)
    assert remark["text"] == "a strange noise"
    assert all(row["author"] for row in rows(store))


def test_a_place_that_no_tag_has_is_stored_and_remarked_on(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(store, "remark", "x", "--line", "l7") == 0
    assert "no tag stands at l7 yet" in capsys.readouterr().err
    assert len(rows(store)) == 1


def test_a_note_is_taken_back_by_the_beginning_of_its_id(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(store, "remark", "wrong", "--json") == 0
    note_id = json.loads(capsys.readouterr().out)[0]["note_id"]
    assert said(store, "retract", note_id[:9], "--text", "of another line") == 0
    first, second = rows(store)
    assert (first["is_in_force"], first["retracted_by"]) == (False, second["note_id"])
    for again, words in (
        (note_id, "was taken back already"),
        (str(second["note_id"]), "say that one again"),
        ("nothing", "no note has an id that begins"),
        ("", "no note has an id"),
    ):
        assert said(store, "retract", again) == EXIT_ANSWER_IS_BAD
        assert words in capsys.readouterr().err
    assert len(rows(store)) == 2


def test_a_note_is_said_while_ingest_runs(store: Path) -> None:
    with Lake.open(store, writer="ingest") as lake:
        assert said(store, "remark", "x") == 0
        lake.commit_raw(raw_commit(3, 3, position=6))
    assert len(rows(store)) == 1


def test_a_mistake_on_the_command_line_is_one(store: Path, tmp_path: Path) -> None:
    assert said(store, "downtime-reason", "--reason", "jam") == EXIT_WRONG_COMMAND_LINE
    assert said(store, "target", "oe", "0.8") == EXIT_ANSWER_IS_BAD
    assert said(store, "upgrade", "--line", "l1", "--on", "soon") == EXIT_ANSWER_IS_BAD
    assert rows(store) == []
    nowhere = tmp_path / "nowhere"
    assert run(["note", "remark", "x", "--store", str(nowhere)]) == EXIT_WRONG_CONFIGURATION
    assert not nowhere.exists()


def listed(store: Path, capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, str]]:
    capsys.readouterr()
    assert said(store, "list", "--format", "csv", *words) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def test_a_list_is_of_a_kind_a_line_and_a_time(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    day = ["--from", "2026-03-02", "--to", "2026-03-03"]
    assert said(store, "planned-stop", *day, "--line", "l1") == 0
    assert said(store, "downtime-reason", "--from", "2026-03-02T12:00", "--reason", "jam") == 0
    assert said(store, "price", "energy_per_kwh", "0.2") == 0
    march = ["--from", "2026-03-02T00:00", "--to", "2026-03-02T12:00"]
    assert len(listed(store, capsys)) == 3
    assert [row["kind"] for row in listed(store, capsys, *march)] == ["planned_stop", "price"]
    noon = ["--from", "2026-03-02T12:00", "--to", "2026-03-03"]
    assert len(listed(store, capsys, *noon)) == 3
    assert [row["kind"] for row in listed(store, capsys, "--line", "l1")] == ["planned_stop"]
    assert [row["name"] for row in listed(store, capsys, "--kind", "price")] == ["energy_per_kwh"]
    assert said(store, "list") == 0
    assert capsys.readouterr().out.splitlines()[0].split()[:3] == ["note_id", "kind", "site"]


def test_a_list_goes_out_and_comes_back_into_another_store_as_the_same_notes(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(store, "remark", "=1+1, said\nin two lines", "--site", "lyon") == 0
    assert said(store, "price", "energy_per_kwh", "0.1", "--from", "2026-01-01T00:00") == 0
    capsys.readouterr()
    assert said(store, "list", "--format", "csv") == 0
    file = tmp_path / "notes.csv"
    file.write_text(capsys.readouterr().out)
    other = tmp_path / "other"
    Lake.open(other, writer="ingest").close()
    settings = settings_of(other)
    assert noting.import_notes(settings, file) == (2, 2)
    assert noting.import_notes(settings, file) == (2, 0)
    assert noting.import_notes(settings_of(store), file) == (2, 0)
    assert {row["note_id"] for row in rows(other)} == {row["note_id"] for row in rows(store)}


def test_a_table_that_does_not_say_when_is_imported_once(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "notes.csv"
    table = "kind,name,value,line\nprice,energy_per_kwh,0.21,\ntarget,oee,.8,l1\n"
    file.write_text(table)
    assert noting.import_notes(settings_of(store), file, "A. Brun") == (2, 2)
    file.write_text(table + "target,oee,.9,l1\n")
    assert noting.import_notes(settings_of(store), file, "A. Brun") == (3, 1)
    assert {row["author"] for row in rows(store)} == {"A. Brun"}
    assert {row["via"] for row in rows(store)} == {"csv"}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("kind,text\nremark,x\njoke,x\n", r"notes.csv:3: a note with the kind 'joke'.*; nothing"),
        ("kind,text\nremark,\njoke,x\nremark,\n", r"notes.csv:2: .* as line 3, 4 cannot be"),
        ("kind,text\nremark\n", "notes.csv:2: write one cell for each column"),
        ("kind,text\nremark,a,b\n", "notes.csv:2: write one cell for each column"),
        ("kind,txt\nremark,a\n", "write kind, then any of site"),
        ("text\na\n", "write kind, then any of site"),
        ("", "write kind, then any of site"),
    ],
)
def test_one_mistake_in_a_table_and_nothing_is_stored(
    store: Path, tmp_path: Path, table: str, words: str
) -> None:
    file = tmp_path / "notes.csv"
    file.write_text(table)
    with pytest.raises(DataError, match=words):
        noting.import_notes(settings_of(store), file)
    assert rows(store) == []
    with pytest.raises(DataError, match="cannot be read"):
        noting.import_notes(settings_of(store), tmp_path / "none.csv")


def test_a_topic_of_notes_that_cannot_be_read_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "gainline.toml"
    config.write_text('[notes]\ntopic = "notes/{floor}"\n')
    assert run(["check-config", "--config", str(config)]) == EXIT_WRONG_CONFIGURATION
    assert "gainline.toml:2: notes.topic: the template" in capsys.readouterr().err
    config.write_text('[notes]\ntopic = ""\n')
    assert run(["check-config", "--config", str(config)]) == 0
