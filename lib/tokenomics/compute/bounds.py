"""What no implementation can beat: lower bounds on time and devices from counts and data sheets alone.

Every bound takes the larger of two times that must each pass, bytes over bandwidth and FLOP over peak, as if the
devices shared the work perfectly and talked for free. So a measured time may be longer, never shorter; a measured rate
lower, never higher. Left out on purpose: communication, launch and host time, scheduling, any efficiency below one.

What a run may do to go below them, since it then does other work: accept several drafted tokens a step, skip prompts
that are already cached, keep weights in an on-chip cache between steps (possible only for models of about that cache's
size), or, in training, freeze weights or forbid attention across the documents of a sequence.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.compute.counts.flops import flops_attention, flops_prefill, flops_weights
from tokenomics.compute.counts.parameters import WeightFormat, decode_weight_bytes, kv_bytes, parameters, weight_bytes
from tokenomics.errors import DataError
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.models import Model

BACKWARD_TO_FORWARD = 2.0
"""FLOP of the backward pass over those of the forward pass: gradients of inputs and of weights."""
TRAINING_BYTES_PER_PARAMETER = 16.0
"""Mixed precision Adam: 2 weights + 2 gradients + 4 master weights + 8 moments (Rajbhandari et al. 2020, ZeRO)."""
SECONDS_PER_DAY = 86_400.0
STRETCHES = 8
ROUTINGS = ("any", "even")
LARGEST_GB = 2**30 / 1e9
"""A data sheet's "80 GB" of memory may be 80 GiB, and for graphics memory is: a bound allows for it."""


@dataclass(frozen=True)
class Precision:
    """How a deployment stores and multiplies.

    Attributes:
        weights: storage of the weights (bits, scales).
        kv_bits: bits of a cached key or value.
        dtype: data type in which matrices are multiplied (``bf16``, ``fp8`` ...), for the peak.
    """

    weights: WeightFormat = field(default_factory=WeightFormat)
    kv_bits: float = 16
    dtype: str = "bf16"


@dataclass(frozen=True)
class IdealDevices:
    """A model on some devices that work as one group.

    Attributes:
        model: the architecture.
        device: the accelerator.
        precision: storage and arithmetic.
        devices: how many devices share the work; may be an array.
        routing: which experts a batch touches. ``any``: at least those of one token, true whatever the prompts (a
            batch of equal prompts touches no more); ``even``: what independent, uniform choices touch on average,
            closer to real traffic but no bound.

    Raises:
        DataError: fewer than one device, or an unknown routing.
    """

    model: Model
    device: Accelerator
    precision: Precision = field(default_factory=Precision)
    devices: ArrayLike = 1
    routing: str = "any"

    def __post_init__(self):
        if self.routing not in ROUTINGS:
            raise DataError("IdealDevices", "routing", self.routing, ", ".join(ROUTINGS))
        if np.any(np.asarray(self.devices) < 1):
            raise DataError("IdealDevices", "devices", float(np.min(self.devices)), ">= 1")

    def slower_seconds(self, flop: ArrayLike, moved_bytes: ArrayLike) -> NDArray[np.float64]:
        """The longer of computing and moving, on all devices together."""
        compute = np.asarray(flop) / self.device.bound_flop_per_s(self.precision.dtype)
        memory = np.asarray(moved_bytes) / self.device.bandwidth_bytes_per_s
        return np.maximum(compute, memory) / np.asarray(self.devices, dtype=float)

    def touched_bytes(self, tokens: ArrayLike) -> NDArray[np.float64]:
        """Bytes of the weights that a forward pass over ``tokens`` reads at least once, in the shape of ``tokens``."""
        tokens = np.asarray(tokens, dtype=float)
        tokens = np.ones_like(tokens) if self.routing == "any" else tokens
        return decode_weight_bytes(self.model, tokens, self.precision.weights)

    @property
    def ridge_flop_per_byte(self) -> float:
        """FLOP per byte at which arithmetic and memory take equally long, by the same peak as the bounds."""
        return self.device.bound_flop_per_s(self.precision.dtype) / self.device.bandwidth_bytes_per_s

    @property
    def memory_bytes(self) -> NDArray[np.float64]:
        """Memory of all devices together, at most (:data:`LARGEST_GB`)."""
        return np.asarray(self.devices, dtype=float) * self.device.memory_bytes * LARGEST_GB


def prefill_seconds(on: IdealDevices, batch: ArrayLike, prompt: ArrayLike) -> NDArray[np.float64]:
    """Least seconds to read ``batch`` prompts of ``prompt`` tokens: all FLOP at peak, or all touched weights read once.

    Returns:
        Seconds, in the broadcast shape of batch, prompt and devices.
    """
    batch, prompt = np.asarray(batch, dtype=float), np.asarray(prompt, dtype=float)
    return on.slower_seconds(batch * flops_prefill(on.model, prompt), on.touched_bytes(batch * prompt))


def _decode_flop(model: Model, context: ArrayLike) -> NDArray[np.float64]:
    """Least FLOP of a token that attends to ``context`` tokens, itself included.

    MLA is counted over expanded keys and values, fewer FLOP than over the latent, while the bytes read are those of the
    latent: no implementation has both, so the larger of the two times stays below each.
    """
    return flops_weights(model) + flops_attention(model, 1.0, np.asarray(context, dtype=float) - 1)


def _read_bytes(on: IdealDevices, context: ArrayLike) -> NDArray[np.float64]:
    """Least bytes of one sequence's cache that a decode step moves; sparse attention reads ``index_topk`` tokens."""
    return kv_bytes(on.model, np.minimum(context, on.model.index_topk or np.inf), on.precision.kv_bits)


