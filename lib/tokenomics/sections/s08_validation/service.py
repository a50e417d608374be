"""Service under arrivals: replayed runs, TensorRT-LLM's online runs and MLPerf's server scenario, with their bars.

No engine profile saw a row of these loads; each row is predicted, as ``tokenomics score`` does, by the profile without
its model family.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from tokenomics.calibration.engines.profiles import INPUTS
from tokenomics.compute.inference.engines import profile, profile_name
from tokenomics.facts import catalogue, tables
from tokenomics.rows import predict as score
from tokenomics.rows.bounds import MLPERF
from tokenomics.rows.case import ORCA_PROMPT_TOKENS, Setting
from tokenomics.rows.deployment import OPEN
from tokenomics.rows.held_out import family_of
from tokenomics.scoring import report
from tokenomics.sections.s08_validation.errors import statistic
from tokenomics.sections.s08_validation.rows import all_inputs
from tokenomics.sections.s08_validation.targets import COLUMNS, line

ONLINE, SERVER = OPEN
SATURATED = 0.8
"""Share of the rate at which all requests sent at once are completed, above which a queue is said to saturate."""
ROUNDING_MS = 0.5
"""TensorRT-LLM prints the gap between tokens in whole milliseconds."""
LENGTHS = ["model", "isl", "osl"]
SHOWN = ["group", "metric", "n", "median_error", "p90_error", "median_bias", "coverage"]
UNITS = dict.fromkeys(SHOWN, "1") | {"group": "text", "metric": "text"}
LOWER_LOADS = ("cl34b_sarathi_q1_n1000", "cl34b_sarathi_q2_n1000")
HIGHEST_LOAD = "cl34b_sarathi_q3_n1000"
FITS = {"tpot_s": 0.05, "e2e_s": 0.05, "ttft_s": 0.15}
"""Bars on the errors of means of a real run after its first third."""
SHORT = {"itl_mean": "ITL", "ttft_mean": "TTFT"}
_ENDS = {"measured": "value", "predicted": "predicted", "low": "low", "high": "high"}
MEANS = {
    **dict.fromkeys(("run", "times", "metric"), "text"),
    **dict.fromkeys(("reported_s", "replayed_s"), "s"),
    **dict.fromkeys(("error", "decode_factor", "prompt_factor"), "1"),
}
"""Columns of the means of real runs, and their units."""
EXACT = "other simulator, its step times, any request [s]"
OWN_TIMES = "other simulator, our step times, TPOT p50, two lower loads"
BELOW = "TensorRT-LLM online below 80 % of saturation"
HEADLINES = {
    "replay_exact": (EXACT, "s", "largest difference of a request, other simulator's step times"),
    "replay_own": (OWN_TIMES, "1", "worst error of a median TPOT, our step times"),
    "online_itl": (f"{BELOW}, ITL beyond 0.5 ms", "1", "median error of ITL beyond rounding, below saturation"),
    "online_ttft": (f"{BELOW}, TTFT", "1", "median error of TTFT below saturation"),
    "server_llama": ("MLPerf server, Llama-2-70B", "1", "median error of server throughput, Llama-2-70B"),
    "server_mixtral": ("MLPerf server, Mixtral-8x7B", "1", "median error of server throughput, Mixtral"),
}
"""Metric to the bar whose reached value it is, unit and meaning."""
PROMPTS = {"as long as assumed": 1.0, "half as long": 0.5, "twice as long": 2.0}
"""MLPerf's unknown prompts over what is assumed of them."""
NAMES = {"ttft_s": "TTFT", "tpot_s": "TPOT", "e2e_s": "whole request"}


def arrivals() -> pd.DataFrame:
    """Published rows of open loads that can be predicted.

    Returns:
        The columns of :func:`tokenomics.sections.s08_validation.rows.inputs`, with names of the catalogue as ``model`` and
        ``accelerator``, ``predicted, low, high`` in the row's unit, ``error`` (signed), ``limit``: :data:`SATURATED` of
        the requests/s that the same model completed of the same lengths when all came at once, and ``saturated``: the
        rate is above it.
    """
    rows = all_inputs()
    rows = rows[rows["load"].isin(OPEN)].reset_index(drop=True)
    made = score.predict(rows[INPUTS], "inference")
    rows = rows.assign(**made)[made["status"] == "ok"].reset_index(drop=True)
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


def beyond_rounding(rows: pd.DataFrame) -> pd.DataFrame:
    """The same rows with only that part of their error that rounding to whole milliseconds does not explain."""
    off = np.maximum((rows["predicted"] - rows["value"]).abs() - ROUNDING_MS, 0) / rows["value"]
    return rows.assign(error=off)


