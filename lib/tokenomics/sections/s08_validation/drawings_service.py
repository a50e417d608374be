"""Pictures of service under arrivals: replayed quantiles, distributions of real runs, curves against load, parity."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tokenomics.notebook import figures, panels
from tokenomics.notebook.style import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

METRICS = {"ttft_s": "TTFT", "tpot_s": "TPOT", "e2e_s": "whole request"}
MARKERS = "os^Dv"
WAYS = {
    "measured": {"color": "black", "linestyle": "-"},
    "fitted on first third": {"color": PALETTE[0], "linestyle": "--"},
    "modelled": {"color": PALETTE[3], "linestyle": ":"},
}
"""How a real run is drawn: itself, and two sets of step times."""
MODELS = (PALETTE[3], PALETTE[0])
"""The larger model, the smaller one."""


def replayed(fig: "Figure", axes: np.ndarray, data: pd.DataFrame) -> None:
    """Quantiles of replayed requests over those reported, a panel a metric, a colour a run.

    Args:
        data: ``metric, label, times (theirs, ours), share, ratio``.
    """
    for panel, (metric, title) in zip(axes.flat, METRICS.items(), strict=True):
        rows = data[data["metric"] == metric]
        for place, (label, some) in enumerate(rows.groupby("label", sort=True)):
            own, exact = (some[some["times"] == whose] for whose in ("ours", "theirs"))
            look = {"color": PALETTE[place], "marker": MARKERS[place], "markersize": 2.5, "linewidth": 0.7}
            panel.plot(own["share"], own["ratio"], **look, label=label)
            panel.plot(exact["share"], exact["ratio"], "+", color="black", markersize=3, markeredgewidth=0.5)
        panel.set_title(title, fontsize=7, pad=3)
        panel.set(xlim=(0, 1.04), xlabel="quantile [1]")
        panel.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.flat[0].set_ylabel("replayed over reported [1]")
    axes.flat[0].plot([], [], "+", color="black", markersize=4, label="its own step times, all")
    fig.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, columnspacing=1.0)


def distributions(fig: "Figure", axes: np.ndarray, data: pd.DataFrame) -> None:
    """Share of requests that took at most x, a row a run, a column a metric; measured, fitted and as modelled.

    Args:
        data: ``run, metric, way, share, seconds``.
    """
    for row, run in zip(axes, dict.fromkeys(data["run"]), strict=True):
        for panel, (metric, title) in zip(row, METRICS.items(), strict=True):
            some = data[(data["run"] == run) & (data["metric"] == metric)]
            for way, look in WAYS.items():
                part = some[some["way"] == way]
                panel.plot(part["seconds"], part["share"], label=way, **look)
            panel.set(ylim=(0, 1), xlim=(0, None), ylabel=f"{run}\nshare of requests [1]")
            panel.set_title(title, fontsize=7, pad=3)
            panel.yaxis.label.set_fontsize(7)
            panel.xaxis.set_major_locator(_at_most(3))
        for panel in row:
            panel.set_xlabel("at most [s]", fontsize=7)
            panel.xaxis.set_major_formatter("{x:g}")
        for panel in row[1:]:
            panel.set_ylabel("")
            panel.tick_params(axis="y", left=False, labelleft=False)
    fig.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)


def online(data: pd.DataFrame) -> "Figure":
    """Measured points and the predicted line with its interval against the rate: a row a pair of lengths, a column a
    metric, a colour a model.

    Args:
        data: ``metric, lengths, model, rate_qps, measured, predicted, low, high, limit``; dotted at ``limit``,
            requests/s.
    """
    rows, columns = (list(dict.fromkeys(data[name])) for name in ("lengths", "metric"))
    fig, axes = figures.canvas(len(rows), len(columns), height_in=0.5 + 1.05 * len(rows), squeeze=False, sharex=True)
    for (lengths, metric), some in data.groupby(["lengths", "metric"]):
        panel = axes[rows.index(lengths), columns.index(metric)]
        _curves(panel, some)
        panel.set_title(lengths if metric == columns[0] else "", fontsize=7, pad=3)
        panel.set_ylabel(f"{metric} [ms]", fontsize=7)
    for panel in axes[-1]:
        panel.set_xlabel("requests a second [1/s]", fontsize=7)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return fig


def _curves(panel: "Axes", data: pd.DataFrame) -> None:
    for place, (model, some) in enumerate(data.groupby("model", sort=True)):
        colour = MODELS[place]
        panel.fill_between(
            some["rate_qps"], some["low"], some["high"], color=pale(colour), linewidth=0, antialiased=False
        )
        line = {"color": colour, "antialiased": False}
        panel.plot(some["rate_qps"], some[["low", "high"]], linewidth=0.4, **line)
        panel.plot(some["rate_qps"], some["predicted"], **line, label=f"{model}, simulated")
        look = {"marker": MARKERS[place], "markersize": 3.2, "markeredgewidth": 0, "linestyle": "none"} | line
        panel.plot(some["rate_qps"], some["measured"], **look, label=f"{model}, measured")
        panel.axvline(some["limit"].iloc[0], color=colour, linestyle=":", linewidth=0.8, antialiased=False)
    panel.grid(visible=False)
    panel.set_yscale("log")
    panels.by_twos(panel, "")
    panel.set_xticks([2, 4, 8, 16, 32])
    _plain_log(panel)


def pale(colour: str) -> str:
    """A light tint of a colour for a band: opaque, so that the picture stays small."""
    from matplotlib.colors import to_hex, to_rgb

    return to_hex(1 - 0.25 * (1 - np.array(to_rgb(colour))))


def parity(axes: "Axes", data: pd.DataFrame, band: float) -> None:
    """Predicted against measured rates with intervals, a colour and marker a model; dotted ``band`` off.

    Args:
        data: ``model, measured, predicted, low, high``, all above zero.
    """
    ends = np.array([data[["measured", "low"]].min().min() / 1.3, data[["measured", "high"]].max().max() * 1.3])
    for factor, style in ((1, "-"), (1 - band, ":"), (1 + band, ":")):
        axes.plot(ends, ends * factor, color="0.4", linewidth=0.5, linestyle=style)
    for place, (model, rows) in enumerate(data.groupby("model", sort=True)):
        colour = MODELS[(place + 1) % 2]
        axes.vlines(rows["measured"], rows["low"], rows["high"], color=colour, linewidth=0.5, alpha=0.5)
        look = {"color": colour, "marker": MARKERS[place], "linestyle": "none", "markersize": 3}
        axes.plot(rows["measured"], rows["predicted"], **look, label=model)
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    axes.set_box_aspect(1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:,.0f}")
        axis.set_minor_formatter("")


def _at_most(count: int):
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(count, min_n_ticks=2)


def _plain_log(axes: "Axes") -> None:
    """Marks at 1, 2 and 5 of each power, written out; at whole powers alone where the axis is long."""
    from matplotlib.ticker import LogLocator, NullLocator

    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 30 * low else (1.0,), numticks=6))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
