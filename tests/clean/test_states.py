"""Which states there are, and how often they may change."""

from collections.abc import Callable
from typing import Any

import numpy as np

from contracts.quality import Quality, Reason
from contracts.tags import Kind, TagRule

Rows = list[dict[str, Any]]
Judged = Callable[..., Rows]

STATE = TagRule(Kind.STATE)


def on_and_off(size: int, share: float, seed: int = 1) -> list[float]:
    """A contact that changes at this share of its readings."""
    return (np.cumsum(np.random.default_rng(seed).random(size) < share) % 2.0).tolist()


def doubted(values: list[float], judged: Judged, rule: TagRule = STATE) -> list[int]:
    rows = judged([{"value": value} for value in values], rule)
    assert {row["quality"] for row in rows} <= {Quality.GOOD, Quality.UNCERTAIN}
    assert [row["value_clean"] for row in rows] == values
    return [i for i, row in enumerate(rows) if row["reasons"] & Reason.STATE]


def test_a_state_that_was_not_told_is_uncertain(judged: Judged) -> None:
    values = [1.0] * 50 + [7.0] + [2.0] * 49
    assert doubted(values, judged, TagRule(Kind.STATE, states=(0.0, 1.0, 2.0))) == [50]
    assert doubted(values, judged) == []


def test_states_are_told_in_the_unit_of_the_tag(judged: Judged) -> None:
    rule = TagRule(Kind.STATE, states=(0.0, 10.0), factor=10.0)
    rows = judged([{"value": 1.0}, {"value": 10.0}], rule)
    assert [row["reasons"] for row in rows] == [0, Reason.STATE]


def test_states_in_words_are_not_judged(judged: Judged) -> None:
    rule = TagRule(Kind.STATE, states=(0.0, 1.0))
    rows = judged([{"value": None, "text": word} for word in ("run", "off") * 100], rule)
    assert {row["quality"] for row in rows} == {Quality.GOOD}


def test_a_contact_that_chatters_is_uncertain_while_it_does(judged: Judged) -> None:
    values = on_and_off(2000, 0.005)
    values[1500:1530] = [0.0, 1.0] * 15
    found = doubted(values, judged)
    assert set(range(1510, 1530)) <= set(found) <= set(range(1500, 1531))


def test_a_lively_contact_does_not_chatter(judged: Judged) -> None:
    for share in (0.02, 0.1, 0.3, 0.6, 1.0):
        assert doubted(on_and_off(3000, share), judged) == []


def test_a_contact_that_falls_into_another_pace_is_doubted_for_a_while_only(
    judged: Judged,
) -> None:
    found = doubted(on_and_off(500, 0.01) + on_and_off(5000, 0.5, 2), judged)
    assert found
    assert min(found) > 500
    assert max(found) < 2000


def test_a_machine_that_starts_does_not_chatter(judged: Judged) -> None:
    values = [0.0] * 500 + [float(n) for n in range(1, 30)] + [29.0] * 100
    assert doubted(values, judged) == []
