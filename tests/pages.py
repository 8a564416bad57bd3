"""The examples of the pages of docs/; as a program it writes their answers anew."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from gainline.cli import run
from gainline.files.tables import write_table
from ingest.plant.plan import PlantPlan
from ingest.plant.simulation import simulate
from tests.demo_store import make_demo

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = ("profit.md", "plan.md")
# Its commands are run one after the other in one folder, in which the first leaves a lake.
WORKED_PAGE = "worked-example.md"
DEMO = "./run demo"
FILE = re.compile(r"^```(?:toml|csv)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(
    r"^```sh\n(?P<command>[^`]*)```(?:\n\n```text\n(?P<answer>[^`]*)```)?", flags=re.MULTILINE
)


class Example(NamedTuple):
    """A command that a page shows with what it prints, the end of that, or None for nothing.

    `file` is what it reads: the settings, on the page of the worked example the notes.
    """

    page: str
    file: str
    command: str
    answer: str | None


def examples(pages: Iterable[str] = PAGES) -> list[Example]:
    """Each command that stands just before a block of text, with the nearest file above it.

    Of the worked example each command.
    """
    found = []
    for page in pages:
        text = (DOCS / page).read_text(encoding="utf-8")
        for match in EXAMPLE.finditer(text):
            files = FILE.findall(text[: match.start()])
            if match["answer"] is not None or page == WORKED_PAGE:
                file = files[-1] if files else ""
                found.append(Example(page, file, match["command"].strip(), match["answer"]))
    return found


def make_plant(folder: Path) -> None:
    """Write the files of the pages: a plant before any upgrade, and one with four."""
    past, later = (simulate(PlantPlan(upgraded_share=share)) for share in (0.0, 0.25))
    write_table(past.books.panel.table, folder / "past.csv")
    write_table(later.books.panel.table, folder / "panel.csv")
    write_table(later.upgrades.table, folder / "upgrades.csv")


def printed(example: Example, folder: Path) -> str:
    """Run the command in the folder of the plant; `./run demo` only makes what that leaves."""
    if example.command == DEMO:
        return make_demo(folder / "demo-out")
    name = "notes.csv" if example.page == WORKED_PAGE else "gainline.toml"
    (folder / name).write_text(example.file, encoding="utf-8")
    program, *words = shlex.split(example.command)
    if program != "gainline":
        done = subprocess.run([program, *words], cwd=folder, capture_output=True, check=True)
        return done.stdout.decode()
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with contextlib.chdir(folder), contextlib.redirect_stdout(out):
        code = run(words)
    assert code == 0, example.command
    out.seek(0)
    return out.read()


def main() -> None:
    """Write the pages named anew, or all: of each answer as many lines as stand there, or all."""
    for page in sys.argv[1:] or (*PAGES, WORKED_PAGE):
        with tempfile.TemporaryDirectory() as name:
            make_plant(Path(name))
            for example in examples([page]):
                said = printed(example, Path(name)).splitlines()
                if example.answer is not None:
                    _write(example, said[-len(example.answer.splitlines()) :])


def _write(example: Example, lines: list[str]) -> None:
    text = (DOCS / example.page).read_text(encoding="utf-8")
    head = f"```sh\n{example.command}\n```\n\n```text\n"
    assert f"{head}{example.answer}```" in text
    shown = "".join(f"{line.rstrip()}\n" for line in lines)
    new = text.replace(f"{head}{example.answer}```", f"{head}{shown}```", 1)
    (DOCS / example.page).write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
