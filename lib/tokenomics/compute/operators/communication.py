"""Seconds that the devices of a layout talk in one step: tensor, pipeline and expert parallelism.

Within a fast domain times are calibrated (``operators.times``); between domains they follow from the
network's data sheet, a prior that is fitted to nothing. Left out: overlap with arithmetic, congestion, switches that
reduce by themselves, uneven loads of experts.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.compute.deployment import Deployment
from tokenomics.compute.operators import times
from tokenomics.compute.operators.fitted import OperatorParameters
from tokenomics.compute.operators.forms import precision
from tokenomics.compute.operators.selection import Kernels
from tokenomics.facts.accelerators import Accelerator

ACTIVATION_BYTES = 2.0
NETWORK_BYTES_PER_S = 50e9
"""Between nodes: one 400 Gb/s adapter a device (InfiniBand NDR), the usual build of a training or serving cluster."""
NETWORK_LATENCY_S = 15e-6
"""A hop between nodes, with its launch; a prior, not fitted."""
DOMAIN = 8
"""Devices that share a fast domain where the vendor names no number."""
Times = NDArray[np.float64]


def domain(device: Accelerator, devices: int) -> int:
    """How many of ``devices`` share a fast domain."""
    return min(devices, device.link_devices or DOMAIN)


def step_seconds(on: Deployment, use: Kernels, rows: ArrayLike) -> Times:
    """Communication of one step through all layers.

    Two all-reduces a layer over TP, a hop between pipeline stages, and :func:`experts_seconds` in place of a layer's
    second all-reduce where attention runs in groups.

    Args:
        on: the deployment.
        use: its operators.
        rows: tokens of the step in each attention group.
    """
    model, layout = on.model, on.layout
    message = np.asarray(rows, dtype=float) * model.d_model * ACTIVATION_BYTES
    reduced = reduce_seconds(use.all_reduce, use.device, message, layout.tp)
    total = (model.layers + model.dense_layers) * reduced
    apart = layout.dp > 1 and model.is_moe
    total = total + model.moe_layers * (experts_seconds(on, use, rows) if apart else reduced)
    if layout.pp > 1:
        hop = message / (use.all_reduce.byte_efficiency * use.device.link_bytes_per_s) + use.all_reduce.floor_s
        total = total + (layout.pp - 1) * hop
    return total


def experts_seconds(on: Deployment, use: Kernels, rows: ArrayLike) -> Times:
    """Tokens of all attention groups to a layer's experts and back: the faster of the two ways that engines have.

    Gather and scatter (every device gets every token; together an all-reduce over all groups), or, with whole experts
    on devices (EP), an all-to-all each way: a token goes once to every device that holds one of its experts, in the
    experts' precision, and its result comes back in 16 bit.
    """
    model, layout = on.model, on.layout
    devices, width = layout.tp * layout.dp, np.asarray(rows, dtype=float) * model.d_model
    gathered = reduce_seconds(use.all_reduce, use.device, width * layout.dp * ACTIVATION_BYTES, devices)
    if use.all_to_all is None:
        return gathered
    chosen = times.distinct_experts(model.experts_per_token, layout.ep)
    sent = width / layout.tp * chosen * layout.expert_tp
    _, _, dispatched_bytes = precision(use.experts)
    ways = [exchange_seconds(use.all_to_all, use.device, sent * size, devices) for size in (dispatched_bytes, 2.0)]
    return np.minimum(gathered, sum(ways))


def reduce_seconds(p: OperatorParameters, device: Accelerator, message: ArrayLike, devices: int) -> Times:
    """All-reduce of ``message`` bytes over devices: within a fast domain as fitted, between domains from the network's
    data sheet, each device sending its share of the domain's sum."""
    inside = domain(device, devices)
    seconds = times.all_reduce_seconds(p, device, message, inside)
    domains = -(-devices // inside)
    if domains > 1:
        wire = 2 * (domains - 1) / domains * np.asarray(message, dtype=float) / inside / NETWORK_BYTES_PER_S
        seconds = seconds + NETWORK_LATENCY_S * np.ceil(np.log2(domains)) * 2 + wire
    return seconds


def exchange_seconds(p: OperatorParameters, device: Accelerator, message: ArrayLike, devices: int) -> Times:
    """All-to-all of ``message`` bytes a device: what stays in the fast domain as fitted, the rest over the network at
    the same time."""
    inside, message = domain(device, devices), np.asarray(message, dtype=float)
    near = times.all_to_all_seconds(p, device, message * inside / devices, inside)
    if devices <= inside:
        return near
    wire = message * (devices - inside) / devices / NETWORK_BYTES_PER_S
    return np.maximum(near, p.floor_s + NETWORK_LATENCY_S + wire)
