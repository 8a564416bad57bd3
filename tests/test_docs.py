"""The documentation names every verb, option, key and view there is, and nothing else."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import typer

from contracts.quality import Reason
from gainline.cli import app
from gainline.config.loading import Settings
from store.lake import Lake
from store.query import fetch

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
# A newcomer reads this much before trying.
README_WORDS_MAX = 500
RUN_COMMANDS = {"demo", "test", "setup"}


def _page(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def _sections(text: str) -> dict[str, str]:
    """The text under each heading that is one word of code, by that word."""
    parts = re.split(r"^#+ `([^`]+)`.*$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _options_of(command: Any) -> list[str]:  # noqa: ANN401  # typer's click is its own
    options = (max(word.opts, key=len) for word in command.params if word.opts[0][0] == "-")
    return [name for name in options if name != "--help"]


def _verbs() -> dict[str, list[str]]:
    """Each verb, as words after `gainline`, with its options."""
    verbs = {}
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        if inner is None:
            verbs[name] = _options_of(command)
        else:
            verbs |= {f"{name} {word}": _options_of(one) for word, one in inner.items()}
    return verbs


def _keys() -> list[str]:
    """Each key of the configuration, as section.key."""
    found = []
    for section in msgspec.structs.fields(Settings):
        candidates = (section.type, *get_args(section.type))
        kind = next(one for one in candidates if isinstance(one, type) and one is not tuple)
        found += [f"{section.name}.{field.name}" for field in msgspec.structs.fields(kind)]
    return found


def _shell_lines(text: str) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line.split(" #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


@pytest.mark.parametrize("verb", _verbs())
def test_a_verb_has_its_section_with_all_its_options(verb: str) -> None:
    sections = _sections(_page("docs/commands.md"))
    assert verb in sections, f"docs/commands.md has no heading `{verb}`"
    missing = [name for name in _verbs()[verb] if f"`{name}" not in sections[verb]]
    assert not missing, f"docs/commands.md, {verb}: does not name {missing}"


def test_no_verb_is_documented_that_does_not_exist() -> None:
    assert _sections(_page("docs/commands.md")).keys() <= _verbs().keys()


def test_every_key_of_the_configuration_is_explained() -> None:
    text = _page("docs/configuration.md")
    sections = _sections(text)
    missing = []
    for name in _keys():
        section, key = name.split(".")
        if f"`{key}`" not in sections.get(section, ""):
            missing.append(name)
    assert not missing, f"docs/configuration.md does not name {missing}"


def test_every_default_that_is_shown_is_the_one_that_holds() -> None:
    sections = _sections(_page("docs/configuration.md"))
    wrong = []
    for section in msgspec.structs.fields(Settings):
        if isinstance(section.default, tuple):
            continue  # a list of tables has no defaults of its own
        rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", sections[section.name], flags=re.MULTILINE)
        for key, shown in rows:
            holds = getattr(section.default, key)
            if isinstance(holds, msgspec.Struct):
                continue  # a table of its own, in words
            if holds is not None and shown.strip("`") != _as_toml(holds):
                wrong.append(f"{section.name}.{key}: {shown}, not {_as_toml(holds)}")
    assert not wrong


def _as_toml(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def test_no_key_is_explained_that_does_not_exist() -> None:
    keys = _keys()
    named = [
        f"{section}.{key}"
        for section, text in _sections(_page("docs/configuration.md")).items()
        for key in re.findall(r"^\| `(\w+)`", text, flags=re.MULTILINE)
    ]
    assert [name for name in named if name not in keys] == []


def test_every_view_and_column_is_explained(tmp_path: Path) -> None:
    Lake.open(tmp_path / "lake", writer="ingest").close()
    sections = _sections(_page("docs/data.md"))
    asked = "SELECT schema_name, view_name FROM duckdb_views() WHERE NOT internal ORDER BY ALL"
    views = [
        (row["schema_name"], row["view_name"])
        for row in fetch(tmp_path / "lake", asked).to_pylist()
    ]
    assert ("main", "readings") in views
    missing = []
    for schema, view in [*views, ("raw", "readings")]:
        name = view if schema == "main" else f"{schema}.{view}"
        columns = fetch(tmp_path / "lake", f"SELECT * FROM {name} LIMIT 0").column_names
        text = sections.get(name, "")
        missing += [f"{name}.{column}" for column in columns if f"`{column}`" not in text]
    assert not missing, f"docs/data.md does not name {missing}"


def test_every_reason_is_explained() -> None:
    text = _page("docs/data.md")
    words = [str(reason.name).lower() for reason in Reason]
    assert [word for word in words if f"| `{word}` |" not in text] == []


def test_the_readme_is_short() -> None:
    text = re.sub(r"^```.*?^```", "", _page("README.md"), flags=re.MULTILINE | re.DOTALL)
    assert len(text.split()) < README_WORDS_MAX


def test_the_readme_begins_with_the_two_commands() -> None:
    assert _shell_lines(_page("README.md"))[:2] == ["./run demo", "./run test"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_command_that_is_shown_exists(page: Path) -> None:
    verbs = _verbs()
    for line in _shell_lines(page.read_text(encoding="utf-8")):
        words = shlex.split(line)
        if words[0] not in ("./run", "gainline", ".venv/bin/gainline"):
            continue
        if words[0] == "./run" and words[1] in RUN_COMMANDS - verbs.keys():
            continue
        verb = next((one for one in (" ".join(words[1:3]), words[1]) if one in verbs), None)
        assert verb, f"{page.name}: no verb in {line!r}"
        options = [word.split("=")[0] for word in words if word.startswith("--")]
        unknown = [name for name in options if name not in (*verbs[verb], "--help")]
        assert not unknown, f"{page.name}: {line!r} has options that do not exist: {unknown}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    files = [target for target in targets if not re.match(r"[a-z]+:", target)]
    assert [target for target in files if not (page.parent / target).exists()] == []
