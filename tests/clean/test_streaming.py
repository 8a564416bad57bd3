"""The verdicts do not depend on how the readings come."""

from collections.abc import Callable
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clean.judge import Judge
from clean.settings import Settings
from clean.sheet import judge_batches
from clean.state import REORDER
from clean.table import judge_table
from contracts.batches import CLEAN_SCHEMA, CODED, RawBatch
from contracts.coding import coded
from contracts.errors import DataError
from contracts.quality import Quality, Reason, words_of
from contracts.tags import Kind, TagRule

TAGS: Final = ("a", "b", "state")
SECOND: Final = 1_000_000
SETTINGS: Final = Settings(max_delay_s=60.0)
TAG_FIELD: Final = pa.field("tag", CODED, nullable=False)
READ: Final = ("tag", "source_time", "value")

Readings = list[dict[str, Any]]
Rules = dict[str, TagRule]
Make = Callable[..., RawBatch]

# What may be told of a tag, each field often left as it is; a new field has to be added here.
DRAWN: Final[dict[str, st.SearchStrategy[Any]]] = {
    "kind": st.sampled_from([Kind.GAUGE, Kind.GAUGE, *Kind]),
    "learns_kind": st.booleans(),
    "low": st.sampled_from([None, -50.0, 19.8]),
    "high": st.sampled_from([None, 900.0, 20.2]),
    "sentinels": st.sampled_from([(), (0.0,), (85.0, -9999.0)]),
    "rate_max": st.sampled_from([None, 0.05, 100.0]),
    "rollover": st.sampled_from([None, 100.0]),
    "states": st.sampled_from([(), (0.0, 1.0, 2.0)]),
    "rest": st.sampled_from([(), (0.0, 20.0)]),
    "neighbours": st.sampled_from([(), ("b",), ("a", "state")]),
    "neighbour_tolerance": st.sampled_from([None, 0.5]),
    "is_neighbour": st.booleans(),
    "machine_states": st.sampled_from([(), ("state",), ("b", "state"), ("nowhere",)]),
    "tells_state": st.booleans(),
    "factor": st.sampled_from([1.0, 1.0, 0.1, -1.8]),
    "offset": st.sampled_from([0.0, 0.0, 32.0]),
    "is_smoothed": st.booleans(),
}
ANY_RULE: Final = st.builds(TagRule, **DRAWN)
LONE_RULE: Final = st.builds(
    TagRule, **DRAWN | {"neighbours": st.just(()), "machine_states": st.just(())}
)


def test_every_field_of_a_rule_is_drawn() -> None:
    assert set(DRAWN) == {field.name for field in fields(TagRule)}


def without_rings(rule: TagRule) -> TagRule:
    """The rule of a tag that tells a state or asks for one, but not both."""
    return replace(rule, machine_states=() if rule.tells_state else rule.machine_states)


def rules_by_tag(rule: st.SearchStrategy[TagRule]) -> st.SearchStrategy[Rules]:
    return st.fixed_dictionaries(dict.fromkeys(TAGS, rule))


