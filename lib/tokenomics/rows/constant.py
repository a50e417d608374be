"""The model ``constant`` of the scorer: what one number for each accelerator and metric would do.

A bound times the median efficiency of that accelerator and metric over the measurement tables, rows of the same model
family left out, so that every later model's error stands beside it. Where fewer than :data:`ENOUGH` rows are left, the
accelerator's generation is taken, then the metric on all devices, then ever wider kin of the metric (see
:func:`spread`). The interval runs from the 10 % to the 90 % quantile of those efficiencies; neither it nor the median
crosses the bound. Energy and emissions have no bound; their reference is the power limit over the least time.
"""

import re
from functools import cache

import numpy as np
import pandas as pd

from tokenomics import paths
from tokenomics.compute import bounds
from tokenomics.facts import catalogue, measurements
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.measurements import METRICS
from tokenomics.facts.models import Model
from tokenomics.rows import predict as score
from tokenomics.rows import reading
from tokenomics.rows.bounds import training_device_seconds
from tokenomics.rows.case import Case, Prediction, predictors, register
from tokenomics.rows.units import DIMENSIONS

ENOUGH = 3
"""Fewer rows say nothing of quantiles."""
QUANTILES = (0.1, 0.5, 0.9)
REFERENCE = "reference"
J_PER_KWH = 3.6e6


@register(REFERENCE, ["energy_per_output_token"], needs=["batch", "osl"])
def _energy_per_token(case: Case) -> Prediction:
    return Prediction(_request_energy(case) / case["osl"])


@register(REFERENCE, ["gpu_energy_per_request"], needs=["batch", "osl"])
def _energy_per_request(case: Case) -> Prediction:
    return Prediction(_request_energy(case))


def _request_energy(case: Case) -> np.ndarray:
    """Joules of a request, with all devices at their power limit for the least time; unknown prompts count as one."""
    seconds = bounds.generate_seconds(case.deployment, case["batch"], case.known("isl", 1), case["osl"])
    return _limit_w(case) * case["n_gpu"] * seconds / case["batch"]


@register(REFERENCE, ["energy"], needs=["tokens_b"])
def _training_energy(case: Case) -> Prediction:
    return Prediction(_limit_w(case) * training_device_seconds(case))


@register(REFERENCE, ["emissions"], needs=["tokens_b", "grid_kgco2_per_kwh"])
def _emissions(case: Case) -> Prediction:
    kwh = _limit_w(case) * training_device_seconds(case) * case.known("pue", 1) / J_PER_KWH
    return Prediction(kwh * case["grid_kgco2_per_kwh"])


def _limit_w(case: Case) -> float:
    return case.device.tdp_w or np.nan


for _metric, _entry in predictors("bounds").items():
    register(REFERENCE, [_metric], _entry.needs)(_entry.predict)


def constant(case: Case) -> Prediction:
    """The reference of a case times efficiencies learned from other families."""
    found = predictors(REFERENCE)[case.metric].predict(case)
    if case.metric == "fits_in_memory":
        return found
    low, median, high = efficiency(case.metric, case.load, case.device, family_of(case.model))
    if np.isnan(median):
        return Prediction(np.full_like(case["n_gpu"], np.nan))
    reference = np.asarray(found.value, dtype=float)
    lowest, highest = np.asarray(found.low, float), np.asarray(found.high, float)
    low, median, high = (np.fmin(np.fmax(reference * each, lowest), highest) for each in (low, median, high))
    return Prediction(median, low, high, found.fits)


for _metric, _entry in predictors(REFERENCE).items():
    register("constant", [_metric], _entry.needs)(constant)


@cache
def efficiency(metric: str, load: str, device: Accelerator, family: str) -> tuple[float, ...]:
    """Quantiles of measured over reference for a metric on a device, without one family; NaN if nothing is known."""
    return spread(ratios(), metric, load, device, family)


