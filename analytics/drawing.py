"""The look that all charts share, with their way into a page as inline SVG.

A chart has its text as text, no date, no address of another file and no id of another chart, so
several stand in one HTML page; the same values always give the same bytes. Blue, vermillion and
grey are told apart by colour-blind readers and, with their marks, on a grey print.
"""

from __future__ import annotations

import io
import re
import warnings
from html import escape
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from matplotlib.figure import Figure

ACCENT, ALERT, GREY, INK, PALE = "#0b5d8f", "#c4500a", "#7f8790", "#20262d", "#d8dde2"
WIDTH_IN = 7.4  # a page of A4 less its margins
NAME_LENGTH_MAX = 28
FONTS = "DejaVu Sans, Verdana, sans-serif"  # Verdana is as wide, and on other machines
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "gainline",
    "text.parse_math": False,  # a line may be called $x$
    "axes.unicode_minus": True,
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so every machine measures alike
    "font.size": 8.5,
    "text.color": INK,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
}


def house_style() -> AbstractContextManager[None]:
    """Set the look for the charts that are made inside of it."""
    return mpl.rc_context(_STYLE)


def inline_svg(figure: Figure, *, ident: str, title: str) -> str:
    """Give the figure as an SVG element whose ids all begin with `ident`."""
    out = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with warnings.catch_warnings():
        # text is kept as text, and the reader's machine has the glyph
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(out, format="svg", metadata=nothing, transparent=True)
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(|href=")#([^")]*)', text))
    text = re.sub(r"<[^<>]*>", lambda tag: _tag(tag[0], ident, used), text)
    text = re.sub(r">\s+<", ">\n<", text)
    head = f'<svg role="img" aria-label="{escape(title)}" font-family="{FONTS}" '
    return text.replace("<svg ", head, 1)


def short_name(name: str) -> str:
    """Cut a name to what a chart has room for, keeping its end, which tells tags apart.

    >>> short_name("site-1/assembly/line-07/temperature")
    '…assembly/line-07/temperature'
    """
    plain = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    return plain if len(plain) <= NAME_LENGTH_MAX else "…" + plain[-NAME_LENGTH_MAX:]


def _tag(tag: str, ident: str, used: set[str]) -> str:
    """Rewrite one tag: only ids that are used, with a prefix; coordinates of two digits."""
    if tag.startswith("<svg"):
        tag = re.sub(r' (?:width|height)="[^"]*"', "", tag)
    tag = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", tag)
    tag = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{ident}-", tag)
    tag = re.sub(r' transform="rotate\(-0 [^"]*"| font-family: [^;"]*;', "", tag)
    tag = re.sub(r' (?:d|x|y|transform)="[^"]*"', _rounded, tag)
    return re.sub(r"\s+", " ", tag)


def _rounded(attribute: re.Match[str]) -> str:
    """Cut coordinates to hundredths of a point: nobody sees more, and the file is half as long.

    >>> _rounded(re.match(".*", 'd="M 7.2145 8.000001"'))
    'd="M 7.21 8"'
    """
    return re.sub(r"-?\d+\.\d+", _to_hundredths, attribute[0])


def _to_hundredths(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
