"""Pictures of latency, price, experience, choices and fleets, each drawn from the table that was written."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from tokenomics.notebook import figures, panels
from tokenomics.notebook.style import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))
PAIR = "speed_tokens_per_s", "usd_per_mtoken"
LINE = {"color": "0.45", "linewidth": 0.8}
Rows = pd.DataFrame


def looks(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Colour, marker and dashes of each name, told apart without colour."""
    return {
        name: {"color": PALETTE[i % len(PALETTE)], "marker": panels.MARKERS[i % 7], "linestyle": STYLES[i % 6]}
        for i, name in enumerate(dict.fromkeys(names))
    }


def lines(axes: "Axes", data: Rows, pair: tuple[str, str], by: str, **options: Any) -> None:
    """A line of the second column of ``pair`` against the first for each ``by``, in order of appearance."""
    x, y = pair
    for name, look in looks(data[by]).items():
        rows = data[data[by] == name].dropna(subset=[x, y])
        axes.plot(rows[x], rows[y], label=str(name), **look | options)


def tidy(axes: "Axes", which: str = "xy") -> None:
    """Logarithmic axes with plain numbers."""
    panels.log_axes(axes, which)
    for name in which:
        axis = getattr(axes, f"{name}axis")
        low, high = axis.get_view_interval()
        if low >= 1e-3 and high < 1e5:
            axis.set_major_formatter("{x:g}")


def latency(by_length: Rows, by_load: Rows) -> "Figure":
    """Left: latency against the reply's length at some loads; right: latency over both closed forms against load."""
    fig, (left, right) = figures.canvas(1, 2, height_in=2.5)
    for colour, marker, (share, rows) in zip(PALETTE, "os^", by_length.groupby("share"), strict=False):
        left.plot(rows["output_tokens"], rows["e2e_s"], marker, color=colour, label=f"simulated, {share:.0%} load")
        left.plot(rows["output_tokens"], rows["loop_e2e_s"], "--", color=colour, linewidth=0.9)
    rows = by_length[by_length["share"] == by_length["share"].min()]
    left.plot(rows["output_tokens"], rows["constants_e2e_s"], "-", **LINE, label="idle constants")
    left.plot([], [], "--", color="black", linewidth=0.9, label="closed loop")
    left.set(xlabel="reply [token]", ylabel="latency [s]")
    for column, label, look in (
        ("over_constants", "mean / idle", "o-"),
        ("p99_stretch", "slowest 1 % / idle", "^-"),
        ("over_loop", "mean / closed loop", "s--"),
    ):
        right.plot(by_load["share"], by_load[column], look, label=label, color=PALETTE[3 + "o^s".index(look[0])])
    right.axhline(1, **LINE)
    tidy(left, "y")
    right.set_yscale("log", base=2)
    right.yaxis.set_major_formatter("{x:g}")
    right.set(xlabel="load / saturated", ylabel="simulated / formula")
    handles = [each.get_legend_handles_labels() for each in (left, right)]
    fig.legend(handles[0][0] + handles[1][0], handles[0][1] + handles[1][1], ncols=2, **panels.ABOVE)
    return fig


def price_speed(data: Rows, by: str, banded: str = "", limit: float | None = None) -> "Figure":
    """Price against speed for one user, a line for each ``by``; the interval of one of them as a band."""
    fig, axes = figures.canvas(height_in=3.0)
    lines(axes, data, PAIR, by)
    rows = data[data[by] == banded]
    if len(rows):
        colour = looks(data[by])[banded]["color"]
        ends = rows["usd_per_mtoken_low"], rows["usd_per_mtoken_high"]
        axes.fill_between(rows["speed_tokens_per_s"], *ends, color=colour, alpha=0.18, linewidth=0)
    if limit:
        axes.axvline(limit, **LINE)
    tidy(axes)
    axes.set(xlabel="for one user [token/s]", ylabel="price [USD/Mtoken]")
    panels.named(fig, axes, 2)
    return fig


def epoch(curves: Rows, points: Rows) -> "Figure":
    """Frontiers as computed here, and the published points on them."""
    fig, axes = figures.canvas(height_in=3.0)
    lines(axes, curves, PAIR, "setting", marker="")
    for name, look in looks(curves["setting"]).items():
        rows = points[points["setting"] == name]
        axes.plot(rows["tokens_per_s"], rows["usd_per_mtoken"], "o", color=look["color"], fillstyle="none")
    axes.plot([], [], "o", color="0.3", fillstyle="none", label="published")
    tidy(axes)
    axes.set(xlabel="for one user [token/s]", ylabel="price [USD/Mtoken]")
    panels.named(fig, axes, 2)
    return fig


def steps(data: Rows) -> "Figure":
    """Price against speed, a line for each thing that is counted in addition."""
    fig, axes = figures.canvas(height_in=3.0)
    for name, look in looks(data["step"]).items():
        rows = data[data["step"] == name].sort_values("speed_tokens_per_s")
        marked = look if len(rows) < 30 else look | {"marker": ""}
        axes.plot(rows["speed_tokens_per_s"], rows["usd_per_mtoken"], label=name, **marked)
    axes.set_xlim(left=5)
    tidy(axes)
    axes.set(xlabel="for one user [token/s]", ylabel="price [USD/Mtoken]")
    panels.named(fig, axes, 2)
    return fig


