"""Figures of notebook 04, each drawn from its own data as it was written."""

from typing import TYPE_CHECKING

import pandas as pd

from tokenomics.notebook import figures, panels, units
from tokenomics.sections.operating_points import PER_DEVICE, PER_USER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INTERVAL = {"alpha": 0.2, "linewidth": 0}
LIMITS = ("bandwidth", "compute", "communication", "host", "memory")
LINE = {"color": "0.6", "linewidth": 0.8}


@figures.drawing
def roofline(data: pd.DataFrame) -> "Figure":
    """TFLOP/s by FLOP per byte: the calibrated kernel marked, the data sheet as a thin line."""
    import seaborn as sns

    fig, axes = figures.canvas(height_in=2.6)
    marks = panels.MARKERS[: data["accelerator"].nunique()]
    look = {"x": "flop_per_byte", "hue": "accelerator", "ax": axes}
    sns.lineplot(data, y="kernel_tflop_per_s", style="accelerator", dashes=False, markers=[*marks], **look)
    sns.lineplot(data, y="sheet_tflop_per_s", linewidth=0.7, legend=False, **look)
    axes.set(xscale="log", yscale="log")
    units.axis_labels(axes, "flop_per_byte", "kernel_tflop_per_s", "FLOP per byte of weights", "GEMM")
    _legend(axes, 2, 0.45)
    return fig


@figures.drawing
def kernel_efficiency(data: pd.DataFrame) -> "Figure":
    """Share of the data sheet that operators reach, a row for each accelerator, the highest median first."""
    import seaborn as sns

    order = data.groupby("accelerator")["share"].median().sort_values(ascending=False).index.tolist()
    data = data.assign(accelerator=pd.Categorical(data["accelerator"], order))
    fig, axes = figures.canvas(height_in=4.0)
    sns.scatterplot(data, x="share", y="accelerator", hue="operator", style="operator", s=26, ax=axes)
    axes.set(xlim=(0, 1.05), ylim=(len(order) - 0.5, -0.5))
    units.axis_labels(axes, "share", x_words="share reached")
    _legend(axes, 2, 0.25)
    return fig


@figures.drawing
def devices(data: pd.DataFrame) -> "Figure":
    """Devices of a replica, models against accelerators."""
    fig, axes = figures.canvas(height_in=3.8)
    panels.fleet(axes, data, "devices", "devices of a replica")
    return fig


@figures.drawing
def devices_by_format(data: pd.DataFrame, device: str) -> "Figure":
    """Devices by format of the weights, models against formats; the lower bound behind a stroke."""
    fig, axes = figures.canvas(height_in=3.4)
    panels.fleet(axes, data, "devices", f"{device} devices / lower bound", by="format", bound="devices_bound")
    axes.tick_params(axis="x", rotation=0)
    return fig


@figures.drawing
def memory(data: pd.DataFrame) -> "Figure":
    """Gigabytes of the fullest device by use, a bar for each deployment."""
    fig, axes = figures.canvas(height_in=2.3)
    panels.stacked(axes, data, "deployment", "use", "used_gb")
    units.axis_labels(axes, "used_gb", x_words="memory of a device")
    axes.legend(loc="lower center", bbox_to_anchor=(0.3, 1), ncols=3, columnspacing=1)
    return fig


@figures.drawing
def step_parts(data: pd.DataFrame) -> "Figure":
    """Milliseconds of each part of a decode step, a bar for each deployment."""
    fig, axes = figures.canvas(height_in=0.75 + 0.17 * data["deployment"].nunique())
    panels.stacked(axes, data, "deployment", "part", "spent_ms")
    units.axis_labels(axes, "spent_ms", x_words="a decode step")
    axes.legend(loc="lower center", bbox_to_anchor=(0.2, 1), ncols=3, columnspacing=1)
    return fig


