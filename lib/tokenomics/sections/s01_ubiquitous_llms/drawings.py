"""Figures of notebook 01: each takes its data as read back from the file."""

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tokenomics.notebook import figures, style, units
from tokenomics.sections.s01_ubiquitous_llms import prices, speeds, trends
from tokenomics.sections.s01_ubiquitous_llms.growth import Growth
from tokenomics.sections.s01_ubiquitous_llms.labels import name_points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REFERENCE = {"color": "0.6", "linewidth": 0.8}
MARKERS = ("o", "s", "^", "D", "v")
TITLE_LETTERS = 58
SMALL_PT = 6.5


@figures.drawing
def model_size(data: pd.DataFrame, growth: Growth, own: str, own_parameters: float) -> "Figure":
    """Parameters by release and architecture, with the trend of the frontier and a model as a line."""
    fig, axes = _canvas(f"The largest published models grew {_factor(growth)} a year")
    _points(axes, data, "parameters", "architecture")
    _trend(axes, growth)
    _by_release(axes, "parameters", "parameters, total")
    style.legend_above(axes, 2)
    _reference(axes, own, data["year"].min(), own_parameters)
    name_points(axes, _leaders(data, "parameters"), data, "year", "parameters")
    return fig


@figures.drawing
def training_compute(data: pd.DataFrame, growth: Growth, published: Mapping[str, tuple[float, float]]) -> "Figure":
    """Training compute by release and who counted it, with the trend of the frontier and published ones.

    Args:
        published: factor a year and the last year it describes, by whose it is; drawn from the start of the fit.
    """
    theirs = " to ".join(f"×{factor:.2g}" for factor in sorted({factor for factor, _ in published.values()}))
    fig, axes = _canvas(
        f"Disclosed training compute grew {_factor(growth)} a year; with closed models estimated, {theirs}",
        height_in=3.3,
    )
    _points(axes, data, "training_flop", "counted")
    _trend(axes, growth)
    for (words, (factor, until)), style_of in zip(published.items(), (":", "-."), strict=False):
        years = np.linspace(growth.first, min(until, growth.last))
        line = growth.at(growth.first) * factor ** (years - growth.first)
        axes.plot(years, line, color="C3", linestyle=style_of, label=f"{words}: ×{factor:.2g}", zorder=1)
    _by_release(axes, "training_flop", "training compute")
    style.legend_above(axes, 2)
    name_points(axes, _leaders(data, "training_flop"), data, "year", "training_flop")
    return fig


@figures.drawing
def context(data: pd.DataFrame, growth: Growth) -> "Figure":
    """Context by release, open and closed, with the trend of the frontier."""
    from matplotlib.ticker import EngFormatter

    longest = EngFormatter(places=0)(data["context_tokens"].max())
    fig, axes = _canvas(f"The longest contexts grew {_factor(growth)} a year, to {longest} tokens")
    _points(axes, data, "context_tokens", "weights")
    _trend(axes, growth)
    _by_release(axes, "context_tokens", "context")
    style.legend_above(axes, 2)
    name_points(axes, _leaders(data, "context_tokens"), data, "year", "context_tokens")
    return fig


@figures.drawing
def same_weights(data: pd.DataFrame, growth: Mapping[str, Growth]) -> "Figure":
    """Prices of the same weights on each list: each offer pale, the median and the cheapest of all, a panel a model."""
    from tokenomics.notebook import panels

    names = list(dict.fromkeys(data["model"]))
    fig, flat = panels.grid(names, sharex=True, sharey=True, row_in=1.35)
    for axes, name in zip(flat, names, strict=True):
        rows = data[data["model"] == name]
        for _, one in rows[rows["kind"] == prices.OFFER].groupby("offer"):
            axes.plot(one["year"], one[prices.BLENDED], color="0.75", linewidth=0.8, label=prices.OFFER)
        for kind, line in ((prices.MEDIAN, {"color": "C1"}), (prices.CHEAPEST, {"color": "C0", "marker": "o"})):
            one = rows[rows["kind"] == kind]
            axes.plot(one["year"], one[prices.BLENDED], markersize=2, label=kind, **line)
        axes.set_yscale("log")
    panels.label_outer(flat, units.label("year", "list"), units.label(prices.BLENDED, "price"))
    for axes in flat:
        axes.yaxis.label.set_size(7)
    handles = dict(zip(*flat[0].get_legend_handles_labels()[::-1], strict=True))
    fig.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)
    rates = {key: growth[key].factor_per_year for key in ("same_offer", "cheapest_offer")}
    words = f"A year changes the price of one offer ×{rates['same_offer']:.2f}, "
    words += f"that of the cheapest offer ×{rates['cheapest_offer']:.2f}"
    return _titled(fig, words)


