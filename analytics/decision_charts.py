"""Draws what a decision rests on, each chart one function that returns an inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from analytics.drawing import (
    ACCENT,
    ALERT,
    GREY,
    INK,
    PALE,
    WIDTH_IN,
    house_style,
    inline_svg,
    short_name,
)
from analytics.words import ENGLISH, Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from contracts.decision import (
        Needed,
        PilotDesign,
        PilotPlan,
        Prospect,
        RolloutPlan,
        Sensitivity,
    )
    from contracts.outcome import Interval, Profit

INPUTS_MAX = 12  # beyond it the swings are too small to see beside the first
LINES_MAX = 36  # more rows than this cannot be read on a page
CURVE_POINTS = 101
LOWER = "#9dbbd0"  # the lighter half of a swing: the input below its estimate


def tornado(
    found: Sequence[Sensitivity], npv: float, currency: str, *, words: Words = ENGLISH
) -> str:
    """Draw how far each input swings the NPV around its estimate, the widest on top.

    Light is the input's lower value, dark its higher one; both stand beside the bar.
    """
    shown = list(found[:INPUTS_MAX])
    scale, axis = _money(
        [npv, *(value for one in shown for value in (one.npv_low, one.npv_high))], currency, words
    )
    with house_style():
        figure = Figure(figsize=(WIDTH_IN, 0.8 + 0.27 * len(shown)), layout="constrained")
        axes = figure.add_subplot()
        for row, one in enumerate(shown):
            for end, value, colour in (
                (one.npv_low, one.low, LOWER),
                (one.npv_high, one.high, ACCENT),
            ):
                axes.barh(row, (end - npv) / scale, left=npv / scale, height=0.62, color=colour)
                axes.annotate(
                    _short(value),
                    (end / scale, row),
                    xytext=(4 if end >= npv else -4, 0),
                    textcoords="offset points",
                    ha="left" if end >= npv else "right",
                    va="center",
                    fontsize=7,
                )
        axes.axvline(npv / scale, color=INK, linewidth=0.8)
        _zero(axes)
        axes.set_yticks(range(len(shown)), [words[f"input_{one.name}"] for one in shown])
        axes.invert_yaxis()
        axes.tick_params(axis="y", left=False)
        axes.margins(x=0.12)
        axes.set_xlabel(words["npv_axis"].format(money=axis))
        return inline_svg(figure, ident="tornado", title=words["chart_tornado"])


def scenarios(named: Sequence[tuple[str, Profit]], *, words: Words = ENGLISH) -> str:
    """Draw the NPV of each scenario with its interval, the first one as a line to compare with."""
    worth = [profit.npv for _, profit in named]
    scale, axis = _money(_ends(worth), named[0][1].currency, words)
    with house_style():
        figure = Figure(figsize=(WIDTH_IN, 0.7 + 0.27 * len(named)), layout="constrained")
        axes = figure.add_subplot()
        axes.axvline(worth[0].estimate / scale, color=GREY, linewidth=0.8, linestyle=":")
        _rows(axes, worth, [True] * len(worth), scale)
        _label_rows(axes, [name for name, _ in named])
        axes.set_xlabel(words["npv_axis"].format(money=axis))
        return inline_svg(figure, ident="scenarios", title=words["chart_scenarios"])


def break_even(needed: Needed, prospect: Prospect, *, words: Words = ENGLISH) -> str:
    """Draw the gains that just reach the target, and the estimate with its intervals.

    Above the curve the target is more than reached. The diamond is the nearest point of it.
    """
    with house_style():
        figure = Figure(figsize=(WIDTH_IN, 3.0), layout="constrained")
        axes = figure.add_subplot()
        curve = _percents(needed.curve)
        if len(curve):
            axes.plot(curve[:, 0], curve[:, 1], color=ALERT, linewidth=1.6)
            axes.annotate(
                words["target_curve"].format(key=needed.key, value=f"{needed.value:,.6g}"),
                (curve[len(curve) // 2, 0], curve[len(curve) // 2, 1]),
                xytext=(6, 6),
                textcoords="offset points",
                color=ALERT,
            )
        (nearest,) = _percents([needed.nearest])
        axes.plot(*nearest, marker="D", markersize=6, markerfacecolor="none", color=ALERT)
        _cross(axes, prospect)
        axes.set_xlabel(words["forest_alpha"])
        axes.set_ylabel(words["forest_beta"])
        axes.grid(color=PALE, linewidth=0.5)
        axes.set_axisbelow(True)
        return inline_svg(figure, ident="break-even", title=words["chart_break_even"])


def power_curve(plan: PilotPlan, *, words: Words = ENGLISH) -> str:
    """Draw, for every design, the probability to show an alpha, and a beta, of each size.

    Blue is the design that is chosen, grey are the others; the line across is the power asked for.
    """
    with house_style():
        figure = Figure(figsize=(WIDTH_IN, 2.8), layout="constrained")
        axes_of_both = figure.subplots(1, 2, sharey=True)
        for outcome, (axes, axis) in enumerate(
            zip(axes_of_both, ("forest_alpha", "forest_beta"), strict=True)
        ):
            last = max(float(one.needed[outcome].max()) for one in plan.designs)
            for one in sorted(plan.designs, key=lambda one: one == plan.chosen):
                _draw_power(axes, one, outcome, last, is_chosen=one == plan.chosen)
            axes.axhline(100 * plan.power, color=INK, linewidth=0.8, linestyle=":")
            axes.set_ylim(0, 104)
            axes.set_xlabel(words[axis])
        axes_of_both[0].yaxis.set_major_formatter(PercentFormatter(decimals=0))
        axes_of_both[0].set_ylabel(words["power_axis"])
        chosen = words["design"].format(
            lines=plan.chosen.line_count, periods=plan.chosen.period_count
        )
        axes_of_both[1].annotate(
            chosen, (0.98, 0.08), xycoords="axes fraction", ha="right", color=ACCENT, weight="bold"
        )
        return inline_svg(figure, ident="power-curve", title=words["chart_power"])


def rollout(plan: RolloutPlan, *, words: Words = ENGLISH) -> str:
    """Draw what each line that is left would bring, with its interval; blue are those chosen."""
    shown = plan.lines[:LINES_MAX]
    scale, axis = _money(_ends([one.npv for one in shown]), plan.currency, words)
    with house_style():
        figure = Figure(figsize=(WIDTH_IN, 0.7 + 0.2 * len(shown)), layout="constrained")
        axes = figure.add_subplot()
        _rows(axes, [one.npv for one in shown], [one.is_chosen for one in shown], scale)
        _label_rows(axes, [one.line for one in shown])
        axes.set_xlabel(words["npv_axis"].format(money=axis))
        hidden = len(plan.lines) - len(shown)
        if hidden:
            figure.supxlabel(words["and_more"].format(count=hidden), fontsize=7.5, color=GREY)
        return inline_svg(figure, ident="rollout", title=words["chart_rollout"])


def _draw_power(
    axes: Axes, design: PilotDesign, outcome: int, last: float, *, is_chosen: bool
) -> None:
    """Draw the share of the runs that an effect carries over, the effect in percent."""
    effects = np.linspace(0, last, CURVE_POINTS)
    shares = np.searchsorted(design.needed[outcome], effects) / design.needed.shape[1]
    percent = 100 * (np.expm1(effects) if outcome == 0 else -np.expm1(-effects))
    colour, width = (ACCENT, 2.0) if is_chosen else (GREY, 0.8)
    axes.plot(percent, 100 * shares, color=colour, linewidth=width)


def _cross(axes: Axes, prospect: Prospect) -> None:
    """Draw the estimate with the intervals of alpha and of beta."""
    alpha, beta = prospect.alpha, prospect.beta
    x, y = 100 * (alpha.estimate - 1), 100 * beta.estimate
    axes.plot([100 * (alpha.low - 1), 100 * (alpha.high - 1)], [y, y], color=ACCENT, linewidth=1.6)
    axes.plot([x, x], [100 * beta.low, 100 * beta.high], color=ACCENT, linewidth=1.6)
    axes.plot(x, y, "o", markersize=6, color=ACCENT)


def _percents(points: Sequence[tuple[float, float]]) -> npt.NDArray[np.float64]:
    """Turn alpha and beta into percent, (n, 2)."""
    made = np.array(points, np.float64).reshape(-1, 2)
    return 100 * (made - [1.0, 0.0])


def _rows(axes: Axes, worth: Sequence[Interval], strong: Sequence[bool], scale: float) -> None:
    """Draw one interval a row, from the top down."""
    for row, (each, is_strong) in enumerate(zip(worth, strong, strict=True)):
        colour = ACCENT if is_strong else GREY
        axes.plot([each.low / scale, each.high / scale], [row, row], color=colour, linewidth=1.8)
        axes.plot(each.estimate / scale, row, "o", markersize=5, color=colour)
    _zero(axes)
    axes.grid(axis="x", color=PALE, linewidth=0.5)
    axes.set_axisbelow(True)


def _label_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), [short_name(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", left=False)


def _zero(axes: Axes) -> None:
    """Mark where nothing is earned, if it is near what is drawn."""
    low, high = axes.get_xlim()
    if low <= 0 <= high:
        axes.axvline(0, color=INK, linewidth=0.8, linestyle="--")


def _short(value: float) -> str:
    """Write an input as people read it.

    >>> _short(2_200_000.0), _short(0.1037), _short(27_500.0)
    ('2,200,000', '0.1037', '27,500')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _ends(worth: Sequence[Interval]) -> list[float]:
    return [value for each in worth for value in (each.low, each.high)]


def _money(values: Sequence[float], currency: str, words: Words) -> tuple[float, str]:
    """Give the unit that the values are drawn in, and its name."""
    largest = max(map(abs, values))
    for scale, name in ((1e6, "million"), (1e3, "thousand")):
        if largest >= 2 * scale:
            return scale, f"{words[name]} {short_name(currency)}"
    return 1.0, short_name(currency)
