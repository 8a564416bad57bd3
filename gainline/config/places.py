"""Says of a tag where it stands, in which unit and of which kind, as the configuration has it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import translate
from functools import partial
from typing import Any, NamedTuple

from contracts.errors import ConfigError
from contracts.tags import EDITABLE, Kind, Place, Tag, TagRule
from gainline.config.loading import Settings
from gainline.config.made_tags import made_tag
from gainline.config.sections import TagSection
from gainline.config.units import conversion
from ingest.topics import Templates, kind_of

# What a pattern tells the judge as it is; it has the same name in a rule.
_TOLD = (
    "low",
    "high",
    "sentinels",
    "rate_max",
    "rollover",
    "states",
    "rest",
    "neighbour_tolerance",
)

# What a name only hints at: the values decide. The words of the others have one meaning.
_HINTS = frozenset({Kind.GAUGE, Kind.COUNTER})


class _Said(NamedTuple):
    """What all sections that match a tag say together; most tags of a plant share it."""

    words: dict[str, str | None]  # of the entry in the catalogue, but for the kind
    kind: Kind | None
    neighbours: tuple[str, ...]
    state: str | None  # the tag of the machine's state
    rule: Callable[..., TagRule]  # with all that is the same for every tag


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
    read, said_of = templates(settings), _what_is_said(settings)
    return lambda tag, path: _made(tag, path, read.place_of(path or tag), said_of(tag))


def renewed(known: Mapping[str, Tag], make: TagMaker) -> list[Tag]:
    """List the known tags that the configuration wants otherwise; what was set by hand stays."""
    plain = {name: make(name, tag.path) for name, tag in known.items()}
    wanted = {name: _with_edits(tag, known[name]) for name, tag in plain.items()}
    whole = (_with_edits(made_tag(plain[name], wanted), tag) for name, tag in known.items())
    return [tag for tag in whole if tag != known[tag.tag]]


def rule_finder(settings: Settings, kinds: Mapping[str, Kind]) -> Callable[[str], TagRule]:
    """Make what tells the judge what is possible for a tag; `kinds` were set by hand.

    Raises ConfigError for a pattern that contradicts itself.
    """
    read, said_of = templates(settings), _what_is_said(settings)
    named = frozenset(name for section in settings.tags for name in section.neighbours)
    tellers = frozenset(section.machine_state for section in settings.tags)
    metric = settings.panel.state

    def rule(tag: str) -> TagRule:
        said = said_of(tag)
        made = _made(tag, None, read.place_of(tag), said)
        kind = kinds.get(tag) or made.kind
        is_law = tag in kinds or said.kind is not None or kind not in _HINTS
        tells = kind is Kind.STATE and made.place.metric == metric
        return said.rule(
            kind,
            neighbours=tuple(name for name in said.neighbours if name != tag),
            is_neighbour=tag in named,
            machine_states=(said.state,) if said.state else machine_states(made, metric),
            tells_state=tells or tag in tellers,
            learns_kind=not is_law,
        )

    return rule


def machine_states(tag: Tag, metric: str) -> tuple[str, ...]:
    """Name the tags that may tell the state of a tag's machine, then of its line.

    They stand beside it, and `metric` is what they measure.

    >>> from contracts.tags import Place
    >>> place = Place(line="line1", machine="press", metric="force")
    >>> machine_states(Tag("line1/press/force", place, None, Kind.GAUGE), "state")
    ('line1/press/state', 'line1/state')
    """
    own, machine = tag.place.metric or "", tag.place.machine
    if not own or own == metric or not tag.tag.endswith(own):
        return ()
    beside = tag.tag.removesuffix(own)
    above = beside.removesuffix(f"{machine}/") if machine else beside
    return tuple(dict.fromkeys((beside + metric, above + metric)))


def kinds_by_hand(known: Mapping[str, Tag]) -> dict[str, Kind]:
    """Pick the kinds that were set by hand."""
    return {name: tag.kind for name, tag in known.items() if "kind" in tag.edited}


def kind_named(name: str, where: str) -> Kind:
    """Give a kind by its name. Raises ConfigError where there is none such."""
    try:
        return Kind(name)
    except ValueError:
        raise ConfigError(f"{where} is none of {', '.join(Kind)}") from None


def _made(tag: str, path: str | None, place: Place, said: _Said) -> Tag:
    if not said.words:
        return Tag(tag, place, None, said.kind or kind_of(place.metric or ""), path)
    made = Tag(tag, place, None, Kind.GAUGE, path).saying(said.words)
    return made.saying({"kind": said.kind or kind_of(made.place.metric or "")})


def _what_is_said(settings: Settings) -> Callable[[str], _Said]:
    """Make what tells what is said of a tag, worked out once for each choice of sections.

    Raises ConfigError for a section that contradicts itself.
    """
    sections_of = _section_finder(settings)
    conversions = {id(each): _conversion(each) for each in settings.tags}
    known = dict[tuple[int, ...], _Said]()

    def said_of(tag: str) -> _Said:
        sections = sections_of(tag)
        choice = tuple(map(id, sections))
        if choice not in known:
            converted = next(filter(None, (conversions[one] for one in choice)), (1.0, 0.0))
            known[choice] = _said_by(sections, *converted)
        return known[choice]

    return said_of


def _said_by(sections: Sequence[TagSection], factor: float, offset: float) -> _Said:
    words = {word: _first(sections, word) for word in EDITABLE if word != "kind"}
    kind = _first(sections, "kind")
    told = {key: said for key in _TOLD if (said := _first(sections, key)) is not None}
    return _Said(
        {word: text or None for word, text in words.items() if text is not None},
        None if kind is None else Kind(kind),
        _first(sections, "neighbours") or (),
        _first(sections, "machine_state"),
        partial(
            TagRule,
            **told,
            factor=factor,
            offset=offset,
            is_smoothed=bool(_first(sections, "smooth")),
        ),
    )


def _section_finder(settings: Settings) -> Callable[[str], list[TagSection]]:
    """Make what lists the sections whose pattern matches a tag. Raises ConfigError for a kind."""
    for section in settings.tags:
        if section.kind is not None:
            kind_named(section.kind, f"tags.kind: {section.kind!r} of pattern {section.pattern!r}")
        if section.low is not None and section.high is not None and section.low > section.high:
            raise ConfigError(
                f"tags.low: {section.low:g} of pattern {section.pattern!r} is above its high,"
                f" {section.high:g}: no value would be possible; swap them"
            )
    patterns = [(re.compile(translate(each.pattern)), each) for each in settings.tags]
    return lambda tag: [section for pattern, section in patterns if pattern.match(tag)]


def _conversion(section: TagSection) -> tuple[float, float] | None:
    """Give factor and offset into the unit of a section. Raises ConfigError."""
    if section.source_unit is None:
        return None
    where = f"tags.source_unit: of pattern {section.pattern!r}"
    if not section.unit:
        raise ConfigError(f"{where}: say beside it with `unit` what it is to be converted into")
    try:
        return conversion(section.source_unit, section.unit)
    except ConfigError as problem:
        raise ConfigError(f"{where}: {problem}") from None


def _first(sections: Iterable[TagSection], key: str) -> Any:  # noqa: ANN401  # whatever the key is
    """Give what the first section says that has the key."""
    said = (getattr(section, key) for section in sections)
    return next((word for word in said if word is not None and word != ()), None)


def _with_edits(made: Tag, known: Tag) -> Tag:
    said = known.words()
    return known.saying(made.words() | {word: said[word] for word in known.edited})
