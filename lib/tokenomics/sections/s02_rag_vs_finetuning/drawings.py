"""Pictures of what the experiment measured, each drawn from the table that was written."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tokenomics.notebook import figures, panels
from tokenomics.notebook.style import PALETTE
from tokenomics.sections.s02_rag_vs_finetuning.measured import NAMES

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
SHORT = {"updated": "new", "unanswerable": "none", "two_hop": "two hops"}
Rows = pd.DataFrame


def retrievers(data: Rows) -> "Figure":
    """Share of questions whose chunk is among the first k, a panel for each split, a line for each retriever."""
    names = list(dict.fromkeys(data["split"]))
    fig, shown = panels.grid([SPLITS[name] for name in names], row_in=1.7, sharey=True)
    for axes, split in zip(shown, names, strict=True):
        for place, (name, part) in enumerate(data[data["split"] == split].groupby("retriever", sort=False)):
            axes.plot(part["k"], part["recall"], marker=panels.MARKERS[place], label=name, color=f"C{place}")
        axes.set_xticks(range(1, int(data["k"].max()) + 1))
    shown[0].set_ylim(0, 1.03)
    panels.label_outer(shown, "chunks given, k", "recall@k")
    panels.named(fig, shown[0], 3)
    return fig


def arms(data: Rows) -> "Figure":
    """Share of right answers with its interval, a panel for each split, one row for each way."""
    names, ways = list(dict.fromkeys(data["split"])), list(dict.fromkeys(data["way"]))
    fig, shown = figures.canvas(1, len(names), height_in=0.7 + 0.2 * len(ways), sharey=True, sharex=True)
    for axes, name in zip(shown, names, strict=True):
        panels.dots(axes, data[data["split"] == name], "way", "value", ways)
        axes.set_title(SPLITS[name], fontsize=7, pad=3)
        axes.set(xlim=(-0.03, 1.03), xlabel="share right")
    return fig


def by_k(data: Rows, bound: Rows) -> "Figure":
    """Share of right answers against the chunks given, with intervals; dashed: the share whose chunk was found."""
    names = list(dict.fromkeys(data["split"]))
    fig, shown = panels.grid([SPLITS[name] for name in names], row_in=1.8, sharey=True)
    for axes, split in zip(shown, names, strict=True):
        limit = bound[bound["split"] == split]
        axes.plot(limit["k"], limit["recall"], label="chunk found", **panels.BOUND)
        for place, (name, part) in enumerate(data[data["split"] == split].groupby("arm", sort=False)):
            spread = [part["value"] - part["value_low"], part["value_high"] - part["value"]]
            look = {"marker": panels.MARKERS[place], "color": PALETTE[place], "capsize": 2, "linewidth": 1.1}
            axes.errorbar(part["chunks"], part["value"], spread, label=name, **look)
        axes.set_xticks(sorted(set(data["chunks"])))
    shown[0].set_ylim(0, 1.03)
    panels.label_outer(shown, "chunks given, k", "right answers")
    panels.named(fig, shown[0], 2)
    return fig


def kinds(data: Rows) -> "Figure":
    """What answers to changed facts are, a stacked bar for each way."""
    fig, axes = figures.canvas(height_in=0.75 + 0.24 * data["way"].nunique())
    panels.stacked(axes, data, "way", "kind", "share")
    axes.set(xlabel="answers about changed facts", ylabel="", xlim=(0, 1))
    panels.named(fig, axes, 3)
    return fig


def splits(data: Rows) -> "Figure":
    """Share of right answers by way and split as a grid of colours and numbers."""
    import seaborn as sns

    ways, columns = list(dict.fromkeys(data["way"])), [name for name in SPLITS if name in set(data["split"])]
    wide = data.pivot(index="way", columns="split", values="value").loc[ways, columns].astype(float)
    fig, axes = figures.canvas(height_in=0.8 + 0.22 * len(ways))
    look = {"cmap": "crest", "vmin": 0, "vmax": 1, "annot": True, "fmt": ".2f", "annot_kws": {"fontsize": 6.5}}
    sns.heatmap(wide, linewidths=0.5, cbar=False, ax=axes, **look)
    said = [SHORT.get(name, name).replace(" ", "\n") for name in columns]
    axes.set_xticks(np.arange(len(columns)) + 0.5, said, rotation=0, fontsize=6)
    axes.set(xlabel="", ylabel="")
    axes.tick_params(length=0)
    axes.grid(visible=False)
    return fig


def losses(data: Rows) -> "Figure":
    """Loss by pass on a logarithmic axis, a colour for each recipe, a line for each seed."""
    fig, axes = figures.canvas(height_in=2.2)
    for place, (name, part) in enumerate(data.groupby("recipe", sort=False)):
        for seed, line in part.groupby("seed"):
            label = name if seed == part["seed"].min() else None
            axes.plot(line["pass"], line["loss"], marker=panels.MARKERS[place], color=PALETTE[place], label=label)
    axes.set_yscale("log")
    axes.set_xticks(range(1, int(data["pass"].max()) + 1))
    axes.set(xlabel="pass over the facts", ylabel="cross-entropy of answers [nat/token]")
    panels.named(fig, axes, 2)
    return fig


def waiting(data: Rows) -> "Figure":
    """Seconds of one query asked alone: reading what is new of the prompt, and writing."""
    fig, axes = figures.canvas(height_in=0.75 + 0.22 * len(data))
    wide = data[::-1]
    axes.barh(wide["way"], wide["read_s"], color=PALETTE[0], label="reading (prefill)", height=0.7)
    look = {"left": wide["read_s"], "hatch": "////", "edgecolor": "white", "linewidth": 0.3, "height": 0.7}
    axes.barh(wide["way"], wide["write_s"], color=PALETTE[1], label="writing (decode)", **look)
    axes.grid(axis="y", visible=False)
    axes.set(xlabel="one query, one thread [s]", ylabel="")
    panels.named(fig, axes, 2)
    return fig


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
            axes.plot(part["value"], part["study"].map(y), marker=panels.MARKERS[place], **look)
        axes.plot([], [], panels.MARKERS[place], color=PALETTE[place], label=_said(approach))
    axes.set_yticks(list(y.values()), list(y), fontsize=6)
    axes.set(xlabel="right answers [%]", xlim=(-2, 102))
    panels.named(fig, axes, 4)
    return fig


def _said(approach: str) -> str:
    return {"base": NAMES["base"], "rag": NAMES["rag"]}.get(approach, approach)
