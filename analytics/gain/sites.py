"""Shocks that the lines of one site share: how alike they are, and what that leaves of evidence.

A strike or a power cut moves all lines of a site. Then the errors of a site's lines hang together:
part of each upgraded line's error is its site's, and many controls on one site are not many. What
the controls of its own site show of that part is taken out of a line's contrast.

References: the correlation within clusters, from the variances within and between them, of Fisher
(1925); the effective number of Kish (1965).
"""

from __future__ import annotations

import torch
from torch import Tensor


class Kin:
    """Adds up how alike the placebos of one site's controls are."""

    def __init__(self, site: Tensor) -> None:
        self._is_told = are_told(site)
        self._member = member(site) if self._is_told else site  # (c, S)
        self._squares, self._count = 0.0, 0.0
        self._between, self._spare = 0.0, 0.0

    def add(self, scaled: Tensor, is_valid: Tensor) -> None:
        """Add placebos (2, m, c), 0 where not valid (m, c) bool, in units of each line's noise."""
        if not self._is_told:
            return
        held = is_valid.double() @ self._member  # (m, S)
        sums = scaled @ self._member  # (2, m, S)
        self._squares += float(scaled.square().sum())
        self._count += 2 * float(held.sum())
        self._between += float((sums.square() / held.clamp(min=1)).sum())
        self._spare += 2 * float((held - 1).clamp(min=0).sum())

    @property
    def alike(self) -> float | None:
        """Correlation of two controls of one site, 0 to 1; None if it cannot be seen.

        They show f = 1 - the variance within sites / the variance of all. Of residuals around the
        mean of c lines, that mean's variance m = (1 + (l - 1) r) / c is missing, l being the usual
        number of lines of a site: f = (r - m) / (1 - m), which is solved for r. On one site alone
        the mean takes all that is shared.
        """
        if not self._is_told:
            return 0.0
        held = self._member.sum(dim=0)
        if not self._spare or not self._squares or len(held) < 2:
            return None
        within = (self._squares - self._between) / self._spare
        apart = within / (self._squares / self._count)  # 1 - f
        count = float(held.sum())
        usual = float(held.square().sum()) / count
        solved = (1 - apart * (1 - 1 / count)) / (1 - apart * (usual - 1) / count)
        return min(max(solved, 0.0), 1.0)


def kinship(alike: float | None, upgraded: Tensor, controls: Tensor) -> float:
    """Say how alike lines of one site are; if no two controls show it, as alike as can be."""
    if alike is not None:
        return alike
    stand_together = are_told(upgraded) or bool(torch.isin(upgraded, controls).any())
    return 1.0 if stand_together else 0.0


def lines_for_one(kin: float, site: Tensor) -> float:
    """Give how many lines of these sites (c,) know as much as one independent line.

    >>> two_sites = torch.tensor([0, 0, 0, 1, 1, 1])
    >>> lines_for_one(0.0, two_sites), lines_for_one(1.0, two_sites)
    (1.0, 3.0)
    """
    if not kin:
        return 1.0
    held = member(site).sum(dim=0)
    return 1 + (float(held.square().sum() / held.sum()) - 1) * kin


def mean_nearby(
    scaled: Tensor, is_valid: Tensor, site: Tensor, controls: Tensor
) -> tuple[Tensor, Tensor]:
    """Average placebos (2, m, c) over the controls (c,) on the site (m,) of each line.

    Gives the mean (2, m), 0 where there is no such control, and their number (m,).
    """
    is_near = is_valid & (site[:, None] == controls)  # (m, c)
    count = is_near.sum(dim=1)
    return (scaled * is_near).sum(dim=2) / count.clamp(min=1), count


def weight_of_nearby(alike: float | None, count: Tensor) -> Tensor:
    """Say how much of the mean error of a line's `count` neighbours without upgrade is its own too.

    With r = alike the best linear prediction of the part that a site shares is
        r n / (1 + (n - 1) r) times the mean of n lines,
    which leaves of that part's variance the share that is missing to 1. Its error hangs together
    with no mean of a site's controls, and so not with the baseline's error either.
    If it cannot be seen how alike they are, nothing is predicted.

    Reference: the prediction of random effects as in Henderson (1975).

    >>> weight_of_nearby(0.5, torch.tensor([0, 1, 3])).tolist()
    [0.0, 0.5, 0.75]
    """
    r = alike or 0.0
    return r * count.double() / (1 + (count.clamp(min=1) - 1) * r)


def freedom(kin: float, known: Tensor, count: Tensor, *, whole: Tensor, within: Tensor) -> Tensor:
    """Give the degrees of freedom (m,) of errors of which neighbours, `count` of them, know a part.

    Of a variance of 1, w = 1 - kin is within sites. Less k = known times the neighbours' mean, an
    error has the variance (1 - k)^2 + (1 + k^2 / count - (1 - k)^2) w. `whole` are the degrees of
    freedom of the 1, `within` those of w; both are measured on the same lines, so they are taken to
    be wrong together. A `whole` below 1 says nothing of either.

    Reference: degrees of freedom of a sum of variances after Satterthwaite (1946).

    >>> few, many = torch.tensor([4.0, 4.0]), torch.tensor([16.0, 16.0])
    >>> known, count = torch.tensor([0.0, 1.0]), torch.tensor([0, 9])
    >>> freedom(0.5, known, count, whole=few, within=many).tolist()
    [4.0, 16.0]
    """
    rest = (1 - known).square()
    more = (1 + known.square() / count.clamp(min=1) - rest) * (1 - kin)
    uncertain = rest / whole.clamp(min=1).sqrt() + more / within.clamp(min=1).sqrt()
    found = ((rest + more) / uncertain.clamp(min=1e-150)).square()
    return torch.where((known > 0) & (whole >= 1), found, whole)


def shocks(variance: Tensor, site: Tensor) -> Tensor:
    """Factor (2, m, S) of errors that the lines of one site share, of variance (2, m)."""
    if not float(variance.max()) > 0:
        return variance.new_zeros(*variance.shape, 0)
    return variance.sqrt()[..., None] * member(site)


def member(site: Tensor) -> Tensor:
    """Say which of these lines (m,) stands on which of their sites, (m, S)."""
    _, place = torch.unique(site, return_inverse=True)
    return torch.nn.functional.one_hot(place).double()


def are_told(site: Tensor) -> bool:
    """Tell whether any two lines stand on one site; without sites each line is one by itself."""
    return len(torch.unique(site)) < len(site)
