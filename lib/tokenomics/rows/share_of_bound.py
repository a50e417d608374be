"""Measurements beside the bound of each: what share of it did real software and hardware reach?

A share is value over bound where the bound is a ceiling (rates) and bound over value where it is a floor (times,
bytes, hours). So it lies between zero and one unless the row is wrong, its conditions are not what they say, or the
bound is no bound. The bounds are those of ``tokenomics score --model bounds``.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from tokenomics import paths
from tokenomics.facts import measurements

if TYPE_CHECKING:
    import pandas as pd

VERDICT = "fits_in_memory"
PREFERRED = ("tokens_per_s_per_gpu", "step_time", "gpu_hours", "mfu", "tflops_model_per_gpu")
"""Which metric stands for a training run: tokens and times before FLOP, which depend on how their authors count."""
PHASES = {
    **dict.fromkeys(("ttft", "prefill_tok_s"), "prefill"),
    **dict.fromkeys(("tpot", "decode_tok_s_per_user"), "decode"),
    **dict.fromkeys(("e2e_latency", "total_throughput_in_plus_out", "output_throughput_per_gpu"), "request"),
    **dict.fromkeys(("output_throughput_total", "mlperf_offline_throughput"), "full queue"),
}
"""What a metric of inference tells about when nothing waits: static batches, or a queue that is never empty."""
UNDISTURBED = ("static", "max", "mlperf_offline")


def shares(kind: str) -> "pd.DataFrame":
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
    floor = predicted["low"].notna()
    rows["bound"] = predicted["low"].where(floor, predicted["high"])
    rows["share"] = np.where(floor, rows["bound"] / rows["value"], rows["value"] / rows["bound"])
    return rows.reset_index(drop=True)


def verdicts(kind: str = "inference_latency") -> "pd.DataFrame":
    """Rows that say only whether a model fits (``value`` 1) or not (0), with the bound's own ``verdict``."""
    rows, predicted = _predicted(kind)
    known = (predicted["status"] == "ok") & (rows["metric"] == VERDICT)
    return rows[known].assign(verdict=predicted.loc[known, "predicted"]).reset_index(drop=True)


def _predicted(kind: str) -> "tuple[pd.DataFrame, pd.DataFrame]":
    from tokenomics.rows import predict as score
    from tokenomics.rows import reading

    table = measurements.read(kind)
    chunk = next(reading.chunks(paths.DATA / "measurements" / f"{kind}.csv", rows=len(table)))
    rows = measurements.for_validation(table)
    predicted = score.predict(chunk.inputs.loc[rows.index], "bounds")
    names = {"model": "model", "accelerator": "hardware"}
    found = {
        ours: rows[published].map(lambda name, ours=ours: getattr(score.record(ours, name), "name", None))
        for ours, published in names.items()
    }
    return rows.assign(**found), predicted


def beyond_bounds(kinds: Collection[str]) -> "pd.DataFrame":
    """All published rows of these tables that contradict a bound, suspect ones included, with the reason listed.

    Returns:
        The columns of :func:`tokenomics.rows.bound_violations.suspects` and the ``reason`` of ``beyond_bounds.csv``,
        missing where nobody has looked into the row, which a check must refuse.
    """
    from tokenomics.facts import tables
    from tokenomics.rows import bound_violations

    found = bound_violations.suspects()
    found = found[found["table"].isin(kinds)]
    listed = tables.read("measurements/beyond_bounds")[["table", "case", "reason"]]
    return found.merge(listed, on=["table", "case"], how="left")


def by_phase(reached: "pd.DataFrame") -> "pd.DataFrame":
    """Inference rows of static batches and full queues, with their ``phase``.

    Left out: open load, which waits for arrivals, and samples per second, whose lengths are not published, so that
    their ceiling is that of the shortest.
    """
    rows = reached.assign(phase=reached["metric"].map(PHASES))
    keep = rows["phase"].notna() & rows["load"].isin(UNDISTURBED) & (rows["unit"] != "samples/s")
    return rows[keep].reset_index(drop=True)


def one_row_per_run(reached: "pd.DataFrame") -> "pd.DataFrame":
    """The preferred metric of every training run, in the order of the runs' names."""
    kept = reached[reached["metric"].isin(PREFERRED)]
    kept = kept.assign(rank=kept["metric"].map(PREFERRED.index)).sort_values(["run", "rank", "case"])
    return kept.drop_duplicates("run").drop(columns="rank").reset_index(drop=True)
