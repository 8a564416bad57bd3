"""Turns configuration and panel into what analytics takes: names, prices, upgrades, economics."""

from __future__ import annotations

import math
from dataclasses import replace

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from analytics.panel import Built, MetricNames, Prices, build
from analytics.profit import Component, Economics, Plant
from contracts.errors import ConfigError, DataError
from contracts.panel import Panel, Upgrades
from gainline.config.loading import Settings
from gainline.config.sections import ComponentSection

DAYS_PER_YEAR = 365.25


def metric_names(settings: Settings) -> MetricNames:
    """Say which metric of a line is which."""
    section = settings.panel
    return MetricNames(
        good_units=section.good_count,
        energy_kwh=section.energy_kwh,
        material_kg=section.material_kg,
        state=section.state,
        mix=section.mix,
        ambient_c=section.ambient_c,
    )


def prices(settings: Settings) -> Prices:
    """Give the prices of what a good unit consumes."""
    section = settings.prices
    return Prices(
        energy_per_kwh=section.energy_per_kwh,
        material_per_kg=section.material_per_kg,
        labour_per_hour=section.labour_per_hour,
        maintenance_per_hour=section.maintenance_per_hour,
    )


def built_panel(settings: Settings, periods: pa.Table) -> Built:
    """Build the panel of what the store says of periods. Raises as analytics.panel.build."""
    return build(
        periods,
        names=metric_names(settings),
        prices=prices(settings),
        coverage_min=settings.panel.coverage_min,
    )


def upgrades(settings: Settings) -> Upgrades:
    """Give the upgrades of the configuration."""
    return Upgrades(
        pa.table(
            {
                "line": pa.array([each.line for each in settings.upgrades], pa.string()),
                "upgraded_on": pa.array(
                    [each.upgraded_on for each in settings.upgrades], pa.date32()
                ),
            }
        )
    )


def economics(settings: Settings, whole: Panel, periods: pa.Table) -> Economics:
    """Describe one upgraded line in the year before its upgrade: the mean over those lines.

    Output and cost are those of the panel's periods before each line's upgrade, taken to a year. A
    line that is upgraded after the panel's last period is none of them, as in the gain.
    Raises DataError where there is no such period.
    """
    upgraded = _so_far(upgrades(settings), whole)
    before = _before_upgrade(whole, upgraded)
    energy = _energy(before, periods, settings) / pc.sum(before["output"]).as_py()
    measured = measured_economics(settings, before, days_per_period(whole), energy)
    return replace(measured, line_count=upgraded.num_rows)


def panel_economics(settings: Settings, whole: Panel, upgraded: Upgrades) -> Economics:
    """Describe one upgraded line likewise, its energy by the configuration."""
    so_far = _so_far(upgraded, whole)
    before = _before_upgrade(whole, so_far)
    energy = settings.economics.energy_kwh_per_unit or 0.0
    measured = measured_economics(settings, before, days_per_period(whole), energy)
    return replace(measured, line_count=so_far.num_rows)


def is_stated(settings: Settings) -> bool:
    """Tell whether the configuration says what a line made and spent before its upgrade."""
    section = settings.economics
    return section.plant is not None or None not in (section.good_units_per_year, section.unit_cost)


def stated_economics(settings: Settings) -> Economics:
    """Describe one line by the configuration alone.

    Raises ConfigError where that does not say what the line made and spent before its upgrade.
    """
    section = settings.economics
    if section.plant is not None:
        plant = Plant(
            **msgspec.structs.asdict(section.plant),
            energy_price_per_kwh=settings.prices.energy_per_kwh,
        )
        return _economics(
            settings,
            good_units=section.good_units_per_year or plant.good_units,
            unit_cost=section.unit_cost or plant.unit_cost,
            energy_kwh_per_unit=plant.energy_kwh_per_unit,
            components=plant.components,
        )
    if section.good_units_per_year is None or section.unit_cost is None:
        raise ConfigError(
            "economics: good_units_per_year and unit_cost are not set; give both, or plant, or a"
            " panel to measure them on, or ask for the ratio alone of a contract at cost plus"
            " (--model cost_plus)"
        )
    return _economics(
        settings,
        good_units=section.good_units_per_year,
        unit_cost=section.unit_cost,
        energy_kwh_per_unit=section.energy_kwh_per_unit or 0.0,
    )


def is_priced(settings: Settings) -> bool:
    """Tell whether the configuration says what a unit sells for."""
    section = settings.economics
    return section.pricing == "cost_plus" or section.price_per_unit is not None


