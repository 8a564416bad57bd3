"""Draws a series with its verdicts: as it came, as it is to be used, and why.

Blue, vermillion, ochre and grey are told apart by colour-blind readers; each reason has a mark of
its own shape besides. What is far outside the sound values is drawn at the edge, with its value.
"""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from analytics.drawing import ACCENT, ALERT, GREY, INK, WIDTH_IN, house_style
from contracts.errors import DataError
from contracts.quality import Quality, Reason, words_of

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]

WHOLE_MAX: Final = 400  # readings that a page's width shows one by one
DOTS_MAX: Final = 150  # readings that are dots beside their line
COLUMNS: Final = 700  # of an envelope: half a point each
ZOOMS_MAX: Final = 3
ZOOM_READINGS: Final = 120
NEAR_SPANS: Final = 1.0  # what is further outside would press the rest together
HEADROOM: Final = 0.12  # of what is shown, above and below
LABEL_SHARE: Final = 0.05  # of the width: labels nearer than this would overlap
BAND: Final = "#d3e4ef"
OCHRE: Final = "#b8860b"
DPI: Final = 160
MARGIN: Final = 0.01  # of the time shown, before and after
SINGLE_US: Final = 4 * 366 * 86_400e6  # around a single reading Matplotlib shows two years or more
YEAR_1_US: Final = -62_135_596_800e6
YEAR_10000_US: Final = 253_402_300_800e6
VALUE_MAX: Final = 1e300  # what is larger is drawn at the edge: with headroom it must be a number
GAP_INTERVALS: Final = 5.0  # as in clean.window: over a longer pause no line is drawn
# What stands beside an axis whose ticks are years, months, days, hours, minutes, seconds.
OFFSETS: Final = ("UTC", "%Y UTC", "%Y-%m UTC", *(["%Y-%m-%d UTC"] * 2), "%Y-%m-%d %H:%M UTC")
# A shape and a colour for each reason that has a place of its own; all others share one.
MARKS: Final[dict[Reason, tuple[str, str]]] = {
    Reason.SPIKE: ("v", ALERT),
    Reason.SENTINEL: ("X", ALERT),
    Reason.RANGE: ("s", ALERT),
    Reason.MISSING: ("|", ALERT),
    Reason.FLATLINE: ("_", OCHRE),
    Reason.NOISE: ("D", OCHRE),
    Reason.ATTENUATED: ("p", OCHRE),
    Reason.RATE: ("^", OCHRE),
    Reason.DUPLICATE: ("+", OCHRE),
    Reason.CONFLICT: ("x", OCHRE),
    Reason.LATE: ("<", OCHRE),
    Reason.COUNTER: ("d", OCHRE),
    Reason.STATE: ("h", OCHRE),
    Reason.NEIGHBOUR: ("P", OCHRE),
    Reason.INVENTORY: ("*", OCHRE),
}
OTHER: Final = ("o", OCHRE)


