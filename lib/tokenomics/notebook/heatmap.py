"""A grid of whole numbers of devices as colours, a colour a doubling (or fourfold) of the fleet."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_COLOURS = 10
LABEL = "devices, at least [1]"


def fleet(axes: "Axes", table: pd.DataFrame, column: str, label: str = LABEL) -> None:
    """Draw ``column`` of a tidy table over its columns ``model`` and ``accelerator``, both in order of appearance.

    Numbers are not written into the cells, where they would be too small to read; the tables have them.
    """
    import seaborn as sns
    from matplotlib.colors import BoundaryNorm

    names = [list(dict.fromkeys(table[key])) for key in ("model", "accelerator")]
    wide = table.pivot(index="model", columns="accelerator", values=column).loc[names[0], names[1]]
    edges = levels(float(table[column].max()))
    colours = sns.color_palette("crest", len(edges) - 1)
    bar = {"label": label, "ticks": edges, "format": lambda value, _: short(value)}
    norm = BoundaryNorm(edges, len(colours))
    sns.heatmap(wide.astype(float), norm=norm, cmap=colours, cbar_kws=bar, linewidths=0.4, ax=axes)
    axes.set(xlabel="", ylabel="")
    axes.grid(visible=False)


def kinds(axes: "Axes", table: pd.DataFrame, index: str, columns: str, colours: Mapping[str, Any]) -> None:
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
