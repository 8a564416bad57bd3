"""What the history of a tag suggests to tell the judge of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa

from clean.codes import codes_of
from clean.history import US_PER_S, Floats, History, fastest, interval_s, resolution, stays
from clean.kernel import Rows
from clean.roster import empty_roster
from contracts.tags import Kind, TagRule

Value = float | tuple[float, ...] | Kind

# Of so many sound readings, were they drawn by lot, the next is beyond all in one of 250 cases.
READINGS_MIN: Final = 500
# A week, less what is cut off at its ends: what a plant does on working days and at the weekend.
DAYS_MIN: Final = 6.5
# What is impossible is further outside than all that was seen is apart, on either side: a range of
# three times the span holds a yearly cycle of which only one flank was seen, and still stops what
# a broken wire or a wrong byte makes of a value.
MARGIN_SPANS: Final = 1.0
# Twice the fastest change ever seen: a sensor follows its quantity, which may hurry.
RATE_MARGIN: Final = 2.0
# A tag that may cross half its span between two readings has no rate that says anything.
JUMP_SHARE: Final = 0.5
RETURNS_MIN: Final = 5  # a sensor sticks wherever it is; only to its rest it returns, and often
RESTS_MAX: Final = 4
STATES_MAX: Final = 32  # more are no states but numbers
# Where a counter starts again: registers of 16 and 32 bits, signed or not, and decimal displays.
ROLLOVERS: Final = (2.0**15, 2.0**16, 2.0**31, 2.0**32, *(10.0**n for n in range(3, 10)))
NEAR_END: Final = 0.05  # of the register, on either side of the step
SHARES: Final = (0.001, 0.01, 0.5, 0.99, 0.999)  # the quantiles that are told
DIGITS: Final = 2  # more would claim more than a margin knows


@dataclass(frozen=True, slots=True)
class Proposal:
    """One key of a tag's rules, its value, and what that rests on."""

    key: str
    value: Value
    because: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What the history of one tag shows, what it suggests, and what it is too short for."""

    readings: int
    sound: int
    first_us: int
    last_us: int
    interval_s: float | None
    resolution: float | None
    quantiles: tuple[float, ...]  # at SHARES, of the sound readings
    proposals: tuple[Proposal, ...]
    notes: tuple[str, ...]

    def applied_to(self, rule: TagRule) -> TagRule:
        """Give the rule with all proposals in it."""
        said = {name: getattr(rule, name) for name in TagRule.__slots__}
        told = TagRule(**(said | {one.key: one.value for one in self.proposals}))
        return replace(told, learns_kind=rule.learns_kind and told.kind is rule.kind)


def suggest(
    history: History, rule: TagRule, bounds: tuple[float | None, float | None] = (None, None)
) -> Suggestion:
    """Learn from a history of at least one reading what may be told of the tag.

    Of `rule` the kind, which may be a hint, the factor and the offset are used; `bounds` are what
    physics allows, in the unit of the rule. Nothing that is suggested says of a sound reading that
    it is a fault.
    """
    found: list[Proposal | str] = []
    kind = _kind(history, rule) if rule.learns_kind else rule.kind
    if kind is not rule.kind:
        found.append(Proposal("kind", kind, f"by its values; by its name it were a {rule.kind}"))
    codes = {} if kind is Kind.WAVEFORM else codes_of(history)
    history = history.without(tuple(codes))
    values = history.value[history.is_sound] * rule.factor + rule.offset
    if kind in (Kind.GAUGE, Kind.INVENTORY):
        found += _range(history, values, bounds)
    if codes:
        found.append(_sentinels(codes, len(history.value)))
    if kind is Kind.GAUGE:
        found += [*_rate(history, values, abs(rule.factor)), *_rest(values)]
    if kind is Kind.COUNTER:
        found += _rollover(values)
    if kind is Kind.STATE:
        found += _states(history, values)
    return Suggestion(
        readings=len(history.value),
        sound=len(values),
        first_us=int(history.time_us[0]),
        last_us=int(history.time_us[-1]),
        interval_s=interval_s(history),
        resolution=resolution(values),
        quantiles=tuple(np.quantile(values, SHARES).tolist()) if len(values) else (),
        proposals=tuple(one for one in found if isinstance(one, Proposal)),
        notes=tuple(one for one in found if isinstance(one, str)),
    )


def _kind(history: History, rule: TagRule) -> Kind:
    """Give the kind that the judge has learned by the end of a history."""
    roster = empty_roster(lambda _: rule)
    roster.rows_of(pa.chunked_array([["the tag"]]))
    count = len(history.value)
    none = np.zeros(count, np.uint8)
    roster.take(Rows(np.zeros(count, np.int32), history.time_us, history.value, none), 0)
    roster.close()
    return roster.kind_of("the tag")


def _range(
    history: History, values: Floats, bounds: tuple[float | None, float | None]
) -> Iterator[Proposal | str]:
    """Propose what lies outside of all that was seen by its whole span, and what physics says."""
    if len(values) == 0:
        return
    lowest, highest = float(np.min(values)), float(np.max(values))
    span = highest - lowest
    learned: tuple[float | None, float | None] = (None, None)
    if lack := _what_is_short(history, values):
        yield f"no range from the readings: {lack}"
    elif span == 0.0:
        yield f"no range from the readings: all of them are {lowest:g}"
    else:
        margin = MARGIN_SPANS * span
        learned = rounded_out(lowest - margin, span, -1), rounded_out(highest + margin, span, 1)
    seen = f"sound readings are {lowest:.6g} to {highest:.6g}; this is their span further"
    for key, mine, physical, sign in (
        ("low", learned[0], bounds[0], 1.0),
        ("high", learned[1], bounds[1], -1.0),
    ):
        outermost = lowest if key == "low" else highest
        is_allowed = physical is not None and sign * (outermost - physical) >= 0.0
        if physical is not None and not is_allowed:
            yield f"sound readings of {outermost:g} are beyond {physical:g}, the end of the scale"
        if is_allowed and (mine is None or sign * (mine - (physical or 0.0)) < 0.0):
            yield Proposal(key, float(physical or 0.0), "by physics, whatever was seen")
        elif mine is not None:
            yield Proposal(key, mine, seen)


def rounded_out(limit: float, span: float, direction: int) -> float:
    """Round a limit away from the readings, to the place of two digits of their span.

    >>> rounded_out(7.93, 9.2, -1), rounded_out(1234.5, 617.0, 1)
    (7.9, 1240.0)
    """
    place = math.floor(math.log10(span)) - DIGITS + 1
    unit = 10.0**place
    steps = math.floor(limit / unit) if direction < 0 else math.ceil(limit / unit)
    return float(round(steps * unit, max(0, -place)))


def _what_is_short(history: History, values: Floats) -> str:
    """Say what a history lacks for limits to be drawn from it; empty where it is long enough."""
    days = float(history.time_us[-1] - history.time_us[0]) / US_PER_S / 86_400
    if len(values) < READINGS_MIN:
        return f"{len(values)} sound readings, it takes {READINGS_MIN}"
    if days < DAYS_MIN:
        return f"{days:.1f} days of history, it takes {DAYS_MIN:g}"
    return ""


def _sentinels(codes: dict[float, int], whole: int) -> Proposal:
    times = ", ".join(f"{value:g} {count} times" for value, count in codes.items())
    share = sum(codes.values()) / whole
    because = f"{times} ({share:.2%}), for moments, far from all other readings"
    return Proposal("sentinels", tuple(sorted(codes)), because)


def _rate(history: History, values: Floats, factor: float) -> Iterator[Proposal | str]:
    usual, most = interval_s(history), fastest(history)
    if _what_is_short(history, values) or not most or usual is None:
        return
    most *= factor
    span = float(np.max(values) - np.min(values))
    if most * usual > JUMP_SHARE * span:
        yield "no rate_max: it crosses half of its span between two readings"
        return
    because = f"the fastest change between sound readings was {most:.3g} a second; this is twice it"
    yield Proposal("rate_max", float(f"{RATE_MARGIN * most:.{DIGITS}g}"), because)


def _rest(values: Floats) -> Iterator[Proposal]:
    lengths = {value: each for value, each in stays(values).items() if len(each) >= RETURNS_MIN}
    if not 0 < len(lengths) <= RESTS_MAX:
        return
    share = sum(map(sum, lengths.values())) / len(values)
    times = ", ".join(
        f"{value:g} {len(each)} times, for {min(each)} to {max(each)} readings"
        for value, each in lengths.items()
    )
    because = f"it came back to stay at {times} ({share:.1%} of the readings)"
    yield Proposal("rest", tuple(sorted(lengths)), because)


def _rollover(values: Floats) -> Iterator[Proposal]:
    """Propose the register at whose end the counter started again from its beginning."""
    before, after = values[:-1], values[1:]
    for size in ROLLOVERS:
        wraps = (before >= (1.0 - NEAR_END) * size) & (before < size) & (after < NEAR_END * size)
        if wraps.any() and float(np.max(values)) < size:
            because = f"{int(wraps.sum())} times it went from just below to just above 0"
            yield Proposal("rollover", size, because)
            return


def _states(history: History, values: Floats) -> Iterator[Proposal | str]:
    levels, counts = np.unique(values, return_counts=True)
    if lack := _what_is_short(history, values):
        yield f"no states from the readings: {lack}"
    elif len(levels) > STATES_MAX:
        yield f"no states: {len(levels)} different values are no states but numbers"
    else:
        pairs = zip(levels.tolist(), counts.tolist(), strict=True)
        times = ", ".join(f"{value:g} {count} times" for value, count in pairs)
        yield Proposal("states", tuple(levels.tolist()), f"all there were: {times}")
