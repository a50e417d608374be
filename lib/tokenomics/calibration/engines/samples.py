"""Measured rows to which engine profiles are fitted, in the input columns of the scorer."""

from importlib import resources, util
from pathlib import Path

import numpy as np
import pandas as pd

from tokenomics.calibration.engines import campaigns, unfit
from tokenomics.calibration.engines.profiles import duration
from tokenomics.compute.counts.precision import parse
from tokenomics.compute.inference.engines import profile_name
from tokenomics.errors import RunError
from tokenomics.facts import measurements
from tokenomics.rows import reading
from tokenomics.rows.held_out import KINDS, family_of
from tokenomics.rows.inference import LOADS
from tokenomics.rows.predict import record

SILICON = "silicon_sample"
PACKAGE = "aiconfigurator_core"
TTFT_TPOT = (("ttft_mean", "silicon_ttft_ms"), ("tpot_mean", "silicon_tpot_ms"))
PROVIDER = "provider API"
"""Not an engine: the software and its load are unknown."""
SAME = ["backend", "system", "isl", "osl", "silicon_ttft_ms", "silicon_tpot_ms"]
"""Rows with equal values here are duplicates of one measurement, whatever model or layout they name."""
NODE = 8
"""Devices of every machine of the sample's single-node benchmarks."""
LATENT = "DeepSeek|Kimi|GLM"
"""Models with latent attention, whose cache SGLang keeps in 16 bit whatever the weights are."""
ENGINES = {"trtllm": "trtllm 1.0", "vllm": "vllm 0.12"}
"""The sample's engines are all of 2025 and 2026; some of its versions are those of the server around them."""
PUBLISHED_AS = {
    "Qwen/Qwen3-235B-A22B-FP8": "Qwen3-235B-A22B",
    "nvidia/Llama-3.1-8B-Instruct-FP8": "Llama-3.1-8B",
    "nvidia/DeepSeek-R1-NVFP4": "DeepSeek-R1",
    "nvidia/Qwen3-32B-NVFP4": "Qwen3-32B",
    "nvidia/DeepSeek-V3.1-NVFP4": "DeepSeek-V3",
}
"""Quantised checkpoints under the name of the architecture."""


def measured() -> pd.DataFrame:
    """Rows to fit to: those of :func:`examined` that are not left out.

    Raises:
        RunError: the package with the silicon sample is not installed.
    """
    return fit_for(examined())


