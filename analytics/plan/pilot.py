"""Designs a pilot: what effect it could show, found by placebo upgrades on the plant's own past.

A placebo upgrade is an upgrade that nobody made: lines and a date are drawn, the panel is cut as it
would be when the pilot ends, and the gain is fitted as it would be then. What it finds is error,
with all the memory, weather and common shocks of this plant. The model is linear in the logs, so a
true effect would only shift the interval; the shift that a run needs until its interval excludes no
effect is read off the run. From those shifts comes the power to show any effect:

    power(effect) = share of the runs whose shift is below the effect
    detectable effect = the shift that a share `power` of the runs stays below

Lines are drawn one from each of k groups of like output, as they should be for the pilot itself: so
no preference picks them, and the groups have small and large lines alike.

References: power from placebo dates and units as in Bertrand, Duflo and Mullainathan (2004) and
Abadie, Diamond and Hainmueller (2010); stratified draws as in Imbens and Rubin (2015).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analytics.gain import fit
from analytics.gain.gates import CONTROLS_MIN, PERIODS_MIN
from analytics.gain.rows import cells_of
from contracts.decision import PilotDesign, PilotPlan
from contracts.errors import DataError
from contracts.panel import Panel, Upgrades

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from contracts.outcome import Gain

# The usual power of a trial: four times in five it shows what is there (Cohen 1988).
POWER = 0.8
LINES_TO_DIFFER = 3  # two gains say next to nothing about how gains differ


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the pilot is to be: the gain hoped for, how it is fitted, what it may cost.

    `alpha`, `beta` None: not hoped for. `level`, `ramp`, `anticipation` as in a fit. `cost` is of
    one line, in money; `budget` None: no limit. `eligible` empty: every line that is not upgraded.
    """

    alpha: float | None = None
    beta: float | None = None
    level: float = 0.9
    power: float = POWER
    ramp: int = 0
    anticipation: int = 0
    cost: float = 0.0
    budget: float | None = None
    eligible: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chance:
    """How much is drawn, and from which seed: `run_count` placebo upgrades a design."""

    run_count: int = 100
    seed: int = 1


def design(
    panel: Panel,
    sizes: Sequence[tuple[int, int]],
    terms: Terms,
    chance: Chance,
    advance: Callable[[int], None] = lambda _: None,
) -> PilotPlan:
    """Try designs of (number of lines, number of periods) on a panel that no upgrade has touched.

    The cheapest design that shows what is hoped for is chosen; if none does, or nothing is hoped
    for, the one that shows the smallest gains. `advance` is told of each run. Raises DataError
    where the panel or the budget allows no design.
    """
    past = _Past.of(panel, terms)
    possible = [size for size in sizes if past.allows(*size, terms)]
    if not possible:
        raise DataError(
            f"no pilot is possible: of {len(past.eligible)} lines that may be upgraded and"
            f" {len(past.periods)} periods, {CONTROLS_MIN} lines must stay as they are, half of the"
            " periods lie before it, and the budget must pay it; give other sizes"
        )
    designs = []
    for number, (line_count, period_count) in enumerate(possible):
        random = np.random.default_rng([chance.seed, number])
        needed, alarms = _placebos(
            past.runs(line_count, period_count, chance.run_count, random), terms, advance
        )
        designs.append(_design(line_count, period_count, terms, needed, alarms))
    chosen, is_enough = _choose(designs, terms)
    drawn = past.draw(chosen.line_count, np.random.default_rng([chance.seed]))
    return PilotPlan(
        designs=tuple(designs),
        chosen=chosen,
        lines=tuple(sorted(drawn)),
        is_enough=is_enough,
        hoped=(terms.alpha, terms.beta),
        level=terms.level,
        power=terms.power,
        run_count=chance.run_count,
        warnings=tuple(_warnings(chosen, terms, is_enough=is_enough)),
    )


def power_of(design: PilotDesign, *, alpha: float = 1.0, beta: float = 0.0) -> tuple[float, float]:
    """Give the probability that a design shows this alpha, and this beta."""
    effects = (math.log(alpha), -math.log1p(-beta))
    shares = [
        float((row < effect).mean()) for row, effect in zip(design.needed, effects, strict=True)
    ]
    return shares[0], shares[1]


