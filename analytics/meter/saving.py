"""What a meter has used less since a date than its past makes expected at the same weather.

1. model     usage by temperature in the baseline period            change_point.py
2. expected  the model at the temperatures of the reporting period
3. error     the saving is a weighted sum of days: the model hands the baseline period's days on,
             the reporting period counts each once; so its error is the same sum of their noise,
             with the memory that the noise has                     memory.py

Nothing is compared with, so whatever else changed counts as saving: the verdict is never causal.

References: whole-facility savings of IPMVP (option C) and of ASHRAE Guideline 14, with their
CV(RMSE) and NMBE; the interval is not the Guideline's, which takes days for independent.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from analytics.gain import effects
from analytics.meter import change_point, memory, reading
from contracts.errors import DataError
from contracts.meter import ChangePoint, Meter, Saving
from contracts.outcome import Interval

if TYPE_CHECKING:
    from analytics.meter.change_point import Fitted
    from analytics.meter.reading import Days

YEAR_DAYS = 365  # IPMVP: a baseline period holds every season
DAYS_MIN = 30  # six days a parameter: with fewer neither model nor memory can be told
WORDS = "before/after, not causal: whatever else changed (use, hours, occupancy) counts as saving"
RANK_TOLERANCE = 1e-8  # of the largest singular value: two balance points that meet are one


@dataclass(frozen=True)
class Noise:
    """The error of log(expected / used), and what it rests on."""

    error: float  # standard error
    freedom: int
    memory: float  # correlation with the day before
    independent_days: float  # of the baseline period


def saving(
    meter: Meter,
    reporting_from: dt.date,
    *,
    baseline_until: dt.date | None = None,
    level: float = 0.9,
) -> Saving:
    """Say what was avoided from a day on; days from `baseline_until` until it belong to neither.

    Deterministic. Raise DataError, in one line, where the meter makes no sense or has fewer than
    30 days before or none after.
    """
    if not 0 < level < 1:
        raise DataError(f"the level is {level:g}: give one between 0 and 1, such as 0.9")
    end = baseline_until or reporting_from
    if end > reporting_from:
        raise DataError(f"the baseline ends on {end}, after the reporting begins: give it earlier")
    days, notes = reading.days_of(meter)
    before, after = days.until(end), days.since(reporting_from)
    _require_days(before, after)
    model = change_point.fit(before.temperature, before.usage)
    rest = before.usage - change_point.predict(model, before.temperature)
    expected = float(change_point.predict(model, after.temperature).sum())
    used = float(after.usage.sum())
    if expected <= 0 or used <= 0:
        raise DataError("usage expected or seen is not above 0: correct the signs of the meter")
    noise = _noise(model, before, after, rest)
    half = effects.student(level, noise.freedom) * noise.error
    low, high = (1 - used / expected * float(np.exp(sign * half)) for sign in (1, -1))
    share = 1 - used / expected
    rmse = float(rest.square().sum() / (len(rest) - model.parameter_count)) ** 0.5
    return Saving(
        model=_stated(model),
        expected=expected,
        used=used,
        avoided=Interval(expected - used, expected * low, expected * high),
        share=Interval(share, low, high),
        level=level,
        cv_rmse=rmse / float(before.usage.mean()),
        nmbe=float(rest.sum() / before.usage.sum()),
        memory=noise.memory,
        baseline_days=len(rest),
        reporting_days=len(after.usage),
        independent_days=noise.independent_days,
        warnings=(*notes, *_doubts(model, before, after), WORDS),
    )


def _require_days(before: Days, after: Days) -> None:
    if len(before.usage) < DAYS_MIN:
        raise DataError(
            f"the baseline period has {len(before.usage)} days with usage and temperature,"
            f" {DAYS_MIN} are needed: give more days, or a later date"
        )
    if not len(after.usage):
        raise DataError("no day of the reporting period has usage and temperature: give some")


def _noise(model: Fitted, before: Days, after: Days, rest: Tensor) -> Noise:
    """Send the noise of the days through the weights that log(expected / used) gives them."""
    basis, handed = _handed_on(model, before, after)
    expected = change_point.predict(model, after.temperature).sum()
    late = _rest_after(model, after)
    weights = [handed / expected, torch.full_like(after.usage, -1) / after.usage.sum()]
    width = int(after.day[-1] - before.day[0]) + 1
    place = before.day - before.day[0], after.day - before.day[0]
    calendar = rest.new_zeros(width).index_copy_(0, place[0], rest)[: int(place[0][-1]) + 1]
    seen = torch.zeros(len(calendar), dtype=torch.bool).index_fill_(0, place[0], value=True)
    left = rest.new_zeros(len(calendar), basis.shape[1]).index_copy_(0, place[0], basis)
    known = memory.correlations(calendar, seen, left)
    weight = rest.new_zeros(width)
    for days, values in zip(place, weights, strict=True):
        weight.index_copy_(0, days, values)
    # how much more than independent days these weigh, with the days' own sizes of noise
    factor = _factor(weight, known)
    alone = sum(
        float(values.square() @ noise.square()) * len(noise) / max(len(noise) - lost, 1)
        for values, noise, lost in zip(
            weights, (rest, late[0]), (model.parameter_count, late[1]), strict=True
        )
    )
    independent = len(rest) / _factor(seen.double(), known)
    return Noise(
        error=(alone * factor) ** 0.5,
        freedom=max(int(independent) - model.parameter_count, 1),
        memory=float(known[1]) if len(known) > 1 else 0.0,
        independent_days=independent,
    )


def _handed_on(model: Fitted, before: Days, after: Days) -> tuple[Tensor, Tensor]:
    """Basis (n, k) of what the fit takes, and what each baseline day adds to the expected sum."""
    slopes = change_point.slopes(model, before.temperature)
    size = slopes.square().sum(dim=0).sqrt().clamp(min=1e-300)
    u, s, v = torch.linalg.svd(slopes / size, full_matrices=False)
    is_known = s > RANK_TOLERANCE * s[0]
    pull = change_point.slopes(model, after.temperature).sum(dim=0) / size
    return u[:, is_known], u[:, is_known] @ ((v[is_known] @ pull) / s[is_known])


def _rest_after(model: Fitted, after: Days) -> tuple[Tensor, int]:
    """Give the reporting period's own noise and what its fit has taken.

    Too short for a model of its own, it is compared with the baseline's, scaled to its sum.
    """
    if len(after.usage) >= DAYS_MIN:
        own = change_point.fit(after.temperature, after.usage)
        return after.usage - change_point.predict(own, after.temperature), own.parameter_count
    expected = change_point.predict(model, after.temperature)
    return after.usage - expected * after.usage.sum() / expected.sum(), 1


def _factor(weight: Tensor, correlations: Tensor) -> float:
    """Variance of a weighted sum of days with this memory, over that of independent days."""
    longer = correlations
    if len(longer) < len(weight):
        order = min(memory.ORDER_MAX, len(longer) - 1)
        longer = memory.extended(longer[: order + 1], len(weight))
    products = memory.lagged(weight)  # (T,)
    total = products[0] + 2 * (products[1:] @ longer[1 : len(weight)])
    return float(total / products[0]) if float(total) > 0 else 1.0


def _doubts(model: Fitted, before: Days, after: Days) -> list[str]:
    """Name what makes the saving less sure than its interval says."""
    words = []
    span = int(before.day[-1] - before.day[0]) + 1
    if span < YEAR_DAYS:
        words.append(f"the baseline period spans {span} days: less than the seasons of a year")
    low, high = before.temperature.min(), before.temperature.max()
    outside = int(((after.temperature < low) | (after.temperature > high)).sum())
    if outside and model.parameter_count > 1:
        words.append(
            f"{outside} days of the reporting period were colder or warmer than any of the baseline"
        )
    return words


def _stated(model: Fitted) -> ChangePoint:
    heating, below = model.heating or (0.0, None)
    cooling, above = model.cooling or (0.0, None)
    return ChangePoint(
        base=model.base,
        heating=heating,
        heating_below=below,
        cooling=cooling,
        cooling_above=above,
    )
