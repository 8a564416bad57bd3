"""The kind of a tag, learned from its values."""

from collections.abc import Callable
from itertools import cycle
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from clean.judge import Judge
from clean.roster import empty_roster
from clean.settings import Settings
from clean.state import REORDER
from contracts.batches import RawBatch
from contracts.quality import Reason
from contracts.tags import Kind, TagRule

MINUTE = 60.0
SIZE = 1700  # readings a minute: more than a day
OPEN = TagRule(learns_kind=True)
NAMED = TagRule(Kind.COUNTER, learns_kind=True)
SETTINGS = Settings(max_delay_s=60.0)
Series = np.ndarray[Any, np.dtype[np.float64]]
Make = Callable[..., RawBatch]
RNG = np.random.default_rng(3)

METER = np.round(1000.0 + np.cumsum(RNG.gamma(2.0, 0.4, SIZE)), 2)
AMOUNT = np.round(RNG.gamma(4.0, 2.0, SIZE) + 1.0, 2)  # what each minute took
STOCK = 500.0 + np.cumsum(RNG.integers(-3, 4, SIZE))
RUNNING = np.repeat(RNG.integers(0, 2, SIZE // 20), 20).astype(float)
STATES = np.repeat(RNG.integers(0, 4, SIZE // 20), 20).astype(float)
TEMPERATURE = np.round(20.0 + RNG.normal(0, 0.3, SIZE), 1)
HEATING = np.concatenate([np.linspace(20.0, 900.0, 800), TEMPERATURE])
PIECES_A_MINUTE = RNG.integers(0, 5, SIZE).astype(float)
STROKE = np.arange(SIZE) % 60.0  # a cycle, which falls to zero as a counter that is reset
SHIFT_COUNTER = (np.arange(SIZE) % 480.0) * 2.0
TABLE = {
    "meter": (METER, OPEN, Kind.COUNTER),
    "meter, named": (METER, NAMED, Kind.COUNTER),
    "amount, named": (AMOUNT, NAMED, Kind.GAUGE),
    "stock, named": (STOCK, NAMED, Kind.INVENTORY),
    "counter of a shift, named": (SHIFT_COUNTER, NAMED, Kind.COUNTER),
    "running": (RUNNING, OPEN, Kind.STATE),
    "states": (STATES, OPEN, Kind.STATE),
    "temperature": (TEMPERATURE, OPEN, Kind.GAUGE),
    "heating up": (HEATING, OPEN, Kind.GAUGE),
    "pieces a minute": (PIECES_A_MINUTE, OPEN, Kind.GAUGE),
    "stroke": (STROKE, OPEN, Kind.GAUGE),
    "a law": (AMOUNT, TagRule(Kind.COUNTER), Kind.COUNTER),
}


def readings(values: Series, tag: str = "a") -> list[dict[str, Any]]:
    return [
        {"tag": tag, "value": value, "at": i * MINUTE} for i, value in enumerate(values.tolist())
    ]


def learned(batch: Make, values: Series, rule: TagRule) -> Kind:
    judge = Judge(lambda _: rule, SETTINGS)
    judge.push(batch(readings(values)))
    judge.finish()
    return kind_in(judge.memory(), rule)


def kind_in(memory: bytes, rule: TagRule) -> Kind:
    """The kind a judge goes on with when it was restored."""
    judge = Judge.restore(memory, lambda _: rule, SETTINGS)
    return judge._roster.kind_of("a")


@pytest.mark.parametrize("name", TABLE)
def test_the_values_decide_of_what_kind_a_tag_is(batch: Make, name: str) -> None:
    values, rule, kind = TABLE[name]
    assert learned(batch, values, rule) is kind


def test_what_is_learned_to_be_a_gauge_is_judged_as_one(batch: Make) -> None:
    values = AMOUNT.copy()
    values[900] = 500.0
    rows = verdicts(batch, values, NAMED)
    assert rows[900]["reasons"] == Reason.SPIKE
    assert rows[900]["value_clean"] < AMOUNT.max()


def test_what_is_learned_to_be_a_counter_is_judged_as_one(batch: Make) -> None:
    values = np.concatenate([METER, METER[-400:] + 5.0])
    values[SIZE + 200 :] -= 30.0
    doubted = [i for i, row in enumerate(verdicts(batch, values, OPEN)) if row["reasons"]]
    assert SIZE + 200 in doubted


def test_a_counter_that_is_disturbed_stays_a_counter(batch: Make) -> None:
    values = METER.copy()
    values[::40] -= 50.0  # one in forty takes back what the next brings
    assert learned(batch, values, NAMED) is Kind.COUNTER


def test_a_state_that_shows_a_measure_is_a_gauge_again(batch: Make) -> None:
    assert learned(batch, np.append(RUNNING, [0.37, 0.36]), OPEN) is Kind.GAUGE


def test_a_kind_that_is_told_counts_whatever_was_learned(batch: Make) -> None:
    judge = Judge(lambda _: OPEN, SETTINGS)
    judge.push(batch(readings(RUNNING)))
    memory = judge.memory()
    assert kind_in(memory, OPEN) is Kind.STATE
    assert kind_in(memory, TagRule(Kind.COUNTER)) is Kind.COUNTER
    assert kind_in(memory, TagRule()) is Kind.GAUGE


@pytest.mark.parametrize("sizes", [[17], [1000], [1] * 40 + [960]])
def test_kinds_are_learned_at_the_same_reading_however_it_came(
    batch: Make, sizes: list[int]
) -> None:
    rng = np.random.default_rng(7)
    series = {name: values for name, (values, _, _) in TABLE.items()}
    rules = {name: rule for name, (_, rule, _) in TABLE.items()}
    rows = [row for name, values in series.items() for row in readings(values, name)]
    rows.sort(key=lambda row: row["at"])
    whole = by_place([judge_whole(batch(rows), rules)])
    overtaken = np.argsort(np.arange(len(rows)) + rng.uniform(0, REORDER, len(rows)), kind="stable")
    mixed = [rows[i] for i in overtaken]
    assert by_place(in_chunks(batch(mixed).table, rules, sizes)) == whole


def in_chunks(table: pa.Table, rules: dict[str, TagRule], sizes: list[int]) -> list[pa.Table]:
    """Judge bit by bit, killed and restored now and then."""
    judge, parts, begin = Judge(rules.__getitem__, SETTINGS), list[pa.Table](), 0
    for number, size in enumerate(cycle(sizes)):
        if begin >= table.num_rows:
            break
        parts.append(judge.push(RawBatch(table.slice(begin, size))).table)
        begin += size
        if number % 100 == 99 or size == 1000:
            judge = Judge.restore(judge.memory(), rules.__getitem__, SETTINGS)
    return [*parts, judge.finish().table]


def judge_whole(raw: RawBatch, rules: dict[str, TagRule]) -> pa.Table:
    judge = Judge(rules.__getitem__, SETTINGS)
    return pa.concat_tables([judge.push(raw).table, judge.finish().table])


def by_place(parts: list[pa.Table]) -> dict[tuple[str, Any], tuple[Any, ...]]:
    names = ["tag", "source_time", "value", "value_clean", "quality", "reasons"]
    rows = pa.concat_tables(parts).select(names).to_pylist()
    return {(row["tag"], row["source_time"]): repr([*row.values()]) for row in rows}


def verdicts(batch: Make, values: Series, rule: TagRule) -> list[dict[str, Any]]:
    table = judge_whole(batch(readings(values)), {"a": rule})
    return sorted(table.to_pylist(), key=lambda row: row["arrival"])


def test_a_roster_gives_the_kind_of_each_tag() -> None:
    roster = empty_roster(lambda tag: TagRule(Kind(tag)))
    roster.rows_of(pa.chunked_array([list(Kind)]))
    assert [roster.kind_of(kind) for kind in Kind] == list(Kind)
