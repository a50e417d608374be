"""Figures of what comes on top of plain serving: gains by drafting, adapters and images."""

from typing import TYPE_CHECKING

import pandas as pd

from tokenomics.notebook import figures, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INTERVAL = {"alpha": 0.2, "linewidth": 0}


def gains(data: pd.DataFrame, banded: float) -> "Figure":
    """Speed-up against the batch, a panel for each way to draft, a line for each acceptance; the interval of one."""
    fig, shown = panels.grid(list(dict.fromkeys(data["panel"])), row_in=2.0, sharex=True, sharey=True)
    for axes, (_, part) in zip(shown, data.groupby("panel", sort=False), strict=True):
        axes.axhline(1, **panels.BOUND)
        for place, (rate, line) in enumerate(part.groupby("acceptance")):
            look = {"marker": panels.MARKERS[place % len(panels.MARKERS)], "color": f"C{place}"}
            axes.plot(line["batch"], line["value"], label=f"{rate:g} accepted", **look)
            if rate == banded:
                axes.fill_between(line["batch"], line["low"], line["high"], color=f"C{place}", **INTERVAL)
        panels.log_axes(axes, "x")
    shown[0].set_ylim(0, None)  # shared, so after all have drawn
    panels.label_outer(shown, "batch [1]", "speed-up [1]")
    panels.legend(fig, shown[0])
    return fig


def adapters_and_images(data: pd.DataFrame, plain_tpot_ms: float) -> "Figure":
    """Left the time per token by the number of adapters, beside the one without; right that of a first token by the
    number of images, a line for each family of models."""
    fig, (left, right) = figures.canvas(1, 2, height_in=2.5)
    for place, (name, part) in enumerate(data.groupby("series", sort=False)):
        axes, look = (right if place else left), {"color": f"C{place}"}
        axes.fill_between(part["count"], part["low"], part["high"], **look, **INTERVAL)
        axes.plot(part["count"], part["value"], marker=panels.MARKERS[place], label=name, **look)
    left.axhline(plain_tpot_ms, label="none", **panels.BOUND)
    panels.log_axes(left, "x")
    left.set(xlabel="adapters [1]", ylabel="TPOT [ms]", ylim=(0, None))
    right.set(xlabel="images [1]", ylabel="TTFT [ms]", ylim=(0, None))
    for axes in (left, right):
        axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1), ncols=1)
    return fig
