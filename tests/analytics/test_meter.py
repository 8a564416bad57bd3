"""What a meter saves: published meters, known models, memory of the noise, refusals."""

from __future__ import annotations

import datetime as dt
import json
import math
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.meter import as_answer, change_point, memory, saving
from contracts.errors import DataError
from contracts.meter import Meter
from tests.bench.meter_coverage import FIRST, Plan, errors_of, meter_of, remembering

LATER = FIRST + dt.timedelta(days=365)


def simple(seed: int, remembered: float = 0.0) -> Meter:
    return meter_of(Plan(remembered, is_proportional=False, days=365), seed)[0]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("fuel", ["electricity", "gas"])
def test_a_published_meter_saved_a_tenth(shared_data: Path, fuel: str) -> None:
    file = f"meter_{fuel}.csv"
    folder = shared_data / "published"
    listed = tomllib.loads((folder / "figures.toml").read_text(encoding="utf-8"))["figure"]
    printed = next(one for one in listed if one["file"] == file)
    table = pd.read_csv(folder / file)
    days = pd.to_datetime(table["date"]).dt.date
    first = {name: days[table["period"] == name].iloc[0] for name in ("blackout", "reporting")}
    columns = {"date": days, "usage": table["usage"], "temperature": table["temperature_f"]}
    meter = Meter(pa.table({name: pa.array(column) for name, column in columns.items()}))
    found = saving(meter, first["reporting"], baseline_until=first["blackout"])
    assert found.share.estimate == pytest.approx(printed["value"], abs=printed["within"])
    assert found.share.low < printed["value"] < found.share.high
    assert found.share.high - found.share.low < 0.08
    assert found.baseline_days == found.reporting_days == 400
    # the samples' own balance points are 60 and 65 degrees
    assert (found.model.cooling > 0) == (fuel == "electricity")
    assert found.model.heating > 0


def test_a_saving_lies_in_its_interval_though_days_hang_together() -> None:
    # of 48 intervals at .9, fewer than 38 happen once in a hundred times
    inside = 0
    for seed in range(16):
        for remembered in (0.0, 0.5, 0.8):
            meter, true = meter_of(Plan(remembered, is_proportional=True, days=365), seed)
            inside += errors_of(saving(meter, LATER), true)[2]
    assert inside >= 38


def test_a_longer_memory_makes_a_wider_interval() -> None:
    found = [saving(simple(3, m), LATER) for m in (0.0, 0.8)]
    widths = [one.share.high - one.share.low for one in found]
    assert widths[1] > 2 * widths[0]
    assert found[0].independent_days > 3 * found[1].independent_days
    assert found[1].memory == pytest.approx(0.8, abs=0.1)


@settings(max_examples=15)
@given(
    heating=st.sampled_from([0.0, 0.7, 2.0]),
    cooling=st.sampled_from([0.0, 0.9, 3.0]),
    low=st.floats(8, 14),
    gap=st.floats(2, 6),
)
def test_a_model_without_noise_is_found(
    heating: float, cooling: float, low: float, gap: float
) -> None:
    t = torch.linspace(-5, 30, 365).double()
    usage = 30 + heating * torch.relu(low - t) + cooling * torch.relu(t - low - gap)
    found = change_point.fit(t, usage)
    rest = usage - change_point.predict(found, t)
    assert float(rest.abs().max()) < 0.05  # of 30 a day and more
    assert found.parameter_count >= 1 + 2 * (heating > 0) + 2 * (cooling > 0)


def test_noise_alone_has_no_slope() -> None:
    rng = np.random.default_rng(0)
    counts = [
        change_point.fit(
            torch.as_tensor(rng.uniform(0, 30, 365)), torch.as_tensor(rng.normal(9, 1, 365))
        ).parameter_count
        for _ in range(20)
    ]
    assert np.mean(np.equal(counts, 1)) > 0.7


