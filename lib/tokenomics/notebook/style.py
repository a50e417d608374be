"""The style of all figures: seaborn, a colour-blind-safe palette, one journal column wide, no text below 6 points."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMN_WIDTH_IN = 3.5
HEIGHT_IN = 2.6
DPI = 300
SMALLEST_FONT_PT = 6.0
PALETTE = ["#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#ca9161", "#56b4e9", "#949494", "#000000"]
"""Seaborn's colour-blind palette; its two palest colours, hard to see as small markers, are replaced by black."""


def apply() -> None:
    """Set the style for every figure made afterwards in this process."""
    import matplotlib as mpl
    import seaborn as sns

    sns.set_theme(
        context="paper",
        style="ticks",
        palette=PALETTE,
        font="DejaVu Sans",
        rc={
            "figure.figsize": (COLUMN_WIDTH_IN, HEIGHT_IN),
            "figure.constrained_layout.use": True,
            "figure.dpi": 150,
            "savefig.dpi": DPI,
            "font.size": 8,
            "axes.labelsize": 8,
            "axes.titlesize": 8,
            "xtick.labelsize": 7,
            "ytick.labelsize": 7,
            "legend.fontsize": 6.5,
            "legend.title_fontsize": 7,
            "legend.frameon": False,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "0.92",
            "grid.linewidth": 0.5,
            "axes.linewidth": 0.6,
            "xtick.major.width": 0.6,
            "ytick.major.width": 0.6,
            "lines.linewidth": 1.2,
            "lines.markersize": 3.5,
            "svg.hashsalt": "tokenomics",
            "pdf.fonttype": 42,
        },
    )
    mpl.rcParams["axes.unicode_minus"] = True


def legend_above(axes: "Axes", columns: int, **options: Any) -> None:
    """Put the legend of ``axes`` above them, where its markers cannot be taken for data."""
    look = {"loc": "lower center", "bbox_to_anchor": (0.5, 1), "columnspacing": 1.0, "handletextpad": 0.4}
    axes.legend(*axes.get_legend_handles_labels(), ncols=columns, **look | options)
