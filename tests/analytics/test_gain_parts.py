"""The parts of the estimator against what they must equal by hand or by brute force."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from analytics.gain import baseline, contrasts, effects, gates, outliers, splines
from analytics.gain.design import NEVER, Grid

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # as gain.fit does for small panels
    yield
    torch.set_num_threads(before)


NO_WAVE = torch.zeros(40, 0).double()


def grid_of(y: np.ndarray, begin: list[int], seen: np.ndarray | None = None) -> Grid:
    """Lay out outcomes (2, n, T) with the periods in which lines are upgraded."""
    _, lines, periods = y.shape
    is_seen = np.ones((lines, periods), dtype=bool) if seen is None else seen
    starts = torch.tensor([*begin, *[NEVER] * (lines - len(begin))])
    return Grid(
        lines=tuple(f"L{n:03}" for n in range(lines)),
        periods=np.arange(periods).astype("datetime64[D]"),
        y=torch.as_tensor(y * is_seen),
        x=torch.zeros(lines, periods, 0, dtype=torch.float64),
        seen=torch.as_tensor(is_seen),
        before_end=starts,
        after_start=starts,
        is_upgraded=starts < NEVER,
        site=torch.arange(lines),
    )


def measured(grid: Grid) -> contrasts.Contrasts:
    base = baseline.two_way(grid.y, grid.x, grid.before)
    return contrasts.measure(grid, base, contrasts.after_less_before(grid), grid.controls)


def test_one_wave_without_holes_is_the_difference_of_differences() -> None:
    y = np.random.default_rng(0).normal(size=(2, 9, 12))
    found = measured(grid_of(y, [7] * 4))
    change = y[:, :, 7:].mean(axis=2) - y[:, :, :7].mean(axis=2)
    wanted = change[:, :4] - change[:, 4:].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(found.value.numpy(), wanted, atol=1e-9)
    # and the shared error is that of the controls' mean change
    shared = found.shared.square().sum(dim=2)[:, 0].numpy()
    np.testing.assert_allclose(shared, change[:, 4:].var(axis=1, ddof=1) / 5, rtol=1e-9)
    assert found.freedom == 4


def test_measured_errors_are_those_of_repeated_panels() -> None:
    rng = np.random.default_rng(1)
    errors, promised = [], []
    for _ in range(200):
        noise = rng.normal(size=(2, 24, 40))
        for t in range(1, 40):
            noise[:, :, t] += 0.7 * noise[:, :, t - 1]
        found = measured(grid_of(noise, [15] * 4 + [20] * 4 + [25] * 4))
        errors.append(found.value.mean(dim=1).numpy())
        shared = found.shared.mean(dim=1).square().sum(dim=1)
        promised.append((found.own.sum(dim=1) / 144 + shared).numpy())
    ratio = np.mean(np.square(errors)) / np.mean(promised)
    assert 0.8 < ratio < 1.25  # 400 errors fix their mean square to 7 %


def test_a_noisy_line_has_a_wide_own_error() -> None:
    noise = np.random.default_rng(2).normal(size=(2, 20, 60))
    noise[:, 0] *= 3
    found = measured(grid_of(noise, [30] * 6))
    assert float(found.own[0, 0] / found.own[0, 1:].mean()) > 4


def test_a_line_seen_on_too_few_controls_is_not_comparable() -> None:
    y = np.random.default_rng(3).normal(size=(2, 10, 20))
    seen = np.ones((10, 20), dtype=bool)
    seen[1:5, :14] = False  # two controls were there before
    seen[0, 15:] = False
    grid = grid_of(y, [8], seen)
    base = baseline.two_way(grid.y, grid.x, grid.before)
    weights = contrasts.after_less_before(grid)
    assert contrasts.comparable(grid, base, weights, grid.controls).tolist() == [True]
    assert contrasts.comparable(grid, base, weights, grid.controls[:4]).tolist() == [False]


def test_the_population_in_low_rank_equals_dense_matrices() -> None:
    rng = np.random.default_rng(4)
    value, own = torch.as_tensor(rng.normal(size=7)), torch.as_tensor(rng.uniform(0.5, 2, 7))
    shared = torch.as_tensor(rng.normal(size=(7, 2)))
    people = effects.population(value, own, shared)
    one = torch.ones(7).double()
    for step in (0, 20, 40):
        s2 = float(people.spread[step]) ** 2
        total = torch.diag(own) + shared @ shared.T + s2 * torch.eye(7).double()
        b = torch.linalg.inv(total)
        middle = one @ b @ value / (one @ b @ one)
        line = middle + s2 * b @ (value - middle)
        slack = one - s2 * b @ one
        cover = s2 * torch.eye(7).double() - s2**2 * b + torch.outer(slack, slack) / (one @ b @ one)
        misfit = (value - middle) @ b @ (value - middle)
        chance = -(torch.logdet(total) + (one @ b @ one).log()) / 2
        torch.testing.assert_close(people.middle[step], middle)
        torch.testing.assert_close(people.line_mean[step], line)
        torch.testing.assert_close(people.line_variance[step], cover.diagonal())
        torch.testing.assert_close(people.programme_variance[step], cover.sum() / 49)
        torch.testing.assert_close(people.misfit[step], misfit)
        # the determinant of diag(own) + s^2 and of the low rank part make the whole
        torch.testing.assert_close(people.chance[step], chance)


@pytest.mark.parametrize(("freedom", "quantile"), [(3, 2.353), (7, 1.895), (19, 1.729)])
def test_intervals_of_one_line_are_those_of_student(freedom: int, quantile: float) -> None:
    value, own = torch.zeros(1).double(), torch.ones(1).double()
    people = effects.population(value, own, torch.zeros(1, 1).double())
    drawn = effects.draw(people, freedom, effects.even_chances(3), [0.05, 0.95])
    assert drawn.line[0].tolist() == pytest.approx([-quantile, quantile], rel=0.02)
    high = float(effects.quantiles(drawn.programme, [0.95])[0])
    assert high == pytest.approx(quantile, rel=0.02)


def test_lines_are_drawn_towards_the_middle_if_they_differ_by_chance_only() -> None:
    value = torch.as_tensor(np.random.default_rng(5).normal(size=30)) * 0.1
    people = effects.population(
        value, torch.full((30,), 0.01).double(), torch.zeros(30, 1).double()
    )
    drawn = effects.draw(people, 20, effects.even_chances(3), [0.5])
    assert float(drawn.line.std()) < 0.5 * float(value.std())


def test_innovation_variance_is_that_of_white_noise_whatever_the_step_at_the_upgrade() -> None:
    rest = torch.as_tensor(np.random.default_rng(6).normal(0, 2, size=(2, 50, 400)))
    before = (torch.arange(400) < 200).expand(50, 400)
    rest = rest + 100.0 * ~before
    found = contrasts.innovation_variance(rest, before, ~before)
    np.testing.assert_allclose(found.numpy(), 4.0, rtol=0.1)


def test_a_slope_before_the_upgrade_is_found_and_its_absence_mostly_is_not() -> None:
    alarms = 0
    for seed in range(40):
        noise = np.random.default_rng(seed).normal(size=(2, 16, 40))
        alarms += gates.judge(grid_of(noise, [25] * 6), 10, NO_WAVE)[0] != "causal"
    assert alarms <= 6  # 2 are expected; more than 6 once in a hundred times
    noise[0, :6] += np.arange(40) * 0.1
    verdict, words = gates.judge(grid_of(noise, [25] * 6), 10, NO_WAVE)
    assert verdict == "before_after"
    assert "the output followed another trend" in words[0]


def test_a_dip_before_the_upgrade_is_found() -> None:
    noise = np.random.default_rng(7).normal(size=(2, 16, 40))
    noise[1, :6, 21:25] += 2
    _, words = gates.judge(grid_of(noise, [25] * 6), 10, NO_WAVE)
    assert any("the unit cost had already left" in reason for reason in words)


def test_only_far_cells_are_left_out_and_a_gain_is_none() -> None:
    y = np.random.default_rng(8).normal(size=(2, 12, 50))
    y[:, :4, 30:] += 30
    y[0, 2, 40] += 20
    y[1, 7, 3] -= 20
    _, _, words = outliers.leave_out(grid_of(y, [30] * 4), has_periods=True)
    assert words[0].startswith("2 of 600 cells")
    assert "L002 1970-02-10, L007 1970-01-04" in words[0]


def test_cells_that_are_far_off_all_the_time_are_kept() -> None:
    y = np.random.default_rng(10).normal(size=(2, 12, 50))
    y[0][np.random.default_rng(11).random((12, 50)) < 0.08] -= 30
    grid, _, words = outliers.leave_out(grid_of(y, [30] * 4), has_periods=True)
    assert bool(grid.seen.all())
    assert "too many to be errors" in words[0]


def test_knots_grow_with_the_cells_and_stop() -> None:
    values = torch.as_tensor(np.random.default_rng(9).normal(size=5000))
    widths = [splines.basis(values[:n], covariate_count=1).shape[1] for n in (30, 80, 160, 5000)]
    assert widths == [1, 2, 4, 6]


def test_a_constant_covariate_has_no_column() -> None:
    assert splines.basis(torch.full((9,), 5.0).double(), covariate_count=1).shape == (9, 0)


def test_a_covariate_of_two_values_keeps_one_column() -> None:
    values = torch.arange(1000).double() % 2
    assert splines.basis(values, covariate_count=1).shape == (1000, 1)


def test_a_bent_response_is_followed() -> None:
    x = torch.linspace(0, 1, 2000).double()
    bent = torch.relu(x - 0.5)
    columns = torch.cat([splines.basis(x, covariate_count=1), torch.ones(2000, 1).double()], dim=1)
    rest = bent - columns @ torch.linalg.lstsq(columns, bent[:, None]).solution[:, 0]
    assert float(rest.abs().max()) < 0.02
    assert math.isfinite(float(rest.sum()))
