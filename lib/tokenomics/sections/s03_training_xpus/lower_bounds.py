"""Lower bounds of training and tuning: devices, days and memory of models on accelerators, and their metrics."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from tokenomics.compute import bounds, sizing
from tokenomics.compute.bounds import IdealDevices
from tokenomics.compute.counts.parameters import parameters
from tokenomics.compute.training import tuning
from tokenomics.facts import catalogue
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.claims import claim
from tokenomics.facts.models import Model
from tokenomics.notebook.report import Metric

FLOP_PER_PARAMETER_AND_TOKEN = 6
BYTES_WITHOUT_MASTER_WEIGHTS = 6
"""Weights and gradients of 2 bytes, two moments of 1: no copy of the weights in single precision."""
RECOMPUTATION = 4 / 3
"""Forward passes with all activations recomputed over those without."""
LONGER = 8
DAYS_PER_YEAR = 365.25
BYTES_PER_GB = 1e9


def grid(
    models: Iterable[Model], devices: Iterable[Accelerator], tokens: float, sequence: int, days: float
) -> pd.DataFrame:
    """Lower bounds of training, a row for every model on every accelerator.

    Args:
        tokens: training tokens.
        sequence: tokens of a training sequence.
        days: days in which the run must end.

    Returns:
        model, accelerator, hold_devices (fewest that hold the training state), device_days (for the tokens at full
        peak) and in_time_devices (fewest that hold it and end in time).
    """
    devices = list(devices)
    rows = []
    for on in (sizing.deployment(model, device, "bf16") for model in models for device in devices):
        row = {"model": on.model.name, "accelerator": on.device.name}
        row["hold_devices"] = float(bounds.training_devices_to_hold(on))
        row["device_days"] = float(bounds.training_days(on, tokens, sequence))
        row["in_time_devices"] = float(sizing.devices_to_train(on, tokens, sequence, days))
        rows.append(row)
    return pd.DataFrame(rows)


def row_of(table: pd.DataFrame, own: IdealDevices) -> pd.Series:
    """The row of :func:`grid` for the model and accelerator that the notebook follows."""
    return table.set_index(["model", "accelerator"]).loc[(own.model.name, own.device.name)]


def own_metrics(own: IdealDevices, row: pd.Series, tokens: float) -> dict[str, Metric]:
    """The row of :func:`grid` that the notebook follows."""
    return {
        "own_model": Metric(own.model.name, "text", "model followed through the notebook"),
        "own_accelerator": Metric(own.device.name, "text", "accelerator followed through the notebook"),
        "own_least_devices": Metric(row["hold_devices"], "1", "fewest devices that hold its training state, own model"),
        "own_device_days": Metric(row["device_days"], "day", "lower bound of device-days for the tokens, own model"),
        "own_devices_in_time": Metric(row["in_time_devices"], "1", "fewest devices that train the own model in time"),
        "tokens_tera": Metric(tokens / 1e12, "1e12 token", "training tokens in the tables"),
    }


def days_by_devices(
    models: Iterable[Model], device: Accelerator, tokens: float, sequence: int, most: int
) -> pd.DataFrame:
    """Lower bound of training days by devices, for each model from the fewest that hold it up to ``most``."""
    curves = []
    for model in models:
        hold = bounds.training_devices_to_hold(sizing.deployment(model, device, "bf16"))
        devices = np.unique(np.round(np.geomspace(hold, max(most, hold), 40)))
        days = bounds.training_days(sizing.deployment(model, device, "bf16", devices=devices), tokens, sequence)
        curves.append(pd.DataFrame({"model": model.name, "devices": devices, "days": days}))
    return pd.concat(curves)


def gpt3_metrics(gpt3: Model, tokens: float, sequence: int) -> dict[str, Metric]:
    """GPT-3 on one V100 and on 1024 A100: what others quote, beside the lower bound at the full peak."""
    devices = map(catalogue.accelerator, ("V100-SXM-32GB", "A100-SXM-80GB"))
    v100, a100 = (sizing.deployment(gpt3, device, "bf16") for device in devices)
    years = float(bounds.training_days(v100, tokens, sequence)) / DAYS_PER_YEAR
    days = float(bounds.training_days(a100, tokens, sequence)) / 1024
    rate = claim("gpt3_v100_tflop_per_s")
    return {
        "quoted_v100_years": Metric(claim("gpt3_v100_years"), "year", "GPT-3 on one V100, as quoted"),
        "quoted_v100_rate": Metric(rate, "TFLOP/s", "rate that the quoted V100-years assume"),
        "gpt3_v100_years": Metric(years, "year", "GPT-3 on one V100, lower bound"),
        "quoted_a100_days": Metric(claim("gpt3_days_on_1024_a100"), "day", "GPT-3 on 1024 A100, as quoted"),
        "gpt3_a100_days": Metric(days, "day", "GPT-3 on 1024 A100, lower bound"),
    }


def over_6nd(model: Model, sequence: float | np.ndarray) -> np.ndarray:
    """Exact training FLOP of a token, in sequences of ``sequence`` tokens, over six times the active parameters."""
    return bounds.training_flop(model, 1, sequence) / (FLOP_PER_PARAMETER_AND_TOKEN * parameters(model).active)


def over_6nd_by_sequence(models: Iterable[Model], sequences: np.ndarray) -> pd.DataFrame:
    """:func:`over_6nd` of each model, shape (models * sequences,)."""
    return pd.concat(
        pd.DataFrame({"model": model.name, "sequence_tokens": sequences, "over_6nd_ratio": over_6nd(model, sequences)})
        for model in models
    )


def over_6nd_metrics(model: Model, sequence: int) -> dict[str, Metric]:
    """Exact training FLOP over 6ND for the model that the notebook follows."""
    meaning = "exact training FLOP over 6ND, own model and sequence"
    return {"own_over_6nd": Metric(float(over_6nd(model, sequence)), "1", meaning)}


def tuned(models: Iterable[Model], rank: int, own: IdealDevices) -> pd.DataFrame:
    """Every model tuned by every method: trained parameters, bytes, FLOP over one forward pass, fewest own devices."""
    rows = []
    for model in models:
        for method in tuning.METHODS:
            row = {"model": model.name, "method": method.name}
            row["trained_parameters"] = method.trained_parameters(model, rank)
            row["bytes"] = method.bytes(model, rank)
            row["over_forward_pass_ratio"] = method.forward_passes
            row["hold_devices"] = np.ceil(row["bytes"] / float(own.memory_bytes))
            rows.append(row)
    return pd.DataFrame(rows)


def tuning_memory(table: pd.DataFrame) -> pd.DataFrame:
    """Memory of :func:`tuned` in gigabytes."""
    return table.assign(memory_gb=table["bytes"] / BYTES_PER_GB)[["model", "method", "memory_gb"]]


def tuning_metrics(table: pd.DataFrame, model: Model) -> dict[str, Metric]:
    """Fewest devices that hold the model which the notebook follows, when only adapters are trained."""
    held = table.set_index(["model", "method"])["hold_devices"].loc[model.name]
    return {
        "own_lora_devices": Metric(held["LoRA"], "1", "fewest devices that hold the own model with adapters"),
        "own_qlora_devices": Metric(held["QLoRA"], "1", "fewest devices that hold the own 4-bit model with adapters"),
    }


def sensitivity(
    own: IdealDevices, row: pd.Series, tokens: float, sequence: int, *, run_share: float, release_share: float
) -> pd.DataFrame:
    """Devices and device-days of the own model with one thing changed at a time.

    Args:
        row: of :func:`grid`, unchanged.
        run_share, release_share: share of the bound that measured runs and whole trainings reach.
    """
    eight_bit = sizing.deployment(own.model, own.device, "fp8")
    devices_a_byte = parameters(own.model).total / float(own.memory_bytes)
    held = bounds.TRAINING_BYTES_PER_PARAMETER * devices_a_byte
    days = row["device_days"]
    rows = [
        ("as above", held, days),
        (f"sequence {LONGER} times longer", held, bounds.training_days(own, tokens, LONGER * sequence)),
        ("8-bit arithmetic", held, bounds.training_days(eight_bit, tokens, sequence)),
        ("8-bit moments, no master weights", BYTES_WITHOUT_MASTER_WEIGHTS * devices_a_byte, days),
        ("all activations recomputed", held, days * RECOMPUTATION),
        ("at the median measured share", held, days / run_share),
        ("at the median share of whole trainings", held, days / release_share),
    ]
    table = pd.DataFrame(rows, columns=["change", "hold_devices", "device_days"])
    return table.assign(hold_devices=np.ceil(table["hold_devices"]), device_days=table["device_days"].astype(float))
