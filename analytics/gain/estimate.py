"""What an upgrade gained: alpha and beta of a programme, of each line and of the next line.

1. baseline   lines, periods and covariates, fitted where no upgrade has acted   baseline.py
2. contrasts  what is left after the upgrade less before, with measured errors   contrasts.py
3. effects    the population that the lines' effects come from, and its draws    effects.py
4. gates      whether the word "causal" is deserved                              gates.py

Outcomes are the logs of good output and of variable cost per good unit, so that alpha is
exp(effect on output) and beta is 1 - exp(effect on cost).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from analytics.gain import before_after, contrasts, design, effects, gates, outliers
from contracts.errors import DataError
from contracts.outcome import Gain, Interval, LineGain, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analytics.gain.contrasts import Contrasts
    from analytics.gain.design import Grid
    from analytics.gain.effects import Draws
    from contracts.panel import Panel, Upgrades

CONTROLS_TO_COMPARE = 2  # one control cannot tell its noise from what moved all lines
SMALL_ROWS = 100_000  # the fit takes about a tenth of a second on one thread
LINES_TO_GENERALISE = 3  # two effects say next to nothing about how effects differ


def fit(
    panel: Panel, upgrades: Upgrades, *, level: float = 0.9, ramp: int = 0, anticipation: int = 0
) -> Gain:
    """Estimate the gain of an upgrade with intervals of the given level.

    `ramp` periods after each upgrade and `anticipation` periods before it are left out.
    Deterministic. Raise DataError, in one line, where the panel or the upgrades make no sense.
    """
    _require(level=level, ramp=ramp, anticipation=anticipation)
    at = [(1 - level) / 2, 0.5, (1 + level) / 2]
    with _threads(panel.table.num_rows):
        grid, notes = design.build(panel, upgrades, ramp=ramp, anticipation=anticipation)
        found, verdict, reasons = _compare(grid)
        output, cost = _draws(found, at)
    if found.value.shape[1] < LINES_TO_GENERALISE:
        notes.append("too few upgraded lines to tell how lines differ: next_line is a guess")
    return Gain(
        alpha=_alpha(effects.quantiles(output.programme, at)),
        beta=_beta(effects.quantiles(cost.programme, at)),
        lines=tuple(
            LineGain(grid.lines[number], _alpha(output.line[n]), _beta(cost.line[n]))
            for n, number in enumerate(found.line.tolist())
        ),
        next_line=(
            _alpha(effects.quantiles(output.next_line, at)),
            _beta(effects.quantiles(cost.next_line, at)),
        ),
        level=level,
        verdict=verdict,
        warnings=tuple(reasons + notes),
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
            {"line": line.line, "alpha": _numbers(line.alpha), "beta": _numbers(line.beta)}
            for line in gain.lines
        ],
        "next_line": {"alpha": _numbers(alpha), "beta": _numbers(beta)},
        "level": gain.level,
        "verdict": gain.verdict,
        "warnings": list(gain.warnings),
    }


def _require(*, level: float, ramp: int, anticipation: int) -> None:
    if not 0 < level < 1:
        raise DataError(f"the level is {level:g}: give one between 0 and 1, such as 0.9")
    for name, periods in (("ramp", ramp), ("anticipation", anticipation)):
        if periods < 0:
            raise DataError(f"the {name} is {periods} periods: give 0 or more")


@contextmanager
def _threads(row_count: int) -> Iterator[None]:
    """Work on one thread if that is quicker: small matrices wait for threads more than they gain.

    Sums in one order also make the answer the same to the last bit whatever the machine.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1 if row_count < SMALL_ROWS else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _compare(grid: Grid) -> tuple[Contrasts, Verdict, list[str]]:
    """Contrast every upgraded line, with controls if there are any to speak of; ask the gates."""
    has_controls = len(grid.controls) >= CONTROLS_TO_COMPARE
    grid, base, notes = outliers.leave_out(grid, has_periods=has_controls)
    weights = contrasts.after_less_before(grid)
    if not has_controls:
        found = before_after.measure(grid, base, weights)
        verdict, reasons = gates.judge(grid, len(grid.controls))
        return found, verdict, [*reasons, before_after.WORDS, *notes]
    is_comparable = contrasts.comparable(grid, base, weights, grid.controls)
    lost = [grid.lines[n] for n in weights.line[~is_comparable].tolist()]
    if len(lost) == len(weights.line):
        raise DataError(
            "no upgraded line was seen in the same periods as the lines without upgrade:"
            " give a panel in which they overlap, before and after"
        )
    if lost:
        notes.append(
            f"too few lines seen in the same periods to compare with: {design.listed(lost)}"
        )
    found = contrasts.measure(grid, base, weights.kept(is_comparable), grid.controls)
    verdict, reasons = gates.judge(grid, found.freedom + 1)
    return found, verdict, reasons + notes


def _draws(found: Contrasts, at: list[float]) -> tuple[Draws, Draws]:
    """Draw the effects on output and on cost jointly: the same errors, correlated as measured."""
    chances = effects.even_chances(6)
    first, second = torch.special.ndtri(chances[:, 2]), torch.special.ndtri(chances[:, 5])
    rho = found.correlation
    joined = torch.special.ndtr(rho * first + (1 - rho**2) ** 0.5 * second)
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


def _alpha(logs: Tensor) -> Interval:
    """Turn quantiles (low, middle, high) of the effect on log output into alpha."""
    low, middle, high = logs.exp().tolist()
    return Interval(middle, low, high)


def _beta(logs: Tensor) -> Interval:
    """Turn quantiles of the effect on log cost into beta: the highest cost is the lowest beta."""
    high, middle, low = (-logs.expm1()).tolist()
    return Interval(middle, low, high)


def _numbers(interval: Interval) -> dict[str, float]:
    return {"estimate": interval.estimate, "low": interval.low, "high": interval.high}
