"""Contrasts of upgraded lines, with errors measured on lines that were never upgraded.

A contrast is one weighted mean of a line's residuals less another: after less before, or late
less early. Its error has two sources, and both are measured, not assumed:

own     the line's noise. The same contrast on every control line, in units of that line's
        innovations, gives the placebo distribution; times the line's own innovation variance, it
        is the variance of the line's contrast, whatever the memory of the noise.
shared  the baseline's error, common to all lines that are compared over the same periods. It is
        a known linear function of the residuals of each line the baseline was fitted to, and
        lines (sites, where they are told) are independent, so squares of contributions add up.

References: placebo contrasts in the spirit of Bertrand, Duflo and Mullainathan (2004) and Conley
and Taber (2011); sums of squared contributions by line as in Liang and Zeger (1986); variances
pooled over lines as in Smyth (2004).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from analytics.gain import baseline, sites

if TYPE_CHECKING:
    from analytics.gain.baseline import Baseline
    from analytics.gain.design import Grid

# A control that misses more than half of a window shows another contrast than the line's.
SHARE_MIN = 0.5
# Weights of a contrast on unlinked periods are of the order 1 / T or exactly 0.
LINK_TOLERANCE = 1e-6
PLACEBOS_MAX = 1000  # so many errors fix their size to 2 %: more would cost time alone
LINES_AT_ONCE = 64
TINY = 1e-18  # variance of an error of 1e-9: keeps panels without any noise solvable


@dataclass(frozen=True)
class Weights:
    """Contrasts of m lines: the mean under `plus` less the mean under `minus`.

    Both (m, T), not negative, each row summing to 1, 0 where the line is not seen.
    """

    line: Tensor  # (m,) which line
    plus: Tensor
    minus: Tensor

    @property
    def net(self) -> Tensor:
        """Weight of each period, (m, T)."""
        return self.plus - self.minus

    def kept(self, is_kept: Tensor) -> Weights:
        """Keep some of the contrasts, by (m,) bool."""
        return Weights(self.line[is_kept], self.plus[is_kept], self.minus[is_kept])


@dataclass(frozen=True)
class Contrasts:
    """Contrasts of m lines in both outcomes, with the parts of their error."""

    line: Tensor  # (m,) which line
    value: Tensor  # (2, m)
    own: Tensor  # (2, m) variance of each line's own error
    shared: Tensor  # (2, m, k): shared errors have the covariance shared @ shared'
    freedom: int  # degrees of freedom of the variances
    correlation: float  # of the errors of the two outcomes


def weights_of(line: Tensor, plus: Tensor, minus: Tensor) -> Weights:
    """Scale raw weights (m, T) to rows that sum to 1.

    >>> cells = torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    >>> weights_of(torch.tensor([0]), 1 - cells, cells).net.tolist()
    [[-0.5, -0.5, 0.5, 0.5]]
    """
    return Weights(
        line,
        plus / plus.sum(dim=1, keepdim=True).clamp(min=TINY),
        minus / minus.sum(dim=1, keepdim=True).clamp(min=TINY),
    )


def after_less_before(grid: Grid) -> Weights:
    """Compare each upgraded line's mean after its upgrade with its mean before."""
    line = grid.programme
    return weights_of(line, grid.after[line].double(), grid.before[line].double())


def measure(
    grid: Grid, base: Baseline, weights: Weights, controls: Tensor, *, lost: int = 1
) -> Contrasts:
    """Contrast the lines' residuals, and the controls' alike.

    `controls` numbers the lines that show the placebo distribution; at least two. `lost` are their
    degrees of freedom that went into what they are compared with: their mean, each common wave.
    """
    rest = baseline.residuals(base, grid.y, grid.x, grid.seen)  # (2, n, T)
    noise = innovation_variance(rest, grid.before, grid.after)  # (2, n)
    placebo = _placebos(grid, rest, noise, weights, controls)
    kin = sites.kinship(placebo.alike, grid.site[weights.line], grid.site[controls])
    for_one = sites.lines_for_one(kin, grid.site[controls])
    alone = placebo.count / for_one  # so many know as much
    # least squares leave the controls' residuals short of so many degrees of freedom
    lack = alone / (alone - lost).clamp(min=1)
    unit = placebo.square / placebo.count.clamp(min=1) * lack
    size = noise[:, weights.line]  # (2, m)
    own = (unit * size).clamp(min=TINY)
    shared = _shared(grid, base, rest, weights) * (float(lack.max()) * for_one) ** 0.5
    value = torch.einsum("knt,nt->kn", rest[:, weights.line], weights.net)
    # the controls of a line's site foretell a part of its shock, and of the baseline's error
    known = sites.weight_of_nearby(placebo.alike, placebo.nearby_count)  # (m,)
    shocks = sites.shocks(kin * own * (1 - known), grid.site[weights.line])
    within = placebo.count - len(torch.unique(grid.site[controls])) - (lost - 1)
    freedom = sites.freedom(kin, known, placebo.nearby_count, whole=alone - lost, within=within)
    return Contrasts(
        line=weights.line,
        value=value - known * size.sqrt() * placebo.nearby,
        own=(1 - kin) * own + TINY,
        shared=torch.cat([shared * (1 - known)[:, None], shocks], dim=2),
        freedom=max(int(freedom.min()), 1),
        correlation=placebo.correlation,
    )


