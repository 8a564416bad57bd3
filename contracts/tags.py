"""One tag: where it stands, what kind of value it has, what is possible for it."""

from dataclasses import dataclass, fields
from enum import StrEnum


class Kind(StrEnum):
    """What a tag's values are; it decides which rules may judge them."""

    GAUGE = "gauge"  # a measured quantity: temperature, flow
    COUNTER = "counter"  # only grows, apart from resets: pieces, kWh
    STATE = "state"  # one of a few codes, or text
    WAVEFORM = "waveform"  # raw vibration: hygiene only


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tag stands (ISA-95): site, area, line = work center, machine = work unit."""

    site: str | None = None
    area: str | None = None
    line: str | None = None
    machine: str | None = None
    metric: str | None = None


# What people may set of a tag, whatever its topic and the configuration say.
EDITABLE = (*(field.name for field in fields(Place)), "unit", "kind")


@dataclass(frozen=True, slots=True)
class Tag:
    """One row of the tag catalogue."""

    tag: str
    place: Place
    unit: str | None
    kind: Kind
    # topic and names, where they are not the tag: a Sparkplug topic has a verb, its tag has not
    path: str | None = None
    edited: frozenset[str] = frozenset()  # which of EDITABLE were set by hand


@dataclass(frozen=True, slots=True)
class TagRule:
    """What the judge knows of one tag, in the tag's own unit.

    A value below `low`, above `high` or equal to a sentinel is BAD. None means no bound.
    """

    kind: Kind = Kind.GAUGE
    low: float | None = None
    high: float | None = None
    sentinels: tuple[float, ...] = ()
