"""Drawing that several figures share: lines in bands beside a bound, stacked bars, dots with intervals."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tokenomics.notebook import figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "----", "++++")
MARKERS = ("o", "s", "^", "D", "v", "<", ">")
REST = "free"
"""A part of a bar that is nobody's; drawn pale."""
ABOVE = {"loc": "outside upper center", "columnspacing": 1.0, "handletextpad": 0.4}
"""A legend above all panels."""
BOUND = {"color": "0.35", "linestyle": "--", "linewidth": 0.9}


def grid(names: Sequence[str], columns: int = 2, row_in: float = 1.45, **options) -> "tuple[Figure, list[Axes]]":
    """A panel for each name, titled, two abreast with shared axes; places that are left over stay empty."""
    columns = min(columns, len(names))
    rows = -(-len(names) // columns)
    fig, axes = figures.canvas(rows, columns, height_in=0.45 + row_in * rows, squeeze=False, **options)
    flat = list(axes.ravel())
    for one in flat[len(names) :]:
        one.set_axis_off()
        above = axes[-2, -1] if rows > 1 else one
        above.xaxis.set_tick_params(labelbottom=True)
    for one, name in zip(flat, names, strict=False):
        one.set_title(name, fontsize=7, pad=3)
    return fig, flat[: len(names)]


def bands(data: pd.DataFrame, x: str, xlabel: str, ylabel: str, direction: str = "floor") -> "Figure":
    """Lines of ``value`` against ``x``, a panel each, with the band from ``low`` to ``high`` where there is one and the
    ``bound`` dashed. Both axes are logarithmic."""
    names = list(dict.fromkeys(data["panel"]))
    fig, panels = grid(names, sharex=True, sharey=True)
    for axes, name in zip(panels, names, strict=True):
        part = data[data["panel"] == name]
        band(axes, part[x], part)
    for axes in panels:
        log_axes(axes)
    label_outer(panels, xlabel, ylabel)
    legend(fig, panels[0], direction)
    return fig


def log_axes(axes: "Axes", which: str = "xy") -> None:
    """Logarithmic axes with whole powers marked: of ten, or of two where that might leave a single mark."""
    from matplotlib.ticker import LogLocator, NullLocator

    for name in which:
        getattr(axes, f"set_{name}scale")("log")
        axis = getattr(axes, f"{name}axis")
        low, high = axis.get_view_interval()
        if high < 100 * low:
            axis.set_major_locator(LogLocator(base=2, numticks=5))
            axis.set_major_formatter("{x:.3g}")
        axis.set_minor_locator(NullLocator())


def by_twos(axes: "Axes", xlabel: str) -> None:
    """A horizontal axis in powers of two, for words at the left."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set(xlabel=xlabel, ylabel="")


def band(axes: "Axes", x: pd.Series, part: pd.DataFrame, colour: str = "C0") -> None:
    """One line, its interval as a band, its bound dashed."""
    if "low" in part:
        axes.fill_between(x, part["low"], part["high"], color=colour, alpha=0.25, linewidth=0, label="80 % interval")
    axes.plot(x, part["value"], color=colour, label="predicted")
    if "bound" in part:
        axes.plot(x, part["bound"], **BOUND, label="bound")


def label_outer(panels: "Sequence[Axes]", xlabel: str, ylabel: str, columns: int = 2) -> None:
    """Axis labels at the left and at the lowest panel of each column only."""
    for index, axes in enumerate(panels):
        if index % columns == 0:
            axes.set_ylabel(ylabel)
        if index + columns >= len(panels):
            axes.set_xlabel(xlabel)
        else:
            axes.tick_params(axis="x", which="both", bottom=False)


def legend(fig: "Figure", axes: "Axes", direction: str = "") -> None:
    """What line, band and dashes mean, above all panels."""
    handles, labels = axes.get_legend_handles_labels()
    words = {"bound": direction or "bound", "floor": "floor"}
    labels = [words.get(label, label) for label in labels]
    fig.legend(handles, labels, loc="outside upper center", ncols=len(labels))


def named(fig: "Figure", axes: "Axes", columns: int = 3) -> None:
    """The legend of one panel above all of them."""
    fig.legend(*axes.get_legend_handles_labels(), ncols=columns, **ABOVE)


def regions(
    data: pd.DataFrame, x: str, y: str, colours: Mapping[str, str], row_in: float
) -> "tuple[Figure, dict[str, Axes]]":
    """Which ``limit`` holds over two columns: a panel for each ``panel``, by its name, and a legend of what occurs.

    Axes are left linear and unnamed; a grid that a scale brings must be taken off again.
    """
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    names = list(dict.fromkeys(data["panel"]))
    fig, shown = grid(names, row_in=row_in, sharex=True, sharey=True)
    look = {"cmap": ListedColormap(list(colours.values())), "vmin": -0.5, "vmax": len(colours) - 0.5}
    for axes, name in zip(shown, names, strict=True):
        rows = data[data["panel"] == name].assign(code=lambda some: some["limit"].map(list(colours).index))
        wide = rows.pivot(index=y, columns=x, values="code")
        axes.pcolormesh(wide.columns, wide.index, wide, rasterized=True, **look)
    used = [name for name in colours if name in set(data["limit"])]
    fig.legend(handles=[Patch(color=colours[name], label=name) for name in used], ncols=len(used), **ABOVE)
    return fig, dict(zip(names, shown, strict=True))


def stacked(axes: "Axes", data: pd.DataFrame, index: str, part: str, number: str) -> None:
    """Horizontal bars of ``number`` stacked by ``part``, a bar for each ``index``, in order of appearance."""
    import seaborn as sns

    wide = data.pivot(index=index, columns=part, values=number)
    wide = wide.loc[list(dict.fromkeys(data[index]))[::-1], list(dict.fromkeys(data[part]))]
    left = np.zeros(len(wide))
    for name, colour, hatch in zip(wide, sns.color_palette(), HATCHES, strict=False):
        style = {"color": colour, "hatch": hatch} if name != REST else {"color": "0.9"}
        style |= {"edgecolor": "white", "linewidth": 0.3}
        axes.barh(wide.index, wide[name], left=left, label=name, height=0.7, **style)
        left += wide[name].to_numpy()
    axes.grid(axis="y", visible=False)


def dots(axes: "Axes", data: pd.DataFrame, index: str, number: str, order: Sequence[str]) -> None:
    """A dot for each ``index`` at ``number``, with a whisker from ``number_low`` to ``number_high`` where there are."""
    rows = data.set_index(index).reindex(order)
    y = np.arange(len(order))[::-1]
    if f"{number}_low" in rows:
        axes.hlines(y, rows[f"{number}_low"], rows[f"{number}_high"], color="C0", linewidth=1)
    axes.plot(rows[number], y, "o", color="C0")
    axes.set_yticks(y, order)
    axes.set_ylim(-0.6, len(order) - 0.4)


def swatches(fig: "Figure", colours: Mapping[str, Any], words: Mapping[str, str]) -> None:
    """A legend of colours above all panels; ``words`` are said instead of a key where there are any."""
    from matplotlib.patches import Patch

    handles = [Patch(color=colour, label=words.get(name, name)) for name, colour in colours.items()]
    fig.legend(handles=handles, loc="outside upper center", ncols=3, columnspacing=1)
