"""Measured rows that contradict a bound: faster, smaller or hungrier than physics allows.

Either the row is not what it says, or the bound is none. Each row found must stand in
``data/measurements/beyond_bounds.csv`` with its reason; a test asserts that no other does.
"""

import pandas as pd

from tokenomics import paths
from tokenomics.facts import measurements
from tokenomics.rows import predict as score

SLACK = 0.02
"""Published values and data sheets are rounded."""
COLUMNS = ["table", "case", "metric", "model", "hardware", "value", "bound", "ratio", "suspect", "note", "source"]


def suspects(slack: float = SLACK) -> pd.DataFrame:
    """Rows of the measurement tables that lie beyond their bound, or ran although their weights do not fit.

    Args:
        slack: relative distance by which a value may cross its bound.

    Returns:
        :data:`COLUMNS`: value and bound in the row's unit, ratio value over bound (NaN where the weights do not fit),
        suspect as marked in the table; sorted by table and case.
    """
    found = pd.concat([_suspects(kind, slack) for kind in measurements.KINDS], ignore_index=True)
    return found.sort_values(["table", "case"], ignore_index=True)


def _suspects(kind: str, slack: float) -> pd.DataFrame:
    parts = []
    for chunk, predictions in score.scored(paths.DATA / "measurements" / f"{kind}.csv", ["bounds"]):
        made, value = predictions["bounds"], chunk.measured
        below, above = value < made["low"] / (1 + slack), value > made["high"] * (1 + slack)
        wrong = (below | above | (made["status"] == "does not fit")) & (chunk.inputs["metric"] != "fits_in_memory")
        rows = chunk.text.assign(table=kind, value=value, bound=made["predicted"], ratio=value / made["predicted"])
        parts.append(rows.assign(suspect=rows["suspect"] == "true")[wrong][COLUMNS])
    return pd.concat(parts)
