"""Where a tag stands and what kind of value it has, as its name tells."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING

from contracts.errors import ConfigError
from contracts.tags import Kind, Place

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_TEMPLATE = "{site?}/{area?}/{line?}/{machine?}/{metric}"
# What needs no configuration. UMH: umh/v1, the location from the enterprise down (only that is
# always there, and whatever is below the line is the machine's), the data contract with its
# underscore, folders and name (docs.umh.app, Topic Convention). Sparkplug 3, chapter 4: group,
# verb, edge node, device; a site is what most plants make a group of.
BUILT_IN = (
    "umh/v1/{enterprise}/{site?}/{area?}/{line?}/{machine*}/_*/{metric}",
    "spBv1.0/{site}/N*/{line}/{metric}",
    "spBv1.0/{site}/D*/{line}/{machine}/{metric}",
)

_PLACES = tuple(field.name for field in fields(Place))
# a store is one enterprise's: the level has a name, so that it can be skipped, and no column
_NAMES = frozenset({*_PLACES, "enterprise"})
_NAME = re.compile(r"\{(\w+)([?*]?)\}")
_ANY_LEVEL = frozenset({"+", "*"})
_LEVEL = "[^/]*"

# The last word of a metric tells its kind. A closed list: words that mean one kind in nearly
# every plant; whatever else is a gauge. Of gauges and counters the values have the last word.
_COUNTERS = frozenset(
    {"count", "counter", "total", "totalizer", "kwh", "mwh", "wh", "kvarh", "kg", "energy"}
)
_INVENTORIES = frozenset({"inventory", "wip"})
_STATES = frozenset({"state", "status", "mode"})
_WAVEFORMS = frozenset({"waveform"})
_RAW_VIBRATION = ("vibration", "raw")
_WORD = re.compile(r"[A-Z]*[a-z]+|[A-Z]+|\d+")


class Templates:
    """What the levels of a topic mean, and of the names in its payload that follow.

    A template is levels with slashes between. A name in braces takes one level; with `?` it may
    be missing, with `*` it takes any number of levels. The last one is {metric}, which takes all
    that is left. `+` is any level, `*` in a level any characters, all else is literal. The first
    template that fits counts; those that are built in come before the first that begins with a
    name, which would fit anything.

    >>> templates = Templates([DEFAULT_TEMPLATE])
    >>> templates.place_of("lyon/body/line1/press/pos/x")
    Place(site='lyon', area='body', line='line1', machine='press', metric='pos/x')
    >>> templates.place_of("line1/temperature")
    Place(site='line1', area=None, line=None, machine=None, metric='temperature')
    >>> templates.place_of("umh/v1/acme/lyon/_historian/force")
    Place(site='lyon', area=None, line=None, machine=None, metric='force')
    """

    def __init__(self, templates: Sequence[str]) -> None:
        """Raise ConfigError for a template that cannot be read."""
        loose = (at for at, one in enumerate(templates) if one.startswith(("{", *_ANY_LEVEL)))
        at = next(loose, len(templates))
        self._patterns = [pattern_of(one) for one in (*templates[:at], *BUILT_IN, *templates[at:])]

    def place_of(self, path: str) -> Place:
        """Read the place from a topic and the names after it; one that none fits has no place."""
        for pattern in self._patterns:
            if found := pattern.fullmatch(path):
                read = found.groupdict()
                return Place(**{name: read.get(name) for name in _PLACES})
        return Place(metric=path)


def kind_of(metric: str) -> Kind:
    """Tell the kind of a metric from the last word of its last level.

    Words are parted by anything that is no letter or digit, and by capitals.

    >>> [kind_of(name).value for name in ("good_count", "EnergyTotal", "run_state", "temperature")]
    ['counter', 'counter', 'state', 'gauge']
    >>> kind_of("drive/vibration_raw"), kind_of("usage_kwh")
    (<Kind.WAVEFORM: 'waveform'>, <Kind.COUNTER: 'counter'>)
    """
    words = [word.lower() for word in _WORD.findall(metric.rpartition("/")[2])]
    last = words[-1] if words else ""
    if last in _COUNTERS or last.endswith("count"):
        return Kind.COUNTER
    if last in _INVENTORIES:
        return Kind.INVENTORY
    if last in _STATES:
        return Kind.STATE
    if last in _WAVEFORMS or tuple(words[-2:]) == _RAW_VIBRATION:
        return Kind.WAVEFORM
    return Kind.GAUGE


def filter_of(template: str) -> str:
    """Give the filter of the topics that a template names; what may be missing comes last.

    Raises ConfigError for a template that cannot be said so.

    >>> filter_of("notes/{site}/{line?}/{machine?}"), filter_of("{site}/{line}/$note")
    ('notes/+/#', '+/+/$note')
    """
    levels = template.split("/")
    count = next((at for at, one in enumerate(levels) if one.endswith(("?}", "*}"))), len(levels))
    if any(not one.endswith(("?}", "*}")) or "*" in one for one in levels[count:]):
        raise _unreadable(template, "levels that may be missing come last, each {name?}")
    if "*" in "".join(levels[:count]):
        raise _unreadable(template, "a * stands for no part of a level here")
    named = ["+" if _NAME.fullmatch(one) else one for one in levels[:count]]
    return "/".join([*named, *(["#"] if count < len(levels) else [])])


def pattern_of(template: str) -> re.Pattern[str]:
    """Turn a template into an expression with a group for each name. Raises ConfigError."""
    *levels, last = template.split("/")
    names = [found[1] for level in levels if (found := _NAME.fullmatch(level))]
    if last != "{metric}":
        raise _unreadable(template, "its last level must be {metric}")
    if len(set(names)) < len(names) or "metric" in names:
        raise _unreadable(template, "it has a name twice")
    parts = [_part_of(template, at) for at in range(len(levels))]
    return re.compile("".join(parts) + "(?P<metric>.*)", re.DOTALL)


def _part_of(template: str, at: int) -> str:
    levels = template.split("/")
    named = _NAME.fullmatch(levels[at])
    if named is None:
        return _literal(template, levels[at]) + "/"
    name, how_often = named.groups()
    if name not in _NAMES:
        raise _unreadable(template, f"there is no {{{name}}}")
    if not how_often:
        return f"(?P<{name}>{_LEVEL})/"
    level = _ahead(template, levels[at + 1 :]) + _LEVEL
    if how_often == "?":
        return f"(?:(?P<{name}>{level})/)?"
    return f"(?:(?P<{name}>{level}(?:/{level})*?)/)?"


def _ahead(template: str, following: Sequence[str]) -> str:
    """Refuse a level that is the literal after a run of names: there the run is over."""
    literals = (one for one in following if "{" not in one and one not in _ANY_LEVEL)
    literal = next(literals, None)
    return "" if literal is None else f"(?!{_literal(template, literal)}/)"


def _literal(template: str, level: str) -> str:
    if level == "+":
        return _LEVEL
    if not level or set(level) & set("{}#+"):
        raise _unreadable(template, f"the level {level!r} is neither a {{name}} nor a plain word")
    return _LEVEL.join(map(re.escape, level.split("*")))


def _unreadable(template: str, why: str) -> ConfigError:
    return ConfigError(
        f"the template {template!r} cannot be read: {why};"
        " write levels like {site}/{area}/{line}/{machine}/{metric}"
    )
