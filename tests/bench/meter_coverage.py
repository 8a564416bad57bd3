"""How often the true saving of a simulated meter lies in its interval, the noise having a memory.

    python -m tests.bench.meter_coverage [--seeds 100] [--days 365]

A meter heats below 15 degrees and cools above 20; from the second period on it uses a tenth less.
The noise is 20 % of the mean use a day, or of the use of that very day, and remembers the day
before by .0, .5, .8 or .9.
"""

from __future__ import annotations

import argparse
import datetime as dt
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from analytics.meter import saving
from contracts.meter import Meter, Saving

FIRST = dt.date(2022, 1, 1)
SHARE, LEVEL, NOISE = 0.1, 0.9, 0.2


@dataclass(frozen=True)
class Plan:
    """What a meter is made of."""

    memory: float
    is_proportional: bool
    days: int  # of each of the two periods


def remembering(rng: np.random.Generator, count: int, memory: float) -> npt.NDArray[np.float64]:
    """Noise of variance 1 whose correlation falls by this factor a day."""
    steps = rng.normal(size=count + 200)
    for day in range(1, len(steps)):
        steps[day] = memory * steps[day - 1] + math.sqrt(1 - memory**2) * steps[day]
    return steps[200:]


def meter_of(plan: Plan, seed: int) -> tuple[Meter, float]:
    """Draw a meter and its true saving, the share of what its reporting period would have used."""
    rng = np.random.default_rng([seed, int(100 * plan.memory), plan.is_proportional])
    day = np.arange(2 * plan.days)
    weather = 12 - 11 * np.cos(2 * np.pi * day / 365) + 3 * remembering(rng, len(day), 0.7)
    mean = 20 + 1.2 * np.maximum(15 - weather, 0) + 1.5 * np.maximum(weather - 20, 0)
    size = NOISE * (mean if plan.is_proportional else mean.mean())
    saved = np.where(day >= plan.days, 1 - SHARE, 1.0)
    usage = mean * saved + size * remembering(rng, len(day), plan.memory)
    dates = [FIRST + dt.timedelta(days=int(n)) for n in day]
    table = pa.table({"date": dates, "usage": usage, "temperature": weather})
    return Meter(table), SHARE


def errors_of(found: Saving, true: float) -> tuple[float, float, bool]:
    """Give the error, the width of the interval and whether it holds the truth."""
    share = found.share
    return share.estimate - true, share.high - share.low, share.low < true < share.high


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--days", type=int, default=365)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'noise of':12s} memory  in 90 %     se    bias    RMSE   width")
    for is_proportional in (False, True):
        for memory in (0.0, 0.5, 0.8, 0.9):
            plan = Plan(memory, is_proportional, asked.days)
            rows = []
            for seed in range(asked.seeds):
                meter, true = meter_of(plan, seed)
                found = saving(meter, FIRST + dt.timedelta(days=asked.days), level=LEVEL)
                rows.append(errors_of(found, true))
            error, width, inside = (np.array(column, float) for column in zip(*rows, strict=True))
            se = math.sqrt(inside.mean() * (1 - inside.mean()) / len(rows))
            rmse = math.sqrt((error**2).mean())
            print(
                f"{'that day' if is_proportional else 'the mean day':12s} {memory:6.1f}"
                f" {inside.mean():8.3f} {se:6.3f} {error.mean():+7.4f} {rmse:7.4f}"
                f" {width.mean():7.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
