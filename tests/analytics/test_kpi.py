"""The KPIs: each formula by a worked example, and sums that roll up."""

import math
from dataclasses import fields, replace
from random import Random

import oee
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


# The examples of the package `oee`, in minutes and pieces: planned, down, set up, the cycle,
# pieces, rejects, those of them at the start, all time.
EXAMPLES = {
    "the canonical one": (420, 47, 0, 1 / 60, 19_271, 423, 0, 480),
    "a machine that is fast": (100, 10, 0, 1, 80, 0, 0, 100),
    "a machine that is slow": (300, 150, 0, 1, 150, 15, 0, 300),
    "with all six losses": (480, 80, 30, 0.5, 700, 100, 40, 480),
}


def by_package(example: tuple[float, ...]) -> oee.OEEResult:
    planned, down, setup, cycle, pieces, rejects, at_start, whole = example
    return oee.oee(
        planned_production_time=planned,
        downtime=down,
        ideal_cycle_time=cycle,
        total_count=pieces,
        reject_count=rejects,
        setup_time=setup,
        startup_rejects=at_start,
        all_time=whole,
    )


def as_elements(example: tuple[float, ...]) -> Elements:
    planned, down, setup, cycle, pieces, rejects, at_start, whole = (60 * one for one in example)
    return Elements(
        calendar_s=whole,
        pbt_s=planned,
        apt_s=planned - down,
        setup_s=setup,
        adot_s=down - setup,
        good=(pieces - rejects) / 60,
        scrap=rejects / 60,
        startup_scrap=at_start / 60,
        ideal_s=cycle * pieces / 60,
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_kpis_are_what_the_package_oee_gives_for_its_examples(name: str) -> None:
    theirs, ours = by_package(EXAMPLES[name]), kpis(as_elements(EXAMPLES[name]))
    assert ours.availability == pytest.approx(theirs.availability)
    assert ours.effectiveness == pytest.approx(theirs.performance)
    assert ours.quality_ratio == pytest.approx(theirs.quality)
    assert ours.oee == pytest.approx(theirs.oee)
    assert ours.teep == pytest.approx(theirs.teep)


def test_machines_roll_up_as_the_package_oee_does_it() -> None:
    names = ("a machine that is fast", "a machine that is slow")
    theirs = oee.aggregate([by_package(EXAMPLES[name]) for name in names])
    ours = kpis(total(as_elements(EXAMPLES[name]) for name in names))
    assert ours.oee == pytest.approx(theirs.oee)
    assert ours.oee == pytest.approx(0.5375)


def test_the_losses_are_those_of_the_package_oee() -> None:
    theirs = by_package(EXAMPLES["with all six losses"]).six_losses
    ours = {
        loss.name: loss.minutes for loss in losses(as_elements(EXAMPLES["with all six losses"]))
    }
    assert ours["breakdown"] == pytest.approx(theirs["breakdowns"])
    assert ours["setup"] == pytest.approx(theirs["setup_and_adjustments"])
    speed = ours["small_stops"] + ours["reduced_speed"]
    assert speed == pytest.approx(theirs["minor_stops_and_reduced_speed"])
    assert ours["process_rejects"] == pytest.approx(theirs["process_defects"])
    assert ours["startup_rejects"] == pytest.approx(theirs["reduced_yield"])


def test_failures_are_counted_as_the_package_oee_counts_them() -> None:
    theirs = oee.reliability(operating_time=6.0, failures=2, total_repair_time=3000 / 3600)
    ours = kpis(SHIFT)
    assert (ours.mtbf_h, ours.mttr_h) == (pytest.approx(theirs.mtbf), pytest.approx(theirs.mttr))


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
