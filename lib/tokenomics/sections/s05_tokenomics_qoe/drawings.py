"""Figures of notebook 05, each drawn from its own data as it was written."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tokenomics.notebook import figures, panels, units
from tokenomics.notebook.style import PALETTE
from tokenomics.sections.s05_tokenomics_qoe.decisions import API, OFFERED, ON_DEMAND, OWN, RESERVED, SPOT
from tokenomics.sections.s05_tokenomics_qoe.experience import Reader
from tokenomics.sections.s05_tokenomics_qoe.frontiers import IDLE, PRICE, SPEED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))
LINE = {"color": "0.45", "linewidth": 0.8}
OPTIONS = {API: "0.85", ON_DEMAND: PALETTE[1], SPOT: PALETTE[0], RESERVED: PALETTE[2], OWN: PALETTE[4]}
LOAD = "load / saturated"
NEVER = "cannot be kept, or does not fit"
Rows = pd.DataFrame


def looks(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Colour, marker and dashes of each name, told apart without colour."""
    return {
        name: {"color": PALETTE[i % len(PALETTE)], "marker": panels.MARKERS[i % 7], "linestyle": STYLES[i % 6]}
        for i, name in enumerate(dict.fromkeys(names))
    }


def lines(axes: "Axes", data: Rows, x: str, y: str, by: str, **options: Any) -> None:
    """A line of column ``y`` against ``x`` for each ``by``, in order of appearance."""
    for name, look in looks(data[by]).items():
        rows = data[data[by] == name].dropna(subset=[x, y])
        axes.plot(rows[x], rows[y], label=str(name), **look | options)


def band(axes: "Axes", data: Rows, x: str, y: str, colour: str) -> None:
    """The interval of column ``y`` against ``x``."""
    ends = (data[units.end_of(y, end)] for end in (units.LOW, units.HIGH))
    axes.fill_between(data[x], *ends, color=colour, alpha=0.18, linewidth=0, antialiased=False)


def plain_log(axes: "Axes", which: str = "xy") -> None:
    """Logarithmic axes with plain numbers."""
    panels.log_axes(axes, which)
    for name in which:
        axis = getattr(axes, f"{name}axis")
        low, high = axis.get_view_interval()
        if low >= 1e-3 and high < 1e5:
            axis.set_major_formatter("{x:g}")


def by_twos(axes: "Axes", which: str) -> None:
    """A logarithmic axis in powers of two with plain numbers."""
    if panels.without_values(axes, which):
        return
    getattr(axes, f"set_{which}scale")("log", base=2)
    getattr(axes, f"{which}axis").set_major_formatter("{x:g}")


@figures.drawing
def latency(by_length: Rows, by_load: Rows) -> "Figure":
    """Left: latency against the reply's length at some loads; right: latency over both closed forms against load."""
    fig, (left, right) = figures.canvas(1, 2, height_in=2.5)
    for colour, marker, (share, rows) in zip(PALETTE, "os^", by_length.groupby("share"), strict=False):
        left.plot(rows["output_tok"], rows["e2e_s"], marker, color=colour, label=f"simulated, {share:.0%} load")
        left.plot(rows["output_tok"], rows["loop_e2e_s"], "--", color=colour, linewidth=0.9)
    rows = by_length[by_length["share"] == by_length["share"].min()]
    left.plot(rows["output_tok"], rows["constants_e2e_s"], "-", **LINE, label="idle constants")
    left.plot([], [], "--", color="black", linewidth=0.9, label="closed loop")
    for column, label, look, colour in (
        ("over_constants_ratio", "mean / idle", "o-", PALETTE[3]),
        ("p99_stretch_ratio", "slowest 1 % / idle", "^-", PALETTE[4]),
        ("over_loop_ratio", "mean / closed loop", "s--", PALETTE[5]),
    ):
        right.plot(by_load["share"], by_load[column], look, label=label, color=colour)
    right.axhline(1, **LINE)
    plain_log(left, "y")
    by_twos(right, "y")
    units.axis_labels(left, "output_tok", "e2e_s", "reply", "latency")
    units.axis_labels(right, "share", "over_constants_ratio", LOAD, "simulated over formula")
    fig.legend(ncols=2, **panels.ABOVE)
    return fig


