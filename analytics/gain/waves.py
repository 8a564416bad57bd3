"""Waves that lines follow unequally, found on the lines without upgrade and kept out of contrasts.

Where a market or a season moves some lines more than others, paths are not parallel, and a mean of
controls leaves part of the wave on the upgraded lines. It shows as residuals of controls that rise
and fall together. A contrast whose weights give such a wave the same mean after as before does not
see it, on any line, whatever its share in it.

Whether there is one is asked of the same residuals, each line's shifted in time by itself: that
keeps every line's memory and takes away what they have in common. Where sites are told, it is asked
of what sites differ by and of what the lines of a site differ by: shocks of sites fill a few of
these rows, each in its own time, and are no wave.

References: effects under common factors, Bai (2009) and Xu (2017); the choice of their number by
leading singular values beside permuted ones as in Buja and Eyuboglu (1992).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from analytics.gain import baseline, sites

if TYPE_CHECKING:
    from collections.abc import Callable

    from analytics.gain.contrasts import Weights
    from analytics.gain.design import Grid

SHIFTS = 99  # with the one that is real: a wave by chance once in a hundred panels
FIRST_SHIFTS = 9  # of these
WAVES_MAX = 2  # two that differ explain what a plant's markets and seasons do
CONTROLS_MIN = 8  # of fewer, some always rise and fall together
PERIODS_MIN = 16
LINES_MAX = 60  # a common wave shows in so many as well as in all
# A contrast whose noise has more than twice the size does not balance a wave, it extrapolates what
# the periods before hardly show of it.
PRICE_MAX = 4.0
ROUNDING = 1e-9  # what a line has in a row that it is not part of: some 1e-16
ROUNDS = 30  # of the search for a leading wave: sure to a percent, as the test needs


WORDS = "lines follow a common wave unequally: the periods before are weighted so that it cancels"

WORDS_KEPT = (
    "before/after, not causal: lines drift apart in common, in a way that the periods before hardly"
    " show"
)


def none(grid: Grid) -> Tensor:
    """Give no wave, (T, 0)."""
    return torch.zeros(len(grid.periods), 0, dtype=torch.float64)


def common(grid: Grid) -> Tensor:
    """Find the waves (T, r) that the controls follow unequally, r = 0 to 2, each of size 1."""
    controls = grid.controls
    if len(controls) < CONTROLS_MIN or len(grid.periods) < PERIODS_MIN:
        return none(grid)
    controls = controls[:: -(-len(controls) // LINES_MAX)]
    used = grid.before & ~grid.is_upgraded[:, None]
    base = baseline.two_way(grid.y, grid.x, used)
    seen = used[controls]
    rest = baseline.residuals(base, grid.y, grid.x, used)[:, controls]  # (2, c, T)
    rest = _of_one_size(rest, seen)
    if sites.are_told(grid.site[controls]):
        turn = apart(grid.site[controls])
        seen = (turn.abs() > ROUNDING).double() @ seen.double() > 0
        rest = _of_one_size(turn @ rest, seen)
    found = none(grid)
    for _ in range(WAVES_MAX):
        wave = _next(rest, seen)
        if wave is None:
            break
        found = torch.cat([found, wave[:, None]], dim=1)
        rest = rest - (rest @ wave)[..., None] * wave
    return found


def price(plain: Weights, changed: Weights) -> float:
    """Say how many times the variance of white noise the changed contrasts have, in the mean.

    >>> from analytics.gain.contrasts import weights_of
    >>> one = torch.tensor([[1.0, 0.0, 0.0]])
    >>> plain = weights_of(torch.tensor([0]), one, torch.tensor([[0.0, 1.0, 0.0]]))
    >>> price(plain, replace(plain, minus=torch.tensor([[0.0, 3.0, -2.0]])))
    7.0
    """
    squares = [one.net.square().sum(dim=1) for one in (changed, plain)]
    return float((squares[0] / squares[1]).mean())


def _next(rest: Tensor, seen: Tensor) -> Tensor | None:
    """Find a wave where it stands out most: in both outcomes, or in one of them."""
    parts = (rest, rest[:1], rest[1:])
    clear = [_clearness(part, lambda part: _levelled(part, seen)) for part in parts]
    best = max(range(len(parts)), key=clear.__getitem__)
    return direction(parts[best].flatten(0, 1)) if clear[best] > 1 else None


def _clearness(rest: Tensor, level: Callable[[Tensor], Tensor]) -> float:
    """Tell how much more lines (k, c, T) have in common than the most that shifted ones have.

    As they are and levelled, the less counts. Up to 1 there is nothing; a few shifts mostly show
    that already.
    """
    least = torch.inf
    for rows in (rest, level(rest)):
        found = float(strength(rows.flatten(0, 1)[None]))
        most = 1e-300
        for some in (slice(0, FIRST_SHIFTS), slice(FIRST_SHIFTS, SHIFTS)):
            most = max(most, float(strength(_shifted(rows, some).flatten(1, 2)).max()))
            if found <= most:
                return found / most
        least = min(least, found / most)
    return least


def _levelled(rest: Tensor, seen: Tensor) -> Tensor:
    """Take out each line's mean and straight trend.

    Lines that drift, each by itself, have trends in common by chance; turned around in time these
    become cliffs, so that the shifted ones would have less in common than drift has.
    """
    cells = seen.double()
    time = torch.arange(rest.shape[2], dtype=torch.float64)
    count = cells.sum(dim=1, keepdim=True).clamp(min=1)
    away = (time - (cells * time).sum(dim=1, keepdim=True) / count) * cells
    flat = (rest - rest.sum(dim=2, keepdim=True) / count) * cells
    steep = (flat * away).sum(dim=2, keepdim=True)
    return flat - steep / away.square().sum(dim=1, keepdim=True).clamp(min=1) * away


def strength(rows: Tensor) -> Tensor:
    """Give the largest squared singular value of each of b sets of rows (b, n, T), as (b,).

    >>> round(float(strength(torch.tensor([[[3.0, 4.0], [0.0, 0.0]]]))[0]), 3)
    25.0
    """
    wide = rows if rows.shape[1] <= rows.shape[2] else rows.transpose(1, 2)
    square = wide @ wide.transpose(1, 2)
    most = square.diagonal(dim1=1, dim2=2).argmax(dim=1)
    way = square[torch.arange(len(rows)), most][:, :, None]
    for _ in range(ROUNDS):
        way = square @ way
        way = way / way.norm(dim=1, keepdim=True).clamp(min=1e-300)
    return (way * (square @ way)).sum(dim=(1, 2))


def direction(rows: Tensor) -> Tensor:
    """Give the direction (T,) of size 1 that rows (n, T) have most of."""
    _, _, turned = torch.linalg.svd(rows, full_matrices=False)
    first: Tensor = turned[0]
    return first


def balanced(weights: Weights, waves: Tensor, before: Tensor) -> Weights:
    """Change the weights before the upgrade so little that every wave has contrast 0.

    before (m, T) bool are the cells that may change; their weights keep their sum.
    """
    if not waves.shape[1]:
        return weights
    cells = before.double()[:, :, None]  # (m, T, 1)
    count = cells.sum(dim=1, keepdim=True).clamp(min=1)
    away = (waves - (waves * cells).sum(dim=1, keepdim=True) / count) * cells  # (m, T, r)
    seen = weights.net @ waves  # (m, r)
    gram = away.transpose(1, 2) @ away
    gram = gram + 1e-9 * torch.eye(waves.shape[1]).to(gram)
    change = (away @ torch.linalg.solve(gram, seen)[:, :, None])[:, :, 0]  # (m, T)
    return replace(weights, minus=weights.minus + change)


def apart(site: Tensor) -> Tensor:
    """Turn lines on these sites (c,) into what they differ by, (c - 1, c).

    The first rows are what sites differ by, the others what lines of a site differ by. All are of
    size 1 and at right angles: where the lines of a site are equally alike, as sites of one size
    are, the rows have nothing in common.

    >>> turn = apart(torch.tensor([0, 0, 1, 1]))
    >>> shock = torch.tensor([5.0, 5.0, 0.0, 0.0]).double()
    >>> (turn @ shock).abs().round(decimals=9).tolist()
    [5.0, 0.0, 0.0]
    """
    first = sites.member(site)
    first[:, 0] = 1.0
    basis: Tensor = torch.linalg.qr(torch.cat([first, torch.eye(len(site)).to(first)], dim=1))[0]
    return basis.T[1:]


def _of_one_size(rest: Tensor, seen: Tensor) -> Tensor:
    size = rest.square().sum(dim=2, keepdim=True) / seen.sum(dim=1)[:, None].clamp(min=1)
    return rest / size.sqrt().clamp(min=1e-300)


def _shifted(rest: Tensor, some: slice) -> Tensor:
    """Turn every line (k, c, T) around in time by a distance of its own, (s, k, c, T).

    Both outcomes of a line go together: what they have in common is no wave of the lines.
    """
    kinds, count, width = rest.shape
    by = torch.randint(width, (SHIFTS, 1, count, 1), generator=torch.Generator().manual_seed(1))
    place = ((torch.arange(width) + by[some]) % width).expand(-1, kinds, -1, -1)
    return rest.expand(len(place), -1, -1, -1).gather(3, place)