def experience(data: Rows, marks: Mapping[str, float]) -> "Figure":
    """Four panels over load: TTFT, TPOT, measures of experience, output.

    Args:
        marks: ``ttft_s``, ``tpot_ms`` promised; ``reading_ms``, ``listening_ms`` a token.
    """
    fig, axes = figures.canvas(2, 2, height_in=3.5, sharex=True)
    share = data["share"]
    for panel, stem, unit, key in ((axes[0, 0], "ttft", "s", "ttft_s"), (axes[0, 1], "tpot", "ms", "tpot_ms")):
        for name, colour, look in (("p50", PALETTE[0], "o-"), ("p99", PALETTE[3], "s--")):
            ends = [data[f"{stem}_{name}_{unit}_{side}"] for side in ("low", "high")]
            panel.fill_between(share, *ends, color=colour, alpha=0.18, linewidth=0, antialiased=False)
            middle = data[f"{stem}_{name}_{unit}"]
            panel.plot(share, middle, look, color=colour, markersize=3, label=name.replace("p", "") + " %")
        panel.axhline(marks[key], **LINE)
        panel.set_ylabel(f"{stem.upper()} [{unit}]")
        tidy(panel, "y")
    for key, look in (("reading_ms", ":"), ("listening_ms", "-.")):
        axes[0, 1].axhline(marks[key], color="0.3", linewidth=0.8, linestyle=look, label=key.removesuffix("_ms"))
    axes[0, 1].legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, columnspacing=0.8, handletextpad=0.4)
    axes[0, 0].legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, columnspacing=0.8, handletextpad=0.4)
    for i, name in enumerate(("andes", "fluidity", "attained", "smooth")):
        axes[1, 0].plot(share, data[name], marker=panels.MARKERS[i], color=PALETTE[i], linestyle=STYLES[i], label=name)
    for i, (column, name) in enumerate(
        (("achieved_tokens_per_s", "all"), ("smooth_tokens_per_s", "smooth"), ("goodput_tokens_per_s", "goodput"))
    ):
        place = (4, 3, 2)[i]
        axes[1, 1].plot(share, data[column] / 1e3, marker=panels.MARKERS[place], color=PALETTE[place], label=name)
    axes[1, 0].set(xlabel="load / saturated", ylabel="share of the best", ylim=(0, 1.04))
    axes[1, 1].set(xlabel="load / saturated", ylabel="tokens [1000/s]", ylim=(0, None))
    for panel in axes[1]:
        panel.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, columnspacing=0.8, handletextpad=0.4)
    return fig


def underuse(data: Rows, measured: Mapping[str, float]) -> "Figure":
    """Price over the price at saturation against load; shaded: what others measured, stars: at one request a second.

    Args:
        measured: ``low`` and ``high`` at 1 to 10 requests a second; the others at 1.
    """
    fig, axes = figures.canvas(height_in=3.0)
    axes.fill_between([1, 10], measured["low"], measured["high"], color="0.9", linewidth=0, label="measured elsewhere")
    lines(axes, data, ("rate_rps", "simulated"), "copy", linestyle="")
    for name, look in looks(data["copy"]).items():
        rows = data[data["copy"] == name]
        axes.plot(rows["rate_rps"], rows["closed"], color=look["color"], linewidth=0.8, linestyle="--")
    axes.plot([], [], "--", color="0.3", linewidth=0.8, label="1 / U")
    two = [value for key, value in measured.items() if key not in ("low", "high")]
    axes.plot([1] * len(two), two, "*", color="black", markersize=7, label="two of them")
    tidy(axes)
    axes.set(xlabel="load [request/s]", ylabel="price / price when saturated")
    panels.named(fig, axes, 2)
    return fig


def offers(data: Rows, costs: Rows) -> "Figure":
    """Offers as points, what their tokens cost to make as lines with bands; a panel a model."""
    names = list(dict.fromkeys(costs["model"]))
    fig, flat = panels.grid(names, 2, 1.75, sharex=True, sharey=True)
    providers = looks(data["provider"])
    for axes, name in zip(flat, names, strict=True):
        own = costs[costs["model"] == name]
        ends = own["usd_per_mtoken_low"], own["usd_per_mtoken_high"]
        axes.fill_between(own["speed_tokens_per_s"], *ends, color="0.85", linewidth=0)
        axes.plot(own["speed_tokens_per_s"], own["usd_per_mtoken"], color="0.3", label="cost, fully used")
        for provider, look in providers.items():
            rows = data[(data["model"] == name) & (data["provider"] == provider)]
            axes.plot(rows["speed_tokens_per_s"], rows["usd_per_mtoken"], **look | {"linestyle": ""}, label=provider)
        tidy(axes)
    panels.label_outer(flat, "whole request [token/s]", "price [USD/Mtoken]")
    panels.named(fig, flat[0], 3)
    return fig
