"""Sensors that measure the same, and contradict one another."""

from collections.abc import Callable
from itertools import pairwise
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from clean.judge import Judge
from clean.settings import Settings
from clean.table import judge_table
from clean.witness import hear
from contracts.batches import RawBatch
from contracts.quality import Quality, Reason
from contracts.tags import Kind, TagRule

Rows = list[dict[str, Any]]
Make = Callable[..., RawBatch]
SETTINGS = Settings(max_delay_s=1e9)
TAGS = ("a", "b", "c")
ALL = TagRule(neighbours=TAGS)  # one pattern for all: a tag is no neighbour of its own
WITHIN_ONE = TagRule(neighbours=TAGS, neighbour_tolerance=1.0)


def oven(size: int, offsets: tuple[float, ...] = (0.0, 0.0, 0.0)) -> dict[str, Any]:
    """Three sensors in one oven whose door opens at times."""
    rng = np.random.default_rng(1)
    truth = 200 + np.cumsum(rng.normal(0, 0.2, size)) - 20 * (np.arange(size) // 100 % 3 == 1)
    made = zip(TAGS, offsets, strict=False)
    return {tag: np.round(truth + offset + rng.normal(0, 0.1, size), 2) for tag, offset in made}


def readings(series: dict[str, Any]) -> Rows:
    """Each sensor at a moment of its own of each second."""
    return [
        {"tag": tag, "at": at + 0.25 * TAGS.index(tag), "value": float(value)}
        for at, row in enumerate(zip(*series.values(), strict=True))
        for tag, value in zip(series, row, strict=True)
    ]


def contradictions(raw: RawBatch, rule: TagRule, *cuts: int) -> dict[str, list[int]]:
    """The seconds of each tag at which it is said to contradict the others."""
    table, judge = raw.table, Judge(lambda _: rule, SETTINGS)
    parts = []
    for low, high in pairwise([0, *cuts, table.num_rows]):
        parts.append(judge.push(RawBatch(table.slice(low, high - low))).table)
        judge = Judge.restore(judge.memory(), lambda _: rule, SETTINGS) if cuts else judge
    out = pa.concat_tables([*parts, judge.finish().table]).sort_by("source_time").to_pylist()
    found: dict[str, list[int]] = {tag: [] for tag in TAGS}
    for row in out:
        if row["reasons"] & Reason.NEIGHBOUR:
            assert (row["quality"], row["value_clean"]) == (Quality.UNCERTAIN, row["value"])
            found[row["tag"]].append(int(row["source_time"].timestamp()))
    return found


def test_sensors_that_agree_are_good_through_every_event(batch: Make) -> None:
    for rule in (ALL, WITHIN_ONE):
        found = contradictions(batch(readings(oven(1200))), rule)
        assert sum(map(len, found.values())) <= 3


def test_a_sensor_that_leaves_the_others_contradicts_them_and_not_they_it(batch: Make) -> None:
    series = oven(1200)
    series["b"][800:1000] += 5.0
    for rule in (ALL, WITHIN_ONE):
        found = contradictions(batch(readings(series)), rule)
        assert set(range(801, 1000)) <= set(found["b"])
        assert len(found["b"]) <= 202
        assert len(found["a"]) + len(found["c"]) <= 3


def test_two_sensors_contradict_each_other(batch: Make) -> None:
    series = oven(1200)
    del series["c"]
    series["b"][800:1000] += 5.0
    found = contradictions(batch(readings(series)), ALL)
    assert {850, 900, 950} <= set(found["a"]) & set(found["b"])


def test_a_spike_of_a_neighbour_is_no_contradiction(batch: Make) -> None:
    series = oven(1200)
    del series["c"]
    series["b"][[350, 750, 950]] += 50.0
    for rule in (ALL, WITHIN_ONE):
        found = contradictions(batch(readings(series)), rule)
        assert found["b"] == found["a"] == []


def test_a_neighbour_that_is_read_seldom_does_not_know_of_a_step_yet(batch: Make) -> None:
    rows = [row for row in readings(oven(1800)) if row["tag"] != "b" or int(row["at"]) % 20 == 0]
    rows = [row for row in rows if row["tag"] != "c"]
    assert contradictions(batch(rows), WITHIN_ONE)["a"] == []
    for row in rows:
        row["value"] += 9.0 * (row["at"] > 1000 and row["tag"] == "a")
    assert len(contradictions(batch(rows), WITHIN_ONE)["a"]) > 30


def test_a_usual_difference_is_learned_unless_a_tolerance_is_told(batch: Make) -> None:
    series = oven(1200, (0.0, 30.0, -30.0))
    learned = contradictions(batch(readings(series)), ALL)
    assert sum(map(len, learned.values())) <= 3
    told = contradictions(batch(readings(series)), WITHIN_ONE)
    assert len(told["b"]) > 1100
    assert told["a"] == []


def test_a_drift_is_found_by_a_tolerance(batch: Make) -> None:
    series = oven(1200)
    series["a"][600:] += np.linspace(0.0, 6.0, 600)
    found = contradictions(batch(readings(series)), WITHIN_ONE)
    assert found["b"] == found["c"] == []
    assert len(set(range(900, 1200)) & set(found["a"])) > 290


def test_a_neighbour_that_has_fallen_silent_says_nothing(batch: Make) -> None:
    series = oven(600)
    rows = [row for row in readings(series) if row["tag"] == "a" or row["at"] < 300]
    for row in rows:
        row["value"] += 50.0 * (row["at"] > 320)
    assert contradictions(batch(rows), WITHIN_ONE)["a"] == []


def test_codes_and_what_is_missing_are_no_word_of_a_neighbour(batch: Make) -> None:
    series = oven(600)
    series["b"][300:320], series["c"][300:320] = -9999.0, np.nan
    rows = readings(series)
    for row in rows:
        row["value"] = None if np.isnan(row["value"]) else row["value"]
    assert contradictions(batch(rows), WITHIN_ONE)["a"] == []


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 899), max_size=5).map(sorted), st.integers(0, 5))
def test_the_verdicts_are_the_same_for_any_cut_and_after_a_restart(
    batch: Make, cuts: list[int], late: int
) -> None:
    series = oven(300)
    series["b"][200:] += 4.0
    rows = readings(series)
    whole = contradictions(batch(rows), ALL)
    assert len(whole["b"]) > 50
    assert contradictions(batch(rows), ALL, *cuts) == whole
    early = sorted(rows, key=lambda row: row["at"] + late * (row["tag"] == "b"))
    assert contradictions(batch(early), ALL) == whole


