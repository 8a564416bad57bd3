"""Turns the store's long table of periods into the panel the gain is fitted on.

Per line and period:

    output    = increase of the counter of good units
    unit_cost = (energy kWh x price + material kg x price + load hours x wage and upkeep) / output

Unit cost holds variable cost only: with fixed cost in it, more output would dilute it, and alpha
would be counted twice. Labour and maintenance belong to it where they are paid by the hour that a
line is loaded; what is paid whether it is or not is fixed cost, which the profit model has apart.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from contracts.errors import ConfigError, DataError
from contracts.outcome import LeftOut, LeftOutReason
from contracts.panel import SITE, Panel
from contracts.periods import PERIODS_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

# What is missing at the edge of a period is missing from the counter's increase, one for one. A
# tenth is the most that can be lost before an effect of the size upgrades have is drowned.
COVERAGE_MIN = 0.9
_KEY = ["line", "period", "metric"]
HOURS_PER_DAY = 24.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What a kWh, a kg and a load hour cost, in one currency, the same over the whole panel.

    A price that moved would look like an effect on cost; take one price for all periods.
    """

    energy_per_kwh: float
    material_per_kg: float
    labour_per_hour: float = 0.0
    maintenance_per_hour: float = 0.0

    @property
    def per_load_hour(self) -> float:
        """What an hour of a loaded line costs."""
        return self.labour_per_hour + self.maintenance_per_hour

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            price = getattr(self, name)
            if not 0 <= price < np.inf:
                raise ConfigError(f"{name} is {price}: give a price that is not negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricNames:
    """Which metric of a line is which; None where the plant has none.

    `good_units` counter of good pieces; `energy_kwh`, `material_kg` counters in that unit, one of
    them at least; `state` becomes load_hours; `mix` a share from 0 to 1; `ambient_c` degrees
    Celsius, of the line or of its site.
    """

    good_units: str
    energy_kwh: str | None = None
    material_kg: str | None = None
    state: str | None = None
    mix: str | None = None
    ambient_c: str | None = None

    def __post_init__(self) -> None:
        if self.energy_kwh is None and self.material_kg is None:
            raise ConfigError("neither energy_kwh nor material_kg is named: unit cost needs one")
        used = [name for _, name, _ in self.columns()]
        if len(set(used)) < len(used):
            raise ConfigError(f"one metric is named twice among {used}: name each once")

    def columns(self) -> list[tuple[str, str, str]]:
        """Give (what it is, name of the metric, column of the long table) of each one named."""
        read = (
            ("good_units", "increase"),
            ("energy_kwh", "increase"),
            ("material_kg", "increase"),
            ("state", "active_share"),
            ("mix", "mean"),
            ("ambient_c", "mean"),
        )
        named = [(role, getattr(self, role), column) for role, column in read]
        return [each for each in named if each[1] is not None]


@dataclass(frozen=True, slots=True)
class Built:
    """A panel, and beside it what did not get into it.

    `coverage` has one row per row of the panel, in its order: line, period, coverage (the least
    of the metrics').
    """

    panel: Panel
    left_out: tuple[LeftOut, ...]
    coverage: pa.Table


def build(
    periods: pa.Table,
    *,
    names: MetricNames,
    prices: Prices,
    coverage_min: float = COVERAGE_MIN,
    hours_per_period: float | None = None,
) -> Built:
    """Build the panel: one row per line and period, in that order.

    `periods` has one row per line, period (its first day) and metric, with the columns of
    PERIODS_SCHEMA. Metrics that are not named are ignored.

    The panel says of each line at which `site` it stands, if `periods` has such a column and knows
    it of every line. Its covariates are those named: load_hours (active_share x hours of the
    period), mix, ambient_c. Coverage is good_count / the number expected, which is the median over
    the line's periods of that metric, so that a line with few readings is not taken for one with
    gaps. A period is left out, with the reason, when a metric is missing or covered by less than
    `coverage_min`, or when output, cost or load hours are not above zero. `hours_per_period` is
    the most frequent distance of two periods if not given.

    Raises DataError where the table is not as said or nothing is left, ConfigError where hours have
    a price and no state tells them.
    """
    if prices.per_load_hour and names.state is None:
        raise ConfigError("an hour of labour or maintenance has a price, and no state is named")
    long = _checked(periods, names)
    hours = hours_per_period or _hours_per_period(long)
    wide = _widened(long, names)
    rows = _with_figures(wide, prices, hours)
    left_out = tuple(_left_out(rows, names, coverage_min))
    gone = pd.MultiIndex.from_tuples(
        [(each.line, each.period) for each in left_out], names=["line", "period"]
    )
    kept = rows.drop(index=gone)
    if kept.empty:
        first = left_out[0]
        raise DataError(
            f"no period is left for the panel: {len(left_out)} left out, the first "
            f"({first.line}, {first.period}) for {first.reason} {first.detail}; "
            "check the metrics' names and the readings"
        )
    table = _with_site(_table(kept, _panel_columns(names)), periods)
    return Built(Panel(table), left_out, _table(kept, ["coverage"]))


def _checked(periods: pa.Table, names: MetricNames) -> pd.DataFrame:
    long = _typed(periods)
    metrics = {metric for _, metric, _ in names.columns()}
    absent = sorted(metrics - set(long["metric"]))
    if absent:
        raise DataError(
            f"no line has the metric {absent[0]!r}: correct its name, or leave it out; "
            f"there are {sorted(set(long['metric'].dropna()))[:10]}"
        )
    long = long[long["metric"].isin(metrics)]
    if long[["line", "period"]].isna().any(axis=None):
        raise DataError("a period has no line or no date: leave such rows out of the query")
    twice = long[long.duplicated(_KEY)]
    if len(twice):
        line, period, metric = twice.iloc[0][_KEY]
        raise DataError(f"{line}, {period}, {metric} is there twice: group by all three")
    return long


def _typed(periods: pa.Table) -> pd.DataFrame:
    missing = [name for name in PERIODS_SCHEMA.names if name not in periods.column_names]
    if missing:
        raise DataError(
            f"the periods lack the column {missing[0]!r}: they need {PERIODS_SCHEMA.names}"
        )
    try:
        typed = periods.select(PERIODS_SCHEMA.names).cast(PERIODS_SCHEMA)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        cause = str(error).splitlines()[0]
        raise DataError(f"the periods are of other types ({cause}): cast them") from error
    return typed.to_pandas()


def _hours_per_period(long: pd.DataFrame) -> float:
    days = pd.to_datetime(long["period"]).drop_duplicates().sort_values().diff().dt.days.dropna()
    if days.empty:
        raise DataError("there is only one period: its length is not known, give hours_per_period")
    return float(days.mode().iloc[0]) * HOURS_PER_DAY


def _widened(long: pd.DataFrame, names: MetricNames) -> pd.DataFrame:
    """Give one row per line and period: each role's value, and its coverage as `of ROLE`."""
    expected = long.groupby(["line", "metric"])["good_count"].transform("median")
    long = long.assign(coverage=long["good_count"] / expected.where(expected > 0))
    # a period without a single reading is listed too
    every = pd.MultiIndex.from_product(
        [sorted(long["line"].unique()), _all_periods(long["period"])], names=["line", "period"]
    )
    by_metric = dict(iter(long.set_index(["line", "period"]).groupby("metric")))
    columns = {}
    for role, metric, column in names.columns():
        rows = by_metric[metric].reindex(every)
        columns[role] = rows[column]
        columns[f"of {role}"] = rows["coverage"].fillna(0.0)
    return pd.DataFrame(columns)


def _all_periods(there: pd.Series[Any]) -> list[date]:
    """Give every period from the first to the last; of months, which differ, those known."""
    known: list[date] = sorted(there.unique())
    lengths = [(after - before).days for before, after in pairwise(known)]
    if not lengths or any(length % min(lengths) for length in lengths):
        return known
    count = sum(lengths) // min(lengths)
    return [known[0] + timedelta(days=number * min(lengths)) for number in range(count + 1)]


def _with_figures(wide: pd.DataFrame, prices: Prices, hours: float) -> pd.DataFrame:
    cost = pd.Series(0.0, index=wide.index)
    for role, price in (
        ("energy_kwh", prices.energy_per_kwh),
        ("material_kg", prices.material_per_kg),
    ):
        if role in wide:
            cost = cost + wide[role] * price
    if prices.per_load_hour:
        cost = cost + wide["state"] * hours * prices.per_load_hour
    rows = wide.assign(
        output=wide["good_units"],
        unit_cost=cost / wide["good_units"].where(wide["good_units"] > 0),
        coverage=wide.filter(like="of ").min(axis=1).clip(upper=1),
    )
    return rows.assign(load_hours=wide["state"] * hours) if "state" in wide else rows


def _left_out(rows: pd.DataFrame, names: MetricNames, coverage_min: float) -> Iterator[LeftOut]:
    """Give each row that must go, with the first reason that applies."""
    why = pd.DataFrame({"reason": "", "detail": ""}, index=rows.index)
    for applies, reason, detail in _grounds(rows, names, coverage_min):
        first = applies & (why["reason"] == "")
        why.loc[first, "reason"] = reason
        why.loc[first, "detail"] = detail[first]
    gone = why[why["reason"] != ""]
    for line, period, reason, detail in gone.reset_index().itertuples(index=False, name=None):
        yield LeftOut(line, period, reason, detail)


def _grounds(
    rows: pd.DataFrame, names: MetricNames, coverage_min: float
) -> Iterator[tuple[pd.Series[bool], LeftOutReason, pd.Series[str]]]:
    """Give (rows it applies to, reason, detail of each row), the weightiest first."""
    for role, metric, _ in names.columns():
        yield ~np.isfinite(rows[role]), "missing", pd.Series(metric, index=rows.index)
    for role, metric, _ in names.columns():
        covered = rows[f"of {role}"]
        percent = np.floor(covered * 100).astype(int).astype(str)
        yield covered < coverage_min, "coverage", metric + " " + percent + " %"
    positive: tuple[tuple[str, LeftOutReason], ...] = (
        ("output", "no_output"),
        ("unit_cost", "no_cost"),
        ("load_hours", "no_load"),
    )
    for column, reason in positive:
        if column in rows:
            yield ~(rows[column] > 0), reason, rows[column].astype(str)


def _panel_columns(names: MetricNames) -> list[str]:
    covariates = (("state", "load_hours"), ("mix", "mix"), ("ambient_c", "ambient_c"))
    named = [column for role, column in covariates if getattr(names, role) is not None]
    return ["output", "unit_cost", *named]


def _with_site(panel: pa.Table, periods: pa.Table) -> pa.Table:
    if SITE not in periods.column_names:
        return panel
    known = zip(periods["line"].to_pylist(), periods[SITE].to_pylist(), strict=True)
    site_of = {line: site for line, site in known if site}
    sites = [site_of.get(line) for line in panel["line"].to_pylist()]
    return panel if None in sites else panel.append_column(SITE, pa.array(sites, pa.string()))


def _table(rows: pd.DataFrame, columns: list[str]) -> pa.Table:
    """Give line, period and these columns, ordered by line and period."""
    rows = rows.sort_index()
    lines, dates = (rows.index.get_level_values(name) for name in ("line", "period"))
    return pa.table(
        {
            "line": pa.array(lines, pa.string()),
            "period": pa.array(dates, pa.date32()),
            **{name: pa.array(rows[name], pa.float64()) for name in columns},
        }
    )
