"""Pictures of errors: parity by quantity, median to tail by group, coverage against sharpness."""

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tokenomics.notebook.style import PALETTE
from tokenomics.sections.s08_validation.targets import COVERED, WIDEST

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELD_OUT = {"family": ("o", PALETTE[0]), "accelerator": ("D", PALETTE[1])}
MARKERS = "osD^vPX*<"
LEGEND = {"loc": "outside upper center", "columnspacing": 1.0, "handletextpad": 0.3, "markerscale": 1.4}


def parity(fig: "Figure", axes: np.ndarray, data: pd.DataFrame, band: float) -> None:
    """Predicted against measured seconds, a panel a quantity, a colour a source, dotted lines ``band`` off."""
    from matplotlib.ticker import LogLocator, NullLocator

    names = list(data["source"].value_counts().index)  # the largest below the others
    looks = {name: {"color": PALETTE[i - 2], "marker": MARKERS[i]} for i, name in enumerate(names[1:], 2)}
    looks[names[0]] = {"color": PALETTE[7], "marker": "o"}
    groups = list(data.groupby("quantity", sort=True))
    for spare in axes.flat[len(groups) :]:
        spare.set_axis_off()
    for panel, (quantity, rows) in zip(axes.flat, groups, strict=False):
        pairs = rows[["measured_s", "predicted_s"]].to_numpy()
        ends = np.array([pairs.min() / 1.5, pairs.max() * 1.5])
        for name in names:
            some = rows[rows["source"] == name]
            panel.scatter(some["measured_s"], some["predicted_s"], s=4, linewidths=0, antialiased=False, **looks[name])
        for factor, line in ((1, "-"), (1 - band, ":"), (1 + band, ":")):
            panel.plot(ends, ends * factor, color="black", linewidth=0.3, linestyle=line, antialiased=False)
        panel.set(xscale="log", yscale="log", xlim=ends, ylim=ends, xlabel="measured [s]", ylabel="predicted [s]")
        panel.set_box_aspect(1)
        panel.set_title(quantity)
        for axis in (panel.xaxis, panel.yaxis):
            axis.set_major_locator(LogLocator(numticks=3))
            axis.set_minor_locator(NullLocator())
    if len(names) > 1:
        handles = [axes.flat[0].scatter([], [], s=9, label=name, **looks[name]) for name in sorted(names)]
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


def stacked(axes: "Axes", data: pd.DataFrame) -> None:
    """Rows by reason (bars, most on top) and quantity (parts)."""
    wide = data.pivot_table(index="reason", columns="quantity", values="rows", aggfunc="sum", fill_value=0)
    wide = wide.loc[wide.sum(axis=1).sort_values(kind="stable").index]
    start, names = np.zeros(len(wide)), wrapped(wide.index)
    for place, quantity in enumerate(wide):
        hatch = ("", "////", "....", "xxxx")[place % 4]
        look = {"color": PALETTE[place], "hatch": hatch, "edgecolor": "white", "linewidth": 0.3}
        axes.barh(names, wide[quantity], left=start, label=quantity, **look)
        start += wide[quantity].to_numpy()
    axes.bar_label(axes.containers[-1], [f"{total:.0f}" for total in start], padding=2, fontsize=6.5)
    axes.margins(x=0.12)
    axes.set(xlabel="rows [1]", ylabel="")
    axes.grid(axis="y", visible=False)


def quantiles(answers: pd.DataFrame, points: int = 100) -> pd.DataFrame:
    """Quantiles of each tool's errors: ``tool, error, share``."""
    shares = np.arange(1, points + 1) / points
    parts = [
        pd.DataFrame({"tool": tool, "error": np.quantile(rows["error"].abs(), shares), "share": shares})
        for tool, rows in answers.groupby("tool", sort=True)
    ]
    return pd.concat(parts, ignore_index=True)
