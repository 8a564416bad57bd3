"""How long the gain of a large plant takes, both outcomes, by the clock and of the processor.

    python -m tests.bench.gain_speed [--rounds 3]

Half of the lines are upgraded in four waves; three covariates; one cell in twenty is missing.
"""

from __future__ import annotations

import argparse
import datetime as dt
import time

import numpy as np
import pyarrow as pa

from analytics import gain
from contracts.panel import Panel, Upgrades

SIZES = {"1,000 lines x 365 days": (1_000, 365, 1), "5,000 lines x 104 weeks": (5_000, 104, 7)}
FIRST = dt.date(2024, 1, 1)
WAVES, MISSING = 4, 0.05


def panel_of(line_count: int, period_count: int, step_days: int) -> tuple[Panel, Upgrades]:
    """Draw lines by periods with a common path, three covariates and noise that remembers half."""
    rng = np.random.default_rng(1)
    shape = (line_count, period_count)
    noise = rng.normal(0, 0.04, (2, *shape))
    for period in range(1, period_count):
        noise[:, :, period] += 0.5 * noise[:, :, period - 1]
    mix, weather = rng.uniform(0, 1, shape), rng.normal(14, 8, shape)
    hours = 160 * np.exp(0.05 * rng.normal(size=shape))
    waves = np.linspace(0.4, 0.7, WAVES) * period_count
    start = np.resize(waves.astype(int), line_count // 2)
    is_after = np.arange(period_count) >= np.append(
        start, np.full(line_count - len(start), period_count)
    ).reshape(-1, 1)
    path = np.cumsum(rng.normal(0, 0.01, period_count))
    logs = path - 0.2 * mix + np.log(hours) + noise[0] + 0.18 * is_after
    costs = 2 + 0.3 * mix - path + noise[1] - 0.1 * is_after
    dates = np.array([FIRST + dt.timedelta(days=step_days * t) for t in range(period_count)])
    names = np.array([f"L{n:05}" for n in range(line_count)])
    line, period = np.nonzero(rng.random(shape) > MISSING)
    columns = {"output": np.exp(logs), "unit_cost": np.exp(costs)}
    columns |= {"mix": mix, "weather": weather, "hours": hours}
    table = {"line": names[line], "period": dates[period]}
    panel = pa.table(table | {name: values[line, period] for name, values in columns.items()})
    upgrades = pa.table({"line": names[: len(start)], "upgraded_on": dates[start]})
    return Panel(panel), Upgrades(upgrades)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    for name, size in SIZES.items():
        tables = panel_of(*size)
        took = []
        for _ in range(asked.rounds):
            began, used = time.perf_counter(), time.process_time()
            found = gain.fit(*tables, ramp=3)
            took.append((time.perf_counter() - began, time.process_time() - used))
        wall, cpu = min(took)
        print(
            f"{name}: {wall:.2f} s, {cpu:.2f} s of CPU;"
            f" alpha {found.alpha.estimate:.4f}, {found.verdict}",
            flush=True,
        )


if __name__ == "__main__":
    main()
