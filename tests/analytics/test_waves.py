"""Waves that lines follow unequally: found where they are, and cancelled in every contrast."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
import torch

from analytics import gain
from analytics.gain import contrasts, waves
from contracts.outcome import Gain
from contracts.panel import Panel, Upgrades
from tests.analytics.test_gain import plant
from tests.analytics.test_gain_parts import grid_of


def remembering(seed: int, lines: int = 30, periods: int = 60, keep: float = 0.5) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(2, lines, periods))
    for t in range(1, periods):
        noise[:, :, t] += keep * noise[:, :, t - 1]
    return noise


def wave_of(periods: int = 60) -> np.ndarray:
    return 2 * np.sin(np.arange(periods) / 9 + 0.5)


def test_a_common_wave_is_found_in_noise_and_is_the_wave() -> None:
    share = np.random.default_rng(2).normal(1, 0.8, size=(30, 1))
    found = waves.common(grid_of(remembering(2) + share * wave_of(), [40] * 8))
    assert found.shape == (60, 1)
    level = wave_of() - wave_of().mean()
    assert abs(float(found[:, 0] @ torch.as_tensor(level))) / np.linalg.norm(level) > 0.95


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.8])
def test_noise_that_lines_do_not_share_is_no_wave(keep: float) -> None:
    found = [
        waves.common(grid_of(remembering(seed, keep=keep), [40] * 8)).shape[1] for seed in range(20)
    ]
    assert np.count_nonzero(found) <= 2  # .2 are expected; more than 2 once in a thousand times


def test_a_wave_that_all_lines_follow_alike_is_none() -> None:
    found = [
        waves.common(grid_of(remembering(seed) + wave_of(), [40] * 8)).shape[1]
        for seed in range(10)
    ]
    assert np.count_nonzero(found) <= 1


def test_balanced_contrasts_do_not_see_a_wave_whatever_the_share() -> None:
    grid = grid_of(remembering(2), [40] * 8)
    wave = torch.as_tensor(wave_of())[:, None]
    plain = contrasts.after_less_before(grid)
    found = waves.balanced(plain, wave, grid.before[plain.line])
    torch.testing.assert_close(found.net @ wave, torch.zeros(8, 1).double(), atol=1e-8, rtol=0)
    torch.testing.assert_close(found.minus.sum(dim=1), torch.ones(8).double())
    torch.testing.assert_close(found.plus, plain.plus)
    assert float((found.minus * ~grid.before[plain.line]).abs().max()) == 0


def test_few_lines_or_periods_have_no_waves() -> None:
    assert waves.common(grid_of(remembering(3, lines=12), [40] * 8)).shape == (60, 0)
    assert waves.common(grid_of(remembering(3, periods=12), [8] * 8)).shape == (12, 0)


def tables(seed: int, period: float = 4) -> tuple[Panel, Upgrades]:
    """Make a plant whose upgraded lines follow a wave in output more than the others do."""
    panel, upgrades = plant(seed, alpha=1.2, lines=26)
    rng = np.random.default_rng(seed)
    upgraded = set(upgrades["line"])
    share = {
        name: rng.normal(1 + 0.6 * (name in upgraded), 0.6) for name in sorted(set(panel["line"]))
    }
    first = min(panel["period"])
    panel["output"] = [
        value * math.exp(0.15 * share[line] * math.sin((day - first).days / 7 / period + 0.5))
        for line, day, value in zip(panel["line"], panel["period"], panel["output"], strict=True)
    ]
    return Panel(pa.table(panel)), Upgrades(pa.table(upgrades))


def waved(seed: int, period: float = 4) -> Gain:
    return gain.fit(*tables(seed, period))


def test_a_gain_under_a_wave_is_nearly_unbiased_and_the_words_say_how() -> None:
    told = [one for one in map(waved, range(12)) if "wave unequally" in " ".join(one.warnings)]
    assert len(told) >= 8
    errors = [math.log(one.alpha.estimate / 1.2) for one in told]
    assert abs(np.mean(errors)) < 0.025  # without balancing it is .1
    assert sum(one.alpha.low < 1.2 < one.alpha.high for one in told) >= 0.7 * len(told)


def test_a_wave_that_the_weeks_before_hardly_show_is_not_causal() -> None:
    found = [waved(seed, period=9) for seed in range(8)]
    told = [one for one in found if "drift apart in common" in " ".join(one.warnings)]
    assert len(told) >= 4
    assert {one.verdict for one in told} == {"before_after"}


def test_the_course_of_a_gain_under_a_wave_is_flat_before_and_at_the_gain_after() -> None:
    looks = [gain.look_closer(*tables(seed)) for seed in range(6)]
    steps = [step for look in looks for step in look.course]
    before = [step.alpha.low < 1 < step.alpha.high for step in steps if step.last < 0]
    after = [step.alpha.low < 1.2 < step.alpha.high for step in steps if step.first >= 0]
    assert np.mean(before) > 0.8
    assert np.mean(after) > 0.8
