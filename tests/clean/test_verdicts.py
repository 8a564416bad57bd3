"""What the judge says of single readings."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from clean.clocks import AHEAD_US, FUTURE_US
from contracts.quality import Quality, Reason
from contracts.tags import Kind, TagRule

Judge = Callable[..., list[dict[str, Any]]]
RNG = np.random.default_rng(5)
CALM = [{"value": round(float(x), 2)} for x in 20 + RNG.normal(0, 0.1, 120)]


def with_value(place: int, value: float | None, **more: object) -> list[dict[str, Any]]:
    return [*CALM[:place], {"value": value, **more}, *CALM[place + 1 :]]


def test_calm_readings_are_good_and_untouched(judged: Judge) -> None:
    rows = judged(CALM)
    assert [row["value_clean"] for row in rows] == [given["value"] for given in CALM]
    assert {(row["quality"], row["reasons"]) for row in rows} == {(Quality.GOOD, 0)}


def test_an_impossible_value_is_flagged_and_kept(judged: Judge) -> None:
    row = judged(with_value(60, -300.0), TagRule(low=-273.15))[60]
    assert row["value"] == -300.0
    assert row["quality"] == Quality.BAD
    assert row["reasons"] == Reason.RANGE
    assert row["value_clean"] == pytest.approx(20, abs=0.5)


def test_a_missing_value_is_bad_and_repaired_from_near_neighbours(judged: Judge) -> None:
    row = judged(with_value(60, None))[60]
    assert (row["quality"], row["reasons"]) == (Quality.BAD, Reason.MISSING)
    before, after = CALM[59]["value"], CALM[61]["value"]
    assert row["value_clean"] == pytest.approx((before + after) / 2)


def test_a_long_hole_is_not_filled(judged: Judge) -> None:
    rows = judged([*CALM[:50], *[{"value": None}] * 30, *CALM[80:]])
    assert all(row["value_clean"] is None for row in rows[60:70])


@pytest.mark.parametrize("place", [40, 60, 100])
def test_a_spike_is_bad_and_repaired(judged: Judge, place: int) -> None:
    row = judged(with_value(place, 25.0))[place]
    assert (row["quality"], row["reasons"]) == (Quality.BAD, Reason.SPIKE)
    assert row["value_clean"] == pytest.approx(20, abs=0.5)


def test_a_burst_of_four_is_bad(judged: Judge) -> None:
    readings = [{"value": one["value"] + 5 * (60 <= i < 64)} for i, one in enumerate(CALM)]
    rows = judged(readings)
    assert [i for i, row in enumerate(rows) if row["quality"]] == [60, 61, 62, 63]
    assert all(row["value_clean"] == pytest.approx(20, abs=0.5) for row in rows)


def test_every_reading_of_a_true_step_is_kept(judged: Judge) -> None:
    readings = [{"value": one["value"] + 50 * (i >= 60)} for i, one in enumerate(CALM)]
    assert {row["quality"] for row in judged(readings)} == {Quality.GOOD}


def test_a_new_level_at_the_end_is_uncertain_because_it_may_be_a_step(judged: Judge) -> None:
    readings = [*CALM, {"value": 25.0}, {"value": 25.1}]
    rows = judged(readings)[-2:]
    assert {(row["quality"], row["reasons"]) for row in rows} == {(Quality.UNCERTAIN, Reason.SPIKE)}
    assert [row["value_clean"] for row in rows] == [25.0, 25.1]


def test_a_spike_near_the_end_is_bad_when_the_value_has_returned(judged: Judge) -> None:
    row = judged(with_value(116, 25.0))[116]
    assert row["quality"] == Quality.BAD


def test_the_first_readings_of_a_tag_are_not_condemned(judged: Judge) -> None:
    rows = judged(with_value(10, 25.0))
    assert max(row["quality"] for row in rows[:20]) == Quality.UNCERTAIN


def test_a_coarse_signal_may_move_by_a_few_steps(judged: Judge) -> None:
    readings = [{"value": 20.0 + (i % 40 == 0) * 2 + (i % 11 == 0)} for i in range(200)]
    assert {row["quality"] for row in judged(readings)} == {Quality.GOOD}


def test_a_resting_signal_keeps_its_first_event(judged: Judge) -> None:
    readings = [{"value": 5.0 if i == 100 else 0.0} for i in range(200)]
    assert {row["quality"] for row in judged(readings)} == {Quality.GOOD}


def test_a_customary_code_far_outside_is_a_sentinel(judged: Judge) -> None:
    for code in (-9999.0, 65535.0, 3276.7, -127.0):
        row = judged(with_value(60, code))[60]
        assert (row["quality"], row["reasons"]) == (Quality.BAD, Reason.SENTINEL)


def test_a_customary_code_within_reach_is_a_value(judged: Judge) -> None:
    readings = [{"value": 9900.0 + i} for i in range(200)]
    rows = judged(readings)
    assert readings[99] == {"value": 9999.0}
    assert rows[99]["quality"] == Quality.GOOD


def test_a_tag_that_only_ever_says_a_customary_code_is_believed(judged: Judge) -> None:
    assert {row["quality"] for row in judged([{"value": 65535.0}] * 100)} == {Quality.GOOD}


def test_a_far_value_that_comes_again_and_again_is_a_sentinel_without_a_list(
    judged: Judge,
) -> None:
    readings = [{"value": float(x)} for x in 20 + RNG.normal(0, 0.1, 400)]
    for place in (60, 120, 121, 180, *range(250, 280)):
        readings[place] = {"value": 850.0}
    rows = judged(readings)
    assert [row["reasons"] for row in rows[250:280]] == [Reason.SENTINEL] * 30
    assert [row["reasons"] for row in rows if row["quality"] and row["value"] != 850.0] == []
    assert rows[180]["reasons"] == Reason.SPIKE


@pytest.mark.parametrize("rest", [0.0, 4.0])
def test_a_rest_never_becomes_a_sentinel(judged: Judge, rest: float) -> None:
    readings = [{"value": float(x)} for x in 80 + RNG.normal(0, 0.1, 600)]
    readings[60:100] = [{"value": rest}] * 40
    for place in (*range(150, 500, 50), *range(520, 560)):
        readings[place] = {"value": rest}
    rows = judged(readings)
    assert not any(row["reasons"] & Reason.SENTINEL for row in rows)
    assert Quality.BAD not in {row["quality"] for row in rows[520:560]}


def test_zero_never_becomes_a_sentinel(judged: Judge) -> None:
    readings = [{"value": float(x)} for x in 80 + RNG.normal(0, 0.1, 600)]
    for place in (*range(100, 500, 50), *range(520, 560)):
        readings[place] = {"value": 0.0}
    assert {row["quality"] for row in judged(readings)[520:560]} == {Quality.GOOD}


def test_other_far_values_are_no_sentinel(judged: Judge) -> None:
    readings = [{"value": float(x)} for x in 20 + RNG.normal(0, 0.1, 600)]
    for place in range(60, 600, 20):
        readings[place] = {"value": 500.0 + place}
    assert not any(row["reasons"] & Reason.SENTINEL for row in judged(readings))


def test_a_list_of_sentinels_replaces_the_customary_ones(judged: Judge) -> None:
    rule = TagRule(kind=Kind.STATE, sentinels=(7.0,))
    rows = judged([*CALM[:60], {"value": 7.0}, {"value": -9999.0}], rule)
    assert [row["reasons"] for row in rows[60:]] == [Reason.SENTINEL, 0]


@pytest.mark.parametrize("kind", [Kind.COUNTER, Kind.STATE, Kind.WAVEFORM])
def test_only_gauges_are_tested_for_spikes(judged: Judge, kind: Kind) -> None:
    rows = judged(with_value(60, 25.0), TagRule(kind=kind))
    assert {row["quality"] for row in rows} == {Quality.GOOD}


def test_a_series_faster_than_any_process_is_a_waveform(judged: Judge) -> None:
    readings = [{**one, "at": i / 12_000} for i, one in enumerate(with_value(60, 25.0))]
    assert {row["quality"] for row in judged(readings)} == {Quality.GOOD}


def test_a_gap_separates_what_was_before_from_what_comes_after(judged: Judge) -> None:
    readings = [
        {"value": one["value"] + 50 * (60 <= i < 63), "at": i + 1000 * (i >= 60) + 1000 * (i >= 63)}
        for i, one in enumerate(CALM)
    ]
    assert {row["quality"] for row in judged(readings)} == {Quality.GOOD}


def test_the_first_reading_after_a_gap_is_good_and_says_so(judged: Judge) -> None:
    readings = [{**one, "at": i + 100 * (i >= 60)} for i, one in enumerate(CALM)]
    rows = judged(readings)
    assert {row["quality"] for row in rows} == {Quality.GOOD}
    assert [i for i, row in enumerate(rows) if row["reasons"]] == [60]
    assert rows[60]["reasons"] == Reason.GAP
    assert rows[60]["value_clean"] == CALM[60]["value"]


def test_a_tag_that_reports_by_exception_does_not_drown_in_gaps(judged: Judge) -> None:
    times = np.cumsum(np.random.default_rng(8).exponential(60.0, 3000))
    readings = [{"value": 20.0 + i % 3, "at": float(at)} for i, at in enumerate(times)]
    assert not any(row["reasons"] for row in judged(readings))


def test_every_reading_of_a_run_is_found_and_no_repair_leans_on_another(judged: Judge) -> None:
    rng = np.random.default_rng(4)
    calm = 20 + np.cumsum(rng.normal(0, 0.1, 1000))
    for place in range(60, 960, 60):
        calm[place : place + 4] += rng.choice([-1, 1]) * rng.uniform(1.5, 2.5, 4)
    rows = judged([{"value": float(x)} for x in calm])
    bad = {i for i, row in enumerate(rows) if row["quality"] == Quality.BAD}
    found = [place for place in range(60, 960, 60) if place in bad]
    assert bad == {place + k for place in found for k in range(4)}
    assert len(found) >= 12
    for place in found:
        low, high = sorted((calm[place - 1], calm[place + 4]))
        repaired = [row["value_clean"] for row in rows[place : place + 4]]
        assert all(low - 0.5 <= one <= high + 0.5 for one in repaired)


@pytest.mark.parametrize("seed", range(5))
def test_a_wandering_signal_has_no_spikes(judged: Judge, seed: int) -> None:
    wandering = np.cumsum(np.random.default_rng(seed).normal(0, 1.0, 4000))
    rows = judged([{"value": float(x)} for x in wandering])
    assert sum(row["quality"] == Quality.BAD for row in rows) <= 1


def test_a_repeat_is_a_duplicate_or_a_conflict_and_the_first_arrival_stands(judged: Judge) -> None:
    readings = [{**one, "at": i} for i, one in enumerate(CALM)]
    again = {"value": CALM[50]["value"], "at": 50}
    other = {"value": 30.0, "at": 51}
    rows = judged([*readings[:55], again, other, *readings[55:]])
    assert rows[55]["reasons"] == Reason.DUPLICATE
    assert rows[56]["reasons"] == Reason.CONFLICT
    assert {row["quality"] for row in rows[55:57]} == {Quality.UNCERTAIN}
    assert {row["value_clean"] for row in rows[55:57]} == {None}
    assert {row["quality"] for row in rows[:55] + rows[57:]} == {Quality.GOOD}


def test_a_reading_that_comes_too_late_is_flagged_and_kept(judged: Judge) -> None:
    readings = [{**one, "at": i} for i, one in enumerate(CALM)]
    rows = judged([*readings[:20], *readings[21:], readings[20]])
    assert (rows[-1]["quality"], rows[-1]["reasons"]) == (Quality.UNCERTAIN, Reason.LATE)
    assert rows[-1]["value_clean"] == CALM[20]["value"]


def test_a_time_far_in_the_future_does_not_make_the_rest_late(judged: Judge) -> None:
    ahead = {"value": 20.0, "source_time": 60_000_000 + FUTURE_US + 1, "received_time": 60_000_000}
    rows = judged([*CALM[:60], ahead, *CALM[61:]])
    assert (rows[60]["quality"], rows[60]["reasons"]) == (Quality.UNCERTAIN, Reason.FUTURE)
    assert {row["quality"] for row in rows[:60] + rows[61:]} == {Quality.GOOD}


@pytest.mark.parametrize("ahead", [2 * AHEAD_US, FUTURE_US - 1])
def test_a_clock_that_is_ahead_for_a_moment_does_not_make_the_rest_late(
    judged: Judge, ahead: int
) -> None:
    times = {"source_time": 60_000_000 + ahead, "received_time": 60_000_000}
    rows = judged([*CALM[:60], {**CALM[60], **times}, *CALM[61:]])
    assert {row["quality"] for row in rows} == {Quality.GOOD}


def test_a_clock_that_runs_ahead_and_is_set_back_makes_nothing_late(judged: Judge) -> None:
    readings = []
    for i, one in enumerate(CALM):
        ahead = 3600 * (40 <= i < 90)
        readings.append({**one, "at": i + ahead, "received_time": i * 1_000_000})
    assert {row["quality"] for row in judged(readings)} == {Quality.GOOD}


def test_values_are_converted_before_any_limit(judged: Judge) -> None:
    rule = TagRule(low=0.0, high=50.0, factor=5 / 9, offset=-160 / 9, sentinels=(999.0,))
    fahrenheit = [{"value": one["value"] * 1.8 + 32} for one in CALM]
    fahrenheit[50], fahrenheit[70] = {"value": 200.0}, {"value": 999.0}
    rows = judged(fahrenheit, rule)
    assert rows[20]["value"] == fahrenheit[20]["value"]
    assert rows[20]["value_clean"] == pytest.approx(CALM[20]["value"])
    assert rows[50]["reasons"] == Reason.RANGE
    assert rows[70]["reasons"] & Reason.SENTINEL
    assert {row["quality"] for i, row in enumerate(rows) if i not in (50, 70)} == {Quality.GOOD}


def test_smoothing_takes_noise_away_and_keeps_steps_and_verdicts(judged: Judge) -> None:
    rng = np.random.default_rng(6)
    truth = 20.0 + 50.0 * (np.arange(800) >= 400)
    readings = [{"value": float(x)} for x in truth + rng.normal(0, 1.0, 800)]
    plain, smooth = judged(readings), judged(readings, TagRule(is_smoothed=True))
    assert [row["quality"] for row in smooth] == [row["quality"] for row in plain]
    errors = np.array([row["value_clean"] for row in smooth]) - truth
    assert errors[50:390].std() < 0.75
    assert np.abs(errors[390:410]).max() < 4.0
    assert [row["value_clean"] for row in plain] == [one["value"] for one in readings]


def test_readings_without_a_source_time_are_in_order_of_receipt_and_never_repeats(
    judged: Judge,
) -> None:
    readings = [{"value": 20.0, "at": None, "received_time": 0}] * 40
    assert {row["quality"] for row in judged(readings)} == {Quality.GOOD}


def test_what_the_source_says_is_merged_in(judged: Judge) -> None:
    said = [
        {"source_quality": Quality.UNCERTAIN},
        {"source_quality": Quality.BAD, "source_reasons": int(Reason.SOURCE)},
        {"source_quality": Quality.UNCERTAIN, "source_reasons": int(Reason.TIME)},
    ]
    rows = judged([*CALM[:60], *({**CALM[60], **one} for one in said), *CALM[63:]])[60:63]
    assert [row["quality"] for row in rows] == [1, 2, 1]
    assert [row["reasons"] for row in rows] == [Reason.SOURCE, Reason.SOURCE, Reason.TIME]


def test_a_reading_that_its_source_calls_bad_is_no_neighbour(judged: Judge) -> None:
    bad = [{"value": 500.0, "source_quality": Quality.BAD}] * 3
    rows = judged([*CALM[:60], *bad, *CALM[63:]])
    assert {row["quality"] for row in rows[:60] + rows[63:]} == {Quality.GOOD}
    assert all(row["value_clean"] == pytest.approx(20, abs=0.5) for row in rows[60:63])


@pytest.mark.parametrize("kind", [Kind.GAUGE, Kind.COUNTER, Kind.INVENTORY])
def test_a_text_among_numbers_is_of_the_wrong_type(judged: Judge, kind: Kind) -> None:
    row = judged(with_value(60, None, text="ERR"), TagRule(kind=kind))[60]
    assert (row["quality"], row["reasons"]) == (Quality.BAD, Reason.TYPE)
    assert row["value_clean"] is None


def test_a_state_may_be_told_in_words(judged: Judge) -> None:
    row = judged(with_value(60, None, text="RUN"), TagRule(kind=Kind.STATE))[60]
    assert (row["quality"], row["reasons"], row["value_clean"]) == (Quality.GOOD, 0, None)


def test_a_tag_of_texts_is_no_tag_of_numbers(judged: Judge) -> None:
    readings = [{"value": None, "text": str(i)} for i in range(60)]
    readings[30] = {"value": 5.0}
    assert {row["quality"] for row in judged(readings)} == {Quality.GOOD}


def test_texts_of_the_same_time_repeat_nothing(judged: Judge) -> None:
    readings = [{"value": None, "text": word, "at": 1} for word in ("door open", "door closed")]
    assert {row["reasons"] for row in judged(readings)} == {0}


def test_an_outage_of_texts_never_becomes_the_custom_of_a_tag_of_numbers(judged: Judge) -> None:
    numbers = [{"value": float(i % 7)} for i in range(1200)]
    texts = [{"value": None, "text": "ERR"}] * 3000
    rows = judged([*numbers, *texts])
    assert {row["reasons"] for row in rows[1200:]} == {Reason.TYPE}


def test_huge_and_tiny_values_do_no_harm(judged: Judge) -> None:
    values = [1e308, -1e308, 5e-324, 0.0, -0.0, 1.7e308] * 20
    assert all(
        math.isfinite(row["value_clean"] or 0.0) for row in judged([{"value": v} for v in values])
    )


def test_a_gauge_that_goes_to_and_fro_is_not_full_of_bursts(judged: Judge) -> None:
    high = np.arange(1400) % 7 >= 3  # three low, four high, as of a heater that is pulsed
    values = np.where(high, 5.0, 1.0) + RNG.normal(0, 0.05, 1400)
    rows = judged([{"value": float(value)} for value in values])
    found = sum(row["quality"] == Quality.BAD for row in rows[200:])
    assert found <= 0.1 * 1200  # every one of the low ones would be 43 %
