"""The KPIs: each formula by a worked example, and sums that roll up."""

import math
from dataclasses import fields, replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.kpi import Elements, Kpis, kpis, losses, pareto, total
from contracts.errors import DataError

# Eight hours: six in production, half an hour set up, an hour down, in two failures and small
# stops, a quarter waiting, a quarter unknown. PRI is 20 s.
SHIFT = Elements(
    calendar_s=10 * 3600,
    pbt_s=8 * 3600,
    apt_s=6 * 3600,
    setup_s=1800,
    adot_s=3600,
    delay_s=900,
    unknown_s=900,
    small_stop_s=600,
    failure_s=3000,
    stop_count=9,
    small_stop_count=6,
    failure_count=2,
    good=900,
    scrap=80,
    rework=20,
    startup_scrap=30,
    energy_kwh=450,
    idle_kwh=45,
    co2e_kg=171,
    reading_count=200,
    good_reading_count=190,
    ideal_s=20 * 1000,
)
GOLDEN = {
    "availability": 0.75,
    "effectiveness": 20_000 / 21_600,
    "quality_ratio": 0.9,
    "oee": 0.75 * 20_000 / 21_600 * 0.9,
    "teep": 0.75 * 20_000 / 21_600 * 0.9 * 0.8,
    "mtbf_h": 3.0,
    "mttr_h": 3000 / 3600 / 2,
    "scrap_ratio": 0.08,
    "rework_ratio": 0.02,
    "throughput": 112.5,
    "energy_per_good": 0.5,
    "co2e_per_good": 0.19,
    "idle_energy_ratio": 0.1,
    "coverage": 7.75 / 8,
    "good_share": 0.95,
}


@pytest.mark.parametrize("name", [field.name for field in fields(Kpis)])
def test_each_kpi_is_what_its_formula_gives(name: str) -> None:
    assert getattr(kpis(SHIFT), name) == pytest.approx(GOLDEN[name])


def test_oee_is_what_the_package_oee_gives_for_its_example() -> None:
    shift = Elements(
        pbt_s=420 * 60, apt_s=373 * 60, adot_s=47 * 60, good=18_848, scrap=423, ideal_s=19_271
    )
    found = kpis(shift)
    assert found.availability == pytest.approx(0.8881, abs=5e-5)
    assert found.effectiveness == pytest.approx(0.8611, abs=5e-5)
    assert found.quality_ratio == pytest.approx(0.9780, abs=5e-5)
    assert found.oee == pytest.approx(0.7479, abs=5e-5)


def test_a_kpi_of_nothing_is_none() -> None:
    found = kpis(Elements())
    assert [getattr(found, field.name) for field in fields(found)] == [None] * len(GOLDEN)


def test_without_a_planned_rate_only_what_needs_it_is_unknown() -> None:
    found = kpis(replace(SHIFT, ideal_s=None))
    unknown = {field.name for field in fields(found) if getattr(found, field.name) is None}
    assert unknown == {"effectiveness", "oee", "teep"}


def test_a_week_is_the_sum_of_its_shifts_and_not_the_mean_of_their_kpis() -> None:
    short = Elements(pbt_s=3600, adot_s=3600)
    assert kpis(total([SHIFT, short])).availability == pytest.approx(6 / 9)


def test_the_sum_of_a_rate_that_is_not_known_is_not_known() -> None:
    assert (SHIFT + replace(SHIFT, ideal_s=None)).ideal_s is None


def test_the_losses_and_the_ideal_time_of_good_pieces_are_the_planned_time() -> None:
    found = losses(SHIFT, worth_of_piece=7.0)
    by_name = {loss.name: loss.minutes for loss in found}
    assert by_name == {
        "breakdown": 65,
        "setup": 30,
        "reduced_speed": pytest.approx(1600 / 60),
        "process_rejects": pytest.approx(20 * 70 / 60),
        "small_stops": 10,
        "startup_rejects": 10,
    }
    assert [loss.name for loss in found][:2] == ["breakdown", "setup"]
    lost = sum(loss.seconds for loss in found)
    assert lost + 20 * SHIFT.good + SHIFT.unknown_s == pytest.approx(SHIFT.pbt_s)
    assert found[0].money == pytest.approx(65 * 60 / 20 * 7)


def test_without_a_planned_rate_the_losses_are_those_of_stops() -> None:
    found = losses(replace(SHIFT, ideal_s=None), worth_of_piece=7.0)
    assert {loss.name for loss in found} == {"breakdown", "setup", "small_stops"}
    assert {loss.money for loss in found} == {None}


def test_a_planned_time_that_is_not_the_sum_of_its_parts_is_refused() -> None:
    with pytest.raises(DataError, match="give all parts"):
        Elements(pbt_s=100, apt_s=50)


def test_a_pareto_of_nothing_is_empty() -> None:
    assert pareto([]) == []
    assert pareto([("a", 0.0)]) == [("a", 0.0, 0.0)]


times = st.integers(0, 10**12).map(lambda us: us / 1e6)  # of microseconds


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(times, times, times, times, st.booleans()), max_size=5), st.randoms())
def test_a_sum_is_the_same_in_any_order(
    rows: list[tuple[float, float, float, float, bool]],
    random: Random,
) -> None:
    parts = [
        Elements(
            pbt_s=apt + down,
            apt_s=apt,
            adot_s=down,
            good=good,
            scrap=scrap,
            ideal_s=good + scrap if is_known else None,
        )
        for apt, down, good, scrap, is_known in rows
    ]
    first = kpis(total(parts))
    random.shuffle(parts)
    second = kpis(total(parts))
    for field in fields(first):
        one, other = getattr(first, field.name), getattr(second, field.name)
        assert (one is None) == (other is None)
        assert one is None or math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
