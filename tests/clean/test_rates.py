"""What changes faster than it can."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from clean.judge import Judge
from clean.settings import Settings
from contracts.batches import RawBatch
from contracts.quality import Quality, Reason
from contracts.tags import Kind, TagRule

Rows = list[dict[str, Any]]
Judged = Callable[..., Rows]
Make = Callable[..., RawBatch]

SLOW = TagRule(rate_max=1.0)


def noise(size: int, seed: int = 1) -> list[float]:
    return [round(float(x), 2) for x in 20 + np.random.default_rng(seed).normal(0, 0.1, size)]


def too_fast(rows: Rows) -> list[int]:
    return [i for i, row in enumerate(rows) if row["reasons"] & Reason.RATE]


def with_step(values: list[float], place: int, height: float) -> Rows:
    return [{"value": value + height * (i >= place)} for i, value in enumerate(values)]


def test_the_first_reading_of_a_step_is_too_fast_and_stands(judged: Judged) -> None:
    readings = with_step(noise(200), 100, 50.0)
    rows = judged(readings, SLOW)
    assert too_fast(rows) == [100]
    assert (rows[100]["quality"], rows[100]["reasons"]) == (Quality.UNCERTAIN, Reason.RATE)
    assert rows[100]["value_clean"] == readings[100]["value"]


def test_nothing_is_too_fast_for_a_tag_of_which_no_rate_was_told(judged: Judged) -> None:
    assert too_fast(judged(with_step(noise(200), 100, 50.0))) == []


def test_the_return_from_a_spike_is_not_too_fast(judged: Judged) -> None:
    readings = [{"value": value + 50.0 * (i == 100)} for i, value in enumerate(noise(200))]
    rows = judged(readings, SLOW)
    assert rows[100]["reasons"] == Reason.SPIKE
    assert too_fast(rows) == []


def test_the_rate_goes_by_the_time_that_has_passed(judged: Judged) -> None:
    readings = with_step(noise(200), 100, 50.0)
    slow = [{**one, "at": i * 60.0} for i, one in enumerate(readings)]
    assert too_fast(judged(slow, SLOW)) == []


def test_one_step_of_a_coarse_signal_is_no_rate(judged: Judged) -> None:
    readings = [{"value": 20.0 + i // 20, "at": i} for i in range(400)]
    first, *later = too_fast(judged(readings, TagRule(rate_max=0.2)))
    assert first == 20
    assert max(later) < 200  # until it is known to have levels
    readings[300]["value"] += 5.0
    readings[301]["value"] += 5.0
    assert 300 in too_fast(judged(readings, TagRule(rate_max=0.2)))


def test_a_switch_has_no_resolution_that_would_excuse_it(judged: Judged) -> None:
    readings = [{"value": 80.0 * (i // 20 % 2)} for i in range(200)]
    assert too_fast(judged(readings, SLOW)) == list(range(20, 200, 20))


def test_a_reading_without_a_time_of_its_own_has_no_rate(judged: Judged) -> None:
    readings = with_step(noise(200), 100, 50.0)
    readings = [{**one, "at": None, "received_time": i} for i, one in enumerate(readings)]
    assert too_fast(judged(readings, SLOW)) == []


def test_a_counter_may_fall_at_once_but_not_grow_faster_than_it_can(judged: Judged) -> None:
    values = [float(i % 100) for i in range(300)]
    values[250:] = [value + 40.0 for value in values[250:]]
    rows = judged([{"value": value} for value in values], TagRule(Kind.COUNTER, rate_max=2.0))
    assert too_fast(rows) == [250]


def test_a_count_that_is_read_often_moves_by_one(judged: Judged) -> None:
    readings = [{"value": float(i // 10), "at": i / 10} for i in range(300)]
    assert too_fast(judged(readings, TagRule(Kind.COUNTER, rate_max=1.0))) == []


@pytest.mark.parametrize(("held", "expected"), [(1.0, [100]), (0.0, [])])
def test_a_machine_that_is_off_or_starts_may_move_as_fast_as_it_likes(
    batch: Make, held: float, expected: list[int]
) -> None:
    rules = {
        "power": TagRule(rate_max=1.0, machine_states=("state",)),
        "state": TagRule(Kind.STATE, tells_state=True),
    }
    readings = []
    for at, one in enumerate(with_step(noise(200), 100, 50.0)):
        state = held if at < 97 else 1.0
        readings += [{"tag": "power", "at": at, **one}, {"tag": "state", "at": at, "value": state}]
    judge = Judge(rules.__getitem__, Settings(max_delay_s=60.0))
    out = pa.concat_tables([judge.push(batch(readings)).table, judge.finish().table])
    rows = [row for row in out.sort_by("arrival").to_pylist() if row["tag"] == "power"]
    assert too_fast(rows) == expected
