"""The examples of docs/profit.md and docs/plan.md; as a program it writes their answers anew."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import tempfile
from pathlib import Path
from typing import NamedTuple

from gainline.cli import run
from gainline.tables import write_table
from ingest.plant.plan import PlantPlan
from ingest.plant.simulation import simulate

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = ("profit.md", "plan.md")
TOML = re.compile(r"^```toml\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(
    r"^```sh\n(?P<command>[^`]*)```\n\n```text\n(?P<answer>[^`]*)```", flags=re.MULTILINE
)


class Example(NamedTuple):
    """A command that a page shows with what it prints, or the end of that."""

    page: str
    settings: str
    command: str
    answer: str


def examples() -> list[Example]:
    """Each command that stands just before a block of text, with the nearest TOML above it."""
    found = []
    for page in PAGES:
        text = (DOCS / page).read_text(encoding="utf-8")
        for match in EXAMPLE.finditer(text):
            settings = TOML.findall(text[: match.start()])[-1]
            found.append(Example(page, settings, match["command"].strip(), match["answer"]))
    return found


def make_plant(folder: Path) -> None:
    """Write the files of both pages: a plant before any upgrade, and one with four."""
    past, later = (simulate(PlantPlan(upgraded_share=share)) for share in (0.0, 0.25))
    write_table(past.books.panel.table, folder / "past.csv")
    write_table(later.books.panel.table, folder / "panel.csv")
    write_table(later.upgrades.table, folder / "upgrades.csv")


def printed(example: Example, folder: Path) -> str:
    """Run the command in the folder of the plant."""
    (folder / "gainline.toml").write_text(example.settings, encoding="utf-8")
    out = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out):
        code = run(shlex.split(example.command)[1:])
    assert code == 0, example.command
    return out.getvalue()


def main() -> None:
    """Write the pages anew. Of an answer with tables only the last is shown."""
    with tempfile.TemporaryDirectory() as name:
        make_plant(Path(name))
        for example in examples():
            text = (DOCS / example.page).read_text(encoding="utf-8")
            shown = printed(example, Path(name)).split("\n\n", 1)[-1]
            old = f"```sh\n{example.command}\n```\n\n```text\n"
            assert f"{old}{example.answer}```" in text
            new = text.replace(f"{old}{example.answer}```", f"{old}{shown}```")
            (DOCS / example.page).write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