@figures.drawing
def limited_by(data: pd.DataFrame) -> "Figure":
    """What limits a decode step over batch and context, a panel for each replica."""
    import seaborn as sns

    palette = sns.color_palette()
    colours = dict(zip(LIMITS, [*palette[:2], *palette[4:6], (0.85,) * 3], strict=True))
    names = list(dict.fromkeys(data["panel"]))
    fig, shown = panels.grid(names, sharex=True, sharey=True)
    for axes, name in zip(shown, names, strict=True):
        panels.words(axes, data[data["panel"] == name], "batch", "context_tok", colours)
        axes.set(xlabel="", ylabel="")
    panels.label_outer(shown, units.label("context_tok"), units.label("batch"))
    panels.swatches(fig, colours, {"memory": "does not fit"})
    return fig


@figures.drawing
def loaded(data: pd.DataFrame) -> "Figure":
    """TTFT and TPOT by the number of requests always in flight, with their intervals."""
    fig, shown = panels.grid(["", ""])
    for axes, column in zip(shown, ("tpot_ms", "ttft_ms"), strict=True):
        panels.band(axes, data, "concurrency", column)
        panels.log_axes(axes)
        units.axis_labels(axes, "concurrency", column, "requests in flight")
    panels.legend(fig, shown[0])
    return fig


@figures.drawing
def pareto(data: pd.DataFrame, most_tpot_ms: float) -> "Figure":
    """Output of a device against the speed for one user, a line for each accelerator; the limit as a vertical line."""
    import seaborn as sns

    fig, axes = figures.canvas(height_in=3.1)
    marks = [*panels.MARKERS[: data["accelerator"].nunique()]]
    look = {"hue": "accelerator", "style": "accelerator", "markers": marks, "dashes": False, "sort": False}
    sns.lineplot(data, x=PER_USER, y=PER_DEVICE, **look, ax=axes)
    axes.axvline(1e3 / most_tpot_ms, **LINE)
    axes.set(xscale="log", yscale="log")
    units.axis_labels(axes, PER_USER, PER_DEVICE, "speed for one user", "output of a device")
    _legend(axes, 2, 0.45)
    return fig


@figures.drawing
def value(data: pd.DataFrame) -> "Figure":
    """Output for a dollar and for a joule, a row for each accelerator."""
    order = data.sort_values("tok_per_j", ascending=False)["accelerator"].tolist()
    fig, shown = figures.canvas(1, 2, height_in=2.6, sharey=True)
    for axes, column in zip(shown, ("mtok_per_usd", "tok_per_j"), strict=True):
        panels.dots(axes, data, "accelerator", column, order)
        panels.log_axes(axes, "x")
        units.axis_labels(axes, column, x_words="output")
    return fig


@figures.drawing
def layouts(data: pd.DataFrame) -> "Figure":
    """Output of a device against TPOT of every layout, the best one named."""
    import seaborn as sns

    by = "tensor parallel"
    data = data.assign(**{by: data["tp"].map("TP {}".format)})
    fig, axes = figures.canvas()
    ordered = data.sort_values("tp")
    sns.scatterplot(ordered, x="tpot_ms", y="rate_tok_per_s", hue=by, style=by, s=22, ax=axes)
    first = data.loc[0]
    figures.point_out(axes, first["layout"], first["tpot_ms"], first["rate_tok_per_s"], left=True)
    axes.set(ylim=(0, 1.1 * data["rate_tok_per_s"].max()))
    units.axis_labels(axes, "tpot_ms", "rate_tok_per_s", y_words="output of a device")
    _legend(axes, 3, 0.45)
    return fig


@figures.drawing
def measured_share(data: pd.DataFrame, order: list[str]) -> "Figure":
    """Share of the bound that measured rows reach: quartiles and range, a row for each accelerator."""
    import seaborn as sns

    fig, axes = figures.canvas(height_in=3.2)
    boxes = {"whis": (0, 100), "width": 0.6, "color": "0.85", "linewidth": 0.8}
    sns.boxplot(data, x="share", y="accelerator", order=order, **boxes, ax=axes)
    axes.set(xlim=(0, 1))
    units.axis_labels(axes, "share", x_words="share of the bound reached")
    return fig


