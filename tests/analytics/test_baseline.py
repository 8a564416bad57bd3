"""The baseline: exact two-way fixed effects on any panel with holes."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.gain import baseline

N, T, P = 5, 7, 2


def cells(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Outcomes (2, N, T), covariates (N, T, P) and which cells are used: linked, with holes."""
    rng = np.random.default_rng(seed)
    used = rng.random((N, T)) > 0.3
    used[0], used[:, 0] = True, True
    y, x = rng.normal(size=(2, N, T)), rng.normal(size=(N, T, P))
    return torch.as_tensor(y), torch.as_tensor(x), torch.as_tensor(used)


def by_dummies(y: torch.Tensor, x: torch.Tensor, used: torch.Tensor) -> np.ndarray:
    """Residuals (2, cells) of least squares with a dummy for every line and period."""
    line, period = np.nonzero(used.numpy())
    columns = [np.eye(N)[line], np.eye(T)[period], x.numpy()[line, period]]
    design = np.concatenate(columns, axis=1)
    right = y.numpy()[:, line, period].T
    return (right - design @ np.linalg.lstsq(design, right)[0]).T


def test_residuals_equal_least_squares_with_dummies() -> None:
    for seed in range(20):
        y, x, used = cells(seed)
        rest = baseline.residuals(baseline.two_way(y, x, used), y, x, used)
        np.testing.assert_allclose(rest[:, used].numpy(), by_dummies(y, x, used), atol=1e-9)


def test_a_planted_slope_is_found_exactly() -> None:
    y, x, used = cells(1)
    fitted = baseline.two_way(y, x, used)
    bent = y + torch.einsum("ntp,kp->knt", x, torch.tensor([[1.0, -2.0], [0.5, 3.0]]).double())
    moved = baseline.two_way(bent, x, used)
    shift = (moved.slope - fitted.slope).numpy()
    np.testing.assert_allclose(shift, [[1.0, -2.0], [0.5, 3.0]], atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), line=st.integers(0, N - 1), period=st.integers(0, T - 1))
def test_a_constant_added_to_a_line_or_a_period_changes_no_residual(
    seed: int, line: int, period: int
) -> None:
    y, x, used = cells(seed)
    moved = y.clone()
    moved[:, line] += 3.0
    moved[:, :, period] -= 2.0
    first = baseline.residuals(baseline.two_way(y, x, used), y, x, used)
    second = baseline.residuals(baseline.two_way(moved, x, used), moved, x, used)
    np.testing.assert_allclose(first.numpy(), second.numpy(), atol=1e-9)


def test_a_covariate_given_twice_changes_no_residual() -> None:
    y, x, used = cells(3)
    twice = torch.cat([x, 2 * x[..., :1]], dim=2)
    first = baseline.residuals(baseline.two_way(y, x, used), y, x, used)
    second = baseline.residuals(baseline.two_way(y, twice, used), y, twice, used)
    np.testing.assert_allclose(first.numpy(), second.numpy(), atol=1e-9)


def test_a_period_that_nobody_reports_stays_unknown() -> None:
    y, x, used = cells(4)
    used[:, 5] = False
    fitted = baseline.two_way(y, x, used)
    wanted = torch.zeros(T + P).double()
    wanted[5], wanted[0] = 1.0, -1.0
    assert float((wanted @ fitted.null).abs().max()) > 0.1
    wanted[5], wanted[1] = 0.0, 1.0
    assert float((wanted @ fitted.null).abs().max()) < 1e-9


def test_without_periods_only_lines_and_slopes_are_fitted() -> None:
    y, x, used = cells(5)
    fitted = baseline.two_way(y, x, used, has_periods=False)
    assert float(fitted.period.abs().max()) == 0.0
    rest = baseline.residuals(fitted, y, x, used)
    np.testing.assert_allclose(rest.sum(dim=2).numpy(), 0.0, atol=1e-9)
    np.testing.assert_allclose(torch.einsum("knt,ntp->kp", rest, x).numpy(), 0.0, atol=1e-9)
