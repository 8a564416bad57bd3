"""The population of effects: what a programme, one line and the next line gain.

    contrast = effect + error        error ~ N(0, c^2 (diag(own) + shared shared'))
    effect_i ~ N(middle, s^2)        c^2 ~ freedom / chi-squared(freedom)

The scale c makes every interval a Student t: it is how far the controls may misjudge the noise.
The middle is integrated out in closed form; for s / c there is a grid, and the low rank of the
shared errors makes each of its points cost a number of steps linear in the lines.

References: the normal hierarchy as in Lindley and Smith (1972) and Rubin's eight schools (1981);
half-Cauchy prior on s as in Gelman (2006): flat where s can be, so that few lines do not look
alike for want of evidence, and falling slowly beyond; the scale is drawn from
what the controls say alone ("cut", Plummer 2015), since effects that agree prove no low noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

DRAWS = 4096  # of a quasi-random sequence: the ends of a 90 % interval are sure to about 1 %
SCALES = 256  # strata of the Student t
GRID = 64  # steps of about 12 %: finer than any panel can tell s
# Half of the prior on s lies below: lines whose gains differ by a quarter of their output or cost
# from one another are already rare, so it matters with one or two upgraded lines only.
SPREAD = 0.25
WIDEST = 20.0  # a factor of half a billion: a bound beyond says as little, and exp stays finite
LINES_AT_ONCE = 512  # bounds the draws in memory to 16 MB


@dataclass(frozen=True)
class Population:
    """Means and variances given each of g values of s / c, at scale c = 1."""

    spread: Tensor  # (g,) s / c
    chance: Tensor  # (g,) log likelihood apart from the misfit
    misfit: Tensor  # (g,) squared distance of the contrasts from their middle
    line_mean: Tensor  # (g, m)
    line_variance: Tensor  # (g, m)
    line_weight: Tensor  # (g, m) of its own contrast in a line's mean
    middle: Tensor  # (g,)
    programme_variance: Tensor  # (g,)
    next_variance: Tensor  # (g,)


@dataclass(frozen=True)
class Draws:
    """Draws of one outcome: the programme's mean effect, each line's, the next line's."""

    programme: Tensor  # (DRAWS,)
    line: Tensor  # (m, q) quantiles
    borrowed: Tensor  # (m,) share of a line's estimate that is from the other lines, 0 to 1
    next_line: Tensor  # (DRAWS,)


def population(value: Tensor, own: Tensor, shared: Tensor) -> Population:
    """Condition on the contrasts, at every point of the grid.

    value (m,), own (m,), shared (m, k). With A = diag(own) + shared shared' + s^2 and B its
    inverse, by the identity of Woodbury:
        middle = 1'B value / 1'B1,  line = middle + s^2 B (value - middle),
        var(line) = s^2 - s^4 B_ii + (1 - s^2 B1_i)^2 / 1'B1,
        weight of value_i in line_i = s^2 B_ii + (1 - s^2 B1_i) B1_i / 1'B1,
        var(mean of lines) = 1 / 1'B1 - s^2 / m,  var(next) = 1 / 1'B1 + s^2.

    >>> own, shared = torch.tensor([4.0, 4.0]).double(), torch.tensor([[1.0], [1.0]]).double()
    >>> people = population(torch.tensor([0.0, 2.0]).double(), own, shared)
    >>> people.middle[0].round(decimals=9).item()
    1.0
    >>> people.programme_variance[0].round(decimals=9).item()  # 4 / 2 of their own, 1 shared
    3.0
    """
    count = len(value)
    s = _spreads(value, own)
    s2 = s.square()[:, None]
    d = 1 / (own + s2)  # (g, m)
    inner = torch.eye(shared.shape[1], dtype=value.dtype) + (shared.T * d[:, None, :]) @ shared
    root = torch.linalg.cholesky(inner)  # (g, k, k)
    turned = torch.linalg.solve_triangular(root, torch.eye(len(shared.T)).to(root), upper=False)
    part = turned @ (shared.T * d[:, None, :])  # (g, k, m)
    part_one, part_value = part.sum(dim=2), part @ value  # (g, k)
    b_one = d - torch.einsum("gkm,gk->gm", part, part_one)
    b_value = d * value - torch.einsum("gkm,gk->gm", part, part_value)
    b_diagonal = d - part.square().sum(dim=1)
    one = b_one.sum(dim=1)  # (g,)
    middle = b_value.sum(dim=1) / one
    share = b_one / one[:, None]  # (g, m) of each contrast in the middle
    logdet = -d.log().sum(dim=1) + 2 * root.diagonal(dim1=1, dim2=2).log().sum(dim=1)
    return Population(
        spread=s,
        chance=-(logdet + one.log()) / 2,
        misfit=(b_value * value).sum(dim=1) - middle.square() * one,
        line_mean=middle[:, None] + s2 * (b_value - middle[:, None] * b_one),
        line_variance=s2 - s2.square() * b_diagonal + (1 - s2 * b_one).square() / one[:, None],
        line_weight=s2 * b_diagonal + (1 - s2 * b_one) * share,
        middle=middle,
        programme_variance=1 / one - s2[:, 0] / count,
        next_variance=1 / one + s2[:, 0],
    )


