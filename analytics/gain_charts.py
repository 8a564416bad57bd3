"""Draws a closer look at a gain, each chart one function that returns an inline SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from analytics.drawing import ACCENT, GREY, INK, PALE, WIDTH_IN, house_style, inline_svg
from analytics.words import ENGLISH, Words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from contracts.closer import CloserLook
    from contracts.outcome import Gain, Interval


def gain_course(look: CloserLook, *, words: Words = ENGLISH) -> str:
    """Draw alpha and beta by time since the upgrade; before the line at 0 there should be none."""
    middle = [(step.first + step.last) / 2 for step in look.course]
    with house_style():
        figure = Figure(figsize=(WIDTH_IN, 4.2), layout="constrained")
        top, bottom = figure.subplots(2, 1, sharex=True)
        _draw_bars(top, middle, [step.alpha for step in look.course], no_effect=1.0)
        _draw_bars(bottom, middle, [step.beta for step in look.course], no_effect=0.0)
        for axes in (top, bottom):
            axes.axvline(-0.5, color=GREY, linewidth=0.8, linestyle=(0, (3, 2)))
        top.set_ylabel(words["forest_alpha"])
        bottom.set_ylabel(words["forest_beta"])
        bottom.set_xlabel(words["course_axis"])
        return inline_svg(figure, ident="gain-course", title=words["chart_course"])


def gain_placebos(look: CloserLook, gain: Gain, *, words: Words = ENGLISH) -> str:
    """Draw the placebo gains of never-upgraded lines beside the gains of upgraded ones.

    A dot is a line; those never upgraded are above, and show how far chance carries one.
    """
    with house_style():
        figure = Figure(figsize=(WIDTH_IN, 1.9), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        upgraded_alpha = [line.alpha.estimate - 1 for line in gain.lines]
        upgraded_beta = [line.beta.estimate for line in gain.lines]
        _draw_dots(left, [one.alpha - 1 for one in look.placebos], upgraded_alpha)
        _draw_dots(right, [one.beta for one in look.placebos], upgraded_beta)
        left.set_yticks([1, 0], [words["index_never"], words["index_upgraded"]])
        left.set_ylim(-0.6, 1.6)
        left.set_xlabel(words["forest_alpha"])
        right.set_xlabel(words["forest_beta"])
        return inline_svg(figure, ident="gain-placebos", title=words["chart_placebos"])


def gain_anticipation(look: CloserLook, *, words: Words = ENGLISH) -> str:
    """Draw the programme's gain by how many periods before the upgrades were left out."""
    at = [float(one.anticipation) for one in look.anticipations]
    with house_style():
        figure = Figure(figsize=(WIDTH_IN, 2.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        _draw_bars(left, at, [one.alpha for one in look.anticipations], no_effect=1.0)
        _draw_bars(right, at, [one.beta for one in look.anticipations], no_effect=0.0)
        left.set_ylabel(words["forest_alpha"])
        right.set_ylabel(words["forest_beta"])
        for axes in (left, right):
            axes.set_xticks(at)
            axes.set_xlabel(words["anticipation_axis"])
        return inline_svg(figure, ident="gain-anticipation", title=words["chart_anticipation"])


def _draw_bars(
    axes: Axes, at: Sequence[float], intervals: Sequence[Interval], *, no_effect: float
) -> None:
    """Draw intervals upright, in percent away from no effect."""
    low, middle, high = 100 * (
        np.array([(each.low, each.estimate, each.high) for each in intervals]).T - no_effect
    )
    gaps = np.full(len(at), np.nan)  # one path for all bars, which keeps the file small
    axes.plot(np.repeat(at, 3), np.stack([low, high, gaps], axis=1).ravel(), color=ACCENT)
    axes.plot(at, middle, "o", markersize=4, color=ACCENT)
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.grid(axis="y", color=PALE, linewidth=0.5)
    axes.set_axisbelow(True)


def _draw_dots(axes: Axes, never: Sequence[float], upgraded: Sequence[float]) -> None:
    for row, colour, values in ((1, GREY, never), (0, ACCENT, upgraded)):
        dots = 100 * np.asarray(values, np.float64)
        axes.plot(dots, np.full(len(dots), row), "o", markersize=5, alpha=0.6, color=colour)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.tick_params(axis="y", left=False)
    axes.spines["left"].set_visible(False)
