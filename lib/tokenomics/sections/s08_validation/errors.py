"""Tables of errors by group, from the measures of the scorer's report, and the headline that they give."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from tokenomics.notebook import report as notebook_report
from tokenomics.notebook.report import Metric
from tokenomics.scoring import report
from tokenomics.sections.s08_validation.rows import KEY, MEMORY, SILICON, seconds, without_duplicates

GROUPINGS = {
    "source": "source",
    "family": "model family",
    "accelerator": "accelerator",
    "bits": "precision",
    "profile": "engine profile",
}
"""Columns of :func:`tokenomics.sections.s08_validation.rows.held_out` by which errors are reported."""
ALL = "all"
MEASURES = {
    "n": "n",
    "median_error": "median_error",
    "mean_error": "mean_error",
    "p90_error": "p90_error",
    "within": "within_share",
    "bias": "mean_signed_error",
    "median_bias": "median_signed_error",
    "coverage": "coverage",
    "half_width": "half_width_share",
    "interval_score": "interval_score",
    "constant_width": "constant_width_score",
}
"""Measures to the columns of tables that hold them."""
SHOWN = ["group", "held_out", *MEASURES.values()]
RANGES = ["group", "held_out", "n", "median_error", "p90_error"]
"""Columns that a figure of ranges is drawn from."""
SHARPNESS = [
    *("grouping", "group", "held_out", "n", "coverage"),
    *("width_to_error_ratio", "interval_score", "constant_width_score"),
]
"""Columns that the figure of coverage and sharpness is drawn from."""


def by_group(frames: Mapping[str, pd.DataFrame], by: str, least: int, band: float) -> pd.DataFrame:
    """Errors of each group with enough rows, and of all rows, for each fold.

    Args:
        frames: rows of :func:`~tokenomics.sections.s08_validation.rows.held_out` by what was held out.
        by: column that groups them.
        least: fewest rows of a group shown.
        band: relative error that counts as near.

    Returns:
        :data:`SHOWN`: errors are relative and absolute unless signed; ``half_width_share`` is the median of half an
        interval over its prediction; the scores are means in ln units, ``constant_width_score`` that of one width for
        all rows of a fold, chosen with hindsight.
    """
    table = report.report(dict(frames), by=by).rename(columns={"model": "held_out"})
    extra = [_extra(_rows(frames[row.held_out], by, row.group), band) for row in table.itertuples()]
    table = table.assign(**pd.DataFrame(extra, index=table.index)).rename(columns=MEASURES)
    return table.loc[table["n"] >= least, SHOWN].reset_index(drop=True)


def _rows(frame: pd.DataFrame, by: str, group: str) -> pd.DataFrame:
    return frame if group == ALL else frame[frame[by] == group]


def _extra(rows: pd.DataFrame, band: float) -> dict[str, float]:
    return {"within": statistic(rows, "within", band), "median_bias": float(rows["error"].median())}


def statistic(rows: pd.DataFrame, measure: str, band: float = 0.1) -> float:
    """One measure of some rows: ``median_error``, ``mean_error``, ``p90_error``, ``within`` or ``coverage``."""
    if rows.empty:
        return np.nan
    error = rows["error"].abs().to_numpy()
    if measure == "coverage":
        return report.coverage(*(rows[name].to_numpy(float) for name in ("measured", "low", "high")))
    if measure == "within":
        return float(np.mean(error <= band + 1e-9))
    return float({"median_error": np.median, "mean_error": np.mean, "p90_error": _p90}[measure](error))


def _p90(values: np.ndarray) -> float:
    return float(np.quantile(values, 0.9))


def overall(table: pd.DataFrame) -> pd.DataFrame:
    """The lines of a table by group that hold all rows, by what was held out."""
    return table[table["group"] == ALL].set_index("held_out")


def headline(table: pd.DataFrame) -> dict[str, Metric]:
    """Median error and coverage of each fold, and the share of rows within the band, families held out."""
    whole = overall(table)
    metrics = {
        "near": Metric(whole.loc["family", "within_share"], "share", "share of rows within the band, family held out")
    }
    for fold, suffix in (("family", ""), ("accelerator", "_accelerator")):
        row = whole.loc[fold]
        metrics[f"median_error{suffix}"] = Metric(row["median_error"], "share", f"median error, {fold} held out")
        metrics[f"covered{suffix}"] = Metric(row["coverage"], "share", f"share inside the interval, {fold} held out")
    return metrics


def sharpness(frames: Mapping[str, pd.DataFrame], least: int, band: float) -> pd.DataFrame:
    """Every group of every grouping, with its coverage and its median half-width over its median error."""
    parts = []
    for by, name in GROUPINGS.items():
        table = by_group(frames, by, least, band)
        parts.append(table[table["group"] != ALL].assign(grouping=name))
    table = pd.concat(parts, ignore_index=True)
    return table.assign(width_to_error_ratio=table["half_width_share"] / table["median_error"])


def least_covered(groups: pd.DataFrame) -> dict[str, Metric]:
    """The group with the lowest coverage, families held out."""
    held_out = groups[groups["held_out"] == "family"]
    group = held_out.loc[held_out["coverage"].idxmin()]
    return {
        "least_covered": Metric(group["coverage"], "share", "lowest coverage of a group"),
        "least_covered_group": Metric(group["group"], "text", "the group with the lowest coverage"),
    }


def durations(rows: pd.DataFrame, most: int, seed: int) -> pd.DataFrame:
    """Measured and predicted seconds of at most ``most`` rows of each source and quantity, chosen at random; no memory.

    Returns:
        quantity, source, measured_s, predicted_s: a rate as seconds a token.
    """
    columns = ["quantity", "source", "measured_s", "predicted_s"]
    table = rows[["quantity", "source"]].join(seconds(rows).add_suffix("_s")).sort_values(columns)
    table = table[table["quantity"] != MEMORY]
    shuffled = table.sample(frac=1, random_state=seed).groupby(["quantity", "source"])
    return shuffled.head(most).sort_values(columns)


def transfer(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The extra error on accelerators held out: the same rows with theirs known and held out, by nearest relative and
    quantity.

    Args:
        frames: rows by what was held out, ``family`` and ``accelerator``.

    Returns:
        nearest_relative, quantity (``all`` too), n, accelerators, known_median_error and left_out_median_error (of the
        same rows), duration_factor (median predicted over measured duration, accelerator left out) and
        penalty_factor (the ratio of the two errors).
    """
    known = frames["family"][[*KEY, "error"]].rename(columns={"error": "known"})
    rows = frames["accelerator"].merge(known, on=KEY, validate="one_to_one")
    rows = pd.concat([rows, rows.assign(quantity=ALL)], ignore_index=True)
    rows = rows.assign(known=rows["known"].abs(), left_out=rows["error"].abs(), nearest_relative=rows["kind"])
    groups = rows.groupby(["nearest_relative", "quantity"], sort=True)
    table = groups.agg(
        n=("left_out", "size"),
        accelerators=("accelerator", "nunique"),
        known_median_error=("known", "median"),
        left_out_median_error=("left_out", "median"),
        duration_factor=("log_ratio", "median"),
    )
    table = table.assign(
        duration_factor=np.exp(table["duration_factor"]),
        penalty_factor=table["left_out_median_error"] / table["known_median_error"],
    )
    return table.reset_index()