def values_like(shape: str, size: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """A series as tags have them, faults included."""
    steps = rng.normal(0, 0.1, size)
    series = {
        "noise": 20 + steps,
        "walk": 20 + np.cumsum(steps),
        "steps": 20 + np.round(np.cumsum(rng.random(size) < 0.05) + steps, 1),
        "held": np.repeat(20 + steps, rng.integers(1, 40, size))[:size],
        "counter": np.cumsum(rng.integers(0, 3, size)) % 100.0,
        "codes": rng.integers(0, 4, size).astype(float),
        "on and off": np.where(np.cumsum(rng.random(size) < 0.05) % 2, 80 + 10 * steps, 0.0),
        "wild": rng.standard_cauchy(size) * 10.0 ** rng.integers(-300, 300),
    }[shape]
    faults = np.array([-9999.0, 65535.0, 1e4, -60.0, 85.0, 0.0, -0.0, np.inf, np.nan])
    return np.where(rng.random(size) < 0.07, rng.choice(faults, size), series)


SHAPES: Final = ("noise", "walk", "steps", "held", "counter", "codes", "on and off", "wild")


def interleaved(seed: int, sizes: list[int], shapes: list[str], paces: list[float]) -> Readings:
    """Readings of the tags, interleaved, each in order of time."""
    rng = np.random.default_rng(seed)
    kept = {
        tag: values_like(shape, size, rng).tolist()
        for tag, shape, size in zip(TAGS, shapes, sizes, strict=True)
    }
    order = rng.permutation(np.repeat(TAGS, sizes)).tolist()
    pauses = rng.choice([1, 1, 1, 1, 1, 1, 1, 40], len(order)).tolist()
    clock, readings = dict(zip(TAGS, [0.0] * 3, strict=True)), []
    for tag, pause in zip(order, pauses, strict=True):
        clock[tag] += paces[TAGS.index(tag)] * pause
        readings.append({"tag": tag, "at": clock[tag], "value": kept[tag].pop()})
    return readings


def from_the_wire(readings: Readings, seed: int) -> Readings:
    """The same as it may come: repeats, lateness, texts, doubts of the source."""
    rng = np.random.default_rng(seed)
    for one in readings:
        one["received_time"] = round(one["at"] * SECOND)
        one["at"] -= float(rng.choice([0, 0, 0, 0, 3, 30]))
        one["at"] = one["at"] if rng.random() > 0.02 else None
        one["source_quality"] = int(rng.choice([0] * 18 + [1, 2]))
        if rng.random() < 0.03:
            one["value"], one["text"] = None, "x" if rng.random() < 0.5 else None
    return readings


def three(what: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(what, min_size=len(TAGS), max_size=len(TAGS))


SEED: Final = st.integers(0, 2**32 - 1)
# Most tags once a second with a pause now and then; a waveform a thousand times as often.
PACES: Final = three(st.sampled_from([1.0, 1.0, 0.001]))
SERIES: Final = st.builds(
    interleaved, SEED, three(st.integers(1, 120)), three(st.sampled_from(SHAPES)), PACES
)
STREAMS: Final = st.builds(from_the_wire, SERIES, SEED)
CUTS: Final = st.lists(st.floats(0, 1), max_size=6)


def places(cuts: list[float], count: int) -> list[int]:
    """Where to cut, as row numbers."""
    return sorted(round(cut * count) for cut in cuts)


def bits(table: pa.Table) -> list[Any]:
    """All columns, bit by bit, in order of arrival."""
    table = table.sort_by("arrival").combine_chunks()
    doubles = [table[name].to_numpy().view(np.int64).tolist() for name in ("value", "value_clean")]
    return [table.drop_columns(["value", "value_clean"]).to_pylist(), *doubles]


def run(table: pa.Table, rules: Rules, cuts: list[int], *, restore: bool = False) -> pa.Table:
    judge, parts = Judge(rules.__getitem__, SETTINGS), []
    edges = [0, *cuts, table.num_rows]
    for low, high in pairwise(edges):
        parts.append(judge.push(RawBatch(table.slice(low, high - low))).table)
        if restore:
            judge = Judge.restore(judge.memory(), rules.__getitem__, SETTINGS)
    return pa.concat_tables([*parts, judge.finish().table]).cast(CLEAN_SCHEMA)


def said(table: pa.Table) -> list[Any]:
    """The verdicts of a table in the order of its rows, bit by bit."""
    clean = table["value_clean"].to_numpy().view(np.int64).tolist()
    return list(zip(clean, table["quality"].to_pylist(), table["reasons"].to_pylist(), strict=True))


def by_tag(table: pa.Table) -> dict[str, list[Any]]:
    """The verdicts of each tag, in the order of its own rows."""
    tags, verdicts = table["tag"].to_pylist(), said(table)
    return {tag: [v for t, v in zip(tags, verdicts, strict=True) if t == tag] for tag in TAGS}


@settings(deadline=None, max_examples=60)
@given(STREAMS, rules_by_tag(ANY_RULE), CUTS)
def test_verdicts_are_the_same_for_any_cutting_into_batches(
    batch: Make, readings: Readings, rules: Rules, cuts: list[float]
) -> None:
    table = batch(readings).table
    whole = bits(run(table, rules, []))
    assert bits(run(table, rules, places(cuts, len(readings)))) == whole
    assert len(whole[1]) == len(readings)


@pytest.mark.parametrize("size", [1, 17, 1000])
def test_verdicts_are_the_same_for_chunks_of_any_size(batch: Make, size: int) -> None:
    rng, rules = np.random.default_rng(1), {"plain": TagRule(), "open": TagRule(learns_kind=True)}
    values, tags = rng.standard_t(2, 1200), rng.choice(list(rules), 1200)
    readings = [{"tag": t, "value": v} for t, v in zip(tags, values.tolist(), strict=True)]
    table = batch(readings).table
    cuts = list(range(size, len(readings), size))
    assert bits(run(table, rules, cuts)) == bits(run(table, rules, []))


@settings(deadline=None, max_examples=30)
@given(STREAMS, rules_by_tag(ANY_RULE), CUTS)
def test_coded_strings_are_judged_as_plain_ones(
    batch: Make, readings: Readings, rules: Rules, cuts: list[float]
) -> None:
    plain, memories = batch(readings).table, list[bytes]()
    for table in (plain, with_other_words(plain)):
        judge = Judge(rules.__getitem__, SETTINGS)
        for low, high in pairwise([0, *places(cuts, len(readings)), len(readings)]):
            judge.push(RawBatch(table.slice(low, high - low)))
        memories.append(judge.memory())
    assert memories[0] == memories[1]
    assert bits(run(with_other_words(plain), rules, [])) == bits(run(plain, rules, []))


def with_other_words(table: pa.Table) -> pa.Table:
    """The same with coded tags, from a dictionary that has more of them, in an order of its own."""
    words = ["none of them", *sorted(TAGS, reverse=True)]
    numbers = pa.array([words.index(tag) for tag in table["tag"].to_pylist()], pa.int32())
    tags: Any = pa.DictionaryArray.from_arrays(numbers, words)
    return coded(table.set_column(table.column_names.index("tag"), TAG_FIELD, tags))


@settings(deadline=None, max_examples=60)
@given(STREAMS, rules_by_tag(ANY_RULE), CUTS)
def test_verdicts_are_the_same_when_killed_and_restored_at_any_point(
    batch: Make, readings: Readings, rules: Rules, cuts: list[float]
) -> None:
    table = batch(readings).table
    kills = places(cuts, len(readings))
    assert bits(run(table, rules, kills, restore=True)) == bits(run(table, rules, []))


@settings(deadline=None, max_examples=40)
@given(STREAMS, rules_by_tag(LONE_RULE))
def test_a_tag_is_judged_as_if_it_were_alone(batch: Make, readings: Readings, rules: Rules) -> None:
    whole = by_tag(run(batch(readings).table, rules, []).sort_by("arrival"))
    for tag in TAGS:
        own = [one for one in readings if one["tag"] == tag]
        assert by_tag(run(batch(own).table, rules, []).sort_by("arrival"))[tag] == whole[tag]


@settings(deadline=None, max_examples=60)
@given(SERIES, rules_by_tag(LONE_RULE), SEED)
def test_order_does_not_matter_within_the_lateness_bound(
    batch: Make, readings: Readings, rules: Rules, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    held_up = rng.uniform(0, REORDER + 1, len(readings)) * (rng.random(len(readings)) < 0.2)
    place, keys = dict.fromkeys(TAGS, 0), []
    for one, delay in zip(readings, held_up.tolist(), strict=True):
        # held up by less than REORDER + 1 places: overtaken by at most REORDER of its tag
        keys.append((place[one["tag"]] + delay, place[one["tag"]]))
        place[one["tag"]] += 1
    mixed = [readings[i] for i in sorted(range(len(readings)), key=keys.__getitem__)]
    in_time = [("tag", "ascending"), ("source_time", "ascending")]
    tidy = run(batch(readings).table, rules, []).sort_by(in_time)
    messy = run(batch(mixed).table, rules, []).sort_by(in_time)
    assert said(messy) == said(tidy)


@settings(deadline=None, max_examples=40)
@given(SERIES, rules_by_tag(LONE_RULE))
def test_a_table_is_judged_as_the_stream_is(batch: Make, readings: Readings, rules: Rules) -> None:
    table = batch(readings).table
    stream = run(table, rules, []).sort_by("arrival")
    out = judge_table(table.select(READ), rules.__getitem__)
    words = pa.array([words_of(bits) for bits in stream["reasons"].to_pylist()])
    stream = stream.set_column(stream.column_names.index("reasons"), "reasons", words)
    assert said(out) == said(stream)


@settings(deadline=None, max_examples=40)
@given(SERIES, rules_by_tag(ANY_RULE), SEED)
def test_a_table_may_have_its_tags_interleaved_in_any_way(
    batch: Make, readings: Readings, rules: Rules, seed: int
) -> None:
    rules = {tag: without_rings(rule) for tag, rule in rules.items()}
    own = {tag: [one for one in readings if one["tag"] == tag] for tag in TAGS}
    order = np.random.default_rng(seed).permutation([one["tag"] for one in readings])
    mixed = [own[str(tag)].pop(0) for tag in order]
    one, other = (
        judge_table(batch(rows).table.select(READ), rules.__getitem__) for rows in (readings, mixed)
    )
    assert by_tag(one) == by_tag(other)


@settings(deadline=None, max_examples=40)
@given(STREAMS, rules_by_tag(ANY_RULE), CUTS)
def test_a_table_may_be_read_in_batches_of_any_size(
    batch: Make, readings: Readings, rules: Rules, cuts: list[float]
) -> None:
    table = batch(readings).table.select(READ)
    edges = [0, *places(cuts, len(readings)), len(readings)]
    parts = [table.slice(low, high - low) for low, high in pairwise(edges)]
    whole = judge_batches(lambda: [table], len(readings), rules.__getitem__)
    in_parts = judge_batches(lambda: parts, len(readings), rules.__getitem__)
    assert all(one.tobytes() == other.tobytes() for one, other in zip(whole, in_parts, strict=True))


@settings(deadline=None, max_examples=40)
@given(STREAMS, rules_by_tag(ANY_RULE))
def test_every_reading_comes_back_once_and_whole(
    batch: Make, readings: Readings, rules: Rules
) -> None:
    table = batch(readings).table
    out = run(table, rules, [len(readings) // 2]).sort_by("arrival")
    assert out.schema == CLEAN_SCHEMA
    came = table.append_column("value_clean", table["value"])
    assert bits(out.select(came.column_names))[:2] == bits(came)[:2]
    assert all(row["reasons"] for row in out.to_pylist() if row["quality"] != Quality.GOOD)


PLAIN: Final = {"plain": TagRule(), "counter": TagRule(kind=Kind.COUNTER)}


def new_judge() -> Judge:
    return Judge(PLAIN.__getitem__, SETTINGS)


def test_a_batch_comes_back_in_order_of_arrival(batch: Make) -> None:
    readings = [{"tag": t, "at": i, "value": 1.0} for i in range(40) for t in PLAIN]
    out = new_judge().push(batch(readings)).table["arrival"].to_pylist()
    assert out
    assert out == sorted(out)


def test_expire_judges_what_has_waited_too_long_and_a_last_far_value_is_uncertain(
    batch: Make,
) -> None:
    judge = new_judge()
    values = [*np.random.default_rng(3).normal(20, 0.1, 100), 90.0]
    first = judge.push(batch([{"tag": "plain", "value": float(v)} for v in values])).table
    assert first.num_rows == 101 - 14
    assert judge.expire(100 * SECOND + 60 * SECOND).table.num_rows == 13
    last = judge.expire(100 * SECOND + 60 * SECOND + 1).table.to_pylist()
    assert [(row["quality"], row["reasons"]) for row in last] == [(Quality.UNCERTAIN, Reason.SPIKE)]
    assert judge.finish().table.num_rows == 0


def test_expired_readings_are_still_neighbours_of_the_next(batch: Make) -> None:
    judge, values = new_judge(), np.random.default_rng(3).normal(20, 0.1, 140)
    values[100] = 90.0
    readings = [{"tag": "plain", "value": float(v)} for v in values]
    judge.push(batch(readings[:100]))
    judge.expire(10_000 * SECOND)
    out = judge.push(batch(readings[100:], first=100)).table.to_pylist()
    assert [row["arrival"] for row in out if row["quality"] == Quality.BAD] == [100]


def test_memory_of_an_empty_judge_restores(batch: Make) -> None:
    judge = Judge.restore(new_judge().memory(), PLAIN.__getitem__, SETTINGS)
    assert judge.push(batch([{"tag": "plain", "value": 1.0}])).table.num_rows == 0
    assert judge.finish().table.num_rows == 1


def test_a_damaged_memory_is_refused_with_the_remedy() -> None:
    with pytest.raises(DataError, match="backup"):
        Judge.restore(b"\x08" + bytes(30), PLAIN.__getitem__, SETTINGS)


def test_readings_are_dropped_from_memory_once_they_have_left(batch: Make) -> None:
    judge = new_judge()
    table = batch([{"tag": "plain", "at": i, "value": 1.0} for i in range(2000)]).table
    times = pa.array(np.arange(2000) * SECOND)
    for turn in range(200):
        moved = pa.array(times.to_numpy() + turn * 2000 * SECOND).cast(table.schema.field(2).type)
        judge.push(RawBatch(table.set_column(2, table.schema.field(2), moved)))
    assert judge._held._size < 150_000
