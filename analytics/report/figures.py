"""Writes figures as people read them: signs, thousands, units, and no more digits than carry."""

from __future__ import annotations

import math
from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from contracts.notes import Note
    from contracts.outcome import Interval

GAP = "\N{NARROW NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def count(number: float) -> str:
    """Write a whole number.

    >>> count(1234567), count(-1234.4).replace(MINUS, "-")
    ('1,234,567', '-1,234')
    """
    return _minus(f"{number:,.0f}")


def roughly(number: float) -> str:
    """Write an amount in full, with three figures that carry.

    >>> roughly(3_595_260), roughly(47.11), roughly(0)
    ('3,600,000', '47', '0')
    """
    digits = 2 - math.floor(math.log10(abs(number))) if number else 0
    return count(round(number, min(digits, 0)))


def signed(number: float) -> str:
    """Write a whole number that is a change.

    >>> signed(1234), signed(-0.2)
    ('+1,234', '0')
    """
    return _minus(f"{round(number):+,}") if round(number) else "0"


def percent(share: float, digits: int = 1) -> str:
    """Write a share in percent, never rounded to all or nothing when it is neither.

    >>> percent(0.1234).replace(GAP, " "), percent(0.99996).replace(GAP, " ")
    ('12.3 %', '> 99.9 %')
    >>> percent(0.00001).replace(GAP, " "), percent(1).replace(GAP, " ")
    ('< 0.1 %', '100 %')
    """
    step = 10.0 ** -(digits + 2)
    if 1 - step / 2 <= share < 1:
        return f">{GAP}{100 * (1 - step):.{digits}f}{GAP}%"
    if 0 < share < step / 2:
        return f"<{GAP}{100 * step:.{digits}f}{GAP}%"
    return f"{share:.0%}"[:-1] + f"{GAP}%" if share in {0, 1} else f"{_fixed(share, digits)}{GAP}%"


def change(share: float) -> str:
    """Write a relative change in percent, with its sign.

    >>> change(0.196).replace(GAP, " "), change(-0.098).replace(GAP, " ").replace(MINUS, "-")
    ('+19.6 %', '-9.8 %')
    """
    return _minus(f"{100 * share:+.1f}") + f"{GAP}%"


def short_money(amount: float) -> str:
    """Write an amount with three figures that carry, for a headline.

    >>> [short_money(x).replace(GAP, " ") for x in (706_306, 12_345_678, 950)]
    ['+706 k', '+12.3 M', '+950']
    """
    for scale, sign in ((1e6, f"{GAP}M"), (1e3, f"{GAP}k")):
        if abs(amount) >= scale:
            scaled = amount / scale
            digits = max(0, 2 - int(math.log10(abs(scaled))))
            return _minus(f"{scaled:+.{digits}f}") + sign
    return signed(amount)


def years(number: float, never: str) -> str:
    """Write a time in years.

    >>> years(1.234, "never"), years(float("inf"), "never")
    ('1.2', 'never')
    """
    return f"{number:.1f}" if math.isfinite(number) else never


def significant(number: float) -> str:
    """Write a physical quantity with three figures that carry.

    >>> significant(0.72345), significant(1234.6), significant(0)
    ('0.723', '1,235', '0')
    """
    if number == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(number))))
    return _minus(f"{number:,.{digits}f}")


def time_of_note(note: Note, still: str) -> str:
    """Write the time that a note is about, in UTC; `still` stands where it has no end.

    A note of a moment has no end either, and is written as that moment.
    """
    begins, ends = note.begins, note.ends
    if ends is None and note.kind not in {"price", "target"}:
        return moment(begins or note.source_time)
    first = moment(begins) if begins else ELLIPSIS
    return f"{first} {DASH} {moment(ends) if ends else still}"


def value_of_note(value: float | None) -> str:
    """Write the number that a note says, with no more digits than it has.

    >>> value_of_note(0.21), value_of_note(None)
    ('0.21', '')
    """
    return "" if value is None else _minus(f"{value:g}")


def moment(at: datetime) -> str:
    """Write a moment in UTC, a midnight as its day."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M").removesuffix(" 00:00")


def fits(interval: Interval, value: float) -> bool:
    """Tell whether the interval contains the value."""
    return interval.low <= value <= interval.high


def _fixed(share: float, digits: int) -> str:
    return _minus(f"{100 * share:.{digits}f}")


def _minus(text: str) -> str:
    return text.replace("-", MINUS)