def decode_step_seconds(on: IdealDevices, batch: ArrayLike, context: ArrayLike) -> NDArray[np.float64]:
    """Least seconds of one decode step of ``batch`` sequences with ``context`` tokens each: the lower bound of TPOT.

    Weights that the batch touches are read once; so is every sequence's cache, the new token's part being written.
    Sparse attention reads what its index selects.

    Returns:
        Seconds, in the broadcast shape of batch, context and devices.
    """
    batch, context = np.asarray(batch, dtype=float), np.asarray(context, dtype=float)
    cache = batch * _read_bytes(on, context)
    return on.slower_seconds(batch * _decode_flop(on.model, context), on.touched_bytes(batch) + cache)


def generate_seconds(on: IdealDevices, batch: ArrayLike, prompt: ArrayLike, output: ArrayLike) -> NDArray[np.float64]:
    """Least seconds from a batch of prompts to the last of ``output`` tokens each: prefill, then ``output - 1`` steps.

    The batch goes in lockstep. One that mixes the prefill of some with the steps of others may hide the shorter of the
    two kinds of time; :func:`output_rate` allows for that.

    Steps grow with the context, so the sum over steps is bounded below by a lower Riemann sum: the output is cut into
    eight stretches and every step of a stretch counted at the context of its first.

    Returns:
        Seconds, in the broadcast shape of the arguments.
    """
    prompt, steps = np.asarray(prompt, dtype=float), np.maximum(np.asarray(output, dtype=float) - 1, 0)
    total = prefill_seconds(on, batch, prompt)
    for stretch in range(STRETCHES):
        context = prompt + 1 + np.floor(steps * stretch / STRETCHES)
        total = total + steps / STRETCHES * decode_step_seconds(on, batch, context)
    return total


def largest_batch(on: IdealDevices, context: ArrayLike) -> NDArray[np.float64]:
    """Most sequences of ``context`` tokens whose caches fit beside the weights; 0 where the weights alone do not fit.

    No room for activations, workspace or fragmentation is set aside, and the cache is split evenly.
    """
    free = on.memory_bytes - weight_bytes(on.model, on.precision.weights)
    return np.maximum(np.floor(free / kv_bytes(on.model, context, on.precision.kv_bits)), 0.0)


def output_rate(
    on: IdealDevices, prompt: ArrayLike, output: ArrayLike, in_flight: ArrayLike = np.inf
) -> NDArray[np.float64]:
    """Most output tokens per second of a group that is never short of requests.

    Each request costs its prefill and decode FLOP; each decode step reads the weights once for at most the largest
    batch that fits at the prompt's length, and the caches of that batch. All FLOP may hide behind all bytes.

    Args:
        on: the deployment.
        prompt: input tokens of a request.
        output: output tokens of a request, at least one.
        in_flight: most requests at a time.

    Returns:
        Tokens per second of the whole group, 0 where nothing fits; in the broadcast shape of the arguments.
    """
    prompt, output = np.asarray(prompt, dtype=float), np.asarray(output, dtype=float)
    steps = np.maximum(output - 1, 0)
    fits = largest_batch(on, prompt + 1)
    batch = np.maximum(np.minimum(fits, in_flight), 1.0)
    flop = flops_prefill(on.model, prompt) + steps * _decode_flop(on.model, prompt + 1)
    read = on.touched_bytes(batch) / batch
    moved = steps * (read + _read_bytes(on, prompt + 1))
    return np.where(fits >= 1, output / on.slower_seconds(flop, moved), 0.0)


def memory_bytes(on: IdealDevices, batch: ArrayLike, context: ArrayLike) -> NDArray[np.float64]:
    """Least bytes that serving ``batch`` sequences of ``context`` tokens keeps: weights once, and every cache."""
    batch = np.asarray(batch, dtype=float)
    return weight_bytes(on.model, on.precision.weights) + batch * kv_bytes(on.model, context, on.precision.kv_bits)


def devices_to_hold(on: IdealDevices, batch: ArrayLike = 1, context: ArrayLike = 1) -> NDArray[np.float64]:
    """Least whole devices whose memory holds weights and caches; ``on.devices`` is not looked at."""
    return np.ceil(memory_bytes(on, batch, context) / (on.device.memory_bytes * LARGEST_GB))


def training_flop(model: Model, tokens: ArrayLike, sequence: ArrayLike) -> NDArray[np.float64]:
    """FLOP to train on ``tokens`` in sequences of ``sequence`` tokens: forward and backward, causal attention exact.

    Three forward passes' worth, without recomputation; 6 N D is its limit for short sequences. The head is counted for
    every token, since every token is predicted.
    """
    tokens, sequence = np.asarray(tokens, dtype=float), np.asarray(sequence, dtype=float)
    head = flops_weights(model) - flops_weights(model, head=False)
    per_token = (flops_prefill(model, sequence) - head) / sequence + head
    return (1 + BACKWARD_TO_FORWARD) * per_token * tokens


def training_days(on: IdealDevices, tokens: ArrayLike, sequence: ArrayLike) -> NDArray[np.float64]:
    """Least days to train on ``tokens``: all FLOP at the peak of all devices (an MFU of one)."""
    peak = on.device.bound_flop_per_s(on.precision.dtype) * np.asarray(on.devices, dtype=float)
    return training_flop(on.model, tokens, sequence) / peak / SECONDS_PER_DAY


def training_devices_to_hold(on: IdealDevices) -> NDArray[np.float64]:
    """Least devices whose memory holds weights, gradients and Adam's state, split evenly; no activations."""
    state = parameters(on.model).total * TRAINING_BYTES_PER_PARAMETER
    return np.ceil(state / (on.device.memory_bytes * LARGEST_GB))