@figures.drawing
def price_speed(data: Rows, by: str, banded: str, limit: float) -> "Figure":
    """Price against speed for one user, a line for each ``by``; the interval of one of them as a band.

    Args:
        limit: speed that is promised, as an upright line.
    """
    fig, axes = figures.canvas(height_in=3.0)
    lines(axes, data, SPEED, PRICE, by)
    if banded in looks(data[by]):
        band(axes, data[data[by] == banded], SPEED, PRICE, looks(data[by])[banded]["color"])
    axes.axvline(limit, **LINE)
    _speed_and_price(fig, axes)
    return fig


def _speed_and_price(fig: "Figure", axes: "Axes") -> None:
    plain_log(axes)
    units.axis_labels(axes, SPEED, PRICE, "speed for one user", "price")
    panels.named(fig, axes, 2)


@figures.drawing
def epoch(curves: Rows, points: Rows) -> "Figure":
    """Frontiers as computed here, and the published points on them."""
    fig, axes = figures.canvas(height_in=3.0)
    lines(axes, curves, SPEED, PRICE, "setting", marker="")
    for name, look in looks(curves["setting"]).items():
        rows = points[points["setting"] == name]
        published = rows["published_tok_per_s"], rows["published_usd_per_mtok"]
        axes.plot(*published, "o", color=look["color"], fillstyle="none")
    axes.plot([], [], "o", color="0.3", fillstyle="none", label="published")
    _speed_and_price(fig, axes)
    return fig


@figures.drawing
def steps(data: Rows) -> "Figure":
    """Price against speed, a line for each thing that is counted in addition; long lines without marks."""
    fig, axes = figures.canvas(height_in=3.0)
    for name, look in looks(data["step"]).items():
        rows = data[data["step"] == name].sort_values(SPEED)
        axes.plot(rows[SPEED], rows[PRICE], label=name, **look if len(rows) < 30 else look | {"marker": ""})
    axes.set_xlim(left=5)
    _speed_and_price(fig, axes)
    return fig


@figures.drawing
def experience(data: Rows, reader: Reader) -> "Figure":
    """Four panels over load: TTFT, TPOT, measures of experience, output; lines at what is promised and what is read."""
    promised = {"ttft_s": reader.slo.ttft_s, "tpot_ms": 1e3 * reader.slo.tpot_s}
    paces = {"reading": reader.tok_per_s, "listening": reader.aloud_tok_per_s}
    fig, ((ttft, tpot), (shares, output)) = figures.canvas(2, 2, height_in=3.5, sharex=True)
    for axes, stem, unit in ((ttft, "ttft", "s"), (tpot, "tpot", "ms")):
        for level, colour, look in (("p50", PALETTE[0], "o-"), ("p99", PALETTE[3], "s--")):
            column = f"{stem}_{level}_{unit}"
            band(axes, data, "share", column, colour)
            label = level.removeprefix("p") + " %"
            axes.plot(data["share"], data[column], look, color=colour, markersize=3, label=label)
        axes.axhline(promised[f"{stem}_{unit}"], **LINE)
        plain_log(axes, "y")
        units.axis_labels(axes, "", f"{stem}_{unit}")
    for (name, pace), look in zip(paces.items(), (":", "-."), strict=True):
        tpot.axhline(1e3 / pace, color="0.3", linewidth=0.8, linestyle=look, label=name)
    for i, name in enumerate(("andes", "fluidity", "attained", "smooth")):
        look = {"marker": panels.MARKERS[i], "color": PALETTE[i], "linestyle": STYLES[i]}
        shares.plot(data["share"], data[f"{name}_share"], label=name, **look)
    for i, (name, stem) in zip((4, 3, 2), (("all", "achieved"), ("smooth",) * 2, ("goodput",) * 2), strict=True):
        look = {"marker": panels.MARKERS[i], "color": PALETTE[i]}
        output.plot(data["share"], data[f"{stem}_tok_per_s"], label=name, **look)
    shares.set_ylim(0, 1.04)
    output.set_ylim(0, None)
    units.axis_labels(shares, "share", "attained_share", LOAD, "share of the best")
    units.axis_labels(output, "share", "achieved_tok_per_s", LOAD, "output")
    for axes in fig.axes:
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, columnspacing=0.8, handletextpad=0.4)
    return fig


