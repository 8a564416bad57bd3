"""What a counter may do and what it may not."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from contracts.quality import Quality, Reason
from contracts.tags import Kind, TagRule

Rows = list[dict[str, Any]]
Judged = Callable[..., Rows]

COUNTER = TagRule(Kind.COUNTER)


def counted(size: int, seed: int = 1) -> list[float]:
    """Pieces of a machine that makes up to four between two readings, and now and then none."""
    return np.cumsum(np.random.default_rng(seed).integers(0, 5, size)).astype(float).tolist()


def backwards(rows: Rows) -> list[int]:
    return [i for i, row in enumerate(rows) if row["reasons"] & Reason.COUNTER]


def readings(values: list[float]) -> Rows:
    return [{"value": value} for value in values]


def test_a_counter_that_counts_is_good(judged: Judged) -> None:
    assert {row["quality"] for row in judged(readings(counted(400)), COUNTER)} == {Quality.GOOD}


@pytest.mark.parametrize("size", [200, 5000])
def test_a_reset_is_no_fault_however_far_it_has_counted(judged: Judged, size: int) -> None:
    values = [*counted(size), *counted(100, 2), *counted(30, 3), 0.0, 0.0, *counted(20, 4)]
    assert {row["quality"] for row in judged(readings(values), COUNTER)} == {Quality.GOOD}


def test_a_counter_that_takes_something_back_is_uncertain_and_stands(judged: Judged) -> None:
    values = counted(400)
    values[300:] = [value - 20.0 for value in values[300:]]
    rows = judged(readings(values), COUNTER)
    assert backwards(rows) == [300]
    assert (rows[300]["quality"], rows[300]["reasons"]) == (Quality.UNCERTAIN, Reason.COUNTER)
    assert rows[300]["value_clean"] == values[300]


def test_a_stray_reading_below_the_last_runs_backwards(judged: Judged) -> None:
    values = counted(400)
    values[300] = 400.0
    assert values[299] > 500.0
    assert backwards(judged(readings(values), COUNTER)) == [300]


def test_no_reset_leads_below_zero(judged: Judged) -> None:
    values = counted(400)
    values[300] = -5.0
    assert backwards(judged(readings(values), COUNTER)) == [300]


def test_a_reset_in_a_pause_shows_what_was_counted_since(judged: Judged) -> None:
    rows = [{"value": value, "at": i} for i, value in enumerate(counted(400))]
    pause = [{"value": value + 150.0, "at": i + 500} for i, value in enumerate(counted(50, 2))]
    assert backwards(judged([*rows, *pause], COUNTER)) == []
    prompt = [{**one, "at": one["at"] - 100} for one in pause]
    assert backwards(judged([*rows, *prompt], COUNTER)) == [400]


def test_a_rollover_is_no_fault_where_it_was_told(judged: Judged) -> None:
    values = [float(i * 3 % 64) for i in range(400)]
    assert {row["quality"] for row in judged(readings(values), COUNTER)} == {Quality.GOOD}
    steep = [float(i * 30 % 256 + 100) for i in range(20)]
    values = [float(i * 30 % 256) for i in range(400)]
    values[200:220] = steep
    told = judged(readings(values), TagRule(Kind.COUNTER, rollover=256.0))
    assert set(backwards(told)) <= {200, 220}


def test_a_fall_by_rounding_is_no_fall(judged: Judged) -> None:
    energy = np.float32(np.cumsum(np.full(400, 0.1)) + 5000.0)
    energy[200] = np.nextafter(energy[199], np.float32(0))
    assert {row["quality"] for row in judged(readings(energy.tolist()), COUNTER)} == {Quality.GOOD}


def test_a_tag_that_goes_up_and_down_is_no_counter_whatever_its_name(judged: Judged) -> None:
    weight = 100.0 + np.random.default_rng(3).normal(0, 1.0, 1000)
    assert backwards(judged(readings(weight.tolist()), COUNTER)) == []


def test_a_counter_that_stumbles_at_times_remains_one(judged: Judged) -> None:
    values = np.array(counted(3000))
    places = list(range(500, 3000, 100))
    values[places] = values[[place - 1 for place in places]] - 1.0
    assert backwards(judged(readings(values.tolist()), COUNTER)) == places
