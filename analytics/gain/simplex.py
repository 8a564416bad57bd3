"""The mixture of columns nearest to a target: weights not below 0 that sum to 1.

    min over w of |columns w - target|^2 + ridge |w|^2

References: the point of least norm in a polytope after Wolfe (1976), which ends after finitely
many steps at the exact answer; conditional gradients after Frank and Wolfe (1956), which come
near it step by step.
"""

from __future__ import annotations

import torch
from torch import Tensor

TOLERANCE = 1e-12  # of the largest squared distance: rounding of a product of doubles
JITTER = 1e-14  # of the same: corners that agree but for rounding stay solvable
STEPS_PER_COLUMN = 50  # Wolfe's method visits each column a few times at most


def nearest(columns: Tensor, target: Tensor, ridge: float) -> Tensor:
    """Weights (n,) of the columns (T, n) nearest to the target (T,), exactly.

    Where several mixtures are equally near, one of them.

    >>> target = torch.tensor([1.0]).double()
    >>> nearest(torch.tensor([[0.0, 4.0]]).double(), target, 0).round(decimals=9).tolist()
    [0.75, 0.25]
    """
    gram = _gram(columns, target, ridge)
    limit = TOLERANCE * float(gram.diagonal().max())
    chosen = [int(gram.diagonal().argmin())]
    weight = gram.new_ones(1)
    for _ in range(STEPS_PER_COLUMN * len(gram)):
        product = gram[:, chosen] @ weight  # of each corner with the point reached
        corner = int(product.argmin())
        if corner in chosen or float(product[corner]) >= float(product[chosen] @ weight) - limit:
            break
        chosen, weight = _inside(gram, [*chosen, corner], torch.cat([weight, weight.new_zeros(1)]))
    whole = gram.new_zeros(len(gram))
    whole[chosen] = weight
    return whole


def frank_wolfe(columns: Tensor, target: Tensor, ridge: float, *, stop: float) -> Tensor:
    """Weights as Arkhangelsky et al. (2021) publish them: 100 steps, the small ones dropped, more.

    It ends where a step lowers the mean squared distance by less than stop^2, or after 10,000
    steps, so the weights are near the best ones and the figures of the paper are theirs.

    >>> target = torch.tensor([0.9, 0.1]).double()
    >>> frank_wolfe(torch.eye(2).double(), target, 0, stop=1e-6).round(decimals=4).tolist()
    [0.9, 0.1]
    """
    start = columns.new_full((columns.shape[1],), 1 / columns.shape[1])
    weight = _descend(columns, target, ridge, start, (stop, 100))
    weight = torch.where(weight <= weight.max() / 4, 0.0, weight)
    return _descend(columns, target, ridge, weight / weight.sum(), (stop, 10_000))


def _gram(columns: Tensor, target: Tensor, ridge: float) -> Tensor:
    """Products (n, n) of the corners, seen from the target; the ridge is a coordinate of each."""
    away = columns - target[:, None]
    return away.T @ away + ridge * torch.eye(columns.shape[1], dtype=columns.dtype)


def _inside(gram: Tensor, chosen: list[int], weight: Tensor) -> tuple[list[int], Tensor]:
    """Move to the best mixture of the chosen corners, dropping those that would be below 0."""
    while True:
        best = _affine(gram[chosen][:, chosen])
        below = best <= 0
        if not bool(below.any()):
            return chosen, best
        part = (weight[below] / (weight[below] - best[below])).clamp(0, 1).min()
        weight = weight + part * (best - weight)
        weight[below] = torch.where(weight[below] <= TOLERANCE, 0.0, weight[below])
        is_kept = weight > 0
        if bool(is_kept.all()):  # rounding: the smallest is the one that should have reached 0
            is_kept[int(torch.where(below, weight, torch.inf).argmin())] = False
        chosen = [one for one, kept in zip(chosen, is_kept.tolist(), strict=True) if kept]
        weight = weight[is_kept] / weight[is_kept].sum()


def _affine(gram: Tensor) -> Tensor:
    """Weights that sum to 1, of any sign, with the least w' gram w."""
    count = len(gram)
    bordered = gram.new_ones(count + 1, count + 1)
    bordered[:count, :count] = gram / gram.diagonal().max().clamp(min=torch.finfo(gram.dtype).tiny)
    bordered.diagonal()[:count] += JITTER
    bordered[count, count] = 0
    right = gram.new_zeros(count + 1)
    right[count] = 1
    solved: Tensor = torch.linalg.solve(bordered, right)
    return solved[:count]


def _descend(
    columns: Tensor, target: Tensor, ridge: float, weight: Tensor, end: tuple[float, int]
) -> Tensor:
    """Go towards the best corner, as far as pays, until a step gains too little."""
    before = torch.inf
    for _ in range(end[1]):
        slope = (columns @ weight - target) @ columns + ridge * weight
        way = -weight
        way[int(slope.argmin())] += 1
        bend = (columns @ way).square().sum() + ridge * way.square().sum()
        if float(bend) <= 0:
            break
        weight = weight + (-(slope @ way) / bend).clamp(0, 1) * way
        miss = (columns @ weight - target).square().sum() + ridge * weight.square().sum()
        after = float(miss) / len(target)
        if before - after <= end[0] ** 2:
            break
        before = after
    return weight