@figures.drawing
def underused(data: Rows, measured: Mapping[str, float]) -> "Figure":
    """Price over the saturated price against load; shaded: what others measured, stars: at one request a second.

    Args:
        measured: ``low`` and ``high`` at 1 to 10 requests a second; the others at 1.
    """
    fig, axes = figures.canvas(height_in=3.0)
    axes.fill_between([1, 10], measured["low"], measured["high"], color="0.9", linewidth=0, label="measured elsewhere")
    lines(axes, data, "rate_rps", IDLE, "replica", linestyle="")
    for name, look in looks(data["replica"]).items():
        rows = data[data["replica"] == name]
        axes.plot(rows["rate_rps"], rows["closed_ratio"], color=look["color"], linewidth=0.8, linestyle="--")
    axes.plot([], [], "--", color="0.3", linewidth=0.8, label="1 / U")
    two = [value for key, value in measured.items() if key not in ("low", "high")]
    axes.plot([1] * len(two), two, "*", color="black", markersize=7, label="measured at 1 request/s")
    plain_log(axes)
    units.axis_labels(axes, "rate_rps", IDLE, "load", "price over saturated price")
    panels.named(fig, axes, 2)
    return fig


@figures.drawing
def offers(data: Rows, costs: Rows) -> "Figure":
    """Offers as points, what their tokens cost to make as lines with bands; a panel a model."""
    names = list(dict.fromkeys(costs["model"]))
    fig, flat = panels.grid(names, 2, 1.75, sharex=True, sharey=True)
    providers = looks(data["provider"])
    for axes, name in zip(flat, names, strict=True):
        own = costs[costs["model"] == name]
        band(axes, own, SPEED, PRICE, "0.3")
        axes.plot(own[SPEED], own[PRICE], color="0.3", label="cost, saturated")
        for provider, look in providers.items():
            rows = data[(data["model"] == name) & (data["provider"] == provider)]
            axes.plot(rows[SPEED], rows[PRICE], **look | {"linestyle": ""}, label=provider)
        plain_log(axes)
    panels.label_outer(flat, units.label(SPEED, "whole request"), units.label(PRICE, "price"))
    panels.named(fig, flat[0], 3)
    return fig


@figures.drawing
def maps(data: Rows, borders: Rows) -> "Figure":
    """The cheapest option over load and API price, a panel each; dashed: the border to the API at the ends of rents."""
    fig, shown = panels.regions(data, "rate_rps", OFFERED, OPTIONS, 2.1)
    for name, axes in shown.items():
        line, offered = borders[borders["panel"] == name], data.loc[data["panel"] == name, OFFERED]
        for end in (units.LOW, units.HIGH):
            axes.plot(line["rate_rps"], line[units.end_of(PRICE, end)], "--", color="black", linewidth=0.8)
        axes.set_ylim(offered.min(), offered.max())
        plain_log(axes)
        axes.grid(visible=False)
    panels.label_outer(list(shown.values()), units.label("rate_rps", "mean load"), units.label(OFFERED, "API"))
    return fig


@figures.drawing
def objectives(data: Rows) -> "Figure":
    """Price of each objective: closed form and simulation with its ends."""
    column = "simulated_usd_per_mtok"
    fig, axes = figures.canvas(height_in=0.9 + 0.26 * len(data))
    y = np.arange(len(data))[::-1]
    ends = (data[units.end_of(column, end)] for end in (units.LOW, units.HIGH))
    axes.hlines(y, *ends, color=PALETTE[0])
    axes.plot(data[column], y, "o", color=PALETTE[0], label="simulated")
    axes.plot(data["closed_usd_per_mtok"], y, "x", color=PALETTE[3], label="closed form")
    panels.absent(axes, data[column], y, NEVER)
    axes.set_yticks(y, data["objective"])
    axes.set_ylim(-0.6, len(data) - 0.4)
    plain_log(axes, "x")
    units.axis_labels(axes, column, x_words="price")
    panels.named(fig, axes, 2)
    return fig


