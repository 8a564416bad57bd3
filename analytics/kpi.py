"""The KPIs of ISO 22400-2, worked out of sums of time, pieces and energy.

    availability  = APT / PBT               MTBF = APT / failures
    effectiveness = PRI x PQ / APT          MTTR = down time of failures / failures
    quality ratio = GQ / PQ                 TEEP = OEE x PBT / calendar time
    OEE           = availability x effectiveness x quality ratio

Sums roll up, ratios never do: a week is the sum of its shifts, and its KPIs are those of the sum.
A KPI whose denominator is 0 is None, and so is one of something that is not known.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

from contracts.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

SECONDS_PER_HOUR = 3600
SECONDS_PER_MINUTE = 60

LossName = Literal[
    "breakdown", "setup", "small_stops", "reduced_speed", "startup_rejects", "process_rejects"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Elements:
    """What was summed up of machines and shifts: times in seconds, pieces, kWh, counts.

    `pbt_s`, planned busy time, is the sum of the five that follow it: `apt_s` in production,
    `setup_s` being set up, `adot_s` down, `delay_s` in another state, `unknown_s` without a state
    that can be trusted. `failure_s` is the part of `adot_s` in failures, `small_stop_s` the part of
    `adot_s` and `delay_s` in stops too short to be one. `good`, `scrap`, `rework` are pieces of
    planned time, `startup_scrap` those of `scrap` made during set-up. `ideal_s` is PRI x PQ, PRI
    being the planned seconds a piece; None where that is not known. `idle_kwh` is the part of
    `energy_kwh` that was used while nothing was produced; `co2e_kg` the carbon that the energy has
    set free, `hourly_factor_kwh` the part of it of hours whose factor is known.
    Raises DataError where the planned time is not the sum of its parts.
    """

    calendar_s: float = 0.0
    pbt_s: float = 0.0
    apt_s: float = 0.0
    setup_s: float = 0.0
    adot_s: float = 0.0
    delay_s: float = 0.0
    unknown_s: float = 0.0
    small_stop_s: float = 0.0
    failure_s: float = 0.0
    stop_count: int = 0
    small_stop_count: int = 0
    failure_count: int = 0
    good: float = 0.0
    scrap: float = 0.0
    rework: float = 0.0
    startup_scrap: float = 0.0
    unplanned_good: float = 0.0
    energy_kwh: float = 0.0
    idle_kwh: float = 0.0
    co2e_kg: float = 0.0
    hourly_factor_kwh: float = 0.0
    reading_count: int = 0
    good_reading_count: int = 0
    ideal_s: float | None = 0.0

    def __post_init__(self) -> None:
        parts = self.apt_s + self.setup_s + self.adot_s + self.delay_s + self.unknown_s
        if abs(parts - self.pbt_s) > 1e-6 * max(self.pbt_s, 1.0):  # the rounding of a sum
            raise DataError(
                f"the planned time is {self.pbt_s} s and its parts are {parts} s: give all parts"
            )

    @property
    def produced(self) -> float:
        """PQ: all pieces of planned time, good or not."""
        return self.good + self.scrap + self.rework

    def __add__(self, other: Elements) -> Elements:
        """Add what was summed up of two machines, lines or shifts."""
        added = {
            field.name: getattr(self, field.name) + getattr(other, field.name)
            for field in fields(self)
            if field.name != "ideal_s"
        }
        known = self.ideal_s is not None and other.ideal_s is not None
        ideal = (self.ideal_s or 0.0) + (other.ideal_s or 0.0) if known else None
        return Elements(**added, ideal_s=ideal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kpis:
    """The KPIs of some elements. Shares from 0 to 1 but where a plan was too slow; times in hours.

    `scrap_ratio`, `rework_ratio` of PQ; `throughput` good pieces an hour of PBT; energy in kWh,
    carbon in kg CO2e a good piece. `coverage` is the share of planned time with a state that can be
    trusted, `good_share` that of readings which are GOOD.
    """

    availability: float | None
    effectiveness: float | None
    quality_ratio: float | None
    oee: float | None
    teep: float | None
    mtbf_h: float | None
    mttr_h: float | None
    scrap_ratio: float | None
    rework_ratio: float | None
    throughput: float | None
    energy_per_good: float | None
    co2e_per_good: float | None
    idle_energy_ratio: float | None
    coverage: float | None
    good_share: float | None


@dataclass(frozen=True, slots=True)
class Loss:
    """What one of the six big losses has cost; `money` is None where a piece's worth is not known.

    `seconds` of planned time; fewer than 0 for speed means that PRI is too slow.
    """

    name: LossName
    seconds: float
    money: float | None

    @property
    def minutes(self) -> float:
        """The time in minutes."""
        return self.seconds / SECONDS_PER_MINUTE


def total(elements: Iterable[Elements]) -> Elements:
    """Roll up: sum times, pieces and counts.

    >>> half = Elements(pbt_s=100, apt_s=50, adot_s=50)
    >>> kpis(total([half, Elements(pbt_s=300, apt_s=300)])).availability
    0.875
    """
    return sum(elements, Elements())


def kpis(elements: Elements) -> Kpis:
    """Work out the KPIs.

    The example of the package `oee`: 420 min planned, 47 down, 60 pieces a minute, 19,271 pieces,
    423 of them rejected.

    >>> shift = Elements(pbt_s=420 * 60, apt_s=373 * 60, adot_s=47 * 60, good=19271 - 423,
    ...                  scrap=423, ideal_s=19271)
    >>> round(kpis(shift).oee, 4)
    0.7479
    """
    its, pieces = elements, elements.produced
    availability = _ratio(its.apt_s, its.pbt_s)
    effectiveness = _ratio(its.ideal_s, its.apt_s)
    quality = _ratio(its.good, pieces)
    oee = _product(availability, effectiveness, quality)
    return Kpis(
        availability=availability,
        effectiveness=effectiveness,
        quality_ratio=quality,
        oee=oee,
        teep=_product(oee, _ratio(its.pbt_s, its.calendar_s)),
        mtbf_h=_ratio(its.apt_s / SECONDS_PER_HOUR, its.failure_count),
        mttr_h=_ratio(its.failure_s / SECONDS_PER_HOUR, its.failure_count),
        scrap_ratio=_ratio(its.scrap, pieces),
        rework_ratio=_ratio(its.rework, pieces),
        throughput=_ratio(its.good * SECONDS_PER_HOUR, its.pbt_s),
        energy_per_good=_ratio(its.energy_kwh, its.good),
        co2e_per_good=_ratio(its.co2e_kg, its.good),
        idle_energy_ratio=_ratio(its.idle_kwh, its.energy_kwh),
        coverage=_ratio(its.pbt_s - its.unknown_s, its.pbt_s),
        good_share=_ratio(its.good_reading_count, its.reading_count),
    )


def losses(
    elements: Elements, *, worth_of_piece: float | None = None, units_per_hour: float | None = None
) -> tuple[Loss, ...]:
    """Split what planned time has lost into the six big losses, the largest first.

    Together with the ideal time of the good pieces, and the time of which nothing is known, they
    are the planned time. A second lost is worth 1/PRI pieces, `worth_of_piece` each: the price less
    the variable cost. Without PRI, which is `ideal_s` / PQ, time of stops alone is told; where no
    piece was made, PRI is that of `units_per_hour`.

    >>> broken = Elements(pbt_s=3600, adot_s=3600)
    >>> losses(broken, worth_of_piece=8.0, units_per_hour=120.0)[0]
    Loss(name='breakdown', seconds=3600.0, money=960.0)
    """
    its, pieces = elements, elements.produced
    stopped = {
        "breakdown": its.adot_s + its.delay_s - its.small_stop_s,
        "setup": its.setup_s,
        "small_stops": its.small_stop_s,
    }
    pri = _ratio(its.ideal_s, pieces)
    if units_per_hour and not pieces:
        pri = SECONDS_PER_HOUR / units_per_hour
    if pri is not None and its.ideal_s is not None:
        stopped |= {
            "reduced_speed": its.apt_s - its.ideal_s,
            "startup_rejects": pri * its.startup_scrap,
            "process_rejects": pri * (its.scrap - its.startup_scrap + its.rework),
        }
    worth = None if not pri or worth_of_piece is None else worth_of_piece / pri
    found = (
        Loss(name, seconds, _product(seconds, worth))  # type: ignore[arg-type]  # its own keys
        for name, seconds in stopped.items()
    )
    return tuple(sorted(found, key=lambda loss: -loss.seconds))


def pareto(parts: Iterable[tuple[str, float]]) -> list[tuple[str, float, float]]:
    """Sum up by name, the largest first: name, sum, share of all up to and with it.

    >>> pareto([("jam", 20.0), ("tool", 30.0), ("jam", 50.0)])
    [('jam', 70.0, 0.7), ('tool', 30.0, 1.0)]
    """
    sums: dict[str, float] = {}
    for name, amount in parts:
        sums[name] = sums.get(name, 0.0) + amount
    whole, so_far, rows = sum(sums.values()), 0.0, []
    for name, amount in sorted(sums.items(), key=lambda one: (-one[1], one[0])):
        so_far += amount
        rows.append((name, amount, so_far / whole if whole else 0.0))
    return rows


def _ratio(part: float | None, whole: float) -> float | None:
    return part / whole if part is not None and whole else None


def _product(*factors: float | None) -> float | None:
    product = 1.0
    for factor in factors:
        if factor is None:
            return None
        product *= factor
    return product