@figures.drawing
def token_price(data: pd.DataFrame) -> "Figure":
    """The least price at each score as steps, and a vendor's flagships as named stars."""
    new = data[data["kind"] == prices.FLAGSHIP].sort_values("year")
    levels = data.dropna(subset=["level_pct"])
    fig, axes = _canvas(_price_title(levels, new), height_in=3.2)
    for index, (level, rows) in enumerate(levels.groupby("level_pct")):
        label = f"cheapest of at least {level:g} %"
        look = {"drawstyle": "steps-post", "marker": MARKERS[index], "color": f"C{index}", "markersize": 2.5}
        axes.plot(rows["year"], rows[prices.BLENDED], label=label, **look)
    axes.plot(new["year"], new[prices.BLENDED], "k*:", markersize=6, linewidth=0.7, label="one vendor's flagship")
    axes.set_yscale("log")
    units.axis_labels(axes, "year", prices.BLENDED, "date of the list", "blended price")
    style.legend_above(axes, 2)
    axes.margins(x=0.12)
    first = levels.drop_duplicates(["level_pct", "model"])
    named = pd.concat([new, first]).rename(columns={"model": "name"}).drop_duplicates("name")
    name_points(axes, named, data, "year", prices.BLENDED)
    return fig


@figures.drawing
def task_price(data: pd.DataFrame) -> "Figure":
    """Price of the task by model, stacked by what is billed; without the assumed thinking as a dot."""
    least, most = data["total_us_cent"].min(), data["total_us_cent"].max()
    fig, axes = _canvas(f"A task costs {least:.2g} to {most:.2g} US cent if reasoning models think as long as assumed")
    left = np.zeros(len(data))
    for part in ("prompt", "answer", "thinking"):
        assumed = part == "thinking"
        cents, label = data[f"{part}_us_cent"], f"{part}, assumed" if assumed else part
        look = {"hatch": "////", "color": "0.85"} if assumed else {}
        axes.barh(data["model"], cents, left=left, label=label, edgecolor="white", linewidth=0.3, **look)
        left += cents.to_numpy()
    axes.bar_label(axes.containers[-1], data["total_us_cent"].map("{:.2g}".format), padding=2, fontsize=SMALL_PT)
    units.axis_labels(axes, x="total_us_cent", x_words="price of the task")
    axes.margins(x=0.12)
    axes.grid(axis="y", visible=False)
    axes.legend(loc="lower right")
    return fig


@figures.drawing
def speed(data: pd.DataFrame) -> "Figure":
    """Output speed of one model at several providers, and of the models of each house with their range."""
    same = data[data["kind"] == speeds.SAME]
    ratio = same[speeds.SPEED].max() / same[speeds.SPEED].min()
    fig, panels = figures.canvas(2, 1, height_in=3.4, sharex=True)
    for axes, kind in zip(panels, (speeds.SAME, speeds.HOUSE), strict=True):
        rows = data[data["kind"] == kind].reset_index(drop=True)
        what, when = rows["what"].iloc[0], str(rows["date"].iloc[0])[:7]
        axes.hlines(rows["provider"], rows["low_tok_per_s"], rows["high_tok_per_s"], color="C0", linewidth=1)
        axes.plot(rows[speeds.SPEED], rows["provider"], "o", color="C0")
        axes.set_title(f"{what}, {when}" + (", median and range" if kind == speeds.HOUSE else ""), fontsize=7, pad=3)
        axes.margins(y=0.12)
        units.axis_labels(axes)
    units.axis_labels(panels[-1], x=speeds.SPEED, x_words="output speed of one request")
    panels[-1].set_xscale("log")
    words = f"The same weights ran {ratio:.0f} times faster at one provider than at another"
    return _titled(fig, words)


