"""Pictures of decisions: maps of the cheapest way, objectives, plans, schedulers, a day, fleets."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tokenomics.notebook import figures, panels
from tokenomics.notebook.style import PALETTE
from tokenomics.sections.s05_tokenomics_qoe.drawings import LINE, lines, looks, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WAYS = {"API": "0.85", "on demand": PALETTE[1], "spot": PALETTE[0], "reserved": PALETTE[2], "own": PALETTE[4]}
Rows = pd.DataFrame


def maps(data: Rows, borders: Rows) -> "Figure":
    """The cheapest way over load and API price, a panel each; dashed: the border to the API at the ends of rents."""
    fig, shown = panels.regions(data, "rate_rps", "offered_usd_per_mtoken", WAYS, 2.1)
    for name, axes in shown.items():
        line, offered = borders[borders["panel"] == name], data.loc[data["panel"] == name, "offered_usd_per_mtoken"]
        for side in ("low", "high"):
            axes.plot(line["rate_rps"], line[f"usd_per_mtoken_{side}"], "--", color="black", linewidth=0.8)
        axes.set_ylim(offered.min(), offered.max())
        tidy(axes)
        axes.grid(visible=False)
    panels.label_outer(list(shown.values()), "mean load [request/s]", "API [USD/Mtoken]")
    return fig


def objectives(data: Rows) -> "Figure":
    """Price of each objective: closed form and simulation with its ends."""
    fig, axes = figures.canvas(height_in=0.9 + 0.26 * len(data))
    y = np.arange(len(data))[::-1]
    axes.hlines(y, data["simulated_usd_per_mtoken_low"], data["simulated_usd_per_mtoken_high"], color=PALETTE[0])
    axes.plot(data["simulated_usd_per_mtoken"], y, "o", color=PALETTE[0], label="simulated")
    axes.plot(data["closed_usd_per_mtoken"], y, "x", color=PALETTE[3], label="closed form")
    tidy(axes, "x")
    axes.set_yticks(y, data["objective"])
    axes.set(xlabel="price [USD/Mtoken]", ylim=(-0.6, len(data) - 0.4))
    panels.named(fig, axes, 2)
    return fig


def plans(data: Rows) -> "Figure":
    """Copies and price over users a day: closed form, by a copy's simulated rate, and whole simulated fleets."""
    fig, (left, right) = figures.canvas(1, 2, height_in=2.4)
    x = data["users_per_day"]
    left.fill_between(x, data["copies_low"], data["copies_high"], color=PALETTE[0], alpha=0.2, linewidth=0)
    left.plot(x, data["copies"], "-", color=PALETTE[0], label="one copy simulated")
    left.plot(x, data["closed_copies"], "x", color=PALETTE[3], label="closed form")
    left.plot(x, data["simulated_copies"], "o", color="black", fillstyle="none", label="fleet simulated")
    ends = data["usd_per_mtoken_low"], data["usd_per_mtoken_high"]
    right.fill_between(x, *ends, color=PALETTE[0], alpha=0.2, linewidth=0)
    right.plot(x, data["usd_per_mtoken"], "-", color=PALETTE[0])
    left.set(ylabel="copies")
    right.set(ylabel="price [USD/Mtoken]")
    for axes in (left, right):
        tidy(axes, "y")
        panels.log_axes(axes, "x")
        axes.set_xlabel("users a day")
    panels.named(fig, left, 3)
    return fig


def schedulers(data: Rows) -> "Figure":
    """Four measures of each policy over load."""
    fig, axes = figures.canvas(2, 2, height_in=3.7, sharex=True)
    shown = {"ttft_p95_s": "TTFT, 95 % [s]", "tpot_p95_ms": "TPOT, 95 % [ms]", "itl_p99_ms": "ITL, 99 % [ms]"}
    for panel, (column, label) in zip(axes.flat, (shown | {"attained": "keep the SLO"}).items(), strict=True):
        lines(panel, data, ("share", column), "policy")
        panel.set_ylabel(label)
        if column != "attained":
            tidy(panel, "y")
    for panel in axes[1]:
        panel.set_xlabel("load / saturated")
    panels.named(fig, axes[0, 0], 2)
    return fig


def day(data: Rows, limit_s: float) -> "Figure":
    """Three panels through a day: load, copies, and the 95 % TTFT of each fleet."""
    fig, (top, middle, low) = figures.canvas(3, 1, height_in=4.0, sharex=True)
    first = data[data["fleet"] == data["fleet"].iloc[0]]
    top.plot(first["hour"], first["rate_rps"], color="black")
    top.set(ylabel="load [req/s]", ylim=(0, None))
    for name, look in looks(data["fleet"]).items():
        rows = data[data["fleet"] == name]
        middle.step(rows["hour"], rows["copies"], where="mid", color=look["color"], linestyle=look["linestyle"])
        low.plot(rows["hour"], rows["ttft_p95_s"], label=name, **look)
    low.axhline(limit_s, **LINE)
    middle.set(ylabel="copies", ylim=(0, data["copies"].max() + 0.5))
    low.set(xlabel="hour of the day [h]", ylabel="TTFT, 95 % [s]", xticks=range(0, 24, 4))
    tidy(low, "y")
    panels.named(fig, low, 3)
    return fig


def fleets(shards: Rows, by_model: Rows) -> "Figure":
    """Above: what a copy bears by the size of its shard; below: accelerators of the whole fleet, by model."""
    height = 2.3 + 0.22 * len(by_model)
    fig, (top, low) = figures.canvas(2, 1, height_in=height, height_ratios=(1.2, 0.25 * len(by_model) + 0.2))
    top.plot(shards["copies"], shards["copy_rps"], "o-", color=PALETTE[0])
    top.set_xscale("log", base=2)
    top.set_xticks(shards["copies"], [f"{n:g}" for n in shards["copies"]])
    limits = (0, 1.15 * shards["copy_rps"].max())
    top.set(xlabel="copies of a shard", ylabel="of a copy [req/s]", ylim=limits)
    y = np.arange(len(by_model))[::-1]
    low.hlines(y, by_model["accelerators_low"] / 1e3, by_model["accelerators_high"] / 1e3, color=PALETTE[0])
    low.plot(by_model["accelerators"] / 1e3, y, "o", color=PALETTE[0])
    tidy(low, "x")
    low.set_yticks(y, by_model["copy"])
    low.set(xlabel="accelerators [1000]", ylim=(-0.6, len(by_model) - 0.4))
    return fig


def changes(data: Rows) -> "Figure":
    """Price of each change over the base case, with the ends of its own step times over the base's middle."""
    fig, axes = figures.canvas(height_in=0.7 + 0.2 * len(data))
    y = np.arange(len(data))[::-1]
    axes.hlines(y, data["ratio_low"], data["ratio_high"], color=PALETTE[0])
    axes.plot(data["ratio"], y, "o", color=PALETTE[0])
    axes.axvline(1, **LINE)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(y, data["change"])
    axes.set(xlabel="price over the base case", ylim=(-0.6, len(data) - 0.4))
    return fig
