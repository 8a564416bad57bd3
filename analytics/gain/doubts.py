"""What the readings themselves make doubtful of a gain: lines that break, cells that are not there.

Reference: the largest standardised shift of level as in the scan for one change point of Hinkley
(1970).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from analytics.gain import contrasts
from analytics.gain.design import listed

if TYPE_CHECKING:
    from analytics.gain.design import Grid

SIDE_MIN = 6  # periods on either side of a break: a shorter one is an outage, no new level
CONTROLS_MIN = 6  # fewer lines do not show what is usual among them
# The usual line's largest shift knows how long the noise remembers. By chance one line in some
# hundreds has one three times as large; where all lines drift, one in forty.
TIMES_USUAL = 3.0
# A tenth of the periods can hide as much as the gains that are looked for.
MORE_MISSING = 0.1


def of(grid: Grid, rest: Tensor) -> list[str]:
    """Name the controls that change their level and the lines that report less after an upgrade.

    rest (2, n, T) are residuals of the baseline, 0 where not seen.
    """
    return [*_breaks(grid, rest), *_missing(grid)]


def largest_shift(rest: Tensor, seen: Tensor) -> Tensor:
    """Largest difference of the means after and before a period, in standard errors of white noise.

    rest (2, n, T), seen (n, T) bool; gives (2, n), 0 where no period has SIDE_MIN on either side.

    >>> rest = torch.tensor([0.0, 1.0] * 6 + [10.0, 11.0] * 6).expand(2, 1, 24).double()
    >>> seen = torch.ones(1, 24, dtype=torch.bool)
    >>> round(float(largest_shift(rest, seen)[0, 0]) / 10, 2)  # the root of 12 x 12 / 24
    2.45
    """
    cells = seen.double()
    left, total = cells.cumsum(dim=1), cells.sum(dim=1, keepdim=True)
    right = total - left
    sums = (rest * cells).cumsum(dim=2)
    whole = sums[..., -1:]
    shift = (whole - sums) / right.clamp(min=1) - sums / left.clamp(min=1)
    size = (left * right / total.clamp(min=1)).sqrt()
    is_wide = (left >= SIDE_MIN) & (right >= SIDE_MIN)
    return (shift.abs() * size * is_wide).amax(dim=2)


def _breaks(grid: Grid, rest: Tensor) -> list[str]:
    controls = grid.controls
    if len(controls) < CONTROLS_MIN:
        return []
    noise = contrasts.innovation_variance(rest, grid.before, grid.after)[:, controls].sqrt()
    found = largest_shift(rest[:, controls], grid.seen[controls]) / noise  # (2, c)
    is_far = (found > TIMES_USUAL * found.median(dim=1, keepdim=True).values).any(dim=0)
    names = [grid.lines[n] for n in controls[is_far].tolist()]
    if not names:
        return []
    words = f"lines without upgrade whose level changes as no other's does: {listed(names)}"
    return [f"{words}; name what happened in the events, or leave them out"]


def _missing(grid: Grid) -> list[str]:
    """Compare what is missing after with before, on upgraded lines and on the others meanwhile."""
    place = torch.arange(len(grid.periods))
    line = grid.programme
    begin = grid.seen[line].double().argmax(dim=1)  # a line is not missing before its first cell
    before = (place >= begin[:, None]) & (place < grid.before_end[line][:, None])
    after = place >= grid.after_start[line][:, None]
    held = [(window & grid.seen[line]).sum(dim=1) for window in (before, after)]
    gone = [
        1 - seen / window.sum(dim=1).clamp(min=1)
        for seen, window in zip(held, (before, after), strict=True)
    ]
    more = gone[1] - gone[0]
    others = grid.seen[grid.controls].double().mean(dim=0)  # (T,)
    usual = torch.stack(
        [1 - (window * others).sum(1) / window.sum(1) for window in (before, after)]
    )
    extra = more - (usual[1] - usual[0])
    if not len(grid.controls) or float(extra.mean()) <= MORE_MISSING:
        return []
    names = [grid.lines[n] for n in line[extra > MORE_MISSING].tolist()]
    late, early = (float(share.mean()) for share in gone[::-1])
    shares = f"{late:.0%} of the periods after the upgrade, {early:.0%}"
    words = f"upgraded lines lack {shares} before it, and the other lines do not"
    rest = f"if they are missing for a reason, the gain is that of the rest ({listed(names)})"
    return [f"{words}: {rest}"]
