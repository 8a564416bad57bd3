from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

import clean.witness
from clean.evidence import LOOKS, share_of_limit
from clean.table import judge_table
from clean.window import WIDTH
from clean.witness import hear, looks_of
from contracts.quality import Quality, Reason
from contracts.tags import Kind, TagRule


def table(values: np.ndarray, tags: list[str]) -> pa.Table:
    """The same values for each tag, interleaved."""
    count = len(values)
    return pa.table(
        {
            "tag": tags * count,
            "source_time": pa.array(
                np.repeat(np.arange(count) * 1_000_000, len(tags)), pa.timestamp("us", "UTC")
            ),
            "value": np.repeat(values, len(tags)),
        }
    )


def noisy(size: int = 600) -> np.ndarray:
    values = np.cumsum(np.random.default_rng(1).normal(size=size))
    values[[100, 250]] += 60.0
    values[300:303] += 40.0
    values[400] = np.nan
    return values


def test_every_look_has_columns_of_its_own() -> None:
    used = [column for look in LOOKS for column in (look.quantity, look.limit)]
    assert len(set(used)) == len(used)
    assert max(used) < WIDTH
    assert {look.reason for look in LOOKS} <= set(Reason)
    for look in LOOKS:
        assert look.words.format(quantity="1", limit="2") != look.words


@pytest.mark.parametrize("part", [37, 256, 1 << 16])
def test_what_is_heard_are_the_verdicts_of_the_whole_table(
    part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clean.witness, "PART", part)
    whole = table(noisy(), ["a", "b"])
    own = whole.filter(pa.compute.equal(whole["tag"], "b"))
    judged = judge_table(own, lambda _: TagRule())
    heard = hear(own, lambda _: TagRule(), "b", frozenset([100, 150]))
    assert heard.quality.tolist() == judged["quality"].to_pylist()
    assert np.array_equal(heard.value_clean, judged["value_clean"].to_numpy(), equal_nan=True)
    assert heard.seen.keys() == {100, 150}


def test_a_spike_is_beyond_a_limit_and_what_passed_is_not() -> None:
    values = noisy()
    heard = hear(table(values, ["a"]), lambda _: TagRule(), "a", frozenset(range(len(values))))
    for place, seen in heard.seen.items():
        shares = [share_of_limit(*pair) for pair in looks_of(seen).values()]
        if heard.quality[place] == Quality.GOOD:
            assert all(share <= 1.0 for share in shares)
    assert heard.reasons[100] == Reason.SPIKE
    look, (quantity, limit) = next(iter(looks_of(heard.seen[100]).items()))
    assert look.reason is Reason.SPIKE
    assert quantity > limit
    assert looks_of(heard.seen[400]) == {}


def test_nothing_was_seen_where_no_rule_looked() -> None:
    rule = TagRule(kind=Kind.WAVEFORM)
    heard = hear(table(noisy(), ["a"]), lambda _: rule, "a", frozenset([100]))
    assert looks_of(heard.seen[100]) == {}
    assert np.isnan(heard.middle).all()
    assert heard.closest == {}


def test_the_closest_that_passed_is_the_nearest_to_its_limit() -> None:
    heard = hear(table(noisy(), ["a"]), lambda _: TagRule(), "a", frozenset(range(600)))
    for look, glance in heard.closest.items():
        shares = [
            share_of_limit(*looks_of(seen)[look])
            for place, seen in heard.seen.items()
            if look in looks_of(seen) and not heard.reasons[place] & look.reason
        ]
        assert share_of_limit(glance.quantity, glance.limit) == max(shares)


def test_the_state_of_the_machine_is_heard_too() -> None:
    rules = {"a": TagRule(machine_states=("state",)), "state": TagRule(kind=Kind.STATE)}
    rules["state"] = dataclasses.replace(rules["state"], tells_state=True)
    both = table(noisy(), ["a", "state"])
    judged = judge_table(both, rules.__getitem__).filter(pa.compute.equal(both["tag"], "a"))
    heard = hear(both, rules.__getitem__, "a")
    assert heard.quality.tolist() == judged["quality"].to_pylist()
