"""The verbs of gainline.upkeep.shrink_verbs, on small stores."""

import json
from pathlib import Path

import pytest

from gainline.cli import run
from store.lake import Lake
from store.query import fetch
from tests.store.samples import raw_commit


@pytest.fixture
def root(tmp_path: Path) -> Path:
    with Lake.open(tmp_path / "store", writer="ingest") as lake:
        for number in range(3):
            lake.commit_raw(raw_commit(number * 10, 10, position=number + 1))
    return tmp_path / "store"


def test_compact_says_what_it_has_done(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compact", "--store", str(root)]) == 0
    assert capsys.readouterr().out == "3 segments became 1, with 30 readings\n"
    assert run(["compact", "--store", str(root), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"gone": 0, "new": 0, "rows": 0}
    assert fetch(root, "SELECT count(*) AS n FROM raw.readings")["n"].to_pylist() == [30]


def test_compact_needs_a_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compact", "--store", str(tmp_path / "none")]) == 3
    assert "there is no store" in capsys.readouterr().err
