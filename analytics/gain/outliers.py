"""Cells far from everything their line ever does, found before they can bend the baseline.

Reference: the rule of Hampel (1974): distance from the median in units of the median absolute
deviation, which up to half of the cells cannot spoil.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from analytics.gain import baseline
from analytics.gain.design import listed

if TYPE_CHECKING:
    from analytics.gain.baseline import Baseline
    from analytics.gain.design import Grid

FAR = 6.0  # standard deviations: one normal cell in five hundred million
MAD_TO_SD = 1.4826  # of a normal distribution
# More than one cell in twenty is no slip of a counter but how these lines run: stops that an
# upgrade may cure must stay in.
SHARE_MAX = 0.05
ROUNDS = 5  # a very far cell hides a less far one; more rounds than this find nothing new


def leave_out(grid: Grid, *, has_periods: bool) -> tuple[Grid, Baseline, list[str]]:
    """Fit the baseline, leave out far cells, fit again until none is left.

    Return the grid without them, the baseline and warnings in plain words.
    """
    base = baseline.two_way(grid.y, grid.x, grid.before, has_periods=has_periods)
    start, first = grid, base
    for _ in range(ROUNDS):
        far = far_cells(grid, base)
        if not bool(far.any()):
            break
        grid = grid.without(far)
        base = baseline.two_way(grid.y, grid.x, grid.before, has_periods=has_periods)
    gone, total = start.seen & ~grid.seen, int(start.seen.sum())
    count = int(gone.sum())
    if not count:
        return start, first, []
    away = f"{count} of {total} cells are more than {FAR:g} standard deviations from their line's"
    if count > SHARE_MAX * total:
        return start, first, [f"{away} others: too many to be errors, so they are kept"]
    names = [f"{grid.lines[n]} {grid.periods[t]}" for n, t in torch.nonzero(gone).tolist()]
    return grid, base, [f"{away} others and are left out: {listed(names, most=3)}"]


def far_cells(grid: Grid, base: Baseline) -> Tensor:
    """Tell which cells are far, (n, T) bool, before and after each upgrade by itself.

    A line's measure is its own deviation or, if that is larger, the panel's typical one: few
    cells may agree by chance, and a calm line's small jump harms nobody.
    """
    rest = baseline.residuals(base, grid.y, grid.x, grid.seen)  # (2, n, T)
    off = torch.zeros_like(rest)
    for cells in (grid.before, grid.after):
        off = torch.where(cells, rest - _median(rest, cells), off)
    judged = grid.before | grid.after
    deviation = MAD_TO_SD * _median(off.abs(), judged)  # (2, n, 1)
    typical = deviation.median(dim=1, keepdim=True).values
    limit = FAR * torch.maximum(deviation, typical)
    return ((off.abs() > limit) & (limit > 1e-9)).any(dim=0) & judged


def _median(values: Tensor, cells: Tensor) -> Tensor:
    """Median of each line over its cells, (2, n, 1); 0 for a line without."""
    masked = values.masked_fill(~cells, torch.nan)
    return masked.nanmedian(dim=2, keepdim=True).values.nan_to_num(0.0)
