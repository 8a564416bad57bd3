"""What a report looks at more closely, and where it does not."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from contracts.panel import Panel, Upgrades
from gainline.config.loading import Settings
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
