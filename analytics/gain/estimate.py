"""What an upgrade gained: alpha and beta of a programme, of each line and of the next line.

1. baseline   lines, periods and covariates, fitted where no upgrade has acted   baseline.py
2. contrasts  what is left after the upgrade less before, with measured errors   contrasts.py
3. gates      whether the word "causal" is deserved                              gates.py
4. effects    the population that the lines' effects come from, and its draws    effects.py
5. statement  alpha and beta with their intervals                                statement.py

Outcomes are the logs of good output and of variable cost per good unit, so that alpha is
exp(effect on output) and beta is 1 - exp(effect on cost).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from analytics.gain import (
    baseline,
    before_after,
    contrasts,
    design,
    doubts,
    gates,
    outliers,
    statement,
    waves,
)
from contracts.errors import DataError
from contracts.outcome import Gain, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analytics.gain.baseline import Baseline
    from analytics.gain.contrasts import Contrasts, Weights
    from analytics.gain.design import Grid
    from contracts.panel import Panel, Upgrades

CONTROLS_TO_COMPARE = 2  # one control cannot tell its noise from what moved all lines


def fit(
    panel: Panel, upgrades: Upgrades, *, level: float = 0.9, ramp: int = 0, anticipation: int = 0
) -> Gain:
    """Estimate the gain of an upgrade with intervals of the given level.

    `ramp` periods after each upgrade and `anticipation` periods before it are left out.
    Deterministic. Raise DataError, in one line, where the panel or the upgrades make no sense.
    """
    statement.require(level=level, ramp=ramp, anticipation=anticipation)
    with one_thread():
        grid, notes = design.build(panel, upgrades, ramp=ramp, anticipation=anticipation)
        found, verdict, reasons = _compare(grid)
        return statement.state(found, grid.lines, level, verdict, reasons + notes)


@contextmanager
def one_thread() -> Iterator[None]:
    """Work on one thread: most matrices are small, and threads would wait more than they work.

    Sums in one order also make the answer the same to the last bit whatever the machine.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _compare(grid: Grid) -> tuple[Contrasts, Verdict, list[str]]:
    """Contrast every upgraded line, with controls if there are any to speak of; ask the gates."""
    has_controls = len(grid.controls) >= CONTROLS_TO_COMPARE
    grid, base, notes = outliers.leave_out(grid, has_periods=has_controls)
    weights = contrasts.after_less_before(grid)
    if not has_controls:
        found = before_after.measure(grid, base, weights)
        verdict, reasons = gates.judge(grid, len(grid.controls), waves.none(grid))
        return found, verdict, [*reasons, before_after.WORDS, *notes]
    notes += doubts.of(grid, baseline.residuals(base, grid.y, grid.x, grid.seen))
    wave = waves.common(grid)
    is_kept = False
    if wave.shape[1]:
        base, weights, wave = _without_wave(grid, base, weights, wave)
        is_kept = not wave.shape[1]
    is_comparable = contrasts.comparable(grid, base, weights, grid.controls)
    lost = [grid.lines[n] for n in weights.line[~is_comparable].tolist()]
    if len(lost) == len(weights.line):
        raise DataError(
            "no upgraded line was seen in the same periods as the lines without upgrade, or a"
            " covariate changes with the upgrade alone: give a panel in which they overlap, before"
            " and after, without such a covariate"
        )
    if lost:
        notes.append(
            "too few lines seen in the same periods to compare with, or a covariate that changes"
            f" with the upgrade alone: {design.listed(lost)}"
        )
    kept = weights.kept(is_comparable)
    went = 1 + wave.shape[1]
    found = contrasts.measure(grid, base, kept, grid.controls, lost=went)
    verdict, reasons = gates.judge(grid, found.freedom + went, wave)
    if is_kept:
        verdict, reasons = "before_after", [*reasons, waves.WORDS_KEPT]
    elif wave.shape[1]:
        notes.append(waves.WORDS)
    return found, verdict, reasons + notes


def _without_wave(
    grid: Grid, base: Baseline, weights: Weights, wave: Tensor
) -> tuple[Baseline, Weights, Tensor]:
    """Balance the contrasts against the wave; where that cannot be had, give no wave.

    The baseline is then that of the lines without upgrade alone: a mean of lines that changes from
    before to after would have another share in the wave. They must show every covariate's effect.
    """
    never = baseline.two_way(grid.y, grid.x, grid.before & ~grid.is_upgraded[:, None])
    balanced = waves.balanced(weights, wave, grid.before[weights.line])
    is_whole = never.null.shape[1] <= base.null.shape[1]
    if is_whole and waves.price(weights, balanced) <= waves.PRICE_MAX:
        return never, balanced, wave
    return base, weights, waves.none(grid)
