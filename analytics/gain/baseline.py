"""The baseline: what each line would have done without its upgrade.

    y_it = line_i + period_t + x_it' b

is fitted by least squares to the cells that no upgrade has touched, and holds for all cells.
The lines are eliminated by hand (each cell less its line's mean), which leaves the Schur
complement: normal equations in the T periods and p slopes only, solved once for both outcomes.

References: two-way fixed effects by partialling out, after Frisch and Waugh (1933) and Lovell
(1963); fitting on untreated cells only, as in the imputation estimator of Borusyak, Jaravel and
Spiess (2024) and the two stages of Gardner (2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

# An eigenvalue this small, of a matrix scaled to a diagonal of ones, is rounding: the smallest
# true one of T linked periods is of the order 1 / T, or 1e-4.
RANK_TOLERANCE = 1e-10
# What is left of a covariate that each line holds for itself is rounding, some 1e-16 of it; a
# billionth is far more than that, and far less than any meter shows.
HELD = 1e-9


@dataclass(frozen=True)
class Baseline:
    """The fitted periods and slopes, with what is needed to ask how sure they are."""

    period: Tensor  # (2, T), up to a constant
    slope: Tensor  # (2, p)
    inverse: Tensor  # (T + p, T + p) pseudo-inverse of the normal equations
    null: Tensor  # (T + p, r) directions that the cells say nothing about
    used: Tensor  # (n, T) bool: the cells it was fitted to


def two_way(y: Tensor, x: Tensor, used: Tensor, *, has_periods: bool = True) -> Baseline:
    """Fit lines, periods and slopes to the used cells; exact, no iteration.

    y (2, n, T), x (n, T, p), used (n, T) bool. Without periods, only lines and slopes.

    >>> y = torch.tensor([[[1.0, 2, 4], [3, 4, 9]]]).double().expand(2, 2, 3)
    >>> used = torch.tensor([[True, True, True], [True, True, False]])
    >>> fitted = two_way(y, torch.zeros(2, 3, 0).double(), used)
    >>> (fitted.period[0] - fitted.period[0, 0]).round(decimals=9).tolist()
    [0.0, 1.0, 3.0]
    """
    cells = used.to(y.dtype)  # (n, T)
    count = cells.sum(dim=1, keepdim=True).clamp(min=1)  # (n, 1)
    y0 = (y - (y * cells).sum(dim=2, keepdim=True) / count) * cells  # (2, n, T)
    x0 = x - (torch.einsum("ntp,nt->np", x, cells) / count)[:, None, :]  # (n, T, p)
    x0 *= cells[..., None]
    x0 *= x0.square().sum(dim=(0, 1)) > HELD**2 * torch.einsum("ntp,nt->p", x.square(), cells)
    width = used.shape[1]
    size = width + x.shape[2]
    normal = y.new_zeros(size, size)
    normal[:width, :width] = torch.diag(cells.sum(dim=0)) - cells.T @ (cells / count)
    normal[:width, width:] = x0.sum(dim=0)  # the periods are dummies: sums over the lines
    normal[width:, :width] = x0.sum(dim=0).T
    normal[width:, width:] = torch.tensordot(x0, x0, dims=([0, 1], [0, 1]))
    right = torch.cat([y0.sum(dim=1), torch.tensordot(y0, x0, dims=([1, 2], [0, 1]))], dim=1)
    if not has_periods:
        normal[:width], normal[:, :width], right[:, :width] = 0, 0, 0
    inverse, null = _pseudo_inverse(normal)
    solved = right @ inverse  # (2, T + p)
    return Baseline(solved[:, :width], solved[:, width:], inverse, null, used)


def residuals(base: Baseline, y: Tensor, x: Tensor, seen: Tensor) -> Tensor:
    """Subtract the baseline from every seen cell, (2, n, T); elsewhere 0.

    A line's used cells have mean 0; a line without used cells keeps its own level.
    """
    rest = y - base.period[:, None, :] - torch.einsum("ntp,kp->knt", x, base.slope)
    cells = base.used.to(y.dtype)
    level = (rest * cells).sum(dim=2, keepdim=True) / cells.sum(dim=1)[:, None].clamp(min=1)
    return (rest - level) * seen


def _pseudo_inverse(normal: Tensor) -> tuple[Tensor, Tensor]:
    """Invert what can be inverted; return the inverse and the directions that cannot.

    One direction is always free: what is added to all periods is taken from all lines. More are
    free where covariates repeat one another or cells fall into unlinked groups.
    """
    diagonal = normal.diagonal()
    scale = torch.where(diagonal > 0, diagonal, 1.0).rsqrt()
    values, vectors = torch.linalg.eigh(normal * scale[:, None] * scale)
    is_known = values > RANK_TOLERANCE
    known = vectors[:, is_known] * scale[:, None]
    inverse = (known / values[is_known]) @ known.T
    return inverse, vectors[:, ~is_known] * scale[:, None]
