"""Figures of notebook 01: each takes its data as read back from the file."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from tokenomics.notebook import figures, style, units
from tokenomics.sections.s01_ubiquitous_llms import prices, trends
from tokenomics.sections.s01_ubiquitous_llms.growth import Growth

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REFERENCE = {"color": "0.6", "linewidth": 0.8}


def trend(axes: "Axes", growth: Growth, years: ArrayLike, **line: Any) -> None:
    """Draw a fitted growth over ``years`` as a dashed line, labelled with its factor a year and interval."""
    if not np.isfinite(growth.factor_per_year):
        axes.plot([], [], " ", label="frontier: too few points to fit")
        return
    label = f"frontier: ×{growth.factor_per_year:.2g} a year ({growth.low:.2g} to {growth.high:.2g})"
    axes.plot(years, growth.at(years), **{"color": "0.2", "linestyle": "--", "label": label, "zorder": 1} | line)


@figures.drawing
def model_size(data: pd.DataFrame, growth: Growth, years: Sequence[int], own: str, own_parameters: float) -> "Figure":
    """Parameters by release and architecture, with the trend and a model as a line."""
    fig, axes = _scatter(data, "parameters", "architecture")
    trend(axes, growth, years)
    _label(axes, "parameters", "parameters, total")
    style.legend_above(axes, 2)
    _reference(axes, own, years[0], own_parameters)
    return fig


@figures.drawing
def training_compute(data: pd.DataFrame, growth: Growth, years: Sequence[int]) -> "Figure":
    """Training compute by release and who counted it, with the trend; the largest is named."""
    fig, axes = _scatter(data, "training_flop", "counted")
    trend(axes, growth, years)
    top = data.loc[data["training_flop"].idxmax()]
    figures.point_out(axes, top["name"], top["year"], top["training_flop"], left=True)
    _label(axes, "training_flop", "training compute")
    axes.legend(loc="upper left")
    axes.set_ylim(top=data["training_flop"].max() * 300)
    return fig


@figures.drawing
def context(data: pd.DataFrame, growth: Growth, years: Sequence[int]) -> "Figure":
    """Context by release, open and closed, with the trend."""
    fig, axes = _scatter(data, "context_tokens", "weights")
    trend(axes, growth, years)
    _label(axes, "context_tokens", "context")
    style.legend_above(axes, 3)
    return fig


@figures.drawing
def token_price(data: pd.DataFrame) -> "Figure":
    """Prices of the same weights as lines, of new products as named stars."""
    import seaborn as sns

    price = prices.BLENDED
    fig, axes = figures.canvas(height_in=3.0)
    same = data[data["kind"] == prices.SAME]
    new = data[data["kind"] == prices.NEW].sort_values("year")
    sns.lineplot(same, x="year", y=price, hue="model", style="model", markers=True, dashes=False, ax=axes)
    axes.plot(new["year"], new[price], "k*", markersize=6)
    for name, year, usd in zip(new["model"], new["year"], new[price], strict=True):
        figures.point_out(axes, name, year, usd)
    axes.set_yscale("log")
    units.axis_labels(axes, "year", price, "date of the list", "blended price")
    axes.legend(loc="lower left", ncols=2, columnspacing=1)
    axes.set_ylim(bottom=data[price].min() / 8)
    axes.set_xlim(right=data["year"].max() + 0.5)
    return fig


@figures.drawing
def task_price(data: pd.DataFrame) -> "Figure":
    """Price of the task by model, stacked by what is billed, with the total."""
    fig, axes = figures.canvas()
    left = np.zeros(len(data))
    for part in prices.PARTS:
        hatch = "////" if part == "reasoning" else ""
        cents = data[f"{part}_us_cent"]
        axes.barh(data["model"], cents, left=left, label=part, hatch=hatch, edgecolor="white", linewidth=0.3)
        left += cents.to_numpy()
    axes.bar_label(axes.containers[-1], data["total_us_cent"].map("{:.2g}".format), padding=2, fontsize=6.5)
    units.axis_labels(axes, x="total_us_cent", x_words="price of the task")
    axes.margins(x=0.1)
    axes.grid(axis="y", visible=False)
    axes.legend(loc="lower right")
    return fig


@figures.drawing
def speed(data: pd.DataFrame) -> "Figure":
    """Distribution of output speeds in each year."""
    import seaborn as sns

    fig, axes = figures.canvas()
    sns.ecdfplot(data.assign(listed=data["listed"].astype(str)), x="tok_per_s", hue="listed", ax=axes)
    axes.set_xscale("log")
    units.axis_labels(axes, x="tok_per_s", x_words="output speed of one request")
    axes.set_ylabel("offers below [%]")
    units.per_cent(axes.yaxis)
    return fig


@figures.drawing
def hardware(data: pd.DataFrame, growth: Mapping[str, Growth], years: Sequence[int]) -> "Figure":
    """Arithmetic, bandwidth and memory of accelerators over their fits in the first year, with the fits."""
    import seaborn as sns

    order = list(trends.HARDWARE.values())
    fig, axes = _scatter(data, "over_first_year_ratio", "quantity", hue_order=order, style_order=order)
    for column, colour in zip(trends.HARDWARE, sns.color_palette(), strict=False):
        fitted = growth[column]
        axes.plot(years, fitted.at(years) / fitted.at(years[0]), color=colour, linestyle="--")
    _label(axes, "over_first_year_ratio", f"relative to the fit in {years[0]}")
    axes.legend(loc="upper left")
    return fig


@figures.drawing
def flop_per_byte(data: pd.DataFrame, growth: Growth, years: Sequence[int], own: str, own_ridge: float) -> "Figure":
    """The ridge of accelerators by vendor, with the trend and an accelerator as a line."""
    fig, axes = _scatter(data, "flop_per_byte", "vendor")
    trend(axes, growth, years, color="k", label=f"×{growth.factor_per_year:.2f} a year", zorder=2)
    _reference(axes, own, years[0], own_ridge)
    _label(axes, "flop_per_byte", "ridge, 16 bit", log=False)
    axes.set_ylim(0, None)
    style.legend_above(axes, 4)
    return fig


def _scatter(data: pd.DataFrame, y: str, by: str, **options: Any) -> "tuple[Figure, Axes]":
    import seaborn as sns

    fig, axes = figures.canvas()
    sns.scatterplot(data, x="year", y=y, hue=by, style=by, ax=axes, **options)
    return fig, axes


def _label(axes: "Axes", y: str, words: str, *, log: bool = True) -> None:
    if log:
        axes.set_yscale("log")
    units.axis_labels(axes, "year", y, "release", words)


def _reference(axes: "Axes", name: str, year: int, value: float) -> None:
    if not np.isfinite(value):
        axes.text(0, 1, f"{name}: not published", transform=axes.transAxes, ha="left", va="top", fontsize=6.5)
        return
    axes.axhline(value, **REFERENCE)
    figures.point_out(axes, name, year, value)
