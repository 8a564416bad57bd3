"""Converts between units, as a factor and an offset."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from contracts.errors import ConfigError

if TYPE_CHECKING:
    import pint

# Powers as they are written on instruments: m3/h, kg/m2.
_POWER = re.compile(r"\b([a-zµ]*m|ft|in)([23])\b")
# Far from 0, so that the offset takes no digits from the factor.
_FAR = 1e9


def conversion(source: str, unit: str) -> tuple[float, float]:
    """Give what makes a value in `unit` of one in `source`: times the factor, plus the offset.

    Raises ConfigError for a unit that is not known, and for two that measure different things.

    >>> round(conversion("m3/h", "l/min")[0], 9)
    16.666666667
    >>> factor, offset = conversion("degF", "degC")
    >>> round(factor * 212.0 + offset, 9)
    100.0
    """
    import pint  # noqa: PLC0415  # a third of a second, for those who convert

    registry = _registry()
    for name in (source, unit):
        try:
            registry.Unit(_plain(name))
        except (pint.PintError, ValueError, AttributeError):
            raise ConfigError(
                f"the unit {name!r} is not known; write it like degC, kW, m3/h, mm/s, bar"
            ) from None
    try:
        offset, far = (_converted(value, source, unit) for value in (0.0, _FAR))
    except pint.PintError:
        raise ConfigError(
            f"{source!r} cannot be converted into {unit!r}: they measure different things"
        ) from None
    return (far - offset) / _FAR, offset


@cache
def _registry() -> pint.UnitRegistry[float]:
    import pint  # noqa: PLC0415  # as above

    return pint.UnitRegistry()


def _converted(value: float, source: str, unit: str) -> float:
    quantity = _registry().Quantity(value, _plain(source))
    return float(quantity.to(_plain(unit)).magnitude)


def _plain(name: str) -> str:
    return _POWER.sub(r"\1**\2", name)
