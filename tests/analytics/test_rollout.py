"""The roll-out and the value of waiting against hand computation and closed forms."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
import torch

from analytics.plan.rollout import Candidate, npv_of, plan, tamed
from analytics.plan.waiting import Learning, value_of_waiting
from analytics.profit import Economics, at
from contracts.decision import Waiting
from contracts.errors import ConfigError, DataError
from contracts.outcome import Gain, Interval, LineGain

LINE = Economics(good_units=1000, unit_cost=10, price=12, investment=1500, years=5)
NORMAL = NormalDist()


def draws_of(
    spread: float, *, alpha: float = 1.1, beta: float = 0.05, seed: int = 1
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Even normal draws, so that means are exact to four digits."""
    steps = np.array([NORMAL.inv_cdf((n + 0.5) / 4000) for n in range(4000)])
    other = np.random.default_rng(seed).permutation(steps)
    return np.log([alpha, 1 - beta]) + spread * np.stack([steps, other], axis=1)


def gain_of(own: float, following: float, lines: int = 4) -> Gain:
    point = Interval(1.1, 1.0, 1.2)
    return Gain(
        alpha=point,
        beta=point,
        lines=(LineGain("x", point, point),) * lines,
        next_line=(point, point),
        level=0.9,
        verdict="causal",
        warnings=(),
        draws=draws_of(own),
        next_draws=draws_of(following, seed=2),
    )


def candidates(*investments: float) -> list[Candidate]:
    return [
        Candidate(f"L{n}", replace(LINE, investment=cost)) for n, cost in enumerate(investments)
    ]


def test_a_gain_without_spread_brings_what_the_model_says() -> None:
    made = plan(candidates(1500), np.tile(np.log([1.1, 0.95]), (200, 1)))
    expected = at(1.1, 0.05, LINE).npv.estimate
    (line,) = made.lines
    assert line.expected_npv == pytest.approx(expected)
    assert (line.npv.low, line.npv.high) == pytest.approx((expected, expected))
    assert made.expected_npv == pytest.approx(expected)
    assert made.loss_chance == 0


def test_risk_is_the_share_of_draws_below_nothing() -> None:
    draws = draws_of(0.05)[::10]
    (line,) = plan(candidates(2000), draws).lines
    worth = [at(a, 1 - k, replace(LINE, investment=2000)).npv.estimate for a, k in np.exp(draws)]
    assert line.loss_chance == pytest.approx(np.mean(np.array(worth) < 0), abs=1e-9)
    assert line.npv.low == pytest.approx(np.quantile(worth, 0.05), rel=0.01)


def test_a_line_that_is_expected_to_lose_is_never_chosen() -> None:
    made = plan(candidates(500, 9000), draws_of(0.02))
    assert made.chosen == ("L0",)
    assert made.investment == 500
    nothing = plan(candidates(9000), draws_of(0.02))
    assert nothing.chosen == ()
    assert nothing.expected_npv == 0


def test_the_budget_is_kept_and_filled_with_what_is_worth_most() -> None:
    made = plan(candidates(900, 1000, 1100), draws_of(0.02), budget=2050)
    assert made.chosen == ("L0", "L1")
    assert made.is_exact
    worth = {one.line: one.expected_npv for one in made.lines}
    assert made.expected_npv == pytest.approx(worth["L0"] + worth["L1"])


def test_the_lines_share_what_is_not_known() -> None:
    one, two = (plan(candidates(*costs), draws_of(0.05)) for costs in ((1500,), (1500, 1500)))
    assert two.npv.low == pytest.approx(2 * one.npv.low)
    assert two.loss_chance == one.loss_chance


def test_tails_of_the_prior_do_not_make_the_expectation() -> None:
    draws = draws_of(0.02)
    wild = draws.copy()
    wild[0, 0] = 20.0  # a multiplier of half a billion
    assert plan(candidates(1500), wild).expected_npv == pytest.approx(
        plan(candidates(1500), draws).expected_npv, rel=1e-3
    )
    with pytest.raises(DataError, match="too few"):
        tamed(np.zeros((3, 2)))


def test_nothing_to_decide_is_refused() -> None:
    with pytest.raises(DataError, match="every line"):
        plan([], draws_of(0.02))
    with pytest.raises(ConfigError, match="budget"):
        plan(candidates(1), draws_of(0.02), budget=-1)


def waited(gain: Gain, investment: float, **said: float) -> Waiting:
    learning = Learning(**{"before": 26, "after": 13, "more": 13, "years": 0.0} | said)  # type: ignore[arg-type]
    return value_of_waiting(candidates(investment), gain, learning)


def test_knowing_the_mean_is_worth_what_the_normal_loss_integral_says() -> None:
    # lines do not differ, the effect is small: NPV is normal to a hundredth
    gain = gain_of(0.004, 0.004, lines=10_000)
    theta = torch.from_numpy(tamed(gain.next_draws))
    worth = npv_of(candidates(0), theta)[0]
    middle, spread = float(worth.mean()), float(worth.std())
    for distance in (-1.0, 0.0, 0.5):
        investment = middle - distance * spread
        found = waited(gain, investment)
        upside = distance * NORMAL.cdf(distance) + NORMAL.pdf(distance)
        assert found.perfect == pytest.approx(
            spread * (upside - max(0.0, distance)), rel=0.05, abs=0.02 * spread
        )


def test_learning_that_costs_no_time_is_never_worth_less_than_nothing() -> None:
    for investment in (1000, 1900, 2600):
        found = waited(gain_of(0.02, 0.04), investment)
        assert found.gain >= -1e-9
        assert found.later <= found.now + found.perfect * 1.05 + 1e-6


def test_time_costs_and_nothing_to_learn_is_worth_nothing() -> None:
    gain = gain_of(0.02, 0.04)
    assert waited(gain, 1000, more=0).gain == pytest.approx(0, abs=1e-6)
    assert waited(gain, 1000, more=0, years=1.0).later == pytest.approx(
        waited(gain, 1000).now / 1.08, rel=1e-3
    )


def test_longer_waiting_and_more_pilots_learn_more() -> None:
    gain = gain_of(0.03, 0.06)
    learned = [waited(gain, 1950, more=more).gain for more in (4, 13, 52)]
    assert learned == sorted(learned)
    both = candidates(1950, 1950)
    watched = Learning(before=26, after=13, more=13, years=0.0)
    alone = value_of_waiting(both, gain, watched)
    pilot = value_of_waiting(both, gain, replace(watched, pilots=("L0",)))
    assert pilot.pilot_lines == ("L0",)
    assert pilot.now == pytest.approx(alone.now, rel=0.02)
