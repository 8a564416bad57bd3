from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clean.history import History
from clean.physical import bounds_of
from clean.suggest import Suggestion, suggest
from contracts.tags import Kind, TagRule

MINUTES_A_DAY = 1440
STEP_US = 600 * 1_000_000
WEEKS_2 = 2 * 7 * MINUTES_A_DAY // 10


def history(values: np.ndarray, *, bad: np.ndarray | None = None) -> History:
    """Readings every ten minutes; `bad` are those that the judge has found."""
    is_sound = np.isfinite(values) if bad is None else np.isfinite(values) & ~bad
    time = np.arange(len(values), dtype=np.int64) * STEP_US
    return History(time, values, is_sound, np.zeros(len(values), np.bool_))


def walk(seed: int, size: int = WEEKS_2) -> np.ndarray:
    """A temperature that wanders around 20, in steps of 0.1."""
    chance = np.random.default_rng(seed)
    away = np.zeros(size)
    for at in range(1, size):
        away[at] = 0.98 * away[at - 1] + chance.normal(0.0, 0.3)
    return np.round(20.0 + away, 1)


def keys(found: Suggestion) -> dict[str, object]:
    return {one.key: one.value for one in found.proposals}


@given(seed=st.integers(0, 1 << 30), factor=st.sampled_from([1.0, -0.5, 1.8]))
@settings(max_examples=25, deadline=None)
def test_no_sound_reading_contradicts_what_is_suggested(seed: int, factor: float) -> None:
    values = walk(seed)
    chance = np.random.default_rng(seed)
    faults = chance.choice(len(values), 6, replace=False)
    values[faults[:3]] = -555.0
    values[faults[3:]] += 200.0
    bad = np.abs(values) > 150.0
    bad[faults[:3]] = False  # what recurs was not found before
    rule = TagRule(factor=factor, offset=32.0)
    past = history(values, bad=bad)
    found = suggest(past, rule)
    told = found.applied_to(rule)
    sound = values[~bad & (values != -555.0)] * factor + 32.0
    assert told.sentinels == (-555.0,)
    assert told.low is not None
    assert told.high is not None
    assert told.low < sound.min() <= sound.max() < told.high
    assert found.sound == len(sound)
    rate = np.abs(np.diff(sound)).max() / 600.0
    assert told.rate_max is None or told.rate_max > rate


def test_a_limit_is_as_far_from_the_readings_as_these_are_apart() -> None:
    values = np.tile(np.linspace(10.0, 20.0, 101), 20)
    assert {"low": 0.0, "high": 30.0}.items() <= keys(suggest(history(values), TagRule())).items()


@pytest.mark.parametrize(("size", "lack"), [(400, "400 sound readings"), (700, "4.9 days")])
def test_a_short_history_makes_no_limit_and_says_why(size: int, lack: str) -> None:
    found = suggest(history(walk(1, size)), TagRule())
    assert not {"low", "high", "rate_max"} & keys(found).keys()
    assert lack in " ".join(found.notes)


def test_physics_needs_no_history_and_narrows_what_the_readings_allow() -> None:
    values = np.tile(np.linspace(40.0, 90.0, 51), 30)
    bounds = bounds_of("humidity", "%")
    assert {"low": 0.0, "high": 100.0}.items() <= keys(
        suggest(history(values[:9]), TagRule(), bounds)
    ).items()
    assert {"low": 0.0, "high": 100.0}.items() <= keys(
        suggest(history(values), TagRule(), bounds)
    ).items()


def test_readings_that_contradict_physics_win_over_it() -> None:
    values = np.tile(np.linspace(40.0, 101.5, 51), 30)
    found = suggest(history(values), TagRule(), bounds_of("humidity", "%"))
    assert keys(found)["high"] == 163.0
    assert "101.5 are beyond 100" in " ".join(found.notes)


