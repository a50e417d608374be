"""Figures of the validation annex, each drawn from its data as it was written."""

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tokenomics.notebook import figures, panels, style, units
from tokenomics.notebook.style import PALETTE
from tokenomics.sections.s08_validation.service import FITTED, MODELLED
from tokenomics.sections.s08_validation.targets import COVERED, WIDEST

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FOLDS = {"family": ("o", PALETTE[0], -0.17), "accelerator": ("D", PALETTE[1], 0.17)}
"""Marker, colour and offset from the line of a group, by what was held out."""
MARKERS = "osD^vPX*<"
MOST_SOURCES = 8
"""Sources with a look of their own in one figure."""
LINES = ("-", "--", "-.", ":")
RELATIVES = ("generation", "vendor", "other")
"""How near the relative is whose operators are borrowed, nearest first."""
METRICS = {"ttft_s": "TTFT", "tpot_s": "TPOT", "e2e_s": "whole request"}
CURVES = {
    "measured": {"color": "black", "linestyle": "-"},
    FITTED: {"color": PALETTE[0], "linestyle": "--"},
    MODELLED: {"color": PALETTE[3], "linestyle": ":"},
}
"""Look of the curves of a real run: as measured, and replayed on two sets of step times."""
MODELS = (PALETTE[3], PALETTE[0])
"""Colours of the larger model and the smaller one."""
SMALL_TITLE = {"fontsize": 7, "pad": 3}


def parity(data: pd.DataFrame, band: float) -> "Figure":
    """Predicted against measured durations, a panel a quantity, a colour a source (the smallest ones share one), dotted
    lines ``band`` off.

    Args:
        data: as :func:`tokenomics.sections.s08_validation.errors.durations` gives them.
    """
    small = data["source"].value_counts().index[MOST_SOURCES - 1 :]
    if len(small) > 1:
        data = data.assign(source=data["source"].where(~data["source"].isin(small), f"{len(small)} smaller sources"))
    sources = list(data["source"].value_counts().index)  # the largest below the others
    looks = {name: {"color": PALETTE[i - 2], "marker": MARKERS[i]} for i, name in enumerate(sources[1:], 2)}
    looks[sources[0]] = {"color": PALETTE[7], "marker": "o"}
    quantities = sorted(data["quantity"].unique())
    fig, axes = panels.grid([_plain(name) for name in quantities], row_in=1.75 if len(sources) > 1 else 1.5)
    for panel, quantity in zip(axes, quantities, strict=True):
        rows = data[data["quantity"] == quantity]
        for name in sources:
            part = rows[rows["source"] == name]
            panel.scatter(part["measured_s"], part["predicted_s"], s=4, linewidths=0, antialiased=False, **looks[name])
        _diagonals(panel, rows[["measured_s", "predicted_s"]], band, 1.5)
        units.axis_labels(panel, "measured_s", "predicted_s")
        _whole_powers(panel)
    if len(sources) > 1:
        handles = [axes[0].scatter([], [], s=9, label=_plain(name), **looks[name]) for name in sorted(sources)]
        fig.legend(handles=handles, ncols=2, markerscale=1.4, **panels.ABOVE)
    return fig


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _diagonals(axes: "Axes", values: pd.DataFrame, band: float, margin: float) -> None:
    """Equal logarithmic axes around all values, with lines of equality and of ``band`` off."""
    ends = np.array([values.min().min() / margin, values.max().max() * margin])
    for factor, line in ((1, "-"), (1 - band, ":"), (1 + band, ":")):
        axes.plot(ends, ends * factor, color="black", linewidth=0.3, linestyle=line, antialiased=False)
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    axes.set_box_aspect(1)


def _whole_powers(axes: "Axes") -> None:
    from matplotlib.ticker import LogLocator, NullLocator

    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(numticks=3))
        axis.set_minor_locator(NullLocator())


