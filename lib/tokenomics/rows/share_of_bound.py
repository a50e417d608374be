"""The share of its bound that each measurement reaches.

A share is value over bound where the bound is an upper one (rates) and bound over value where it is a lower one (times,
bytes, hours). So it lies between zero and one, unless the row is wrong, its conditions are not as stated, or the
bound is wrong. Such a row must be listed in ``data/measurements/beyond_bounds.csv`` with its reason. The bounds are
those of ``tokenomics score --scorer bounds``.
"""

from collections.abc import Collection

import numpy as np
import pandas as pd

from tokenomics.facts import measurements, tables
from tokenomics.rows import reading
from tokenomics.rows.predict import predict, record

VERDICT = "fits_in_memory"
PREFERRED = ("tokens_per_s_per_gpu", "step_time", "gpu_hours", "mfu", "tflops_model_per_gpu")
"""The metric taken of a training run, best first: tokens and times before FLOP, which authors count differently."""
PHASES = {
    **dict.fromkeys(("ttft", "prefill_tok_s"), "prefill"),
    **dict.fromkeys(("tpot", "decode_tok_s_per_user"), "decode"),
    **dict.fromkeys(("e2e_latency", "total_throughput_in_plus_out", "output_throughput_per_gpu"), "request"),
    **dict.fromkeys(("output_throughput_total", "mlperf_offline_throughput"), "saturated"),
}
"""The phase of inference that a metric measures, in static batches or on a saturated replica."""
UNDISTURBED = ("static", "max", "mlperf_offline")
SLACK = 0.02
"""Published values and data sheets are rounded."""
BEYOND = ["table", "case", "metric", "model", "hardware", "value", "bound", "ratio", "suspect", "note", "source"]


def shares(kind: str) -> pd.DataFrame:
    """Rows of a measurement table that may serve validation and have a bound, with the share of it that they reach.

    Args:
        kind: a table of :data:`tokenomics.facts.measurements.KINDS`.

    Returns:
        The table's columns with canonical ``model`` and ``accelerator``, plus ``bound`` (in the row's unit) and
        ``share``; verdicts are left to :func:`verdicts`.
    """
    rows, predicted = _predicted(kind)
    known = (predicted["status"] == "ok") & (rows["metric"] != VERDICT)
    rows, predicted = rows[known].copy(), predicted[known]
    lower = predicted["low"].notna()
    rows["bound"] = predicted["low"].where(lower, predicted["high"])
    rows["share"] = np.where(lower, rows["bound"] / rows["value"], rows["value"] / rows["bound"])
    return rows.reset_index(drop=True)


def verdicts(kind: str = "inference_latency") -> pd.DataFrame:
    """Rows that say only whether a model fits (``value`` 1) or not (0), with the bound's own ``verdict``."""
    rows, predicted = _predicted(kind)
    known = (predicted["status"] == "ok") & (rows["metric"] == VERDICT)
    return rows[known].assign(verdict=predicted.loc[known, "predicted"]).reset_index(drop=True)


def _predicted(kind: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = measurements.for_validation(measurements.read(kind))
    predicted = predict(reading.published(kind).inputs.loc[rows.index], "bounds")
    named = {
        column: rows[published].map(lambda name, kind=column: getattr(record(kind, name), "name", None))
        for column, published in {"model": "model", "accelerator": "hardware"}.items()
    }
    return rows.assign(**named), predicted


def violations(slack: float = SLACK, kinds: Collection[str] = measurements.KINDS) -> pd.DataFrame:
    """Rows of measurement tables that contradict their bound, or ran although their weights do not fit.

    Args:
        slack: relative distance by which a value may cross its bound.
        kinds: of the tables.

    Returns:
        :data:`BEYOND`: value and bound in the row's unit, ratio value over bound (NaN where the weights do not fit),
        suspect as marked in the table; sorted by table and case.
    """
    parts = [_violations(kind, slack) for kind in kinds]
    return pd.concat(parts, ignore_index=True).sort_values(["table", "case"], ignore_index=True)


def _violations(kind: str, slack: float) -> pd.DataFrame:
    chunk = reading.published(kind)
    bound, value = predict(chunk.inputs, "bounds"), chunk.measured
    below, above = value < bound["low"] / (1 + slack), value > bound["high"] * (1 + slack)
    holds = ~bound["status"].str.startswith("infeasible: weights")
    wrong = (below | above | ~holds) & (chunk.inputs["metric"] != VERDICT)
    limits = {"bound": bound["predicted"], "ratio": value / bound["predicted"]}
    suspect = chunk.text["suspect"] == "true"
    return chunk.text.assign(table=kind, value=value, **limits, suspect=suspect).loc[wrong, BEYOND]


def beyond_bounds(kinds: Collection[str]) -> pd.DataFrame:
    """All published rows of these tables that contradict a bound, suspect ones included, with the reason listed.

    Returns:
        :data:`BEYOND` and the ``reason`` of ``beyond_bounds.csv``, missing where the row was not examined: a check must
        refuse that.
    """
    beyond = violations(kinds=kinds)
    listed = tables.read("measurements/beyond_bounds")[["table", "case", "reason"]]
    return beyond.merge(listed, on=["table", "case"], how="left")


def by_phase(reached: pd.DataFrame) -> pd.DataFrame:
    """Inference rows of static batches and saturated replicas, with their ``phase``.

    Left out: open load, which waits for arrivals, and samples per second, whose lengths are not published, so that
    their upper bound is that of the shortest.
    """
    rows = reached.assign(phase=reached["metric"].map(PHASES))
    keep = rows["phase"].notna() & rows["load"].isin(UNDISTURBED) & (rows["unit"] != "samples/s")
    return rows[keep].reset_index(drop=True)


def one_row_per_run(reached: pd.DataFrame) -> pd.DataFrame:
    """The preferred metric of every training run, in the order of the runs' names.

    Left out: sweeps, whose layouts were tried on purpose, bad ones too; runs that trained adapters only; and runs whose
    arithmetic is not stated, since 8-bit products have twice the bound.
    """
    kept = reached[reached["metric"].isin(PREFERRED) & reached["precision"].fillna("").ne("")]
    kept = kept[~kept["kind"].isin([measurements.SWEEP, measurements.ADAPTERS])]
    kept = kept.assign(rank=kept["metric"].map(PREFERRED.index)).sort_values(["run", "rank", "case"])
    return kept.drop_duplicates("run").drop(columns="rank").reset_index(drop=True)
