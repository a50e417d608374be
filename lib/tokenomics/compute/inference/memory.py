"""Memory of serving, device by device: what lies there, and how many sequences fit.

Weights are split as the layout says, keys and values as far as there are heads (more devices than key heads hold
copies; MLA's latent is held by every device of a tensor-parallel group), and an engine keeps back a share of memory, a
constant for runtime and communication, and room for the largest step. Left out: fragmentation of blocks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.compute.counts.parameters import activation_bytes, expert_weight_bytes, kv_bytes, weight_bytes
from tokenomics.compute.deployment import Deployment
from tokenomics.facts.engines import Reserve, of_profile

Bytes = NDArray[np.float64]


@dataclass(frozen=True)
class Memory:
    """Bytes on the fullest device, in the broadcast shape of batch and context.

    Attributes:
        weights: the device's share of the model.
        cache: keys and values of all sequences.
        activations: intermediate values of the largest step, with the engine's workspace.
        buffers: communication.
        runtime: context and libraries.
    """

    weights: Bytes
    cache: Bytes
    activations: Bytes
    buffers: Bytes
    runtime: Bytes

    @property
    def total(self) -> Bytes:
        """Bytes in all."""
        return self.weights + self.cache + self.activations + self.buffers + self.runtime


def reserve(name: str) -> Reserve:
    """What the engine of a profile keeps back."""
    return of_profile(name).reserve


def usable(on: Deployment, name: str) -> float:
    """Share of memory that may be filled: as the engine is told, else its own."""
    told = on.settings.memory_utilisation
    return reserve(name).usable if told is None else told


def weight_bytes_per_device(on: Deployment) -> float:
    """Weights on a device of the fullest stage: routed experts, redundant ones included, over all devices of the stage,
    everything else over the TP group."""
    layout = on.layout
    experts = float(expert_weight_bytes(on.model, on.precision.weights))
    rest = float(weight_bytes(on.model, on.precision.weights)) - experts
    if on.model.is_moe:
        experts = experts * (layout.held_experts(on.model.experts) / on.model.experts)
    return (experts / (layout.tp * layout.dp) + rest / layout.tp) * layout.fullest_stage(on.model.layers)


def cache_bytes_per_device(on: Deployment, context: ArrayLike) -> Bytes:
    """Keys and values of one sequence on one device of its group."""
    tp, kv_heads = on.layout.tp, on.model.kv_heads
    copies = tp if on.model.is_mla else max(1.0, tp / max(kv_heads, 1.0))
    stage = on.layout.fullest_stage(on.model.layers)
    return kv_bytes(on.model, context, on.precision.kv_bits) * copies / tp * stage


def used(on: Deployment, engine: str, batch: ArrayLike, context: ArrayLike, prompt: ArrayLike | None = None) -> Memory:
    """Memory while ``batch`` sequences of ``context`` tokens are served.

    Args:
        on: the deployment.
        engine: name of its profile.
        batch: sequences of the whole replica.
        context: tokens of each at the end.
        prompt: prompt tokens of each, for engines that read all prompts in one step; ``context`` where ``None``.
    """
    keep, layout = reserve(engine), on.layout
    local = np.asarray(batch, dtype=float) / layout.dp
    tokens = keep.step_tokens
    if tokens is None:
        tokens = local * np.asarray(context if prompt is None else prompt, dtype=float)
    peers = layout.devices > 1
    shape = np.zeros(np.broadcast_shapes(np.shape(batch), np.shape(context)))
    return Memory(
        weights=weight_bytes_per_device(on) + shape,
        cache=local * cache_bytes_per_device(on, context),
        activations=keep.workspace * activation_bytes(on.model, tokens) / layout.tp + shape,
        buffers=keep.buffer_bytes * peers + shape,
        runtime=keep.runtime_bytes + shape,
    )


def free_bytes(
    on: Deployment, engine: str, batch: ArrayLike = 1, prompt: ArrayLike = 1, beside: ArrayLike = 0.0
) -> Bytes:
    """Bytes of one device that are left for the cache; negative where the model does not fit.

    ``beside`` are bytes that something else takes on every device: a draft model, adapters, an encoder of images.
    """
    share = usable(on, engine)
    taken, memory = used(on, engine, batch, 0, prompt).total + beside, on.device.driver_memory_bytes
    return share * (memory - taken) if reserve(engine).of_free else share * memory - taken


def capacity(
    on: Deployment, engine: str, context: ArrayLike, beside: ArrayLike = 0.0, each_beside: ArrayLike = 0.0
) -> Bytes:
    """Sequences of ``context`` tokens whose caches fit at a time in the whole replica; 0 where the weights do not fit.

    Of one device, ``beside`` bytes are taken by something else, and each sequence takes ``each_beside`` more.
    """
    one = cache_bytes_per_device(on, context) + each_beside
    return np.maximum(np.floor(free_bytes(on, engine, beside=beside) / one) * on.layout.dp, 0.0)


def admitted(on: Deployment, engine: str, prompt: ArrayLike, output: ArrayLike) -> Bytes:
    """Requests that an engine lets run at a time: their caches at their mean length fit, or, where it keeps room for a
    request's whole sequence (``Reserve.whole``), at their full length; 0 where the weights do not fit."""
    prompt, output = np.asarray(prompt, dtype=float), np.asarray(output, dtype=float)
    return capacity(on, engine, prompt + (output if reserve(engine).whole else output / 2))
