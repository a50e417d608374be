"""Service under random arrivals: replays, TensorRT-LLM's online runs and MLPerf's server scenario, with their targets.

No engine profile was fitted to rows of these loads. Each is predicted as ``tokenomics score`` does, with its model
family held out.
"""

import numpy as np
import pandas as pd

from tokenomics.calibration.engines.profiles import INPUTS
from tokenomics.compute.inference.engines import profile, profile_name
from tokenomics.facts import catalogue, tables
from tokenomics.notebook.report import Metric
from tokenomics.rows import predict as score
from tokenomics.rows.bounds import MLPERF
from tokenomics.rows.case import Setting
from tokenomics.rows.deployment import OPEN, SERVER
from tokenomics.rows.held_out import family_of
from tokenomics.scoring import report
from tokenomics.sections.s08_validation.errors import statistic
from tokenomics.sections.s08_validation.rows import all_inputs
from tokenomics.sections.s08_validation.targets import Line, line

ONLINE = "open"
SATURATED = 0.8
"""A replica counts as saturated above this share of the rate that it completes when all requests come at once."""
ROUNDING_MS = 0.5
"""TensorRT-LLM prints the gap between tokens in whole milliseconds."""
LENGTHS = ["model", "isl", "osl"]
SHOWN = ["group", "metric", "n", "median_error", "p90_error", "median_signed_error", "coverage"]
LOWER_LOADS = ("cl34b_sarathi_q1_n1000", "cl34b_sarathi_q2_n1000")
HIGHEST_LOAD = "cl34b_sarathi_q3_n1000"
FITS = {"tpot_s": 0.05, "e2e_s": 0.05, "ttft_s": 0.15}
"""Targets on the errors of means of a real run after its first third."""
FITTED, FITTED_ELSEWHERE, MODELLED = "fitted on first third", "fitted on other run", "modelled"
"""Step times of the replays of a real run."""
SHORT = {"itl_mean": "ITL", "ttft_mean": "TTFT"}
EXACT = "other simulator, its step times, any request"
OWN_TIMES = "other simulator, our step times, TPOT p50, two lower loads"
BELOW = "TensorRT-LLM online below 80 % of saturation"
HEADLINES = {
    "replay_exact": (EXACT, "difference", "largest difference of a request, other simulator's step times"),
    "replay_own": (OWN_TIMES, "worst_error", "worst error of a median TPOT, our step times"),
    "online_itl": (
        f"{BELOW}, ITL beyond 0.5 ms",
        "median_error",
        "median error of ITL beyond rounding, below saturation",
    ),
    "online_ttft": (f"{BELOW}, TTFT", "median_error", "median error of TTFT below saturation"),
    "server_llama": ("MLPerf server, Llama-2-70B", "median_error", "median error of server throughput, Llama-2-70B"),
    "server_mixtral": ("MLPerf server, Mixtral-8x7B", "median_error", "median error of server throughput, Mixtral"),
}
"""Metric to the target whose reached value it is (subject and measure), and its meaning."""
PROMPTS = {"as long as assumed": 1.0, "half as long": 0.5, "twice as long": 2.0}
"""Length of MLPerf's prompts, which is not published, over the assumed one."""
NAMES = {"ttft_s": "TTFT", "tpot_s": "TPOT", "e2e_s": "whole request"}


def arrivals() -> pd.DataFrame:
    """Published rows of open loads that can be predicted.

    Returns:
        The columns of :func:`~tokenomics.sections.s08_validation.rows.inputs`, with names of the catalogue as ``model``
        and ``accelerator``, ``predicted, low, high`` in the row's unit, ``error`` (signed), ``limit``:
        :data:`SATURATED` of the requests/s that the same model completed of the same lengths when all came at once, and
        ``saturated``: the rate is above it.
    """
    rows = all_inputs()
    rows = rows[rows["load"].isin(OPEN)].reset_index(drop=True)
    predicted = score.predict(rows[INPUTS], "inference")
    rows = rows.assign(**predicted)[predicted["status"] == "ok"].reset_index(drop=True)
    named = {
        "model": [catalogue.model(name).name for name in rows["model"]],
        "accelerator": [catalogue.accelerator(name).name for name in rows["hardware"]],
        "error": rows["predicted"] / rows["value"] - 1,
    }
    rows = rows.assign(**named)
    endless = rows[np.isinf(rows["rate_qps"]) & (rows["metric"] == "serving_output_tok_s")]
    limits = endless.assign(limit=SATURATED * endless["value"] / endless["osl"]).set_index(LENGTHS)["limit"]
    rows = rows.join(limits, on=LENGTHS)
    return rows.assign(saturated=(rows["load"] == ONLINE) & ~(rows["rate_qps"] <= rows["limit"]))