def test_a_machine_that_is_off_is_no_sentinel_and_its_rest_is_known() -> None:
    values = walk(2) + 180.0
    for begin in range(100, 2000, 300):
        values[begin : begin + 60] = 0.0
    found = keys(suggest(history(values), TagRule()))
    assert found["rest"] == (0.0,)
    assert "sentinels" not in found


@pytest.mark.parametrize("value", [0.0, 27.3])
def test_neither_a_dropout_to_zero_nor_a_near_value_is_a_sentinel(value: float) -> None:
    values = walk(3)
    values[[100, 500, 900, 1300]] = value
    assert "sentinels" not in keys(suggest(history(values), TagRule()))


def test_what_comes_and_goes_by_other_values_is_no_sentinel() -> None:
    values = walk(4)
    for begin in (200, 600, 1000):
        values[begin : begin + 3] = (300.0, 500.0, 300.0)
    assert "sentinels" not in keys(suggest(history(values), TagRule()))


def test_a_sensor_that_was_stuck_is_no_rest() -> None:
    values = walk(5)
    for begin, level in ((100, 20.2), (500, 21.0), (900, 19.4), (1200, 20.7), (1500, 18.9)):
        values[begin : begin + 60] = level
    assert "rest" not in keys(suggest(history(values), TagRule()))


def test_a_switching_signal_gets_no_rate() -> None:
    found = suggest(history(np.tile([0.0, 100.0, 50.0], 800)), TagRule())
    assert "rate_max" not in keys(found)
    assert "half of its span" in " ".join(found.notes)


def test_a_counter_shows_where_it_starts_again() -> None:
    values = (np.arange(WEEKS_2) * 100.0) % 65536.0
    found = keys(suggest(history(values), TagRule(kind=Kind.COUNTER)))
    assert found == {"rollover": 65536.0}


def test_a_counter_that_was_only_reset_has_no_rollover() -> None:
    values = np.concatenate([np.arange(700.0), np.arange(700.0)])
    assert keys(suggest(history(values), TagRule(kind=Kind.COUNTER))) == {}


def test_the_states_are_all_there_were() -> None:
    values = np.resize([0.0, 1.0, 1.0, 3.0], WEEKS_2)
    assert keys(suggest(history(values), TagRule(kind=Kind.STATE))) == {"states": (0.0, 1.0, 3.0)}


def test_a_waveform_is_left_alone() -> None:
    assert keys(suggest(history(walk(6)), TagRule(kind=Kind.WAVEFORM))) == {}


@pytest.mark.parametrize("values", [[1.0], [np.nan], [np.nan, 1.0], [1.0, 1.0], [5.0] * 1200])
def test_a_history_that_says_nothing_suggests_nothing(values: list[float]) -> None:
    found = suggest(history(np.array(values)), TagRule())
    assert found.proposals == ()
    assert found.readings == len(values)


def test_what_is_seen_is_said() -> None:
    found = suggest(history(walk(7)), TagRule())
    assert found.resolution == 0.1
    assert found.interval_s == 600.0
    assert list(found.quantiles) == sorted(found.quantiles)


def test_half_of_a_history_does_not_condemn_the_other_half(
    recording: Callable[[str], pa.Table],
) -> None:
    for name in ("nab", "steel", "gas_turbine", "water_flow"):
        table = recording(name)
        tags = table["tag"].to_numpy()
        values = table["value"].to_numpy()
        time = table["source_time"].to_numpy().astype("datetime64[us]").astype(np.int64)
        for tag in np.unique(tags):
            own = np.flatnonzero(tags == tag)
            half = own[: len(own) // 2]
            is_code = np.zeros(len(half), np.bool_)
            past = History(time[half], values[half], np.isfinite(values[half]), is_code)
            told = suggest(past, TagRule()).applied_to(TagRule())
            assert told.low is not None, tag
            assert told.high is not None, tag
            assert told.low <= values[own].min() <= values[own].max() <= told.high, tag
