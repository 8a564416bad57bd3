"""What still moves, but far less than it ever does."""

from collections.abc import Callable
from typing import Any

import numpy as np

from contracts.quality import Reason

Judge = Callable[..., list[dict[str, Any]]]
RNG = np.random.default_rng(13)


def doubted(judged: Judge, values: np.ndarray[Any, Any]) -> set[int]:
    rows = judged([{"value": float(value)} for value in values])
    return {i for i, row in enumerate(rows) if row["reasons"] & Reason.ATTENUATED}


def test_a_damped_signal_is_uncertain(judged: Judge) -> None:
    values = 20 + RNG.normal(0, 1.0, 1200)
    values[800:900] = 20 + 0.001 * (values[800:900] - 20)  # as through a clogged impulse line
    found = doubted(judged, values)
    assert set(range(840, 890)) <= found <= set(range(800, 900))


def test_a_quiet_minute_is_none(judged: Judge) -> None:
    values = 20 + RNG.normal(0, 1.0, 1200)
    values[800:815] = 20 + 0.001 * (values[800:815] - 20)
    assert doubted(judged, values) == set()


def test_a_tag_that_is_often_quiet_may_be(judged: Judge) -> None:
    quiet = np.where(np.arange(3000) // 40 % 3 == 0, 0.001, 1.0)
    found = doubted(judged, 20 + RNG.normal(0, 1.0, 3000) * quiet)
    assert {i for i in found if i > 1000} == set()
