"""Judges one tag again, to hear what the rules saw of its readings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clean.evidence import LOOKS, SAW_MEDIAN, SAW_WIDE_LIMIT, Look, share_of_limit
from clean.kernel import Rows, Verdicts
from clean.roster import Roster, empty_roster
from clean.sheet import rows_in, survey_of, time_reasons
from clean.window import WIDTH, Floats
from contracts.tags import Kind, TagRule

# Readings taken at once. What the rules saw of twice as many is in memory, as the verdicts on the
# last of them fall when the next are taken: 32 MB.
PART: Final = 1 << 16


class Glance(NamedTuple):
    """What one look showed of one reading."""

    place: int  # of the reading among those of the tag
    quantity: float
    limit: float


class Hearing(NamedTuple):
    """The readings of one tag in order of arrival with their verdicts, and what was seen."""

    time_us: npt.NDArray[np.int64]
    value: Floats
    quality: npt.NDArray[np.int8]
    reasons: npt.NDArray[np.int32]
    value_clean: Floats
    middle: npt.NDArray[np.float32]  # median of the window, NaN where no rule looked
    reach: npt.NDArray[np.float32]  # how far from it a value may be
    closest: dict[Look, Glance]  # of what a look let pass, what was nearest to its limit
    seen: dict[int, Floats]  # the columns of clean.evidence, by the place of a reading
    kind: Kind  # by which the tag was judged in the end


def hear(
    table: pa.Table, rules: Callable[[str], TagRule], tag: str, wanted: frozenset[int] = frozenset()
) -> Hearing:
    """Judge the readings of a tag, with those of the tags that it asks for in the same table.

    The verdicts are those of the whole table. `wanted` are the places of the readings of which all
    that was seen is kept.
    """
    roster = empty_roster(rules)
    survey = survey_of(roster, lambda: [table])
    rows = rows_in(roster, table, None if survey.is_timed else survey.first.copy())
    is_own = rows.tag == roster.tags.index(tag)
    roster.context.make_room(survey.counts)
    roster.circle.make_room(survey.counts)
    roster.take(rows.at(np.flatnonzero(~is_own)), 0)
    roster.close()
    hearing = _heard(roster, rows.at(np.flatnonzero(is_own)), wanted)
    return hearing._replace(kind=roster.kind_of(tag))


def looks_of(seen: Floats) -> dict[Look, tuple[float, float]]:
    """Give quantity and limit of all that was looked at, the nearest to its limit first."""
    pairs = {look: (float(seen[look.quantity]), float(seen[look.limit])) for look in LOOKS}
    found = {look: pair for look, pair in pairs.items() if not np.isnan(pair).any()}
    return dict(sorted(found.items(), key=lambda item: -share_of_limit(*item[1])))


def _heard(roster: Roster, own: Rows, wanted: frozenset[int]) -> Hearing:
    count = len(own.time)
    hearing = Hearing(
        own.time, own.value, np.zeros(count, np.int8), np.zeros(count, np.int32),
        np.full(count, np.nan), np.full(count, np.nan, np.float32),
        np.full(count, np.nan, np.float32), {}, {}, Kind.GAUGE,
    )  # fmt: skip
    ring = np.full((2 * PART, WIDTH), np.nan)
    begin = 0
    for begin in range(0, count, PART):
        part = own.at(np.arange(begin, min(begin + PART, count)))
        taken = roster.take(part, begin % (2 * PART), ring)
        _note(hearing, taken, _places(taken, begin), (ring, wanted))
    rest = roster.close(seen=ring)
    _note(hearing, rest, _places(rest, begin), (ring, wanted))
    return hearing._replace(reasons=hearing.reasons | time_reasons(own))


def _places(verdicts: Verdicts, begin: int) -> npt.NDArray[np.int64]:
    """Turn numbers, which go round in the ring, into places; the part from `begin` is the last."""
    places = verdicts.number.astype(np.int64) + begin - begin % (2 * PART)
    return np.where(places >= begin + PART, places - 2 * PART, places)


def _note(
    hearing: Hearing,
    verdicts: Verdicts,
    places: npt.NDArray[np.int64],
    memory: tuple[Floats, frozenset[int]],
) -> None:
    ring, wanted = memory
    seen = ring[verdicts.number]
    hearing.quality[places] = verdicts.quality
    hearing.reasons[places] = verdicts.reasons
    hearing.value_clean[places] = verdicts.value_clean
    hearing.middle[places] = seen[:, SAW_MEDIAN]
    hearing.reach[places] = seen[:, SAW_WIDE_LIMIT]
    for at in np.flatnonzero(np.isin(places, list(wanted))):
        hearing.seen[int(places[at])] = seen[at].copy()
    for look in LOOKS:
        passed = np.where(verdicts.reasons & look.reason, np.nan, seen[:, look.quantity])
        limit = seen[:, look.limit]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = passed / limit
        share = np.where(np.isfinite(share), share, -1.0)
        if len(share) and share.max() >= 0.0:
            most = int(share.argmax())
            found = Glance(int(places[most]), float(passed[most]), float(limit[most]))
            known = hearing.closest.get(look)
            if known is None or share[most] > share_of_limit(known.quantity, known.limit):
                hearing.closest[look] = found
