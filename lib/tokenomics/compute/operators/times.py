"""Seconds of one operator on one accelerator: a roofline with the four ways in which kernels fall short of it.

Every formula has the shape ``floor + smooth maximum(FLOP / (efficiency peak), bytes / (efficiency bandwidth))``:

* a floor, the time of the smallest call on the device (tables were measured inside CUDA graphs, unless
  the floor says otherwise: some FP8 block kernels were launched from the host and start at 50 microseconds and more);
* efficiencies, the shares of peak and bandwidth that large shapes reach, never above one;
* a smooth maximum ``(a^p + b^p)^(1/p)``, since memory and arithmetic overlap only in part;
* tiles: work is cut into tiles that the device's units do in waves, the last one incomplete.

Arguments are numbers or arrays and are broadcast; the result has their common shape. Parameters come from
:func:`tokenomics.compute.operators.fitted.parameters`, which also gives the interval. The formulas are this
project's; the roofline is Williams et al. 2009, tiles and waves as in NVIDIA's matrix multiplication guide, collectives
the alpha-beta model of Thakur et al. 2005. Left out: neighbours in the pipeline (prefetching of weights, power
throttling over seconds), clocks, host time, and anything that shares the device.
"""

import numpy as np
from numpy.typing import ArrayLike

from tokenomics.compute.operators.attention import (
    decode_attention_seconds,
    mla_decode_seconds,
    mla_prefill_seconds,
    prefill_attention_seconds,
)
from tokenomics.compute.operators.fitted import OperatorParameters, parameters
from tokenomics.compute.operators.forms import (
    PRECISIONS,
    RESULT_BYTES,
    ROW_TILE,
    SMALLEST_TILE,
    SWITCH_ROWS,
    Times,
    arrays,
    precision,
    read_seconds,
    smooth_maximum,
    wave_loss,
)
from tokenomics.errors import DataError
from tokenomics.facts.accelerators import Accelerator

__all__ = [
    "PRECISIONS",
    "OperatorParameters",
    "all_reduce_seconds",
    "all_to_all_seconds",
    "decode_attention_seconds",
    "distinct_experts",
    "elementwise_seconds",
    "expert_gemm_seconds",
    "gemm_seconds",
    "mla_decode_seconds",
    "mla_prefill_seconds",
    "parameters",
    "prefill_attention_seconds",
]


def gemm_seconds(
    p: OperatorParameters,
    device: Accelerator,
    m: ArrayLike,
    n: ArrayLike,
    k: ArrayLike,
    *,
    stored_bytes: float | None = None,
) -> Times:
    """A product of activations (m x k) with weights (k x n); weights are read from memory, not from a cache.

    Rows of a tile shrink to the power of two that holds ``m``. ``stored_bytes`` are those of a weight where the storage
    is not the kernel's usual one. Includes the quantising of activations where
    the engine does it in the call. Measured for n and k from 256 to 65,536, m up to 32,768.

    Raises:
        DataError: a data type outside :data:`PRECISIONS`, or one that the device cannot compute.
    """
    m, n, k = arrays(m, n, k)
    dtype, weight_bytes, activation_bytes = precision(p)
    weight_bytes = weight_bytes if stored_bytes is None else stored_bytes
    bandwidth = device.bandwidth_bytes_per_s
    rows = np.minimum(p.tile_rows, 2 ** np.ceil(np.log2(np.maximum(m, SMALLEST_TILE))))
    row_tiles, column_tiles = np.ceil(m / rows), np.ceil(n / p.tile_columns)
    padded = row_tiles * rows * column_tiles * p.tile_columns * (k + p.ramp)
    loss = wave_loss(p, row_tiles * column_tiles)
    compute = 2 * padded * loss / (p.flop_efficiency * device.peak_flop_per_s(dtype))
    moved = weight_bytes * n * k + activation_bytes * m * k + RESULT_BYTES * m * n
    memory = moved / (p.byte_efficiency * bandwidth)
    floor = p.floor_s + p.extra_floor_s * (m >= SWITCH_ROWS) + p.extra_traffic * m * k / bandwidth
    return floor + smooth_maximum(p, compute, memory)


def distinct_experts(choices: ArrayLike, experts: ArrayLike, spread: float = 1.0) -> Times:
    """Experts that ``choices`` random choices touch on average; ``spread`` below one where some are favoured.

    ``experts (1 - exp(-spread choices / experts))``, the limit of ``1 - (1 - 1/E)^choices`` for many experts, and at
    least one as soon as there is a choice.
    """
    choices, experts = arrays(choices, experts)
    touched = experts * -np.expm1(-spread * choices / experts)
    return np.maximum(touched, np.minimum(choices, 1.0))


