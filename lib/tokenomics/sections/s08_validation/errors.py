"""Tables of errors by group, from the measures of the scorer's report."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from tokenomics.scoring import report

GROUPINGS = {
    "source": "source",
    "family": "model family",
    "accelerator": "accelerator",
    "bits": "precision",
    "profile": "engine profile",
}
"""Columns of :func:`tokenomics.sections.s08_validation.rows.held_out` by which errors are reported."""
ALL = "all"
UNITS = {
    "group": "text",
    "held_out": "text",
    "n": "1",
    "median_error": "1",
    "mean_error": "1",
    "p90_error": "1",
    "within": "1",
    "bias": "1",
    "median_bias": "1",
    "coverage": "1",
    "half_width": "1",
    "interval_score": "1",
    "constant_width": "1",
}
SHOWN = list(UNITS)


def by_group(frames: Mapping[str, pd.DataFrame], by: str, least: int, band: float) -> pd.DataFrame:
    """Errors of each group with enough rows, and of all rows, for each way of holding out.

    Args:
        frames: rows of :func:`~tokenomics.sections.s08_validation.rows.held_out` by what was held out.
        by: column that groups them.
        least: fewest rows of a group shown.
        band: relative error that counts as near.

    Returns:
        :data:`SHOWN`: ``bias`` is the mean, ``median_bias`` the median signed error; ``half_width`` the median of
        half an interval over its prediction; the scores are means in ln units, ``constant_width`` that of one width
        for all rows of a way of holding out, chosen with hindsight.
    """
    table = report.report(dict(frames), by=by).rename(columns={"model": "held_out"})
    extra = [_extra(_rows(frames[row.held_out], by, row.group), band) for row in table.itertuples()]
    table = table.assign(**pd.DataFrame(extra, index=table.index))
    return table.loc[table["n"] >= least, SHOWN].reset_index(drop=True)


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


def sharpness(frames: Mapping[str, pd.DataFrame], least: int, band: float) -> pd.DataFrame:
    """Every group of every grouping, with its coverage and its median half-width over its median error."""
    found = []
    for by, name in GROUPINGS.items():
        table = by_group(frames, by, least, band)
        found.append(table[table["group"] != ALL].assign(grouping=name))
    table = pd.concat(found, ignore_index=True)
    return table.assign(width_over_error=table["half_width"] / table["median_error"])


def _p90(values: np.ndarray) -> float:
    return float(np.quantile(values, 0.9))


def _rows(frame: pd.DataFrame, by: str, group: str) -> pd.DataFrame:
    return frame if group == ALL else frame[frame[by] == group]


def _extra(rows: pd.DataFrame, band: float) -> dict[str, float]:
    return {"within": statistic(rows, "within", band), "median_bias": float(rows["error"].median())}


def transfer(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """What leaving an accelerator out costs: the same rows with and without it, by its kinship and by quantity.

    Args:
        frames: rows by what was held out, ``family`` and ``accelerator``.

    Returns:
        kind, quantity (``all`` too), n, accelerators, median_known and median_left_out (errors of the same rows),
        penalty (their ratio) and factor (median predicted over measured duration, accelerator left out).
    """
    from tokenomics.sections.s08_validation.rows import KEY

    known = frames["family"][[*KEY, "error"]].rename(columns={"error": "known"})
    rows = frames["accelerator"].merge(known, on=KEY, validate="one_to_one")
    rows = pd.concat([rows, rows.assign(quantity=ALL)], ignore_index=True)
    rows = rows.assign(known=rows["known"].abs(), left=rows["error"].abs())
    groups = rows.groupby(["kind", "quantity"], sort=True)
    table = groups.agg(
        n=("left", "size"),
        accelerators=("accelerator", "nunique"),
        median_known=("known", "median"),
        median_left_out=("left", "median"),
        factor=("log_ratio", "median"),
    )
    table = table.assign(factor=np.exp(table["factor"]), penalty=table["median_left_out"] / table["median_known"])
    return table.reset_index()


def typical(rows: pd.DataFrame) -> pd.Index:
    """One row of each source, family, accelerator and profile: that whose error is nearest the combination's median."""
    size = rows["error"].abs()
    combination = [rows[name] for name in ("source", "family", "accelerator", "profile")]
    distance = (size - size.groupby(combination).transform("median")).abs()
    order = rows.assign(distance=distance).sort_values(["distance", "table", "case", "metric"], kind="stable")
    return order.drop_duplicates(["source", "family", "accelerator", "profile"]).index.sort_values()
