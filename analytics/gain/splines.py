"""The basis of a covariate: straight pieces that bend at its quantiles.

References: hinge functions and their knots at quantiles as in Friedman, "Multivariate adaptive
regression splines" (1991); quantile skewness after Bowley (1901).
"""

from __future__ import annotations

import torch
from torch import Tensor

KNOTS_MAX = 5  # pieces about as fine as sixths of the data: more bends chase noise
# cells per coefficient: ten to twenty independent cells are the usual minimum, and neighbouring
# periods of a plant are worth about half as much as independent ones
CELLS_PER_COEFFICIENT = 40


def basis(values: Tensor, *, covariate_count: int) -> Tensor:
    """Expand one covariate (m,) into columns (m, 1 + knots), each of mean 0 and size 1.

    The first column is the covariate, in logs where that makes it more symmetric; the others
    are max(0, x - knot), so that any bent response is fitted by straight pieces. The number of
    knots grows with the cells at hand. A constant covariate has no columns.

    >>> basis(torch.tensor([0.0, 1.0, 0.0, 1.0]).double(), covariate_count=1).tolist()
    [[-1.0], [1.0], [-1.0], [1.0]]
    """
    ordered = values.sort().values
    if float(ordered[-1] - ordered[0]) <= 1e-12 * float(ordered.abs().max()):
        return values.new_zeros((len(values), 0))
    if is_amount(ordered):
        values, ordered = values.log(), ordered.log()
    count = len(values) // (CELLS_PER_COEFFICIENT * covariate_count) - 1
    knots = [torch.relu(values - knot) for knot in _knots(ordered, count)]
    columns = torch.stack([values, *knots], dim=1)
    columns -= columns.mean(dim=0)
    columns /= columns.square().mean(dim=0).sqrt()
    return columns


def is_amount(ordered: Tensor) -> bool:
    """Tell whether ordered values are better seen as ratios: all above 0, the log more symmetric.

    Amounts (hours, tonnes) differ by ratios and have a long upper tail, which the log removes;
    shares and temperatures do not. The data decide, not the column's name.

    >>> is_amount(torch.tensor([1.0, 10.0, 100.0])), is_amount(torch.tensor([1.0, 2.0, 3.0]))
    (True, False)
    """
    return bool(ordered[0] > 0) and abs(skewness(ordered.log())) < abs(skewness(ordered))


def skewness(ordered: Tensor) -> float:
    """Quantile skewness in [-1, 1]: (q90 + q10 - 2 q50) / (q90 - q10), 0 without any spread.

    >>> skewness(torch.tensor([0.0, 1.0, 2.0]).double())
    0.0
    """
    low, middle, high = _quantiles(ordered, [0.1, 0.5, 0.9]).tolist()
    return 0.0 if high <= low else float((high + low - 2 * middle) / (high - low))


def _knots(ordered: Tensor, count: int) -> list[float]:
    """Pick inner quantiles, each once, none at the ends."""
    count = min(max(count, 0), KNOTS_MAX)
    inner = [float(ordered[len(ordered) * (k + 1) // (count + 1)]) for k in range(count)]
    low, high = float(ordered[0]), float(ordered[-1])
    return sorted({knot for knot in inner if low < knot < high})


def _quantiles(ordered: Tensor, at: list[float]) -> Tensor:
    """Interpolate between ordered values."""
    place = torch.tensor(at, dtype=ordered.dtype) * (len(ordered) - 1)
    below = place.floor().long()
    above = torch.clamp(below + 1, max=len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
