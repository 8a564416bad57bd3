"""Turns configuration and panel into what analytics takes: names, prices, upgrades, economics."""

from __future__ import annotations

import math
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from analytics.panel import MetricNames, Prices
from analytics.profit import Economics
from contracts.errors import ConfigError, DataError
from contracts.panel import Panel, Upgrades
from gainline.config import Settings

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
    return Prices(energy_per_kwh=section.energy_per_kwh, material_per_kg=section.material_per_kg)


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

    Output and cost are those of the panel's periods before each line's upgrade, taken to a year.
    Raises DataError where there is no such period.
    """
    before = _before_upgrade(whole, upgrades(settings))
    output, cost = pc.sum(before["output"]).as_py(), _sum_of_products(before)
    measured = _economics(
        settings,
        good_units=output / before.num_rows * DAYS_PER_YEAR / _days_per_period(whole),
        unit_cost=cost / output,
    )
    energy = _energy(before, periods, settings) / output
    return replace(measured, energy_kwh_per_unit=energy, line_count=len(settings.upgrades))


def stated_economics(settings: Settings) -> Economics:
    """Describe one line by the configuration alone.

    Raises ConfigError where that does not say what the line made and spent before its upgrade.
    """
    section = settings.economics
    if section.good_units_per_year is None or section.unit_cost is None:
        raise ConfigError(
            "economics: good_units_per_year and unit_cost are not set; the model fixed_price"
            " needs both"
        )
    return _economics(settings, good_units=section.good_units_per_year, unit_cost=section.unit_cost)


def _economics(settings: Settings, *, good_units: float, unit_cost: float) -> Economics:
    section = settings.economics
    return Economics(
        good_units=good_units,
        unit_cost=unit_cost,
        price=section.price_per_unit,
        fixed_cost=section.fixed_cost_per_year,
        running_cost=section.running_cost_per_year,
        investment=section.investment,
        years=section.horizon_years,
        discount_rate=section.discount_rate,
        demand_units=math.inf if section.demand_per_year is None else section.demand_per_year,
        co2_kg_per_kwh=settings.prices.co2_kg_per_kwh,
        co2_source=settings.prices.co2_source,
        currency=settings.prices.currency,
    )


def _before_upgrade(whole: Panel, upgraded: Upgrades) -> pa.Table:
    joined = whole.table.join(upgraded.table, keys="line", join_type="inner")
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


def _days_per_period(whole: Panel) -> float:
    """Give the most frequent distance of two neighbouring periods, in days."""
    days = pc.unique(whole.table["period"]).sort().cast(pa.int32())
    if len(days) < 2:
        raise DataError("the panel has a single period: report over a longer time")
    return float(pc.mode(pc.subtract(days[1:], days[:-1]))[0]["mode"].as_py())
