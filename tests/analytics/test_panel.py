"""The panel: its figures, and what does not get into it."""

from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest

from analytics.panel import Built, MetricNames, Prices, build
from contracts.errors import ConfigError, DataError

NAMES = MetricNames(
    good_units="good",
    energy_kwh="energy",
    material_kg="material",
    state="state",
    mix="mix",
    ambient_c="ambient",
)
PRICES = Prices(energy_per_kwh=0.2, material_per_kg=1.5)
START = date(2025, 1, 6)


def long_table(
    *, lines: int = 2, weeks: int = 4, change: dict[tuple[str, int, str], Any] | None = None
) -> list[dict[str, Any]]:
    """Rows of the long table; `change` replaces columns of (line, week, metric)."""
    rows = []
    for line in (f"L{i}" for i in range(lines)):
        for week in range(weeks):
            for metric, column, value in (
                ("good", "increase", 1000.0 + week),
                ("energy", "increase", 5000.0),
                ("material", "increase", 2000.0),
                ("state", "active_share", 0.5),
                ("mix", "mean", 0.3),
                ("ambient", "mean", 21.0),
            ):
                row = {"line": line, "period": START + timedelta(weeks=week), "metric": metric}
                row |= dict.fromkeys(("increase", "mean", "active_share"))
                row |= {"count": 100, "good_count": 99, column: value}
                rows.append(row | ((change or {}).get((line, week, metric)) or {}))
    return rows


def built(rows: list[dict[str, Any]], names: MetricNames = NAMES) -> Built:
    return build(pa.Table.from_pylist(rows), names=names, prices=PRICES)


def test_output_and_unit_cost_are_those_of_a_hand_computation() -> None:
    result = built(long_table())
    row = result.panel.table.to_pylist()[1]
    assert row == {
        "line": "L0",
        "period": date(2025, 1, 13),
        "output": 1001.0,
        "unit_cost": pytest.approx((5000 * 0.2 + 2000 * 1.5) / 1001),
        "load_hours": 0.5 * 7 * 24,
        "mix": 0.3,
        "ambient_c": 21.0,
    }
    assert result.panel.table.num_rows == 8
    assert result.left_out == ()
    assert result.coverage.to_pylist()[0]["coverage"] == 1.0


def test_covariates_are_those_that_are_named() -> None:
    result = built(long_table(), names=MetricNames(good_units="good", energy_kwh="energy"))
    assert result.panel.covariates == ()
    cost = result.panel.table["unit_cost"][0].as_py()
    assert cost == pytest.approx(5000 * 0.2 / 1000)


@pytest.mark.parametrize(
    ("metric", "change", "reason", "detail"),
    [
        ("energy", {"good_count": 50}, "coverage", "energy 50 %"),
        ("good", {"increase": 0.0}, "no_output", "0.0"),
        ("good", {"increase": -5.0}, "no_output", "-5.0"),
        ("ambient", {"mean": None}, "missing", "ambient"),
        ("mix", {"mean": float("nan")}, "missing", "mix"),
        ("state", {"active_share": 0.0}, "no_load", "0.0"),
    ],
)
def test_a_period_that_cannot_be_used_is_left_out_with_the_reason(
    metric: str, change: dict[str, Any], reason: str, detail: str
) -> None:
    result = built(long_table(change={("L1", 2, metric): change}))
    (gone,) = result.left_out
    assert (gone.line, gone.period, gone.reason, gone.detail) == (
        "L1",
        START + timedelta(weeks=2),
        reason,
        detail,
    )
    assert result.panel.table.num_rows == 7
    assert result.coverage.num_rows == 7


def test_a_line_stands_at_its_site_where_every_lines_site_is_known() -> None:
    rows = [row | {"site": {"L0": "lyon", "L1": "turin"}[row["line"]]} for row in long_table()]
    assert built(rows).panel.table["site"].to_pylist() == ["lyon"] * 4 + ["turin"] * 4
    nowhere = [row | {"site": row["site"] if row["line"] == "L0" else None} for row in rows]
    assert "site" not in built(nowhere).panel.table.column_names


def test_a_period_that_costs_nothing_is_left_out() -> None:
    nothing = {("L0", 0, metric): {"increase": 0.0} for metric in ("energy", "material")}
    (gone,) = built(long_table(change=nothing)).left_out
    assert gone.reason == "no_cost"


def test_a_period_without_a_single_reading_is_listed_too() -> None:
    rows = [
        row
        for row in long_table()
        if (row["line"], row["period"]) != ("L1", START + timedelta(weeks=1))
    ]
    (gone,) = built(rows).left_out
    assert (gone.line, gone.reason) == ("L1", "missing")


def test_the_first_reason_is_the_one_given() -> None:
    change = {("L0", 1, "good"): {"increase": 0.0, "good_count": 1}}
    (gone,) = built(long_table(change=change)).left_out
    assert gone.reason == "coverage"


def test_a_line_with_few_readings_is_not_taken_for_one_with_gaps() -> None:
    rows = [
        row | ({"count": 4, "good_count": 4} if row["line"] == "L1" else {}) for row in long_table()
    ]
    assert built(rows).left_out == ()


def test_a_metric_that_has_no_good_reading_anywhere_on_a_line_covers_nothing() -> None:
    rows = [
        row | ({"good_count": 0} if (row["line"], row["metric"]) == ("L1", "ambient") else {})
        for row in long_table()
    ]
    assert {gone.reason for gone in built(rows).left_out} == {"coverage"}


def test_days_are_recognised_as_periods() -> None:
    rows = [row | {"period": START + (row["period"] - START) / 7} for row in long_table(weeks=3)]
    assert built(rows).panel.table["load_hours"][0].as_py() == 12.0


def without(column: str) -> pa.Table:
    return pa.Table.from_pylist(long_table()).drop_columns([column])


@pytest.mark.parametrize(
    ("table", "word"),
    [
        (without("mean"), "'mean'"),
        (pa.Table.from_pylist(long_table() + long_table()[:1]), "twice"),
        (pa.Table.from_pylist([row | {"line": None} for row in long_table()]), "no line"),
        (
            pa.Table.from_pylist([row for row in long_table() if row["metric"] != "mix"]),
            "'mix'",
        ),
        (pa.Table.from_pylist([row | {"period": "soon"} for row in long_table()]), "types"),
        (pa.Table.from_pylist(long_table(weeks=1)), "only one period"),
        (pa.Table.from_pylist([row | {"increase": 0.0} for row in long_table()]), "no period is"),
        (pa.Table.from_pylist(long_table()).slice(0, 0), "no line has the metric"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_in_one_line(table: pa.Table, word: str) -> None:
    with pytest.raises(DataError, match=word) as refusal:
        build(table, names=NAMES, prices=PRICES)
    assert "\n" not in str(refusal.value)


def test_names_and_prices_that_cannot_be_meant_are_refused() -> None:
    with pytest.raises(ConfigError, match="unit cost"):
        MetricNames(good_units="good")
    with pytest.raises(ConfigError, match="twice"):
        MetricNames(good_units="good", energy_kwh="good")
    with pytest.raises(ConfigError, match="material_per_kg"):
        Prices(energy_per_kwh=0.1, material_per_kg=-1)