def data_metrics(rows: pd.DataFrame) -> dict[str, Metric]:
    """How many rows of :func:`arrivals` there are."""
    return {"arrived": Metric(len(rows), "1", "rows under random arrivals that are simulated")}


def beyond_rounding(rows: pd.DataFrame) -> pd.DataFrame:
    """The same rows with only that part of their error that rounding to whole milliseconds does not explain."""
    off = np.maximum((rows["predicted"] - rows["value"]).abs() - ROUNDING_MS, 0) / rows["value"]
    return rows.assign(error=off)


def groups(rows: pd.DataFrame) -> pd.DataFrame:
    """Errors by load, model and metric; open loads below saturation and all (:data:`SHOWN`)."""
    lines = []
    online, server = rows[rows["load"] == ONLINE], rows[rows["load"] == SERVER]
    parts = {"online, below 80 % of saturation": online[~online["saturated"]], "online, all": online, "server": server}
    for name, part in parts.items():
        for (model, metric), group in part.groupby(["model", "metric"], sort=True):
            errors = [statistic(group, each) for each in ("median_error", "p90_error")]
            coverage = report.coverage(*(group[each].to_numpy(float) for each in ("value", "low", "high")))
            signed = float(group["error"].median())
            lines.append((f"{name}, {model}", metric, len(group), *errors, signed, coverage))
    return pd.DataFrame(lines, columns=SHOWN)


def replays() -> pd.DataFrame:
    """The committed table of replayed runs with what each run is, and ``error`` (signed) of each statistic."""
    rows = tables.read("serving/replays")
    about = tables.read("serving/replayed_runs").drop(columns=["requests", "source"])
    rows = rows.merge(about, on=["run", "times"], validate="many_to_one")
    with np.errstate(divide="ignore"):
        return rows.assign(error=rows["replayed_s"] / rows["reported_s"].where(rows["reported_s"] > 0) - 1)


def targets(rows: pd.DataFrame, runs: pd.DataFrame) -> list[Line]:
    """The targets of this module, and what stands beside them.

    Args:
        rows: as :func:`arrivals` gives them.
        runs: as :func:`replays` gives them.
    """
    return [*_of_simulator(runs), *_of_engine(runs), *_of_arrivals(rows)]


def exact(runs: pd.DataFrame) -> pd.DataFrame:
    """The largest difference of any request, for each run of another simulator replayed on its own step times."""
    return runs[(runs["times"] == "theirs") & (runs["statistic"] == "largest_difference")]


def _worst(runs: pd.DataFrame, times: str, metric: str, statistic: str) -> tuple[float, int]:
    """Largest absolute error of a statistic over runs, and how many runs."""
    chosen = runs[(runs["times"] == times) & (runs["metric"] == metric) & (runs["statistic"] == statistic)]
    return float(chosen["error"].abs().max()), len(chosen)


def _of_simulator(runs: pd.DataFrame) -> list[Line]:
    differences = exact(runs)
    requests = int(differences.groupby("run")["requests"].first().sum())
    lines = [line(EXACT, "difference", 1e-5, float(differences["replayed_s"].max()), requests)]
    groups = {
        OWN_TIMES: runs["run"].isin(LOWER_LOADS),
        "beside: the same, highest load": runs["run"] == HIGHEST_LOAD,
        "beside: the same, whole prompts first": runs["run"].str.contains("_vllm_"),
        "beside: the same, two pipeline stages": runs["run"].str.startswith("ll70b"),
    }
    for subject, group in groups.items():
        lines.append(line(subject, "worst_error", 0.15, *_worst(runs[group], "ours", "tpot_s", "p50")))
    return lines


