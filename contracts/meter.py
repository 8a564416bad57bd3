"""A meter without anything to compare it with: its days, and what they say of a saving."""

from dataclasses import dataclass

import pyarrow as pa

from contracts.errors import DataError
from contracts.outcome import Interval

METER_COLUMNS = ("date", "usage", "temperature")


@dataclass(frozen=True)
class Meter:
    """One row per day.

    `date` date32, `usage` of the day in any unit, `temperature` outdoors, mean of the day, in
    any unit; null where it is not known. Other columns are ignored.
    """

    table: pa.Table

    def __post_init__(self) -> None:
        missing = [name for name in METER_COLUMNS if name not in self.table.column_names]
        if missing:
            raise DataError(f"the meter lacks the column {missing[0]!r}: it needs {METER_COLUMNS}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePoint:
    """usage = base + heating * max(0, heating_below - T) + cooling * max(0, T - cooling_above).

    In the units of the meter, per day and per degree. A slope of 0 has no balance point: None.
    """

    base: float
    heating: float = 0.0
    heating_below: float | None = None
    cooling: float = 0.0
    cooling_above: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """What a meter used less than its baseline period makes expected at the same weather.

    `expected` and `used` are sums over the days of the reporting period, `avoided` is their
    difference with its interval, `share` is avoided / expected. `cv_rmse` and `nmbe` are those of
    ASHRAE Guideline 14 in the baseline period, as shares. `memory` is the correlation of the
    noise of one day with that of the next, `independent_days` how many independent days know as
    much as the baseline period does of its mean.
    """

    model: ChangePoint
    expected: float
    used: float
    avoided: Interval
    share: Interval
    level: float
    cv_rmse: float
    nmbe: float
    memory: float
    baseline_days: int
    reporting_days: int
    independent_days: float
    warnings: tuple[str, ...]