def comparable(grid: Grid, base: Baseline, weights: Weights, controls: Tensor) -> Tensor:
    """Tell which contrasts can be adjusted and have an error that can be measured, (m,) bool.

    Their periods must be linked by lines seen in several of them, and they must be seen on at
    least two controls, and on half as many as the best of them: one poor line shall not cost
    all the others their degrees of freedom.
    """
    free = _pull(grid, weights) @ base.null  # (m, r)
    is_linked = (free.abs() < LINK_TOLERANCE).all(dim=1)
    count = _valid(grid.seen, weights, controls)  # (m,)
    most = int(count.max()) if len(count) else 0
    return is_linked & (count >= 2) & (2 * count >= most)


def mean_error(found: Contrasts) -> Tensor:
    """Give the standard error of the contrasts' mean, apart from effects that differ, (2,)."""
    shared = found.shared.mean(dim=1).square().sum(dim=1)
    return (found.own.sum(dim=1) / found.value.shape[1] ** 2 + shared).sqrt()


def innovation_variance(rest: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """Half the mean squared step from one period to the next, (2, n), pooled towards its middle.

    The step over the upgrade is no noise and stays out. A line's figure is as good as its number
    of steps: what the lines' logs scatter beyond that is real, and only that share is kept.

    >>> rest = torch.tensor([[[0.0, 2.0, 0.0, 102.0, 100.0, 102.0]]]).double().expand(2, 1, 6)
    >>> before = torch.tensor([[True, True, True, False, False, False]])
    >>> small, large = (innovation_variance(k * rest, before, ~before) for k in (1, 3))
    >>> (large / small).round(decimals=9).tolist()
    [[9.0], [9.0]]
    """
    step = torch.diff(rest, dim=2)  # (2, n, T - 1)
    is_step = (before[:, 1:] & before[:, :-1]) | (after[:, 1:] & after[:, :-1])
    count = is_step.sum(dim=1)  # (n,)
    usable = count >= 2
    raw = (step.square() * is_step).sum(dim=2) / count.clamp(min=1) / 2 + TINY
    half = count.clamp(min=2).double() / 2
    logs = raw.log() - torch.digamma(half) + half.log()
    chance = torch.polygamma(1, half)  # variance of the log of a mean of `count` squares
    pooled = torch.empty_like(raw)
    for outcome in range(2):
        known = logs[outcome, usable]
        if not len(known):
            return torch.ones_like(raw)
        middle = known.mean()
        spread = known.var() - chance[usable].mean() if len(known) > 1 else torch.tensor(0.0)
        spread = spread.clamp(min=0)
        keep = torch.where(usable, spread / (spread + chance), 0.0)
        pooled[outcome] = torch.exp(middle + keep * (logs[outcome] - middle))
    return pooled


@dataclass(frozen=True)
class Placebos:
    """The contrasts of m lines, seen on controls."""

    square: Tensor  # (2, m) sum of squares, in units of each control's innovations
    count: Tensor  # (m,) on how many controls
    correlation: float  # of both outcomes
    alike: float | None  # correlation of controls of one site; None if no site has two
    nearby: Tensor  # (2, m) mean over the controls of the line's site, in the same units
    nearby_count: Tensor  # (m,) on how many of them


def _placebos(
    grid: Grid, rest: Tensor, noise: Tensor, weights: Weights, controls: Tensor
) -> Placebos:
    """Apply every line's contrast to every control that was seen in both of its windows."""
    controls = _some(controls)
    cells = grid.seen[controls].T.double()  # (T, c)
    values = rest[:, controls].transpose(1, 2).contiguous()  # (2, T, c)
    squares, counts, products = [], [], torch.zeros(3, dtype=torch.float64)
    nearby: list[tuple[Tensor, Tensor]] = []
    kin = sites.Kin(grid.site[controls])
    for few in _chunks(len(weights.line)):
        placebo, is_valid = values.new_zeros(()), torch.ones((), dtype=torch.bool)
        for sign, part in ((1, weights.plus[few]), (-1, weights.minus[few])):
            share = _share(part, cells)
            placebo = placebo + sign * (part @ values) / share.clamp(min=TINY)
            is_valid = is_valid & (share >= SHARE_MIN)
        placebo = placebo * is_valid  # (2, few, c)
        square = placebo.square()
        scaled = placebo / noise[:, None, controls].sqrt()
        kin.add(scaled, is_valid)
        at = grid.site[weights.line[few]]
        nearby.append(sites.mean_nearby(scaled, is_valid, at, grid.site[controls]))
        squares.append(scaled.square().sum(dim=2))
        counts.append(is_valid.sum(dim=1))
        together = (placebo[0] * placebo[1]).sum()
        products += torch.stack([together, square[0].sum(), square[1].sum()])
    size = float(products[1] * products[2]) ** 0.5
    correlation = float(products[0]) / size if size > 0 else 0.0
    return Placebos(
        square=torch.cat(squares, dim=1),
        count=torch.cat(counts),
        correlation=correlation,
        alike=kin.alike,
        nearby=torch.cat([mean for mean, _ in nearby], dim=1),
        nearby_count=torch.cat([count for _, count in nearby]),
    )


def _valid(seen: Tensor, weights: Weights, controls: Tensor) -> Tensor:
    """Count the controls that were seen in half of both windows of each contrast, (m,)."""
    cells = seen[_some(controls)].T.double()
    is_valid = [
        (_share(weights.plus[few], cells) >= SHARE_MIN)
        & (_share(weights.minus[few], cells) >= SHARE_MIN)
        for few in _chunks(len(weights.line))
    ]
    return torch.cat([one.sum(dim=1) for one in is_valid])


def _share(part: Tensor, cells: Tensor) -> Tensor:
    """Say how much of weights (m, T) of any sign lies on cells (T, c) that are seen, (m, c)."""
    size = part.abs()
    return size @ cells / size.sum(dim=1, keepdim=True).clamp(min=TINY)


def _some(controls: Tensor) -> Tensor:
    """Take every second, third … control if there are very many."""
    return controls[:: -(-len(controls) // PLACEBOS_MAX)]


def _chunks(count: int) -> list[slice]:
    """Cut contrasts into as many as fit into a processor's cache with all controls."""
    return [slice(n, n + LINES_AT_ONCE) for n in range(0, max(count, 1), LINES_AT_ONCE)]


def _pull(grid: Grid, weights: Weights) -> Tensor:
    """Say what each contrast takes from the periods and the slopes, (m, T + p)."""
    slopes = torch.einsum("mt,mtp->mp", weights.net, grid.x[weights.line])
    return torch.cat([weights.net, slopes], dim=1)


def _shared(grid: Grid, base: Baseline, rest: Tensor, weights: Weights) -> Tensor:
    """Factor of the shared errors' covariance, (2, m, k), k = number of distinct windows."""
    windows = torch.stack([grid.before_end, grid.after_start], dim=1)[weights.line]
    kinds, kind = torch.unique(windows, dim=0, return_inverse=True)
    member = torch.nn.functional.one_hot(kind, len(kinds)).double()  # (m, k)
    pull = member.T @ _pull(grid, weights) / member.sum(dim=0)[:, None]  # (k, T + p)
    reach = pull @ base.inverse
    width = rest.shape[2]
    fitted = rest * base.used  # (2, n, T)
    along = torch.einsum("jnt,ntp->jnp", fitted, grid.x)
    given = reach[:, :width] @ fitted.transpose(1, 2) + reach[:, width:] @ along.transpose(1, 2)
    values, vectors = torch.linalg.eigh(given @ given.transpose(1, 2))  # (2, k, k)
    factor: Tensor = vectors * values.clamp(min=0).sqrt()[:, None, :]
    return member @ factor
