"""The parity plot of the scorer: predicted against measured values, both axes logarithmic."""

from pathlib import Path

import numpy as np
import pandas as pd

from tokenomics.notebook import style

MOST_POINTS = 20_000
MARKERS = "osD^vPX*"
FACTOR = 2.0


def parity(frame: pd.DataFrame, path: Path, model: str) -> bool:
    """Draw and save a parity plot, one colour and marker a unit.

    Args:
        frame: measured, predicted, verdict and unit of each row.
        path: file to write; its suffix names the format.
        model: named in the axis label.

    Returns:
        Whether there was anything to draw; if not, nothing is written.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = frame[~frame["verdict"]].dropna(subset=["measured", "predicted"])
    if rows.empty:
        return False
    rows = rows.sample(min(MOST_POINTS, len(rows)), random_state=0)
    style.apply()
    fig, axes = plt.subplots(figsize=(style.COLUMN_WIDTH_IN, style.COLUMN_WIDTH_IN))
    for number, (unit, group) in enumerate(rows.groupby("unit", sort=True)):
        axes.scatter(
            group["measured"],
            group["predicted"],
            s=7,
            alpha=0.45,
            linewidths=0,
            marker=MARKERS[number % len(MARKERS)],
            label=f"{unit} (n = {len(group):,})",
        )
    pairs = rows[["measured", "predicted"]].to_numpy()
    ends = np.array([pairs.min() / 1.5, pairs.max() * 1.5])
    axes.plot(ends, ends, color="0.2", linewidth=0.8, label="equal")
    for number, factor in enumerate((FACTOR, 1 / FACTOR)):
        label = "factor 2" if not number else None
        axes.plot(ends, ends * factor, color="0.45", linewidth=0.7, linestyle=":", label=label)
    single = rows["unit"].nunique() == 1
    unit = f"[{rows['unit'].iloc[0]}]" if single else "[each row's own unit]"
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal")
    axes.set(xlabel=f"measured {unit}", ylabel=f"predicted by {model} {unit}")
    style.legend_above(axes, 2, markerscale=1.6)
    fig.savefig(path, metadata={"Software": None} if path.suffix == ".png" else None)
    plt.close(fig)
    return True
