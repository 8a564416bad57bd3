"""The simulated plant keeps true books, and its messages tell of them as a gateway would."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any

import numpy as np
import pytest

from contracts.errors import ConfigError
from ingest.plant.faults import SENTINEL, FaultKind
from ingest.plant.plan import PlantPlan, line_plans
from ingest.plant.sensors import COUNTERS, METRICS
from ingest.plant.simulation import Plant, simulate

SMALL = PlantPlan(seed=3, line_count=4, weeks=8, waves=(3, 4), ramp_weeks=1)
MINUTES_15 = 15 * 60 * 1000
WEEK_MS = 7 * 24 * 3_600_000


@cache
def small() -> Plant:
    return simulate(SMALL)


@cache
def received() -> dict[str, dict[str, list[Any]]]:
    """All columns per topic, put together from the messages by a reader of its own."""
    topics: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for topic, payload in small().messages():
        for name, values in json.loads(payload).items():
            if isinstance(values, list):
                topics[topic][name] += values
    return topics


def increases(columns: dict[str, list[Any]], metric: str) -> np.ndarray:
    """What a counter grew by per week: a step belongs to the week of its earlier reading."""
    totals = np.array(columns[metric], float)
    steps = np.diff(totals)
    steps = np.where(steps < 0, totals[1:], steps)
    weeks = (np.array(columns["ts"][:-1]) - SMALL.start_us // 1000) // WEEK_MS
    return np.bincount(weeks, steps, SMALL.weeks)


def is_whole(columns: dict[str, list[Any]]) -> np.ndarray:
    """Weeks of which no reading is missing, nor the one that ends them."""
    times = np.array(columns["ts"]) - SMALL.start_us // 1000
    there = np.bincount(times[:-1] // WEEK_MS, np.diff(times) == MINUTES_15, SMALL.weeks)
    return there == 672


def test_the_default_plant_is_as_large_as_promised() -> None:
    plant = simulate(PlantPlan())
    lines = line_plans(plant.plan)
    assert len({line.name for line in lines}) == 16
    assert len({line.site for line in lines}) == 2
    assert plant.upgrades.table.num_rows == 8
    assert len(set(plant.upgrades.table["upgraded_on"].to_pylist())) == 4
    assert plant.books.panel.table.num_rows == 16 * 52
    assert plant.reading_count > 5_000_000


def test_the_books_equal_what_complete_weeks_of_readings_say() -> None:
    books = small().books.panel.table.to_pandas().set_index(["line", "period"])
    checked = 0
    for topic, columns in received().items():
        good, kwh, kg = (increases(columns, m) for m in ("good_count", "energy_kwh", "material_kg"))
        for week in np.flatnonzero(is_whole(columns)):
            row = books.loc[(topic.split("/")[2], SMALL.monday(int(week)))]
            spent = kwh[week] * SMALL.price_kwh + kg[week] * SMALL.price_kg
            assert good[week] == row.output
            assert spent / good[week] == pytest.approx(row.unit_cost, rel=1e-4)
            checked += 1
    assert checked > SMALL.line_count * SMALL.weeks / 2


def test_counters_bridge_what_a_gateway_lost() -> None:
    assert small().outages
    books = small().books.panel.table.to_pandas().groupby("line").output.sum()
    for topic, columns in received().items():
        line = topic.split("/")[2]
        assert increases(columns, "good_count").sum() == pytest.approx(books[line], rel=0.01)


def test_the_books_covariates_equal_what_the_readings_say() -> None:
    books = small().books.panel.table.to_pandas().set_index(["line", "period"])
    faulty = {fault.tag for fault in small().faults}
    for topic, columns in received().items():
        weeks = (np.array(columns["ts"]) - SMALL.start_us // 1000) // WEEK_MS
        for week in np.flatnonzero(is_whole(columns)):
            row = books.loc[(topic.split("/")[2], SMALL.monday(int(week)))]
            here = weeks == week
            assert np.sum(np.array(columns["state"])[here] != 0) / 4 == row.load_hours
            assert np.array(columns["product_mix"])[here].mean() == pytest.approx(
                row.mix, abs=0.002
            )
            if f"{topic}/ambient_c" not in faulty:
                ambient = np.array(columns["ambient_c"], float)[here]
                assert ambient.mean() == pytest.approx(row.ambient_c, abs=0.1)


def test_upgrades_do_exactly_what_the_books_call_the_truth() -> None:
    without = simulate(replace(SMALL, alpha=1.0, beta=0.0, alpha_spread=0.0, beta_spread=0.0))
    truth = {gain.line: gain for gain in small().books.lines}
    upgraded_on = dict(zip(*small().upgrades.table.to_pydict().values(), strict=True))
    assert set(truth) == set(upgraded_on)
    real = small().books.panel.table.to_pylist()
    for row, other in zip(real, without.books.panel.table.to_pylist(), strict=True):
        gain = truth.get(row["line"])
        if gain is None or row["period"] < upgraded_on[row["line"]]:
            assert row == other
        elif (row["period"] - upgraded_on[row["line"]]).days >= 7 * SMALL.ramp_weeks:
            assert row["output"] / other["output"] == pytest.approx(gain.alpha, rel=2e-3)
            assert row["unit_cost"] / other["unit_cost"] == pytest.approx(1 - gain.beta, rel=2e-3)
        else:
            assert 1 < row["output"] / other["output"] < gain.alpha


def test_the_programme_is_the_geometric_mean_of_its_lines() -> None:
    books = small().books
    assert np.log(books.alpha) == pytest.approx(np.mean([np.log(g.alpha) for g in books.lines]))
    assert np.log1p(-books.beta) == pytest.approx(np.mean([np.log1p(-g.beta) for g in books.lines]))


def test_every_listed_fault_is_in_the_messages() -> None:
    kinds = set()
    for tag, start_us, end_us, kind in small().faults:
        topic, _, metric = tag.rpartition("/")
        columns = received()[topic]
        first, last = columns["ts"].index(start_us // 1000), columns["ts"].index(end_us // 1000)
        before, *values = columns[metric][first - 1 : last + 1]
        kinds.add(kind)
        assert (last - first) * MINUTES_15 == (end_us - start_us) // 1000
        if kind is FaultKind.DROPOUT:
            assert values == [None] * len(values)
        elif kind is FaultKind.SENTINEL:
            assert set(values) == {SENTINEL}
        elif kind is FaultKind.STUCK:
            assert set(values) == {before}
        elif kind is FaultKind.RESET:
            assert values[0] < before
        else:
            assert abs(values[0] - before) > 3
    assert kinds == set(FaultKind)


def test_counters_step_back_only_at_listed_resets() -> None:
    resets = {(tag, start) for tag, start, _, kind in small().faults if kind is FaultKind.RESET}
    for topic, columns in received().items():
        for metric in COUNTERS:
            back = np.flatnonzero(np.diff(columns[metric]) < 0) + 1
            found = {(f"{topic}/{metric}", columns["ts"][at] * 1000) for at in back}
            assert found == {reset for reset in resets if reset[0] == f"{topic}/{metric}"}


def test_nulls_and_sentinels_stand_only_where_faults_are_listed() -> None:
    dropouts = sum(
        (fault.end_us - fault.start_us) // (MINUTES_15 * 1000) + 1
        for fault in small().faults
        if fault.kind in {FaultKind.DROPOUT, FaultKind.SENTINEL}
    )
    values = [v for c in received().values() for metric in METRICS for v in c[metric]]
    assert sum(value is None or value == SENTINEL for value in values) == dropouts
    assert len(values) == small().reading_count


def test_messages_come_in_order_with_a_gapless_count_per_gateway() -> None:
    seqs: dict[str, int] = defaultdict(int)
    ends: list[int] = []
    count = 0
    for topic, payload in small().messages():
        body = json.loads(payload)
        assert body["gateway"] == f"gw-{'-'.join(topic.split('/')[:2])}"
        assert body["seq"] == seqs[body["gateway"]]
        assert all(len(body[name]) == len(body["ts"]) for name in METRICS)
        assert len(payload) < 20_000  # what brokers take without being configured
        seqs[body["gateway"]] += 1
        ends.append((body["ts"][-1] - SMALL.start_us // 1000 - 1) // (24 * 3_600_000))
        count += 1
    assert ends == sorted(ends)
    assert count == small().message_count


def test_times_are_exact_quarters_and_begin_with_the_plan() -> None:
    for columns in received().values():
        assert columns["ts"][0] == SMALL.start_us // 1000
        assert set(np.array(columns["ts"]) % MINUTES_15) == {0}
        assert np.all(np.diff(columns["ts"]) > 0)


def test_the_seed_decides_everything() -> None:
    again, other = simulate(SMALL), simulate(replace(SMALL, seed=4))
    assert list(again.messages()) == list(small().messages())
    assert again.faults == small().faults
    assert not other.books.panel.table.equals(small().books.panel.table)


def test_hot_weeks_and_complex_products_cost_output() -> None:
    plan = PlantPlan(upgraded_share=0, line_count=12)
    table = simulate(plan).books.panel.table.to_pandas()
    table["speed"] = np.log(table.output / table.load_hours)
    own = table.groupby("line")[["speed", "mix"]].transform(lambda x: x - x.mean())
    assert np.polyfit(own.mix, own.speed, 1)[0] == pytest.approx(-0.25, abs=0.1)
    assert own.speed[table.ambient_c > 26].mean() < own.speed[table.ambient_c < 20].mean()


@pytest.mark.parametrize(
    "change",
    [{"line_count": 0}, {"start": date(2024, 1, 2)}, {"beta": 1.0}, {"waves": (60,)}, {"seed": -1}],
)
def test_a_plan_that_makes_no_plant_is_refused_in_one_line(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"^the plan of the simulated plant cannot be: [^\n]+$"):
        PlantPlan(**change)