def draw(people: Population, freedom: int, chances: Tensor, at: list[float]) -> Draws:
    """Draw effects from even chances (DRAWS, 3) in (0, 1): of the scale, of s, of the effect.

    `at` are the quantiles wanted of each line.
    """
    scale = scales(freedom)  # (SCALES,)
    s = people.spread * scale[:, None]  # (SCALES, g)
    prior = s.log() - torch.log1p((s / SPREAD).square())  # the grid is even in log s
    logs = prior + people.chance - people.misfit / (2 * scale.square()[:, None])
    ladder = torch.softmax(logs, dim=1).cumsum(dim=1)
    row = (chances[:, 0] * SCALES).long()  # (DRAWS,)
    step = torch.searchsorted(ladder[row], chances[:, 1:2].contiguous())[:, 0]
    step = step.clamp(max=GRID - 1)
    error = scale[row] * torch.special.ndtri(chances[:, 2])
    mean, spread = people.line_mean.mean(dim=1), people.programme_variance.clamp(min=0).sqrt()
    line_mean = people.line_mean.T.contiguous()  # (m, g)
    line_spread = people.line_variance.T.clamp(min=0).sqrt()
    line = [
        quantiles(_bounded(line_mean[few][:, step] + error * line_spread[few][:, step]), at)
        for few in torch.arange(len(line_mean)).split(LINES_AT_ONCE)  # type: ignore[no-untyped-call]
    ]
    return Draws(
        programme=_bounded(mean[step] + error * spread[step]),
        line=torch.cat(line),
        borrowed=(1 - people.line_weight[step].mean(dim=0)).clamp(0, 1),
        next_line=_bounded(people.middle[step] + error * people.next_variance[step].sqrt()),
    )


def _bounded(effects: Tensor) -> Tensor:
    return effects.clamp(min=-WIDEST, max=WIDEST)


def _spreads(value: Tensor, own: Tensor) -> Tensor:
    """Lay the grid (g,) from far below the noise to far above both the contrasts and the prior."""
    noise = own.mean().sqrt()
    scatter = value.std() if len(value) > 1 else noise
    low, high = noise / 30, torch.maximum(10 * scatter, noise.new_tensor(4 * SPREAD))
    steps = torch.linspace(0, 1, GRID, dtype=value.dtype)
    return low * (torch.maximum(high, 100 * noise) / low) ** steps


def even_chances(dimension: int) -> Tensor:
    """Points (DRAWS, dimension) spread evenly over the unit cube, always the same."""
    engine = torch.quasirandom.SobolEngine(  # type: ignore[no-untyped-call]
        dimension, scramble=True, seed=1
    )
    return engine.draw(DRAWS, dtype=torch.float64).clamp(1e-9, 1 - 1e-9)


@cache
def scales(freedom: int) -> Tensor:
    """Equally likely values (SCALES,) of sqrt(freedom / chi-squared), falling.

    A normal number times such a scale is a Student t number. By bisection of the distribution
    function of chi-squared.

    >>> middle = scales(10)[SCALES // 2 - 1 : SCALES // 2 + 1].mean()
    >>> round(float(middle), 3)  # chi-squared with 10 degrees of freedom has the median 9.342
    1.035
    """
    chances = (torch.arange(SCALES, dtype=torch.float64) + 0.5) / SCALES
    half = torch.full_like(chances, freedom / 2)
    low, high = torch.zeros_like(chances), torch.full_like(chances, 10.0 * freedom + 100.0)
    for _ in range(50):
        middle = (low + high) / 2
        is_low = torch.special.gammainc(half, middle / 2) < chances
        low, high = torch.where(is_low, middle, low), torch.where(is_low, high, middle)
    return (freedom / high).sqrt()


def student(level: float, freedom: int) -> float:
    """Give half the width of Student's t at a level, as a mixture of normals.

    >>> round(student(0.9, 10), 2)
    1.81
    """
    scale = scales(freedom)
    low, high = 0.0, 1e4
    for _ in range(80):
        middle = (low + high) / 2
        inside = 1 - float(torch.erfc(middle / (scale * 2**0.5)).mean())
        low, high = (middle, high) if inside < level else (low, middle)
    return (low + high) / 2


def quantiles(draws: Tensor, at: list[float]) -> Tensor:
    """Quantiles of each row of draws (..., DRAWS), as (..., q).

    >>> quantiles(torch.tensor([3.0, 1.0, 2.0]), [0.0, 0.5, 1.0]).tolist()
    [1.0, 2.0, 3.0]
    """
    place = [round(one * (draws.shape[-1] - 1)) for one in at]
    # numpy finds single places several times as fast as a sort would
    return torch.as_tensor(np.partition(draws.numpy(), place, axis=-1)[..., place])
