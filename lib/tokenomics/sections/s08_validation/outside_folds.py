"""What is validated without held-out rows: operators, their sums, memory, what fits, MLPerf offline, rows predicted."""

import pandas as pd

from tokenomics.calibration.engines.profiles import INPUTS, UNFIT, ask, duration
from tokenomics.compute.inference.engines import Profile
from tokenomics.facts import tables
from tokenomics.facts.sources import sources
from tokenomics.rows import predict as score
from tokenomics.rows.inference import LOADS
from tokenomics.sections.s08_validation.rows import all_inputs
from tokenomics.sections.s08_validation.targets import Line, line

KERNEL = ["accelerator", "operator", "dtype", "engine", "kernel"]
DEVICE_ONLY = Profile(prefill_slowdown=1.0, decode_slowdown=1.0, burst=0.0, wait_s=0.0)
"""No engine: the operators' times, added up."""
REFERENCE = "aiconfigurator"
PHASES = {
    **dict.fromkeys(("tpot", "decode_tok_s_per_user"), "decode"),
    **dict.fromkeys(("ttft", "prefill_tok_s"), "prefill"),
}
SIXTEEN = r"^(?:fp|bf|f|float)16$"
EXPERT_SPREADS = 1.3
SUMS = {"decode": 0.04, "prefill": 0.05}
"""Targets on the mean error of sums of operators."""
VERDICT = "fits_in_memory"
OWN = "own_calibration"
"""The source of what we fitted, accessed on the day of the last calibration."""
PROVIDER = "provider API"
SAMPLE_SHARES = {"aggregated": 0.98, "disaggregated": 0.90}
"""Targets on the share of the silicon sample that is predicted."""


def kernels() -> pd.DataFrame:
    """Errors of each engine's main kernels, by kind of test (``fit``, ``held_out``, ``transfer``)."""
    errors = tables.read("calibration/errors")
    main = tables.read("calibration/operators")[[*KERNEL, "main"]]
    marked = errors.merge(main, on=KERNEL, how="left", validate="many_to_one")
    return marked[marked["main"].fillna(False).astype(bool)].drop(columns="main").reset_index(drop=True)


def beside_spread(errors: pd.DataFrame) -> pd.DataFrame:
    """Median error of main kernels on unseen shapes and on left-out accelerators, beside the gap between two engines.

    Args:
        errors: as :func:`kernels` gives them.

    Returns:
        operator, dtype, kernels, and medians over accelerators: held_out_error, held_out_p90_error,
        transfer_error, engine_gap_share (longer over shorter time, minus one; NaN where only one engine was measured).
    """
    keys = ["operator", "dtype"]
    medians = errors.pivot_table(index=keys, columns="kind", values="median_error", aggfunc="median")
    held_out = errors[errors["kind"] == "held_out"].groupby(keys)
    table = medians[["held_out", "transfer"]].add_suffix("_error").rename_axis(columns=None)
    table = table.assign(
        held_out_p90_error=held_out["p90_error"].median(),
        engine_gap_share=tables.read("calibration/engine_spread").groupby(keys)["median_gap"].median(),
        kernels=held_out.size(),
    )
    return table.reset_index().sort_values(keys)


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


def unfitted_rows() -> pd.DataFrame:
    """Rows that profiles are not fitted to, as the scorer predicts them: memory, verdicts, MLPerf offline."""
    rows = all_inputs()
    rows = rows[rows["metric"].isin((*UNFIT, VERDICT))].reset_index(drop=True)
    predicted = score.predict(rows[INPUTS], "inference")
    return rows.assign(**predicted, error=predicted["predicted"] / rows["value"].where(rows["value"] > 0) - 1)


def ran() -> pd.DataFrame:
    """Rows that ran, of models and engines with a row that did not fit, and the prediction whether they fit."""
    rows = all_inputs()
    failed = rows[(rows["metric"] == VERDICT) & (rows["value"] == 0)]
    keys = ["model", "hardware", "engine"]
    alike = rows.merge(failed[keys].drop_duplicates(), on=keys)
    alike = alike[alike["metric"] != VERDICT].drop_duplicates([*keys, "n_gpu", "isl", "osl", "batch"])
    alike = alike.reset_index(drop=True).assign(metric=VERDICT, unit="", value=1.0)
    return alike.assign(**score.predict(alike[INPUTS], "inference"))


