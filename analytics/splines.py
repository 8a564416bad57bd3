"""The basis of a covariate: straight pieces that bend at its quantiles.

References: hinge functions and their knots at quantiles as in Friedman, "Multivariate adaptive
regression splines" (1991); quantile skewness after Bowley (1901).
"""

from __future__ import annotations

import torch
from torch import Tensor

MOST_KNOTS = 5  # pieces about as fine as sixths of the data: more bends chase noise
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
    if float(values.max() - values.min()) <= 1e-12 * float(values.abs().max()):
        return values.new_zeros((len(values), 0))
    x = as_ratio(values)
    count = len(values) // (CELLS_PER_COEFFICIENT * covariate_count) - 1
    columns = torch.stack([x, *(torch.relu(x - knot) for knot in _knots(x, count))], dim=1)
    columns = columns - columns.mean(dim=0)
    return columns / columns.square().mean(dim=0).sqrt()


def as_ratio(values: Tensor) -> Tensor:
    """Take the log of a covariate where all are positive and the log is the more symmetric.

    Amounts (hours, tonnes) differ by ratios and have a long upper tail, which the log removes;
    shares and temperatures do not. The data decide, not the column's name.

    >>> as_ratio(torch.tensor([1.0, 10.0, 100.0])).tolist() == [0.0, torch.tensor(10.0).log(),
    ...     torch.tensor(100.0).log()]
    True
    >>> as_ratio(torch.tensor([1.0, 2.0, 3.0])).tolist()
    [1.0, 2.0, 3.0]
    """
    if float(values.min()) <= 0:
        return values
    logs = values.log()
    return logs if abs(skewness(logs)) < abs(skewness(values)) else values


def skewness(values: Tensor) -> float:
    """Quantile skewness in [-1, 1]: (q90 + q10 - 2 q50) / (q90 - q10), 0 without any spread.

    >>> skewness(torch.tensor([0.0, 1.0, 2.0]))
    0.0
    """
    low, middle, high = _quantiles(values, [0.1, 0.5, 0.9]).tolist()
    return 0.0 if high <= low else float((high + low - 2 * middle) / (high - low))


def _knots(x: Tensor, count: int) -> list[float]:
    """Pick inner quantiles, each once, none at the ends."""
    count = min(max(count, 0), MOST_KNOTS)
    inner = _quantiles(x, [(k + 1) / (count + 1) for k in range(count)])
    low, high = float(x.min()), float(x.max())
    return sorted({float(q) for q in inner if low < float(q) < high})


def _quantiles(values: Tensor, at: list[float]) -> Tensor:
    """Interpolate quantiles; torch.quantile takes no more than sixteen million values."""
    ordered = values.sort().values
    place = torch.tensor(at, dtype=torch.float64) * (len(values) - 1)
    below = place.floor().long()
    above = torch.clamp(below + 1, max=len(values) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
