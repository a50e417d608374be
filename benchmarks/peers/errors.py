"""How far off the committed predictions are, by peer and source: ``python benchmarks/peers/errors.py``.

Only rows fit for validation are judged. Runs in the project's own environment; no peer is needed.
"""

import pandas as pd

from tokenomics.facts import measurements, tables

TABLES = ("inference_latency", "inference_throughput")
COLUMNS = ["table", "case", "metric", "load", "grade", "value", "origin", "engine_name"]


def judged() -> pd.DataFrame:
    """Predictions beside the values that serve validation, with the relative ``error``."""
    parts = [measurements.for_validation(measurements.read(name)).assign(table=name) for name in TABLES]
    measured = pd.concat(parts, ignore_index=True).rename(columns={"source": "origin"})
    both = tables.read("peers/predictions").merge(measured[COLUMNS], on=["table", "case"])
    return both.assign(error=both["predicted"] / both["value"] - 1)


def summary(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Rows asked and predicted, and the errors of those predicted, for each group."""

    def one(group: pd.DataFrame) -> pd.Series:
        error = group["error"].dropna()
        return pd.Series(
            {
                "rows": len(group),
                "predicted": len(error),
                "mean_%": 100 * error.abs().mean(),
                "median_%": 100 * error.abs().median(),
                "bias_%": 100 * error.median(),
                "within_10_%": 100 * (error.abs() <= 0.1).mean(),
            }
        )

    return rows.groupby(by, dropna=False)[["error"]].apply(one).round(1)


def main() -> None:
    """Print the errors of every peer: in all, by source and metric, and on the rows that all peers predict."""
    rows = judged()
    static = rows[rows["load"] == "static"]
    shared = static.groupby(["table", "case"])["predicted"].transform("count") == static["peer"].nunique()
    for title, table, by in (
        ("load static", static, ["peer"]),
        ("load static, rows that all predict", static[shared], ["peer"]),
        ("load static, by source and metric", static, ["origin", "engine_name", "metric", "peer"]),
        ("load max", rows[rows["load"] == "max"], ["peer"]),
    ):
        found = summary(table, by)
        print(f"\n{title}\n{found[found['predicted'] > 0].to_string()}")


if __name__ == "__main__":
    main()
