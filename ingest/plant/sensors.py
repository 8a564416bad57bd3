"""What the sensors and counters of a simulated machine show, at their resolution."""

from __future__ import annotations

from itertools import accumulate
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ingest.plant.floor import OFF, RUNNING, SETUP, STOPPED, Floats, Ints, Run
from ingest.plant.plan import LinePlan, PlantPlan

COUNTERS = ("good_count", "scrap_count", "energy_kwh", "material_kg")
# metric: decimals it is sent with, measuring span in its unit
GAUGES = {
    "ambient_c": (1, 100.0),
    "temperature_c": (1, 200.0),
    "vibration_mm_s": (2, 25.0),
    "pressure_bar": (2, 16.0),
    "power_kw": (1, 1500.0),
}
METRICS = ("state", *COUNTERS, "product_mix", *GAUGES)

Number = TypeVar("Number", np.float64, np.int64)
Columns = dict[str, Floats | Ints]


def read_machine(plan: PlantPlan, line: LinePlan, run: Run) -> Columns:
    """Read every metric at the start of each slot and at the end of the plan.

    The arrays have slot_count + 1 values: counters say what was counted before, and go on from what
    earlier years left in them; all else says what stands from now on.
    """
    rng = plan.random("sensors", line.number)
    left = rng.integers(100_000, 900_000, 4)
    columns: Columns = {
        "state": _to_end(run.state),
        "good_count": left[0] + _total(run.good),
        "scrap_count": left[1] // 30 + _total(run.scrap),
        "energy_kwh": np.round(left[2] + _total(run.kwh), 1),
        "material_kg": np.round(left[3] + _total(run.kg), 1),
        "product_mix": np.round(_to_end(run.product_mix), 3),
    }
    for metric, values in _gauges(rng, run).items():
        columns[metric] = np.round(_to_end(values), GAUGES[metric][0])
    return columns


def _gauges(rng: np.random.Generator, run: Run) -> dict[str, Floats]:
    def noise(spread: float) -> Floats:
        return rng.normal(0, spread, len(run.state))

    rest = run.ambient_c + 6  # the hall is warmer than the yard
    heat = _by_state(run, off=0, running=rng.uniform(35, 50), stopped=10, setup=20)
    wear = 1 + 0.3 * (np.arange(len(run.state)) % (28 * 96)) / (28 * 96)  # until maintenance
    shake = _by_state(run, off=0.05, running=rng.uniform(2, 3.5), stopped=0.3, setup=1.0)
    air = _by_state(run, off=1.0, running=6.2, stopped=6.4, setup=6.4)
    standby = _by_state(run, off=0.4, running=0, stopped=2.5, setup=4.0)
    return {
        "ambient_c": run.ambient_c + noise(0.1),
        "temperature_c": _lagging(rest + heat) + noise(0.3),
        "vibration_mm_s": shake * wear * np.exp(noise(0.06)),
        "pressure_bar": air + noise(0.05),
        "power_kw": 4 * run.kwh * (1 + noise(0.01)) + standby + np.abs(noise(0.1)),
    }


def _by_state(run: Run, *, off: float, running: float, stopped: float, setup: float) -> Floats:
    levels = np.zeros(4)
    levels[[OFF, RUNNING, STOPPED, SETUP]] = (off, running, stopped, setup)
    return levels[run.state]


def _lagging(target: Floats) -> Floats:
    """Follow the target with a time constant of an hour, as a warm mass does."""
    steps = accumulate(target.tolist(), lambda now, goal: now + (goal - now) / 4)
    return np.fromiter(steps, np.float64, len(target))


def _to_end(values: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """Say at the start of each slot what stands in it, and at the end of the plan what stood last.

    >>> _to_end(np.array([1, 3])).tolist()
    [1, 3, 3]
    """
    return np.concatenate([values, values[-1:]])


def _total(made: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """Add up from 0.

    >>> _total(np.array([2, 3])).tolist()
    [0, 2, 5]
    """
    return np.concatenate([np.zeros(1, made.dtype), made.cumsum()])