@dataclass(frozen=True)
class Judged:
    """One series with its verdicts, in order of time; arrays of one length."""

    time: npt.NDArray[np.datetime64]
    value: Floats
    value_clean: Floats
    quality: npt.NDArray[np.int8]
    reasons: npt.NDArray[np.int32]
    middle: Floats  # median of the window, and how far from it a value may be; may be NaN
    reach: Floats

    def at(self, places: slice) -> Judged:
        """Cut out a part."""
        return Judged(*(getattr(self, name)[places] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Caption:
    """What stands around a picture."""

    title: str
    below: str = ""
    unit: str | None = None


def draw(judged: Judged, caption: Caption, path: Path, form: str) -> None:
    """Write the picture as `form`, svg or png: the whole, and below it where most was found.

    Raises DataError for times that no calendar has.
    """
    _refuse_times(judged.time)
    zooms = zooms_of(judged)
    with house_style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        warnings.filterwarnings("ignore", message="AutoDateLocator was unable to pick")
        heights = [1.0, *([1.15] * len(zooms))]
        figure = Figure(figsize=(WIDTH_IN, 0.75 + 1.75 * sum(heights)), layout="constrained")
        panels = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
        _draw_panel(panels[0], judged, caption)
        for panel, zoom in zip(panels[1:], zooms, strict=True):
            part = judged.at(zoom)
            panels[0].axvspan(part.time[0], part.time[-1], color=GREY, alpha=0.16, linewidth=0)
            _draw_panel(panel, part, caption)
        _name(figure, panels, caption)
        if form == "png":
            figure.savefig(path, format=form, metadata={"Software": None}, dpi=DPI)
            return
        text = io.StringIO()
        nothing: Any = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(text, format="svg", metadata=nothing)
    path.write_text(_shortened(text.getvalue()), encoding="utf-8")


def zooms_of(judged: Judged) -> list[slice]:
    """Choose the windows in which most readings are not GOOD, in order; none of a short series."""
    count = len(judged.value)
    if count <= WHOLE_MAX:
        return []
    weight = judged.quality.astype(np.float64)
    chosen: list[slice] = []
    for _ in range(ZOOMS_MAX):
        sums = np.convolve(weight, np.ones(ZOOM_READINGS), mode="valid")
        begin = int(sums.argmax())
        if sums[begin] <= 0.0:
            break
        inside = begin + np.flatnonzero(weight[begin : begin + ZOOM_READINGS])
        begin = int(inside[0] + inside[-1] - ZOOM_READINGS) // 2
        begin = min(max(0, begin), count - ZOOM_READINGS)
        chosen.append(slice(begin, begin + ZOOM_READINGS))
        weight[chosen[-1]] = 0.0
    return sorted(chosen, key=lambda each: each.start)


def with_gaps(judged: Judged) -> Judged:
    """Put a reading without a value into every gap, where a line is to end."""
    pauses = np.diff(judged.time.astype(np.int64)).astype(np.float64)
    usual = float(np.median(pauses)) if len(pauses) else 0.0
    gaps = np.flatnonzero(pauses > GAP_INTERVALS * usual) + 1
    if len(gaps) == 0 or usual == 0.0:
        return judged
    return Judged(
        time=np.insert(judged.time, gaps, judged.time[gaps - 1]),
        value=np.insert(judged.value, gaps, np.nan),
        value_clean=np.insert(judged.value_clean, gaps, np.nan),
        quality=np.insert(judged.quality, gaps, 0),
        reasons=np.insert(judged.reasons, gaps, 0),
        middle=np.insert(judged.middle, gaps, np.nan),
        reach=np.insert(judged.reach, gaps, np.nan),
    )


def _refuse_times(time: npt.NDArray[np.datetime64]) -> None:
    first, last = time[[0, -1]].astype(np.float64)
    room = max(MARGIN * (last - first), SINGLE_US)
    if first - room < YEAR_1_US or last + room >= YEAR_10000_US:
        raise DataError(
            f"the times reach from {time[0]} to {time[-1]}, and a picture has the years 1 to 9999:"
            " mend them, or leave out --explain"
        )


def _shortened(svg: str) -> str:
    """Round what is drawn to a tenth of a point, which nobody sees; words stay as they are."""
    return re.sub(
        r' d="[^"]*"', lambda found: re.sub(r"(\.\d)\d+", r"\1", found[0]).replace(" \n", "\n"), svg
    )


def _draw_panel(axes: Axes, judged: Judged, caption: Caption) -> None:
    low, high = _frame(judged)
    axes.set_ylim(low, high)
    _shade(axes, judged)
    parted = with_gaps(judged)
    if len(judged.value) > 2 * COLUMNS:
        _draw_envelope(axes, parted.time, np.clip(parted.value, low, high), GREY)
        _draw_envelope(axes, parted.time, parted.value_clean, ACCENT)
    else:
        _draw_lines(axes, parted)
    for bit in Reason:
        _mark(axes, judged, bit, (low, high))
    axes.set_ylabel(caption.unit or "")
    axes.margins(x=MARGIN)
    locator: Any = AutoDateLocator(minticks=4, maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    dates: Any = ConciseDateFormatter
    axes.xaxis.set_major_formatter(dates(locator, offset_formats=list(OFFSETS)))
    axes.xaxis.get_offset_text().set(fontsize=7.5, color=GREY)


def _frame(judged: Judged) -> tuple[float, float]:
    """Give the lowest and the highest value shown: those to be used, and what came near them."""
    shown = judged.value_clean[np.isfinite(judged.value_clean)]
    if len(shown) == 0:
        shown = judged.value[np.isfinite(judged.value)]
    if len(shown) == 0:
        return 0.0, 1.0
    low, high = max(float(shown.min()), -VALUE_MAX), min(float(shown.max()), VALUE_MAX)
    span = high - low or 0.05 * abs(high) or 1.0
    near = (judged.value >= low - NEAR_SPANS * span) & (judged.value <= high + NEAR_SPANS * span)
    low = min(low, float(judged.value[near].min(initial=low)))
    high = max(high, float(judged.value[near].max(initial=high)))
    return low - HEADROOM * (high - low or span), high + HEADROOM * (high - low or span)


def _shade(axes: Axes, judged: Judged) -> None:
    """Shade where readings are not GOOD, half an interval to either side."""
    number = judged.time.astype(np.int64)
    half = int(np.median(np.diff(number))) // 2 if len(number) > 1 else 1
    for quality, colour, alpha in ((Quality.UNCERTAIN, OCHRE, 0.18), (Quality.BAD, ALERT, 0.20)):
        is_own = (judged.quality == quality).astype(np.int8)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], is_own, [0]])))
        for begin, end in edges.reshape(-1, 2)[: 2 * COLUMNS]:
            left, right = number[begin] - half, number[end - 1] + half
            span = np.array([left, right]).astype(judged.time.dtype)
            axes.axvspan(span[0], span[1], color=colour, alpha=alpha, linewidth=0, zorder=1)


