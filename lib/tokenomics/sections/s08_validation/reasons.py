"""Why a prediction is far off, as far as the data say: the first rule that a row meets, else ``not known``."""

import numpy as np
import pandas as pd

from tokenomics.facts import catalogue
from tokenomics.sections.s08_validation.rows import SILICON, seen_elsewhere

UNKNOWN = "not known"
WAITED = "waited for other answers to end: fewer ran at once than asked"
NO_WAIT = "expected to overflow memory and wait, but did not"
CPU = "ran on a CPU; another unit of the device is catalogued"
SLOWER_WON = "beaten by a slower device in the same source"
EARLY = "early software, by its source"
SPLIT = "layers split over devices"
ALONE = "no other model family was measured on the engine"
GENERATION = 0.25
"""Share of an answer's whole generation; first tokens that take longer on average have waited for other answers."""
TWICE = 2.0
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
    """The rows farthest off by factor, with ``factor`` (measured over predicted duration) and ``reason``.

    Args:
        rows: as :func:`tokenomics.sections.s08_validation.rows.held_out` gives them.
        count: how many.
        by: a column of each of whose values so many are wanted.
    """
    found = rows.assign(factor=np.exp(-rows["log_ratio"]), reason=explain(rows), far=rows["log_ratio"].abs())
    keys = ["far", "table", "case", "metric"]
    found = found.sort_values([*([by] if by else []), *keys], ascending=[*([True] if by else []), False, *[True] * 3])
    return (found.groupby(by) if by else found).head(count)


def beyond(rows: pd.DataFrame, factor: float) -> pd.DataFrame:
    """Rows off by more than a factor, counted by quantity and reason, with their share of the quantity's rows."""
    far = rows.assign(reason=explain(rows))[rows["log_ratio"].abs() > np.log(factor)]
    slower = far["log_ratio"] < 0
    table = far.assign(slower=slower).groupby(["quantity", "reason"])["slower"].agg(rows="size", measured_slower="mean")
    share = table["rows"] / rows.groupby("quantity").size().reindex(table.index.get_level_values(0)).to_numpy()
    return table.assign(share=share).reset_index().sort_values(["quantity", "rows", "reason"], ascending=[1, 0, 1])


def _waits(rows: pd.DataFrame, column: str) -> pd.Series:
    """Whether, in the same run of the silicon sample, the first token took a good part of a whole generation."""
    sample = rows["table"] == SILICON
    wide = rows[sample].pivot(index="case", columns="metric", values=column)
    generation = rows[sample].drop_duplicates("case").set_index("case")["osl"] * wide["tpot_mean"]
    share = wide["ttft_mean"] / generation
    return sample & (rows["case"].map(share).fillna(0) >= GENERATION)


def _beaten(rows: pd.DataFrame) -> pd.Series:
    """Single devices beaten twice over, in the same test and source, by one with less arithmetic and less bandwidth."""
    single = rows[(rows["parallelism"] == "single_device") & rows["load"].eq("static")]
    facts = {name: catalogue.accelerator(name) for name in single["accelerator"].unique()}
    peak = single["accelerator"].map(lambda name: facts[name].peak_fp16_flop_per_s or np.nan)
    width = single["accelerator"].map(lambda name: facts[name].bandwidth_bytes_per_s)
    some = single[[*SAME_TEST, "measured"]].assign(row=single.index, peak=peak, width=width)
    some = some[some["metric"].str.contains("tok_s")].fillna({"osl": -1.0})
    pairs = some.merge(some, on=SAME_TEST, suffixes=("", "_other"))
    worse = (pairs["peak_other"] < pairs["peak"]) & (pairs["width_other"] < pairs["width"])
    beaten = pairs[worse & (pairs["measured_other"] > TWICE * pairs["measured"])]["row"]
    return pd.Series(rows.index.isin(beaten), rows.index)
