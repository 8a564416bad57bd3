"""A closer look at a gain: its course since the upgrade, and placebos where there should be none.

Everything is compared with the lines that were never upgraded alone, so that what is seen before
an upgrade is not pressed to 0 by the baseline; a wave that lines follow unequally is kept out as it
is of the gain.

References: event studies of effects by time since treatment; placebos over lines and in time as
in Abadie, Diamond and Hainmueller (2015).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from analytics.gain import baseline, contrasts, design, effects, gates, outliers, statement, waves
from analytics.gain.estimate import CONTROLS_TO_COMPARE, fit, one_thread
from contracts.closer import Anticipated, CloserLook, Placebo, Since
from contracts.errors import DataError
from contracts.outcome import Interval

if TYPE_CHECKING:
    from torch import Tensor

    from analytics.gain.baseline import Baseline
    from analytics.gain.contrasts import Contrasts, Weights
    from analytics.gain.design import Grid
    from contracts.panel import Panel, Upgrades

STEPS_MAX = 40  # points of a course that a page can show; longer ones are in steps of some periods
MORE_LEFT_OUT = (0, 2, 4, 8)  # periods before the upgrade beyond those that were asked for


def look_closer(
    panel: Panel, upgrades: Upgrades, *, level: float = 0.9, ramp: int = 0, anticipation: int = 0
) -> CloserLook:
    """Look where the gain of these tables should be and where it should not.

    The options are those of analytics.gain.fit. Raise DataError as that does, and for fewer than
    two lines without upgrade, which show nothing.
    """
    statement.require(level=level, ramp=ramp, anticipation=anticipation)
    with one_thread():
        grid, _ = design.build(panel, upgrades, ramp=ramp, anticipation=anticipation)
        if len(grid.controls) < CONTROLS_TO_COMPARE:
            raise DataError(
                f"{len(grid.controls)} lines without upgrade: a closer look compares with two or"
                " more"
            )
        grid, _, _ = outliers.leave_out(grid, has_periods=True)
        used = grid.before & ~grid.is_upgraded[:, None]
        looked = _Seen(grid, baseline.two_way(grid.y, grid.x, used), waves.common(grid))
        return CloserLook(
            course=tuple(_course(looked, ramp, level)),
            in_time=_in_time(looked, level),
            placebos=tuple(_placebos(looked)),
            anticipations=tuple(
                _anticipations(panel, upgrades, (level, ramp, anticipation)),
            ),
            level=level,
        )


class _Seen(NamedTuple):
    """Lines, what those never upgraded show of them, and the waves (T, r) that they follow."""

    grid: Grid
    base: Baseline
    wave: Tensor

    def without_wave(self, every: Weights, may_change: Tensor) -> tuple[Weights, int]:
        """Balance contrasts by the cells (m, T) that may change, as the gain's are; how many waves.

        Where these cells hardly show the wave, it is left in.
        """
        balanced = waves.balanced(every, self.wave, may_change)
        if waves.price(every, balanced) > waves.PRICE_MAX:
            return every, 0
        return balanced, self.wave.shape[1]


def as_details(look: CloserLook) -> dict[str, Any]:
    """Write a closer look as the JSON object `details` of the command `gain`."""
    answer = asdict(look)
    if look.in_time is not None:
        alpha, beta = answer["in_time"]
        answer["in_time"] = {"alpha": alpha, "beta": beta}
    return answer | {name: list(answer[name]) for name in ("course", "placebos", "anticipations")}


def _course(looked: _Seen, ramp: int, level: float) -> list[Since]:
    """Compare each step since the upgrade with the periods before, itself left out."""
    grid = looked.grid
    line = grid.programme
    start = grid.after_start[line] - ramp  # (m,) the first period after the upgrade
    since = torch.arange(len(grid.periods)) - start[:, None]  # (m, T)
    seen, before = grid.seen[line], grid.before[line]
    first, last = int(since[seen].min()), int(since[seen].max())
    width = -(-(last - first + 1) // STEPS_MAX)
    steps = []
    for begin in range(first - first % width, last + 1, width):
        inside = seen & (since >= begin) & (since < begin + width)
        reference = before & ~inside
        has_both = inside.any(dim=1) & reference.any(dim=1)
        every = contrasts.weights_of(line, inside.double(), reference.double()).kept(has_both)
        found = _found(looked, every, reference[has_both])
        if found is not None:
            alpha, beta = _mean(found, level)
            count = found.value.shape[1]
            steps.append(Since(max(begin, first), min(begin + width - 1, last), alpha, beta, count))
    return steps


def _in_time(looked: _Seen, level: float) -> tuple[Interval, Interval] | None:
    """Compare the last quarter before the upgrades with the rest; None where there is none."""
    grid = looked.grid
    line = grid.programme
    line = line[grid.before[line].sum(dim=1) >= gates.PERIODS_MIN]
    found = _found(looked, gates.eve(grid, line), grid.before[line]) if len(line) else None
    return None if found is None else _mean(found, level)


def _found(looked: _Seen, every: Weights, may_change: Tensor) -> Contrasts | None:
    if not len(every.line):
        return None
    grid, base, _ = looked
    every, went = looked.without_wave(every, may_change)
    weights = every.kept(contrasts.comparable(grid, base, every, grid.controls))
    if not len(weights.line):
        return None
    return contrasts.measure(grid, base, weights, grid.controls, lost=1 + went)


def _mean(found: Contrasts, level: float) -> tuple[Interval, Interval]:
    """State the mean of contrasts as alpha and beta with intervals of Student's t."""
    half = effects.student(level, found.freedom) * contrasts.mean_error(found)
    middle = found.value.mean(dim=1)
    logs = torch.stack([middle - half, middle, middle + half], dim=1)  # (2, 3)
    return statement.alpha_of(logs[0]), statement.beta_of(logs[1])


def _placebos(looked: _Seen) -> list[Placebo]:
    """Apply the programme's mean contrast to each control, as the others see it."""
    grid, base, _ = looked
    plain = contrasts.after_less_before(grid)
    weights, _ = looked.without_wave(plain, grid.before[plain.line])
    rest = baseline.residuals(base, grid.y, grid.x, grid.seen)
    controls = grid.controls
    cells = grid.seen[controls].double()  # (c, T)
    value, is_valid = torch.zeros(2, len(controls)).double(), torch.ones(len(controls)).bool()
    for sign, part in ((1, weights.plus.mean(dim=0)), (-1, weights.minus.mean(dim=0))):
        share = cells @ part
        value += sign * (rest[:, controls] @ part) / share.clamp(min=contrasts.TINY)
        is_valid &= share >= contrasts.SHARE_MIN
    # a control is in the mean that it is compared with; without it, it would be this much farther
    value *= len(controls) / (len(controls) - 1)
    return [
        Placebo(grid.lines[number], float(alpha), -float(cost))
        for number, alpha, cost, valid in zip(
            controls.tolist(), value[0].exp(), value[1].expm1(), is_valid, strict=True
        )
        if valid
    ]


def _anticipations(
    panel: Panel, upgrades: Upgrades, asked: tuple[float, int, int]
) -> list[Anticipated]:
    """Fit again with more left out before the upgrades, as long as periods remain."""
    level, ramp, anticipation = asked
    found = []
    for more in MORE_LEFT_OUT:
        left_out = anticipation + more
        try:
            gain = fit(panel, upgrades, level=level, ramp=ramp, anticipation=left_out)
        except DataError:
            break
        found.append(Anticipated(left_out, gain.alpha, gain.beta))
    return found