def _of_engine(runs: pd.DataFrame) -> list[Line]:
    step_times = {
        "vLLM runs after their first third, two numbers fitted, {} mean": FITTED,
        "beside: the same as modelled, {} mean": MODELLED,
        "beside: the same, fitted on the other run, {} mean": FITTED_ELSEWHERE,
    }
    return [
        line(subject.format(NAMES[metric]), "worst_error", target, *_worst(runs, times, metric, "mean"))
        for subject, times in step_times.items()
        for metric, target in FITS.items()
    ]


def _of_arrivals(rows: pd.DataFrame) -> list[Line]:
    online = rows[rows["load"] == ONLINE]
    gaps = beyond_rounding(online[online["metric"] == "itl_mean"])
    first = online[online["metric"] == "ttft_mean"]
    lines = []
    for name, target, metric in (("ITL beyond 0.5 ms", 0.10, gaps), ("TTFT", 0.25, first)):
        for group, kept in ((BELOW, metric[~metric["saturated"]]), ("beside: at all rates", metric)):
            lines.append(line(f"{group}, {name}", "median_error", target, statistic(kept, "median_error"), len(kept)))
    server = rows[rows["metric"].isin(MLPERF)]
    for model in ("Llama-2-70B", "Mixtral-8x7B"):
        kept = server[server["model"] == model]
        lines.append(line(f"MLPerf server, {model}", "median_error", 0.15, statistic(kept, "median_error"), len(kept)))
    return lines


def mean_times(runs: pd.DataFrame) -> pd.DataFrame:
    """Means of the real runs, with the factors on step times: ``run, times, metric, reported_s, replayed_s, error,
    decode_factor, prompt_factor``."""
    columns = ["run", "times", "metric", "reported_s", "replayed_s", "error", "decode_factor", "prompt_factor"]
    return runs.loc[(runs["kind"] == "engine") & (runs["statistic"] == "mean"), columns]


def mean_metrics(means: pd.DataFrame) -> dict[str, Metric]:
    """The largest error of a mean of a real run, by the step times of its replay."""
    worst = means.assign(size=means["error"].abs()).groupby("times")["size"].max()
    keys = {"real_fit": FITTED, "real_modelled": MODELLED, "real_elsewhere": FITTED_ELSEWHERE}
    return {
        key: Metric(worst[times], "share", f"largest error of a mean of a real run, {times}")
        for key, times in keys.items()
    }


