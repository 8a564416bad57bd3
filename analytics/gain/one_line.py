"""The gain of one upgraded line, compared with the mixture of other lines that resembles it most.

1. adjust     covariates out, as for many lines              baseline.py
2. mixture    synthetic difference-in-differences            synthetic.py, simplex.py
3. placebos   the same for each line that was never upgraded, as if it had been; how far these
              fall from no effect, in units of the noise of each line and its mixture, makes the
              error of the upgraded one
4. gate       the same at a date before the upgrade          must show nothing

References: the placebo variance of Arkhangelsky et al. (2021), algorithm 4; the placebo in time
after Abadie, Diamond and Hainmueller (2015).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow.compute as pc
import torch
from torch import Tensor

from analytics.gain import baseline, contrasts, design, gates, outliers, statement, synthetic
from analytics.gain.estimate import CONTROLS_TO_COMPARE, one_thread
from contracts.errors import DataError
from contracts.panel import Panel, Upgrades

if TYPE_CHECKING:
    from analytics.gain.contrasts import Contrasts
    from analytics.gain.design import Grid
    from contracts.outcome import Gain, Verdict

PLACEBOS_MAX = 100  # a spread of so many is known to 7 %; each costs a search for weights
DONORS_MAX = 200  # lines that a mixture is made of: the search takes their number cubed
FEW_PLACEBOS = 10  # so many different errors cannot show one that happens once in ten times
PART_LATE = 3  # the last third before the upgrade plays "after" in the placebo in time


@dataclass(frozen=True)
class Paths:
    """What is left of all lines without covariates, with the windows to compare."""

    rest: Tensor  # (2, n, T)
    seen: Tensor  # (n, T) bool
    noise: Tensor  # (2, n) innovation variance
    before: Tensor  # (T,) bool
    after: Tensor  # (T,) bool

    def at(self, line: int) -> tuple[Tensor, Tensor]:
        """Give the periods of both windows in which a line was seen, (T,) bool."""
        return self.before & self.seen[line], self.after & self.seen[line]


def fit_one(
    panel: Panel, upgrades: Upgrades, *, level: float = 0.9, ramp: int = 0, anticipation: int = 0
) -> Gain:
    """Estimate the gain of the only upgraded line, as analytics.gain.fit does of many.

    Raise DataError as that does, and for any other number of upgraded lines, or fewer than two
    lines to compare with.
    """
    statement.require(level=level, ramp=ramp, anticipation=anticipation)
    with one_thread():
        grid, notes = design.build(panel, upgrades, ramp=ramp, anticipation=anticipation)
        line = _the_line(grid)
        grid, base, far = outliers.leave_out(grid, has_periods=True)
        paths = _paths(grid, line, baseline.residuals(base, grid.y, grid.x, grid.seen))
        donors = _donors(grid, paths)
        found, mixed = compare(paths, line, donors)
        verdict, reasons = _judge(paths, line, donors)
        if len(donors) < FEW_PLACEBOS:
            reasons.append(f"the interval rests on the errors of {len(donors)} other lines alone")
        notes = [*reasons, *far, *notes, _mixture_in_words(grid, donors, mixed)]
        return statement.state(found, grid.lines, level, verdict, notes)


def alone(panel: Panel, upgrades: Upgrades, line: str) -> tuple[Panel, Upgrades]:
    """Leave out every upgraded line but this one; raise DataError where it is not upgraded."""
    others = [name for name in upgrades.table["line"].to_pylist() if name != line]
    if len(others) == upgrades.table.num_rows:
        raise DataError(f"the line {line!r} is not among the upgrades: name one that is")
    kept = panel.table.filter(~pc.field("line").isin(others))
    return Panel(kept), Upgrades(upgrades.table.filter(pc.field("line") == line))


def compare(paths: Paths, line: int, donors: list[int]) -> tuple[Contrasts, Tensor]:
    """Contrast the line with its mixture; return that and the mixture's weights (2, donors)."""
    found = [_effect(paths, k, line, donors) for k in (0, 1)]
    step = -(-len(donors) // PLACEBOS_MAX)
    placebos = torch.tensor(
        [
            [_effect(paths, k, one, [d for d in donors if d != one])[0] for k in (0, 1)]
            for one in donors[::step]
        ],
        dtype=torch.float64,
    )  # (placebos, 2), in units of their noise
    unit = placebos.square().mean(dim=0)
    size = placebos.square().sum(dim=0).prod().sqrt()
    scale = torch.tensor([one[1] for one in found], dtype=torch.float64)
    value = torch.tensor([one[0] for one in found], dtype=torch.float64) * scale
    contrast = contrasts.Contrasts(
        line=torch.tensor([line]),
        value=value[:, None],
        own=(unit * scale.square())[:, None].clamp(min=contrasts.TINY),
        shared=torch.zeros(2, 1, 1, dtype=torch.float64),
        freedom=len(placebos) - 1,
        correlation=float(placebos.prod(dim=1).sum() / size) if size > 0 else 0.0,
    )
    return contrast, torch.stack([one[2] for one in found])


def _effect(
    paths: Paths, outcome: int, line: int, donors: list[int]
) -> tuple[float, float, Tensor]:
    """Give a line's effect in units of its noise, that unit, and the weights of its donors."""
    before, after = paths.at(line)
    rows = paths.rest[outcome, [line, *donors]]
    mixed = synthetic.estimate(synthetic.Block(rows[:, before], rows[:, after]))
    noise = paths.noise[outcome]
    scale = float(noise[line] + (mixed.unit.square() * noise[donors]).sum()) ** 0.5
    return mixed.effect / scale, scale, mixed.unit


def _the_line(grid: Grid) -> int:
    count = int(grid.is_upgraded.sum())
    if count != 1:
        raise DataError(
            f"{count} lines were upgraded, and a mixture is for one: name it, or use the method"
            " for many"
        )
    return int(grid.programme[0])


def _paths(grid: Grid, line: int, rest: Tensor) -> Paths:
    """Take the upgraded line's windows; what is not seen of a line is as if it moved as all do."""
    noise = contrasts.innovation_variance(rest, grid.before, grid.after)
    return Paths(rest, grid.seen, noise, grid.before[line], grid.after[line])


def _donors(grid: Grid, paths: Paths) -> list[int]:
    """Give the numbers of the controls that are seen in half of each window or more."""
    controls = grid.controls
    share = torch.stack(
        [
            (grid.seen[controls] & window).sum(dim=1) / window.sum()
            for window in (paths.before, paths.after)
        ]
    )
    usable = controls[(share >= contrasts.SHARE_MIN).all(dim=0)].tolist()
    if len(usable) <= CONTROLS_TO_COMPARE:
        raise DataError(
            f"{len(usable)} lines without upgrade were seen beside the upgraded one, and a mixture"
            f" with its placebos takes {CONTROLS_TO_COMPARE + 1}: give more, or use the method for"
            " many"
        )
    step = -(-len(usable) // DONORS_MAX)
    return usable[::step]


def _judge(paths: Paths, line: int, donors: list[int]) -> tuple[Verdict, list[str]]:
    """Ask for enough controls and for no effect at a date before the upgrade."""
    failed = gates.too_few(len(donors)) or _in_time(paths, line, donors)
    if not failed:
        return "causal", []
    return "before_after", [f"before/after, not causal: {words}" for words in failed]


def _in_time(paths: Paths, line: int, donors: list[int]) -> list[str]:
    """Name the outcomes that left the mixture in the last third before the upgrade already."""
    periods = torch.nonzero(paths.before)[:, 0]
    if len(periods) < gates.PERIODS_MIN:
        few = f"the line has fewer than {gates.PERIODS_MIN} periods before its upgrade"
        return [f"{few} to check its mixture"]
    cut = periods[-(len(periods) // PART_LATE)]
    is_late = torch.arange(len(paths.before)) >= cut
    earlier = Paths(
        paths.rest, paths.seen, paths.noise, paths.before & ~is_late, paths.before & is_late
    )
    chances = gates.chances_of(compare(earlier, line, donors)[0]).tolist()
    return [
        f"before the upgrade the {outcome} had already left every mixture of the other lines"
        for outcome, chance in zip(gates.OUTCOMES, chances, strict=True)
        if chance < gates.FALSE_ALARM / len(chances)
    ]


def _mixture_in_words(grid: Grid, donors: list[int], mixed: Tensor) -> str:
    """Name the lines that the output was compared with, the heaviest first."""
    weight = mixed[0]
    order = weight.argsort(descending=True)[: int((weight > 0).sum())].tolist()
    names = [f"{grid.lines[donors[n]]} {float(weight[n]):.0%}" for n in order]
    return f"the output is compared with a mixture: {design.listed(names)}"
