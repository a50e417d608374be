"""Why a prediction is far off: the first rule that the data of a row meet, else ``not known``."""

import numpy as np
import pandas as pd

from tokenomics.facts import catalogue
from tokenomics.notebook.report import Metric
from tokenomics.sections.s08_validation.rows import SILICON, seen_elsewhere, units

UNKNOWN = "not known"
WAITED = "waited for other answers to end: fewer ran at once than asked"
NO_WAIT = "expected to overflow memory and wait, but did not"
CPU = "ran on a CPU; another unit of the device is catalogued"
SLOWER_WON = "beaten by a slower device in the same source"
EARLY = "early software, by its source"
SPLIT = "layers split over devices"
ALONE = "no other model family was measured on the engine"
GENERATION = 0.25
"""Share of the time of a whole answer; mean first tokens that take longer have waited for other answers."""
TWICE = 2.0
WORST = [
    *("source", "case", "metric", "profile", "accelerator", "family", "unit"),
    *("measured_number", "predicted_number", "duration_factor", "reason"),
]
"""Columns of the tables of rows that are farthest off."""
SAME_TEST = ["source", "model", "metric", "precision", "isl", "osl", "batch"]


def explain(rows: pd.DataFrame) -> pd.Series:
    """The reason of every row of :func:`tokenomics.sections.s08_validation.rows.held_out`."""
    waited, expected = _waits(rows, "measured"), _waits(rows, "predicted")
    fast, slow = rows["log_ratio"] < 0, rows["log_ratio"] > 0
    first = rows["metric"].str.startswith("ttft")
    rules = {
        CPU: rows["hardware"].str.contains("CPU", na=False),
        SLOWER_WON: _beaten(rows) & fast,
        WAITED: waited & ~expected & np.where(first, fast, slow),
        NO_WAIT: expected & ~waited & slow,
        EARLY: rows["early_software"].fillna(False).astype(bool),
        SPLIT: rows["parallelism"] == "layer_split",
        ALONE: pd.Series(seen_elsewhere(rows) == 0, rows.index),
    }
    conditions = [np.asarray(rule, dtype=bool) for rule in rules.values()]
    return pd.Series(np.select(conditions, list(rules), UNKNOWN), rows.index)


def worst(rows: pd.DataFrame, count: int, by: str = "") -> pd.DataFrame:
    """The rows farthest off, with ``duration_factor`` (measured over predicted duration) and ``reason``.

    Args:
        rows: as :func:`tokenomics.sections.s08_validation.rows.held_out` gives them.
        count: number of rows.
        by: a column; where given, ``count`` rows of each of its values, which then is the first column.

    Returns:
        :data:`WORST`.
    """
    table = rows.assign(
        duration_factor=np.exp(-rows["log_ratio"]),
        reason=explain(rows),
        unit=units(rows),
        measured_number=rows["measured"],
        predicted_number=rows["predicted"],
        far=-rows["log_ratio"].abs(),
    )
    groups = [by] if by else []
    table = table.sort_values([*groups, "far", "table", "case", "metric"])
    return (table.groupby(by) if by else table).head(count)[[*groups, *WORST]]


def far_rows(rows: pd.DataFrame, factor: float) -> pd.DataFrame:
    """Rows off by more than a factor, counted by quantity and reason, with their share of the quantity's rows."""
    far = rows.assign(reason=explain(rows), slower=rows["log_ratio"] < 0)[rows["log_ratio"].abs() > np.log(factor)]
    groups = far.groupby(["quantity", "reason"])["slower"]
    table = groups.agg(rows="size", measured_slower_share="mean").reset_index()
    of_quantity = rows.groupby("quantity").size()[table["quantity"]].to_numpy()
    table = table.assign(far_share=table["rows"] / of_quantity)
    return table.sort_values(["quantity", "rows", "reason"], ascending=[True, False, True])


def metrics(far: pd.DataFrame, rows: int) -> dict[str, Metric]:
    """Shares of far rows, and of those without a reason.

    Args:
        far: as :func:`far_rows` gives them.
        rows: how many rows there are, near ones included.
    """
    unknown = far.loc[far["reason"] == UNKNOWN, "rows"].sum()
    return {
        "far_share": Metric(far["rows"].sum() / rows, "share", "share of rows off by more than the factor"),
        "far_unknown": Metric(unknown / far["rows"].sum(), "share", "share of those rows without a known reason"),
    }


def _waits(rows: pd.DataFrame, column: str) -> pd.Series:
    """Whether, in the same run of the silicon sample, the first token took a good part of a whole generation."""
    sample = rows["table"] == SILICON
    wide = rows[sample].pivot(index="case", columns="metric", values=column)
    generation = rows[sample].drop_duplicates("case").set_index("case")["osl"] * wide["tpot_mean"]
    share = wide["ttft_mean"] / generation
    return sample & (rows["case"].map(share).fillna(0) >= GENERATION)


def _beaten(rows: pd.DataFrame) -> pd.Series:
    """Rows of single devices where a device with less arithmetic and bandwidth was twice as fast in the same test."""
    single = rows[(rows["parallelism"] == "single_device") & rows["load"].eq("static")]
    facts = {name: catalogue.accelerator(name) for name in single["accelerator"].unique()}
    peak = single["accelerator"].map(lambda name: facts[name].peak_fp16_flop_per_s or np.nan)
    width = single["accelerator"].map(lambda name: facts[name].bandwidth_bytes_per_s)
    tests = single[[*SAME_TEST, "measured"]].assign(row=single.index, peak=peak, width=width)
    tests = tests[tests["metric"].str.contains("tok_s")].fillna({"osl": -1.0})
    pairs = tests.merge(tests, on=SAME_TEST, suffixes=("", "_other"))
    worse = (pairs["peak_other"] < pairs["peak"]) & (pairs["width_other"] < pairs["width"])
    beaten = pairs[worse & (pairs["measured_other"] > TWICE * pairs["measured"])]["row"]
    return pd.Series(rows.index.isin(beaten), rows.index)