def quantile_rows(runs: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Quantiles of replayed runs of a kind (``simulator`` or ``engine``), with ``quantile_share``, ``replayed_ratio``
    (replayed over reported) and a short ``label`` of the run."""
    rows = runs[(runs["kind"] == kind) & runs["statistic"].str.fullmatch(r"p\d+")]
    label = rows["model"].str.rpartition("-")[2] + rows["rate_qps"].map(", {:.0f}/s".format)
    label += np.where(rows["run"].str.contains("_vllm_"), ", whole prompts", "")
    label += np.where(rows["pp"] > 1, ", two stages", "")
    share = rows["statistic"].str.removeprefix("p").astype(float) / 100
    ratio = rows["replayed_s"] / rows["reported_s"]
    rows = rows.assign(quantile_share=share, label=label, replayed_ratio=ratio)
    return rows.sort_values(["label", "run", "times", "metric", "quantile_share"]).reset_index(drop=True)


def replayed_quantiles(runs: pd.DataFrame) -> pd.DataFrame:
    """Quantiles of the other simulator's runs: ``metric, label, times, quantile_share, replayed_ratio``."""
    return quantile_rows(runs, "simulator")[["metric", "label", "times", "quantile_share", "replayed_ratio"]]


def real_distributions(runs: pd.DataFrame) -> pd.DataFrame:
    """Quantiles of real runs as ``run, metric, curve, requests_share, time_s``: measured, fitted and as modelled."""
    rows = quantile_rows(runs, "engine")
    rows = rows.assign(run=rows["model"], requests_share=rows["quantile_share"])
    parts = [rows[rows["times"] == MODELLED].assign(curve="measured", time_s=lambda each: each["reported_s"])]
    for times in (FITTED, MODELLED):
        parts.append(rows[rows["times"] == times].assign(curve=times, time_s=lambda each: each["replayed_s"]))
    return pd.concat(parts, ignore_index=True)[["run", "metric", "curve", "requests_share", "time_s"]]


def online_curves(rows: pd.DataFrame) -> pd.DataFrame:
    """Latencies of the online runs against their rate, those with all requests at once left out.

    Args:
        rows: as :func:`arrivals` gives them.

    Returns:
        metric (ITL, TTFT), lengths, model, rate_qps, measured_ms, predicted_ms and the ends of its interval, limit_qps.
    """
    online = rows[(rows["load"] == ONLINE) & rows["metric"].isin(SHORT) & np.isfinite(rows["rate_qps"])]
    lengths = online["isl"].map("{:.0f} tokens in, ".format) + online["osl"].map("{:.0f} out".format)
    online = online.assign(lengths=lengths, metric=online["metric"].map(SHORT))
    online = online.sort_values(["isl", "osl", "metric", "model", "rate_qps"])
    columns = {
        **{name: name for name in ("metric", "lengths", "model", "rate_qps")},
        "value": "measured_ms",
        "predicted": "predicted_ms",
        "low": "predicted_low_ms",
        "high": "predicted_high_ms",
        "limit": "limit_qps",
    }
    return online[list(columns)].rename(columns=columns).reset_index(drop=True)


def served(rows: pd.DataFrame) -> pd.DataFrame:
    """MLPerf's server throughput of each device, measured and predicted with its interval.

    Args:
        rows: as :func:`arrivals` gives them.
    """
    server = rows[rows["metric"].isin(MLPERF)].sort_values(["model", "accelerator", "n_gpu", "value", "case"])
    devices = server["n_gpu"]
    table = server[["model", "accelerator"]].assign(
        devices=devices,
        measured_tok_per_s=server["value"] / devices,
        predicted_tok_per_s=server["predicted"] / devices,
        predicted_low_tok_per_s=server["low"] / devices,
        predicted_high_tok_per_s=server["high"] / devices,
    )
    return table.reset_index(drop=True)


def load_metrics(table: pd.DataFrame) -> dict[str, Metric]:
    """The share of the saturated rate in use, and how many rows of :func:`served` keep the limits at no rate."""
    failing = int((table["predicted_tok_per_s"] == 0).sum())
    return {
        "saturated": Metric(SATURATED, "share", "share of the saturated rate below which targets hold"),
        "server_none": Metric(failing, "1", "MLPerf server rows predicted to fail at any rate"),
    }


def choices(rows: pd.DataFrame) -> pd.DataFrame:
    """Errors under other assumptions: a front end before the first token, other lengths of MLPerf's prompts.

    Args:
        rows: as :func:`arrivals` gives them.

    Returns:
        choice, n, median_error and median_signed_error.
    """
    errors = _errors_with_front_end(rows) | _errors_with_prompts(rows)
    lines = [(name, len(each), float(each.abs().median()), float(each.median())) for name, each in errors.items()]
    return pd.DataFrame(lines, columns=["choice", "n", "median_error", "median_signed_error"])


def _errors_with_front_end(rows: pd.DataFrame) -> dict[str, pd.Series]:
    first = rows[(rows["metric"] == "ttft_mean") & ~rows["saturated"] & (rows["load"] == ONLINE)]
    engines = first[["engine", "hardware", "model"]].itertuples(index=False, name=None)
    late = first["predicted"] + 1e3 * np.array([_front_end_s(*each) for each in engines])
    return {
        f"{BELOW}, TTFT, no front end": first["predicted"] / first["value"] - 1,
        f"{BELOW}, TTFT, usual front end": late / first["value"] - 1,
    }


def _errors_with_prompts(rows: pd.DataFrame) -> dict[str, pd.Series]:
    server = rows[rows["metric"].isin(MLPERF)]
    errors = {}
    for name, factor in PROMPTS.items():
        prompts = Setting(prompts=factor)
        predicted = score.predict(server[INPUTS], "inference", prompts)["predicted"]
        for model, group in server.groupby("model"):
            errors[f"MLPerf server, {model}, prompts {name}"] = predicted[group.index] / group["value"] - 1
    return errors


def _front_end_s(engine: str, hardware: str, model: str) -> float:
    """Seconds that the first token of a closed loop waits before it is scheduled, fitted without the model's family."""
    known = catalogue.model(model)
    name = profile_name(engine, catalogue.accelerator(hardware))
    return profile(name, known.is_moe, family_of(known)).wait_s