@figures.drawing
def plans(data: Rows) -> "Figure":
    """Replicas and price over users a day: closed form, by a replica's simulated rate, and whole simulated fleets."""
    fig, (left, right) = figures.canvas(1, 2, height_in=2.4)
    x = data["users_per_day"]
    for axes, column in ((left, "replicas"), (right, PRICE)):
        band(axes, data, "users_per_day", column, PALETTE[0])
        axes.plot(x, data[column], "-", color=PALETTE[0], label="one replica simulated")
    left.plot(x, data["closed_replicas"], "x", color=PALETTE[3], label="closed form")
    left.plot(x, data["simulated_replicas"], "o", color="black", fillstyle="none", label="fleet simulated")
    for axes, column, words in ((left, "replicas", ""), (right, PRICE, "price")):
        plain_log(axes, "y")
        panels.log_axes(axes, "x")
        units.axis_labels(axes, "users_per_day", column, "users", words)
    panels.named(fig, left, 3)
    return fig


@figures.drawing
def schedulers(data: Rows) -> "Figure":
    """Four measures of each policy over load."""
    fig, grid = figures.canvas(2, 2, height_in=3.7, sharex=True)
    shown = {"ttft_p95_s": "TTFT, 95 %", "tpot_p95_ms": "TPOT, 95 %", "itl_p99_ms": "ITL, 99 %"}
    for axes, (column, words) in zip(grid.flat, (shown | {"attained_share": "keep the SLO"}).items(), strict=True):
        lines(axes, data, "share", column, "policy")
        if column in shown:
            plain_log(axes, "y")
        units.axis_labels(axes, "share" if axes in grid[1] else "", column, LOAD, words)
    panels.named(fig, grid[0, 0], 2)
    return fig


@figures.drawing
def day(data: Rows, limit_s: float) -> "Figure":
    """Three panels through a day: load, replicas, and the 95 % TTFT of each fleet; a line at the promised TTFT."""
    fig, (top, middle, low) = figures.canvas(3, 1, height_in=4.0, sharex=True)
    load = data.drop_duplicates("hour")
    top.plot(load["hour"], load["rate_rps"], color="black")
    for name, look in looks(data["fleet"]).items():
        rows = data[data["fleet"] == name]
        middle.step(rows["hour"], rows["replicas"], where="mid", color=look["color"], linestyle=look["linestyle"])
        low.plot(rows["hour"], rows["ttft_p95_s"], label=name, **look)
    low.axhline(limit_s, **LINE)
    top.set_ylim(0, None)
    middle.set_ylim(0, data["replicas"].max() + 0.5)
    plain_log(low, "y")
    low.set_xticks(range(0, 24, 4))
    units.axis_labels(top, "", "rate_rps", y_words="load")
    units.axis_labels(middle, "", "replicas")
    units.axis_labels(low, "hour", "ttft_p95_s", "hour of the day", "TTFT, 95 %")
    panels.named(fig, low, 2)
    return fig


@figures.drawing
def fleets(shards: Rows, by_model: Rows) -> "Figure":
    """Above: what a replica bears by the size of its shard; below: accelerators of the whole fleet, by model."""
    height = 2.5 + 0.22 * len(by_model)
    fig, (top, low) = figures.canvas(2, 1, height_in=height, height_ratios=(1.4, 0.25 * len(by_model) + 0.2))
    top.plot(shards["replicas"], shards["replica_rps"], "o-", color=PALETTE[0])
    by_twos(top, "x")
    top.set_xticks(shards["replicas"])
    top.set_ylim(0, 1.15 * shards["replica_rps"].max())
    units.axis_labels(top, "replicas", "replica_rps", "replicas of a shard", "replica")
    panels.dots(low, by_model, "replica", "accelerators", by_model["replica"].tolist())
    plain_log(low, "x")
    units.axis_labels(low, "accelerators")
    return fig


@figures.drawing
def changes(data: Rows) -> "Figure":
    """Price of each change over the base case, with the ends of its own step times over the base's middle."""
    fig, axes = figures.canvas(height_in=0.7 + 0.2 * len(data))
    panels.dots(axes, data, "change", "over_base_ratio", data["change"].tolist(), missing=NEVER)
    axes.axvline(1, **LINE)
    by_twos(axes, "x")
    units.axis_labels(axes, "over_base_ratio", x_words="price over the base case")
    return fig
