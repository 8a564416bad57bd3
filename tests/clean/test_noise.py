"""What is rougher than the tag ever is."""

from collections.abc import Callable
from typing import Any

import numpy as np

from contracts.quality import Quality, Reason

Judge = Callable[..., list[dict[str, Any]]]
RNG = np.random.default_rng(12)
WALK = 50 + np.cumsum(RNG.normal(0, 0.1, 1500)) + RNG.normal(0, 0.1, 1500)


def readings_of(values: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
    return [{"value": float(value)} for value in values]


def doubted(rows: list[dict[str, Any]]) -> set[int]:
    return {i for i, row in enumerate(rows) if row["reasons"] & Reason.NOISE}


def test_a_noisy_hour_is_uncertain_and_nothing_else_is(judged: Judge) -> None:
    values = WALK.copy()
    values[900:940] += RNG.normal(0, 2.0, 40)
    rows = judged(readings_of(values))
    found = doubted(rows)
    assert len(found & set(range(900, 940))) >= 30
    assert found <= set(range(894, 946))  # a window beside it
    assert all(rows[i]["quality"] != Quality.GOOD for i in found)
    assert all(rows[i]["value_clean"] is not None for i in found)


def test_no_step_ramp_or_spike_is_noise(judged: Judge) -> None:
    values = WALK.copy()
    values[600:] += 30.0
    values[900:1000] += np.linspace(0, 40, 100)
    values[1000:] += 40.0
    values[1200] += 25.0
    assert doubted(judged(readings_of(values))) == set()


def test_a_lively_regime_that_comes_every_day_is_usual(judged: Judge) -> None:
    lively = np.where(np.arange(4000) // 50 % 2 == 0, 0.05, 1.5)
    values = 20 + RNG.normal(0, 1.0, 4000) * lively
    assert {i for i in doubted(judged(readings_of(values))) if i > 1000} == set()


def test_heavy_tails_are_not_noise(judged: Judge) -> None:
    for values in (RNG.laplace(size=2000), RNG.standard_t(3, size=2000)):
        assert len(doubted(judged(readings_of(values)))) <= 2


def test_a_signal_on_the_edge_of_two_steps_is_not_noise(judged: Judge) -> None:
    values = np.full(600, 20.0)
    values[::37] += 0.1  # as a rule it holds one step
    values[300:400:2] += 0.1  # and here it goes to and fro
    assert doubted(judged(readings_of(values))) == set()