def transfer_metrics(table: pd.DataFrame) -> dict[str, Metric]:
    """Error and penalty over all quantities, by how near the accelerator's nearest relative is."""
    metrics = {}
    for _, row in table[table["quantity"] == ALL].iterrows():
        relative = row["nearest_relative"]
        error = f"median error, accelerator held out, {relative}"
        penalty = f"its ratio to the error when known, {relative}"
        metrics[f"left_out_{relative}"] = notebook_report.cell(row, "left_out_median_error", error)
        metrics[f"penalty_{relative}"] = notebook_report.cell(row, "penalty_factor", penalty)
    return metrics


def duration_ratios(rows: pd.DataFrame) -> pd.DataFrame:
    """Predicted over measured duration of every row with its accelerator held out."""
    columns = ["nearest_relative", "accelerator", "metric", "duration_ratio"]
    ratios = rows.assign(nearest_relative=rows["kind"], duration_ratio=np.exp(rows["log_ratio"]))
    return ratios[columns].sort_values(columns)


def typical(rows: pd.DataFrame) -> pd.Index:
    """One row of each source, family, accelerator and profile: that whose error is nearest the combination's median."""
    size = rows["error"].abs()
    combination = [rows[name] for name in ("source", "family", "accelerator", "profile")]
    distance = (size - size.groupby(combination).transform("median")).abs()
    order = rows.assign(distance=distance).sort_values(["distance", "table", "case", "metric"], kind="stable")
    return order.drop_duplicates(["source", "family", "accelerator", "profile"]).index.sort_values()


def choices(rows: pd.DataFrame, band: float) -> pd.DataFrame:
    """The headline with other choices of what counts as a row."""
    early = rows["early_software"].fillna(False).astype(bool)
    chosen = {
        "all rows": rows,
        "without the silicon sample": rows[rows["source"] != SILICON],
        "only the silicon sample": rows[rows["source"] == SILICON],
        "without early software": rows[~early],
        "without near copies in the sample": without_duplicates(rows),
        "grade A": rows[rows["grade"] == "A"],
        "times to first token left out": rows[~rows["metric"].str.startswith("ttft")],
        "one row a combination, nearest its median": rows.loc[typical(rows)],
    }
    measures = ("median_error", "p90_error", "within", "coverage")
    lines = [
        {"rows_used": name, "n": len(kept)} | {MEASURES[each]: statistic(kept, each, band) for each in measures}
        for name, kept in chosen.items()
    ]
    return pd.DataFrame(lines)
