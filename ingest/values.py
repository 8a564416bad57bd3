"""Turns the values of a parsed payload into numbers and texts."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

from ingest.readings import Column, PayloadError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from ingest.readings import Limits

# what float() takes of plain decimals: no blanks, no underscores, no digits of other scripts
_NUMBER = re.compile(
    r"[+-]?(?:\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?|nan|inf|infinity)",
    re.ASCII | re.IGNORECASE,
)

# Digits alone may be a name: the code of a product, a serial number.
_DIGITS = re.compile(r"\d+", re.ASCII)

_NUMERIC = frozenset({int, float, bool, type(None)})


class Value(Struct, frozen=True, gc=False):
    """A finite number, or a text, or neither; `status` names a number that is not finite.

    Both where a number was sent as digits of which the number would lose some: 007.
    """

    value: float | None
    text: str | None = None
    status: str | None = None


def value_of(sent: object, limits: Limits) -> Value:
    """Read one value: a number, a boolean (1 or 0), a number sent as text, a text, or null.

    PayloadError for a text over the limit, and for an object or a list.

    >>> from ingest.readings import Limits
    >>> value_of("21.5", Limits()), value_of("ERROR", Limits())
    (Value(value=21.5, text=None, status=None), Value(value=None, text='ERROR', status=None))
    >>> value_of("007", Limits())
    Value(value=7.0, text='007', status=None)
    >>> value_of(True, Limits()), value_of(float("nan"), Limits())
    (Value(value=1.0, text=None, status=None), Value(value=None, text=None, status='NaN'))
    """
    if type(sent) is float and math.isfinite(sent):
        return Value(sent)
    if isinstance(sent, str):
        return _value_of_text(sent, limits)
    if isinstance(sent, (int, float)):
        return _value_of_number(sent)
    if sent is None:
        return Value(None)
    raise PayloadError("wrong_shape", f"a value is of the type {_json_name(sent)}")


def column_of(name: str, sent: list[Any], limits: Limits) -> Column:
    """Read a column; without looking at each value where all are numbers or null."""
    fast = _numbers_of(sent)
    if fast is not None:
        return Column(name, fast)
    values = [value_of(one, limits) for one in sent]
    numbers = np.array([math.nan if one.value is None else one.value for one in values], np.float64)
    texts = [one.text for one in values]
    statuses = [one.status for one in values]
    return Column(name, numbers, _unless_empty(texts), _unless_empty(statuses))


def require_columns(count: int, time_count: int, limits: Limits) -> None:
    """Raise PayloadError for so many columns at so many times: none, or more than may be."""
    if not count or not time_count:
        raise PayloadError("wrong_shape", "there is no reading in it: no value and no metric")
    if count > limits.fields:
        raise PayloadError("too_big", f"more columns than the limit of fields, {limits.fields}")
    if count * time_count > limits.readings:
        raise PayloadError("too_big", f"more readings than the limit, {limits.readings}")


def leaves_of(sent: object, name: str) -> Iterator[tuple[str, object]]:
    """Walk nested objects and lists; their names and indices are levels of the tag.

    >>> list(leaves_of({"x": 1, "y": [2, 3]}, "pos"))
    [('pos/x', 1), ('pos/y/0', 2), ('pos/y/1', 3)]
    """
    if isinstance(sent, dict):
        for key, inner in sent.items():
            yield from leaves_of(inner, f"{name}/{key}")
    elif isinstance(sent, list):
        for index, inner in enumerate(sent):
            yield from leaves_of(inner, f"{name}/{index}")
    else:
        yield name, sent


def _numbers_of(sent: list[Any]) -> npt.NDArray[np.float64] | None:
    """Read finite numbers, and nulls as NaN; None where there is anything else."""
    try:
        # only numbers have a sum, and it is finite where all of them are
        if math.isfinite(sum(sent)):
            return np.fromiter(sent, np.float64, len(sent))
    except OverflowError:  # an integer beyond a double
        return None
    except TypeError:  # a null, or no number
        if not _NUMERIC.issuperset(map(type, sent)):
            return None
    try:
        numbers = np.array(sent, np.float64)
    except OverflowError:
        return None
    return numbers if np.isfinite(numbers).sum() + sent.count(None) == len(sent) else None


def _unless_empty(notes: list[str | None]) -> list[str | None] | None:
    return None if notes.count(None) == len(notes) else notes


def _value_of_text(text: str, limits: Limits) -> Value:
    if len(text) > limits.string_bytes or len(text.encode()) > limits.string_bytes:
        raise PayloadError("too_big", f"a text is longer than the limit, {limits.string_bytes} B")
    stripped = text.strip()
    if not _NUMBER.fullmatch(stripped):
        return Value(None, text)
    read = _value_of_number(float(stripped))
    if read.value is not None and _DIGITS.fullmatch(stripped) and f"{read.value:.0f}" != stripped:
        return Value(read.value, text)
    return read


def _value_of_number(number: float) -> Value:
    try:
        value = float(number)
    except OverflowError:  # an integer beyond a double
        value = math.inf if number > 0 else -math.inf
    if math.isfinite(value):
        return Value(value)
    if math.isnan(value):
        return Value(None, None, "NaN")
    return Value(None, None, "Infinity" if value > 0 else "-Infinity")


def _json_name(sent: object) -> str:
    return "object" if isinstance(sent, dict) else "list" if isinstance(sent, list) else "unknown"
