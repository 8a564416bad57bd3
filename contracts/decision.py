"""What analytics concludes for a decision: what matters, what would be needed, what to do next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from contracts.errors import ConfigError
from contracts.outcome import Interval

if TYPE_CHECKING:
    from contracts.outcome import Gain


@dataclass(frozen=True, slots=True)
class Prospect:
    """A gain as money is made of it: its point, its intervals at `level`, its joint draws.

    `draws` has shape (n, 2): log alpha, log(1 - beta).

    >>> Prospect.known(1.2, 0.1).point
    (1.2, 0.1)
    """

    alpha: Interval
    beta: Interval
    level: float
    draws: npt.NDArray[np.float64] = field(repr=False, compare=False)

    @classmethod
    def measured(cls, gain: Gain) -> Prospect:
        """Take the gain of the programme."""
        return cls(gain.alpha, gain.beta, gain.level, gain.draws)

    @classmethod
    def known(cls, alpha: float, beta: float) -> Prospect:
        """Take a gain for known: every interval is a point. Raises ConfigError for nonsense."""
        if alpha <= 0 or beta >= 1:
            raise ConfigError(f"alpha {alpha}, beta {beta}: give an alpha above 0, a beta below 1")
        draws = np.log([[alpha, 1 - beta]])
        return cls(Interval(alpha, alpha, alpha), Interval(beta, beta, beta), 0.9, draws)

    @property
    def point(self) -> tuple[float, float]:
        """Alpha and beta that estimates are computed at."""
        return self.alpha.estimate, self.beta.estimate

    @property
    def is_known(self) -> bool:
        """Whether it is a point."""
        return len(self.draws) == 1