@figures.drawing
def hardware(data: pd.DataFrame, growth: Mapping[str, Growth]) -> "Figure":
    """Arithmetic, bandwidth and memory of accelerators over their fits at the first accelerator, with the fits."""
    rates = {name: growth[column].factor_per_year for column, name in trends.HARDWARE.items()}
    words = ", ".join(f"{name} ×{rate:.2f}" for name, rate in rates.items())
    fig, axes = _canvas(f"Per accelerator and year: {words}")
    _points(axes, data.assign(frontier=False), "over_first_ratio", "quantity", list(rates))
    for index, column in enumerate(trends.HARDWARE):
        fitted, start = growth[column], growth[column].at(growth[column].first)
        axes.plot(fitted.years, fitted.at(fitted.years) / start, color=f"C{index}", linestyle="--")
        axes.fill_between(
            fitted.years, *(fitted.band(fitted.years) / start), color=f"C{index}", alpha=0.15, linewidth=0
        )
    _by_release(axes, "over_first_ratio", "relative to the first fitted")
    style.legend_above(axes, 3)
    arithmetic = data[data["quantity"] == trends.HARDWARE[trends.HARDWARE_16BIT]]
    largest = arithmetic.sort_values("over_first_ratio", ascending=False)
    name_points(axes, largest, data, "year", "over_first_ratio", most=12)
    return fig


@figures.drawing
def flop_per_byte(data: pd.DataFrame, growth: Growth, own: str, own_ridge: float) -> "Figure":
    """The ridge of accelerators by format of the numbers, with the trend at 16 bit and an accelerator as a line."""
    tops = data[data["verified"]].groupby("numbers")[trends.RIDGE].max()
    words = ", ".join(f"{tops[name]:,.0f} at {name}" for name in trends.PEAKS if name in tops)
    fig, axes = _canvas(f"FLOP per byte that keep the arithmetic busy: up to {words}", height_in=3.0)
    _points(
        axes,
        data.assign(frontier=True),
        trends.RIDGE,
        "numbers",
        [name for name in trends.PEAKS if name in set(data["numbers"])],
    )
    _trend(axes, growth, "16 bit")
    _by_release(axes, trends.RIDGE, "ridge")
    style.legend_above(axes, 2)
    _reference(axes, f"{own}, 16 bit", data["year"].min(), own_ridge)
    highest = data.sort_values([trends.RIDGE, "name"], ascending=False)
    name_points(axes, highest, data, "year", trends.RIDGE)
    return fig


@figures.drawing
def growth_rates(data: pd.DataFrame) -> "Figure":
    """Every growth rate with its interval, ours and published ones."""
    rows = data.dropna(subset=["factor_per_year"]).reset_index(drop=True)
    factor = rows.set_index("quantity")["factor_per_year"].map("×{:.2g}".format)
    named = {
        "training compute": "disclosed compute",
        "accelerator, bandwidth": "bandwidth",
        "price, same offer": "offers",
    }
    words = ", ".join(f"{name} {factor[key]}" for key, name in named.items() if key in factor)
    fig, axes = _canvas(f"A year changes {words}", height_in=3.2)
    low, high = "factor_low_per_year", "factor_high_per_year"
    for by, look in ((trends.OURS, {"marker": "o", "color": "C0"}), (trends.THEIRS, {"marker": "D", "color": "C3"})):
        some = rows[rows["found_by"] == by]
        axes.hlines(some.index, some[low], some[high], color=look["color"], linewidth=1)
        axes.plot(some["factor_per_year"], some.index, linestyle="", label=by, **look)
    axes.axvline(1, **REFERENCE)
    axes.set_yticks(rows.index, rows["quantity"])
    axes.invert_yaxis()
    axes.set_xlabel("times as much after a year")
    style.legend_above(axes, 1, loc="lower right", bbox_to_anchor=(1, 1))
    return fig


