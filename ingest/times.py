"""Source times as microseconds since 1970 in UTC, from whatever a gateway sends."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from msgspec import Struct

from ingest.readings import NO_TIME

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    import numpy.typing as npt

# A count since 1970 is in seconds below the first bound, in ms, µs, ns below the next ones. Each
# bound is the year 5138 in the larger unit and 1973 in the smaller one, where gateways' clocks
# never are: so no time that matters is near a bound.
SECONDS_BELOW = 10**11
MILLISECONDS_BELOW = 10**14
MICROSECONDS_BELOW = 10**17

# 2000-01-01: no gateway is older; an earlier time is a clock that was never set (1970, 1980)
SET_SINCE_US = 946_684_800_000_000
# 1677-09-21 to 2262-04-11, the range of 64-bit nanoseconds: pandas and half of the tools that
# read a lake fail beyond it
EARLIEST_US = -(2**63) // 1000 + 1
LATEST_US = (2**63 - 1) // 1000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DIGITS_MAX = 20  # one more than nanoseconds in 64 bits have
_NUMBER = re.compile(r"[+-]?\d{1,20}(?:\.\d{1,40})?", re.ASCII)
# only this beginning is read as a date; week dates and bare years are not
_DATE = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d", re.ASCII)
# the end of a day, which is the beginning of the next
_END_OF_DAY = re.compile(r"24:00(?::00(?:[.,]0+)?)?(?![\d:.,])", re.ASCII)
_HOUR = 11  # where the hour stands in such a text
_DAY = timedelta(days=1)


class Stamp(Struct, frozen=True, gc=False):
    """A source time, None where there is none to use, and whether it is to be doubted."""

    us: int | None
    is_doubtful: bool


class Stamps(NamedTuple):
    """Source times of a column: NO_TIME where there is none; `doubtful` None means nowhere."""

    us: npt.NDArray[np.int64]
    doubtful: npt.NDArray[np.bool_] | None


_NONE_SENT = Stamp(None, is_doubtful=False)
_UNUSABLE = Stamp(None, is_doubtful=True)


def stamp_of(sent: object, zone: tzinfo = UTC) -> Stamp:
    """Read one time: a count since 1970, in the unit its magnitude tells, or ISO 8601.

    Fractions finer than a microsecond are cut. A time before 2000 is kept and doubtful, and so is
    a local time (no offset: `zone`) that a change of the zone's clocks skips, read as if they had
    not changed yet, or repeats: then it is the first. A time that cannot be read or held is None
    and doubtful; null is None and not doubtful. A time in the future is judged where the time of
    arrival is known: see rows.py.

    >>> stamp_of(1767225600), stamp_of(1767225600_000_000_000)
    (Stamp(us=1767225600000000, is_doubtful=False), Stamp(us=1767225600000000, is_doubtful=False))
    >>> stamp_of("2026-01-01T01:00:00.1234567+0100")
    Stamp(us=1767225600123456, is_doubtful=False)
    >>> stamp_of(0), stamp_of("9999-12-31T23:59:59Z"), stamp_of(None)
    (Stamp(us=0, is_doubtful=True), Stamp(us=None, is_doubtful=True), Stamp(us=None, \
is_doubtful=False))
    """
    if isinstance(sent, str):
        return _stamp_of_text(sent.strip(), zone)
    if isinstance(sent, bool):
        return _UNUSABLE
    if isinstance(sent, int):
        return _checked(microseconds_of(sent))
    if isinstance(sent, float):
        # the shortest decimal that is this float is what the gateway wrote: cut that one
        return _stamp_of_decimal(Decimal(repr(sent)))
    return _NONE_SENT if sent is None else _UNUSABLE


def stamps_of(sent: Sequence[Any], zone: tzinfo = UTC) -> Stamps:
    """Read a column of times as `stamp_of` reads each; integers are read all at once.

    >>> stamps_of([1767225600000, 1767225600250]).us.tolist()
    [1767225600000000, 1767225600250000]
    """
    fast = _stamps_of_counts(sent)
    if fast is not None:
        return fast
    stamps = [stamp_of(one, zone) for one in sent]
    us = np.array([NO_TIME if one.us is None else one.us for one in stamps], np.int64)
    doubtful = np.array([one.is_doubtful for one in stamps], np.bool_)
    return Stamps(us, doubtful if doubtful.any() else None)


def stamps_of_counts(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64] | None:
    """Read integers as `stamp_of` reads each, if none of the times is doubtful; else None.

    >>> stamps_of_counts(np.array([1767225600, 1767225600_250_000_000])).tolist()
    [1767225600000000, 1767225600250000]
    """
    if counts.min() < 0:
        return None
    us = counts
    for bound, factor in ((MILLISECONDS_BELOW, 1_000), (SECONDS_BELOW, 1_000)):
        is_coarse = counts < bound
        if is_coarse.any():
            us = us * np.where(is_coarse, factor, 1)
    is_fine = counts >= MICROSECONDS_BELOW
    if is_fine.any():
        us = np.where(is_fine, counts // 1_000, us)
    return us if us.min() >= SET_SINCE_US and us.max() <= LATEST_US else None


def microseconds_of(count: int | Decimal) -> int:
    """Turn a count since 1970 into microseconds, by its magnitude.

    >>> [microseconds_of(1767225600 * 1000**power) for power in range(4)] == [1767225600000000] * 4
    True
    """
    size = count if count >= 0 else -count
    if size < SECONDS_BELOW:
        return int(count * 1_000_000)
    if size < MILLISECONDS_BELOW:
        return int(count * 1_000)
    return int(count) if size < MICROSECONDS_BELOW else int(count // 1_000)


def _stamps_of_counts(sent: Sequence[Any]) -> Stamps | None:
    """Read integers of one unit that are all plausible; None where each must be looked at."""
    try:
        # only numbers have a sum, and only of integers it is an integer
        if not sent or type(sum(sent)) is not int:
            return None
        counts = np.fromiter(sent, np.int64, len(sent))
    except (TypeError, OverflowError):
        return None
    us = stamps_of_counts(counts)
    return None if us is None else Stamps(us, None)


def _stamp_of_text(text: str, zone: tzinfo) -> Stamp:
    if _NUMBER.fullmatch(text):
        return _stamp_of_decimal(Decimal(text))
    if not _DATE.match(text):
        return _NONE_SENT if not text else _UNUSABLE
    leap = text[16:19] == ":60"  # the leap second is the first of the next minute
    if leap:
        text = text[:17] + "59" + text[19:]
    ended = _END_OF_DAY.match(text, _HOUR) is not None
    if ended:
        text = text[:_HOUR] + "00" + text[_HOUR + 2 :]
    try:
        moment = datetime.fromisoformat(text.upper()) + _DAY * ended
        is_doubtful = False
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
            is_doubtful = moment.utcoffset() != moment.replace(fold=1).utcoffset()
        us = (moment - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        return _UNUSABLE
    return _checked(us + 1_000_000 * leap, is_doubtful=is_doubtful)


def _stamp_of_decimal(count: Decimal) -> Stamp:
    """Read a count with a fraction; the fraction of a microsecond is cut."""
    if not count.is_finite() or count.adjusted() > _DIGITS_MAX:
        return _UNUSABLE
    return _checked(microseconds_of(count))


def _checked(us: int, *, is_doubtful: bool = False) -> Stamp:
    if not EARLIEST_US <= us <= LATEST_US:
        return _UNUSABLE
    return Stamp(us, is_doubtful or us < SET_SINCE_US)