def groups(rows: pd.DataFrame) -> pd.DataFrame:
    """Errors by load, model and metric; open loads below saturation and all (:data:`SHOWN`)."""
    found = []
    online, server = rows[rows["load"] == ONLINE], rows[rows["load"] == SERVER]
    parts = {"online, below 80 % of saturation": online[~online["saturated"]], "online, all": online, "server": server}
    for name, part in parts.items():
        for (model, metric), some in part.groupby(["model", "metric"], sort=True):
            values = [statistic(some, each) for each in ("median_error", "p90_error")]
            spread = report.coverage(*(some[each].to_numpy(float) for each in ("value", "low", "high")))
            bias = float(some["error"].median())
            found.append((f"{name}, {model}", metric, len(some), *values, bias, spread))
    return pd.DataFrame(found, columns=SHOWN)


def replays() -> pd.DataFrame:
    """The committed table of replayed runs with what each run is, and ``error`` (signed) of each statistic."""
    rows = tables.read("serving/replays")
    about = tables.read("serving/replayed_runs").drop(columns=["requests", "source"])
    rows = rows.merge(about, on=["run", "times"], validate="many_to_one")
    with np.errstate(divide="ignore"):
        return rows.assign(error=rows["replayed_s"] / rows["reported_s"].where(rows["reported_s"] > 0) - 1)


def _worst(rows: pd.DataFrame, times: str, metric: str, named: str, runs: Callable[[pd.Series], pd.Series]) -> tuple:
    """Largest absolute error of a statistic over runs, and how many runs."""
    chosen = (rows["times"] == times) & (rows["metric"] == metric) & (rows["statistic"] == named) & runs(rows["run"])
    found = rows.loc[chosen, "error"].abs()
    return float(found.max()), len(found)


