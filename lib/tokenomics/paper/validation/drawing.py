"""Pictures of errors: parity by quantity, median to tail by group, coverage against sharpness."""

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tokenomics.paper.style import PALETTE
from tokenomics.paper.validation.bars import COVERED, WIDEST

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELD_OUT = {"family": ("o", PALETTE[0]), "accelerator": ("D", PALETTE[1])}
MARKERS = "osD^vPX*<"
LEGEND = {"loc": "outside upper center", "columnspacing": 1.0, "handletextpad": 0.3, "markerscale": 1.4}


def parity(fig: "Figure", axes: np.ndarray, data: pd.DataFrame, band: float) -> None:
    """Predicted against measured seconds, a panel a quantity, a colour a source, dotted lines ``band`` off."""
    names = sorted(data["source"].unique())
    for panel, (quantity, rows) in zip(axes.flat, data.groupby("quantity", sort=True), strict=True):
        pairs = rows[["measured_s", "predicted_s"]].to_numpy()
        ends = np.array([pairs.min() / 1.5, pairs.max() * 1.5])
        panel.plot(ends, ends, color="0.2", linewidth=0.7)
        for factor in (1 - band, 1 + band):
            panel.plot(ends, ends * factor, color="0.4", linewidth=0.6, linestyle=":")
        for name, some in rows.groupby("source", sort=True):
            look = {"color": PALETTE[names.index(name)], "marker": MARKERS[names.index(name)]}
            panel.scatter(some["measured_s"], some["predicted_s"], s=2.5, linewidths=0, **look)
        panel.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal")
        panel.set(xlabel="measured [s]", ylabel="predicted [s]")
        panel.set_title(f"{quantity} ({len(rows):,})")
    handles = [
        axes.flat[0].scatter([], [], s=9, color=PALETTE[place], marker=MARKERS[place], label=name)
        for place, name in enumerate(names)
    ]
    fig.legend(handles=handles, ncols=2, **LEGEND)


def ranges(axes: "Axes", table: pd.DataFrame) -> None:
    """Median (marker) to 90 % quantile (end of line) of errors of each group, for both ways of holding out.

    Args:
        table: ``group, held_out, median_error, p90_error``, in the order in which groups are drawn from above.
    """
    names = list(dict.fromkeys(table["group"]))
    for shift, (way, (marker, colour)) in zip((-0.17, 0.17), HELD_OUT.items(), strict=True):
        rows = table[table["held_out"] == way]
        y = np.array([names.index(name) for name in rows["group"]]) + shift
        axes.hlines(y, rows["median_error"], rows["p90_error"], color=colour, linewidth=0.9)
        axes.plot(rows["median_error"], y, marker, color=colour, label=f"{way} held out", linestyle="none")
    axes.set(xscale="log", yticks=range(len(names)), ylim=(len(names) - 0.5, -0.5))
    axes.set_yticklabels(names)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(axis="y", visible=False)


def sharpness(axes: "Axes", table: pd.DataFrame) -> None:
    """Coverage of groups against half-width over median error, with the region that the bars ask for.

    Args:
        table: ``grouping, coverage, width_over_error`` of one way of holding out.
    """
    axes.axvspan(*COVERED, color="0.93", zorder=0)
    axes.axhline(WIDEST, color="0.4", linewidth=0.7, linestyle=":")
    for place, (name, rows) in enumerate(table.groupby("grouping", sort=True)):
        look = {"color": PALETTE[place], "marker": MARKERS[place], "s": 14, "linewidths": 0}
        axes.scatter(rows["coverage"], rows["width_over_error"], label=name, **look)
    axes.set(yscale="log", xlabel="coverage [1]", ylabel="half-width over median error [1]")
    axes.yaxis.set_major_formatter("{x:g}")


def wrapped(labels: Iterable[str], width: int = 34) -> list[str]:
    """Labels broken into lines of at most ``width`` characters."""
    return ["\n".join(textwrap.wrap(label, width)) for label in labels]


def tails(axes: "Axes", data: pd.DataFrame) -> None:
    """Share of rows whose error is at most x, a line a tool, best median first in the legend.

    Args:
        data: ``tool, error, share``, each tool's errors ascending.
    """
    medians = data[data["share"] >= 0.5].groupby("tool")["error"].min().sort_values()
    for place, name in enumerate(medians.index):
        rows = data[data["tool"] == name]
        style = ("-", "--", "-.", ":")[place % 4]
        axes.plot(rows["error"], rows["share"], color=PALETTE[place], linestyle=style, label=name)
    axes.set(xscale="log", xlabel="relative error, at most [1]", ylabel="share of the rows [1]")
    axes.xaxis.set_major_formatter("{x:g}")
