"""What a closer look at a gain shows: its course in time, and what it finds where there is none."""

from dataclasses import dataclass

from contracts.outcome import Interval


@dataclass(frozen=True, slots=True)
class Since:
    """The mean gain of the lines that were seen in these periods from their upgrade on.

    Periods first to last, both included; 0 is the first one after the upgrade, -1 the last before.
    """

    first: int
    last: int
    alpha: Interval
    beta: Interval
    line_count: int


@dataclass(frozen=True, slots=True)
class Placebo:
    """What a never-upgraded line would have gained, had it been upgraded when the others were."""

    line: str
    alpha: float
    beta: float


@dataclass(frozen=True, slots=True)
class Anticipated:
    """The programme's gain with so many periods left out before each upgrade."""

    anticipation: int
    alpha: Interval
    beta: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class CloserLook:
    """Where a gain should be and where it should not.

    `course`: by time since the upgrade, before it included. `in_time`: alpha and beta of the last
    quarter before the upgrades, as if it were after. `placebos`: of lines that were never
    upgraded. `anticipations`: whether it matters what is left out before. All intervals are of
    `level`, each by itself.
    """

    course: tuple[Since, ...]
    in_time: tuple[Interval, Interval] | None
    placebos: tuple[Placebo, ...]
    anticipations: tuple[Anticipated, ...]
    level: float
