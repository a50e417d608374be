"""Pictures of notebook 02, each drawn from the table that was written: what was measured, then what it costs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tokenomics.notebook import figures, panels, units
from tokenomics.notebook.style import PALETTE
from tokenomics.sections.s02_rag_vs_finetuning.arms import HIGH, LOW, NAMES, SHARE
from tokenomics.sections.s02_rag_vs_finetuning.task import BOTH, LONG, RAG, TUNED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPLITS = {
    "seen": "seen wording",
    "unseen": "unseen wording",
    "updated": "changed facts",
    "unanswerable": "no answer",
    "two_hop": "two hops",
    "general": "general",
}
COLOURS = {LONG: "0.75", RAG: PALETTE[0], TUNED: PALETTE[1], BOTH: PALETTE[2]}
STYLES = {LONG: ":", RAG: "-", TUNED: "--", BOTH: "-."}
SHORT = {"updated": "new", "unanswerable": "none", "two_hop": "two hops"}
Rows = pd.DataFrame


@figures.drawing
def retrievers(data: Rows) -> "Figure":
    """Share of questions whose chunk is among the first k, a panel for each split, a line for each retriever."""
    names = list(dict.fromkeys(data["split"]))
    fig, shown = panels.grid([SPLITS[name] for name in names], row_in=1.7, sharey=True)
    for axes, split in zip(shown, names, strict=True):
        for place, (name, part) in enumerate(data[data["split"] == split].groupby("retriever", sort=False)):
            axes.plot(part["chunks"], part["recall_share"], marker=panels.MARKERS[place], label=name, color=f"C{place}")
        axes.set_xticks(range(1, int(data["chunks"].max()) + 1))
    shown[0].set_ylim(0, 1.03)
    panels.label_outer(shown, "chunks given, k", units.label("recall_share", "recall@k"))
    units.per_cent(shown[0].yaxis)
    panels.named(fig, shown[0], 3)
    return fig


@figures.drawing
def arms(data: Rows) -> "Figure":
    """Share of right answers with its interval, a panel for each split, one row for each arm."""
    names, arms = list(dict.fromkeys(data["split"])), list(dict.fromkeys(data["arm"]))
    fig, shown = figures.canvas(1, len(names), height_in=0.7 + 0.2 * len(arms), sharey=True, sharex=True)
    for axes, name in zip(shown, names, strict=True):
        panels.dots(axes, data[data["split"] == name], "arm", SHARE, arms)
        axes.set_title(SPLITS[name], fontsize=7, pad=3)
        axes.set_xlim(-0.03, 1.03)
        units.axis_labels(axes, x=SHARE, x_words="right answers")
    return fig


@figures.drawing
def distraction(data: Rows, recall: Rows) -> "Figure":
    """Share of right answers against the chunks given, with intervals; dashed: the share whose chunk was found."""
    names = list(dict.fromkeys(data["split"]))
    fig, shown = panels.grid([SPLITS[name] for name in names], row_in=1.8, sharey=True)
    for axes, split in zip(shown, names, strict=True):
        limit = recall[(recall["split"] == split) & (recall["retriever"] == "hybrid")]
        axes.plot(limit["chunks"], limit["recall_share"], label="chunk found", **panels.BOUND)
        for place, (name, part) in enumerate(data[data["split"] == split].groupby("arm", sort=False)):
            spread = [part[SHARE] - part[LOW], part[HIGH] - part[SHARE]]
            look = {"marker": panels.MARKERS[place], "color": PALETTE[place], "capsize": 2, "linewidth": 1.1}
            axes.errorbar(part["chunks"], part[SHARE], spread, label=name, **look)
        axes.set_xticks(sorted(set(data["chunks"])))
    shown[0].set_ylim(0, 1.03)
    panels.label_outer(shown, "chunks given, k", units.label(SHARE, "right answers"))
    units.per_cent(shown[0].yaxis)
    panels.named(fig, shown[0], 2)
    return fig


@figures.drawing
def freshness(data: Rows) -> "Figure":
    """What answers to changed facts are, a stacked bar for each arm."""
    fig, axes = figures.canvas(height_in=0.75 + 0.24 * data["arm"].nunique())
    panels.stacked(axes, data, "arm", "kind", "share")
    axes.set_xlim(0, 1)
    units.axis_labels(axes, x="share", x_words="answers about changed facts")
    panels.named(fig, axes, 3)
    return fig


@figures.drawing
def splits(data: Rows) -> "Figure":
    """Share of right answers in per cent by arm and kind of question as a grid of colours and numbers."""
    import seaborn as sns

    arms, columns = list(dict.fromkeys(data["arm"])), [name for name in SPLITS if name in set(data["split"])]
    wide = 100 * data.pivot(index="arm", columns="split", values=SHARE).loc[arms, columns].astype(float)
    fig, axes = figures.canvas(height_in=0.8 + 0.22 * len(arms))
    look = {"cmap": "crest", "vmin": 0, "vmax": 100, "annot": True, "fmt": ".0f", "annot_kws": {"fontsize": 6.5}}
    sns.heatmap(wide, linewidths=0.5, cbar=False, ax=axes, **look)
    said = [SHORT.get(name, name).replace(" ", "\n") for name in columns]
    axes.set_xticks(np.arange(len(columns)) + 0.5, said, rotation=0, fontsize=6)
    axes.set(xlabel=units.label(SHARE, "right answers"), ylabel="")
    axes.tick_params(length=0)
    axes.grid(visible=False)
    return fig


@figures.drawing
def losses(data: Rows) -> "Figure":
    """Loss by epoch on a logarithmic axis, a colour for each recipe, a line for each seed."""
    fig, axes = figures.canvas(height_in=2.2)
    for place, (name, part) in enumerate(data.groupby("recipe", sort=False)):
        for seed, line in part.groupby("seed"):
            label = name if seed == part["seed"].min() else None
            look = {"marker": panels.MARKERS[place], "color": PALETTE[place], "label": label}
            axes.plot(line["epoch"], line["loss_nat_per_tok"], **look)
    axes.set_yscale("log")
    axes.set_xticks(range(1, int(data["epoch"].max()) + 1))
    axes.set(xlabel="epoch", ylabel=units.label("loss_nat_per_tok", "cross-entropy of answers"))
    panels.named(fig, axes, 2)
    return fig


@figures.drawing
def waiting(data: Rows) -> "Figure":
    """Seconds of one query asked alone: reading what is new of the prompt, and writing."""
    fig, axes = figures.canvas(height_in=0.75 + 0.22 * len(data))
    wide = data[::-1]
    axes.barh(wide["arm"], wide["read_s"], color=PALETTE[0], label="reading (prefill)", height=0.7)
    look = {"left": wide["read_s"], "hatch": "////", "edgecolor": "white", "linewidth": 0.3, "height": 0.7}
    axes.barh(wide["arm"], wide["write_s"], color=PALETTE[1], label="writing (decode)", **look)
    axes.grid(axis="y", visible=False)
    axes.set(xlabel=units.label("wall_s", "one query, one thread"), ylabel="")
    panels.named(fig, axes, 2)
    return fig


@figures.drawing
def published(data: Rows, words: Sequence[str] = ("base", "rag", "tuned", "both")) -> "Figure":
    """Published shares of right answers beside ours, a row for each study; ours first. Hollow: not read in a table."""
    studies = list(dict.fromkeys(data["study"]))
    fig, axes = figures.canvas(height_in=0.8 + 0.2 * len(studies))
    y = {name: len(studies) - place for place, name in enumerate(studies)}
    for place, approach in enumerate(words):
        some = data[data["approach"] == approach]
        for sure, fill in ((True, PALETTE[place]), (False, "white")):
            part = some[some["read"].isin(["own", "table"]) == sure]
            look = {"color": PALETTE[place], "markerfacecolor": fill, "linestyle": "none"}
            axes.plot(part["right_pct"], part["study"].map(y), marker=panels.MARKERS[place], **look)
        axes.plot([], [], panels.MARKERS[place], color=PALETTE[place], label=_said(approach))
    axes.set_yticks(list(y.values()), list(y), fontsize=6)
    axes.set(xlabel=units.label("right_pct", "right answers"), xlim=(-2, 102))
    panels.named(fig, axes, 4)
    return fig


def _said(approach: str) -> str:
    return {"base": NAMES["base"], "rag": NAMES["rag"]}.get(approach, approach)


@figures.drawing
def per_right(data: Rows) -> "Figure":
    """What a right answer costs against queries, a panel for each use, a line with its interval for each approach."""
    names = list(dict.fromkeys(data["panel"]))
    fig, shown = panels.grid(names, row_in=2.0, sharex=True, sharey=True)
    for axes, panel in zip(shown, names, strict=True):
        finite = data[(data["panel"] == panel) & np.isfinite(data["cpu_high_s"])]
        for name, part in finite.groupby("approach", sort=False):
            ends = part["cpu_low_s"], part["cpu_high_s"]
            axes.fill_between(part["queries"], *ends, color=COLOURS[name], alpha=0.2, linewidth=0)
            axes.plot(part["queries"], part["cpu_s"], STYLES[name], color=COLOURS[name], label=name)
        panels.log_axes(axes)
    panels.label_outer(shown, "queries", units.label("cpu_s", "CPU time of a right answer"))
    panels.named(fig, shown[0], 4)
    return fig


@figures.drawing
def cheapest(data: Rows) -> "Figure":
    """The cheapest approach per right answer over queries and updates, a panel for each price."""
    fig, shown = panels.regions(data, "queries", "updates", COLOURS, 2.0, word="cheapest")
    for axes in shown.values():
        panels.log_axes(axes)
        axes.grid(visible=False)
    panels.label_outer(list(shown.values()), "queries a month", "updates a month")
    return fig


@figures.drawing
def indexes(data: Rows) -> "Figure":
    """What an index costs by its chunks, a panel for each part of the cost, a line for each kind."""
    names = list(dict.fromkeys(data["part"]))
    fig, shown = panels.grid(names, 3, 1.9, sharex=True, sharey=True)
    for axes, name in zip(shown, names, strict=True):
        for place, (kind, part) in enumerate(data[data["part"] == name].groupby("kind", sort=False)):
            look = {"color": PALETTE[place], "marker": panels.MARKERS[place]}
            ends = part["cost_low_usd"], part["cost_high_usd"]
            axes.fill_between(part["chunks"], *ends, alpha=0.2, linewidth=0, color=PALETTE[place])
            axes.plot(part["chunks"], part["cost_usd"], label=kind, **look)
        panels.log_axes(axes)
    panels.label_outer(shown, "chunks", units.label("cost_usd"), 3)
    panels.named(fig, shown[0], 3)
    return fig


@figures.drawing
def lists(data: Rows) -> "Figure":
    """Queries from which tuning is no dearer than RAG against the listed price of input, where it ever is."""
    fig, axes = figures.canvas(height_in=2.3)
    for place, (name, part) in enumerate(data.groupby("weights", sort=False)):
        look = {"color": PALETTE[place], "marker": panels.MARKERS[place], "linestyle": "none"}
        axes.plot(part["input_usd_per_mtok"], part["breakeven_queries"], label=name, **look)
    panels.log_axes(axes)
    units.axis_labels(axes, "input_usd_per_mtok", "breakeven_queries", "listed price of input", "queries at break-even")
    panels.named(fig, axes, 2)
    return fig


@figures.drawing
def devices(data: Rows) -> "Figure":
    """Price of a thousand queries on own devices, a panel a model: saturated with its ends, in time under arrivals."""
    names = list(dict.fromkeys(data["model"]))
    fig, shown = panels.grid(names, row_in=1.5, sharey=True)
    for axes, name in zip(shown, names, strict=True):
        rows = data[data["model"] == name]
        y = np.arange(len(rows))[::-1]
        axes.hlines(y, rows["saturated_low_usd"], rows["saturated_high_usd"], color=PALETTE[0])
        axes.plot(rows["saturated_usd"], y, "o", color=PALETTE[0], label="saturated, closed form")
        axes.plot(rows["simulated_usd"], y, "x", color=PALETTE[3], label="in time, simulated")
        panels.log_axes(axes, "x")
        panels.absent(axes, rows["saturated_usd"], y, "does not fit")
        panels.absent(axes, rows["simulated_usd"].fillna(rows["saturated_usd"].isna()), y - 0.3, "not in time")
        axes.set_yticks(y, rows["approach"])
        axes.set_ylim(-0.6, len(rows) - 0.4)
    panels.label_outer(shown, units.label("saturated_usd", "1000 queries"), "")
    panels.named(fig, shown[0], 2)
    return fig
