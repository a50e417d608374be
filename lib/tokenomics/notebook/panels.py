"""Drawing that several figures share: lines in bands beside a bound, stacked bars, dots with intervals."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tokenomics.notebook import figures, units

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "----", "++++")
MARKERS = ("o", "s", "^", "D", "v", "<", ">")
REST = "free"
"""A part of a bar that is nobody's; drawn pale."""
ABOVE = {"loc": "outside upper center", "columnspacing": 1.0, "handletextpad": 0.4}
"""A legend above all panels."""
MOST_COLOURS = 10
NO_VALUE, ABSENT = "no value", "×"
"""Said where nothing can be drawn."""
CELL_PT = 6.0
LABEL = "devices, at least"
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


@figures.drawing
def bands(data: pd.DataFrame, x: str, y: str, bound: str = "lower bound") -> "Figure":
    """Lines of column ``y`` against ``x``, a panel each, with the band of its interval where there is one and its bound
    (``tpot_bound_ms`` for ``tpot_ms``) dashed. Both axes are logarithmic.

    Args:
        bound: what the dashes are called.
    """
    names = list(dict.fromkeys(data["panel"]))
    fig, panels = grid(names, sharex=True, sharey=True)
    for axes, name in zip(panels, names, strict=True):
        band(axes, data[data["panel"] == name], x, y, bound=bound)
    for axes in panels:
        log_axes(axes)
    label_outer(panels, units.label(x), units.label(y))
    legend(fig, panels[0])
    return fig


def log_axes(axes: "Axes", which: str = "xy") -> None:
    """Logarithmic axes with whole powers marked: of ten, or of two where that might leave a single mark.

    Where nothing positive is drawn, the panel says so and the axis stays linear.
    """
    from matplotlib.ticker import LogLocator, NullLocator

    for name in which:
        axis = getattr(axes, f"{name}axis")
        if without_values(axes, name):
            continue
        getattr(axes, f"set_{name}scale")("log")
        low, high = axis.get_view_interval()
        if high < 100 * low:
            axis.set_major_locator(LogLocator(base=2, numticks=5))
            axis.set_major_formatter("{x:.3g}")
        axis.set_minor_locator(NullLocator())


def without_values(axes: "Axes", name: str) -> bool:
    """Whether nothing positive is drawn along an axis; then its panel says so, once."""
    nothing = not np.isfinite(getattr(axes, f"{name}axis").get_minpos())
    if nothing and not any(text.get_text() == NO_VALUE for text in axes.texts):
        axes.text(0.5, 0.5, NO_VALUE, transform=axes.transAxes, ha="center", va="center")
    return nothing