@figures.drawing
def held_out(data: pd.DataFrame, coverage: float) -> "Figure":
    """Error (from median to p90) and share inside the interval, a row for each quantity."""
    fig, shown = figures.canvas(1, 2, height_in=2.9, sharey=True)
    for axes, column in zip(shown, ("error", "inside_share"), strict=True):
        panels.dots(axes, data, "quantity", column, data["quantity"].tolist())
    panels.log_axes(shown[0], "x")
    units.axis_labels(shown[0], "error", x_words="error")
    shown[1].axvline(coverage, **LINE)
    shown[1].set(xlim=(0, 1.06))
    units.axis_labels(shown[1], "inside_share", x_words="inside")
    return fig


@figures.drawing
def sensitivity(data: pd.DataFrame) -> "Figure":
    """Each quantity over the unchanged one, a row for each change."""
    import seaborn as sns

    fig, axes = figures.canvas(height_in=2.8)
    axes.axvline(1, **LINE)
    look = {"hue": "quantity", "style": "quantity", "s": 26}
    sns.scatterplot(data, x="over_unchanged_ratio", y="change", **look, ax=axes)
    panels.by_twos(axes, "ratio to the case above")
    _legend(axes, 3, 0.3)
    return fig


@figures.drawing
def gains(data: pd.DataFrame, banded: float) -> "Figure":
    """Speed-up against the batch, a panel for each option to draft, a line for each acceptance; the interval of one."""
    fig, shown = panels.grid(list(dict.fromkeys(data["panel"])), row_in=2.0, sharex=True, sharey=True)
    for axes, (_, part) in zip(shown, data.groupby("panel", sort=False), strict=True):
        axes.axhline(1, **panels.BOUND)
        for place, (rate, line) in enumerate(part.groupby("acceptance_share")):
            look = {"marker": panels.MARKERS[place % len(panels.MARKERS)], "color": f"C{place}"}
            axes.plot(line["batch"], line["gain_ratio"], label=f"{rate:g} accepted", **look)
            if rate == banded:
                axes.fill_between(
                    line["batch"], line["gain_low_ratio"], line["gain_high_ratio"], color=f"C{place}", **INTERVAL
                )
        panels.log_axes(axes, "x")
    shown[0].set_ylim(0, None)  # shared, so after all have drawn
    panels.label_outer(shown, units.label("batch"), "speed-up")
    panels.legend(fig, shown[0])
    return fig


@figures.drawing
def adapters_and_images(data: pd.DataFrame, plain_tpot_ms: float) -> "Figure":
    """Left the time per token by the number of adapters, beside the one without; right that of a first token by the
    number of images, a line for each family of models."""
    fig, (left, right) = figures.canvas(1, 2, height_in=2.5)
    served = data.dropna(subset=["adapters"])
    _line(left, served, ("adapters", "tpot_ms"), "adapters", 0)
    if served.empty:
        left.text(0.5, 0.5, "does not fit", transform=left.transAxes, ha="center")
    for place, (name, part) in enumerate(data.groupby("encoder", sort=False), start=1):
        _line(right, part, ("images", "ttft_ms"), name, place)
    left.axhline(plain_tpot_ms, label="none", **panels.BOUND)
    panels.log_axes(left, "x")
    for axes, x, y in ((left, "adapters", "tpot_ms"), (right, "images", "ttft_ms")):
        axes.set(ylim=(0, None))
        units.axis_labels(axes, x, y)
        axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1), ncols=1)
    return fig


def _line(axes: "Axes", data: pd.DataFrame, columns: tuple[str, str], name: str, place: int) -> None:
    x, y = columns
    look = {"color": f"C{place}"}
    axes.fill_between(data[x], data[units.end_of(y, units.LOW)], data[units.end_of(y, units.HIGH)], **look, **INTERVAL)
    axes.plot(data[x], data[y], marker=panels.MARKERS[place], label=name, **look)


def _legend(axes: "Axes", columns: int, place: float) -> None:
    import seaborn as sns

    sns.move_legend(axes, "lower center", bbox_to_anchor=(place, 1), ncols=columns, title=None, columnspacing=1)
