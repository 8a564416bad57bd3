"""One tag: where it stands, what kind of value it has, what is possible for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Self


class Kind(StrEnum):
    """What a tag's values are; it decides which rules may judge them."""

    GAUGE = "gauge"  # a measured quantity: temperature, flow
    COUNTER = "counter"  # only grows, apart from resets: pieces, kWh
    INVENTORY = "inventory"  # a number of things that are there: pallets, parts in a buffer
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
_LEVELS = tuple(field.name for field in fields(Place))
EDITABLE = (*_LEVELS, "unit", "kind")


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
    gateway: str | None = None  # that sent it first, None if it did not name itself
    # from when on the unit holds, None: of all readings. Before, it was what was said before.
    unit_from: datetime | None = None

    def words(self) -> dict[str, str | None]:
        """Give what is said of the tag, under the names of EDITABLE."""
        place = {level: getattr(self.place, level) for level in _LEVELS}
        return {**place, "unit": self.unit, "kind": str(self.kind)}

    def saying(
        self, words: Mapping[str, str | None], *, edited: frozenset[str] | None = None
    ) -> Self:
        """Give the tag with some of its words changed; `edited` as it was unless it is given.

        >>> tag = Tag("a/b", Place(site="a", metric="b"), None, Kind.GAUGE)
        >>> tag.saying({"line": "l1", "kind": "state"}).place
        Place(site='a', area=None, line='l1', machine=None, metric='b')
        """
        said = self.words() | dict(words)
        return replace(
            self,
            place=Place(*(said[level] for level in _LEVELS)),
            unit=said["unit"],
            kind=Kind(said["kind"] or Kind.GAUGE),
            edited=self.edited if edited is None else edited,
        )


@dataclass(frozen=True, slots=True)
class TagRule:
    """What the judge is told of one tag; None or empty: nothing.

    `factor` and `offset` make a value in `unit` of a raw value; sentinels are raw values, all other
    numbers are in `unit`. What contradicts `low`, `high` or `sentinels` is BAD, what contradicts
    anything else UNCERTAIN.
    """

    kind: Kind = Kind.GAUGE  # a hint, if `learns_kind`
    low: float | None = None
    high: float | None = None
    sentinels: tuple[float, ...] = ()
    rate_max: float | None = None  # change a second
    rollover: float | None = None  # the number of values of a counter: after the last comes 0
    states: tuple[float, ...] = ()  # those there are
    rest: tuple[float, ...] = ()  # values it may hold for as long as it likes
    neighbours: tuple[str, ...] = ()  # tags of sensors that measure the same
    neighbour_tolerance: float | None = None  # what they may differ by; None: learned
    is_neighbour: bool = False  # may be named in the neighbours of others; so may who names any
    # tags of the state of its machine, of its line: the first known counts; 0: it is off
    machine_states: tuple[str, ...] = ()
    tells_state: bool = False  # may be named in the machine_states of others
    factor: float = 1.0
    offset: float = 0.0
    learns_kind: bool = False  # the values decide
    is_smoothed: bool = False  # value_clean of a GOOD reading is smoothed
