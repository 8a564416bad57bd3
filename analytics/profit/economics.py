"""What the profit model is told of a line: its output, costs, prices, taxes and investment."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

from contracts.errors import ConfigError

ENERGY = "energy"  # the component that kWh and carbon follow
SHARES_TOLERANCE = 1e-6  # shares are written by hand, in a few digits
_WORDS = {"currency", "co2_source", "components"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A part of the unit cost: `share` of it, and what the upgrade removes of that part.

    `beta` is that part's own fraction removed; None: the beta that was measured; 0: nothing. The
    component `energy` is the one whose beta kWh and carbon follow.
    """

    name: str
    share: float
    beta: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ConfigError(
                f"the component {self.name} has the share {self.share}: give one from 0 to 1"
            )
        if self.beta is not None and not -math.inf < self.beta < 1:
            raise ConfigError(
                f"the component {self.name} has the beta {self.beta}: give one below 1"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """Where output and unit cost of one line come from, if they are not measured.

    `oee` as in ISO 22400-2, a share. Costs in one currency.

    >>> plant = Plant(hours_per_year=6000, units_per_hour=60, oee=0.65,
    ...               material_cost_per_unit=10, energy_kwh_per_unit=1.8,
    ...               energy_price_per_kwh=0.15, labour_cost_per_hour=58,
    ...               maintenance_cost_per_hour=20)
    >>> round(plant.good_units), round(plant.unit_cost, 2), round(plant.measured_share, 3)
    (234000, 12.27, 0.837)
    >>> [(part.name, round(part.share, 3)) for part in plant.components]
    [('energy', 0.022), ('material', 0.815), ('labour', 0.121), ('maintenance', 0.042)]
    """

    hours_per_year: float
    units_per_hour: float
    oee: float
    material_cost_per_unit: float
    energy_kwh_per_unit: float
    energy_price_per_kwh: float
    labour_cost_per_hour: float
    maintenance_cost_per_hour: float

    @property
    def good_units(self) -> float:
        """Good units a year: Q0 = H r OEE."""
        return self.hours_per_year * self.units_per_hour * self.oee

    @property
    def unit_cost(self) -> float:
        """Variable cost per good unit: v0 = material + energy + (labour + upkeep) / (r OEE).

        Labour and maintenance (upkeep) are paid by the hour.
        """
        return math.fsum(self._costs.values())

    @property
    def measured_share(self) -> float:
        """Share of v0 that is material and energy, which is what the panel's unit cost holds."""
        return (self._costs["energy"] + self._costs["material"]) / self.unit_cost

    @property
    def components(self) -> tuple[Component, ...]:
        """The four parts of v0, beta acting on each."""
        whole = self.unit_cost
        return tuple(Component(name=name, share=cost / whole) for name, cost in self._costs.items())

    @property
    def _costs(self) -> dict[str, float]:
        """Money per good unit of each part."""
        good_per_hour = self.units_per_hour * self.oee
        return {
            ENERGY: self.energy_kwh_per_unit * self.energy_price_per_kwh,
            "material": self.material_cost_per_unit,
            "labour": self.labour_cost_per_hour / good_per_hour,
            "maintenance": self.maintenance_cost_per_hour / good_per_hour,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Economics:
    """What the profit model needs to know; every figure is of one line, money in `currency`.

    `good_units` a year and `unit_cost` per good unit are those before the upgrade. Either `price`
    per good unit is given, or `margin`: then the price is (1 + margin) x unit cost, before and
    after ("cost plus"). `fixed_cost` and `running_cost` (what the upgrade adds) are a year;
    `investment` is paid once, at the start; `years` and `discount_rate` (0.08 is 8 % a year) make
    the present value; `tax_rate` (0.25 is 25 %) is paid on the yearly change after straight-line
    depreciation of the investment over `depreciation_years` (None: over `years`). `demand_units` a
    year is the most that can be sold. `beta_share` is the share of `unit_cost` that beta was
    measured on: 1 for all of it, `Plant.measured_share` where the panel knows only energy and
    material; `components` say more and stand instead of it. `energy_price_per_kwh` is the price
    that is in `unit_cost`. `co2_price_per_t` is paid for the carbon of the energy and is not in
    `unit_cost`; `co2_source` says where `co2_kg_per_kwh` is from. Results are for `line_count`
    such lines.
    """

    good_units: float
    unit_cost: float
    price: float | None = None
    margin: float | None = None
    fixed_cost: float = 0.0
    running_cost: float = 0.0
    investment: float = 0.0
    years: int = 10
    discount_rate: float = 0.08
    tax_rate: float = 0.0
    depreciation_years: int | None = None
    demand_units: float = math.inf
    beta_share: float = 1.0
    components: tuple[Component, ...] = ()
    energy_kwh_per_unit: float = 0.0
    energy_price_per_kwh: float = 0.0
    co2_kg_per_kwh: float = 0.0
    co2_price_per_t: float = 0.0
    co2_source: str = ""
    line_count: int = 1
    currency: str = "EUR"

    def __post_init__(self) -> None:
        for name in (f.name for f in fields(self) if f.name not in _WORDS):
            self._require_number(name)
        if (self.price is None) == (self.margin is None):
            raise ConfigError("price and margin: give one of them, the other follows")
        for name in ("beta_share", "tax_rate"):
            if getattr(self, name) > 1:
                raise ConfigError(f"{name} is {getattr(self, name)}: give a share from 0 to 1")
        if self.demand_units < self.good_units:
            raise ConfigError(
                f"demand_units ({self.demand_units}) is below good_units ({self.good_units}), "
                "which are already sold: correct one of them"
            )
        self._require_components()

    def with_energy_price(self, price: float) -> Economics:
        """Give the same line at another price of energy: what its kWh cost more is in unit cost.

        >>> line = Economics(good_units=1, unit_cost=10, price=20, energy_kwh_per_unit=2,
        ...                  energy_price_per_kwh=0.1)
        >>> line.with_energy_price(0.6).unit_cost
        11.0
        """
        dearer = self.energy_kwh_per_unit * (price - self.energy_price_per_kwh)
        unit_cost = self.unit_cost + dearer
        whole = unit_cost if unit_cost > 0 else 1.0  # refused below
        costs = {part.name: part.share * self.unit_cost for part in self.components}
        costs[ENERGY] = costs.get(ENERGY, 0.0) + dearer
        return replace(
            self,
            unit_cost=unit_cost,
            energy_price_per_kwh=price,
            beta_share=(self.beta_share * self.unit_cost + dearer) / whole,
            components=tuple(
                replace(part, share=costs[part.name] / whole) for part in self.components
            ),
        )

    @property
    def parts(self) -> tuple[Component, ...]:
        """The unit cost in parts: the components, or what beta was measured on and the rest."""
        return self.components or (
            Component(name="measured", share=self.beta_share),
            Component(name="rest", share=1 - self.beta_share, beta=0.0),
        )

    @property
    def energy_beta(self) -> float | None:
        """The own beta of the energy, None where it is the beta that was measured."""
        return next((part.beta for part in self.components if part.name == ENERGY), None)

    @property
    def depreciated_years(self) -> int:
        """Over how many years the investment is written off."""
        return self.years if self.depreciation_years is None else self.depreciation_years

    def _require_number(self, name: str) -> None:
        value = getattr(self, name)
        if value is None:
            return
        if not value >= 0 or (math.isinf(value) and name != "demand_units"):
            raise ConfigError(f"{name} is {value}: give a number that is not negative")
        positive = {"good_units", "unit_cost", "price", "margin", "line_count", "years"}
        if value == 0 and name in positive | {"depreciation_years"}:
            raise ConfigError(f"{name} is 0: give a number above 0")

    def _require_components(self) -> None:
        if not self.components:
            return
        names = [part.name for part in self.components]
        if len(set(names)) < len(names):
            raise ConfigError(f"components: {names} has a name twice; name each part once")
        whole = math.fsum(part.share for part in self.components)
        if abs(whole - 1) > SHARES_TOLERANCE:
            raise ConfigError(f"components: the shares sum to {whole:g}; make them sum to 1")
