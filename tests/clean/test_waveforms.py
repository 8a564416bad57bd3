"""Features of waveforms: what they say, which blocks they are of, and how they are judged."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clean.blocks import READINGS_MAX, feature_tags
from clean.featured import features_of_batches
from clean.judge import Judge
from clean.settings import Settings
from clean.waveforms import READINGS_MIN, Features, features_of
from contracts.batches import CLEAN_SCHEMA, RawBatch
from contracts.quality import Quality, Reason
from contracts.tags import Kind, TagRule

RATE: Final = 2_000  # readings a second
SECOND: Final = 1_000_000
SETTINGS: Final = Settings(max_delay_s=60.0, block_s=0.25)
BLOCK: Final = RATE // 4  # readings of a block
RULES: Final = {"wave": TagRule(Kind.WAVEFORM), "other": TagRule(Kind.WAVEFORM)}

Floats = npt.NDArray[np.float64]
Make = Callable[..., RawBatch]


def rules(tag: str) -> TagRule:
    return RULES.get(tag, TagRule())


def gaussian(size: int, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).normal(0.0, 1.0, size)


def damaged(size: int, every: int = 200) -> Floats:
    """Noise, and every so many readings an impact that rings out."""
    ring = 12.0 * np.exp(-np.arange(20) / 4.0) * np.cos(np.arange(20) * 2.0)
    blows = np.zeros(size)
    blows[::every] = 1.0
    return gaussian(size) + np.convolve(blows, ring)[:size]


def test_a_sine_has_the_crest_factor_and_the_kurtosis_of_one() -> None:
    wave = 5.0 + 3.0 * np.sin(2 * np.pi * np.arange(1000) / 50)
    found = features_of(wave)
    expected = (3 / np.sqrt(2), 3 * np.sin(2 * np.pi * 12 / 50), np.sqrt(2), 1.5, 0.0)
    assert found == pytest.approx(expected, rel=0.003, abs=1e-9)


def test_gaussian_noise_has_a_kurtosis_of_three_and_the_envelope_of_rayleigh() -> None:
    found = features_of(2.0 * gaussian(100_000))
    assert found.kurtosis == pytest.approx(3.0, abs=0.1)
    assert found.envelope == pytest.approx(2.0 * np.sqrt(2 - np.pi / 2), rel=0.02)


def test_the_envelope_is_that_of_an_amplitude_that_is_modulated() -> None:
    turns = 2 * np.pi * np.arange(10_000) / 10_000
    plain, modulated = np.sin(800 * turns), (1 + 0.6 * np.sin(20 * turns)) * np.sin(800 * turns)
    assert features_of(plain).envelope == pytest.approx(0.0, abs=1e-9)
    assert features_of(modulated).envelope == pytest.approx(0.6 / np.sqrt(2), rel=1e-6)


def test_impacts_raise_kurtosis_and_crest_far_more_than_the_rms() -> None:
    sound, worn = features_of(gaussian(10_000)), features_of(damaged(10_000))
    assert worn.kurtosis > 3 * sound.kurtosis
    assert worn.crest > 2 * sound.crest
    assert worn.rms < 2 * sound.rms


@pytest.mark.parametrize("scale", [1e-300, 1e-3, 1e150, 1e300])
def test_features_scale_with_the_waveform_however_large_or_small(scale: float) -> None:
    wave = damaged(1000)
    one, other = features_of(wave), features_of(wave * scale)
    assert (other.crest, other.kurtosis) == pytest.approx((one.crest, one.kurtosis))
    assert other.rms / scale == pytest.approx(one.rms)
    assert other.envelope / scale == pytest.approx(one.envelope)


def test_what_overflows_has_no_finite_feature() -> None:
    found = features_of(np.array([1.7e308, -1.7e308] * 200 + [1.7e308] * 100))
    assert not np.isfinite([found.crest, found.kurtosis]).any()


def test_damaged_bearings_are_told_from_a_sound_one(recording: Callable[[str], pa.Table]) -> None:
    table = recording("cwru")
    found = {}
    for tag in pc.unique(table["tag"]).to_pylist():
        values = table.filter(pc.equal(table["tag"], tag))["value"].to_numpy()[:12_000]
        found[tag.split("/")[1]] = features_of(values)
    sound = found.pop("97_normal")
    assert sound.kurtosis < 3.0
    assert all(each.envelope > 1.5 * sound.envelope for each in found.values())
    assert all(found[name].kurtosis > 5.0 for name in ("169_ir014", "130_or007"))


# ---- blocks, in a stream


def waves(batch: Make, values: Floats, tag: str = "wave", start: float = 0.0) -> pa.Table:
    """A waveform, evenly spaced from a time in seconds on."""
    return batch(
        {"tag": tag, "value": None if np.isnan(value) else float(value), "at": start + i / RATE}
        for i, value in enumerate(values)
    ).table


def in_order(*tables: pa.Table) -> pa.Table:
    """Numbered as they would arrive."""
    table = pa.concat_tables(tables)
    order = np.argsort(table["received_time"].cast(pa.int64()).to_numpy(), kind="stable")
    table = table.take(pa.array(order))
    return table.set_column(0, table.schema.field(0), pa.array(np.arange(len(order))))


def run(
    table: pa.Table, cuts: list[int], *, restore: bool = False, tell: Callable[..., TagRule] = rules
) -> pa.Table:
    judge, parts = Judge(tell, SETTINGS), []
    for low, high in pairwise([0, *cuts, table.num_rows]):
        parts.append(judge.push(RawBatch(table.slice(low, high - low))).table)
        if restore:
            judge = Judge.restore(judge.memory(), tell, SETTINGS)
    return (
        pa.concat_tables([*parts, judge.finish().table])
        .cast(CLEAN_SCHEMA)
        .sort_by([("arrival", "ascending"), ("tag", "ascending")])
    )


def features(table: pa.Table, name: str, tag: str = "wave") -> pa.Table:
    return table.filter(pc.equal(table["tag"], f"{tag}/{name}"))


def bits(table: pa.Table) -> list[Any]:
    values = [table[name].to_numpy().view(np.int64).tolist() for name in ("value", "value_clean")]
    return [table.drop_columns(["value", "value_clean"]).to_pylist(), *values]


def test_a_block_gives_one_reading_of_each_feature(batch: Make) -> None:
    wave = damaged(4 * BLOCK)
    out = run(waves(batch, wave), [])
    raw = out.filter(pc.equal(out["tag"], "wave"))
    assert out.schema == CLEAN_SCHEMA
    assert raw["value"].to_pylist() == wave.tolist()
    assert raw["value_clean"].to_pylist() == wave.tolist()  # no extreme of it is touched
    assert set(raw["quality"].to_pylist()) == {Quality.GOOD}
    for number, name in enumerate(Features._fields):
        found = features(out, name)
        blocks = wave.reshape(4, BLOCK)
        assert found["value"].to_pylist() == [features_of(block)[number] for block in blocks]
        assert found["arrival"].to_pylist() == [(k + 1) * BLOCK - 1 for k in range(4)]
        assert (
            found["source_time"].to_pylist() == raw["source_time"].to_pylist()[BLOCK - 1 :: BLOCK]
        )


def test_blocks_end_where_the_clock_says_wherever_a_judge_begins(batch: Make) -> None:
    table = waves(batch, gaussian(5 * BLOCK))
    begun = run(table.slice(BLOCK + BLOCK // 3), [])
    whole = run(table, [])
    assert features(begun, "rms").to_pylist() == features(whole, "rms").to_pylist()[2:] or (
        features(begun, "rms")["value"].to_pylist()[1:]
        == features(whole, "rms")["value"].to_pylist()[3:]
    )


def test_a_burst_is_one_block_whenever_it_comes(batch: Make) -> None:
    wave = gaussian(3 * BLOCK).reshape(3, BLOCK)
    starts = (0.1, 10.2, 20.0)
    table = in_order(*(waves(batch, part, start=at) for part, at in zip(wave, starts, strict=True)))
    found = features(run(table, []), "rms")["value"].to_pylist()
    assert found == [features_of(part).rms for part in wave]


def test_a_block_of_too_few_values_has_no_feature(batch: Make) -> None:
    wave = np.append(gaussian(BLOCK), gaussian(READINGS_MIN - 1))
    assert features(run(waves(batch, wave), []), "rms").num_rows == 1
    assert features(run(waves(batch, np.append(wave, 1.0)), []), "rms").num_rows == 2


def test_a_block_has_no_more_readings_than_there_is_room_for(batch: Make) -> None:
    rows = waves(batch, gaussian(READINGS_MAX + 1000))
    times = pa.array(np.arange(rows.num_rows)).cast(rows.schema.field("source_time").type)
    for name in ("source_time", "received_time"):
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, rows.schema.field(at), times)
    found = features(run(rows, []), "rms")["arrival"].to_pylist()
    assert found == [READINGS_MAX - 1, READINGS_MAX + 999]


def test_what_cannot_be_used_does_not_count(batch: Make) -> None:
    wave = gaussian(BLOCK)
    holed = wave.copy()
    holed[100:120] = np.nan
    readings = waves(batch, holed).to_pylist()
    refused = [row | ({"source_quality": 2} if row["arrival"] == 300 else {}) for row in readings]
    refused.append(refused[200] | {"arrival": BLOCK})  # a repeat
    out = run(pa.Table.from_pylist(refused, schema=waves(batch, wave).schema), [])
    kept = np.delete(wave, [*range(100, 120), 300])
    assert features(out, "kurtosis")["value"].to_pylist() == [features_of(kept).kurtosis]


def test_a_feature_is_at_most_as_good_as_its_readings(batch: Make) -> None:
    readings = waves(batch, gaussian(2 * BLOCK)).to_pylist()
    readings[10]["source_quality"] = 1
    out = run(pa.Table.from_pylist(readings, schema=waves(batch, gaussian(1)).schema), [])
    found = features(out, "rms").to_pylist()
    assert [row["quality"] for row in found] == [Quality.UNCERTAIN, Quality.GOOD]
    assert found[0]["reasons"] == Reason.SOURCE


def test_of_equal_values_there_is_no_crest_factor(batch: Make) -> None:
    out = run(waves(batch, np.full(BLOCK, 0.1)), [])
    assert [features(out, name).num_rows for name in Features._fields] == [1, 1, 0, 0, 1]
    assert features(out, "rms")["value"].to_pylist() == [0.0]


def test_a_feature_that_leaps_is_a_spike_and_its_waveform_is_not(batch: Make) -> None:
    wave = gaussian(60 * BLOCK).reshape(60, BLOCK)
    wave[40] *= 6.0
    out = run(waves(batch, wave.ravel()), [])
    assert features(out, "rms")["reasons"].to_pylist()[40] == Reason.SPIKE
    assert features(out, "rms")["quality"].to_pylist()[40] == Quality.BAD
    raw = out.filter(pc.equal(out["tag"], "wave"))
    assert not any(raw["reasons"].to_pylist())


def test_whatever_is_told_of_a_feature_it_is_a_gauge_in_the_unit_it_has(batch: Make) -> None:
    told = TagRule(Kind.WAVEFORM, factor=10.0)
    out = run(waves(batch, gaussian(BLOCK)), [], tell=lambda _: told)
    assert set(out["tag"].to_pylist()) == {"wave", *feature_tags("wave")}
    raw = 10.0 * gaussian(BLOCK)
    assert features(out, "rms")["value_clean"].to_pylist() == [features_of(raw).rms]


def test_a_block_that_gets_nothing_more_is_told_after_the_longest_delay(batch: Make) -> None:
    judge, table = Judge(rules, SETTINGS), waves(batch, gaussian(BLOCK))
    end_us = table["received_time"].cast(pa.int64()).to_numpy()[-1]
    pushed = judge.push(RawBatch(table)).table.cast(CLEAN_SCHEMA)
    assert not pc.any(pc.match_substring(pushed["tag"], "/")).as_py()
    due_us = int(end_us) + 60 * SECOND
    assert features(judge.expire(due_us).table, "rms").num_rows == 0
    judge = Judge.restore(judge.memory(), rules, SETTINGS)
    assert features(judge.expire(due_us + 1).table, "rms").num_rows == 1
    assert judge.expire(due_us + 2).table.num_rows == 0
    assert judge.finish().table.num_rows == 0


def test_a_tag_that_is_no_waveform_any_more_has_no_features(batch: Make) -> None:
    judge = Judge(rules, SETTINGS)
    judge.push(RawBatch(waves(batch, gaussian(BLOCK // 2))))
    judge = Judge.restore(judge.memory(), lambda _: TagRule(), SETTINGS)
    last = judge.finish()
    assert judge.made_in(last) == set()
    assert set(last.table["tag"].to_pylist()) == {"wave"}


def test_a_table_has_the_features_of_the_stream(batch: Make) -> None:
    table = in_order(waves(batch, damaged(20 * BLOCK)), waves(batch, gaussian(3 * BLOCK), "other"))
    read = table.select(["tag", "source_time", "value"])
    parts = [read.slice(0, 3001), read.slice(3001)]
    out = pa.concat_tables(features_of_batches(parts, rules, SETTINGS))
    told = run(table, [])
    told = told.filter(pc.match_substring(told["tag"], "/"))
    for name in ("tag", "source_time", "value", "value_clean", "quality"):
        assert sorted(out[name].to_pylist()) == sorted(told[name].to_pylist())
    assert out["reasons"].to_pylist().count(["spike"]) == sum(
        reasons == Reason.SPIKE for reasons in told["reasons"].to_pylist()
    )


def test_a_table_without_a_waveform_has_no_features(batch: Make) -> None:
    read = waves(batch, gaussian(300), "gauge").select(["tag", "source_time", "value"])
    for parts in ([read], [read.slice(0, 0)], []):
        assert pa.concat_tables(features_of_batches(parts, rules, SETTINGS)).num_rows == 0


def stream(batch: Make, seed: int) -> pa.Table:
    """Two waveforms, one of them in bursts with holes, a gauge and the state of their machine."""
    rng = np.random.default_rng(seed)
    wave = damaged(30 * BLOCK) * np.repeat(rng.choice([1.0, 1.0, 4.0], 30), BLOCK)
    wave[rng.random(len(wave)) < 0.01] = np.nan
    bursts = [
        waves(batch, gaussian(int(rng.integers(100, 2 * BLOCK)), k), "other", float(at))
        for k, at in enumerate(np.cumsum(rng.uniform(0.3, 2.0, 6)))
    ]
    slow = [
        batch({"tag": tag, "value": float(rng.integers(0, 3)), "at": k / 20} for k in range(150))
        for tag in ("gauge", "state")
    ]
    return in_order(waves(batch, wave), *bursts, *(one.table for one in slow))


def with_states(tag: str) -> TagRule:
    if tag == "state":
        return TagRule(Kind.STATE, tells_state=True)
    told = {"wave/rms": ("wave/peak",), "wave/peak": ("wave/rms",)}.get(tag, ())
    kind = RULES[tag].kind if tag in RULES else Kind.GAUGE
    return TagRule(kind, machine_states=("state",), neighbours=told)


@pytest.fixture(scope="module")
def long_stream(batch: Make) -> tuple[pa.Table, list[Any]]:
    table = stream(batch, 5)
    out = run(table, [], tell=with_states)
    assert features(out, "rms").num_rows >= 29
    assert features(out, "rms", "other").num_rows >= 4
    return table, bits(out)


@pytest.mark.parametrize("size", [17, 1000])
def test_features_are_the_same_for_chunks_of_any_size(
    long_stream: tuple[pa.Table, list[Any]], size: int
) -> None:
    table, whole = long_stream
    cuts = list(range(size, table.num_rows, size))
    assert bits(run(table, cuts, tell=with_states)) == whole


def test_features_are_the_same_reading_by_reading(batch: Make) -> None:
    table = waves(batch, damaged(2 * BLOCK))
    cuts = list(range(1, table.num_rows))
    assert bits(run(table, cuts)) == bits(run(table, []))


@pytest.mark.parametrize("seed", range(8))
def test_features_are_the_same_when_killed_and_restored_at_any_point(
    long_stream: tuple[pa.Table, list[Any]], seed: int
) -> None:
    table, whole = long_stream
    kills = sorted(np.random.default_rng(seed).integers(0, table.num_rows, 2 * seed).tolist())
    assert bits(run(table, kills, restore=True, tell=with_states)) == whole


@settings(max_examples=5)
@given(st.integers(0, 2**32 - 1))
def test_features_are_the_same_for_readings_overtaken_within_the_lateness_bound(
    batch: Make, seed: int
) -> None:
    table = waves(batch, damaged(4 * BLOCK))
    keys = np.arange(table.num_rows) + np.random.default_rng(seed).uniform(0, 7, table.num_rows)
    mixed = table.take(pa.array(np.argsort(keys))).set_column(
        0, table.schema.field(0), pa.array(np.arange(table.num_rows))
    )
    for name in Features._fields:
        said = [features(run(one, []), name)["value"].to_pylist() for one in (table, mixed)]
        assert said[0] == said[1]