def untouched(panel: Panel, upgrades: Upgrades, anticipation: int = 0) -> Panel:
    """Keep of every line what lies before its upgrade, less the periods that anticipate it."""
    dates = dict(
        zip(
            upgrades.table["line"].to_pylist(),
            upgrades.table["upgraded_on"].to_pylist(),
            strict=True,
        )
    )
    periods = periods_of(panel)
    keep = []
    for row in panel.table.select(["line", "period"]).to_pylist():
        line, period = row["line"], row["period"]
        day = dates.get(line)
        if day is None:
            keep.append(True)
            continue
        first = bisect_right(periods, day) - 1 - anticipation  # the period that the date is in
        keep.append(first >= 0 and period < periods[first])
    return Panel(panel.table.filter(pa.array(keep, pa.bool_())))


def periods_of(panel: Panel) -> list[date]:
    """Give the first day of each period, ascending."""
    return [day for day in pc.unique(panel.table["period"]).sort().to_pylist() if day is not None]


def default_sizes(panel: Panel, line_count_max: int) -> list[tuple[int, int]]:
    """Give designs to try: 1, 2, 4, … lines for an eighth, a quarter and half of the panel's time.

    >>> days = pa.array([date(2024, 1, 1 + n) for n in range(16)], pa.date32())
    >>> made = pa.table({"line": ["a"] * 16, "period": days, "output": [1.0] * 16,
    ...                  "unit_cost": [1.0] * 16})
    >>> default_sizes(Panel(made), 2)
    [(1, 2), (1, 4), (1, 8), (2, 2), (2, 4), (2, 8)]
    """
    count = len(pc.unique(panel.table["period"]))
    lengths = sorted({max(1, count // share) for share in (8, 4, 2)})
    numbers = [2**n for n in range(line_count_max.bit_length()) if 2**n <= line_count_max]
    return [(number, length) for number in numbers for length in lengths]


@dataclass(frozen=True)
class _Past:
    """A panel without effects: its periods, and the lines that may be pilots by falling output."""

    table: pa.Table
    periods: list[date]
    eligible: tuple[str, ...]

    @classmethod
    def of(cls, panel: Panel, terms: Terms) -> _Past:
        cells_of(panel)  # refuses what is no panel
        table = panel.table
        periods = periods_of(panel)
        rows = table.group_by("line").aggregate([("output", "mean"), ("period", "max")])
        is_there = pc.equal(rows["period_max"], pa.scalar(periods[-1], pa.date32()))
        rows = rows.filter(is_there).sort_by([("output_mean", "descending"), ("line", "ascending")])
        names = [str(name) for name in rows["line"].to_pylist()]
        unknown = sorted(set(terms.eligible) - set(names))
        if unknown:
            raise DataError(
                f"the line {unknown[0]!r} is not in the panel's last period, or was upgraded;"
                f" name lines of {', '.join(sorted(names))}"
            )
        allowed = tuple(name for name in names if not terms.eligible or name in terms.eligible)
        return cls(table, periods, allowed)

    def allows(self, line_count: int, period_count: int, terms: Terms) -> bool:
        """Tell whether controls, periods and budget are left."""
        present = len(pc.unique(self.table["line"]))
        before = len(self.periods) - period_count
        return (
            1 <= line_count <= len(self.eligible)
            and present - line_count >= CONTROLS_MIN
            and period_count > terms.ramp
            and before >= max(len(self.periods) / 2, PERIODS_MIN + terms.anticipation)
            and (terms.budget is None or line_count * terms.cost <= terms.budget)
        )

    def draw(self, line_count: int, random: np.random.Generator) -> list[str]:
        """Draw one line from each of so many groups of like output."""
        groups = np.array_split(np.array(self.eligible, dtype=object), line_count)
        return [str(random.choice(group)) for group in groups]

    def runs(
        self, line_count: int, period_count: int, run_count: int, random: np.random.Generator
    ) -> list[tuple[Panel, Upgrades]]:
        """Draw placebo upgrades, each with the panel as it would be at its end."""
        last = len(self.periods) - period_count
        first = min(last, max(PERIODS_MIN, math.ceil(len(self.periods) / 2)))
        runs = []
        for _ in range(run_count):
            start = int(random.integers(first, last + 1))
            end = self.periods[start + period_count - 1]
            seen = pc.less_equal(self.table["period"], pa.scalar(end, pa.date32()))
            lines = self.draw(line_count, random)
            dates = pa.array([self.periods[start]] * line_count, pa.date32())
            runs.append(
                (
                    Panel(self.table.filter(seen)),
                    Upgrades(pa.table({"line": lines, "upgraded_on": dates})),
                )
            )
        return runs


def _placebos(
    runs: list[tuple[Panel, Upgrades]], terms: Terms, advance: Callable[[int], None]
) -> tuple[npt.NDArray[np.float64], float]:
    """Fit every run: the shifts they need (2, runs), ascending; the share of false alarms."""
    shifts, alarms, refusal = [], [], ""
    for panel, upgrades in runs:
        try:
            found = fit(
                panel,
                upgrades,
                level=terms.level,
                ramp=terms.ramp,
                anticipation=terms.anticipation,
            )
        except DataError as problem:  # these lines were not seen together then
            refusal = str(problem)
        else:
            shifts.append(_shifts(found))
            alarms.append(_alarms(found))
        advance(1)
    if len(shifts) < len(runs) / 2:
        raise DataError(f"most placebo upgrades cannot be fitted: {refusal}")
    return np.sort(np.array(shifts).T, axis=1), float(np.mean(alarms))


def _shifts(found: Gain) -> tuple[float, float]:
    """How much better, in logs, output and cost must be for the interval to exclude no effect."""
    return -math.log(found.alpha.low), math.log1p(-found.beta.low)


def _alarms(found: Gain) -> tuple[bool, bool]:
    alpha, beta = found.alpha, found.beta
    return not alpha.low <= 1 <= alpha.high, not beta.low <= 0 <= beta.high


def _design(
    line_count: int,
    period_count: int,
    terms: Terms,
    needed: npt.NDArray[np.float64],
    alarms: float,
) -> PilotDesign:
    shift = np.quantile(needed, terms.power, axis=1, method="higher").clip(min=0)
    made = PilotDesign(
        line_count=line_count,
        period_count=period_count,
        cost=line_count * terms.cost,
        detectable_alpha=float(np.exp(shift[0])),
        detectable_beta=float(-np.expm1(-shift[1])),
        power_alpha=None,
        power_beta=None,
        false_alarms=alarms,
        needed=needed,
    )
    shares = power_of(made, alpha=terms.alpha or 1.0, beta=terms.beta or 0.0)
    return replace(
        made,
        power_alpha=None if terms.alpha is None else shares[0],
        power_beta=None if terms.beta is None else shares[1],
    )


def _warnings(chosen: PilotDesign, terms: Terms, *, is_enough: bool) -> list[str]:
    """Say what the design that is chosen cannot do."""
    notes = []
    if not is_enough and (terms.alpha, terms.beta) != (None, None):
        notes.append(f"no design shows what is hoped for with probability {terms.power:.0%}")
    if chosen.line_count < LINES_TO_DIFFER:
        notes.append(
            "so few pilot lines cannot tell how lines differ, which a roll-out must know:"
            f" take {LINES_TO_DIFFER} at least to decide on one"
        )
    return notes


def _choose(designs: list[PilotDesign], terms: Terms) -> tuple[PilotDesign, bool]:
    """Take the cheapest design that is powerful enough, else the one that shows the least gains."""
    hopes = [
        [power for power in (one.power_alpha, one.power_beta) if power is not None]
        for one in designs
    ]
    enough = [
        one
        for one, powers in zip(designs, hopes, strict=True)
        if powers and min(powers) >= terms.power
    ]
    if enough:
        return min(enough, key=lambda one: (one.line_count, one.period_count)), True

    def reach(one: PilotDesign) -> float:
        return math.log(one.detectable_alpha) - math.log1p(-one.detectable_beta)

    return min(designs, key=reach), False
