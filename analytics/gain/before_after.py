"""Gains without controls: after less before, with an error that the memory of the noise widens.

Whatever moved all lines together counts as gain here, so no interval can make it causal.

Reference: a fixed number of block means with a Student t, as in Ibragimov and Mueller (2010).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from analytics.gain import baseline
from analytics.gain.contrasts import TINY, Contrasts
from contracts.errors import DataError

if TYPE_CHECKING:
    from analytics.gain.baseline import Baseline
    from analytics.gain.contrasts import Weights
    from analytics.gain.design import Grid

BLOCKS = 6  # few and long: the mean of a block must not remember the block before
WORDS = "whatever else moved all lines (season, demand, prices) is counted as gain here"
PERIODS_MIN = 2 * BLOCKS  # a block of one period would measure no memory at all


def measure(grid: Grid, base: Baseline, weights: Weights) -> Contrasts:
    """Contrast the lines' residuals; errors from how blocks of periods before them scatter.

    A block is the same stretch of the panel for all lines. The mean over the lines gives the
    shared error, each line's distance from it the own. Raise DataError with too few periods.
    """
    rest = baseline.residuals(base, grid.y, grid.x, grid.seen)[:, weights.line]  # (2, m, T)
    before = grid.before[weights.line]
    reported = torch.nonzero(before.any(dim=0))[:, 0]
    if len(reported) < PERIODS_MIN:
        raise DataError(
            f"without lines to compare with, {PERIODS_MIN} periods before the upgrade are needed,"
            f" the panel has {len(reported)}: give more periods, or never-upgraded lines"
        )
    cells = before.double()
    common = (rest * cells).sum(dim=1) / cells.sum(dim=0).clamp(min=1)  # (2, T)
    apart = (rest - common[:, None]) * cells  # (2, m, T)
    count = len(weights.line)
    # of the mean over the whole of the periods before: variance times number of periods
    long_shared = _long_run(common[:, None], before.any(dim=0, keepdim=True), reported)[:, 0]
    own = _long_run(apart, before, reported).mean(dim=1) * count / max(count - 1, 1)  # (2,)
    effort = weights.plus.square().sum(dim=1) + weights.minus.square().sum(dim=1)  # (m,)
    return Contrasts(
        line=weights.line,
        value=torch.einsum("kmt,mt->km", rest, weights.net),
        own=(own[:, None] * effort).clamp(min=TINY),
        shared=(long_shared[:, None] * effort).sqrt()[..., None],
        freedom=BLOCKS - 1,
        correlation=_correlation(common, before.any(dim=0)),
    )


def _long_run(values: Tensor, cells: Tensor, reported: Tensor) -> Tensor:
    """Variance of a mean over periods, times their number, (2, m), from the means of blocks."""
    block_of = torch.zeros(cells.shape[1], dtype=torch.long)
    block_of[reported] = torch.arange(len(reported)) * BLOCKS // len(reported)
    member = torch.nn.functional.one_hot(block_of, BLOCKS).double()  # (T, BLOCKS)
    count = cells.double() @ member  # (m, BLOCKS)
    means = (values * cells) @ member / count.clamp(min=1)
    centre = (means * count).sum(dim=2, keepdim=True) / count.sum(dim=1)[:, None].clamp(min=1)
    squares = (count * (means - centre).square()).sum(dim=2)
    return squares / ((count > 0).sum(dim=1) - 1).clamp(min=1)


def _correlation(common: Tensor, is_before: Tensor) -> float:
    pair = common[:, is_before]
    size = pair.square().sum(dim=1).prod().sqrt()
    return float((pair[0] * pair[1]).sum() / size) if size > 0 else 0.0
