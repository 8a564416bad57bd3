"""The gates before the word "causal": enough controls, and no difference before the upgrade.

Before their upgrade, upgraded lines should move as the never-upgraded ones do. Two contrasts ask
for that, slope (late less early) and eve (the last quarter less the rest), each for output and
cost, against a baseline fitted to the controls alone.

Reference: tests of parallel paths before treatment, as in Roth (2022), who also warns that
passing proves little; the limits of several tests together after Bonferroni.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from analytics.gain import baseline, contrasts, effects, sites, waves

if TYPE_CHECKING:
    from analytics.gain.contrasts import Contrasts, Weights
    from analytics.gain.design import Grid
    from contracts.outcome import Verdict

CONTROLS_MIN = 4  # with fewer, a Student t of under three degrees of freedom: no statement
FALSE_ALARM = 0.05  # share of sound panels that may fail the gate
PERIODS_MIN = 6  # of a line before its upgrade: fewer show no slope
OUTCOMES = ("output", "unit cost")


def judge(grid: Grid, control_count: int, wave: Tensor) -> tuple[Verdict, list[str]]:
    """Say whether the gain may be called causal, with the reasons in words if not."""
    failed = _one_site(grid) or too_few(control_count) or _pre_trends(grid, wave)
    if not failed:
        return "causal", []
    return "before_after", [f"before/after, not causal: {words}" for words in failed]


def too_few(count: int) -> list[str]:
    """Say so if the lines without upgrade are too few."""
    words = f"{count} lines without upgrade to compare with, at least {CONTROLS_MIN} are needed"
    return [words] if count < CONTROLS_MIN else []


def _one_site(grid: Grid) -> list[str]:
    """Say so if the lines without upgrade cannot show what a site's shocks are."""
    theirs = torch.unique(grid.site[grid.controls])
    is_elsewhere = ~torch.isin(grid.site[grid.programme], theirs)
    if not sites.are_told(grid.site) or len(theirs) != 1 or not bool(is_elsewhere.any()):
        return []
    return ["all lines without upgrade stand on one site, and what moved it alone is unknown"]


def _pre_trends(grid: Grid, wave: Tensor) -> list[str]:
    """Name the contrasts before the upgrade that chance does not explain."""
    line = grid.programme
    line = line[grid.before[line].sum(dim=1) >= PERIODS_MIN]
    if not len(line):
        return [f"no upgraded line has {PERIODS_MIN} periods before its upgrade to check its trend"]
    used = grid.before & ~grid.is_upgraded[:, None]
    base = baseline.two_way(grid.y, grid.x, used)
    failed = []
    for name, every in (("slope", slope(grid, line)), ("eve", eve(grid, line))):
        every = waves.balanced(every, wave, grid.before[line])  # noqa: PLW2901  # the same
        weights = every.kept(contrasts.comparable(grid, base, every, grid.controls))
        if not len(weights.line):
            continue
        lost = 1 + wave.shape[1]
        found = contrasts.measure(grid, base, weights, grid.controls, lost=lost)
        for outcome, p in zip(OUTCOMES, chances_of(found).tolist(), strict=True):
            if p < FALSE_ALARM / 4:
                words = "followed another trend than" if name == "slope" else "had already left"
                failed.append(f"before the upgrade the {outcome} {words} the other lines'")
    return failed


def slope(grid: Grid, line: Tensor) -> Weights:
    """Compare late with early periods, weighted by their distance from the middle of both."""
    cells = grid.before[line].double()  # (m, T)
    time = torch.arange(cells.shape[1], dtype=torch.float64)
    middle = (cells * time).sum(dim=1, keepdim=True) / cells.sum(dim=1, keepdim=True)
    away = (time - middle) * cells
    return contrasts.weights_of(line, away.clamp(min=0), (-away).clamp(min=0))


def eve(grid: Grid, line: Tensor) -> Weights:
    """Compare the last quarter before the upgrade with the periods before it."""
    cells = grid.before[line].double()
    rank = cells.cumsum(dim=1) / cells.sum(dim=1, keepdim=True)
    return contrasts.weights_of(line, cells * (rank > 0.75), cells * (rank <= 0.75))


def chances_of(found: Contrasts) -> Tensor:
    """Chance of a mean contrast this far from 0 or farther, if all lines move alike, (2,).

    Student's t as a mixture of normals over the scale of the noise.
    """
    away = found.value.mean(dim=1).abs() / contrasts.mean_error(found)  # (2,)
    return torch.erfc(away[:, None] / (effects.scales(found.freedom) * 2**0.5)).mean(dim=1)
