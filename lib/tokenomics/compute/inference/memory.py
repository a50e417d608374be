"""Memory of serving, device by device: what lies there, and how many sequences fit.

Weights are split as the layout says, keys and values as far as there are heads (more devices than key heads hold
copies; MLA's latent is held by every device of a tensor-parallel group), and an engine keeps back a share of memory, a
constant for runtime and communication, and room for the largest step or for its sampler, whichever is larger. Left out:
fragmentation of blocks, graphs that are captured beside an engine's share, encoders of images (:mod:`.vision`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.compute.counts.parameters import activation_bytes, expert_weight_bytes, kv_bytes, weight_bytes
from tokenomics.compute.deployment import Deployment, Settings
from tokenomics.facts.engines import Reserve, of_profile

Bytes = NDArray[np.float64]
WIDE_BYTES = 2.0
SPREAD, DEVICE_SPREAD = 0.12, 0.025
"""Spread of what is free for the cache, as a share of it and of the device: what engines print at start against what is
computed here, over models, devices and versions."""


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
    told, keep = on.settings.memory_utilisation, reserve(name)
    if told is not None:
        return told
    tokens = _step_tokens(on, name)
    held = keep.held_bytes + keep.held_token_bytes * tokens + keep.held_device_bytes * on.layout.tp * on.layout.pp
    return max(keep.usable - held / on.device.driver_memory_bytes, 0.0)


def _step_tokens(on: Deployment, name: str) -> float:
    """Tokens of the largest step of an attention group, for which an engine keeps room: as it is told, or its own
    default on the device where it is told what :class:`Settings` say by themselves."""
    told = on.settings.max_num_batched_tokens
    own = of_profile(name).tokens(on.device) if told == Settings.max_num_batched_tokens else None
    return own or told / on.layout.dp


def weight_bytes_per_device(on: Deployment) -> float:
    """Weights on a device of the fullest stage: routed experts, redundant ones included, over all devices of the stage,
    everything else over the TP group, a tower of images or sounds in 16 bit too."""
    layout = on.layout
    experts = float(expert_weight_bytes(on.model, on.precision.weights))
    rest = float(weight_bytes(on.model, on.precision.weights)) - experts
    tower = (on.model.tower_parameters or 0.0) * WIDE_BYTES / layout.tp
    if on.model.is_moe and on.precision.weights.expert_multiple:
        width, multiple = on.model.expert_width / layout.expert_tp, on.precision.weights.expert_multiple
        experts = experts * np.ceil(width / multiple) * multiple / width
    if on.model.is_moe:
        experts = experts * (layout.held_experts(on.model.experts) / on.model.experts)
    layers = (experts / (layout.tp * layout.dp) + rest / layout.tp) * layout.fullest_stage(on.model.layers)
    return layers + tower


def cache_bytes_per_device(on: Deployment, context: ArrayLike) -> Bytes:
    """Keys and values of one sequence on one device of its group, as its engine keeps them."""
    tp, kv_heads = on.layout.tp, on.model.kv_heads
    copies = tp if on.model.is_mla else max(1.0, tp / max(kv_heads, 1.0))
    stage = on.layout.fullest_stage(on.model.layers)
    share = on.sliding.share if on.model.full_layers else 0.0
    kept = np.maximum(_window_tokens(on), share * np.asarray(context, dtype=float))
    return kv_bytes(on.model, context, on.precision.kv_bits, sliding_tokens=kept) * copies / tp * stage


def _window_tokens(on: Deployment) -> float:
    """Tokens that layers with a window keep, whatever the context."""
    window = on.model.sliding_window_tokens or np.inf
    return window + (on.settings.max_num_batched_tokens / on.layout.dp if on.sliding.step else 0.0)


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
    tokens = _step_tokens(on, engine)
    if keep.one_step:
        tokens = local * np.asarray(context if prompt is None else prompt, dtype=float)
    peers = layout.devices > 1
    shape = np.zeros(np.broadcast_shapes(np.shape(batch), np.shape(context)))
    step = keep.workspace * activation_bytes(on.model, tokens, tp=layout.tp)
    return Memory(
        weights=weight_bytes_per_device(on) + shape,
        cache=local * cache_bytes_per_device(on, context),
        activations=np.maximum(step, _sampler_bytes(on, engine)) + shape,
        buffers=keep.buffer_bytes * peers + shape,
        runtime=keep.runtime_bytes + shape,
    )


def _sampler_bytes(on: Deployment, name: str) -> float:
    """Bytes that choosing tokens takes with as many sequences as an engine is told, or runs by default if that is less:
    it profiles its own largest batch, and the logits of all of it lie on every device."""
    own = of_profile(name).seqs(on.device) or np.inf
    return reserve(name).logit_bytes * min(own, on.settings.max_num_seqs / on.layout.dp) * on.model.vocab


def free_bytes(
    on: Deployment, engine: str, batch: ArrayLike = 1, prompt: ArrayLike = 1, beside: ArrayLike = 0.0
) -> Bytes:
    """Bytes of one device that are left for the cache; negative where the model does not fit.

    ``beside`` are bytes that something else takes on every device: a draft model, adapters, an encoder of images.
    """
    share, keep = usable(on, engine), reserve(engine)
    use, memory = used(on, engine, batch, 0, prompt), on.device.driver_memory_bytes
    if keep.of_free:
        return share * (memory - use.total - beside)
    start = use.runtime + use.buffers if keep.of_start else 0.0
    return share * (memory - start) + start - use.total - beside


def spread_bytes(on: Deployment, free: ArrayLike) -> Bytes:
    """Half the width of the 80 % interval of what is free for the cache on a device: :data:`SPREAD` of it, or
    :data:`DEVICE_SPREAD` of the device where little is free."""
    return np.maximum(SPREAD * np.abs(free), DEVICE_SPREAD * on.device.driver_memory_bytes)


def capacity(
    on: Deployment, engine: str, context: ArrayLike, beside: ArrayLike = 0.0, each_beside: ArrayLike = 0.0
) -> Bytes:
    """Sequences of ``context`` tokens whose caches fit at a time in the whole replica; 0 where the weights do not fit.

    Of one device, ``beside`` bytes are taken by something else, and each sequence takes ``each_beside`` more. What
    drafts takes its part, and a beginning that all prompts share is kept once.
    """
    one, beside = _shares(on, context, beside, each_beside)
    return _sequences(on, free_bytes(on, engine, beside=beside), one)


def capacity_interval(on: Deployment, engine: str, context: ArrayLike) -> tuple[Bytes, Bytes]:
    """Low and high end of the 80 % interval of :func:`capacity`."""
    one, beside = _shares(on, context)
    free = free_bytes(on, engine, beside=beside)
    spread = spread_bytes(on, free)
    return _sequences(on, free - spread, one), _sequences(on, free + spread, one)


def _shares(
    on: Deployment, context: ArrayLike, beside: ArrayLike = 0.0, each_beside: ArrayLike = 0.0
) -> tuple[Bytes, ArrayLike]:
    """Bytes of one sequence on its device, and of what all share there."""
    one, drafts = cache_bytes_per_device(on, context) + each_beside, on.settings.drafts
    if drafts:
        weights, cache = drafting_bytes(on, context, drafts.by)
        one, beside = one + cache, beside + weights
    if on.known_tokens:
        shared = cache_bytes_per_device(on, np.minimum(on.known_tokens, np.asarray(context) - 1))
        one, beside = one - shared, beside + shared
    return one, beside


def _sequences(on: Deployment, free: ArrayLike, one: ArrayLike) -> Bytes:
    """Whole sequences that fit into what is free on each device of an attention group, of all groups."""
    return np.maximum(np.floor(free / one) * on.layout.dp, 0.0)


def drafting_bytes(on: Deployment, context: ArrayLike, by: Deployment | float) -> tuple[float, Bytes]:
    """Bytes on the fullest device that drafting takes (by a draft model, or by a share of the model): weights, and the
    cache of each sequence of the device."""
    if isinstance(by, Deployment):
        spread = on.layout.dp / by.layout.dp  # sequences of a device for each of the target's
        return weight_bytes_per_device(by), cache_bytes_per_device(by, context) * spread
    return by * weight_bytes_per_device(on), by * cache_bytes_per_device(on, context)


def admitted(on: Deployment, engine: str, prompt: ArrayLike, output: ArrayLike) -> Bytes:
    """Requests that an engine lets run at a time: their caches at their mean length fit, or, where it keeps room for a
    request's whole sequence (``Reserve.whole``), at their full length; 0 where the weights do not fit."""
    prompt, output = np.asarray(prompt, dtype=float), np.asarray(output, dtype=float)
    return capacity(on, engine, prompt + (output if reserve(engine).whole else output / 2))
