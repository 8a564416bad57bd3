"""Panel and upgrades as checked matrices, lines by periods."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from analytics.gain import rows, splines
from contracts.errors import DataError
from contracts.panel import Panel, Upgrades

CELLS_MAX = 20_000_000  # lines x periods: matrices of this size take 160 MB each
PERIODS_MAX = 4_000  # ten years of days: the fit solves a system of this size
NEVER = 1 << 30  # a period later than any panel's last


@dataclass(frozen=True)
class Grid:
    """n lines by T periods; what is not seen is 0 in y and x."""

    lines: tuple[str, ...]
    periods: npt.NDArray[np.datetime64]
    y: Tensor  # (2, n, T) log output, log unit cost
    x: Tensor  # (n, T, p) basis of the covariates
    seen: Tensor  # (n, T) bool: reported and usable
    before_end: Tensor  # (n,) the first period that is no longer surely before the upgrade
    after_start: Tensor  # (n,) the first period in which the effect is complete
    is_upgraded: Tensor  # (n,) bool: upgraded before the panel ends
    site: Tensor  # (n,) number of the site; of the line where no sites are told

    @cached_property
    def before(self) -> Tensor:
        """Cells without any effect, (n, T): before the upgrade, or of a line that has none."""
        return self.seen & (torch.arange(len(self.periods)) < self.before_end[:, None])

    @cached_property
    def after(self) -> Tensor:
        """Cells with the whole effect, (n, T)."""
        late = torch.arange(len(self.periods)) >= self.after_start[:, None]
        return self.seen & late & self.is_upgraded[:, None]

    @property
    def programme(self) -> Tensor:
        """Numbers of the upgraded lines that can be estimated."""
        has_both = self.before.any(dim=1) & self.after.any(dim=1)
        return torch.nonzero(self.is_upgraded & has_both)[:, 0]

    @property
    def controls(self) -> Tensor:
        """Numbers of the lines without an upgrade."""
        return torch.nonzero(~self.is_upgraded & self.before.any(dim=1))[:, 0]

    def without(self, cells: Tensor) -> Grid:
        """Leave out cells (n, T) bool."""
        seen = self.seen & ~cells
        return replace(self, seen=seen, y=self.y * seen, x=self.x * seen[..., None])


class Windows(NamedTuple):
    """Where before ends and after starts, per line."""

    before_end: Tensor
    after_start: Tensor
    is_upgraded: Tensor


def build(
    panel: Panel, upgrades: Upgrades, *, ramp: int, anticipation: int
) -> tuple[Grid, list[str]]:
    """Lay out the rows as matrices; return them with warnings in plain words.

    `ramp` and `anticipation` are periods left out after and before each upgrade.
    Raise DataError where the tables make no sense.
    """
    cells, notes = rows.cells_of(panel)
    shape = (len(cells.lines), len(cells.periods))
    _require_size(shape)
    dates = rows.upgrade_dates(upgrades, cells.lines)
    windows = _windows(dates, cells, ramp=ramp, anticipation=anticipation)
    flat = torch.as_tensor(cells.line * shape[1] + cells.period)
    parts = [
        splines.basis(torch.as_tensor(c), covariate_count=len(cells.covariates))
        for c in cells.covariates
    ]
    x = torch.cat(parts, dim=1) if parts else torch.zeros(len(flat), 0, dtype=torch.float64)
    y = torch.as_tensor(np.log(cells.outcomes))  # (2, m)
    grid = Grid(
        lines=cells.lines,
        periods=cells.periods,
        y=y.new_zeros((2, shape[0] * shape[1])).index_copy_(1, flat, y).reshape(2, *shape),
        x=x.new_zeros((shape[0] * shape[1], x.shape[1]))
        .index_copy_(0, flat, x)
        .reshape(*shape, -1),
        seen=torch.zeros(shape[0] * shape[1], dtype=torch.bool)
        .index_fill_(0, flat, value=True)
        .reshape(shape),
        before_end=windows.before_end,
        after_start=windows.after_start,
        is_upgraded=windows.is_upgraded,
        site=torch.as_tensor(cells.site),
    )
    return _settled(grid, dates, notes)


def _require_size(shape: tuple[int, int]) -> None:
    if shape[1] < 2:
        raise DataError(
            "the panel has fewer than two periods: a gain needs one before and one after"
        )
    if shape[1] > PERIODS_MAX or shape[0] * shape[1] > CELLS_MAX:
        raise DataError(
            f"the panel has {shape[0]} lines x {shape[1]} periods, more than {CELLS_MAX} cells or"
            f" {PERIODS_MAX} periods: use longer periods"
        )


def _windows(
    dates: dict[int, np.datetime64], cells: rows.Cells, *, ramp: int, anticipation: int
) -> Windows:
    """Turn dates into periods.

    A period is named by its first day, so an upgrade within a period leaves that one half
    changed: it is neither before nor after.
    """
    count = len(cells.lines)
    before_end = torch.full((count,), NEVER)
    after_start = torch.full((count,), NEVER)
    is_upgraded = torch.zeros(count, dtype=torch.bool)
    spacing = np.median(np.diff(cells.periods))
    for line, date in dates.items():
        start = int(np.searchsorted(cells.periods, date))  # the first period from the date on
        running = int(np.searchsorted(cells.periods, date, side="right")) - 1
        is_within = start == running + 1 > 0 and date - cells.periods[running] < spacing
        before_end[line] = start - int(is_within) - anticipation
        after_start[line] = start + ramp
        is_upgraded[line] = bool(date <= cells.periods[-1])
    return Windows(before_end, after_start, is_upgraded)


def _settled(
    grid: Grid, dates: dict[int, np.datetime64], notes: list[str]
) -> tuple[Grid, list[str]]:
    """Leave out what cannot be compared, and say so; refuse if nothing remains."""
    has_reference = grid.before.any(dim=0)
    if len(grid.controls) and not bool(has_reference.all()):
        lost = int((~has_reference).sum())
        notes.append(
            f"{lost} of {len(grid.periods)} periods are left out: no line without upgrade reported"
        )
        grid = grid.without((~has_reference).expand_as(grid.seen))
    late = [grid.lines[n] for n in dates if not grid.is_upgraded[n]]
    if late:
        notes.append(f"upgraded after the last period, so counted as not upgraded: {listed(late)}")
    for cells, words in ((grid.before, "before"), (grid.after, "after")):
        has_none = grid.is_upgraded & ~cells.any(dim=1)
        names = [grid.lines[n] for n in torch.nonzero(has_none)[:, 0].tolist()]
        if names:
            notes.append(f"no period {words} the upgrade, so no gain of its own: {listed(names)}")
    if not len(grid.programme):
        raise DataError(
            "no upgraded line has a period before and one after its upgrade:"
            " give a longer panel, or a shorter ramp or anticipation"
        )
    return grid, notes


def listed(names: list[str], most: int = 5) -> str:
    """Name a few and count the rest.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
