"""How many things there may be."""

from collections.abc import Callable
from typing import Any

import numpy as np

from contracts.quality import Quality, Reason
from contracts.tags import Kind, TagRule

Rows = list[dict[str, Any]]
Judged = Callable[..., Rows]

INVENTORY = TagRule(Kind.INVENTORY)


def pallets(size: int) -> list[float]:
    moves = np.random.default_rng(1).integers(-3, 4, size)
    return np.abs(np.cumsum(moves)).astype(float).tolist()


def doubted(values: list[float], judged: Judged, rule: TagRule = INVENTORY) -> list[int]:
    rows = judged([{"value": value} for value in values], rule)
    assert {row["quality"] for row in rows} <= {Quality.GOOD, Quality.UNCERTAIN}
    assert [row["value_clean"] for row in rows] == values
    return [i for i, row in enumerate(rows) if row["reasons"] & Reason.INVENTORY]


def test_whole_numbers_of_things_are_good(judged: Judged) -> None:
    assert doubted(pallets(300), judged) == []


def test_what_is_negative_or_no_whole_number_is_uncertain(judged: Judged) -> None:
    values = pallets(300)
    values[100], values[200] = -1.0, 7.5
    assert doubted(values, judged) == [100, 200]


def test_an_inventory_in_tonnes_is_only_doubted_where_it_is_negative(judged: Judged) -> None:
    values = [round(70.0 + x, 1) for x in np.random.default_rng(2).normal(0, 3.0, 300)]
    values[150] = -2.5
    assert doubted(values, judged) == [150]


def test_whole_numbers_may_come_as_32_bit_floats_in_another_unit(judged: Judged) -> None:
    values = [float(np.float32(n) * np.float32(0.1) * np.float32(10)) for n in range(300)]
    assert doubted(values, judged) == []


def test_other_kinds_may_be_negative_and_fractional(judged: Judged) -> None:
    values = [round(x, 1) for x in np.random.default_rng(2).normal(0, 3.0, 100)]
    assert doubted(values, judged, TagRule(Kind.STATE)) == []
