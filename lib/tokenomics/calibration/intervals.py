"""Intervals: quantiles of log(measured / predicted) of held-out rows, by group and without each family."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from tokenomics.compute.inference.intervals import ANY, COVERAGE, OWN, PROFILED, keys, pick
from tokenomics.compute.operators.fitted import RELATIONS

ENOUGH = 30
"""Fewest rows from which the tail of a distribution is estimated."""
NOT = ""
"""No family left out."""
KINDS = (OWN, PROFILED, *RELATIONS[1:])
LEAST = 0.01
"""No interval is narrower than this to either side of a prediction, in log units."""
FAMILIES = 2
"""Fewest families of a group: the errors of one family do not show how far others are off."""


def quantiles(rows: pd.DataFrame) -> Iterator[dict[str, object]]:
    """Quantiles of every group that has enough rows, with all families and without each.

    A group that has enough rows only with a family gets an empty row without it: the next coarser one is then taken.

    Args:
        rows: ``profile, kind, quantity, moe, family, residual``.
    """
    groups: dict[tuple[str, str, str], list[int]] = {}
    for place, row in enumerate(rows.itertuples()):
        for key in keys(*_group(row)):
            groups.setdefault(key, []).append(place)
    residual, family = rows["residual"].to_numpy(float), rows["family"].to_numpy(object)
    for key, places in sorted(groups.items()):
        here = np.array(places)
        for without in (NOT, *sorted(set(family[here]))):
            kept = here[family[here] != without]
            yield _row(key, without, residual[kept], len(set(family[kept])))


def _row(key: tuple[str, str, str], without: str, residual: np.ndarray, families: int) -> dict[str, object]:
    row = dict(zip(("profile", "kind", "quantity"), key, strict=True)) | {"without": without, "rows": len(residual)}
    if (len(residual) < ENOUGH or families < FAMILIES) and key != (ANY, ANY, ANY):
        return row
    # The finite-sample step of split conformal prediction: n + 1 ranks, of which the next outer one is taken.
    outer = (1 - COVERAGE) / 2 * len(residual) / (len(residual) + 1)
    low = min(float(np.quantile(residual, outer, method="lower")), -LEAST)
    high = max(float(np.quantile(residual, 1 - outer, method="higher")), LEAST)
    return row | {"log_low": low, "log_high": high}


def widened(rows: pd.DataFrame, table: list[dict[str, object]]) -> list[dict[str, object]]:
    """The same table with every interval widened by how much families differ from each other.

    Errors within one family are alike, so an interval from other families covers a new one too seldom. Each row gives
    its distance from the prediction, in widths of the interval fitted without its own family. The factor is the 80 %
    quantile of these distances, one number a kind, again without the family in question, and at least one.
    """
    families = sorted(set(rows["family"]))
    factors = {NOT: _stretch(rows, table)}
    for family in families:
        others = rows[rows["family"] != family]
        factors[family] = _stretch(others, list(quantiles(others)))
    return [_stretched(row, factors[str(row["without"])][str(row["kind"]).split(" ")[0]]) for row in table]


def _stretch(rows: pd.DataFrame, table: list[dict[str, object]]) -> dict[str, float]:
    """By kind, the 80 % quantile of how far rows lie from predictions, in widths fitted without their family."""
    known = lookup(table)
    ends = np.array([pick(known, keys(*_group(row)), row.family) for row in rows.itertuples()])
    residual, kinds = rows["residual"].to_numpy(float), rows["kind"].to_numpy(object)
    distance = residual / np.where(residual < 0, ends[:, 0], ends[:, 1])
    distances = {kind: distance[kinds == kind] for kind in sorted(set(kinds))} | {ANY: distance}
    factors = {kind: max(1.0, float(np.quantile(values, COVERAGE))) for kind, values in distances.items()}
    return {kind: factors.get(kind, factors[ANY]) for kind in (ANY, *KINDS)}


def _stretched(row: dict[str, object], factor: float) -> dict[str, object]:
    return row | {key: row[key] * factor for key in ("log_low", "log_high") if key in row}


def lookup(table: list[dict[str, object]]) -> dict[tuple[str, str, str, str], tuple[float, float]]:
    """Quantiles by group and left-out family, NaN where a group has too few rows."""
    return {
        (r["profile"], r["kind"], r["quantity"], r["without"]): (r.get("log_low", np.nan), r.get("log_high", np.nan))
        for r in table
    }


def _group(row) -> tuple[str, str, str, bool]:
    return row.profile, row.kind, row.quantity, bool(row.moe)
