"""Charts as small static SVG: text is text, black is the colour of the page's words, so that dark pages are fine."""

from __future__ import annotations

import io
import logging
import re
import unicodedata
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from markupsafe import Markup

from ietool.report.html.spans import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINES = ("#3b7dd8", "#d9822b", "#2f9e6e", "#b04fc0", "#8a8a8a")
"""Colours of curves and bars that stand out on white and on black."""

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_WIDTH, _ROW = 6.4, 0.24
"""Inches."""
_LONGEST = 24
"""Columns of a label beside a bar."""


def bars(rows: Sequence[tuple[str, float, str]], *, name: str, most: float | None = 1.0, caption: str = "") -> Markup:
    """Horizontal bars in the order given, the first on top.

    Args:
        rows: (label, length, what stands behind the bar).
        name: of the chart, unlike all others of the page.
        most: where the axis ends; None: at the longest bar.
        caption: of the axis.
    """
    limit = most if most is not None else max((value for _, value, _ in rows), default=0.0)
    with _figure(max(1, len(rows)) * _ROW + 0.55) as figure:
        axes = _axes(figure, left=2.1, right=0.9)
        at = list(range(len(rows)))
        axes.barh(at, [value for _, value, _ in rows], height=0.66, color=LINES[0])
        axes.set_yticks(at, [_label(label) for label, _, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlim(0, (limit or 1.0) * 1.001)
        for number, (_, value, behind) in enumerate(rows):
            axes.text(value + 0.01 * (limit or 1.0), number, shown(behind), va="center", fontsize=8)
        axes.set_xlabel(shown(caption))
        axes.tick_params(axis="y", length=0)
        if most is None:  # counts
            from matplotlib.ticker import MaxNLocator

            axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        return _drawn(figure, name)


def columns(rows: Sequence[tuple[str, float]], *, name: str, caption: str = "", side: str = "") -> Markup:
    """Upright bars, as of a histogram.

    Args:
        rows: (label, height).
        caption, side: of the two axes.
    """
    with _figure(2.3) as figure:
        axes = _axes(figure)
        at = list(range(len(rows)))
        axes.bar(at, [value for _, value in rows], width=0.8, color=LINES[0])
        step = -(-len(rows) // 12) or 1
        axes.set_xticks(at[::step], [_label(label, 12) for label, _ in rows[::step]])
        axes.set_xlabel(shown(caption))
        axes.set_ylabel(shown(side))
        return _drawn(figure, name)


def curves(
    series: Mapping[str, Sequence[tuple[float, float]]], *, name: str, x: str = "", y: str = "", diagonal: bool = False
) -> Markup:
    """Curves through points.

    Args:
        series: name of the curve → (x, y), in the order of x.
        x, y: captions of the axes.
        diagonal: whether both axes are shares, with a line where they are the same.
    """
    with _figure(2.9) as figure:
        axes = _axes(figure)
        if diagonal:
            axes.plot([0, 1], [0, 1], color="#8a8a8a", linewidth=0.8, linestyle="--")
            axes.set_xlim(0, 1)
            axes.set_ylim(0, 1)
        for (label, points), colour in zip(series.items(), LINES * (1 + len(series) // len(LINES)), strict=False):
            xs, ys = zip(*points, strict=True) if points else ((), ())
            axes.plot(xs, ys, color=colour, marker="o", markersize=3, linewidth=1.4, clip_on=False, label=_label(label))
        axes.set_xlabel(shown(x))
        axes.set_ylabel(shown(y))
        if len(series) > 1:
            axes.legend(frameon=False, fontsize=8)
        return _drawn(figure, name)


# -- drawing


def _label(text: str, most: int = _LONGEST) -> str:
    """A label that fits beside a bar, Chinese characters taking two columns; the whole name stands in the table."""
    text = shown(" ".join(text.split()))
    width = 0
    for at, char in enumerate(text):
        width += 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if width > most:
            return text[:at] + "…"
    return text


@contextmanager
def _figure(height: float) -> Iterator[Figure]:
    # What it says of fonts and of its cache is not for users of a page.
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        import matplotlib
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

        # The browser chooses the fonts: those of this machine need not have the characters. A dollar in a name is one.
        settings: Any = {
            "svg.fonttype": "none", "svg.hashsalt": "ietool", "font.size": 9, "font.family": "sans-serif",
            "text.parse_math": False,
        }  # fmt: skip
        with matplotlib.rc_context(settings), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            figure = Figure(figsize=(_WIDTH, height))
            FigureCanvasSVG(figure)
            yield figure
    finally:
        logger.setLevel(level)


def _axes(figure: Figure, *, left: float = 0.7, right: float = 0.2) -> Axes:
    """Axes with margins in inches, as measuring labels needs fonts that have their characters."""
    width, height = figure.get_size_inches()
    axes = figure.add_axes((left / width, 0.42 / height, 1 - (left + right) / width, 1 - 0.52 / height))
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _drawn(figure: Figure, name: str) -> Markup:
    out = io.StringIO()
    figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _bare(out.getvalue(), name)


def _bare(drawn: str, name: str) -> Markup:
    """An SVG as a page takes it: without styles, which its policy forbids, and with ids of its own."""
    root = ElementTree.fromstring(drawn)
    for parent in root.iter():
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    prefix = re.sub(r"\W", "-", name)
    for element in root.iter():
        for key, value in _presentation(element.attrib.pop("style", "")):
            element.set(key, value)
        if "id" in element.attrib:
            element.set("id", f"{prefix}-{element.attrib['id']}")
        for key, value in list(element.attrib.items()):
            if key == f"{{{_XLINK}}}href":
                del element.attrib[key]
                element.set("href", "#" + f"{prefix}-" + value.lstrip("#"))
            elif "url(#" in value:
                element.set(key, value.replace("url(#", f"url(#{prefix}-"))
            elif value.lower() in ("#000000", "black"):
                element.set(key, "currentColor")
        if element.tag == f"{{{_SVG}}}text" and "fill" not in element.attrib:
            element.set("fill", "currentColor")
    for key in ("width", "height"):
        root.attrib.pop(key, None)
    root.set("class", "chart")
    root.set("role", "img")
    root.set("aria-label", name)
    ElementTree.register_namespace("", _SVG)
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _presentation(style: str) -> Iterator[tuple[str, str]]:
    """Properties of a style as attributes."""
    for part in style.split(";"):
        key, colon, value = (piece.strip() for piece in part.partition(":"))
        if not colon:
            continue
        if key == "font":  # size, and families that the page chooses
            size = re.search(r"([\d.]+)px", value)
            if size:
                yield "font-size", f"{size[1]}"
        elif key not in ("font-family", "-inkscape-stroke"):
            yield key, value


def plain_number(value: Any) -> str:
    """A score as labels have it: ``.902``."""
    text = f"{float(value):.3f}"
    return text.removeprefix("0") if text.startswith("0.") else text