def _canvas(title: str, **options: Any) -> "tuple[Figure, Axes]":
    fig, axes = figures.canvas(**{"height_in": 2.9} | options)
    return _titled(fig, title), axes


def _titled(fig: "Figure", words: str) -> "Figure":
    fig.suptitle(textwrap.fill(words, TITLE_LETTERS), fontsize=8, x=0.01, ha="left")
    return fig


def _factor(growth: Growth) -> str:
    return f"×{growth.factor_per_year:.1f}" if np.isfinite(growth.factor_per_year) else "by an unknown factor"


def _price_title(levels: pd.DataFrame, new: pd.DataFrame) -> str:
    """What became of the price at the highest score, and of the flagships; whatever of both is known."""
    words = []
    if len(levels):
        top = levels[levels["level_pct"] == levels["level_pct"].max()].sort_values("year")[prices.BLENDED]
        words.append(f"At a fixed score a token became {top.iloc[0] / top.min():.0f} times cheaper")
    if len(new) > 1:
        usd = new[prices.BLENDED]
        words.append(
            f"the flagship {usd.iloc[0] / usd.min():.0f} times, then {usd.iloc[-1] / usd.min():.1f} times dearer"
        )
    return "; ".join(words)


def _points(axes: "Axes", data: pd.DataFrame, y: str, by: str, order: list[str] | None = None) -> None:
    """Points by group: full at the frontier, pale below it, hollow where the value was not read in its source."""
    for index, name in enumerate(order or sorted(data[by].unique())):
        rows, colour = data[data[by] == name], f"C{index}"
        look = {"marker": MARKERS[index], "s": 14, "linewidth": 0.8}
        axes.scatter([], [], color=colour, label=name, **look)
        for full, alpha in ((True, 1.0), (False, 0.35)):
            some = rows[(rows["frontier"] == full) & rows["verified"]]
            axes.scatter(some["year"], some[y], color=colour, alpha=alpha, **look | {"linewidth": 0})
        unread = rows[~rows["verified"]]
        axes.scatter(unread["year"], unread[y], facecolors="none", edgecolors=colour, alpha=0.7, **look)
    if not data["verified"].all():
        axes.scatter([], [], facecolors="none", edgecolors="0.4", s=14, linewidth=0.8, label="hollow: unverified")


def _trend(axes: "Axes", growth: Growth, what: str = "frontier") -> None:
    """A fitted growth from its first point to its last, with its band and its factor a year."""
    if not np.isfinite(growth.factor_per_year):
        axes.plot([], [], " ", label=f"{what}: too few points to fit")
        return
    label = f"{what}: ×{growth.factor_per_year:.2f} a year ({growth.low:.2f} to {growth.high:.2f})"
    axes.plot(growth.years, growth.at(growth.years), color="0.2", linestyle="--", label=label, zorder=1)
    axes.fill_between(growth.years, *growth.band(growth.years), color="0.2", alpha=0.12, linewidth=0, zorder=0)


def _leaders(data: pd.DataFrame, y: str) -> pd.DataFrame:
    """Points at the frontier, the largest first, so that they find room for their names."""
    return data[data["frontier"]].sort_values([y, "year"], ascending=[False, True])


def _by_release(axes: "Axes", y: str, words: str) -> None:
    axes.set_yscale("log")
    units.axis_labels(axes, "year", y, "release", words)


def _reference(axes: "Axes", name: str, year: float, value: float) -> None:
    if not np.isfinite(value):
        axes.text(0, 1, f"{name}: not published", transform=axes.transAxes, ha="left", va="top", fontsize=SMALL_PT)
        return
    axes.axhline(value, **REFERENCE)
    figures.point_out(axes, name, year, value)
