"""The plan of a simulated plant: its lines, its calendar of upgrades and what they truly do."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from contracts.errors import ConfigError

SLOT_US = 15 * 60 * 1_000_000  # a machine is read every quarter of an hour
SLOTS_PER_DAY = 96
SLOTS_PER_WEEK = 7 * SLOTS_PER_DAY

SITES = ("north", "south", "east", "west")
AREAS = ("forming", "filling")
MACHINE = "press"
LINES_MAX = 1000  # lines of one plant: beyond it the columns of all lines no longer fit in memory
WEEKS_MAX = 520


@dataclass(frozen=True, slots=True)
class PlantPlan:
    """What is simulated. All that is random follows from `seed`.

    `start` is a Monday. `waves` are the weeks, counted from 0, on whose Monday lines are upgraded.
    `alpha` and `beta` are the geometric middle of the lines' multipliers of good output and of
    1 - the fraction of unit variable cost removed; the spreads are standard deviations of the
    logarithms. The effect builds up over `ramp_weeks`. Prices are money per kWh and per kg.
    Raises ConfigError where that makes no plant.
    """

    seed: int = 1
    line_count: int = 16
    site_count: int = 2
    weeks: int = 52
    start: date = date(2024, 1, 1)
    alpha: float = 1.20
    beta: float = 0.10
    alpha_spread: float = 0.03
    beta_spread: float = 0.02
    upgraded_share: float = 0.5
    waves: tuple[int, ...] = (20, 25, 29, 34)
    ramp_weeks: int = 3
    price_kwh: float = 0.18
    price_kg: float = 1.40

    def __post_init__(self) -> None:
        for is_met, demand in (
            (self.seed >= 0, "seed must be 0 or more"),
            (1 <= self.site_count <= len(SITES), f"site_count must be 1 to {len(SITES)}"),
            (
                self.site_count <= self.line_count <= LINES_MAX,
                f"line_count: site_count to {LINES_MAX}",
            ),
            (1 <= self.weeks <= WEEKS_MAX, f"weeks must be 1 to {WEEKS_MAX}"),
            (self.start.weekday() == 0, "start must be a Monday"),
            (self.alpha > 0, "alpha must be above 0"),
            (self.beta < 1, "beta must be below 1"),
            (min(self.alpha_spread, self.beta_spread) >= 0, "a spread must be 0 or more"),
            (0 <= self.upgraded_share <= 1, "upgraded_share must be 0 to 1"),
            (all(0 < week < self.weeks for week in self.waves), "waves must lie inside the weeks"),
            (bool(self.waves) or self.upgraded_share == 0, "waves must not be empty"),
            (self.ramp_weeks >= 0, "ramp_weeks must be 0 or more"),
            (min(self.price_kwh, self.price_kg) > 0, "prices must be above 0"),
        ):
            if not is_met:
                raise ConfigError(f"the plan of the simulated plant cannot be: {demand}")

    @property
    def slot_count(self) -> int:
        """Quarters of an hour in the plan."""
        return self.weeks * SLOTS_PER_WEEK

    @property
    def start_us(self) -> int:
        """When the first quarter of an hour begins, microseconds since 1970."""
        return int(datetime.combine(self.start, datetime.min.time(), UTC).timestamp()) * 1_000_000

    @property
    def epoch(self) -> str:
        """The same for the same plan, so that a plan sent twice to a lake is stored once."""
        return "sim-" + hashlib.blake2b(repr(self).encode(), digest_size=6).hexdigest()

    def monday(self, week: int) -> date:
        """Name the first day of a week, counted from 0."""
        return self.start + timedelta(weeks=week)

    def random(self, purpose: str, number: int = 0) -> np.random.Generator:
        """Make the random numbers of one purpose, independent of those of any other."""
        return np.random.default_rng([self.seed, number, *purpose.encode()])


@dataclass(frozen=True, slots=True)
class LinePlan:
    """One line: where it stands, when it is upgraded (never: None), what that truly does."""

    number: int
    site: int
    name: str
    topic: str
    gateway: str
    upgrade_week: int | None
    alpha: float
    beta: float


def line_plans(plan: PlantPlan) -> tuple[LinePlan, ...]:
    """Lay out the lines. Which lines are upgraded, and in which wave, is drawn within each site.

    >>> [line.topic for line in line_plans(PlantPlan(line_count=3))]
    ['north/forming/L01/press', 'north/filling/L02/press', 'south/forming/L03/press']
    """
    weeks = _upgrade_weeks(plan)
    draw = plan.random("effects").normal(size=(plan.line_count, 2))
    lines = []
    for number in range(plan.line_count):
        mates = [
            other for other in range(plan.line_count) if _site(plan, other) == _site(plan, number)
        ]
        site = SITES[_site(plan, number)]
        area = AREAS[(number - mates[0]) * len(AREAS) // len(mates)]
        week = weeks.get(number)
        is_upgraded = week is not None
        log_alpha = math.log(plan.alpha) + plan.alpha_spread * draw[number, 0]
        log_kept = math.log1p(-plan.beta) + plan.beta_spread * draw[number, 1]
        line = LinePlan(
            number=number,
            site=_site(plan, number),
            name=f"L{number + 1:02d}",
            topic=f"{site}/{area}/L{number + 1:02d}/{MACHINE}",
            gateway=f"gw-{site}-{area}",
            upgrade_week=week,
            alpha=math.exp(log_alpha) if is_upgraded else 1.0,
            beta=1.0 - math.exp(log_kept) if is_upgraded else 0.0,
        )
        lines.append(line)
    return tuple(lines)


def _upgrade_weeks(plan: PlantPlan) -> dict[int, int]:
    """Draw which line is upgraded in which week."""
    rng = plan.random("upgrades")
    chosen: list[int] = []
    for site in range(plan.site_count):
        here = [number for number in range(plan.line_count) if _site(plan, number) == site]
        count = round(plan.upgraded_share * len(here))
        chosen += rng.permutation(here)[:count].tolist()
    order = rng.permutation(chosen).tolist()
    return {
        int(number): plan.waves[place * len(plan.waves) // len(order)]
        for place, number in enumerate(order)
    }


def _site(plan: PlantPlan, number: int) -> int:
    return number * plan.site_count // plan.line_count
