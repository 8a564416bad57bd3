"""Says of a tag where it stands, in which unit and of which kind, as the configuration has it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import translate

from contracts.errors import ConfigError
from contracts.tags import EDITABLE, Kind, Tag, TagRule
from gainline.config import Settings, TagSection
from ingest.topics import Templates, kind_of

# Makes the entry of a tag in the catalogue; beside the tag its path, where that is another.
TagMaker = Callable[[str, str | None], Tag]


def templates(settings: Settings) -> Templates:
    """Give what the levels of a topic mean. Raises ConfigError for a template."""
    try:
        return Templates(settings.ingest.templates)
    except ConfigError as problem:
        raise ConfigError(f"ingest.templates: {problem}") from None


def tag_maker(settings: Settings) -> TagMaker:
    """Make what places a tag: by the templates, then by the patterns. Raises ConfigError."""
    read = templates(settings)
    sections_of = _section_finder(settings)

    def make(tag: str, path: str | None) -> Tag:
        sections = sections_of(tag)
        said = {word: _first(sections, word) for word in EDITABLE}
        kind = said.pop("kind")
        plain = Tag(tag, read.place_of(path or tag), None, Kind.GAUGE, path)
        made = plain.saying({word: text or None for word, text in said.items() if text is not None})
        return made.saying({"kind": kind or kind_of(made.place.metric or "")})

    return make


def renewed(known: Mapping[str, Tag], make: TagMaker) -> list[Tag]:
    """List the known tags that the configuration wants otherwise; what was set by hand stays."""
    wanted = (_with_edits(make(tag.tag, tag.path), tag) for tag in known.values())
    return [tag for tag in wanted if tag != known[tag.tag]]


def rule_finder(settings: Settings, kinds: Mapping[str, Kind]) -> Callable[[str], TagRule]:
    """Make what tells the judge what is possible for a tag; `kinds` were set by hand."""
    make, sections_of = tag_maker(settings), _section_finder(settings)

    def rule(tag: str) -> TagRule:
        kind = kinds.get(tag) or make(tag, None).kind
        limiting = (each for each in sections_of(tag) if _has_limits(each))
        limits = next(limiting, None)
        if limits is None:
            return TagRule(kind)
        return TagRule(kind, limits.low, limits.high, limits.sentinels)

    return rule


def kinds_by_hand(known: Mapping[str, Tag]) -> dict[str, Kind]:
    """Pick the kinds that were set by hand."""
    return {name: tag.kind for name, tag in known.items() if "kind" in tag.edited}


def kind_named(name: str, where: str) -> Kind:
    """Give a kind by its name. Raises ConfigError where there is none such."""
    try:
        return Kind(name)
    except ValueError:
        raise ConfigError(f"{where} is none of {', '.join(Kind)}") from None


def _section_finder(settings: Settings) -> Callable[[str], list[TagSection]]:
    """Make what lists the sections whose pattern matches a tag. Raises ConfigError for a kind."""
    for section in settings.tags:
        if section.kind is not None:
            kind_named(section.kind, f"tags.kind: {section.kind!r} of pattern {section.pattern!r}")
    patterns = [(re.compile(translate(each.pattern)), each) for each in settings.tags]
    return lambda tag: [section for pattern, section in patterns if pattern.match(tag)]


def _first(sections: Iterable[TagSection], key: str) -> str | None:
    """Give what the first section says that has the key."""
    said = (getattr(section, key) for section in sections)
    return next((word for word in said if word is not None), None)


def _has_limits(section: TagSection) -> bool:
    return section.low is not None or section.high is not None or bool(section.sentinels)


def _with_edits(made: Tag, known: Tag) -> Tag:
    said = known.words()
    return known.saying(made.words() | {word: said[word] for word in known.edited})
