"""Faults of a figure that would bother a reader: detected before it is saved, and mended where layout can mend them."""

from itertools import pairwise
from typing import TYPE_CHECKING

from tokenomics.notebook.style import SMALLEST_FONT_PT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.text import Text

TOLERANCE_PX = 1.0
GROWTH = 1.25
MOST_LETTERS = 40
MOST_GROWN = 4
"""Times that a canvas may grow by that factor, texts keeping their size."""


def faults(fig: "Figure") -> list[str]:
    """Every fault, in words; an empty list for a figure that may be saved.

    Checked: each numeric axis has a label, in which a count is named and has no ``[1]``; no text leaves the canvas; no
    text is smaller than six points; tick labels of one axis, and free texts of one panel, do not overlap; no legend
    covers a marked point.
    """
    fig.canvas.draw()
    problems: list[str] = []
    for axes in fig.axes:
        if axes.get_visible() and axes.axison:
            problems += _label_faults(axes) + _overlap_faults(axes) + _legend_faults(axes)
    return problems + _text_faults(fig)


def laid_out_again(fig: "Figure") -> list[str]:
    """Shorten long names, turn and thin the marks of crowded axes, put legends outside, then let the canvas grow until
    all is readable.

    Returns:
        The faults that remain.
    """
    from matplotlib.ticker import MaxNLocator

    _shorten(fig)
    for axes in fig.axes:
        if axes.get_legend() is not None and _legend_faults(axes):
            axes.get_legend().set_loc("lower center")
            axes.get_legend().set_bbox_to_anchor((0.5, 1), axes.transAxes)
        if not _crowded(axes, "x"):
            continue
        if axes.get_xscale() == "linear" and not _worded(axes.xaxis):
            axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
        else:
            axes.tick_params(axis="x", rotation=90)
    left = faults(fig)
    for _ in range(MOST_GROWN):
        if not left:
            break
        fig.set_size_inches(fig.get_size_inches() * GROWTH)
        left = faults(fig)
    return left


def _shorten(fig: "Figure") -> None:
    """Leave out the middle of names that are too long for any canvas."""
    import matplotlib.text

    for axes in fig.axes:
        for axis in (axes.xaxis, axes.yaxis):
            words = [tick.get_text() for tick in axis.get_ticklabels()]
            if any(len(word) > MOST_LETTERS for word in words):
                axis.set_ticks(axis.get_ticklocs(), [_short(word) for word in words])
    for text in fig.findobj(matplotlib.text.Text):
        told = text.get_text()
        if len(told) > MOST_LETTERS and " [" not in told and told != fig.get_suptitle():
            text.set_text(_short(told))


def _short(words: str) -> str:
    half = MOST_LETTERS // 2
    return words if len(words) <= MOST_LETTERS else f"{words[:half].rstrip()} … {words[-half:].lstrip()}"


def _crowded(axes: "Axes", name: str) -> bool:
    return any(text.startswith(f"{name} tick labels") for text in _overlap_faults(axes))


def _worded(axis: "Axis") -> bool:
    """Whether an axis is marked with words."""
    ticks = [tick.get_text() for tick in axis.get_ticklabels() if tick.get_visible()]
    return any(character.isalpha() for tick in ticks for character in tick.replace("mathdefault", ""))


def _label_faults(axes: "Axes") -> list[str]:
    problems = []
    for name, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
        ticks = [tick.get_text() for tick in axis.get_ticklabels() if tick.get_visible() and tick.get_text()]
        if not axis.get_visible() or not ticks:
            continue
        label = axis.get_label().get_text()
        if not _worded(axis) and (not label.strip() or label.rstrip().endswith("[1]")):
            problems.append(f"{name} axis label {label!r} does not say what is counted, or in which unit")
    return problems


def _overlap_faults(axes: "Axes") -> list[str]:
    problems = []
    for name, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
        labels = [t for t in axis.get_ticklabels() if t.get_visible() and t.get_text()]
        labels.sort(key=lambda text: text.get_position()[0 if name == "x" else 1])
        problems += [
            f"{name} tick labels {a.get_text()!r} and {b.get_text()!r} overlap"
            for a, b in pairwise(labels)
            if _overlap(a, b)
        ]
    free = [text for text in axes.texts if text.get_visible() and text.get_text().strip()]
    for index, first in enumerate(free):
        problems += [
            f"texts {first.get_text()!r} and {other.get_text()!r} overlap"
            for other in free[index + 1 :]
            if _overlap(first, other)
        ]
    return problems


def _legend_faults(axes: "Axes") -> list[str]:
    """Markers of scatters and lines that lie under the legend of their axes."""
    import numpy as np

    legend = axes.get_legend()
    if legend is None:
        return []
    drawn = [each.get_offset_transform().transform(each.get_offsets()) for each in axes.collections]
    marked = [line for line in axes.lines if line.get_marker() not in ("", "None", " ", None)]
    drawn += [line.get_transform().transform(line.get_xydata()) for line in marked]
    points = np.concatenate([np.asarray(each, dtype=float).reshape(-1, 2) for each in drawn] or [np.empty((0, 2))])
    box, inside = legend.get_window_extent(), axes.bbox
    covered = [box.contains(x, y) and inside.contains(x, y) for x, y in points if np.isfinite(x + y)]
    return [f"the legend covers {sum(covered)} points"] if any(covered) else []


def _text_faults(fig: "Figure") -> list[str]:
    import matplotlib.text

    canvas = fig.bbox
    problems = []
    for text in fig.findobj(matplotlib.text.Text):
        if not text.get_visible() or not text.get_text().strip() or not _is_drawn(text):
            continue
        box = text.get_window_extent()
        outside = (canvas.x0 - box.x0, box.x1 - canvas.x1, canvas.y0 - box.y0, box.y1 - canvas.y1)
        if max(outside) > TOLERANCE_PX:
            problems.append(f"text {text.get_text()!r} is cut off at the edge")
        if text.get_fontsize() < SMALLEST_FONT_PT:
            problems.append(f"text {text.get_text()!r} is smaller than {SMALLEST_FONT_PT:g} points")
    return problems


def _is_drawn(text: "Text") -> bool:
    """Tick labels outside the axis limits exist as objects but are not drawn."""
    for axes in text.figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.majorTicks, *axis.minorTicks):
                if text is tick.label1 or text is tick.label2:
                    return low <= tick.get_loc() <= high
    return True


def _overlap(first: "Text", second: "Text") -> bool:
    if not (_is_drawn(first) and _is_drawn(second)):
        return False
    a, b = first.get_window_extent(), second.get_window_extent()
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    return width > TOLERANCE_PX and height > TOLERANCE_PX
