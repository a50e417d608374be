"""Figures of notebook 03: each takes its data as read back from the file."""

from typing import TYPE_CHECKING

import pandas as pd

from tokenomics.notebook import figures, panels, units

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REFERENCE = {"color": "0.6", "linewidth": 0.8}


@figures.drawing
def devices(data: pd.DataFrame, column: str) -> "Figure":
    """Devices of every model on every accelerator, written into cells; a colour a doubling."""
    fig, axes = figures.canvas(height_in=3.8)
    panels.fleet(axes, data, column)
    return fig


@figures.drawing
def days_by_devices(data: pd.DataFrame, device: str, within_days: float) -> "Figure":
    """Days against devices, a line a model from the fewest devices that hold it (dot) on."""
    import seaborn as sns

    fig, axes = figures.canvas()
    sns.lineplot(data, x="devices", y="days", hue="model", style="model", ax=axes)
    fewest = data.groupby("model", sort=False).first()
    axes.scatter(fewest["devices"], fewest["days"], color=sns.color_palette()[: len(fewest)], zorder=3)
    axes.axhline(within_days, **REFERENCE)
    figures.point_out(axes, f"{within_days:g} days", data["devices"].max() / 8, within_days)
    axes.set(xscale="log", yscale="log")
    units.axis_labels(axes, "devices", "days", f"{device}, devices", "training time, at least")
    axes.legend(loc="lower left")
    return fig


@figures.drawing
def over_6nd(data: pd.DataFrame) -> "Figure":
    """Exact FLOP over six N D against the length of a sequence."""
    import seaborn as sns

    fig, axes = figures.canvas()
    sns.lineplot(data, x="sequence_tokens", y="over_6nd_ratio", hue="model", style="model", ax=axes)
    axes.axhline(1, **REFERENCE)
    axes.set(xscale="log", yscale="log")
    units.axis_labels(axes, "sequence_tokens", "over_6nd_ratio", "training sequence", "exact FLOP over 6ND")
    axes.legend(loc="upper left")
    return fig


@figures.drawing
def measured_share(data: pd.DataFrame, order: list[str]) -> "Figure":
    """A dot a run by accelerator, with the median of each. The jitter draws from the global generator."""
    import seaborn as sns

    fig, axes = figures.canvas(height_in=2.4)
    sns.stripplot(data, x="share", y="accelerator", order=order, size=2.5, alpha=0.6, jitter=0.25, ax=axes)
    medians = data.groupby("accelerator")["share"].median().loc[order]
    axes.plot(medians, range(len(order)), "k|", markersize=12)
    axes.set_xlim(0, 1)
    units.axis_labels(axes, x="share", x_words="share of the bound reached")
    return fig


@figures.drawing
def share_by_scale(data: pd.DataFrame, order: list[str]) -> "Figure":
    """Share of the bound against the devices of a run."""
    import seaborn as sns

    fig, axes = figures.canvas(height_in=3.0)
    look = {"hue": "accelerator", "style": "accelerator", "hue_order": order, "style_order": order}
    sns.scatterplot(data, x="devices", y="share", ax=axes, **look)
    axes.set(xscale="log", ylim=(0, 1))
    units.axis_labels(axes, "devices", "share", y_words="share of the bound reached")
    above = {"loc": "lower center", "bbox_to_anchor": (0.42, 1), "ncols": 3, "columnspacing": 1, "handletextpad": 0}
    sns.move_legend(axes, title=None, **above)
    return fig


@figures.drawing
def published_runs(data: pd.DataFrame) -> "Figure":
    """The lower bound of a training over its published hours."""
    import seaborn as sns

    fig, axes = figures.canvas(height_in=3.6)
    sns.barplot(data, x="share", y="name", hue="accelerator", dodge=False, ax=axes)
    axes.set_xlim(0, 1)
    units.axis_labels(axes, x="share", x_words="lower bound over published device-hours")
    axes.grid(axis="y", visible=False)
    axes.legend(loc="lower right")
    return fig


@figures.drawing
def tuning_memory(data: pd.DataFrame, device: str, device_gb: float) -> "Figure":
    """Memory by method, beside that of one device."""
    import seaborn as sns

    fig, axes = figures.canvas(height_in=3.2)
    sns.scatterplot(data, x="memory_gb", y="model", hue="method", style="method", s=25, ax=axes)
    axes.axvline(device_gb, **REFERENCE)
    figures.point_out(axes, f"one {device}", device_gb, -0.6)
    axes.set(xscale="log", ylim=(data["model"].nunique() - 0.5, -1.4))
    units.axis_labels(axes, x="memory_gb", x_words="memory, at least")
    sns.move_legend(axes, "lower center", bbox_to_anchor=(0.4, 1), ncols=3, title=None)
    return fig
