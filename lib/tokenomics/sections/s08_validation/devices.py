"""Bars below and beside the held-out rows: sums of operators, single operators, memory, MLPerf, share predicted."""

import numpy as np
import pandas as pd

from tokenomics.calibration.engines.profiles import INPUTS, UNFIT, ask, duration
from tokenomics.compute.inference.engines import Profile
from tokenomics.facts import tables
from tokenomics.rows import predict as score
from tokenomics.rows.inference import LOADS
from tokenomics.sections.s08_validation.rows import all_inputs
from tokenomics.sections.s08_validation.targets import COLUMNS, line

KERNEL = ["accelerator", "operator", "dtype", "engine", "kernel"]
DEVICE_ONLY = Profile(prefill_slowdown=1.0, decode_slowdown=1.0, burst=0.0, wait_s=0.0)
"""No engine: the operators' times, added up."""
REFERENCE = "aiconfigurator"
PHASES = {
    **dict.fromkeys(("tpot", "decode_tok_s_per_user"), "decode"),
    **dict.fromkeys(("ttft", "prefill_tok_s"), "prefill"),
}
SIXTEEN = r"^(?:fp|bf|f|float)16$"
VERDICT = "fits_in_memory"
PROVIDER = "provider API"
EXPERT_SPREADS = 1.3


def kernels() -> pd.DataFrame:
    """Errors of each engine's main kernels, by kind of test (``fit``, ``held_out``, ``transfer``)."""
    errors = tables.read("calibration/errors")
    main = tables.read("calibration/operators")[[*KERNEL, "main"]]
    found = errors.merge(main, on=KERNEL, how="left", validate="many_to_one")
    return found[found["main"].fillna(False).astype(bool)].drop(columns="main").reset_index(drop=True)


def beside_spread(table: pd.DataFrame) -> pd.DataFrame:
    """Median error of main kernels on unseen shapes and on left-out accelerators, beside the gap between two engines.

    Args:
        table: as :func:`kernels` gives it.

    Returns:
        operator, dtype, kernels, and medians over accelerators: held_out, held_out_p90, transfer, engine_gap (NaN where
        only one engine was measured).
    """
    spread = tables.read("calibration/engine_spread")
    keys = ["operator", "dtype"]
    medians = table.pivot_table(index=keys, columns="kind", values="median_error", aggfunc="median")
    tails = table[table["kind"] == "held_out"].groupby(keys)["p90_error"].median()
    count = table[table["kind"] == "held_out"].groupby(keys).size()
    gap = spread.groupby(keys)["median_gap"].median()
    found = medians[["held_out", "transfer"]].assign(held_out_p90=tails, engine_gap=gap, kernels=count)
    return found.reset_index().sort_values(keys)


def sums(left_out: bool = False) -> pd.DataFrame:
    """Sums of operators of dense 16-bit rows beside aiconfigurator's, which adds up its measured tables.

    Rows of vLLM and TensorRT-LLM, whose kernels both sides know; no engine overhead on ours.

    Returns:
        The rows with ``phase`` (decode, prefill), ``own`` and ``reference`` in seconds, and ``error``.
    """
    held = tables.read("calibration/held_out_family")[["table", "case", "profile", "experts", "accelerator"]]
    peers = tables.read("peers/predictions")
    known = (peers["peer"] == REFERENCE) & (peers["status"] == "ok")
    peers = peers.loc[known, ["table", "case", "predicted"]]
    rows = all_inputs().merge(peers, on=["table", "case"]).merge(held, on=["table", "case"])
    wide = rows["precision"].str.casefold().str.fullmatch(SIXTEEN)
    rows = rows[wide & ~rows["experts"].astype(bool) & rows["profile"].str.startswith(("vllm", "trtllm"))]
    rows = rows[rows["metric"].isin(PHASES) & (rows["load"] == "static")].reset_index(drop=True)
    own = ask(rows, DEVICE_ONLY, left_out)
    reference = duration(rows, rows["predicted"].to_numpy(float))
    return rows.assign(phase=rows["metric"].map(PHASES), own=own, reference=reference, error=own / reference - 1)


def unqueued() -> pd.DataFrame:
    """Rows that profiles are not fitted to, as the scorer predicts them: memory, verdicts, MLPerf offline."""
    rows = all_inputs()
    rows = rows[rows["metric"].isin((*UNFIT, VERDICT))].reset_index(drop=True)
    made = score.predict(rows[INPUTS], "inference")
    return rows.assign(**made, error=made["predicted"] / rows["value"].where(rows["value"] > 0) - 1)


