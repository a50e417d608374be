"""How many devices, from bounds alone: the questions a buyer asks, put to :mod:`tokenomics.compute.bounds`.

Everything here inherits what bounds leave out: communication, activations, host time, any efficiency below one. So an
answer in devices or days is an "at least", one in tokens per second an "at most".
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.compute import bounds
from tokenomics.compute.bounds import IdealDevices, Precision
from tokenomics.compute.counts.flops import flops_attention, flops_weights
from tokenomics.compute.counts.parameters import WeightFormat, kv_bytes
from tokenomics.errors import DataError
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.models import Model

TYPES_BY_BITS = {16: ("bf16", "fp16"), 8: ("fp8", "int8"), 4: ("fp4",)}
"""Data types in which matrices stored with so many bits can be multiplied; wider ones are tried as well."""
MEMORY, BANDWIDTH, COMPUTE = "memory", "bandwidth", "compute"


def fastest_dtype(device: Accelerator, bits: int) -> str:
    """The data type of at least ``bits`` with the highest published dense peak of a device.

    A device that publishes nothing so wide (phones state 8-bit integers only) is given its narrower peak: wider
    arithmetic is never faster, so the answer stays a bound.

    Raises:
        DataError: other widths than 16, 8 and 4 bits.
    """
    if bits not in TYPES_BY_BITS:
        raise DataError("fastest_dtype", "bits", bits, ", ".join(map(str, TYPES_BY_BITS)))
    wide = [each for width, types in TYPES_BY_BITS.items() if width >= bits for each in types]
    narrow = [each for types in TYPES_BY_BITS.values() for each in types if each not in wide]
    for choice in (wide, ["tf32", "fp32"], narrow):
        stated = {each: peak for each in choice if (peak := published_peak(device, each))}
        if stated:
            return max(stated, key=stated.get)
    raise DataError(device.name, "peak", "missing", "a peak of some data type")


def published_peak(device: Accelerator, dtype: str) -> float | None:
    """The dense peak in FLOP/s (operations/s for int8) that the vendor states for exactly this type; else ``None``."""
    return getattr(device, f"peak_{dtype}_{'op' if dtype == 'int8' else 'flop'}_per_s")


def deployment(model: Model, device: Accelerator, bits: int = 16, kv_bits: float = 16, devices: ArrayLike = 1):
    """A model stored in ``bits`` per weight on ``devices``, multiplied in the device's fastest type of that width."""
    precision = Precision(WeightFormat(bits), kv_bits, fastest_dtype(device, bits))
    return IdealDevices(model, device, precision, devices)


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
    waits = decode_flop_per_byte(on, batch, context) < on.device.ridge_flop_per_byte(on.precision.dtype)
    return np.where(fits(on, context, batch), np.where(waits, BANDWIDTH, COMPUTE), MEMORY)


def decode_flop_per_byte(on: IdealDevices, batch: ArrayLike, context: ArrayLike) -> NDArray[np.float64]:
    """FLOP of a decode step per byte of weights and cache that it must read: the abscissa of the roofline."""
    batch, context = np.asarray(batch, dtype=float), np.asarray(context, dtype=float)
    flop = batch * (flops_weights(on.model) + flops_attention(on.model, 1.0, context - 1))
    read = np.minimum(context, on.model.index_topk or np.inf)
    return flop / (on.touched_bytes(batch) + batch * kv_bytes(on.model, read, on.precision.kv_bits))
