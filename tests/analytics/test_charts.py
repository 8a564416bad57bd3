"""Charts: deterministic, small, safe beside one another in one page."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from analytics import charts
from analytics.profit import Economics, at
from contracts.outcome import Gain, Interval, LineGain
from contracts.panel import Panel, Upgrades
from contracts.report import QualityRow, Series, Truth

START = date(2025, 1, 6)
HOSTILE = '<script>alert(1)</script> & "x" --> $a_b$ \x00 温度'
BYTES_MAX = 25_000


def panel_of(names: list[str], weeks: int = 60) -> Panel:
    rng = np.random.default_rng(1)
    lines = np.repeat(names, weeks)
    days = [START + timedelta(weeks=w) for w in range(weeks)] * len(names)
    output = rng.lognormal(7, 0.05, len(lines))
    return Panel(
        pa.table(
            {
                "line": pa.array(list(lines), pa.string()),
                "period": pa.array(days, pa.date32()),
                "output": output,
                "unit_cost": output,
            }
        )
    )


def upgrades_of(names: list[str], week: int = 20) -> Upgrades:
    days = pa.array([START + timedelta(weeks=week)] * len(names), pa.date32())
    return Upgrades(pa.table({"line": pa.array(names, pa.string()), "upgraded_on": days}))


def gain_of(names: list[str]) -> Gain:
    alpha, beta = Interval(1.2, 1.18, 1.22), Interval(0.1, 0.09, 0.11)
    return Gain(
        alpha=alpha,
        beta=beta,
        lines=tuple(LineGain(name, alpha, beta) for name in names),
        next_line=(alpha, beta),
        level=0.9,
        verdict="causal",
        warnings=(),
        draws=np.zeros((1, 2)),
        next_draws=np.zeros((1, 2)),
    )


def series_of(tag: str, count: int = 50_000) -> Series:
    value = np.sin(np.arange(count) / 900)
    quality = np.zeros(count, np.int8)
    value[::97], quality[::97] = 1e9, 2
    quality[5::89] = 1
    times = np.datetime64("2025-01-01", "us") + np.arange(count) * np.timedelta64(1_000_000, "us")
    return Series(tag, "mm/s", times, value, quality)


def index_chart() -> str:
    return charts.output_index(panel_of([HOSTILE, "b", "c", "d"]), upgrades_of([HOSTILE, "b"]))


def forest_chart() -> str:
    return charts.gain_forest(gain_of([HOSTILE, *map(str, range(60))]), truth=Truth(1.2, 0.1))


def bridge_chart() -> str:
    economics = Economics(good_units=1e5, unit_cost=10, price=15, running_cost=5e4, currency="¥")
    return charts.profit_bridge(at(1.2, 0.1, economics))


def quality_chart() -> str:
    return charts.quality_bars([QualityRow(name="L", readings=9, good=1, reasons=((HOSTILE, 8),))])


def series_chart() -> str:
    return charts.readings(series_of(HOSTILE))


CHARTS = [index_chart, forest_chart, bridge_chart, quality_chart, series_chart]


@pytest.fixture(params=CHARTS, ids=lambda chart: chart.__name__)
def chart(request: pytest.FixtureRequest) -> Callable[[], str]:
    drawn: Callable[[], str] = request.param
    return drawn


def test_a_chart_is_small_text_stays_text_and_names_are_escaped(chart: Callable[[], str]) -> None:
    svg = chart()
    assert len(svg.encode()) < BYTES_MAX
    assert "<text" in svg
    assert "<script" not in svg
    root = ET.fromstring(svg.replace("\x00", ""))  # noqa: S314 - our own text
    assert root.tag.endswith("svg")


def test_the_same_values_give_the_same_bytes(chart: Callable[[], str]) -> None:
    assert chart() == chart()


def test_a_chart_loads_nothing_from_anywhere(chart: Callable[[], str]) -> None:
    addresses = re.sub(r' xmlns(:\w+)?="[^"]*"', "", chart())
    assert "://" not in addresses


def test_several_charts_share_a_page_without_sharing_ids() -> None:
    page = "".join(draw() for draw in CHARTS) + charts.readings(series_of("b"), ident="series-2")
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="|url\()#([^")]*)', page)) <= set(ids)


def test_the_index_is_100_before_the_first_upgrade() -> None:
    index, _ = charts._indexed(panel_of(["a", "b"]), upgrades_of(["a"]))
    before = index[index.index < np.datetime64(START + timedelta(weeks=20))]
    assert before.mean().to_numpy() == pytest.approx([100, 100])


@pytest.mark.parametrize("names", [[], ["a", "b"], ["elsewhere"]])
def test_the_index_is_drawn_whichever_lines_are_upgraded(names: list[str]) -> None:
    assert "<svg" in charts.output_index(panel_of(["a", "b"]), upgrades_of(names))


def test_the_index_is_drawn_when_nothing_came_before_the_upgrade() -> None:
    assert "<svg" in charts.output_index(panel_of(["a", "b"]), upgrades_of(["a"], week=-1))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_series_of_any_length_is_drawn(count: int) -> None:
    assert "<svg" in charts.readings(series_of("a", count))


def test_a_series_without_a_good_reading_is_drawn() -> None:
    times = np.arange(3).astype("datetime64[us]")
    series = Series("a", "", times, np.array([np.nan, 1.0, 1.0]), np.full(3, 2, np.int8))
    assert "bad" in charts.readings(series)


def test_a_bridge_of_losses_is_drawn() -> None:
    economics = Economics(good_units=10, unit_cost=3, price=2, fixed_cost=5)
    assert "−" in charts.profit_bridge(at(1.5, -0.1, economics))  # noqa: RUF001 - the sign itself