def test_slopes_of_the_model_are_its_differences() -> None:
    model = change_point.Fitted(10.0, (2.0, 12.0), (3.0, 20.0))
    t = torch.tensor([5.0, 15.0, 25.0]).double()
    found = change_point.slopes(model, t)
    step = 1e-6
    moved = [
        change_point.Fitted(10.0 + step, (2.0, 12.0), (3.0, 20.0)),
        change_point.Fitted(10.0, (2.0 + step, 12.0), (3.0, 20.0)),
        change_point.Fitted(10.0, (2.0, 12.0 + step), (3.0, 20.0)),
        change_point.Fitted(10.0, (2.0, 12.0), (3.0 + step, 20.0)),
        change_point.Fitted(10.0, (2.0, 12.0), (3.0, 20.0 + step)),
    ]
    wanted = [
        (change_point.predict(one, t) - change_point.predict(model, t)) / step for one in moved
    ]
    torch.testing.assert_close(found, torch.stack(wanted, dim=1), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("remembered", [0.0, 0.5, 0.9])
def test_the_memory_of_noise_is_found_though_a_fit_has_taken_its_slow_part(
    remembered: float,
) -> None:
    year = np.cos(2 * np.pi * np.arange(365) / 365)
    basis, _ = torch.linalg.qr(torch.tensor(np.stack([np.ones(365), year], axis=1)))
    seen = torch.ones(365, dtype=torch.bool)
    found = []
    for seed in range(30):
        noise = torch.as_tensor(remembering(np.random.default_rng(seed), 365, remembered))
        rest = noise - basis @ (basis.T @ noise)
        found.append(float(memory.correlations(rest, seen, basis)[1]))
    assert np.mean(found) == pytest.approx(remembered, abs=0.03)


def test_days_without_usage_or_temperature_are_left_out_and_counted() -> None:
    meter = simple(1, 0.5)
    rows = meter.table.to_pydict()
    rows["usage"][7], rows["temperature"][400] = None, math.nan
    found = saving(Meter(pa.table(rows)), LATER)
    assert found.baseline_days == found.reporting_days == 364
    assert "2 of 730 days are left out" in found.warnings[0]


def test_half_a_year_and_unseen_weather_are_named() -> None:
    meter = simple(2)
    found = saving(Meter(meter.table.slice(0, 300)), FIRST + dt.timedelta(days=100))
    assert any("spans 100 days" in words for words in found.warnings)
    assert any("colder or warmer" in words for words in found.warnings)
    assert "not causal" in found.warnings[-1]


def test_a_saving_is_the_promised_json() -> None:
    answer = json.loads(json.dumps(as_answer(saving(simple(0), LATER))))
    assert sorted(answer["share"]) == ["estimate", "high", "low"]
    assert answer["share"]["estimate"] == pytest.approx(1 - answer["used"] / answer["expected"])
    assert answer["avoided"]["estimate"] == pytest.approx(answer["expected"] - answer["used"])
    assert abs(answer["nmbe"]) < 1e-6
    assert answer["cv_rmse"] == pytest.approx(0.2, abs=0.03)


def refused(table: pa.Table, since: dt.date = LATER) -> str:
    with pytest.raises(DataError) as caught:
        saving(Meter(table), since)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_meter_that_never_varies_has_saved_nothing() -> None:
    table = simple(0).table
    table = table.set_column(1, "usage", pa.array([5.0] * table.num_rows))
    found = saving(Meter(table), LATER)
    assert (found.share.low, found.share.estimate, found.share.high) == pytest.approx((0, 0, 0))


def test_nonsense_is_refused() -> None:
    table = simple(0).table
    assert "has the day 2022-01-01 twice" in refused(pa.concat_tables([table, table.slice(0, 1)]))
    assert "has 10 days" in refused(table, FIRST + dt.timedelta(days=10))
    assert "no day of the reporting period" in refused(table, dt.date(2030, 1, 1))
    assert "lacks the column 'usage'" in refused(table.drop_columns(["usage"]))
    words = pa.array(["much"] * table.num_rows)
    assert "not numeric" in refused(table.set_column(1, "usage", words))
    with pytest.raises(DataError, match="give it earlier"):
        saving(Meter(table), LATER, baseline_until=LATER + dt.timedelta(days=1))
    with pytest.raises(DataError, match="between 0 and 1"):
        saving(Meter(table), LATER, level=90)
