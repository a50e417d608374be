"""Intervals: quantiles of log(measured / predicted) of held-out rows, by group and without each family."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from tokenomics.compute.intervals import ANY, COVERAGE, keys

ENOUGH = 30
"""Fewer rows say too little of a tail."""
FAMILIES = 2
"""Rows of one model alone say how it is off, not how others will be."""


def quantiles(rows: pd.DataFrame) -> Iterator[dict[str, object]]:
    """Quantiles of every group that has enough rows, with all families and without each.

    A group that has enough rows only with a family gets an empty row without it: the next coarser one is then taken.

    Args:
        rows: ``profile, kind, quantity, moe, family, residual``.
    """
    groups: dict[tuple[str, str, str], list[int]] = {}
    for place, row in enumerate(rows.itertuples()):
        for key in keys(row.profile, row.kind, row.quantity, bool(row.moe)):
            groups.setdefault(key, []).append(place)
    residual, family = rows["residual"].to_numpy(float), rows["family"].to_numpy(object)
    for key, places in sorted(groups.items()):
        here = np.array(places)
        for without in ("", *sorted(set(family[here]))):
            kept = here[family[here] != without]
            yield _row(key, without, residual[kept], len(set(family[kept])))


def _row(key: tuple[str, str, str], without: str, residual: np.ndarray, families: int) -> dict[str, object]:
    row = dict(zip(("profile", "kind", "quantity"), key, strict=True)) | {"without": without, "rows": len(residual)}
    if (len(residual) < ENOUGH or families < FAMILIES) and key != (ANY, ANY, ANY):
        return row
    # The finite-sample step of split conformal prediction: n + 1 ranks, of which the next outer one is taken.
    outer = (1 - COVERAGE) / 2 * len(residual) / (len(residual) + 1)
    low = np.quantile(residual, outer, method="lower")
    high = np.quantile(residual, 1 - outer, method="higher")
    return row | {"log_low": float(low), "log_high": float(high)}
