"""What the judge says of single readings."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from clean.judge import FUTURE_US
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


def test_a_text_is_judged_by_no_numeric_rule(judged: Judge) -> None:
    row = judged(with_value(60, None, text="RUN"))[60]
    assert (row["quality"], row["reasons"], row["value_clean"]) == (Quality.GOOD, 0, None)


def test_huge_and_tiny_values_do_no_harm(judged: Judge) -> None:
    values = [1e308, -1e308, 5e-324, 0.0, -0.0, 1.7e308] * 20
    assert all(
        math.isfinite(row["value_clean"] or 0.0) for row in judged([{"value": v} for v in values])
    )
