"""How often the true gains of the simulated plant lie in the estimator's intervals.

    python -m tests.bench.plant_coverage [--seeds 20] [--first-seed 1] [--weeks 52] [--lines 16]

Every seed makes a plant of its own; its books are fitted without a detour over readings. A figure
from n seeds is itself uncertain: the standard error is printed beside each coverage.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass

import numpy as np

from analytics.gain import fit
from contracts.outcome import Interval
from ingest.plant.plan import PlantPlan
from ingest.plant.simulation import simulate

LEVEL = 0.9


@dataclass(frozen=True)
class Score:
    """One interval beside the truth, on the log scale of both."""

    error: float
    width: float
    is_inside: bool


def score_of(found: Interval, true: float, *, is_beta: bool) -> Score:
    """Compare log alpha, or log(1 - beta)."""
    log = (lambda value: math.log1p(-value)) if is_beta else math.log
    width = abs(log(found.high) - log(found.low))
    return Score(log(found.estimate) - log(true), width, found.low <= true <= found.high)


def scores_of(plan: PlantPlan) -> tuple[dict[str, list[Score]], str]:
    """Fit the books of one plant and compare with its truth."""
    plant = simulate(plan)
    gain = fit(plant.books.panel, plant.upgrades, level=LEVEL, ramp=plan.ramp_weeks)
    truth = {line.line: line for line in plant.books.lines}
    scores = {
        "programme alpha": [score_of(gain.alpha, plant.books.alpha, is_beta=False)],
        "programme beta": [score_of(gain.beta, plant.books.beta, is_beta=True)],
        "line alpha": [score_of(g.alpha, truth[g.line].alpha, is_beta=False) for g in gain.lines],
        "line beta": [score_of(g.beta, truth[g.line].beta, is_beta=True) for g in gain.lines],
    }
    return scores, gain.verdict


def table_row(name: str, scores: list[Score]) -> str:
    """Say how often the truth is inside, with its standard error; the rest is on the log scale."""
    share = float(np.mean([score.is_inside for score in scores]))
    standard_error = math.sqrt(share * (1 - share) / len(scores))
    errors = np.array([score.error for score in scores])
    return (
        f"{name:16s} {len(scores):5d} {share:9.3f} {standard_error:6.3f}"
        f" {errors.mean():+9.4f} {math.sqrt((errors**2).mean()):8.4f}"
        f" {np.mean([score.width for score in scores]):8.4f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--weeks", type=int, default=PlantPlan().weeks)
    parser.add_argument("--lines", type=int, default=PlantPlan().line_count)
    asked = parser.parse_args()
    began = time.perf_counter()
    scores: dict[str, list[Score]] = {}
    causal = 0
    for seed in range(asked.first_seed, asked.first_seed + asked.seeds):
        plan = PlantPlan(seed=seed, weeks=asked.weeks, line_count=asked.lines)
        found, verdict = scores_of(plan)
        causal += verdict == "causal"
        for name, more in found.items():
            scores.setdefault(name, []).extend(more)
    print(
        f"{'':16s} {'count':>5s} {'in 90 %':>9s} {'se':>6s} {'bias':>9s} {'RMSE':>8s} {'width':>8s}"
    )
    for name, of_name in scores.items():
        print(table_row(name, of_name))
    print(f"verdict causal: {causal} of {asked.seeds}; {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
