"""The model ``constant`` of the scorer: one efficiency for each accelerator and metric.

The baseline of every other model: a bound times the median efficiency of that accelerator and metric over the
measurement tables, with the model family of the row held out. Where fewer than :data:`ENOUGH` rows are left, the
accelerator's generation is taken, then the metric on all devices, then ever wider groups of metrics (see
:func:`spread`). The interval runs from the 10 % to the 90 % quantile of those efficiencies; neither it nor the median
crosses the bound. Energy and emissions have no bound; their reference is the power limit over the least time.
"""

import re
from collections.abc import Mapping
from functools import cache

import numpy as np
import pandas as pd

from tokenomics.compute import bounds
from tokenomics.estimate import held
from tokenomics.facts import catalogue, measurements
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.measurements import METRICS
from tokenomics.rows import reading, units
from tokenomics.rows.bounds import PREDICTORS as BOUNDS
from tokenomics.rows.bounds import training_device_seconds
from tokenomics.rows.case import Case, Prediction, Predictor
from tokenomics.rows.held_out import family_of
from tokenomics.rows.predict import predict, record

ENOUGH = 3
"""Fewest rows from which quantiles are taken."""
QUANTILES = (0.1, 0.5, 0.9)
J_PER_KWH = 3.6e6


def _energy_per_token(case: Case) -> Prediction:
    return Prediction(_request_energy(case) / case["osl"])


def _energy_per_request(case: Case) -> Prediction:
    return Prediction(_request_energy(case))


def _request_energy(case: Case) -> np.ndarray:
    """Joules of a request, with all devices at their power limit for the least time; unknown prompts count as one."""
    seconds = bounds.generate_seconds(case.deployment, case["batch"], case.known("isl", 1), case["osl"])
    return _limit_w(case) * case["n_gpu"] * seconds / case["batch"]


def _training_energy(case: Case) -> Prediction:
    return Prediction(_limit_w(case) * training_device_seconds(case))


def _emissions(case: Case) -> Prediction:
    kwh = _limit_w(case) * training_device_seconds(case) * case.known("pue", 1) / J_PER_KWH
    return Prediction(kwh * case["grid_kgco2_per_kwh"])


def _limit_w(case: Case) -> float:
    return case.device.tdp_w or np.nan


REFERENCES: Mapping[str, Predictor] = {
    "energy_per_output_token": Predictor(_energy_per_token, needs=("batch", "osl")),
    "gpu_energy_per_request": Predictor(_energy_per_request, needs=("batch", "osl")),
    "energy": Predictor(_training_energy, needs=("tokens_b",)),
    "emissions": Predictor(_emissions, needs=("tokens_b", "grid_kgco2_per_kwh")),
    **BOUNDS,
}
"""The reference value of each metric, of which the efficiency is a share."""


def _predict(case: Case) -> Prediction:
    """The reference of a case times efficiencies learned from other families."""
    reference = REFERENCES[case.metric].predict(case)
    if case.metric == "fits_in_memory":
        return reference
    efficiencies = efficiency(case.metric, case.load, case.device, family_of(case.model))
    if np.isnan(efficiencies).all():
        return Prediction(np.full_like(case["n_gpu"], np.nan))
    low, median, high = (np.asarray(reference.value, float) * share for share in efficiencies)
    return Prediction(*held(median, low, high, reference.low, reference.high), reference.fits)


PREDICTORS: Mapping[str, Predictor] = {
    metric: Predictor(_predict, reference.needs) for metric, reference in REFERENCES.items()
}


@cache
def efficiency(metric: str, load: str, device: Accelerator, family: str) -> tuple[float, ...]:
    """Quantiles of measured over reference for a metric on a device, without one family; NaN if nothing is known."""
    return spread(ratios(), metric, load, device, family)


def spread(table: pd.DataFrame, metric: str, load: str, device: Accelerator, family: str) -> tuple[float, ...]:
    """Quantiles :data:`QUANTILES` of the nearest group of ``table`` that has enough rows.

    From the nearest group on: this metric on this device, on its generation, on any device; this quantity (``ttft_p99``
    is ``ttft``) under this load; metrics of the same kind and unit (say, times of inference) under this load; then
    the last two under any load.

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
    same_quantity, same_limit = others["quantity"] == quantity(metric), others["limit"] == limit(metric)
    groups = (
        same & (others["accelerator"] == device.name) & catalogue.holds(device),
        same & (others["generation"] == (device.generation or "")),
        same,
        same_quantity & under,
        same_limit & under,
        same_quantity,
        same_limit,
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
    chunk = reading.published(kind)
    inputs = chunk.inputs.loc[measurements.for_validation(measurements.read(kind)).index]
    if kind == "training_runs":  # a sweep says how layouts differ, not how well training runs
        inputs = inputs[chunk.text.loc[inputs.index, "kind"] != measurements.SWEEP]
    references = predict(inputs, REFERENCES)
    inputs = inputs[(references["status"] == "ok") & (inputs["metric"] != "fits_in_memory")]
    devices = [record("accelerator", name) for name in inputs["hardware"]]
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
            "ratio": chunk.measured[inputs.index] / references.loc[inputs.index, "predicted"],
        }
    )


def quantity(metric: str) -> str:
    """A metric without its statistic: ``ttft_p99`` is ``ttft``; ``itl`` is ``tpot``."""
    return re.sub(r"_(mean|p\d+)$", "", metric).replace("itl", "tpot")


def limit(metric: str) -> str:
    """The kind of a metric, the dimension of its unit and which direction is better, as text."""
    facts = METRICS[metric]
    dimension = next(iter(units.DIMENSIONS[facts.units[0]])).replace("GPU-hours", "s") if facts.units else ""
    return f"{facts.kind} {dimension} {facts.better}"
