"""How long the noise of a meter remembers: autocovariances that the fit has not eaten.

A fit takes the slow part of the noise for weather, so residuals remember less than the noise did.
Here the autocovariances of an autoregression are sought that, sent through the same fit, give
those of the residuals.

References: autoregressions after Yule (1927) and Walker (1931), solved after Levinson (1947) and
Durbin (1960), their order by the criterion of Schwarz (1978); matching moments through the fit as
in indirect inference, Gourieroux, Monfort and Renault (1993).
"""

from __future__ import annotations

from math import log

import torch
from torch import Tensor

ORDER_MAX = 8  # days: a week, and the day that tells a week from seven days
ROUNDS = 8  # of correction: the last changes less than a tenth of a percent
LONGEST = 0.98  # correlation with the day before: slower is drift, which no one year can tell


def correlations(rest: Tensor, seen: Tensor, left: Tensor) -> Tensor:
    """Correlations (T,) of the noise with itself 0, 1, 2 … days later.

    rest (T,) are residuals on the days of a calendar, 0 where not seen (T,) bool; left (T, k) an
    orthonormal basis of what the fit can take, 0 on days not seen.
    """
    count = _pairs(seen.double())  # (T,)
    found = lagged(rest) / count.clamp(min=1)
    order = best_order(found, int(seen.sum()))
    wanted, guess = found[: order + 1], found[: order + 1]
    keep = torch.diag(seen.double()) - left @ left.T  # (T, T)
    for _ in range(ROUNDS):
        through = keep @ _toeplitz(extended(guess, len(rest))) @ keep
        sums = torch.stack([through.diagonal(k).sum() for k in range(order + 1)])
        guess = sound(guess + wanted - sums / count[: order + 1])
    return extended(guess / guess[0], len(rest))


def best_order(covariances: Tensor, count: int) -> int:
    """Choose how many days an autoregression looks back, by n log(variance) + order log n."""
    if not covariances[0] > 0:  # no noise at all remembers nothing
        return 0
    most = min(ORDER_MAX, len(covariances) - 1, count // 10)
    variances = [_levinson(covariances[: order + 1])[1] for order in range(most + 1)]
    scores = [
        count * float(variance.clamp(min=1e-300).log()) + order * log(count)
        for order, variance in enumerate(variances)
    ]
    return min(range(len(scores)), key=scores.__getitem__)


def extended(covariances: Tensor, length: int) -> Tensor:
    """Continue autocovariances (order + 1,) as the autoregression of that order does, to (length,).

    >>> extended(torch.tensor([1.0, 0.5]).double(), 4).round(decimals=9).tolist()
    [1.0, 0.5, 0.25, 0.125]
    """
    back = _levinson(covariances)[0]
    order = len(back)
    values = covariances.new_zeros(max(length, order + 1))
    values[: order + 1] = covariances
    for k in range(order + 1, length if order else 0):
        values[k] = back @ values[k - order : k].flip(0)
    return values[:length]


def sound(covariances: Tensor) -> Tensor:
    """Shrink autocovariances until some noise has them, and that noise is no drift."""
    lags = torch.arange(len(covariances), dtype=covariances.dtype)
    shrunk = covariances.clone()
    shrunk[0] = shrunk[0].clamp(min=1e-300)
    limit = shrunk[0] * LONGEST**lags
    shrunk = torch.minimum(torch.maximum(shrunk, -limit), limit)
    for _ in range(200):
        if float(torch.linalg.eigvalsh(_toeplitz(shrunk))[0]) > 1e-9 * float(shrunk[0]):
            break
        shrunk[1:] *= 0.97
    return shrunk


def _levinson(covariances: Tensor) -> tuple[Tensor, Tensor]:
    """Solve for the weights (order,) of the days before, and the variance that they leave."""
    order = len(covariances) - 1
    if not order:
        return covariances.new_zeros(0), covariances[0]
    right = covariances[1:]
    ridge = 1e-12 * covariances[0] * torch.eye(order, dtype=covariances.dtype)
    back = torch.linalg.solve(_toeplitz(covariances[:order]) + ridge, right)
    return back, covariances[0] - back @ right


def _toeplitz(values: Tensor) -> Tensor:
    place = torch.arange(len(values))
    square: Tensor = values[(place[:, None] - place).abs()]
    return square


def lagged(values: Tensor) -> Tensor:
    """Sum the products of values (T,) with those 0, 1, 2 … days later, (T,)."""
    width = 2 * len(values)
    spectrum = torch.fft.rfft(values, n=width)
    products: Tensor = torch.fft.irfft(spectrum.abs().square(), n=width)
    return products[: len(values)]


def _pairs(seen: Tensor) -> Tensor:
    return lagged(seen).round()
