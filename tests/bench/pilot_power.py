"""Whether a pilot shows a gain as often as its design has promised.

    python -m tests.bench.pilot_power [--seeds 20] [--lines 2] [--weeks 13] [--runs 60]

Every seed makes a plant of its own. Its first year designs the pilot; then the pilot is held, on
the lines that were drawn, with gains of several sizes, and the gain is fitted as the user would.
The power promised is the mean over the plants, the share beside it is how many showed the gain.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics.gain import fit
from analytics.plan.pilot import Chance, Terms, design, periods_of, power_of
from contracts.panel import Panel, Upgrades
from ingest.plant.plan import PlantPlan
from ingest.plant.simulation import simulate

PAST_WEEKS = 52
RAMP = 3
ALPHAS = (1.0, 1.01, 1.02, 1.03, 1.05)
BETAS = (0.0, 0.005, 0.01, 0.02, 0.03)


def held(panel: Panel, lines: tuple[str, ...]) -> tuple[float, float]:
    """Hold a pilot without effect; give the effects on the logs that its intervals would show."""
    start = periods_of(panel)[PAST_WEEKS]
    dates = pa.array([start] * len(lines), pa.date32())
    upgrades = Upgrades(pa.table({"line": list(lines), "upgraded_on": dates}))
    found = fit(panel, upgrades, ramp=RAMP)
    return -math.log(found.alpha.low), math.log1p(-found.beta.low)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--lines", type=int, default=2)
    parser.add_argument("--weeks", type=int, default=13)
    parser.add_argument("--runs", type=int, default=60)
    asked = parser.parse_args()
    began = time.perf_counter()
    promised, shown = [], []
    for seed in range(1, asked.seeds + 1):
        plan = PlantPlan(seed=seed, weeks=PAST_WEEKS + asked.weeks, upgraded_share=0.0)
        whole = simulate(plan).books.panel
        first = periods_of(whole)[PAST_WEEKS]
        past = Panel(whole.table.filter(pc.field("period") < pa.scalar(first)))
        size = (asked.lines, asked.weeks)
        pilot = design(past, [size], Terms(ramp=RAMP), Chance(asked.runs, seed))
        promised.append(
            [
                power_of(pilot.chosen, alpha=alpha, beta=beta)
                for alpha, beta in zip(ALPHAS, BETAS, strict=True)
            ]
        )
        shift = held(whole, pilot.lines)
        shown.append(
            [
                (math.log(alpha) > shift[0], -math.log1p(-beta) > shift[1])
                for alpha, beta in zip(ALPHAS, BETAS, strict=True)
            ]
        )
    means, shares = np.mean(promised, axis=0), np.mean(shown, axis=0)
    print(
        f"{'alpha':>6s} {'promised':>9s} {'shown':>6s} {'beta':>7s} {'promised':>9s} {'shown':>6s}"
    )
    for n, (alpha, beta) in enumerate(zip(ALPHAS, BETAS, strict=True)):
        print(
            f"{alpha:6.2f} {means[n, 0]:9.2f} {shares[n, 0]:6.2f}"
            f" {beta:7.3f} {means[n, 1]:9.2f} {shares[n, 1]:6.2f}"
        )
    print(f"{asked.seeds} plants; {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
