"""Synthetic control that matches predictors, as comparative case studies do.

    w(v) = the mixture of controls with the nearest predictors, predictor k weighing v_k
    v    = the weights for which the mixture's outcome before is nearest to the treated one's

Which v is found is seldom unique: several give nearly the same fit before, so the search is a
fixed one, from even weights. In a plant the predictors of a line are few; `analytics.gain.fit_one`
matches its outcome itself.

References: Abadie and Gardeazabal (2003), Abadie, Diamond and Hainmueller (2010, 2015); the
search without slopes after Nelder and Mead (1965).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from analytics.gain import simplex

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = 300  # of either search: both stand still before
STRIDE = 0.1  # of a logarithm a step
STILL = 1e-10  # of the loss: a simplex whose corners differ by less has arrived
FEWEST = 50  # steps before that is asked: corners may agree by chance


def mixture(predictors: Tensor, outcome: Tensor, later: Tensor | None = None) -> Tensor:
    """Weights (c,) of the controls for the treated line, which is column 0.

    predictors (k, 1 + c), outcome (T, 1 + c) of the periods that the weights of the predictors
    are chosen by; `later` (k, 1 + c) are the predictors to match with these weights if they are
    those of another time than the ones that chose them. Deterministic.

    >>> one = torch.tensor([[2.0, 1.0, 3.0, 9.0], [2.0, 1.0, 3.0, 0.0]]).double()
    >>> mixture(one, one).round(decimals=6).tolist()
    [0.5, 0.5, 0.0]
    """
    scaled = scale(predictors)
    weight = predictor_weights(scaled, outcome)
    return nearest(scaled if later is None else scale(later), weight)


def scale(predictors: Tensor) -> Tensor:
    """Divide each predictor by its standard deviation over the lines; a constant one drops out."""
    deviation = predictors.std(dim=1, keepdim=True)
    return torch.where(deviation > 0, predictors / deviation, 0.0)


def predictor_weights(scaled: Tensor, outcome: Tensor) -> Tensor:
    """Search the weights (k,), summing to 1, for the best fit of the outcome."""
    even = scaled.new_full((len(scaled),), 1 / len(scaled))

    def loss(weight: Tensor) -> float:
        positive = weight.abs() / weight.abs().sum()
        return float(_miss(outcome, nearest(scaled, positive)))

    found = [_by_slopes(scaled, outcome, even), _without_slopes(loss, even)]
    best = min(found, key=loss).abs()
    return best / best.sum()


def nearest(scaled: Tensor, weight: Tensor) -> Tensor:
    """Mixture (c,) of the controls with the nearest weighted predictors."""
    seen = scaled * weight.sqrt()[:, None]
    return simplex.nearest(seen[:, 1:], seen[:, 0], 0.0)


def _miss(outcome: Tensor, mixed: Tensor) -> Tensor:
    """Mean squared distance of the treated line's outcome from the mixture's."""
    return (outcome[:, 0] - outcome[:, 1:] @ mixed).square().mean()


def _by_slopes(scaled: Tensor, outcome: Tensor, start: Tensor) -> Tensor:
    """Descend along the slope of the loss: the mixture is smooth while its lines stay the same."""
    logs = start.log().requires_grad_()
    steps = torch.optim.Adam([logs], lr=STRIDE)
    best, lowest = start, torch.inf
    for _ in range(STEPS):
        steps.zero_grad()
        weight = torch.softmax(logs, dim=0)
        chosen = torch.nonzero(nearest(scaled, weight.detach()))[:, 0]
        mixed = _smooth(scaled * weight.sqrt()[:, None], chosen)
        loss = _miss(outcome[:, torch.cat([chosen.new_zeros(1), 1 + chosen])], mixed)
        if loss.item() < lowest:
            best, lowest = weight.detach(), loss.item()
        loss.backward()  # type: ignore[no-untyped-call]
        steps.step()
    return best


def _smooth(seen: Tensor, chosen: Tensor) -> Tensor:
    """Solve for the mixture of the chosen controls, so that its slopes are known."""
    away = seen[:, 1 + chosen] - seen[:, :1]
    gram, one = away.T @ away, seen.new_ones(len(chosen), 1)
    ridge = 1e-12 * gram.detach().diagonal().max() * torch.eye(len(chosen), dtype=seen.dtype)
    bent: Tensor = torch.linalg.solve(gram + ridge, one)[:, 0]
    return bent / bent.sum()


def _without_slopes(loss: Callable[[Tensor], float], start: Tensor) -> Tensor:
    """Walk a simplex of k + 1 corners downhill: turn the worst over, stretch, shrink."""
    corners = [start] + [start * (1 + 0.05 * unit) for unit in torch.eye(len(start)).to(start)]
    heights = [loss(corner) for corner in corners]
    for step in range(STEPS * 2):
        order = sorted(range(len(corners)), key=heights.__getitem__)
        corners, heights = [corners[n] for n in order], [heights[n] for n in order]
        if step > FEWEST and heights[-1] - heights[0] < STILL * abs(heights[0]):
            break
        middle = torch.stack(corners[:-1]).mean(dim=0)
        corner, height = _turned(loss, middle, corners[-1], heights)
        if height < heights[-1]:
            corners[-1], heights[-1] = corner, height
            continue
        corners = [corners[0]] + [(corners[0] + other) / 2 for other in corners[1:]]
        heights = [heights[0]] + [loss(other) for other in corners[1:]]
    lowest: Tensor = corners[min(range(len(corners)), key=heights.__getitem__)]
    return lowest


def _turned(
    loss: Callable[[Tensor], float], middle: Tensor, worst: Tensor, heights: list[float]
) -> tuple[Tensor, float]:
    """Try the other side of the middle, farther if that is best, nearer if it is worst."""
    turned = 2 * middle - worst
    height = loss(turned)
    if height < heights[0]:
        far = 3 * middle - 2 * worst
        farther = loss(far)
        return (far, farther) if farther < height else (turned, height)
    if height < heights[-2]:
        return turned, height
    near = (middle + (turned if height < heights[-1] else worst)) / 2
    nearer = loss(near)
    return (near, nearer) if nearer < height else (turned, height)