def _draw_lines(axes: Axes, judged: Judged) -> None:
    if np.isfinite(judged.reach).any():
        lower, upper = judged.middle - judged.reach, judged.middle + judged.reach
        axes.fill_between(
            judged.time, lower, upper, color=BAND, linewidth=0, zorder=0,
            label="may be, by the median",
        )  # fmt: skip
    dots = "." if len(judged.value) <= DOTS_MAX else None
    style: dict[str, Any] = {"marker": dots, "markersize": 2.6, "markeredgewidth": 0}
    axes.plot(judged.time, judged.value, color=GREY, linewidth=0.7, zorder=2, label="came", **style)
    axes.plot(
        judged.time, judged.value_clean, color=ACCENT, linewidth=1.1, zorder=3, label="to be used"
    )


def _draw_envelope(
    axes: Axes, time: npt.NDArray[np.datetime64], value: Floats, colour: str
) -> None:
    """Draw from the least to the largest value of each column of the page: nothing is hidden."""
    filled = np.where(np.isfinite(value), value, np.nan)
    columns = np.linspace(0, len(value), COLUMNS, endpoint=False).astype(np.int64)
    gaps = np.flatnonzero(np.diff(time) == np.timedelta64(0)) + 1
    begins = np.unique(np.concatenate([columns, gaps, gaps + 1]))
    low = np.fmin.reduceat(filled, begins)
    high = np.fmax.reduceat(filled, begins)
    name = "to be used" if colour == ACCENT else "came"
    axes.fill_between(
        time[begins], low, high, color=colour, linewidth=0.6, zorder=2 + (colour == ACCENT),
        label=name,
    )  # fmt: skip


def _mark(axes: Axes, judged: Judged, bit: Reason, frame: tuple[float, float]) -> None:
    """Mark the readings of a reason: where they are, or at the edge that they are beyond."""
    places = np.flatnonzero(judged.reasons & bit)
    if len(places) == 0:
        return
    low, high = frame
    room = 0.03 * (high - low)
    value = judged.value[places]
    shown = np.clip(np.where(np.isfinite(value), value, low), low + room, high - room)
    marker, colour = MARKS.get(bit, OTHER)
    axes.plot(
        judged.time[places], shown, linestyle="none", marker=marker, markersize=4.2, color=colour,
        markeredgecolor=colour if marker in "+x|_" else INK, zorder=5, clip_on=False,
        markeredgewidth=1.1 if marker in "+x|_" else 0.35, label=words_of(bit)[0],
    )  # fmt: skip
    width = LABEL_SHARE * (judged.time[-1] - judged.time[0])
    last = None
    for place, at in zip(places, shown, strict=True):
        if not np.isfinite(judged.value[place]) or low <= judged.value[place] <= high:
            continue
        if last is None or judged.time[place] - last > width:
            axes.annotate(
                f"{judged.value[place]:.6g}", (judged.time[place], at), textcoords="offset points",
                xytext=(5, -2), fontsize=7, color=INK,
            )  # fmt: skip
        last = judged.time[place]


def _name(figure: Figure, panels: npt.NDArray[Any], caption: Caption) -> None:
    handles: dict[str, Any] = {}
    for panel in panels:
        handles |= dict(zip(*panel.get_legend_handles_labels()[::-1], strict=True))
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=min(6, len(handles)),
        frameon=False, fontsize=7.5,
    )  # fmt: skip
    panels[0].set_title(caption.title, loc="left", fontsize=9.5, fontweight="bold", color=INK)
    if caption.below:
        panels[0].text(
            1.0, 1.02, caption.below, transform=panels[0].transAxes, ha="right", va="bottom",
            fontsize=7.5, color=GREY,
        )  # fmt: skip
