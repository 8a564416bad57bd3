"""What docs/profit.md shows is what its commands print."""

from __future__ import annotations

import itertools
import re
import shlex
from pathlib import Path

import pytest

from gainline.cli import run

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)


def _shown(page: str) -> tuple[str, list[tuple[str, str]]]:
    """The first TOML of a page, and each command that stands just before what it prints."""
    blocks = BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))
    tables = [text for kind, text in blocks if kind == "toml"]
    follows = itertools.pairwise(blocks)
    pairs = [(a[1], b[1]) for a, b in follows if a[0] == "sh" and b[0] == "text"]
    return tables[0], pairs


SETTINGS, COMMANDS = _shown("profit.md")


@pytest.mark.parametrize(("command", "answer"), COMMANDS, ids=[pair[0] for pair in COMMANDS])
def test_the_page_shows_what_the_command_prints(
    command: str,
    answer: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("gainline.toml").write_text(SETTINGS, encoding="utf-8")
    assert run(shlex.split(command)[1:]) == 0
    assert answer in capsys.readouterr().out


def test_the_page_has_examples() -> None:
    assert COMMANDS