def test_in_a_table_the_tags_may_come_in_any_order_and_explain_says_the_same() -> None:
    series = oven(2000)
    series["b"][1500:] += 4.0
    rows = readings(series)
    said = []
    for key in (
        itemgetter("at"),
        itemgetter("tag", "at"),
        lambda row: (row["at"] // 50, row["tag"]),
    ):
        table = pa.table({
            "tag": [row["tag"] for row in sorted(rows, key=key)],
            "source_time": pa.array(
                [round(row["at"] * 1e6) for row in sorted(rows, key=key)], pa.timestamp("us", "UTC")
            ),
            "value": [row["value"] for row in sorted(rows, key=key)],
        })  # fmt: skip
        said.append(judge_table(table, lambda _: ALL).sort_by([("source_time", "ascending")]))
    assert said[0].equals(said[1])
    assert said[0].equals(said[2])
    own = said[0].filter(pa.compute.equal(said[0]["tag"], "b"))
    heard = hear(table, lambda _: ALL, "b")
    assert np.flatnonzero(heard.reasons & Reason.NEIGHBOUR).tolist() == [
        at for at, words in enumerate(own["reasons"].to_pylist()) if "neighbour" in words
    ]


def test_only_a_tag_that_may_be_named_is_listened_to(batch: Make) -> None:
    series = oven(600)
    series["a"][300:] += 9.0
    named = TagRule(neighbours=("b", "c"), neighbour_tolerance=1.0)
    for others, expected in ((TagRule(), False), (TagRule(is_neighbour=True), True)):
        judge = Judge({"a": named, "b": others, "c": others}.__getitem__, SETTINGS)
        parts = [judge.push(batch(readings(series))).table, judge.finish().table]
        reasons = [row["reasons"] for row in pa.concat_tables(parts).to_pylist()]
        assert any(bits & Reason.NEIGHBOUR for bits in reasons) is expected


def test_a_tag_of_another_kind_forgets_what_it_was(batch: Make) -> None:
    rows = [{"value": float(n % 7)} for n in range(300)]
    judge = Judge(lambda _: TagRule(), SETTINGS)
    judge.push(batch(rows))
    judge = Judge.restore(judge.memory(), lambda _: TagRule(Kind.COUNTER), SETTINGS)
    assert not judge._roster.state.doubt.any()
