"""Where a tag stands and what kind of value it has, as its name tells."""

from __future__ import annotations

import re
from dataclasses import fields
from functools import lru_cache

from contracts.errors import ConfigError
from contracts.tags import Kind, Place

TEMPLATE = "{site}/{area}/{line}/{machine}/{metric}"

_PLACES = tuple(field.name for field in fields(Place))
_FIELD = re.compile(r"\{(\w+)\}")

# The last word of a metric tells its kind. A closed list: words that mean one kind in every
# plant we know; whatever else is a gauge, which is judged most leniently of all.
_COUNTERS = frozenset(
    {"count", "counter", "total", "totalizer", "kwh", "mwh", "wh", "kvarh", "kg", "energy"}
)
_STATES = frozenset({"state", "status", "mode"})
_WAVEFORMS = frozenset({"waveform"})
_RAW_VIBRATION = ("vibration", "raw")
_WORD = re.compile(r"[A-Z]*[a-z]+|[A-Z]+|\d+")


def place_of(tag: str, template: str = TEMPLATE) -> Place:
    """Read the place from a tag, level by level.

    The last level of a shorter tag is the metric, the ones before fill the template from the
    left; levels beyond the template belong to the metric. ConfigError if the template is wrong.

    >>> place_of("lyon/body/line1/press/pos/x")
    Place(site='lyon', area='body', line='line1', machine='press', metric='pos/x')
    >>> place_of("line1/temperature")
    Place(site='line1', area=None, line=None, machine=None, metric='temperature')
    """
    names = _names_of(template)
    levels = tag.split("/")
    places = min(len(names), len(levels)) - 1
    standing = dict(zip(names[:places], levels[:places], strict=True))
    return Place(**standing, metric="/".join(levels[places:]))


def kind_of(metric: str) -> Kind:
    """Tell the kind of a metric from the last word of its last level.

    Words are parted by anything that is no letter or digit, and by capitals.

    >>> [kind_of(name).value for name in ("good_count", "EnergyTotal", "run_state", "temperature")]
    ['counter', 'counter', 'state', 'gauge']
    >>> kind_of("drive/vibration_raw")
    <Kind.WAVEFORM: 'waveform'>
    """
    words = [word.lower() for word in _WORD.findall(metric.rpartition("/")[2])]
    last = words[-1] if words else ""
    if last in _COUNTERS or last.endswith("count"):
        return Kind.COUNTER
    if last in _STATES:
        return Kind.STATE
    if last in _WAVEFORMS or tuple(words[-2:]) == _RAW_VIBRATION:
        return Kind.WAVEFORM
    return Kind.GAUGE


@lru_cache(maxsize=64)  # templates: a handful in a configuration
def _names_of(template: str) -> tuple[str, ...]:
    """Read the names of a template; the last one must be the metric, none may repeat."""
    found = [_FIELD.fullmatch(level) for level in template.split("/")]
    names = tuple(match[1] if match else "" for match in found)
    known = all(name in _PLACES for name in names)
    if not known or len(set(names)) < len(names) or names[-1] != "metric":
        raise ConfigError(
            f"the topic template {template!r} cannot be read:"
            f" write levels like {TEMPLATE}, {{metric}} last"
        )
    return names