def require_prices(settings: Settings) -> None:
    """Raise ConfigError where nothing is said of what a unit sells for."""
    if not is_priced(settings):
        raise ConfigError(
            "economics.price_per_unit: it is not set, so what a unit sells for is not known; give"
            " --config FILE with it and what else is true of your lines"
        )


def measured_economics(
    settings: Settings, rows: pa.Table, days: float, energy_kwh_per_unit: float
) -> Economics:
    """Describe one line by rows of a panel whose periods are so many days long, taken to a year."""
    output, cost = pc.sum(rows["output"]).as_py(), _sum_of_products(rows)
    return _economics(
        settings,
        good_units=output / rows.num_rows * DAYS_PER_YEAR / days,
        unit_cost=cost / output,
        energy_kwh_per_unit=energy_kwh_per_unit,
    )


def _economics(
    settings: Settings,
    *,
    good_units: float,
    unit_cost: float,
    energy_kwh_per_unit: float,
    components: tuple[Component, ...] = (),
) -> Economics:
    require_prices(settings)
    section, priced = settings.economics, settings.prices
    is_fixed = section.pricing == "fixed_price"
    return Economics(
        good_units=good_units,
        unit_cost=unit_cost,
        price=section.price_per_unit if is_fixed else None,
        margin=None if is_fixed else section.margin,
        fixed_cost=section.fixed_cost_per_year,
        running_cost=section.running_cost_per_year,
        investment=section.investment,
        years=section.horizon_years,
        discount_rate=section.discount_rate,
        tax_rate=section.tax_rate,
        depreciation_years=section.depreciation_years,
        demand_units=math.inf if section.demand_per_year is None else section.demand_per_year,
        components=_components(section.components, components),
        energy_kwh_per_unit=energy_kwh_per_unit,
        energy_price_per_kwh=priced.energy_per_kwh,
        co2_kg_per_kwh=priced.co2_kg_per_kwh,
        co2_price_per_t=priced.co2_price_per_t,
        co2_source=priced.co2_source,
        currency=priced.currency,
    )


def _components(
    said: tuple[ComponentSection, ...], known: tuple[Component, ...]
) -> tuple[Component, ...]:
    """Take the parts that are said; of a plant, whose shares are known, only their betas."""
    if not known:
        without = [each.name for each in said if each.share is None]
        if without:
            raise ConfigError(f"economics.components: {without[0]} has no share; give one")
        return tuple(
            Component(name=each.name, share=each.share or 0.0, beta=each.beta) for each in said
        )
    names = [part.name for part in known]
    for each in said:
        if each.name not in names or each.share is not None:
            raise ConfigError(
                f"economics.components: with plant a component is one of {', '.join(names)} and"
                f" has a beta alone, not {each.name} with share {each.share}"
            )
    betas = {each.name: each.beta for each in said}
    return tuple(replace(part, beta=betas.get(part.name)) for part in known)


def _so_far(upgraded: Upgrades, whole: Panel) -> pa.Table:
    """Give line and day of the upgrades until the panel's last period."""
    table = upgraded.table.select(["line", "upgraded_on"])
    return table.filter(pc.less_equal(table["upgraded_on"], pc.max(whole.table["period"])))


def _before_upgrade(whole: Panel, upgraded: pa.Table) -> pa.Table:
    joined = whole.table.join(upgraded, keys="line", join_type="inner")
    before = joined.filter(pc.less(joined["period"], joined["upgraded_on"]))
    if before.num_rows == 0:
        raise DataError(
            "no upgraded line has a period before its upgrade: report over a longer time"
        )
    return before


def _sum_of_products(before: pa.Table) -> float:
    return float(pc.sum(pc.multiply(before["output"], before["unit_cost"])).as_py())


def _energy(before: pa.Table, periods: pa.Table, settings: Settings) -> float:
    """Sum the energy, in kWh, of exactly those lines and periods."""
    metered = periods.filter(pc.field("metric") == settings.panel.energy_kwh)
    matched = before.select(["line", "period"]).join(
        metered.select(["line", "period", "increase"]), keys=["line", "period"], join_type="inner"
    )
    return float(pc.sum(matched["increase"]).as_py() or 0.0)


def days_per_period(whole: Panel) -> float:
    """Give the most frequent distance of two neighbouring periods, in days."""
    days = pc.unique(whole.table["period"]).sort().cast(pa.int32())
    if len(days) < 2:
        raise DataError("the panel has a single period: report over a longer time")
    return float(pc.mode(pc.subtract(days[1:], days[:-1]))[0]["mode"].as_py())