def share_predicted() -> tuple[float, int]:
    """Share of published rows under a load without a queue that have a held-out prediction, and how many there are.

    A source that was gathered after the last calibration is not counted until a calibration has seen it.
    """
    held = tables.read("calibration/held_out_family")
    rows = all_inputs()
    rows = rows[rows["load"].isin(LOADS) & ~rows["metric"].isin((*UNFIT, VERDICT)) & (rows["engine"] != PROVIDER)]
    later = [key for key, source in sources().items() if source["accessed"] > sources()[OWN]["accessed"]]
    rows = rows[~rows["source"].isin(set(later) - set(held["source"]))]
    return float(rows["case"].isin(held["case"]).mean()), len(rows)


def targets() -> list[Line]:
    """The targets of this module, and what stands beside them."""
    return [*_of_sums(), *_of_kernels(), *_of_rows(), *_of_silicon_sample(), _of_published()]


def _of_sums() -> list[Line]:
    known, borrowed = (each.groupby("phase")["error"] for each in (sums(), sums(left_out=True)))
    lines = []
    for phase, target in SUMS.items():
        errors = known.get_group(phase).abs()
        left_out = borrowed.get_group(phase).abs().mean()
        subject = f"operator sums, dense 16 bit, {phase}"
        lines.append(line(subject, "mean_error", target, errors.mean(), len(errors), left_out=left_out))
    return lines


def _of_kernels() -> list[Line]:
    errors = kernels()
    fp8 = errors[(errors["operator"] == "gemm") & errors["dtype"].str.startswith("fp8")]
    medians = fp8.groupby("kind")["median_error"].median()
    n = int((fp8["kind"] == "held_out").sum())
    spread = beside_spread(errors)
    spread = spread[spread["operator"] == "expert_gemm"].dropna()
    ratio, left_out = (
        float((spread[name] / spread["engine_gap_share"]).median()) for name in ("held_out_error", "transfer_error")
    )
    n_expert = int(spread["kernels"].sum())
    subject = "expert GEMM, error over engine gap"
    return [
        line("FP8 GEMM, median kernel", "median_error", 0.10, medians["held_out"], n, left_out=medians["transfer"]),
        line(subject, "ratio", EXPERT_SPREADS, ratio, n_expert, left_out=left_out),
    ]


def _of_rows() -> list[Line]:
    rows = unfitted_rows()
    memory = rows[(rows["metric"] == "gpu_memory_used") & (rows["source"] == "fastertransformer")]
    offline = rows[(rows["metric"] == "mlperf_offline_throughput") & rows["model"].str.contains("llama|mixtral")]
    fits = pd.concat([rows[rows["metric"] == VERDICT], ran()])
    right = float((fits["predicted"] == fits["value"]).mean())
    memory_error, offline_error = (float(each["error"].abs().median()) for each in (memory, offline))
    return [
        line("memory used, FasterTransformer", "median_error", 0.05, memory_error, len(memory)),
        line("out of memory or not, right", "share", 1.0, right, len(fits)),
        line("MLPerf offline, Llama-2-70B, Mixtral", "median_error", 0.15, offline_error, len(offline)),
    ]


def _of_silicon_sample() -> list[Line]:
    sample = tables.read("calibration/silicon_sample").set_index("mode")
    shares = (sample["predicted"] / sample["asked"]).astype(float)
    lines = [
        line(f"share predicted, silicon sample, {mode}", "share", target, shares[mode], int(sample["asked"][mode]))
        for mode, target in SAMPLE_SHARES.items()
    ]
    tpot = tables.read("calibration/held_out_disaggregated").query("metric == 'tpot_mean'")
    error = float((tpot["predicted"] / tpot["measured"] - 1).abs().median())
    return [*lines, line("beside: disaggregated TPOT, as MoE TPOT", "median_error", 0.12, error, len(tpot))]


def _of_published() -> Line:
    share, n = share_predicted()
    return line("beside: share predicted, published rows", "share", 0.98, share, n)
