"""Lakes for the tests of the store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from store.lake import Lake


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def lake(root: Path) -> Iterator[Lake]:
    with Lake.open(root, writer="ingest") as opened:
        yield opened


@pytest.fixture
def judge(root: Path) -> Iterator[Lake]:
    with Lake.open(root, writer="judge") as opened:
        yield opened