def ranges(data: pd.DataFrame) -> "Figure":
    """Median (marker) to 90 % quantile (end of line) of the errors of each group, for both folds.

    Args:
        data: ``group, held_out, median_error, p90_error``, in the order in which groups are drawn from above.
    """
    names = list(dict.fromkeys(data["group"]))
    fig, axes = figures.canvas(height_in=1.25 + 0.145 * len(names))
    for fold, (marker, colour, shift) in FOLDS.items():
        rows = data[data["held_out"] == fold]
        y = np.array([names.index(name) for name in rows["group"]]) + shift
        axes.hlines(y, rows["median_error"], rows["p90_error"], color=colour, linewidth=0.9)
        axes.plot(rows["median_error"], y, marker, color=colour, label=f"{fold} held out", linestyle="none")
    axes.set(xscale="log", ylim=(len(names) - 0.5, -0.5))
    axes.set_yticks(range(len(names)), [_plain(name) for name in names])
    axes.grid(axis="y", visible=False)
    units.axis_labels(axes, "median_error", x_words="relative error")
    style.legend_above(axes, 2, bbox_to_anchor=(0.3, 1))
    return fig


def operators(data: pd.DataFrame) -> "Figure":
    """Median errors of operators on unseen shapes and on held-out accelerators beside the gap between two engines.

    Args:
        data: as :func:`tokenomics.sections.s08_validation.outside_folds.beside_spread` gives them.
    """
    fig, axes = figures.canvas(height_in=3.1)
    names = data["operator"].str.replace("attention", "attn.") + ", " + data["dtype"]
    names = names.map(_plain)
    axes.plot(data["held_out_error"], names, "o", label="shapes not seen")
    axes.plot(data["transfer_error"], names, "s", label="accelerator held out")
    axes.plot(data["engine_gap_share"], names, "D", color="0.3", fillstyle="none", label="between engines")
    axes.set(xscale="log")
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=6)
    axes.grid(axis="y", visible=False)
    units.axis_labels(axes, "held_out_error", x_words="median relative error, or gap")
    style.legend_above(axes, 2, bbox_to_anchor=(0.2, 1))
    return fig


def sharpness(data: pd.DataFrame) -> "Figure":
    """Coverage of groups against half-width over median error, families held out, with the region that is the target.

    Args:
        data: ``grouping, held_out, coverage, width_to_error_ratio``.
    """
    fig, axes = figures.canvas(height_in=2.8)
    axes.axvspan(*COVERED, color="0.93", zorder=0)
    axes.axhline(WIDEST, color="0.4", linewidth=0.7, linestyle=":")
    held_out = data[data["held_out"] == "family"]
    for place, (name, rows) in enumerate(held_out.groupby("grouping", sort=True)):
        look = {"color": PALETTE[place], "marker": MARKERS[place], "s": 14, "linewidths": 0}
        axes.scatter(rows["coverage"], rows["width_to_error_ratio"], label=name, **look)
    axes.set(yscale="log")
    units.axis_labels(axes, "coverage", "width_to_error_ratio", y_words="half-width over median error")
    axes.yaxis.set_major_formatter("{x:g}")
    style.legend_above(axes, 3)
    return fig


def far(data: pd.DataFrame) -> "Figure":
    """Rows that are far off by reason (bars, most on top) and quantity (parts).

    Args:
        data: as :func:`tokenomics.sections.s08_validation.reasons.far_rows` gives them.
    """
    fig, axes = figures.canvas(height_in=3.2)
    wide = data.pivot_table(index="reason", columns="quantity", values="rows", aggfunc="sum", fill_value=0)
    wide = wide.loc[wide.sum(axis=1).sort_values(kind="stable").index]
    start, names = np.zeros(len(wide)), wrapped(wide.index)
    for place, quantity in enumerate(wide):
        look = {"color": PALETTE[place], "hatch": panels.HATCHES[place], "edgecolor": "white", "linewidth": 0.3}
        axes.barh(names, wide[quantity], left=start, label=_plain(quantity), **look)
        start += wide[quantity].to_numpy()
    axes.bar_label(axes.containers[-1], [f"{total:.0f}" for total in start], padding=2, fontsize=6.5)
    axes.margins(x=0.12)
    axes.grid(axis="y", visible=False)
    units.axis_labels(axes, "rows")
    style.legend_above(axes, 3, bbox_to_anchor=(0.2, 1))
    return fig


def wrapped(labels: Iterable[str], width: int = 34) -> list[str]:
    """Labels broken into lines of at most ``width`` characters."""
    return ["\n".join(textwrap.wrap(label, width)) for label in labels]


