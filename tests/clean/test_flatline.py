"""What is held for longer than chance would hold it."""

from collections.abc import Callable
from typing import Any

import numpy as np

from contracts.quality import Quality, Reason
from contracts.tags import TagRule

Judge = Callable[..., list[dict[str, Any]]]
RNG = np.random.default_rng(11)
LIVELY = np.round(20 + RNG.normal(0, 1.0, 600), 3)


def readings_of(values: np.ndarray[Any, Any], every_s: float = 1.0) -> list[dict[str, Any]]:
    return [{"value": float(value), "at": i * every_s} for i, value in enumerate(values)]


def held(values: np.ndarray[Any, Any], start: int, length: int, at: float) -> np.ndarray[Any, Any]:
    changed = values.copy()
    changed[start : start + length] = at
    return changed


def doubted(rows: list[dict[str, Any]]) -> list[int]:
    return [i for i, row in enumerate(rows) if row["reasons"] & Reason.FLATLINE]


def test_a_stuck_sensor_is_uncertain_and_its_values_stay(judged: Judge) -> None:
    values = held(LIVELY, 300, 60, float(LIVELY[299]))
    rows = judged(readings_of(values))
    assert set(range(310, 360)) <= set(doubted(rows)) <= set(range(299, 360))
    assert {rows[i]["quality"] for i in doubted(rows)} == {Quality.UNCERTAIN}
    assert rows[330]["value_clean"] == values[330]


def test_a_coarse_signal_may_repeat_itself(judged: Judge) -> None:
    rows = judged(readings_of(np.round(RNG.normal(0, 0.4, 3000))))
    assert doubted(rows) == []


def test_the_same_run_is_chance_in_a_coarse_signal_only(judged: Judge) -> None:
    coarse = np.round(20 + RNG.normal(0, 0.5, 600))  # repeats itself in half of all readings
    assert doubted(judged(readings_of(held(coarse, 300, 14, 20.0)))) == []
    assert doubted(judged(readings_of(held(LIVELY, 300, 14, 20.0)))) != []


def test_a_place_of_rest_is_learned_when_it_is_held_again(judged: Judge) -> None:
    values = LIVELY.copy()
    for start in (100, 200, 300, 400):
        values = held(values, start, 40, 31.5)
    seen = doubted(judged(readings_of(values)))
    assert any(100 <= i < 140 for i in seen)
    assert [i for i in seen if i >= 300] == []


def test_a_sensor_that_sticks_each_time_elsewhere_does_not_rest(judged: Judge) -> None:
    values = LIVELY.copy()
    for start in (100, 200, 300, 400):
        values = held(values, start, 40, float(LIVELY[start - 1]))
    seen = doubted(judged(readings_of(values)))
    assert all(any(start <= i < start + 40 for i in seen) for start in (100, 200, 300, 400))


def test_a_rest_value_that_was_told_is_never_doubted(judged: Judge) -> None:
    values = held(LIVELY, 300, 60, 31.5)
    assert doubted(judged(readings_of(values), TagRule(rest=(31.5,)))) == []


def test_the_zero_of_what_is_never_less_is_rest(judged: Judge) -> None:
    flow = held(np.abs(LIVELY), 300, 100, 0.0)
    assert doubted(judged(readings_of(flow))) == []
    below = held(LIVELY - 20.0, 300, 100, 0.0)
    assert doubted(judged(readings_of(below))) != []


def test_a_sign_of_life_between_changes_is_no_repeat(judged: Judge) -> None:
    at, readings = 0.0, []
    for now, value in enumerate(
        LIVELY, start=1
    ):  # reports changes each second, and once a minute that it is there
        at += 1.0
        readings.append({"value": float(value), "at": at})
        if now % 100 == 0:
            for _ in range(30):
                at += 60.0
                readings.append({"value": float(value), "at": at})
    assert doubted(judged(readings)) == []