def spread(table: pd.DataFrame, metric: str, load: str, device: Accelerator, family: str) -> tuple[float, ...]:
    """Quantiles :data:`QUANTILES` of the nearest group of ``table`` that has enough rows.

    Nearest is: this metric on this device, on its generation, on any; this quantity (``ttft_p99`` is ``ttft``) under
    this load; what is limited alike (say times of inference) under this load; then both under any load.

    Args:
        table: rows as :func:`ratios` gives them.
        metric: what is to be predicted.
        load: how its requests arrive.
        device: the accelerator.
        family: the model family to leave out.

    Returns:
        Three ratios; NaN where no group has enough rows.
    """
    others = table[table["model_family"] != family]
    same, under = others["metric"] == metric, others["load"] == load
    alike, kin = others["quantity"] == quantity(metric), others["limit"] == limit(metric)
    groups = (
        same & (others["accelerator"] == device.name),
        same & (others["generation"] == (device.generation or "")),
        same,
        alike & under,
        kin & under,
        alike,
        kin,
    )
    for group in groups:
        if group.sum() >= ENOUGH:
            return tuple(others.loc[group, "ratio"].quantile(QUANTILES))
    return (np.nan,) * len(QUANTILES)


@cache
def ratios() -> pd.DataFrame:
    """Measured over reference for every row that may serve validation.

    Returns:
        case, metric, load, quantity, limit, accelerator, generation, model_family, ratio.
    """
    return pd.concat([_ratios(kind) for kind in measurements.KINDS], ignore_index=True)


def _ratios(kind: str) -> pd.DataFrame:
    table = measurements.read(kind)
    chunk = next(reading.chunks(paths.DATA / "measurements" / f"{kind}.csv", rows=len(table)))
    inputs = chunk.inputs.loc[measurements.for_validation(table).index]
    made = score.predict(inputs, REFERENCE)
    inputs = inputs[(made["status"] == "ok") & (inputs["metric"] != "fits_in_memory")]
    devices = [score.record("accelerator", name) for name in inputs["hardware"]]
    family = measurements.folds().query("table == @kind").set_index("case")["model_family"]
    return pd.DataFrame(
        {
            "case": chunk.text.loc[inputs.index, "case"],
            "metric": inputs["metric"],
            "load": inputs["load"],
            "quantity": inputs["metric"].map(quantity),
            "limit": inputs["metric"].map(limit),
            "accelerator": [device.name for device in devices],
            "generation": [device.generation or "" for device in devices],
            "model_family": chunk.text.loc[inputs.index, "case"].map(family),
            "ratio": chunk.measured[inputs.index] / made.loc[inputs.index, "predicted"],
        }
    )


def quantity(metric: str) -> str:
    """A metric without its statistic: ``ttft_p99`` is ``ttft``; ``itl`` is ``tpot``."""
    return re.sub(r"_(mean|p\d+)$", "", metric).replace("itl", "tpot")


def limit(metric: str) -> str:
    """What a metric is limited by, as text: its kind, the dimension of its unit, and from which side."""
    facts = METRICS[metric]
    dimension = next(iter(DIMENSIONS[facts.units[0]])).replace("GPU-hours", "s") if facts.units else ""
    return f"{facts.kind} {dimension} {facts.better}"


@cache
def family_of(model: Model) -> str:
    """The fold of a model: that of its name or shape, or of a catalogued model with the same numbers (a user's own
    file may rename one); else its own family."""
    twins = [each for each in catalogue.models().values() if _numbers(each) == _numbers(model)]
    folds = measurements.folds()
    for each in (model, *twins):
        found = folds[(folds["model"] == each.name) | (folds["model_shape"] == each.family)]["model_family"]
        if len(found):
            return found.iloc[0]
    return model.family


def _numbers(model: Model) -> tuple:
    return model.layers, model.d_model, model.heads, model.kv_heads, model.d_ff, model.expert_width, model.experts