def tails(data: pd.DataFrame) -> "Figure":
    """Share of rows whose error is at most x, a line a tool, best median first in the legend.

    Args:
        data: as :func:`tokenomics.sections.s08_validation.tools.quantiles` gives them.
    """
    fig, axes = figures.canvas(height_in=3.0)
    medians = data[data["rows_share"] >= 0.5].groupby("tool")["error"].min().sort_values()
    for place, name in enumerate(medians.index):
        rows = data[data["tool"] == name]
        axes.plot(rows["error"], rows["rows_share"], color=PALETTE[place], linestyle=LINES[place % 4], label=name)
    axes.set(xscale="log", xlim=(0.01, 10))
    units.axis_labels(axes, "error", "rows_share", "relative error, at most", "share of the rows")
    style.legend_above(axes, 2, bbox_to_anchor=(0.3, 1))
    return fig


def transfer(data: pd.DataFrame) -> "Figure":
    """Predicted over measured durations with the accelerator held out, by its nearest relative; whiskers: 80 %.

    Args:
        data: as :func:`tokenomics.sections.s08_validation.errors.duration_ratios` gives them.
    """
    import seaborn as sns

    fig, axes = figures.canvas(height_in=2.4)
    order = [name for name in RELATIVES if name in set(data["nearest_relative"])]
    look = {"showfliers": False, "whis": (10, 90), "width": 0.5, "linewidth": 0.8, "color": PALETTE[6]}
    sns.boxplot(data, x="duration_ratio", y="nearest_relative", order=order, ax=axes, **look)
    axes.axvline(1, color="0.2", linewidth=0.7)
    axes.set(xscale="log")
    units.axis_labels(axes, "duration_ratio", "nearest_relative", "predicted over measured duration")
    axes.set_xticks([0.1, 0.2, 0.5, 1, 2], ["0.1", "0.2", "0.5", "1", "2"])
    axes.minorticks_off()
    return fig


def replayed(data: pd.DataFrame) -> "Figure":
    """Quantiles of replayed requests over those reported, a panel a metric, a colour a run.

    Args:
        data: as :func:`tokenomics.sections.s08_validation.service.replayed_quantiles` gives them.
    """
    fig, axes = figures.canvas(1, 3, height_in=2.2, sharey=True)
    for panel, (metric, title) in zip(axes, METRICS.items(), strict=True):
        rows = data[data["metric"] == metric]
        for place, (label, run) in enumerate(rows.groupby("label", sort=True)):
            own, exact = (run[run["times"] == times] for times in ("ours", "theirs"))
            look = {"color": PALETTE[place], "marker": MARKERS[place], "markersize": 2.5, "linewidth": 0.7}
            panel.plot(own["quantile_share"], own["replayed_ratio"], **look, label=label)
            cross = {"color": "black", "markersize": 3, "markeredgewidth": 0.5}
            panel.plot(exact["quantile_share"], exact["replayed_ratio"], "+", **cross)
        panel.set_title(title, **SMALL_TITLE)
        panel.set(xlim=(0, 1.04), xticks=[0, 0.5, 1])
        units.axis_labels(panel, "quantile_share")
    axes[0].set_ylabel("replayed over reported")
    axes[0].plot([], [], "+", color="black", markersize=4, label="its own step times, all")
    panels.named(fig, axes[0], columns=2)
    return fig


def distributions(data: pd.DataFrame) -> "Figure":
    """Share of requests that took at most x, a row a run, a column a metric; measured, fitted and as modelled.

    Args:
        data: as :func:`tokenomics.sections.s08_validation.service.real_distributions` gives them.
    """
    from matplotlib.ticker import MaxNLocator

    runs = list(dict.fromkeys(data["run"]))
    fig, axes = figures.canvas(len(runs), 3, height_in=0.3 + 1.35 * len(runs), sharey=True, squeeze=False)
    for row, run in zip(axes, runs, strict=True):
        for panel, (metric, title) in zip(row, METRICS.items(), strict=True):
            rows = data[(data["run"] == run) & (data["metric"] == metric)]
            for curve, look in CURVES.items():
                part = rows[rows["curve"] == curve]
                panel.plot(part["time_s"], part["requests_share"], label=curve, **look)
            panel.set(ylim=(0, 1), xlim=(0, None))
            panel.set_title(title, **SMALL_TITLE)
            units.axis_labels(panel, "time_s", "requests_share", "at most", f"{run}\nshare of requests")
            panel.xaxis.set_major_locator(MaxNLocator(3, min_n_ticks=2))
            panel.xaxis.set_major_formatter("{x:g}")
            panel.xaxis.label.set_fontsize(7)
            panel.yaxis.label.set_fontsize(7)
        for panel in row[1:]:
            panel.set_ylabel("")
            panel.tick_params(axis="y", left=False, labelleft=False)
    panels.named(fig, axes[0, 0])
    return fig


