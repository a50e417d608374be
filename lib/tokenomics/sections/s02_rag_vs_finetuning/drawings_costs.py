"""Pictures of what the ways cost: a right answer here, the cheapest way, lists, indexes, own devices."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tokenomics.notebook import figures, panels
from tokenomics.notebook.style import PALETTE
from tokenomics.sections.s02_rag_vs_finetuning.costs import BOTH, LONG, RAG, TUNED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {LONG: "0.75", RAG: PALETTE[0], TUNED: PALETTE[1], BOTH: PALETTE[2]}
STYLES = {LONG: ":", RAG: "-", TUNED: "--", BOTH: "-."}
Rows = pd.DataFrame


def per_right(data: Rows, label: str) -> "Figure":
    """What a right answer costs against queries, a panel for each use, a line with its interval for each way."""
    names = list(dict.fromkeys(data["panel"]))
    fig, shown = panels.grid(names, row_in=2.0, sharex=True, sharey=True)
    for axes, name in zip(shown, names, strict=True):
        finite = data[(data["panel"] == name) & np.isfinite(data["high"])]
        for way, part in finite.groupby("way", sort=False):
            axes.fill_between(part["queries"], part["low"], part["high"], color=COLOURS[way], alpha=0.2, linewidth=0)
            axes.plot(part["queries"], part["value"], STYLES[way], color=COLOURS[way], label=way)
        panels.log_axes(axes)
    panels.label_outer(shown, "queries", label)
    panels.named(fig, shown[0], 4)
    return fig


def crossover(data: Rows) -> "Figure":
    """The cheapest way per right answer over queries and updates, a panel for each price."""
    fig, shown = panels.regions(data, "queries", "updates", COLOURS, 2.0)
    for axes in shown.values():
        panels.log_axes(axes)
        axes.grid(visible=False)
    panels.label_outer(list(shown.values()), "queries a month", "updates a month")
    return fig


def indexes(data: Rows) -> "Figure":
    """What an index costs by its chunks, a panel for each part of the cost, a line for each kind."""
    names = list(dict.fromkeys(data["cost"]))
    fig, shown = panels.grid(names, 3, 1.9, sharex=True, sharey=True)
    for axes, name in zip(shown, names, strict=True):
        for place, (kind, part) in enumerate(data[data["cost"] == name].groupby("kind", sort=False)):
            look = {"color": PALETTE[place], "marker": panels.MARKERS[place]}
            axes.fill_between(part["chunks"], part["low"], part["high"], alpha=0.2, linewidth=0, color=PALETTE[place])
            axes.plot(part["chunks"], part["value"], label=kind, **look)
        panels.log_axes(axes)
    panels.label_outer(shown, "chunks", "cost [USD]", 3)
    panels.named(fig, shown[0], 3)
    return fig


def lists(data: Rows) -> "Figure":
    """Queries from which tuning is no dearer than RAG against the listed price of input, where it ever is."""
    fig, axes = figures.canvas(height_in=2.3)
    for place, (name, part) in enumerate(data.groupby("weights", sort=False)):
        look = {"color": PALETTE[place], "marker": panels.MARKERS[place], "linestyle": "none"}
        axes.plot(part["usd_per_mtoken_input"], part["breakeven"], label=name, **look)
    panels.log_axes(axes)
    axes.set(xlabel="listed price of input [USD/Mtoken]", ylabel="break-even [queries]")
    panels.named(fig, axes, 2)
    return fig


def devices(data: Rows) -> "Figure":
    """Price of a thousand queries on own devices, a panel a model: saturated with its ends, in time under arrivals."""
    names = list(dict.fromkeys(data["model"]))
    fig, shown = panels.grid(names, row_in=1.5, sharey=True)
    for axes, name in zip(shown, names, strict=True):
        rows = data[data["model"] == name]
        y = np.arange(len(rows))[::-1]
        axes.hlines(y, rows["low"], rows["high"], color=PALETTE[0])
        axes.plot(rows["value"], y, "o", color=PALETTE[0], label="saturated, closed form")
        axes.plot(rows["simulated"], y, "x", color=PALETTE[3], label="in time, simulated")
        panels.log_axes(axes, "x")
        axes.set_yticks(y, rows["way"])
        axes.set_ylim(-0.6, len(rows) - 0.4)
    panels.label_outer(shown, "thousand queries [USD]", "")
    panels.named(fig, shown[0], 2)
    return fig
