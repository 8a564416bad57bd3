"""What a report says: what analytics concludes, and how good the readings behind it are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

import numpy as np
import numpy.typing as npt

from contracts.batches import LedgerEntry
from contracts.closer import CloserLook
from contracts.decision import Needed, Sensitivity
from contracts.errors import ContractError
from contracts.notes import Note
from contracts.outcome import Gain, LeftOut, Profit
from contracts.panel import Panel, Upgrades


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
class KpiRow:
    """How one line ran, or the whole plant, where `line` is None.

    `now` and `before` give KPIs by their names (contracts.notes.TARGET_NAMES) in the unit of these;
    None, or no such name: not known. `targets` say what they are to be. `is_noted`: notes of people
    have changed a figure.
    """

    line: str | None
    now: Mapping[str, float | None]
    before: Mapping[str, float | None]
    targets: Mapping[str, float] = field(default_factory=dict)
    is_noted: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """Hours that one loss, or one reason of stops, has cost.

    `name` is of one of the six big losses, or what people call the reason of a stop; where they say
    nothing of it, `name` is its kind, down or delay, and `state` the state it began with.
    `share_so_far` is the share of all of them up to and with this one, the largest first. `money`
    None: what a piece is worth is not known.
    """

    name: str
    hours: float
    share_so_far: float
    money: float | None = None
    state: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """How the lines ran from `begins` on and before `ends`, beside as much time before it.

    Moments have a time zone. The plant's row is of the sum of its lines. `losses` and `reasons` (of
    stops; none where nobody has given one) are of the first time, all of them, the largest first;
    money is in `currency`.
    """

    begins: datetime
    ends: datetime
    plant: KpiRow
    lines: tuple[KpiRow, ...]
    losses: tuple[Lost, ...] = ()
    reasons: tuple[Lost, ...] = ()
    currency: str = ""

    def __post_init__(self) -> None:
        if self.begins.tzinfo is None or self.ends.tzinfo is None:
            raise ContractError("the time of a performance has no time zone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that a report says, and the SQL behind every number.

    `made_at` has a time zone. `period` is the first and the last day reported on. Without
    `gain` the report is about the data alone: recordings have no upgrades, or the gain cannot be
    fitted yet, and `no_gain_because` says why; `no_performance_because` likewise. `course` is the
    gain by time since the upgrade, where that was looked at. `panel` and `upgrades` are drawn, not
    repeated. `tornado` and `break_even` (NPV 0) belong to `profit`. `queries`: what it gives -> the
    SQL, or the command of gainline, that gave it.
    """

    title: str
    made_at: datetime
    period: tuple[date, date]
    is_simulated: bool = False
    truth: Truth | None = None
    gain: Gain | None = None
    no_gain_because: str = ""
    course: CloserLook | None = None
    performance: Performance | None = None
    no_performance_because: str = ""
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
