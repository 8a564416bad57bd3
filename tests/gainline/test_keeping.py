"""The verbs of gainline.keep_verbs, on small stores."""

import json
from pathlib import Path

import pytest

from gainline.cli import run
from gainline.config import Settings, StoreSection
from gainline.doctor import examine
from store.lake import Lake
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
