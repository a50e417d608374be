"""How many devices, from bounds alone: the questions a buyer asks, put to :mod:`tokenomics.compute.bounds`.

Everything here inherits what bounds leave out: communication, activations, host time, any efficiency below one. So an
answer in devices or days is an "at least", one in tokens per second an "at most".
"""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.compute import bounds
from tokenomics.compute.bounds import IdealDevices
from tokenomics.compute.counts.flops import flops_attention, flops_weights
from tokenomics.compute.counts.parameters import kv_bytes
from tokenomics.compute.counts.precision import parse, stored
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.models import Model

MEMORY, BANDWIDTH, COMPUTE = "memory", "bandwidth", "compute"


def deployment(
    model: Model, device: Accelerator, weight_format: str = "", kv_bits: float = 16, devices: ArrayLike = 1
) -> IdealDevices:
    """A model on ``devices``, its weights stored in a format and multiplied in the arithmetic of that format.

    Args:
        weight_format: as published tables write it; empty: as the model is published, else bf16.
        kv_bits: bits of a cached key or value.

    Raises:
        DataError: a text that names no known format.
    """
    precision = parse(stored(model, weight_format)[0])
    return IdealDevices(model, device, replace(precision, kv_bits=kv_bits), devices)


def devices_to_train(on: IdealDevices, tokens: ArrayLike, sequence: ArrayLike, days: ArrayLike) -> NDArray[np.float64]:
    """Least whole devices that train on ``tokens`` within ``days`` and hold weights, gradients and Adam's state.

    Returns:
        Devices, in the broadcast shape of tokens, sequence and days; ``on.devices`` is not looked at.
    """
    single = IdealDevices(on.model, on.device, on.precision)
    device_days = bounds.training_days(single, tokens, sequence)
    hold = bounds.training_devices_to_hold(single)
    return np.maximum(np.ceil(device_days / np.asarray(days, dtype=float)), hold)


def fits(on: IdealDevices, context: ArrayLike, batch: ArrayLike) -> NDArray[np.bool_]:
    """Whether weights and the caches of ``batch`` sequences of ``context`` tokens fit in the devices' memory."""
    return bounds.memory_bytes(on, batch, context) <= on.memory_bytes


def limited_by(on: IdealDevices, batch: ArrayLike, context: ArrayLike) -> NDArray[np.str_]:
    """What stops a decode step from being faster or its batch from being larger: memory, bandwidth or compute.

    ``memory`` where weights and caches do not fit at all; else the longer of the two times of the roofline.
    """
    waits = decode_flop_per_byte(on, batch, context) < on.ridge_flop_per_byte
    return np.where(fits(on, context, batch), np.where(waits, BANDWIDTH, COMPUTE), MEMORY)


def decode_flop_per_byte(on: IdealDevices, batch: ArrayLike, context: ArrayLike) -> NDArray[np.float64]:
    """FLOP of a decode step per byte of weights and cache that it must read: the abscissa of the roofline."""
    batch, context = np.asarray(batch, dtype=float), np.asarray(context, dtype=float)
    flop = batch * (flops_weights(on.model) + flops_attention(on.model, 1.0, context - 1))
    read = np.minimum(context, on.model.index_topk or np.inf)
    return flop / (on.touched_bytes(batch) + batch * kv_bytes(on.model, read, on.precision.kv_bits))
