"""One treated line against a mixture of others: synthetic difference-in-differences.

    effect = (after - time before)(treated) - sum of unit_i (after - time before)(control_i)

The unit weights make a mixture of controls that runs alongside the treated line before; the time
weights make a mixture of periods before that resembles the periods after. Two special cases:
plain difference-in-differences weighs all alike, synthetic control has no before.

Reference: Arkhangelsky, Athey, Hirshberg, Imbens and Wager, "Synthetic difference-in-differences"
(2021), algorithm 1; synthetic control after Abadie, Diamond and Hainmueller (2010).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from analytics.gain import simplex

if TYPE_CHECKING:
    from collections.abc import Callable

    Solve = Callable[[Tensor, Tensor, float], Tensor]

Method = Literal["synthetic_did", "synthetic_control", "did"]
BARE = 1e-6  # of the noise: a ridge that only makes weights unique
EARLY = 1e-5  # of the noise: where the published arithmetic stops


@dataclass(frozen=True)
class Block:
    """One outcome, complete: row 0 is the treated line, the others are controls."""

    before: Tensor  # (1 + c, T0)
    after: Tensor  # (1 + c, T1)


@dataclass(frozen=True)
class Mixture:
    """An effect, in the unit of the outcome, with the weights that it rests on."""

    effect: float
    unit: Tensor  # (c,) of the controls, summing to 1
    time: Tensor  # (T0,) of the periods before, summing to 1, or all 0


def estimate(block: Block, method: Method = "synthetic_did", *, is_early: bool = False) -> Mixture:
    """Estimate the treated line's mean effect over the periods after.

    `is_early` stops the search for weights where the published figures do; otherwise it is exact.

    >>> before, after = torch.tensor([[1.0, 2], [3, 5]]), torch.tensor([[9.0], [6]])
    >>> estimate(Block(before.double(), after.double()), "did").effect  # 9 - 1.5 - (6 - 4)
    5.5
    """
    noise = noise_of(block)
    solve: Solve = simplex.nearest
    if is_early:
        solve = partial(simplex.frank_wolfe, stop=EARLY * noise)
    unit, time = _weights(block, method, noise, solve)
    rise = block.after.mean(dim=1) - block.before @ time  # (1 + c,)
    return Mixture(float(rise[0] - unit @ rise[1:]), unit, time)


def noise_of(block: Block) -> float:
    """Give the standard deviation of the controls' steps from one period before to the next."""
    steps = torch.diff(block.before[1:], dim=1)
    return float(steps.std()) if steps.numel() > 1 else 0.0


def _weights(block: Block, method: Method, noise: float, solve: Solve) -> tuple[Tensor, Tensor]:
    count, width = block.before.shape
    even = block.before.new_full((count - 1,), 1 / (count - 1))
    if method == "did":
        return even, block.before.new_full((width,), 1 / width)
    if method == "synthetic_control":
        ridge = (BARE * noise) ** 2 * width
        return solve(block.before[1:].T, block.before[0], ridge), block.before.new_zeros(width)
    # the ridge of the paper: weights as even as the noise of the mean over the periods after asks
    ridge = block.after.shape[1] ** 0.5 * noise**2 * width
    level = block.before - block.before.mean(dim=1, keepdim=True)
    unit = solve(level[1:].T, level[0], ridge)
    past, goal = block.before[1:], block.after[1:].mean(dim=1)  # (c, T0), (c,)
    time = solve(past - past.mean(dim=0), goal - goal.mean(), (BARE * noise) ** 2 * (count - 1))
    return unit, time
