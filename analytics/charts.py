"""Draws what analytics found, each chart one function that returns an inline SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.dates import (
    DAILY,
    HOURLY,
    MINUTELY,
    MONTHLY,
    SECONDLY,
    AutoDateLocator,
    ConciseDateFormatter,
)
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

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
from contracts.quality import Quality

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from matplotlib.axes import Axes

    from contracts.outcome import BridgeStep, Gain, Interval, Profit
    from contracts.panel import Panel, Upgrades
    from contracts.report import QualityRow, Series, Truth

LINES_MAX = 36  # more rows than this cannot be read on a page
POINTS_MAX = 120  # a curve drawn 7 inches wide shows no more
SERIES_POINTS_MAX = 600
MARKS_MAX = 60  # of each quality


def output_index(panel: Panel, upgrades: Upgrades, *, words: Words = ENGLISH) -> str:
    """Draw the mean output of upgraded and of never-upgraded lines over time.

    Each line is 100 before the first upgrade of any line; the band is the middle half of the
    lines. Triangles are upgrades. Output is as it was: not adjusted for mix, weather or hours.
    """
    index, dates = _indexed(panel, upgrades)
    with house_style():
        figure = Figure(figsize=(WIDTH_IN, 3.1), layout="constrained")
        axes = figure.add_subplot()
        for name, colour, lines in (
            ("index_never", GREY, index.columns.difference(dates.index)),
            ("index_upgraded", ACCENT, index.columns.intersection(dates.index)),
        ):
            if len(lines):
                _draw_group(axes, index[lines], colour=colour, label=words[name])
        days = pd.to_datetime(dates).drop_duplicates()
        axes.plot(
            days,
            [0.02] * len(days),
            transform=axes.get_xaxis_transform(),
            linestyle="none",
            marker="^",
            markersize=6,
            color=ACCENT,
        )
        axes.axhline(100, color=GREY, linewidth=0.6, zorder=0)
        axes.set_ylabel(words["index_axis"])
        axes.margins(x=0.01)
        _name_times(axes)
        return inline_svg(figure, ident="output-index", title=words["chart_index"])


def gain_forest(gain: Gain, *, truth: Truth | None = None, words: Words = ENGLISH) -> str:
    """Draw alpha and beta with their intervals: programme, next line, then line by line.

    The vertical line at 0 is no effect; a diamond is the truth of a simulated plant.
    """
    shown = gain.lines[:LINES_MAX]
    labels = [words["programme"], words["next_line"], *(short_name(line.line) for line in shown)]
    alphas = [gain.alpha, gain.next_line[0], *(line.alpha for line in shown)]
    betas = [gain.beta, gain.next_line[1], *(line.beta for line in shown)]
    with house_style():
        height = 0.9 + 0.19 * len(labels)
        figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        _draw_intervals(left, alphas, no_effect=1.0, truth=truth.alpha if truth else None)
        _draw_intervals(right, betas, no_effect=0.0, truth=truth.beta if truth else None)
        left.set_yticks(range(len(labels)), labels)
        left.set_ylim(len(labels) - 0.4, -0.7)
        for text in left.get_yticklabels()[:2]:
            text.set_fontweight("bold")
        left.set_xlabel(words["forest_alpha"])
        right.set_xlabel(words["forest_beta"])
        hidden = len(gain.lines) - len(shown)
        if hidden:
            figure.supxlabel(words["and_more"].format(count=hidden), fontsize=7.5, color=GREY)
        return inline_svg(figure, ident="gain-forest", title=words["chart_forest"])


def profit_bridge(profit: Profit, *, words: Words = ENGLISH) -> str:
    """Draw the profit before, each step that changes it, and the profit after.

    The whisker on the last bar is the interval of the profit after.
    """
    scale, axis = _money_scale(profit, words)
    with house_style():
        figure = Figure(figsize=(WIDTH_IN, 3.2), layout="constrained")
        axes = figure.add_subplot()
        reached = 0.0
        for place, step in enumerate(profit.bridge):
            reached = _draw_step(axes, place, step, reached=reached, scale=scale)
        after = profit.after
        axes.vlines(
            len(profit.bridge) - 1, after.low / scale, after.high / scale, color=INK, linewidth=1.2
        )
        axes.axhline(0, color=INK, linewidth=0.8)
        names = [words[f"step_{step.name}"] for step in profit.bridge]
        axes.set_xticks(range(len(names)), names)
        axes.tick_params(axis="x", bottom=False)
        axes.margins(y=0.12)
        axes.set_ylabel(axis)
        return inline_svg(figure, ident="profit-bridge", title=words["chart_bridge"])


def quality_bars(rows: Sequence[QualityRow], *, words: Words = ENGLISH) -> str:
    """Draw how many readings each reason was given to, the most frequent on top."""
    counts: dict[str, int] = {}
    for row in rows:
        for reason, count in row.reasons:
            counts[reason] = counts.get(reason, 0) + count
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    with house_style():
        figure = Figure(figsize=(WIDTH_IN, 0.6 + 0.24 * len(ordered)), layout="constrained")
        axes = figure.add_subplot()
        bars = axes.barh(
            [short_name(reason) for reason, _ in ordered],
            [count for _, count in ordered],
            color=ACCENT,
            height=0.62,
        )
        axes.bar_label(bars, [f"{count:,}" for _, count in ordered], padding=4, fontsize=8)
        axes.set_xlim(0, 1.12 * max([1, *counts.values()]))
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
        axes.invert_yaxis()
        axes.tick_params(axis="y", left=False)
        axes.set_xlabel(words["quality_axis"])
        return inline_svg(figure, ident="quality-bars", title=words["chart_quality"])


def readings(series: Series, *, ident: str = "series", words: Words = ENGLISH) -> str:
    """Draw a tag's readings: the good ones as a line, the doubted ones as marks.

    The axis is that of the good readings, so a mark at its edge lies beyond it. `ident` must
    differ between charts of one page.
    """
    good = np.where(series.quality == Quality.GOOD, series.value, np.nan)
    low, high = _axis_of(good if np.isfinite(good).any() else series.value)
    keep = _extremes(good)
    with house_style():
        figure = Figure(figsize=(WIDTH_IN, 1.9), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(series.source_time[keep], good[keep], color=ACCENT, linewidth=0.8)
        for quality, marker, name in (
            (Quality.UNCERTAIN, "o", "series_uncertain"),
            (Quality.BAD, "x", "series_bad"),
        ):
            at = _spread(np.flatnonzero((series.quality == quality) & np.isfinite(series.value)))
            if len(at):
                axes.plot(
                    series.source_time[at],
                    np.clip(series.value[at], low, high),
                    linestyle="none",
                    marker=marker,
                    markersize=4,
                    markerfacecolor="none",
                    markeredgewidth=1.1,
                    color=ALERT,
                    label=words[name],
                    clip_on=False,
                )
        axes.set_ylim(low, high)
        axes.yaxis.set_major_locator(MaxNLocator(4))
        _name_times(axes)
        axes.set_ylabel(short_name(series.unit))
        if axes.get_legend_handles_labels()[0]:
            figure.legend(loc="outside upper right", ncols=2, frameon=False, fontsize=8)
        return inline_svg(figure, ident=ident, title=words["chart_series"].format(tag=series.tag))


def _name_times(axes: Axes) -> None:
    """Write at most seven times, in figures, so that no language is needed."""
    locator = AutoDateLocator(maxticks=7)  # type: ignore[no-untyped-call]
    # matplotlib's own steps end below the next unit, so seven times would not always do
    for unit, longest in ((MONTHLY, 12), (HOURLY, 24), (MINUTELY, 60), (SECONDLY, 60)):
        locator.intervald[unit] = [*locator.intervald[unit], longest]
    locator.intervald[DAILY] = [*locator.intervald[DAILY], 28]
    formatter = ConciseDateFormatter(  # type: ignore[no-untyped-call]
        locator,
        formats=["%Y", "%Y-%m", "%Y-%m-%d", "%H:%M", "%H:%M", "%H:%M:%S"],
        zero_formats=["%Y", "%Y", "%Y-%m", "%Y-%m-%d", "%H:%M", "%H:%M"],
        show_offset=False,
    )
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(formatter)


def _indexed(panel: Panel, upgrades: Upgrades) -> tuple[pd.DataFrame, pd.Series[pd.Timestamp]]:
    """Give output as periods x lines, 100 before the first upgrade, and each upgrade's date."""
    wide = panel.table.to_pandas().pivot_table(index="period", columns="line", values="output")
    wide.index = pd.to_datetime(wide.index)
    table = upgrades.table.to_pandas()
    dates = pd.Series(pd.to_datetime(table["upgraded_on"]).to_numpy(), index=table["line"])
    dates = dates[dates.index.isin(wide.columns)]
    before = wide[wide.index < dates.min()] if len(dates) else wide
    index = 100 * wide / before.mean()
    step = -(-len(index) // POINTS_MAX)
    thinned = index.groupby(np.arange(len(index)) // step).mean()
    thinned.index = index.index[::step]
    return thinned.dropna(axis="columns", how="all"), dates


def _draw_group(axes: Axes, index: pd.DataFrame, *, colour: str, label: str) -> None:
    mean = index.mean(axis=1)
    low, high = (index.quantile(q, axis=1) for q in (0.25, 0.75))
    axes.fill_between(index.index, low, high, color=colour, alpha=0.16, linewidth=0)
    axes.plot(index.index, mean, color=colour, linewidth=1.6)
    axes.annotate(
        f"{label} ({index.shape[1]})",
        (index.index[-1], mean.iloc[-1]),
        xytext=(6, 0),
        textcoords="offset points",
        color=colour,
        va="center",
        fontweight="bold",
        annotation_clip=False,
    )


def _draw_intervals(
    axes: Axes, intervals: Sequence[Interval], *, no_effect: float, truth: float | None
) -> None:
    """Draw one row an interval, in percent away from no effect; the first two stand out."""
    low, middle, high = 100 * (
        np.array([(each.low, each.estimate, each.high) for each in intervals]).T - no_effect
    )
    rows = np.arange(len(intervals))
    for part, colour, width in ((slice(2), ACCENT, 2.2), (slice(2, None), GREY, 1.2)):
        gaps = np.full(len(rows[part]), np.nan)  # one path for all bars, which keeps the file small
        bars = np.stack([low[part], high[part], gaps], axis=1).ravel()
        axes.plot(bars, np.repeat(rows[part], 3), color=colour, linewidth=width)
        axes.plot(middle[part], rows[part], "o", markersize=3.2 + width, color=colour)
    if truth is not None:
        axes.plot(
            100 * (truth - no_effect),
            0,
            marker="D",
            markersize=6,
            markerfacecolor="none",
            markeredgewidth=1.4,
            color=ALERT,
        )
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.axhline(1.5, color=PALE, linewidth=0.8)
    axes.grid(axis="x", color=PALE, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", left=False)


def _money_scale(profit: Profit, words: Words) -> tuple[float, str]:
    largest = max(abs(step.amount.estimate) for step in profit.bridge)
    for scale, name in ((1e6, "million"), (1e3, "thousand")):
        if largest >= 2 * scale:
            axis = words["bridge_axis_scaled"]
            return scale, axis.format(scale=words[name], currency=profit.currency)
    return 1.0, words["bridge_axis"].format(currency=profit.currency)


def _draw_step(axes: Axes, place: int, step: BridgeStep, *, reached: float, scale: float) -> float:
    """Draw one bar, from where the last one ended; give where this one ends."""
    amount = step.amount.estimate / scale
    is_total = step.name in {"before", "after"}
    start = 0.0 if is_total else reached
    colour = GREY if is_total else ACCENT if amount >= 0 else ALERT
    axes.bar(place, amount, bottom=start, width=0.62, color=colour)
    end = start + amount
    top = max(start, end, step.amount.high / scale if step.name == "after" else end)
    axes.annotate(
        (f"{amount:,.2f}" if is_total else f"{amount:+,.2f}").replace("-", "\N{MINUS SIGN}"),
        (place, top),
        xytext=(0, 4),
        textcoords="offset points",
        ha="center",
        fontweight="bold",
    )
    if step.name != "after":
        axes.hlines(end, place + 0.31, place + 0.69, color=GREY, linewidth=0.8)
    return end


def _axis_of(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    margin = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin


def _extremes(values: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """Give the places to draw: of each stretch the first, the least and the greatest value."""
    stretches = max(1, min(len(values), SERIES_POINTS_MAX // 3))
    if len(values) <= SERIES_POINTS_MAX:
        return np.arange(len(values))
    places: list[int] = []
    for stretch in np.array_split(np.arange(len(values)), stretches):
        inside = values[stretch]
        places.append(int(stretch[0]))
        if np.isfinite(inside).any():
            places += [int(stretch[np.nanargmin(inside)]), int(stretch[np.nanargmax(inside)])]
    return np.unique(places)


def _spread(places: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Give at most MARKS_MAX of these, evenly."""
    return places[:: -(-len(places) // MARKS_MAX) or 1]
