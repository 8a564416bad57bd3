"""The statement of a gain: draws of effects on logs as alpha and beta with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from analytics.gain import effects
from contracts.errors import DataError
from contracts.outcome import Gain, Interval, LineGain, Verdict

if TYPE_CHECKING:
    from analytics.gain.contrasts import Contrasts
    from analytics.gain.effects import Draws

LINES_TO_GENERALISE = 3  # two effects say next to nothing about how effects differ


def state(
    found: Contrasts,
    names: tuple[str, ...],
    level: float,
    verdict: Verdict,
    warnings: list[str],
) -> Gain:
    """Draw the effects behind the contrasts and state them at this level of the intervals.

    `names` are those of all lines, which found.line numbers.
    """
    at = [(1 - level) / 2, 0.5, (1 + level) / 2]
    output, cost = draws_of(found, at)
    borrowed = torch.maximum(output.borrowed, cost.borrowed).tolist()
    few = "too few upgraded lines to tell how lines differ: next_line is a guess"
    has_few = found.value.shape[1] < LINES_TO_GENERALISE
    return Gain(
        alpha=alpha_of(effects.quantiles(output.programme, at)),
        beta=beta_of(effects.quantiles(cost.programme, at)),
        lines=tuple(
            LineGain(names[number], alpha_of(output.line[n]), beta_of(cost.line[n]), borrowed[n])
            for n, number in enumerate(found.line.tolist())
        ),
        next_line=(
            alpha_of(effects.quantiles(output.next_line, at)),
            beta_of(effects.quantiles(cost.next_line, at)),
        ),
        level=level,
        verdict=verdict,
        warnings=(*warnings, few) if has_few else tuple(warnings),
        draws=torch.stack([output.programme, cost.programme], dim=1).numpy(),
        next_draws=torch.stack([output.next_line, cost.next_line], dim=1).numpy(),
    )


def as_answer(gain: Gain) -> dict[str, Any]:
    """Write a gain as the JSON object of the command `gain`."""
    alpha, beta = gain.next_line
    return {
        "alpha": _numbers(gain.alpha),
        "beta": _numbers(gain.beta),
        "lines": [
            {
                "line": line.line,
                "alpha": _numbers(line.alpha),
                "beta": _numbers(line.beta),
                "borrowed": line.borrowed,
            }
            for line in gain.lines
        ],
        "next_line": {"alpha": _numbers(alpha), "beta": _numbers(beta)},
        "level": gain.level,
        "verdict": gain.verdict,
        "warnings": list(gain.warnings),
    }


def require(*, level: float, ramp: int, anticipation: int) -> None:
    """Raise DataError for a level that is no share, or a negative number of periods."""
    if not 0 < level < 1:
        raise DataError(f"the level is {level:g}: give one between 0 and 1, such as 0.9")
    for name, periods in (("ramp", ramp), ("anticipation", anticipation)):
        if periods < 0:
            raise DataError(f"the {name} is {periods} periods: give 0 or more")


def draws_of(found: Contrasts, at: list[float]) -> tuple[Draws, Draws]:
    """Draw the effects on output and on cost jointly: the same errors, correlated as measured."""
    chances = effects.even_chances(6)
    first, second = torch.special.ndtri(chances[:, 2]), torch.special.ndtri(chances[:, 5])
    rho = found.correlation
    joined = torch.special.ndtr(rho * first + max(1 - rho**2, 0.0) ** 0.5 * second)
    own = (chances[:, :3], torch.stack([chances[:, 3], chances[:, 4], joined], dim=1))
    output, cost = (
        effects.draw(
            effects.population(found.value[k], found.own[k], found.shared[k]),
            found.freedom,
            own[k],
            at,
        )
        for k in (0, 1)
    )
    return output, cost


def alpha_of(logs: Tensor) -> Interval:
    """Turn quantiles (low, middle, high) of the effect on log output into alpha."""
    low, middle, high = logs.exp().tolist()
    return Interval(middle, low, high)


def beta_of(logs: Tensor) -> Interval:
    """Turn quantiles of the effect on log cost into beta: the highest cost is the lowest beta."""
    high, middle, low = (-logs.expm1()).tolist()
    return Interval(middle, low, high)


def _numbers(interval: Interval) -> dict[str, float]:
    return {"estimate": interval.estimate, "low": interval.low, "high": interval.high}
