"""What it is worth to wait and learn before a roll-out is decided.

Let theta = log alpha, log(1 - beta) of a line that is not upgraded yet:

    theta = mu + epsilon     mu ~ N(m, V): what the upgrade does on average, not well known yet
                             epsilon ~ N(0, S): how lines differ; no waiting tells it

V + S is the spread of the next line's draws. That of the programme's draws, E, is the error of
the mean over the m upgraded lines, so V = E + S / m, and both follow. Waiting shrinks V to V'. Seen
from today, the mean that will then be known is m + shift with shift ~ N(0, V - V'); for each shift
the best roll-out is chosen anew and valued. The mean over the shifts, discounted by the wait, is
what waiting brings ("preposterior analysis").

Errors are taken to shrink as those of independent periods do, E' = E (1/t' + 1/b) / (1/t + 1/b)
with b periods before and t, t' after, and a pilot of k lines to have E m / k at its own t. Memory
makes them shrink more slowly, so this is the most that waiting can be worth.

Reference: Raiffa and Schlaifer (1961), chapter 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from analytics.plan.knapsack import choose
from analytics.plan.rollout import Candidate, npv_of, tamed
from contracts.decision import Waiting

if TYPE_CHECKING:
    from contracts.outcome import Gain

SHIFTS = 256  # what may be learned: quasi-random, so the mean is sure to about a hundredth
LINES = 128  # how a line may differ: NPV is nearly straight in the logs, so few points do
LEAST = 1e-12  # variance of a millionth: nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """What is waited for: periods, and lines that are upgraded now to learn from.

    `before`, `after`: periods that the upgraded lines were seen so far, on average; `more`: those
    to come; `years`: the same in years. `pilots`: names of candidates that are upgraded at once.
    """

    before: float
    after: float
    more: float
    years: float
    pilots: tuple[str, ...] = ()


def value_of_waiting(
    candidates: Sequence[Candidate],
    gain: Gain,
    learning: Learning,
    *,
    budget: float | None = None,
) -> Waiting:
    """Compare the best roll-out of today with the best after waiting; all in today's money.

    The investment and all that it earns are put off by the wait; of pilots they are not.
    """
    middle, spread, unknown = _beliefs(gain)
    still = _after(unknown, spread, gain, learning)
    seen = _worths(candidates, middle, unknown - still, still + spread)  # (SHIFTS, lines)
    known = _worths(candidates, middle, unknown, spread)
    costs = [one.economics.investment for one in candidates]
    pilots = [n for n, one in enumerate(candidates) if one.line in learning.pilots]
    others = [n for n in range(len(candidates)) if n not in pilots]
    left = None if budget is None else budget - sum(costs[n] for n in pilots)
    of_others = [costs[n] for n in others]
    later = [_best(row, of_others, left) for row in seen[:, others].tolist()]
    delay = (1 + candidates[0].economics.discount_rate) ** -learning.years
    knowing = [_best(row, costs, budget) for row in known.tolist()]
    ignorant = _best(known.mean(dim=0).tolist(), costs, budget)
    return Waiting(
        years=learning.years,
        pilot_lines=learning.pilots,
        now=_best(seen.mean(dim=0).tolist(), costs, budget),
        later=float(seen[:, pilots].mean(dim=0).sum()) + delay * float(np.mean(later)),
        perfect=max(0.0, float(np.mean(knowing)) - ignorant),  # but for rounding never less
    )


def _beliefs(gain: Gain) -> tuple[Tensor, Tensor, Tensor]:
    """Give the middle (2,), the spread of lines S and what is unknown of the mean V, (2, 2)."""
    following, programme = (tamed(draws) for draws in (gain.next_draws, gain.draws))
    total, error = np.cov(following.T), np.cov(programme.T)
    spread = _positive((total - error) / (1 + 1 / len(gain.lines)))
    unknown = _positive(total - spread)
    return (
        torch.from_numpy(following.mean(axis=0)),
        torch.from_numpy(spread),
        torch.from_numpy(unknown),
    )


def _after(unknown: Tensor, spread: Tensor, gain: Gain, learning: Learning) -> Tensor:
    """Give what will still be unknown of the mean, (2, 2)."""
    count, wait = len(gain.lines), learning
    error = torch.from_numpy(np.cov(tamed(gain.draws).T))
    now = 1 / wait.after + 1 / wait.before
    then = 1 / (wait.after + wait.more) + 1 / wait.before
    left = _psd(unknown - error * (1 - then / now))
    if wait.pilots:
        of_pilots = 1 / max(wait.more, 1.0) + 1 / (wait.before + wait.after)
        seen = spread / len(wait.pilots) + error * (count / len(wait.pilots)) * of_pilots / now
        left = left - left @ torch.linalg.solve(
            left + seen + LEAST * torch.eye(2, dtype=left.dtype), left
        )
    return _psd(left)


def _worths(
    candidates: Sequence[Candidate], middle: Tensor, learned: Tensor, left: Tensor
) -> Tensor:
    """Give the expected NPV of each line for each thing that may be learned, (SHIFTS, lines)."""
    shifts = _normal(SHIFTS, seed=2) @ _root(learned).T
    differ = _normal(LINES, seed=1) @ _root(left).T
    theta = middle + shifts[:, None, :] + differ  # (SHIFTS, LINES, 2)
    flat = theta.reshape(-1, 2)
    # a line at a time: its draws are a megabyte
    worth = [npv_of([one], flat).reshape(SHIFTS, LINES).mean(dim=1) for one in candidates]
    return torch.stack(worth, dim=1)


def _best(values: list[float], costs: list[float], budget: float | None) -> float:
    chosen, _ = choose(values, costs, budget)
    return sum(values[number] for number in chosen)


def _normal(count: int, *, seed: int) -> Tensor:
    """Lay out standard normal points (count, 2), spread evenly, always the same, with mean 0."""
    engine = torch.quasirandom.SobolEngine(  # type: ignore[no-untyped-call]
        2, scramble=True, seed=seed
    )
    half = torch.special.ndtri(engine.draw(count // 2, dtype=torch.float64).clamp(1e-9, 1 - 1e-9))
    return torch.cat([half, -half])


def _positive(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Take the nearest covariance: no direction varies less than nothing."""
    values, vectors = np.linalg.eigh(matrix)
    made: npt.NDArray[np.float64] = (vectors * values.clip(min=0)) @ vectors.T
    return made


def _psd(matrix: Tensor) -> Tensor:
    return torch.from_numpy(_positive(matrix.numpy()))


def _root(matrix: Tensor) -> Tensor:
    """Factor a covariance (2, 2) that may be singular."""
    values, vectors = torch.linalg.eigh(matrix)
    root: Tensor = vectors * values.clamp(min=0).sqrt()
    return root
