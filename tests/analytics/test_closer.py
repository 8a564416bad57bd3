"""A closer look: a gain is where it should be, and nothing is where nothing should be."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pyarrow as pa
import pytest

from analytics import gain, gain_charts
from contracts.closer import CloserLook
from contracts.errors import DataError
from contracts.panel import Panel, Upgrades
from tests.analytics.test_gain import plant, week


def looked(seed: int, alpha: float = 1.2, dip: float = 1.0, **options: int) -> CloserLook:
    """Look at a plant whose output is lower by a factor in four weeks before each upgrade."""
    panel, upgrades = plant(seed, alpha=alpha)
    begin = dict(zip(upgrades["line"], upgrades["upgraded_on"], strict=True))
    for n, (line, day) in enumerate(zip(panel["line"], panel["period"], strict=True)):
        is_near = line in begin and -4 <= (day - begin[line]).days // 7 < 0
        panel["output"][n] *= dip if is_near else 1.0
    return gain.look_closer(Panel(pa.table(panel)), Upgrades(pa.table(upgrades)), **options)


def test_the_course_is_flat_before_and_at_the_gain_after() -> None:
    look = looked(1)
    before = [step for step in look.course if step.last < 0]
    after = [step for step in look.course if step.first >= 0]
    assert look.course[0].first == -26
    assert look.course[-1].last == 21
    assert {step.line_count for step in after[:7]} == {6}
    assert np.mean([step.alpha.low < 1 < step.alpha.high for step in before]) > 0.75
    assert np.mean([step.alpha.low < 1.2 < step.alpha.high for step in after]) > 0.75
    assert np.mean([step.alpha.low > 1 for step in after]) > 0.9
    assert look.in_time is not None
    assert look.in_time[0].low < 1 < look.in_time[0].high


def test_steps_of_the_course_hold_no_effect_as_often_as_they_say() -> None:
    inside = [
        step.alpha.low < 1 < step.alpha.high
        for seed in range(12)
        for step in looked(100 + seed, alpha=1.0).course
    ]
    assert 0.84 < np.mean(inside) < 0.96  # about 500, which hang together by the plant


def test_a_dip_before_the_upgrade_is_seen_and_leaving_it_out_matters() -> None:
    look = looked(2, dip=0.85)
    near = [step for step in look.course if -4 <= step.first < 0]
    assert all(step.alpha.high < 1 for step in near)
    assert look.in_time is not None
    assert look.in_time[0].high < 1
    by = {one.anticipation: one.alpha.estimate for one in look.anticipations}
    assert list(by) == [0, 2, 4, 8]
    assert by[0] - by[4] > 0.02
    assert by[4] == pytest.approx(by[8], abs=0.02)


def test_placebos_are_all_lines_without_upgrade_and_scatter_around_none() -> None:
    look = looked(3)
    assert [one.line for one in look.placebos] == [f"L{n:02}" for n in range(6, 14)]
    assert np.mean([np.log(one.alpha) for one in look.placebos]) == pytest.approx(0, abs=0.005)
    assert np.std([np.log(one.alpha) for one in look.placebos]) < 0.05


def test_a_long_panel_is_shown_in_steps_of_some_periods() -> None:
    panel, upgrades = plant(4)
    days = {week(n): week(0) + n * (week(1) - week(0)) / 7 for n in range(40)}
    daily = dict(panel, period=[days[day] for day in panel["period"]])
    dates = [days[day] for day in upgrades["upgraded_on"]]
    look = gain.look_closer(
        Panel(pa.table(daily)), Upgrades(pa.table(dict(upgrades, upgraded_on=dates))), ramp=2
    )
    widths = {step.last - step.first + 1 for step in look.course[1:-1]}
    assert widths == {2}
    assert len(look.course) <= 41
    assert any(step.first == 0 for step in look.course)


def test_without_lines_to_compare_with_there_is_nothing_to_see() -> None:
    panel, upgrades = plant(5, lines=7)
    with pytest.raises(DataError, match="1 lines without upgrade"):
        gain.look_closer(Panel(pa.table(panel)), Upgrades(pa.table(upgrades)))


def test_each_part_is_drawn() -> None:
    look = looked(6)
    panel, upgrades = plant(6, alpha=1.2)
    fitted = gain.fit(Panel(pa.table(panel)), Upgrades(pa.table(upgrades)))
    for svg in (
        gain_charts.gain_course(look),
        gain_charts.gain_placebos(look, fitted),
        gain_charts.gain_anticipation(look),
    ):
        assert ET.fromstring(svg).tag.endswith("svg")  # noqa: S314 - our own
        assert len(svg) < 40_000
    assert gain_charts.gain_course(look) == gain_charts.gain_course(look)
