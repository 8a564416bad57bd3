"""Says of a mistake in the configuration where it is and what to write instead."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.errors import ConfigError

# Where a key is: names of tables and of the key; a number counts the tables of a list.
Place = tuple[str | int, ...]

HEADER = re.compile(r"(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
# msgspec's words, in the order in which they are replaced by ours.
WORDS = (
    (re.compile(r" \| null`"), "`"),
    (re.compile("`float`"), "a number"),
    (re.compile("`int`"), "a whole number"),
    (re.compile("`str`"), "a text in quotes"),
    (re.compile("`bool`"), "true or false"),
    (re.compile("`array`"), 'a list, such as ["a", "b"],'),
    (re.compile("`object`"), "a table"),
    (re.compile("`date`"), "a date, such as 2026-03-02,"),
    (re.compile(r"matching regex '\^\[A-Za-z0-9_-\].*'"), "of letters, digits, _ and -"),
    (re.compile(r"matching regex '\^\(\[01\].*'"), "such as 06:30"),
    (
        re.compile("Invalid RFC3339 encoded datetime"),
        "must be a time, such as 2026-03-02T06:00:00Z",
    ),
    (re.compile("of length >= 1"), "that is not empty"),
    (re.compile("Invalid RFC3339 encoded date"), "must be a date, such as 2026-03-02"),
    (re.compile(r"Object missing required field `(\w+)`"), r"the key \1 is missing; add it"),
    (re.compile("^Expected"), "must be"),
    (re.compile(r",*, got "), ", not "),
)
# How a check that follows the types begins its message: with the key.
KEY = re.compile(r"([a-z_]+)\.([a-z_]+)\b")
SCHEDULE = re.compile(r"schedule ([\w-]+):")


@contextmanager
def naming_place(path: Path | None) -> Iterator[None]:
    """Put file and line before what is said of a key in the block, where the file has the key."""
    try:
        yield
    except ConfigError as problem:
        text = path.read_text(encoding="utf-8-sig") if path else ""
        at = _place_said(text, str(problem))
        if not at:
            raise
        raise ConfigError(f"{path}{at}: {problem}") from None


def in_words(problem: str) -> tuple[Place, str]:
    """Take msgspec's message apart: where, and in our words what must be there.

    >>> in_words("Expected `float`, got `str` - at `$.tags[1].low`")
    (('tags', 1, 'low'), 'must be a number, not a text in quotes')
    """
    words, _, path = problem.partition(" - at `$")
    for found, ours in WORDS:
        words = found.sub(ours, words)
    steps = STEP.findall(path.rstrip("`"))
    return tuple(name or int(number) for name, number in steps), words


def dotted(place: Place) -> str:
    """Write a place as people do.

    >>> dotted(("tags", 1, "low"))
    'tags.low'
    """
    return ".".join(step for step in place if isinstance(step, str))


def line_of(text: str, place: Place) -> str:
    r"""Find the line of a key or table, as ':LINE'; nothing where it is not in the file.

    >>> line_of("[store]\nfolder = 'x'\n", ("store", "folder"))
    ':2'
    >>> line_of("[[tags]]\nlow = 1\n[[tags]] # two\nlow = 'x'\n", ("tags", 1, "low"))
    ':4'
    """
    section: Place = ()
    tables = Counter[Place]()
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        header = HEADER.match(bare)
        if header:
            name = _names(header[2])
            section = (*name, tables[name]) if header[1] == "[[" else name
            tables[name] += 1
            is_it = place in (section, name)
        else:
            is_it = (*section, *_names(bare.partition("=")[0])) == place
        if is_it:
            return f":{number}"
    return line_of(text, place[:-1]) if place and isinstance(place[-1], int) else ""


def _names(dotted_key: str) -> Place:
    return tuple(name.strip().strip("\"'") for name in dotted_key.split("."))


def _place_said(text: str, words: str) -> str:
    if schedule := SCHEDULE.match(words):
        lines = text.splitlines()
        named = re.compile(rf"\s*name\s*=\s*[\"']{re.escape(schedule[1])}[\"']")
        return next((f":{number}" for number, line in enumerate(lines, 1) if named.match(line)), "")
    key = KEY.match(words)
    return line_of(text, (key[1], key[2])) if key else ""