def fit_for(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of :func:`examined` that are not left out."""
    return rows[rows["reason"] == unfit.FIT].reset_index(drop=True)


def examined() -> pd.DataFrame:
    """All rows: inputs of the scorer, ``table, case, value, source``, and what is known of each.

    Returns:
        ``family, accelerator, canonical`` (model), ``moe, profile, engine_word`` (no version), ``version, date`` and
        ``spec_method`` (empty: not stated), ``bits`` of the weights, ``seconds`` (a duration; rates inverted),
        ``campaign`` (:mod:`.campaigns`), ``reason`` and ``ratio`` (:mod:`.unfit`).

    Raises:
        RunError: the package with the silicon sample is not installed.
    """
    rows = _named()
    pairs = campaigns.copies(rows)
    rows["campaign"] = campaigns.campaigns(rows, pairs)
    return rows.join(unfit.reasons(rows, rows["table"] == SILICON))


def _named() -> pd.DataFrame:
    """Rows of known models and devices, with everything that tells a campaign or a copy."""
    frames = [_published(kind) for kind in KINDS] + [silicon()]
    rows = pd.concat(frames, ignore_index=True)
    devices = {name: record("accelerator", name) for name in rows["hardware"].unique()}
    models = {name: record("model", name) for name in rows["model"].unique()}
    rows = rows[rows["hardware"].map(devices).notna() & rows["model"].map(models).notna()]
    rows = rows.assign(
        accelerator=rows["hardware"].map(lambda name: devices[name].name),
        family=rows["model"].map(lambda name: family_of(models[name])),
        canonical=rows["model"].map(lambda name: models[name].name),
        moe=rows["model"].map(lambda name: models[name].is_moe),
        profile=[profile_name(e, devices[h]) for e, h in zip(rows["engine"], rows["hardware"], strict=True)],
        bits=rows["precision"].map(lambda text: round(np.max(parse(text or "fp16").weights.bits))),
        seconds=duration(rows, rows["value"].to_numpy(float)),
    ).reset_index(drop=True)
    return rows.assign(engine_word=rows["profile"].str.split().str[0])


def _published(kind: str) -> pd.DataFrame:
    """Rows of a measurement table that may serve validation, of loads that need no queue."""
    table = measurements.read(kind)
    chunk = reading.published(kind)
    keep = measurements.for_validation(table, without=("unverified", "suspect")).index
    inputs = chunk.inputs.loc[keep]
    inputs = inputs[inputs["load"].isin(LOADS) & (inputs["metric"] != "fits_in_memory")]
    inputs = inputs[inputs["engine"] != PROVIDER]
    early = table.get("early_software", pd.Series(False, index=table.index)).fillna(False)
    return inputs.assign(
        table=kind,
        case=table.loc[inputs.index, "case"],
        source=table.loc[inputs.index, "source"],
        grade=table.loc[inputs.index, "grade"],
        early=early.loc[inputs.index].astype(bool),
        version=table.loc[inputs.index, "engine_version"],
        date=table.loc[inputs.index, "date"].dt.strftime("%Y-%m-%d"),
        spec_method=table.loc[inputs.index, "spec_method"],
        value=chunk.measured[inputs.index],
    )


def silicon() -> pd.DataFrame:
    """Aggregated rows of the package's sample of measured servers, without duplicates, one row a metric.

    Duplicates whose tensor parallelism disagrees are dropped altogether; so are rows whose stated concurrency is not
    their batch size (several servers, or a load that was never reached).
    """
    raw = sample()
    raw = raw[raw["mode"] == "agg"]
    raw = raw[raw.groupby(SAME)["tp_size"].transform("nunique") == 1].drop_duplicates(SAME)
    stated = raw["silicon_data_source"].str.extract(r"concurrency=(\d+)")[0].astype(float)
    raw = _multiplied_out(raw[stated.isna() | (stated == raw["batch_size"])])
    experts = (raw["moe_tp_size"] * raw["moe_ep_size"]).clip(lower=1)
    groups = raw["attention_dp_size"].fillna(1).clip(lower=1)
    groups = np.maximum(groups, experts // raw["tp_size"])  # experts over more devices than attention: data parallel
    inputs = pd.DataFrame(
        {
            "model": raw["model_name"],
            "hardware": raw["system"],
            "unit": "ms",
            "load": "closed",
            "precision": precisions(raw),
            "kv_precision": np.where((raw["backend"] == "sglang") & raw["model_path"].str.contains(LATENT), "bf16", ""),
            "engine": raw["engine"],
            "n_gpu": raw["tp_size"] * raw["pp_size"] * groups,
            "tp": raw["tp_size"],
            "pp": raw["pp_size"],
            "dp": groups,
            "ep": raw["moe_ep_size"].clip(lower=1),
            "isl": raw["isl"].astype(float),
            "osl": raw["osl"].astype(float),
            "batch": raw["batch_size"],
            "rate_qps": np.nan,
            "table": SILICON,
            "case": raw["id"],
            "source": SILICON,
            "grade": "B",
            "early": False,
            "version": raw["backend_version"],
            "date": raw["silicon_data_source"].str.extract(r"measured=(\d{4}-\d\d-\d\d)")[0],
            "spec_method": "",
        }
    )
    return pd.concat([inputs.assign(metric=m, value=raw[column]) for m, column in TTFT_TPOT], ignore_index=True)


def _multiplied_out(raw: pd.DataFrame) -> pd.DataFrame:
    """Tensor or data parallelism beyond a node's eight devices, with experts spread: multiplied by the spread.

    Every measurement that the sample holds with two layouts stands there once with, say, TP 8 and EP 8, and once with
    TP 64 and experts both cut by 8 and spread over 8; the machines have eight devices.
    """
    for name in ("tp_size", "attention_dp_size"):
        over = (raw[name] > NODE) & (raw["moe_ep_size"] > 1)
        right = {each: raw[each].where(~over, raw[each] / raw["moe_ep_size"]) for each in (name, "moe_tp_size")}
        raw = raw.assign(**right)
    return raw


def sample() -> pd.DataFrame:
    """The package's sample as it is, with ``model_name`` and ``engine`` as the scorer knows them.

    Raises:
        RunError: the package is not installed.
    """
    if util.find_spec(PACKAGE) is None:
        raise RunError(f"{PACKAGE} is not installed: pip install 'tokenomics-lab[calibration]'")
    raw = pd.read_csv(Path(str(resources.files(PACKAGE))) / "systems" / "silicon_sample.csv")
    names = raw["model_path"].replace(PUBLISHED_AS)
    return raw.assign(model_name=names, engine=raw["backend"].map(ENGINES).fillna(raw["backend"]))


def precisions(raw: pd.DataFrame) -> list[str]:
    """The scorer's word for the quantisation of each row of the sample."""
    dense = raw["gemm_quant_mode"].fillna("bf16")
    experts = raw["moe_quant_mode"].fillna(dense)
    return [_precision(*each) for each in zip(raw["model_path"], dense, experts, strict=True)]


def _precision(model: str, dense: str, experts: str) -> str:
    """The scorer's word for the sample's quantisation; gpt-oss is MXFP4 as published, whatever the sample says."""
    if "gpt-oss" in model:
        return "mxfp4"
    if "fp8_block" in (dense, experts):
        return "fp8 block"
    return {"int4_wo": "w4a16 g32"}.get(dense, dense)
