"""What physics allows of a quantity, told by its unit and the name of its metric."""

from __future__ import annotations

import re
from typing import Final

# Absolute zero in the units that people write; a device's list of units has any of these.
ABSOLUTE_ZERO: Final = {
    "degc": -273.15, "°c": -273.15, "celsius": -273.15, "c": -273.15, "℃": -273.15,
    "degf": -459.67, "°f": -459.67, "fahrenheit": -459.67, "℉": -459.67,
    "k": 0.0, "kelvin": 0.0,
}  # fmt: skip
PERCENT: Final = {"%", "percent", "%rh", "%rf", "% rh", "pct"}
# Shares of a whole. Load, speed or efficiency in per cent may well be above 100 or below 0.
SHARES: Final = {"humidity", "availability", "soc"}
TEMPERATURES: Final = {"temperature", "temp"}
_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def bounds_of(metric: str | None, unit: str | None) -> tuple[float | None, float | None]:
    """Give the least and the largest value there can be; None where physics does not say.

    A number in per cent is a share only where its name says of what; a unit such as C may be one
    of charge, so that it counts only where the name speaks of temperature.

    >>> bounds_of("oven_temperature", "degC"), bounds_of("relativeHumidity", "%")
    ((-273.15, None), (0.0, 100.0))
    >>> bounds_of("motor_load", "%"), bounds_of("charge", "C")
    ((None, None), (None, None))
    """
    words = {word.lower() for word in _WORD.findall(metric or "")}
    said = (unit or "").strip().lower()
    if words & SHARES and said in PERCENT:
        return 0.0, 100.0
    if said in ABSOLUTE_ZERO and (len(said) > 1 or words & TEMPERATURES):
        return ABSOLUTE_ZERO[said], None
    return None, None
