"""The verbs of gainline.upkeep.safety_verbs, on small stores."""

import json
from pathlib import Path

import pytest

from gainline.checks.doctor import examine
from gainline.cli import run
from gainline.config import wiring
from gainline.config.loading import Settings
from gainline.config.sections import StoreSection
from gainline.flow import Intake
from gainline.upkeep.safety import back_up_store, restore_store
from ingest.blocks import Received
from ingest.inbox import Inbox
from ingest.sources import Sources
from store.lake import Lake
from store.query import fetch
from tests.store.samples import raw_commit


@pytest.fixture
def store(tmp_path: Path) -> Path:
    root = tmp_path / "store"
    with Lake.open(root, writer="ingest") as lake:
        for number in range(2):
            lake.commit_raw(raw_commit(number * 300, 300, position=number * 300 + 300))
    return root


def damage(store: Path) -> Path:
    path = min(store.glob("data/**/*.parquet"))
    path.write_bytes(b"X" + path.read_bytes()[1:])
    return path


def test_scrub_says_of_a_sound_store_that_it_is(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["scrub", "--store", str(store)]) == 0
    assert capsys.readouterr().out.endswith("checked: none is damaged\n")


def test_scrub_names_file_loss_and_remedy_and_doctor_tells_of_it(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = damage(store)
    assert run(["scrub", "--store", str(store), "--rate", "100"]) == 1
    line, last = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{path.relative_to(store)} holds other bytes than were written")
    assert "300 rows of raw.readings, tags s/a/l/m/tag0 to s/a/l/m/tag2" in line
    assert line.endswith("put it back from a backup by `gainline scrub --repair-from`")
    assert last.endswith("1 damaged")
    assert run(["scrub", "--store", str(store), "--json"]) == 1
    (found,) = json.loads(capsys.readouterr().out)["damages"]
    assert (found["file"], found["lost"]["rows"]) == (str(path.relative_to(store)), 300)
    findings = examine(Settings(store=StoreSection(folder=str(store))))
    (files,) = [each for each in findings if each.subject == "files"]
    assert not files.is_good
    assert found["file"] in files.words


def test_backups_are_made_listed_read_again_and_brought_back(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vault, copy = str(tmp_path / "backups"), tmp_path / "copy"
    for _ in range(3):
        assert run(["backup", vault, "--store", str(store), "--keep", "2"]) == 0
    assert run(["backup", vault, "--list", "--json"]) == 0
    *_, last = capsys.readouterr().out.splitlines()
    assert len(json.loads(last)) == 2
    assert run(["backup", vault, "--verify"]) == 0
    assert capsys.readouterr().out.endswith("read again: none damaged\n")
    assert run(["restore", vault, str(copy)]) == 0
    assert fetch(copy, "SELECT count(*) AS n FROM raw.readings")["n"].to_pylist() == [600]
    assert run(["restore", vault, str(copy)]) == 3
    assert "choose a new folder" in capsys.readouterr().err
    assert run(["backup", str(store / "backups"), "--store", str(store)]) == 3


def test_a_flipped_bit_is_put_back_from_a_backup(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vault = str(tmp_path / "backups")
    assert run(["backup", vault, "--store", str(store)]) == 0
    path = damage(store)
    assert run(["scrub", "--store", str(store), "--repair-from", vault]) == 0
    assert capsys.readouterr().out.endswith(f"{path.relative_to(store)} is put back\n")
    assert run(["scrub", "--store", str(store)]) == 0


def test_what_was_received_and_not_stored_is_in_a_backup_and_stored_once_afterwards(
    tmp_path: Path,
) -> None:
    settings = Settings(store=StoreSection(folder=str(tmp_path / "store")))
    copied = Settings(store=StoreSection(folder=str(tmp_path / "copy")))

    def received(first: int, count: int) -> list[Received]:
        return [
            Received("s/a/l/m/t", b"%d" % number, 1_767_225_600_000_000 + number, retained=False)
            for number in range(first, first + count)
        ]

    with (
        wiring.open_lake(settings, writer="ingest") as lake,
        wiring.open_journal(settings, first_position=0) as journal,
    ):
        journal.append(received(0, 10))
        Intake(Sources(journal), lake, wiring.how_to_read(settings)).store_new()
        journal.append(received(10, 5))
        Inbox(tmp_path / "store" / "inbox").put(received(15, 1))
        back_up_store(tmp_path / "store", tmp_path / "backups", keep=None, mb_per_s=None)
    restore_store(tmp_path / "backups", tmp_path / "copy", None)
    for _ in range(2):
        with (
            wiring.open_lake(copied, writer="ingest") as lake,
            wiring.open_journal(copied, first_position=lake.ingest_progress().position) as journal,
        ):
            wiring.inbox(copied).take(journal, limit_bytes=1 << 20)
            Intake(Sources(journal), lake, wiring.how_to_read(copied)).store_new()
    values = fetch(tmp_path / "copy", "SELECT value FROM raw.readings ORDER BY value")
    assert values["value"].to_pylist() == [float(number) for number in range(16)]


def test_an_export_is_a_folder_or_a_table_by_its_name(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(["export", str(out), "--store", str(store), "--json"]) == 0
    exported = json.loads(capsys.readouterr().out)
    assert exported["row_counts"]["raw.readings"] == 600
    snapshot = ["--snapshot", str(exported["snapshot"])]
    table = f"{out}.csv"
    assert run(["export", table, "--store", str(store), "--from", "2026-01-05", *snapshot]) == 0
    assert Path(table).read_text().startswith("tag,site,")  # nothing is judged yet
    assert run(["export", table, "--store", str(store), "--snapshot", "1999-01-01"]) == 3
    assert "restore --at" in capsys.readouterr().err
    assert run(["export", str(out), "--store", str(store), "--tag", "x"]) == 3
