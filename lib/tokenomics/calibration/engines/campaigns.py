"""Campaigns: what was measured together, with copies of one measurement found across sources.

A campaign is one system, one engine version and one source. Errors within it are alike, so it is the unit to hold out
or to weigh. A measurement published by two sources makes their campaigns one: otherwise a copy in the fit would answer
for the copy that is held out. Copies are of one model family and accelerator, so no fold by these parts them either.
"""

from decimal import Decimal

import numpy as np
import pandas as pd

CONDITION = ("family", "accelerator", "engine_word", "n_gpu", "load", "batch", "rate_qps")
"""What copies have in common, beside lengths and metric."""
SAME_METRIC = {"tpot_mean": "tpot", "decode_tok_s_per_user": "tpot", "ttft_mean": "ttft"}
"""Metrics that are one quantity under two names."""
LENGTHS = 0.15
"""How far, in log units, one source's nominal lengths lie from another's mean ones (0.9 of nominal)."""
FEWEST_DIGITS = 4
"""Significant digits from which equal values are no coincidence among rows of one condition."""
FLOATING = 1e-9
"""Relative difference that a change of unit leaves."""


def matches(left: pd.DataFrame, right: pd.DataFrame, also: tuple[str, ...] = ()) -> pd.DataFrame:
    """Pairs of rows at one condition: labels of ``left`` and ``right``.

    Args:
        left, right: rows of :func:`tokenomics.calibration.engines.samples.examined`, of unique labels.
        also: further columns that must agree.
    """
    keys = [*CONDITION, "quantity", *also]
    sides = [_keyed(rows)[[*keys, "isl", "osl"]].reset_index(names="label") for rows in (left, right)]
    pairs = sides[0].merge(sides[1], on=keys, suffixes=("_left", "_right"))
    near = [np.abs(np.log(pairs[f"{name}_left"] / pairs[f"{name}_right"])) < LENGTHS for name in ("isl", "osl")]
    pairs = pairs[near[0] & near[1]]
    return pd.DataFrame({"left": pairs["label_left"], "right": pairs["label_right"]}).reset_index(drop=True)


def copies(rows: pd.DataFrame) -> pd.DataFrame:
    """Pairs of rows of two sources, at one condition, with one value: labels ``left`` and ``right``.

    Values are compared to the digits of the coarser one; of fewer than :data:`FEWEST_DIGITS` none counts as a copy.

    Args:
        rows: of unique labels, with ``seconds`` (a duration, rates inverted) and ``value`` as published.
    """
    found = matches(rows, rows)
    source = rows["source"]
    found = found[source[found["left"]].to_numpy() < source[found["right"]].to_numpy()]
    seconds = [rows.loc[found[side], "seconds"].to_numpy(float) for side in ("left", "right")]
    slack = np.maximum(*(_rounding(rows.loc[found[side], "value"]) for side in ("left", "right")))
    return found[np.abs(np.log(seconds[0] / seconds[1])) <= slack].reset_index(drop=True)


def campaigns(rows: pd.DataFrame, pairs: pd.DataFrame) -> pd.Series:
    """The campaign of each row, named after its first source, system and engine; campaigns that share a copy are one.

    Args:
        rows: with ``source, accelerator, engine_word, version`` (empty where the source states none).
        pairs: of :func:`copies`.
    """
    own = rows[["source", "accelerator", "engine_word", "version"]].fillna("").agg(" ".join, axis=1).str.strip()
    parent = {name: name for name in own}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    for pair in set(zip(own[pairs["left"]], own[pairs["right"]], strict=True)):
        first, second = sorted(map(root, pair))
        parent[second] = first
    return own.map(root)


def _keyed(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(quantity=rows["metric"].replace(SAME_METRIC))


def _rounding(values: pd.Series) -> np.ndarray:
    """Relative half of a unit in the last digit of each value; negative, which nothing keeps, for too few digits."""
    digits = [Decimal(repr(float(each))).normalize().as_tuple().digits for each in values]
    units = [0.5 / int("".join(map(str, each))) if len(each) >= FEWEST_DIGITS else -1.0 for each in digits]
    return np.where(np.array(units) > 0, np.array(units) + FLOATING, -1.0)