def ran() -> pd.DataFrame:
    """Every row that ran of the models and engines that also have a row that did not fit, asked whether it fits."""
    rows = all_inputs()
    failed = rows[(rows["metric"] == VERDICT) & (rows["value"] == 0)]
    keys = ["model", "hardware", "engine"]
    alike = rows.merge(failed[keys].drop_duplicates(), on=keys)
    alike = alike[alike["metric"] != VERDICT].drop_duplicates([*keys, "n_gpu", "isl", "osl", "batch"])
    alike = alike.reset_index(drop=True).assign(metric=VERDICT, unit="", value=1.0)
    return alike.assign(**score.predict(alike[INPUTS], "inference"))


def share_predicted() -> tuple[float, int]:
    """Share of published rows under a load without a queue that have a held-out prediction, and how many there are."""
    rows = all_inputs()
    rows = rows[rows["load"].isin(LOADS) & ~rows["metric"].isin((*UNFIT, VERDICT)) & (rows["engine"] != PROVIDER)]
    held = tables.read("calibration/held_out_family")
    return float(rows["case"].isin(held["case"]).mean()), len(rows)


def of_devices() -> pd.DataFrame:
    """The bars of this module, in the columns of :data:`tokenomics.sections.s08_validation.targets.COLUMNS`."""
    plain, borrowed = sums(), sums(left_out=True)
    lines = []
    for phase, bar in (("decode", 0.04), ("prefill", 0.05)):
        found = tuple(each.loc[each["phase"] == phase, "error"].abs().mean() for each in (plain, borrowed))
        n = int((plain["phase"] == phase).sum())
        lines.append(line(f"operator sums, dense 16 bit, {phase}", "mean_error", bar, found, n))
    return pd.DataFrame([*lines, *_operators(), *_memory()], columns=COLUMNS)


def _operators() -> list[dict[str, object]]:
    table = kernels()
    fp8 = table[(table["operator"] == "gemm") & table["dtype"].str.startswith("fp8")]
    medians = fp8.groupby("kind")["median_error"].median()
    n = int((fp8["kind"] == "held_out").sum())
    spread = beside_spread(table)
    spread = spread[spread["operator"] == "expert_gemm"].dropna()
    kinds = ("held_out", "transfer")
    errors = tuple(float(medians[kind]) for kind in kinds)
    ratios = tuple(float((spread[kind] / spread["engine_gap"]).median()) for kind in kinds)
    return [
        line("FP8 GEMM, median kernel", "median_error", 0.10, errors, n),
        line("expert GEMM, error over engine gap", "ratio", EXPERT_SPREADS, ratios, int(spread["kernels"].sum())),
    ]


def _memory() -> list[dict[str, object]]:
    rows = unqueued()
    used = rows[(rows["metric"] == "gpu_memory_used") & (rows["source"] == "fastertransformer")]
    offline = rows[(rows["metric"] == "mlperf_offline_throughput") & rows["model"].str.contains("llama|mixtral")]
    edge = pd.concat([rows[rows["metric"] == VERDICT], ran()])
    taken, served = (float(each["error"].abs().median()) for each in (used, offline))
    right = float((edge["predicted"] == edge["value"]).mean())
    share, n = share_predicted()
    sample = tables.read("calibration/silicon_sample").set_index("mode")
    parts = (sample["predicted"] / sample["asked"]).astype(float)
    apart = tables.read("calibration/held_out_disaggregated").query("metric == 'tpot_mean'")
    off = float((apart["predicted"] / apart["measured"] - 1).abs().median())
    return [
        line("memory used, FasterTransformer", "median_error", 0.05, (taken, np.nan), len(used)),
        line("out of memory or not, right", "share", 1.0, (right, np.nan), len(edge)),
        line("MLPerf offline, Llama-2-70B, Mixtral", "median_error", 0.15, (served, np.nan), len(offline)),
        *(
            line(
                f"share predicted, silicon sample, {mode}",
                "share",
                bar,
                (parts[mode], np.nan),
                int(sample["asked"][mode]),
            )
            for mode, bar in (("aggregated", 0.98), ("disaggregated", 0.90))
        ),
        line("beside: disaggregated TPOT, as MoE TPOT", "median_error", 0.12, (off, np.nan), len(apart)),
        line("beside: share predicted, published rows", "share", 0.98, (share, np.nan), n),
    ]