def expert_gemm_seconds(
    p: OperatorParameters,
    device: Accelerator,
    tokens: ArrayLike,
    *,
    hidden: ArrayLike,
    width: ArrayLike,
    experts: ArrayLike,
    top_k: ArrayLike,
    expert_parallel: ArrayLike = 1,
    skewed: ArrayLike = True,
    alike: bool = False,
) -> Times:
    """The gated MLPs of a layer's routed experts on the fullest device, with permuting and combining.

    Args:
        p: parameters of ``expert_gemm``.
        device: the accelerator.
        tokens: tokens of all devices that share the experts.
        hidden: width of the residual stream.
        width: inner width of an expert on this device (divided by tensor parallelism).
        experts, top_k: routed experts of the layer, and those a token is sent to.
        expert_parallel: devices over which the experts are spread.
        skewed: choices as skewed as a power law of exponent 1.2 (like real text); else perfectly balanced.
        alike: all tokens choose the same experts, as those of equal prompts do.
    """
    tokens, hidden, width, experts, top_k, spread = arrays(tokens, hidden, width, experts, top_k, expert_parallel)
    dtype, weight_bytes, _ = precision(p)
    local = np.maximum(experts / spread, 1.0)
    even = tokens * top_k / spread
    fullest = np.minimum(even * spread**p.skew_load, tokens * np.minimum(top_k, local))
    load = np.where(skewed, fullest, even)
    touched = np.where(skewed, distinct_experts(load, local, p.skew_distinct), np.minimum(local, np.maximum(even, 1.0)))
    touched = np.minimum(touched, np.minimum(top_k, local)) if alike else touched
    touched = np.maximum(touched, np.minimum(local, np.maximum(top_k / spread, 1.0)))  # a token's choices differ
    rows = load + touched * p.expert_rows / 2
    tiles = rows / ROW_TILE * np.ceil(width / ROW_TILE)
    loss = (1 + p.compute_units / (2 * tiles)) ** p.wave
    compute = 6 * rows * hidden * width * loss / (p.flop_efficiency * device.peak_flop_per_s(dtype))
    weights = touched * 3 * hidden * width * weight_bytes
    memory = weights / (p.byte_efficiency * device.bandwidth_bytes_per_s)
    apart = p.expert_s * experts + p.extra_traffic * load * (hidden + width) / device.bandwidth_bytes_per_s
    return p.floor_s + apart + smooth_maximum(p, compute, memory)


def all_reduce_seconds(p: OperatorParameters, device: Accelerator, message: ArrayLike, devices: ArrayLike) -> Times:
    """Sum of ``message`` bytes that every one of ``devices`` holds, within one fast domain; 0 for one device.

    Latency grows with the devices; each sends ``2 (N-1)/N`` of the message over its link. A switch that adds up by
    itself is not modelled: messages of 100 MB and more over eight H100 come out up to a third too long.

    Raises:
        DataError: the device has no published link.
    """
    return _collective(p, device, message, devices, 2.0)


def all_to_all_seconds(p: OperatorParameters, device: Accelerator, message: ArrayLike, devices: ArrayLike) -> Times:
    """Every one of ``devices`` sends an equal part of its ``message`` bytes to each, within one fast domain; 0 for one.

    As :func:`all_reduce_seconds`, but each sends ``(N-1)/N`` of its message once.

    Raises:
        DataError: the device has no published link.
    """
    return _collective(p, device, message, devices, 1.0)


def _collective(p: OperatorParameters, device: Accelerator, message, devices, times_sent: float) -> Times:
    message, devices = arrays(message, devices)
    if not device.link_bytes_per_s:
        raise DataError(device.name, "link_bytes_per_s", "missing", "a link, to talk to other devices")
    latency = p.floor_s + p.device_s * devices
    wire = times_sent * (devices - 1) / devices * message / (p.byte_efficiency * device.link_bytes_per_s)
    return np.where(devices > 1, smooth_maximum(p, latency, wire), 0.0)


def elementwise_seconds(
    p: OperatorParameters, device: Accelerator, moved_bytes: ArrayLike, *, warm: bool = False
) -> Times:
    """A kernel that only moves bytes (norm, activation, residual, quantising): the floor and the bandwidth.

    ``warm`` as for :func:`decode_attention_seconds`: inside a model, small activations often are on chip.
    """
    (moved,) = arrays(moved_bytes)
    return p.floor_s + read_seconds(p, device.bandwidth_bytes_per_s, moved, warm)
