"""What a report looks at more closely, and where it does not."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import numpy as np
import pyarrow as pa

from contracts.panel import Panel, Upgrades
from contracts.periods import PERIODS_SCHEMA
from contracts.report import Report
from gainline.config.loading import Settings
from gainline.config.sections import EconomicsSection, PanelSection, UpgradeSection
from gainline.reports import reporting
from gainline.reports.reporting import LOOKED_AT_ROWS_MAX, course_of
from tests.analytics.test_gain import plant

MONDAY = date(2024, 1, 1)


def test_the_course_of_a_gain_is_looked_at() -> None:
    panel, upgrades = plant(1, alpha=1.2)
    look = course_of(Panel(pa.table(panel)), Upgrades(pa.table(upgrades)), Settings())
    assert look is not None
    assert look.level == Settings().gain.level
    assert {step.first < 0 for step in look.course} == {True, False}


def test_without_lines_to_compare_with_there_is_no_course() -> None:
    panel, upgrades = plant(1, alpha=1.2)
    lines = sorted(set(panel["line"]))
    everywhere = {"line": lines, "upgraded_on": [upgrades["upgraded_on"][0]] * len(lines)}
    table = Upgrades(pa.table(everywhere))
    assert course_of(Panel(pa.table(panel)), table, Settings()) is None


def test_a_panel_that_would_take_long_is_not_looked_at() -> None:
    weeks = 110
    lines = LOOKED_AT_ROWS_MAX // weeks + 1
    noise = np.random.default_rng(1).lognormal(0, 0.01, lines * weeks)
    table = pa.table(
        {
            "line": [f"line {i}" for i in range(lines) for _ in range(weeks)],
            "period": pa.array([MONDAY + timedelta(weeks=w) for w in range(weeks)] * lines),
            "output": noise,
            "unit_cost": noise,
        }
    )
    upgraded = {"line": ["line 0"], "upgraded_on": [MONDAY + timedelta(weeks=50)]}
    assert course_of(Panel(table), Upgrades(pa.table(upgraded)), Settings()) is None


def test_a_report_states_no_profit_at_a_price_that_nobody_gave() -> None:
    panel, upgrades = plant(1, alpha=1.2)
    output = np.array(panel["output"])
    counters = {
        "good_count": output,
        "energy_kwh": output * np.array(panel["unit_cost"]),
        "material_kg": output,
        "state": output,
    }
    rows = [
        {"line": line, "period": day, "metric": metric, "increase": float(value)}
        | {"mean": None, "active_share": 0.5, "count": 9, "good_count": 9}
        for metric, values in counters.items()
        for line, day, value in zip(panel["line"], panel["period"], values, strict=True)
    ]
    periods = pa.Table.from_pylist(rows, schema=PERIODS_SCHEMA)
    told = zip(upgrades["line"], upgrades["upgraded_on"], strict=True)
    settings = Settings(
        panel=PanelSection(mix=None, ambient_c=None),
        upgrades=tuple(UpgradeSection(line=line, upgraded_on=day) for line, day in told),
    )
    empty = Report(title="Report", made_at=datetime.now(UTC), period=(MONDAY, MONDAY))
    report = reporting._with_gain(empty, periods, settings)
    assert (report.gain is not None, report.profit) == (True, None)
    priced = msgspec.structs.replace(settings, economics=EconomicsSection(price_per_unit=20.0))
    assert reporting._with_gain(empty, periods, priced).profit is not None
