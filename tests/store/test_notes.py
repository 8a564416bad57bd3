"""store.commits.notes: what people say is stored once, shown once, comes back from a backup."""

from datetime import UTC, datetime
from pathlib import Path

from contracts.notes import NOTES_SCHEMA, Heard, Note, note_from_row, note_of
from store.commits.commit import Addition
from store.commits.notes import notes_table
from store.lake import Lake
from store.query import fetch
from store.safety.backup import back_up
from store.safety.export import export_files
from store.safety.restore import restore
from store.safety.scrub import scrub
from store.safety.vault import Vault
from store.tables import NOTES

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def remark(text: str, **words: object) -> Note:
    heard = Heard(NOON, "csv", author="A. Brun")
    return note_of({"kind": "remark", "text": text, "line": "l1", **words}, heard)


def stored(root: Path) -> list[dict[str, object]]:
    return fetch(root, "FROM notes ORDER BY text").to_pylist()


def test_a_note_is_stored_once_however_often_it_is_said(root: Path) -> None:
    with Lake.open(root, writer="notes") as lake:
        assert lake.add_notes([remark("a"), remark("a"), remark("b")]) == 2
        assert lake.add_notes([remark("b"), remark("c")]) == 1
        assert lake.add_notes([remark("b")]) == 0
        assert lake.known_notes([remark("a").note_id, "none"]) == {remark("a").note_id}
    assert [row["text"] for row in stored(root)] == ["a", "b", "c"]
    assert all(row["is_in_force"] for row in stored(root))


def test_a_note_comes_back_as_it_was_said(root: Path) -> None:
    said = remark("stood still\nfor an hour", begins=NOON, value=1, retracts="x")
    with Lake.open(root, writer="notes") as lake:
        lake.add_notes([said])
    (row,) = stored(root)
    assert note_from_row(row) == said
    assert row["note_id"] == said.note_id


def test_two_who_store_the_same_note_at_once_are_shown_as_one(root: Path) -> None:
    with Lake.open(root, writer="notes") as lake:
        for name in ("one", "other"):
            lake._committer.commit(name, [Addition(NOTES, notes_table([remark("a")]))])
    assert len(stored(root)) == 1
    assert fetch(root, "FROM house.notes").num_rows == 2


def test_what_is_taken_back_stays_and_is_no_longer_in_force(root: Path) -> None:
    wrong = remark("wrong")
    back = remark("zurück", retracts=wrong.note_id)
    with Lake.open(root, writer="notes") as lake:
        lake.add_notes([back])  # it may come before what it takes back
        lake.add_notes([wrong])
    first, second = stored(root)
    assert (first["text"], first["is_in_force"], first["retracted_by"]) == (
        "wrong",
        False,
        back.note_id,
    )
    assert (second["is_in_force"], second["retracted_by"]) == (True, None)


def test_notes_beyond_what_a_catalog_holds_go_into_a_file(root: Path) -> None:
    with Lake.open(root, writer="notes") as lake:
        assert lake.add_notes([remark(f"number {each}") for each in range(300)]) == 300
    assert len(list((root / "data/house/notes").iterdir())) == 1
    assert len(stored(root)) == 300
    assert scrub(root).damages == []


def test_notes_are_in_a_backup_and_in_an_export(root: Path, tmp_path: Path) -> None:
    with Lake.open(root, writer="notes") as lake:
        lake.add_notes([remark(f"number {each}") for each in range(120)])
        lake.add_notes([remark("one more")])
    before = stored(root)
    with Vault.open(tmp_path / "backups") as vault:
        back_up(root, vault)
    restore(tmp_path / "backups", tmp_path / "copy")
    assert stored(tmp_path / "copy") == before
    exported = export_files(root, tmp_path / "out")
    assert exported.row_counts["notes"] == 121


def test_the_view_has_every_column_of_a_note(root: Path) -> None:
    Lake.open(root, writer="notes").close()
    names = fetch(root, "FROM notes LIMIT 0").column_names
    assert set(names) == {*NOTES_SCHEMA.names, "is_in_force", "retracted_by"}
