"""One upgraded line: its mixture, its interval, and what is refused."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from analytics import gain
from analytics.gain import simplex, synthetic
from contracts.errors import DataError
from contracts.outcome import Gain
from contracts.panel import Panel, Upgrades

WEEKS, START = 40, 26


def waves(
    seed: int, *, lines: int = 16, alpha: float = 1.0, loading: float = 1.0
) -> tuple[Panel, Upgrades]:
    """Lines that follow a common wave unequally; the first, which is upgraded, more than most."""
    rng = np.random.default_rng(seed)
    wave = 0.3 * np.cumsum(rng.normal(0, 0.1, WEEKS))
    follows = np.array([[0.6], *np.linspace([1.0], [-1.0], lines - 1)]) * loading
    noise = rng.normal(0, 0.03, (2, lines, WEEKS))
    is_after = (np.arange(WEEKS) >= START) & (np.arange(lines)[:, None] == 0)
    output = np.exp(6 + follows * wave + noise[0] + is_after * math.log(alpha))
    cost = np.exp(2 - follows * wave + noise[1])
    days = [dt.date(2024, 1, 1) + dt.timedelta(weeks=t) for t in range(WEEKS)]
    table = pa.table(
        {
            "line": [f"L{n:02}" for n in range(lines) for _ in days],
            "period": days * lines,
            "output": output.ravel(),
            "unit_cost": cost.ravel(),
        }
    )
    return Panel(table), Upgrades(pa.table({"line": ["L00"], "upgraded_on": [days[START]]}))


def test_a_gain_is_found_though_lines_follow_a_wave_unequally() -> None:
    errors = [
        math.log(gain.fit_one(*waves(seed, alpha=1.2)).alpha.estimate / 1.2) for seed in range(12)
    ]
    assert np.median(np.abs(errors)) < 0.03


def test_intervals_contain_the_truth_about_as_often_as_they_say() -> None:
    # of 40 intervals at .9, fewer than 31 happen once in a hundred times
    inside = 0
    for seed in range(20):
        found = gain.fit_one(*waves(seed, loading=0.0))
        inside += (found.alpha.low < 1 < found.alpha.high) + (found.beta.low < 0 < found.beta.high)
    assert inside >= 31


def test_the_answer_is_that_of_many_lines() -> None:
    found = gain.fit_one(*waves(1, alpha=1.1))
    assert isinstance(found, Gain)
    assert [line.line for line in found.lines] == ["L00"]
    assert found.lines[0].borrowed == pytest.approx(0, abs=1e-9)
    assert found.lines[0].alpha.low == pytest.approx(found.alpha.low)
    assert any("compared with a mixture: L0" in words for words in found.warnings)


def test_few_other_lines_are_named_and_make_it_wide() -> None:
    few, many = gain.fit_one(*waves(2, lines=6, loading=0)), gain.fit_one(*waves(2, loading=0))
    assert any("errors of 5 other lines" in words for words in few.warnings)
    assert few.alpha.high / few.alpha.low > many.alpha.high / many.alpha.low
    assert not any("other lines alone" in words for words in many.warnings)
    three = gain.fit_one(*waves(2, lines=4, loading=0))
    assert three.verdict == "before_after"
    assert "3 lines without upgrade" in three.warnings[0]


def test_a_line_that_leaves_the_others_before_its_upgrade_is_not_causal() -> None:
    panel, upgrades = waves(3, loading=0.0)
    rows = panel.table.to_pydict()
    first = dt.date(2024, 1, 1)
    rows["output"] = [
        value * math.exp(0.02 * (day - first).days / 7 * (line == "L00"))
        for line, day, value in zip(rows["line"], rows["period"], rows["output"], strict=True)
    ]
    found = gain.fit_one(Panel(pa.table(rows)), upgrades)
    assert found.verdict == "before_after"
    assert "the output had already left every mixture" in found.warnings[0]


def test_a_few_missing_weeks_change_little() -> None:
    panel, upgrades = waves(4, alpha=1.2)
    seen = np.random.default_rng(0).random(panel.table.num_rows) > 0.1
    whole = gain.fit_one(panel, upgrades)
    holes = gain.fit_one(Panel(panel.table.filter(pa.array(seen))), upgrades)
    assert holes.alpha.estimate == pytest.approx(whole.alpha.estimate, abs=0.04)


def test_two_upgraded_lines_are_refused_until_one_is_named() -> None:
    panel, upgrades = waves(5)
    rows = upgrades.table.to_pydict()
    both = {"line": ["L00", "L01"], "upgraded_on": rows["upgraded_on"] * 2}
    with pytest.raises(DataError, match="2 lines were upgraded"):
        gain.fit_one(panel, Upgrades(pa.table(both)))
    kept, one = gain.alone(panel, Upgrades(pa.table(both)), "L00")
    assert set(kept.table["line"].to_pylist()) == {f"L{n:02}" for n in range(16)} - {"L01"}
    assert gain.fit_one(kept, one).lines[0].line == "L00"
    with pytest.raises(DataError, match="'L07' is not among the upgrades"):
        gain.alone(panel, upgrades, "L07")


def test_two_other_lines_are_too_few() -> None:
    with pytest.raises(DataError, match="2 lines without upgrade"):
        gain.fit_one(*waves(6, lines=3))


def test_synthetic_did_is_did_where_nothing_can_be_learned_from_the_past() -> None:
    flat = torch.zeros(5, 8).double()
    after = torch.as_tensor(np.random.default_rng(0).normal(size=(5, 4)))
    block = synthetic.Block(flat, after)
    wanted = synthetic.estimate(block, "did").effect
    assert wanted == pytest.approx(float(after[0].mean() - after[1:].mean()))


@given(st.integers(0, 10**6), st.integers(2, 12), st.floats(0, 2))
def test_no_mixture_is_nearer_than_the_nearest(seed: int, count: int, ridge: float) -> None:
    rng = np.random.default_rng(seed)
    columns = torch.as_tensor(rng.normal(size=(6, count)))
    target = torch.as_tensor(rng.normal(size=6))

    def distance(weight: torch.Tensor) -> float:
        return float((columns @ weight - target).square().sum() + ridge * weight.square().sum())

    found = simplex.nearest(columns, target, ridge)
    assert float(found.min()) >= 0
    assert float(found.sum()) == pytest.approx(1)
    others = torch.as_tensor(rng.dirichlet(np.full(count, 0.3), size=200))
    corners = torch.eye(count).double()
    for other in torch.cat([others, corners, 0.9 * found + 0.1 * corners]):
        assert distance(found) <= distance(other) + 1e-9
