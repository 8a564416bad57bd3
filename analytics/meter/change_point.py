"""The change-point model of a meter: what a day uses at a temperature.

    usage = base + heating * max(0, b - T) + cooling * max(0, T - c),    b <= c

Balance points are searched over a grid and then between its points; for given ones the rest is
least squares. Which slopes are in the model (1, 3 or 5 parameters) the Bayesian information
criterion decides.

References: the change-point models of ASHRAE's inverse modelling toolkit, Kissock, Haberl and
Claridge (2003); PRISM, Fels (1986); the criterion after Schwarz (1978).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

# A kink needs days on its cold and on its warm side; fewer than one in twenty show no slope.
EDGE = 0.05
GRID = 24  # balance points tried between the edges, then between the neighbours of the best
ROUNDS = 4  # each makes the grid finer by 6: after these it is finer than any thermometer
RIDGE = 1e-9  # of the diagonal: kinks that no day tells apart


@dataclass(frozen=True)
class Fitted:
    """A fitted model; what it has no slope for is None."""

    base: float
    heating: tuple[float, float] | None  # slope, balance point
    cooling: tuple[float, float] | None

    @property
    def parameter_count(self) -> int:
        """1, 3 or 5."""
        return 1 + 2 * (self.heating is not None) + 2 * (self.cooling is not None)


def fit(temperature: Tensor, usage: Tensor) -> Fitted:
    """Fit all models to days (n,) and return the one that the criterion prefers.

    A slope below 0 is a model of something else, so such a model does not count.

    >>> t = torch.linspace(-10, 30, 200).double()
    >>> found = fit(t, 20 + 2 * torch.relu(15 - t) + 0.1 * torch.sin(t.square()))
    >>> round(found.base), [round(one) for one in found.heating], found.cooling
    (20, [2, 15], None)
    """
    shapes = [(), ("heating",), ("cooling",), ("heating", "cooling")]
    models = [_best(temperature, usage, shape) for shape in shapes]
    sound = [model for model in models if _slopes_are_positive(model)]
    return min(sound, key=lambda model: criterion(model, temperature, usage))


def predict(model: Fitted, temperature: Tensor) -> Tensor:
    """Give the usage of days at these temperatures.

    >>> predict(Fitted(5.0, (2.0, 10.0), None), torch.tensor([4.0, 20.0])).tolist()
    [17.0, 5.0]
    """
    usage = torch.full_like(temperature, model.base)
    if model.heating:
        usage = usage + model.heating[0] * torch.relu(model.heating[1] - temperature)
    if model.cooling:
        usage = usage + model.cooling[0] * torch.relu(temperature - model.cooling[1])
    return usage


def slopes(model: Fitted, temperature: Tensor) -> Tensor:
    """Give the derivatives (n, parameters) of what is predicted, by each parameter."""
    columns = [torch.ones_like(temperature)]
    if model.heating:
        slope, point = model.heating
        columns += [torch.relu(point - temperature), slope * (temperature < point)]
    if model.cooling:
        slope, point = model.cooling
        columns += [torch.relu(temperature - point), -slope * (temperature > point)]
    return torch.stack([column.double() for column in columns], dim=1)


def criterion(model: Fitted, temperature: Tensor, usage: Tensor) -> float:
    """Add up n log(mean squared residual) + parameters log n: the lower, the better."""
    count = len(usage)
    square = float((usage - predict(model, temperature)).square().mean())
    return count * log(max(square, 1e-300)) + model.parameter_count * log(count)


def _slopes_are_positive(model: Fitted) -> bool:
    return all(part is None or part[0] > 0 for part in (model.heating, model.cooling))


def _best(temperature: Tensor, usage: Tensor, shape: tuple[str, ...]) -> Fitted:
    """Search the balance points of one shape."""
    if not shape:
        return Fitted(float(usage.mean()), None, None)
    low, high = temperature.quantile(torch.tensor([EDGE, 1 - EDGE]).to(temperature)).tolist()
    spans = [(low, high)] * len(shape)
    for _ in range(ROUNDS):
        axes = [torch.linspace(a, b, GRID, dtype=torch.float64) for a, b in spans]
        points = torch.cartesian_prod(*axes).reshape(-1, len(shape))
        points = points[points[:, 0] <= points[:, -1]]
        solved, miss = _solve(temperature, usage, points, shape)
        at = int(miss.argmin())
        step = [2 * (b - a) / (GRID - 1) for a, b in spans]
        spans = [
            (max(low, float(point) - one), min(high, float(point) + one))
            for point, one in zip(points[at], step, strict=True)
        ]
    parts = {name: (float(solved[at, 1 + n]), float(points[at, n])) for n, name in enumerate(shape)}
    return Fitted(float(solved[at, 0]), parts.get("heating"), parts.get("cooling"))


def _solve(
    temperature: Tensor, usage: Tensor, points: Tensor, shape: tuple[str, ...]
) -> tuple[Tensor, Tensor]:
    """Solve at every row of balance points (g, k); coefficients (g, 1 + k), misfit (g,)."""
    sides = {"heating": -1.0, "cooling": 1.0}
    hinges = [
        torch.relu(sides[name] * (temperature - points[:, n : n + 1]))
        for n, name in enumerate(shape)
    ]
    x = torch.stack([torch.ones_like(hinges[0]), *hinges], dim=2)  # (g, n, 1 + k)
    normal = x.transpose(1, 2) @ x
    normal = normal + torch.diag_embed(RIDGE * normal.diagonal(dim1=1, dim2=2) + 1e-12)
    right = (x * usage[:, None]).sum(dim=1)
    solved = torch.linalg.solve(normal, right)  # (g, 1 + k)
    rest = usage - (x @ solved[:, :, None])[:, :, 0]
    return solved, rest.square().sum(dim=1)
