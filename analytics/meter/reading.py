"""The days of a meter, read and checked."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from contracts.errors import DataError
from contracts.meter import Meter

DAYS_MAX = 4_000  # ten years: the memory of the noise is a matrix of this size


@dataclass(frozen=True)
class Days:
    """Days with usage and temperature, in order."""

    day: Tensor  # (n,) days since 1970, ascending
    usage: Tensor  # (n,)
    temperature: Tensor  # (n,)

    def until(self, end: dt.date) -> Days:
        """Give the days before this one."""
        return self._those(self.day < _number(end))

    def since(self, begin: dt.date) -> Days:
        """Give this day and the later ones."""
        return self._those(self.day >= _number(begin))

    def _those(self, is_one: Tensor) -> Days:
        return Days(self.day[is_one], self.usage[is_one], self.temperature[is_one])


def days_of(meter: Meter) -> tuple[Days, list[str]]:
    """Read a meter; return its complete days with warnings in plain words.

    Raise DataError for a date that is there twice, text for a number, or too many days.
    """
    table = meter.table
    dates = table["date"].cast(pa.date32())
    if dates.null_count:
        raise DataError("a row of the meter has no date: every row needs one")
    day = np.asarray(dates.combine_chunks().cast(pa.int32()).to_numpy(zero_copy_only=False))
    columns = np.stack([_numbers(table, name) for name in ("usage", "temperature")])
    _require_once(day)
    order = np.argsort(day)
    day, columns = day[order], columns[:, order]
    if len(day) and int(day[-1] - day[0]) >= DAYS_MAX:
        raise DataError(f"the meter spans more than {DAYS_MAX} days: leave out the oldest")
    whole = np.isfinite(columns).all(axis=0)
    notes = []
    if not whole.all():
        lost = int((~whole).sum())
        notes.append(f"{lost} of {len(day)} days are left out: usage or temperature is missing")
    usage, temperature = (torch.as_tensor(column[whole].copy()) for column in columns)
    return Days(torch.as_tensor(day[whole].astype(np.int64)), usage, temperature), notes


def _number(day: dt.date) -> int:
    return (day - dt.date(1970, 1, 1)).days


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    try:
        column = table[name].cast(pa.float64()).combine_chunks()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise DataError(
            f"the column {name!r} is {table[name].type}, not numeric: make it a number"
        ) from None
    return np.array(column.to_numpy(zero_copy_only=False), np.float64)


def _require_once(day: np.ndarray) -> None:
    days, count = np.unique(day, return_counts=True)
    if (count > 1).any():
        again = np.datetime64(int(days[count > 1][0]), "D")
        raise DataError(f"the meter has the day {again} twice: keep one row per day")