def by_twos(axes: "Axes", xlabel: str) -> None:
    """A horizontal axis in powers of two, for words at the left."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set(xlabel=xlabel, ylabel="")


def band(axes: "Axes", part: pd.DataFrame, x: str, y: str, *, bound: str = "lower bound", colour: str = "C0") -> None:
    """One line, its interval as a band, its bound dashed."""
    low, high, limit = (units.end_of(y, end) for end in (units.LOW, units.HIGH, units.BOUND))
    if low in part:
        axes.fill_between(part[x], part[low], part[high], color=colour, alpha=0.25, linewidth=0, label="80 % interval")
    axes.plot(part[x], part[y], color=colour, label="predicted")
    if limit in part:
        axes.plot(part[x], part[limit], **BOUND, label=bound)


def label_outer(panels: "Sequence[Axes]", xlabel: str, ylabel: str, columns: int = 2) -> None:
    """Axis labels at the left and at the lowest panel of each column only."""
    for index, axes in enumerate(panels):
        if index % columns == 0:
            axes.set_ylabel(ylabel)
        if index + columns >= len(panels):
            axes.set_xlabel(xlabel)
        else:
            axes.tick_params(axis="x", which="both", bottom=False)


def legend(fig: "Figure", axes: "Axes") -> None:
    """What line, band and dashes mean, above all panels."""
    handles, labels = axes.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=len(labels))


def named(fig: "Figure", axes: "Axes", columns: int = 3) -> None:
    """The legend of one panel above all of them."""
    fig.legend(*axes.get_legend_handles_labels(), ncols=columns, **ABOVE)


def regions(
    data: pd.DataFrame, x: str, y: str, colours: Mapping[str, str], row_in: float, *, word: str = "limit"
) -> "tuple[Figure, dict[str, Axes]]":
    """Which ``word`` holds over two columns: a panel for each ``panel``, by its name, and a legend of what occurs.

    Axes are left linear and unnamed; a grid that a scale brings must be taken off again.
    """
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    names = list(dict.fromkeys(data["panel"]))
    fig, shown = grid(names, row_in=row_in, sharex=True, sharey=True)
    look = {"cmap": ListedColormap(list(colours.values())), "vmin": -0.5, "vmax": len(colours) - 0.5}
    for axes, name in zip(shown, names, strict=True):
        rows = data[data["panel"] == name].assign(code=lambda some: some[word].map(list(colours).index))
        wide = rows.pivot(index=y, columns=x, values="code")
        axes.pcolormesh(wide.columns, wide.index, wide, rasterized=True, **look)
    used = [name for name in colours if name in set(data[word])]
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


def dots(
    axes: "Axes", data: pd.DataFrame, index: str, number: str, order: Sequence[str], *, missing: str = NO_VALUE
) -> None:
    """A dot for each ``index`` at ``number``, with a whisker between the ends of its interval where there are.

    Args:
        missing: said in the place of a dot that there is not.
    """
    rows = data.set_index(index).reindex(order)
    y = np.arange(len(order))[::-1]
    low, high = units.end_of(number, units.LOW), units.end_of(number, units.HIGH)
    if low in rows:
        axes.hlines(y, rows[low], rows[high], color="C0", linewidth=1)
    axes.plot(rows[number], y, "o", color="C0")
    absent(axes, rows[number], y, missing)
    axes.set_yticks(y, order)
    axes.set_ylim(-0.6, len(order) - 0.4)


def absent(axes: "Axes", values: Sequence[float], y: Sequence[float], words: str) -> None:
    """Say in each row of a panel whose value is missing why nothing is drawn there."""
    for value, place in zip(values, y, strict=True):
        if not np.isfinite(value):
            axes.text(0.02, place, words, transform=axes.get_yaxis_transform(), va="center", color="0.4", fontsize=6.5)


def swatches(fig: "Figure", colours: Mapping[str, Any], words: Mapping[str, str]) -> None:
    """A legend of colours above all panels; ``words`` are said instead of a key where there are any."""
    from matplotlib.patches import Patch

    handles = [Patch(color=colour, label=words.get(name, name)) for name, colour in colours.items()]
    fig.legend(handles=handles, loc="outside upper center", ncols=3, columnspacing=1)


def fleet(
    axes: "Axes", table: pd.DataFrame, column: str, label: str = LABEL, *, by: str = "accelerator", bound: str = ""
) -> None:
    """Write ``column`` of a tidy table into cells over its columns ``model`` and ``by``, both in order of appearance; a
    colour a doubling.

    Args:
        label: what the numbers count.
        bound: column of a lower bound, written behind a stroke.
    """
    import seaborn as sns
    from matplotlib.colors import BoundaryNorm

    names = [list(dict.fromkeys(table[key])) for key in ("model", by)]

    def placed(name: str) -> pd.DataFrame:
        return table.pivot(index="model", columns=by, values=name).loc[names[0], names[1]]

    wide = placed(column)
    written = wide.map(compact) + (" / " + placed(bound).map(compact) if bound else "")
    edges = levels(float(table[column].fillna(1).max()))
    colours = sns.color_palette("crest", len(edges) - 1)
    look = {"norm": BoundaryNorm(edges, len(colours)), "cmap": colours, "cbar": False, "linewidths": 0.4}
    words = {"annot": written, "fmt": "", "annot_kws": {"fontsize": CELL_PT}}
    sns.heatmap(wide.astype(float), **look, **words, ax=axes)
    for y, x in np.argwhere(wide.isna().to_numpy()):
        axes.text(x + 0.5, y + 0.5, ABSENT, ha="center", va="center", color="0.4", fontsize=CELL_PT)
    absent = f"; {ABSENT} does not fit" if wide.isna().to_numpy().any() else ""
    axes.set(xlabel=label + absent, ylabel="")
    axes.grid(visible=False)


def compact(value: float) -> str:
    """A count in at most four characters: 512, 1.5k, 22k, 3.0M; larger ones as a power of ten, no number as nothing."""
    if np.isnan(value):
        return ""
    for size, unit in ((1, ""), (1e3, "k"), (1e6, "M"), (1e9, "G")):
        if round(value / size) < 1000:
            digits = 1 if unit and value / size < 9.95 else 0
            return f"{value / size:.{digits}f}{unit}"
    return f"{value:.0e}"


def words(axes: "Axes", table: pd.DataFrame, index: str, columns: str, colours: Mapping[str, Any]) -> None:
    """Draw the words of column ``limit`` over two numbers of a tidy table, a colour for each word."""
    import seaborn as sns
    from matplotlib.colors import ListedColormap

    codes = table.assign(code=table["limit"].map(list(colours).index))
    wide = codes.pivot(index=index, columns=columns, values="code").iloc[::-1]
    shown = ListedColormap(list(colours.values()))
    sns.heatmap(wide, cmap=shown, vmin=-0.5, vmax=len(colours) - 0.5, cbar=False, linewidths=0.2, ax=axes)
    for ticks, values, pick in ((axes.set_yticks, wide.index, 3), (axes.set_xticks, wide.columns, 3)):
        places = range(0, len(values), pick)
        ticks([place + 0.5 for place in places], [short(values[place]) for place in places])
    axes.tick_params(axis="x", rotation=0)
    axes.grid(visible=False)


def levels(most: float) -> np.ndarray:
    """Edges of the colours from 1 to above ``most``: powers of two, or of four where that were too many."""
    for base in (2, 4, 16):
        steps = max(int(np.floor(np.log(most) / np.log(base) + 1e-9)) + 1, 1)
        if steps <= MOST_COLOURS:
            break
    return float(base) ** np.arange(steps + 1)


def short(value: float) -> str:
    """A whole number in at most four characters: 512, 4k, 16k."""
    return f"{value / 1024:.0f}k" if value >= 1024 else f"{value:.0f}"