def online(data: pd.DataFrame) -> "Figure":
    """Measured points and the predicted line with its interval against the rate: a row a pair of lengths, a column a
    metric, a colour a model; dotted where saturation begins.

    Args:
        data: as :func:`tokenomics.sections.s08_validation.service.online_curves` gives them.
    """
    lengths, metrics = (list(dict.fromkeys(data[name])) for name in ("lengths", "metric"))
    height_in = 0.5 + 1.05 * len(lengths)
    fig, axes = figures.canvas(len(lengths), len(metrics), height_in=height_in, squeeze=False, sharex=True)
    for (length, metric), rows in data.groupby(["lengths", "metric"]):
        panel = axes[lengths.index(length), metrics.index(metric)]
        _online_panel(panel, rows)
        panel.set_title(length if metric == metrics[0] else "", **SMALL_TITLE)
        panel.set_ylabel(units.label("measured_ms", metric), fontsize=7)
    for panel in axes[-1]:
        panel.set_xlabel(units.label("rate_qps"), fontsize=7)
    panels.named(fig, axes[0, 0], columns=2)
    return fig


def _online_panel(axes: "Axes", data: pd.DataFrame) -> None:
    for place, (model, rows) in enumerate(data.groupby("model", sort=True)):
        colour, rate, ends = MODELS[place], rows["rate_qps"], rows[["predicted_low_ms", "predicted_high_ms"]]
        axes.fill_between(rate, *ends.to_numpy().T, color=pale(colour), linewidth=0, antialiased=False)
        line = {"color": colour, "antialiased": False}
        axes.plot(rate, ends, linewidth=0.4, **line)
        axes.plot(rate, rows["predicted_ms"], **line, label=f"{model}, simulated")
        look = {"marker": MARKERS[place], "markersize": 3.2, "markeredgewidth": 0, "linestyle": "none"}
        axes.plot(rate, rows["measured_ms"], **look, **line, label=f"{model}, measured")
        axes.axvline(rows["limit_qps"].iloc[0], linestyle=":", linewidth=0.8, **line)
    axes.grid(visible=False)
    axes.set_yscale("log")
    panels.by_twos(axes, "")
    axes.set_xticks([2, 4, 8, 16, 32])
    _plain_log(axes)


def pale(colour: str) -> str:
    """A light tint of a colour for a band: opaque, so that the picture stays small."""
    from matplotlib.colors import to_hex, to_rgb

    return to_hex(1 - 0.25 * (1 - np.array(to_rgb(colour))))


def _plain_log(axes: "Axes") -> None:
    """Marks at 1, 2 and 5 of each power, written out; at whole powers alone where the axis is long."""
    from matplotlib.ticker import LogLocator, NullLocator

    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 30 * low else (1.0,), numticks=6))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())


def server(data: pd.DataFrame, band: float) -> "Figure":
    """Predicted against measured output of MLPerf's server scenario with intervals; dotted ``band`` off.

    Args:
        data: as :func:`tokenomics.sections.s08_validation.service.served` gives them, all ends above zero.
    """
    fig, axes = figures.canvas(height_in=2.9)
    _diagonals(axes, data[["measured_tok_per_s", "predicted_low_tok_per_s", "predicted_high_tok_per_s"]], band, 1.3)
    for place, (model, rows) in enumerate(data.groupby("model", sort=True)):
        colour, measured = MODELS[(place + 1) % 2], rows["measured_tok_per_s"]
        ends = rows["predicted_low_tok_per_s"], rows["predicted_high_tok_per_s"]
        axes.vlines(measured, *ends, color=colour, linewidth=0.5, alpha=0.5)
        look = {"color": colour, "marker": MARKERS[place], "linestyle": "none", "markersize": 3}
        axes.plot(measured, rows["predicted_tok_per_s"], **look, label=model)
    words = "measured, each device", "predicted, each device"
    units.axis_labels(axes, "measured_tok_per_s", "predicted_tok_per_s", *words)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:,.0f}")
        axis.set_minor_formatter("")
    style.legend_above(axes, 2)
    return fig
