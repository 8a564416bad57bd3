"""The gain: what was planted is found, nothing is not, nonsense is refused."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import gain
from contracts.errors import DataError
from contracts.outcome import Gain
from contracts.panel import Panel, Upgrades

FIRST = dt.date(2024, 1, 1)
Rows = dict[str, list[Any]]
Keep = Callable[[str, dt.date], bool]


def week(number: int) -> dt.date:
    return FIRST + dt.timedelta(weeks=number)


def plant(
    seed: int = 0,
    *,
    alpha: float = 1.0,
    beta: float = 0.0,
    lines: int = 14,
    starts: tuple[int, ...] = (18, 18, 22, 22, 26, 26),
) -> tuple[Rows, Rows]:
    """Forty weeks of lines with a common path, a mix and noise that remembers half of itself.

    The first len(starts) lines are upgraded in these weeks.
    """
    rng = np.random.default_rng(seed)
    weeks = 40
    noise = rng.normal(0, 0.04, (2, lines, weeks))
    for t in range(1, weeks):
        noise[:, :, t] += 0.5 * noise[:, :, t - 1]
    mix = rng.uniform(0.2, 0.8, (lines, weeks))
    path = np.cumsum(rng.normal(0, 0.02, weeks)) + 0.1 * np.sin(np.arange(weeks) / 8)
    begin = np.array([*starts, *[weeks] * (lines - len(starts))])
    is_after = np.arange(weeks) >= begin[:, None]
    level = rng.normal(6, 0.3, (lines, 1))
    output = np.exp(level + path - 0.3 * mix + noise[0] + is_after * math.log(alpha))
    cost = np.exp(2 - path / 2 + 0.4 * mix + noise[1] + is_after * math.log(1 - beta))
    panel = {
        "line": [f"L{n:02}" for n in range(lines) for _ in range(weeks)],
        "period": [week(t) for _ in range(lines) for t in range(weeks)],
        "output": output.ravel().tolist(),
        "unit_cost": cost.ravel().tolist(),
        "mix": mix.ravel().tolist(),
    }
    dates = [week(start) for start in starts]
    return panel, {"line": [f"L{n:02}" for n in range(len(starts))], "upgraded_on": dates}


def fitted(panel: Rows, upgrades: Rows, **options: float) -> Gain:
    return gain.fit(Panel(pa.table(panel)), Upgrades(pa.table(upgrades)), **options)  # type: ignore[arg-type]


def refused(panel: Rows, upgrades: Rows, **options: float) -> str:
    with pytest.raises(DataError) as caught:
        fitted(panel, upgrades, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def only(rows: Rows, keep: Keep) -> Rows:
    """Keep the rows for which keep(line, period) is true."""
    pairs = zip(rows["line"], rows["period"], strict=True)
    chosen = [n for n, pair in enumerate(pairs) if keep(*pair)]
    return {name: [column[n] for n in chosen] for name, column in rows.items()}


def same(first: Gain, second: Gain) -> None:
    np.testing.assert_allclose(first.draws, second.draws, atol=1e-9)
    assert [line.line for line in first.lines] == [line.line for line in second.lines]
    assert first.alpha.low == pytest.approx(second.alpha.low, abs=1e-9)
    assert first.beta.high == pytest.approx(second.beta.high, abs=1e-9)


def test_a_planted_gain_lies_in_its_interval() -> None:
    found = fitted(*plant(1, alpha=1.2, beta=0.1))
    assert found.alpha.low < 1.2 < found.alpha.high
    assert found.beta.low < 0.1 < found.beta.high
    assert 1 < found.alpha.low < found.alpha.high < 1.3
    assert found.verdict == "causal"
    assert found.warnings == ()
    assert len(found.lines) == 6


def test_intervals_contain_the_truth_about_as_often_as_they_say() -> None:
    # of 25 intervals at .9, fewer than 19 or more of each happen once in a hundred times
    programme, lines = np.zeros(2), []
    for seed in range(25):
        found = fitted(*plant(seed))
        programme += [found.alpha.low < 1 < found.alpha.high, found.beta.low < 0 < found.beta.high]
        lines += [line.alpha.low < 1 < line.alpha.high for line in found.lines]
    assert programme.min() >= 19
    assert np.mean(lines) > 0.8


def test_the_next_line_is_less_sure_than_the_programme() -> None:
    found = fitted(*plant(2, alpha=1.1, beta=0.05))
    alpha, beta = found.next_line
    assert alpha.high - alpha.low > found.alpha.high - found.alpha.low
    assert beta.high - beta.low > found.beta.high - found.beta.low


def test_a_gain_without_any_noise_is_exact() -> None:
    panel, upgrades = plant(3)
    panel["mix"] = [0.5] * len(panel["mix"])
    begin = dict(zip(upgrades["line"], upgrades["upgraded_on"], strict=True))
    pairs = list(zip(panel["line"], panel["period"], strict=True))
    is_after = [line in begin and period >= begin[line] for line, period in pairs]
    panel["output"] = [100.0 * (1.2 if after else 1.0) for after in is_after]
    panel["unit_cost"] = [10.0 * (0.9 if after else 1.0) for after in is_after]
    found = fitted(panel, upgrades)
    assert found.alpha.estimate == pytest.approx(1.2, abs=1e-6)
    assert found.beta.estimate == pytest.approx(0.1, abs=1e-6)


def test_a_higher_level_gives_a_wider_interval() -> None:
    narrow, wide = (fitted(*plant(4), level=level) for level in (0.8, 0.95))
    assert wide.alpha.low < narrow.alpha.low < narrow.alpha.high < wide.alpha.high
    assert wide.level == 0.95


def test_draws_are_those_behind_the_intervals() -> None:
    found = fitted(*plant(5, alpha=1.1, beta=0.1))
    low, middle, high = np.exp(np.quantile(found.draws[:, 0], [0.05, 0.5, 0.95]))
    assert found.alpha.low == pytest.approx(low, rel=1e-3)
    assert found.alpha.estimate == pytest.approx(middle, rel=1e-3)
    assert found.alpha.high == pytest.approx(high, rel=1e-3)
    assert found.beta.estimate == pytest.approx(-np.expm1(np.median(found.draws[:, 1])), rel=1e-2)


def test_draws_of_two_outcomes_with_the_same_noise_go_together() -> None:
    panel, upgrades = plant(6)
    panel["unit_cost"] = [1e4 / output for output in panel["output"]]
    together = np.corrcoef(fitted(panel, upgrades).draws.T)[0, 1]
    assert together < -0.9


def test_the_order_of_rows_changes_nothing() -> None:
    panel, upgrades = plant(7, alpha=1.1)
    order = np.random.default_rng(0).permutation(len(panel["line"]))
    shuffled = {name: [column[n] for n in order] for name, column in panel.items()}
    turned = {name: column[::-1] for name, column in upgrades.items()}
    same(fitted(panel, upgrades), fitted(shuffled, turned))


@settings(max_examples=8, deadline=None)
@given(line=st.integers(0, 13), number=st.integers(0, 39), factor=st.floats(0.3, 3))
def test_a_factor_on_a_line_or_on_a_period_changes_nothing(
    line: int, number: int, factor: float
) -> None:
    panel, upgrades = plant(8, alpha=1.1)
    moved = dict(panel)
    moved["output"] = [
        value * (factor if name == f"L{line:02}" else 1) * (factor if day == week(number) else 1)
        for name, day, value in zip(panel["line"], panel["period"], panel["output"], strict=True)
    ]
    same(fitted(panel, upgrades), fitted(moved, upgrades))


def test_ramp_and_anticipation_leave_periods_out() -> None:
    panel, upgrades = plant(9, alpha=1.2)
    begin = dict(zip(upgrades["line"], upgrades["upgraded_on"], strict=True))
    for n, (line, day) in enumerate(zip(panel["line"], panel["period"], strict=True)):
        near = (day - begin[line]).days // 7 if line in begin else -99
        panel["output"][n] *= 0.8 if -4 <= near < 0 else 1.1 if 0 <= near < 3 else 1.0
    plain, told = fitted(panel, upgrades), fitted(panel, upgrades, ramp=3, anticipation=4)
    assert abs(math.log(told.alpha.estimate / 1.2)) < 0.03
    assert abs(math.log(told.alpha.estimate / 1.2)) < abs(math.log(plain.alpha.estimate / 1.2))


def test_the_period_an_upgrade_falls_into_is_neither_before_nor_after() -> None:
    panel, upgrades = plant(10, alpha=1.2)
    within = dict(upgrades, upgraded_on=[d + dt.timedelta(days=3) for d in upgrades["upgraded_on"]])
    cut = dict(upgrades, upgraded_on=[d + dt.timedelta(days=7) for d in upgrades["upgraded_on"]])
    same(fitted(panel, within), fitted(panel, cut, anticipation=1))


def test_an_answer_is_the_promised_json() -> None:
    answer = json.loads(json.dumps(gain.as_answer(fitted(*plant(11)))))
    words = "alpha beta lines next_line level verdict warnings"
    assert sorted(answer) == sorted(words.split())
    for holder in (answer, answer["next_line"], *answer["lines"]):
        for name in ("alpha", "beta"):
            assert sorted(holder[name]) == ["estimate", "high", "low"]
            assert holder[name]["low"] <= holder[name]["estimate"] <= holder[name]["high"]
    assert answer["lines"][0]["line"] == "L00"


# --- words ------------------------------------------------------------------------------------


def test_three_controls_are_before_after_and_the_words_say_so() -> None:
    found = fitted(*plant(12, alpha=1.2, lines=9))
    assert found.verdict == "before_after"
    assert "not causal: 3 lines without upgrade" in found.warnings[0]
    assert found.alpha.low < 1.2 < found.alpha.high


def test_without_controls_the_answer_is_a_before_after_difference() -> None:
    found = fitted(*plant(13, alpha=1.5, lines=6))
    assert found.verdict == "before_after"
    assert "0 lines without upgrade" in found.warnings[0]
    assert "counted as gain" in found.warnings[1]
    assert found.alpha.low > 1


def test_one_upgraded_line_has_a_gain_and_only_a_guess_for_the_next() -> None:
    found = fitted(*plant(14, alpha=1.3, starts=(20,)))
    assert found.lines[0].alpha.low == pytest.approx(found.alpha.low)
    assert found.alpha.low < 1.3 < found.alpha.high
    assert any("next_line is a guess" in words for words in found.warnings)


def test_another_trend_before_the_upgrade_is_not_causal() -> None:
    panel, upgrades = plant(15)
    for n, (line, day) in enumerate(zip(panel["line"], panel["period"], strict=True)):
        panel["output"][n] *= math.exp(0.02 * (day - FIRST).days / 7 * (line in upgrades["line"]))
    found = fitted(panel, upgrades)
    assert found.verdict == "before_after"
    assert "not causal: before the upgrade the output followed another trend" in found.warnings[0]


def test_far_off_cells_are_left_out_and_named() -> None:
    panel, upgrades = plant(16, alpha=1.2)
    clean = fitted(panel, upgrades)
    panel["output"][5] *= 20
    panel["unit_cost"][30] /= 20
    found = fitted(panel, upgrades)
    assert any("2 of 560 cells" in words and "left out" in words for words in found.warnings)
    assert any("L00 2024-02-05" in words for words in found.warnings)
    assert found.alpha.estimate == pytest.approx(clean.alpha.estimate, abs=0.01)


def test_a_line_without_a_period_before_is_left_out_and_named() -> None:
    panel, upgrades = plant(17, alpha=1.2)
    late = only(panel, lambda line, day: line != "L00" or day >= week(18))
    found = fitted(late, upgrades)
    assert [line.line for line in found.lines] == ["L01", "L02", "L03", "L04", "L05"]
    assert any(
        "no period before the upgrade" in words and "L00" in words for words in found.warnings
    )


def test_a_line_upgraded_after_the_panel_counts_as_not_upgraded() -> None:
    panel, upgrades = plant(18, alpha=1.2)
    upgrades["line"].append("L06")
    upgrades["upgraded_on"].append(week(80))
    found = fitted(panel, upgrades)
    assert len(found.lines) == 6
    assert any("after the last period" in words and "L06" in words for words in found.warnings)


def test_periods_without_any_line_to_compare_with_are_left_out() -> None:
    panel, upgrades = plant(19, alpha=1.2)
    gone = only(panel, lambda line, day: line < "L06" or day != week(33))
    assert any("1 of 40 periods" in words for words in fitted(gone, upgrades).warnings)


def test_lines_that_were_never_seen_at_the_same_time_are_not_compared() -> None:
    panel, upgrades = plant(21)
    apart = only(panel, lambda line, day: (line < "L06") == (day < week(30)))
    assert "no upgraded line was seen in the same periods" in refused(apart, upgrades)


def test_the_widest_interval_is_still_a_finite_one() -> None:
    panel, upgrades = plant(24, lines=8)  # two controls: one degree of freedom
    panel["output"] = [value**40 for value in np.divide(panel["output"], 400)]
    found = fitted(panel, upgrades)
    assert 0 < found.alpha.low < found.alpha.high < math.inf
    assert np.isfinite(np.exp(found.draws)).all()


# --- refusals ---------------------------------------------------------------------------------


def test_a_repeated_line_and_period_is_refused_by_its_row() -> None:
    panel, upgrades = plant()
    twice = {name: [*column, column[3]] for name, column in panel.items()}
    message = refused(twice, upgrades)
    assert "row 561" in message
    assert "line L00, period 2024-01-22" in message


@pytest.mark.parametrize("value", [0.0, -3.0, math.nan, math.inf, None])
@pytest.mark.parametrize("name", ["output", "unit_cost"])
def test_an_output_or_cost_that_is_not_above_zero_is_refused_by_its_row(
    name: str, value: float | None
) -> None:
    panel, upgrades = plant()
    panel[name][41] = value
    message = refused(panel, upgrades)
    assert "row 42 of the panel (line L01, period 2024-01-08)" in message
    assert name in message


def test_an_upgraded_line_that_is_not_in_the_panel_is_refused() -> None:
    panel, upgrades = plant()
    upgrades["line"][0] = "L99"
    assert "'L99' is not in the panel" in refused(panel, upgrades)


def test_a_line_with_two_upgrade_dates_is_refused() -> None:
    panel, upgrades = plant()
    upgrades["line"][1] = "L00"
    assert "'L00' is listed twice" in refused(panel, upgrades)


def test_no_upgrade_at_all_is_refused() -> None:
    panel, _ = plant()
    none = {"line": pa.array([], pa.string()), "upgraded_on": pa.array([], pa.date32())}
    assert "no line was upgraded" in refused(panel, none)  # type: ignore[arg-type]


def test_one_period_is_refused() -> None:
    panel, upgrades = plant()
    assert "two periods" in refused(only(panel, lambda _, day: day == FIRST), upgrades)


def test_an_empty_panel_is_refused() -> None:
    panel, upgrades = plant()
    empty = pa.table(panel).slice(0, 0).to_pydict()
    table = pa.table(empty, schema=pa.table(panel).schema)
    with pytest.raises(DataError, match="no rows"):
        gain.fit(Panel(table), Upgrades(pa.table(upgrades)))


@pytest.mark.parametrize("level", [0.0, 1.0, -0.5, 90.0, math.nan])
def test_a_level_outside_zero_to_one_is_refused(level: float) -> None:
    assert "between 0 and 1" in refused(*plant(), level=level)


def test_a_negative_ramp_is_refused() -> None:
    assert "ramp" in refused(*plant(), ramp=-1)


def test_a_panel_that_ends_before_every_upgrade_is_complete_is_refused() -> None:
    assert "no upgraded line has a period" in refused(*plant(), ramp=60)


def test_a_period_that_is_no_date_is_refused() -> None:
    panel, upgrades = plant()
    panel["period"] = ["soon"] * len(panel["period"])
    assert "not a date" in refused(panel, upgrades)


def test_dates_as_text_or_times_are_read() -> None:
    panel, upgrades = plant(22)
    text = dict(panel, period=[day.isoformat() for day in panel["period"]])
    same(fitted(panel, upgrades), fitted(text, upgrades))


def test_a_missing_line_name_is_refused() -> None:
    panel, upgrades = plant()
    panel["line"][2] = None
    assert "row 3 has no line" in refused(panel, upgrades)


@pytest.mark.parametrize("blank", ["", " "])
@pytest.mark.parametrize("name", ["line", "site"])
def test_an_empty_name_is_a_missing_one(name: str, blank: str) -> None:
    panel, upgrades = plant()
    panel["site"] = ["lyon"] * len(panel["line"])
    panel[name][2] = blank  # as a CSV file has it
    assert f"row 3 has no {name}" in refused(panel, upgrades)