def of_service(rows: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """The bars of this module, in the columns of :data:`tokenomics.sections.s08_validation.targets.COLUMNS`.

    Args:
        rows: as :func:`arrivals` gives them.
        runs: as :func:`replays` gives them.
    """
    return pd.DataFrame([*_of_simulator(runs), *_of_engine(runs), *_of_arrivals(rows)], columns=COLUMNS)


def _of_simulator(runs: pd.DataFrame) -> list[dict[str, object]]:
    exact = runs[(runs["times"] == "theirs") & (runs["statistic"] == "largest_difference")]
    lines = [
        line(
            EXACT,
            "difference",
            1e-5,
            (float(exact["replayed_s"].max()), np.nan),
            int(exact.groupby("run")["requests"].first().sum()),
        )
    ]
    groups = {
        OWN_TIMES: lambda run: run.isin(LOWER_LOADS),
        "beside: the same, highest load": lambda run: run == HIGHEST_LOAD,
        "beside: the same, whole prompts first": lambda run: run.str.contains("_vllm_"),
        "beside: the same, two pipeline stages": lambda run: run.str.startswith("ll70b"),
    }
    for name, chosen in groups.items():
        found, n = _worst(runs, "ours", "tpot_s", "p50", chosen)
        lines.append(line(name, "worst_error", 0.15, (found, np.nan), n))
    return lines


def _of_engine(runs: pd.DataFrame) -> list[dict[str, object]]:
    ways = {
        "vLLM runs after their first third, two numbers fitted, {} mean": "fitted on first third",
        "beside: the same as modelled, {} mean": "modelled",
        "beside: the same, fitted on the other run, {} mean": "fitted on other run",
    }
    lines = []
    for name, times in ways.items():
        for metric, bar in FITS.items():
            found, n = _worst(runs, times, metric, "mean", lambda run: run.notna())
            lines.append(line(name.format(NAMES[metric]), "worst_error", bar, (found, np.nan), n))
    return lines


def _of_arrivals(rows: pd.DataFrame) -> list[dict[str, object]]:
    online = rows[rows["load"] == ONLINE]
    below = online[~online["saturated"]]
    lines = []
    for metric, bar, name, judged in (
        ("itl_mean", 0.10, "ITL beyond 0.5 ms", beyond_rounding),
        ("ttft_mean", 0.25, "TTFT", pd.DataFrame.copy),
    ):
        for group, some in ((BELOW, below), ("beside: at all rates", online)):
            part = judged(some[some["metric"] == metric])
            found = statistic(part, "median_error")
            lines.append(line(f"{group}, {name}", "median_error", bar, (found, np.nan), len(part)))
    served = rows[rows["metric"].isin(MLPERF)]
    for model in ("Llama-2-70B", "Mixtral-8x7B"):
        part = served[served["model"] == model]
        found = statistic(part, "median_error")
        lines.append(line(f"MLPerf server, {model}", "median_error", 0.15, (found, np.nan), len(part)))
    return lines


def quantile_rows(runs: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Quantiles of replayed runs of a kind (``simulator`` or ``engine``), with ``share``, ``ratio`` (replayed over
    reported) and a short ``label`` of the run."""
    rows = runs[(runs["kind"] == kind) & runs["statistic"].str.fullmatch(r"p\d+")]
    label = rows["model"].str.rpartition("-")[2] + rows["rate_qps"].map(", {:.0f}/s".format)
    label += np.where(rows["run"].str.contains("_vllm_"), ", whole prompts", "")
    label += np.where(rows["pp"] > 1, ", two stages", "")
    share = rows["statistic"].str.removeprefix("p").astype(float) / 100
    found = rows.assign(share=share, label=label, ratio=rows["replayed_s"] / rows["reported_s"])
    return found.sort_values(["label", "run", "times", "metric", "share"]).reset_index(drop=True)


def real_distributions(runs: pd.DataFrame) -> pd.DataFrame:
    """Quantiles of real runs as ``run, metric, way, share, seconds``: measured, fitted and as modelled."""
    rows = quantile_rows(runs, "engine").assign(run=lambda each: each["model"])
    parts = [rows[rows["times"] == "modelled"].assign(way="measured", seconds=lambda each: each["reported_s"])]
    for way in ("fitted on first third", "modelled"):
        parts.append(rows[rows["times"] == way].assign(way=way, seconds=lambda each: each["replayed_s"]))
    return pd.concat(parts, ignore_index=True)[["run", "metric", "way", "share", "seconds"]]


def online_curves(rows: pd.DataFrame) -> pd.DataFrame:
    """Latencies of the online runs against their rate, all at once left out, for :func:`drawing_service.online`."""
    some = rows[(rows["load"] == ONLINE) & rows["metric"].isin(SHORT) & np.isfinite(rows["rate_qps"])]
    lengths = some["isl"].map("{:.0f} tokens in, ".format) + some["osl"].map("{:.0f} out".format)
    some = some.assign(lengths=lengths, metric=some["metric"].map(SHORT), measured=some["value"])
    some = some.sort_values(["isl", "osl", "metric", "model", "rate_qps"])
    columns = ["metric", "lengths", "model", "rate_qps", "measured", "predicted", "low", "high", "limit"]
    return some[columns].reset_index(drop=True)


def served(rows: pd.DataFrame) -> pd.DataFrame:
    """MLPerf's server throughput per device, measured and predicted, tokens/s."""
    some = rows[rows["metric"].isin(MLPERF)].sort_values(["model", "accelerator", "n_gpu", "value", "case"])
    each = {name: some[column] / some["n_gpu"] for name, column in _ENDS.items()}
    return some[["model", "accelerator", "n_gpu"]].assign(**each).reset_index(drop=True)


def choices(rows: pd.DataFrame) -> pd.DataFrame:
    """What errors would be with other assumptions: a front end before first tokens, other prompts of MLPerf's.

    Args:
        rows: as :func:`arrivals` gives them.

    Returns:
        choice, n, median_error and median_bias.
    """
    first = rows[(rows["metric"] == "ttft_mean") & ~rows["saturated"] & (rows["load"] == ONLINE)]
    engines = first[["engine", "hardware", "model"]].itertuples(index=False, name=None)
    late = first["predicted"] + 1e3 * np.array([_front_end_s(*each) for each in engines])
    found = {
        f"{BELOW}, TTFT, {name}": made / first["value"] - 1
        for name, made in (("no front end", first["predicted"]), ("usual front end", late))
    }
    answers = rows[rows["metric"].isin(MLPERF)]
    for name, factor in PROMPTS.items():
        made = score.predict(answers[INPUTS], "inference", Setting(prompt=factor * ORCA_PROMPT_TOKENS))["predicted"]
        for model, some in answers.groupby("model"):
            found[f"MLPerf server, {model}, prompts {name}"] = made[some.index] / some["value"] - 1
    lines = [(name, len(off), float(off.abs().median()), float(off.median())) for name, off in found.items()]
    return pd.DataFrame(lines, columns=["choice", "n", "median_error", "median_bias"])


def _front_end_s(engine: str, hardware: str, model: str) -> float:
    """Seconds that a closed loop's first token is known to wait before it is scheduled, without the model's family."""
    known = catalogue.model(model)
    name = profile_name(engine, catalogue.accelerator(hardware))
    return profile(name, known.is_moe, family_of(known)).wait_s
