"""What analytics concludes: gain, profit, report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from contracts.batches import LedgerEntry
from contracts.errors import ContractError
from contracts.notes import Note
from contracts.panel import Panel, Upgrades

if TYPE_CHECKING:
    from contracts.decision import Needed, Sensitivity

Verdict = Literal["causal", "before_after"]
BridgeName = Literal["before", "output", "unit_cost", "both", "running_cost", "co2", "after"]
LeftOutReason = Literal["missing", "coverage", "no_output", "no_cost", "no_load"]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with the bounds of its interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class LineGain:
    """The gain of one upgraded line.

    `borrowed`, 0 to 1: the share of the estimate that is from the other lines, since its own
    readings leave it that unsure; of alpha's and beta's the greater.
    """

    line: str
    alpha: Interval
    beta: Interval
    borrowed: float = 0.0


@dataclass(frozen=True, slots=True)
class Gain:
    """Alpha (a multiplier of output) and beta (the fraction of unit variable cost removed).

    `alpha`, `beta` are the programme's: the geometric mean over the upgraded lines of alpha and
    of 1 - beta. `next_line` is for a line of the same population that is not upgraded yet.
    `draws` has shape (n, 2): joint draws of the programme's log alpha and log(1 - beta);
    `next_draws` are those of the next line.
    """

    alpha: Interval
    beta: Interval
    lines: tuple[LineGain, ...]
    next_line: tuple[Interval, Interval]
    level: float
    verdict: Verdict
    warnings: tuple[str, ...]
    draws: npt.NDArray[np.float64] = field(repr=False, compare=False)
    next_draws: npt.NDArray[np.float64] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class BridgeStep:
    """One step of the bridge from the profit before to the profit after, in money a year."""

    name: BridgeName
    amount: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Profit:
    """What a gain is worth: money in `currency` a year, for all lines of the programme.

    The estimates are the model's values at the point estimate of alpha and beta, so they add up;
    the bounds are quantiles over the joint draws at `level`. In `bridge`, the estimates of
    before + output + unit_cost + both + running_cost + co2 = after; co2 is a step where carbon has
    a price. Profit is before tax; `npv`, `irr` (a share a year), `roi` (a multiple, over all years)
    and payback are after it, and so is `loss_chance`, the share of the draws with an NPV below 0.
    `irr` and `roi` are None where nothing is invested. A payback of infinity means never;
    discounted, not within the years that count. `ratio` is after / before, None where there was no
    profit before. Changes are after minus before, so a saving is negative. `co2_source` says where
    the factor is from.
    """

    currency: str
    level: float
    before: float
    after: Interval
    change: Interval
    ratio: Interval | None
    npv: Interval
    loss_chance: float
    irr: Interval | None
    roi: Interval | None
    payback_years: Interval
    discounted_payback_years: Interval
    energy_change_kwh: Interval
    co2_change_t: Interval
    co2_before_kg_per_unit: float
    co2_after_kg_per_unit: Interval
    co2_source: str
    bridge: tuple[BridgeStep, ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A line's period that is not in the panel, and why; `detail` names metric and figure."""

    line: str
    period: date
    reason: LeftOutReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Truth:
    """The programme's gain that a simulated plant was made with."""

    alpha: float
    beta: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRow:
    """How good the readings of one line or one metric are; all counts are of readings.

    `reasons` are pairs of a word of contracts.quality and its count; a reading may have several.
    `gaps` counts sequence numbers or intervals that never came; None: nobody has counted them.
    """

    name: str
    readings: int
    good: int
    reasons: tuple[tuple[str, int], ...] = ()
    gaps: int | None = None
    late: int = 0


@dataclass(frozen=True, slots=True)
class Series:
    """Readings of one tag in order of time, to be drawn with their verdicts.

    `source_time` datetime64 in UTC, `value` float (NaN: none), `quality`
    contracts.quality.Quality; all three of shape (n,).
    """

    tag: str
    unit: str
    source_time: npt.NDArray[np.datetime64]
    value: npt.NDArray[np.float64]
    quality: npt.NDArray[np.int8]

    def __post_init__(self) -> None:
        if not self.source_time.shape == self.value.shape == self.quality.shape:
            raise ContractError(f"the series of {self.tag!r} has columns of different lengths")


@dataclass(frozen=True, slots=True)
class NoteRow:
    """A note that a report lists, and what it has put aside.

    `instead_of` is None where the note changes no figure of the report, "" where there was nothing
    in its place.
    """

    note: Note
    instead_of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that a report says, and the SQL behind every number.

    `made_at` has a time zone. `period` is the first and the last day reported on. Without
    `gain` the report is about the data alone: recordings have no upgrades, or the gain cannot be
    fitted yet, and `no_gain_because` says why. `panel` and `upgrades` are drawn, not repeated.
    `tornado` and `break_even` (NPV 0) belong to `profit`. `queries`: what it gives -> the SQL that
    gave it.
    """

    title: str
    made_at: datetime
    period: tuple[date, date]
    is_simulated: bool = False
    truth: Truth | None = None
    gain: Gain | None = None
    no_gain_because: str = ""
    profit: Profit | None = None
    tornado: tuple[Sensitivity, ...] = ()
    break_even: Needed | None = None
    panel: Panel | None = None
    upgrades: Upgrades | None = None
    left_out: tuple[LeftOut, ...] = ()
    quality: tuple[QualityRow, ...] = ()
    series: tuple[Series, ...] = ()
    notes: tuple[NoteRow, ...] = ()
    ledger: tuple[LedgerEntry, ...] = ()
    queries: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.made_at.tzinfo is None:
            raise ContractError("a report's made_at has no time zone")
