"""Seconds of one step of a model: any batch of decode tokens and prefill chunks, on the devices of a layout.

The sum over operators of their calibrated times (``operators.times``), as one device computes them one
after the other. What the engine adds is in ``inference.engines``; what a request sees, in
:mod:`.durations`. Arguments are numbers or arrays and are broadcast.

Left out: overlap of communication with arithmetic, prefetching of weights, imbalance between pipeline stages.
"""

from dataclasses import dataclass, fields
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.compute.counts.matrices import attention_shapes, linear_widths
from tokenomics.compute.counts.parameters import state_bytes
from tokenomics.compute.deployment import Deployment
from tokenomics.compute.layout import HEAD, PROJECTION, Layout, products
from tokenomics.compute.operators import communication, times
from tokenomics.compute.operators.selection import Kernels, kernels
from tokenomics.facts.models import Model

ROUTING_KERNELS, LATENT_KERNELS, INDEX_KERNELS = 2, 3, 10
"""Small kernels a layer besides those with a formula: choosing experts (softmax, selection); MLA's norms and second
absorbed product; sparse attention's indexer (positions, quantising, scores, selection, gathering)."""
ACTIVATION_BYTES = 2.0
Times = NDArray[np.float64]


@dataclass(frozen=True)
class Parts:
    """Seconds of a step by what they are spent on, in the broadcast shape of its arguments."""

    products: Times
    attention: Times
    experts: Times
    communication: Times
    elementwise: Times

    @property
    def total(self) -> Times:
        """Seconds of the whole step."""
        return sum(getattr(self, each.name) for each in fields(self))

    def times(self, factor: ArrayLike) -> "Parts":
        """Every part ``factor`` times."""
        return Parts(*(getattr(self, each.name) * factor for each in fields(self)))


def device_seconds(
    on: Deployment,
    *,
    decode: ArrayLike = 0,
    context: ArrayLike = 1,
    new: ArrayLike = 0,
    past: ArrayLike = 0,
    prompts: ArrayLike = 1,
    queries: ArrayLike = 1,
) -> Parts:
    """Time of one step of all layers; a step without tokens does not happen and takes none.

    Args:
        on: the deployment.
        decode: sequences that produce one token each, or have several verified.
        context: tokens of each of those sequences, the new ones included.
        new: prompt tokens in the step, of all prompts together.
        past: tokens already cached of each prompt.
        prompts: prompts over which ``new`` is spread evenly.
        queries: new tokens of each decoding sequence; they read its cache once, together.
    """
    decode, context, new, past, prompts, queries = times.arrays(decode, context, new, past, prompts, queries)
    use, ranks, written = kernels(on), on.layout.dp, decode * queries
    rows = np.ceil((written + new) / ranks)
    ends = np.ceil(written / ranks) + np.where(new > 0, np.ceil(prompts / ranks), 0.0)
    attention = np.zeros_like(rows)
    if np.any(decode > 0):
        one = _decode_attention(on, use, np.ceil(decode / ranks), context, queries)
        attention = attention + np.where(decode > 0, one, 0.0)
    if np.any(new > 0):
        each = new / np.maximum(prompts, 1)
        local = np.maximum(prompts / ranks, 1.0)
        attention = attention + np.where(new > 0, _prefill_attention(on, use, local, each, past), 0.0)
    return Parts(
        products=_products(on, use, rows, ends),
        attention=attention,
        experts=_experts(on, use, written + new),
        communication=np.where(rows > 0, communication.step_seconds(on, use, rows), 0.0),
        elementwise=np.where(rows > 0, _elementwise(on, use, rows), 0.0),
    )


def _products(on: Deployment, use: Kernels, rows: Times, ends: Times) -> Times:
    total = np.zeros_like(rows)
    for kind, (inputs, outputs, count) in _sides(on.model, on.layout).items():
        tokens = np.asarray(ends if kind == HEAD else rows)
        m, stored = np.maximum(tokens, 1.0)[..., None], use.weight_bytes if kind == PROJECTION else None
        seconds = times.gemm_seconds(use.products[kind], use.device, m, outputs, inputs, stored_bytes=stored)
        total = total + np.where(tokens > 0, seconds @ count, 0.0)
    return total


@cache
def _sides(model: Model, layout: Layout) -> dict[str, NDArray[np.float64]]:
    """Inputs, outputs and count of the products of each kind, as rows of an array."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for each in products(model, layout):
        found.setdefault(each.kind, []).append((each.inputs, each.outputs, each.count))
    return {kind: np.array(sides, dtype=float).T for kind, sides in found.items()}


def _heads(on: Deployment, shape) -> dict[str, float]:
    tp = on.layout.tp
    kv_heads = max(shape.kv_heads / tp, min(1.0, shape.kv_heads))
    return {"heads": max(shape.heads / tp, kv_heads), "kv_heads": kv_heads}


def _decode_attention(on: Deployment, use: Kernels, sequences: Times, context: Times, queries: Times) -> Times:
    """Several queries of a sequence act as so many times its heads; each reads a selection of its own if it is sparse,
    and leaves a state of its own in linear layers, to fall back on."""
    model, total = on.model, np.zeros(np.broadcast_shapes(sequences.shape, context.shape, queries.shape))
    sequences = np.maximum(sequences, 1.0)
    for shape, window in zip(attention_shapes(model), (np.inf, model.sliding_window_tokens or np.inf), strict=True):
        if not shape.layers:
            continue
        p = use.decode_attention
        if model.is_mla:
            seen = np.minimum(context, model.index_topk or np.inf)
            heads = max(shape.heads / on.layout.tp, 1.0)
            read, asked = (sequences * queries, 1.0) if model.index_topk else (sequences, queries)
            one = times.mla_decode_seconds(p, use.device, read, seen, heads * asked)
        else:
            dims = {**_heads(on, shape), "head_dim": (shape.head_dim + shape.value_dim) / 2, "window": window}
            dims["heads"] = dims["heads"] * queries
            one = times.decode_attention_seconds(p, use.device, sequences, context, **dims)
        total = total + shape.layers * one
    if model.index_topk:
        read = sequences * context * model.index_head_dim
        total = total + model.index_layers * times.elementwise_seconds(use.elementwise, use.device, read)
    if model.linear_layers:
        moved = (1 + queries) * sequences * float(state_bytes(model)) / model.linear_layers / on.layout.tp
        total = total + model.linear_layers * times.elementwise_seconds(use.elementwise, use.device, moved)
    return total


def _prefill_attention(on: Deployment, use: Kernels, prompts: Times, each: Times, past: Times) -> Times:
    model, total = on.model, np.zeros(np.broadcast_shapes(prompts.shape, each.shape, past.shape))
    for shape, window in zip(attention_shapes(model), (np.inf, model.sliding_window_tokens or np.inf), strict=True):
        if not shape.layers:
            continue
        p = use.prefill_attention
        if model.is_mla:
            heads = max(shape.heads / on.layout.tp, 1.0)
            one = times.mla_prefill_seconds(p, use.device, prompts, each, heads, past=past)
        else:
            dims = {**_heads(on, shape), "head_dim": (shape.head_dim + shape.value_dim) / 2}
            one = times.prefill_attention_seconds(p, use.device, prompts, each, past=past, window=window, **dims)
        total = total + shape.layers * one
    if model.linear_layers:
        keys, values = linear_widths(model)
        moved = 4 * ACTIVATION_BYTES * prompts * each * (2 * keys + 2 * values) / on.layout.tp
        total = total + model.linear_layers * times.elementwise_seconds(use.elementwise, use.device, moved)
    return total


def _experts(on: Deployment, use: Kernels, tokens: Times) -> Times:
    model, layout = on.model, on.layout
    if not model.is_moe:
        return np.zeros_like(tokens)
    seconds = times.expert_gemm_seconds(
        use.experts,
        use.device,
        np.maximum(tokens, 1.0),
        hidden=model.expert_input_width or model.d_model,
        width=model.expert_width / layout.expert_tp,
        experts=model.experts,
        top_k=model.experts_per_token,
        expert_parallel=layout.ep,
        alike=on.alike,
        skewed=on.skewed,
    )
    return np.where(tokens > 0, model.moe_layers * seconds, 0.0)


def _elementwise(on: Deployment, use: Kernels, rows: Times) -> Times:
    """Norms with their residual, rotary positions with the cache's write, and the activation of a dense MLP."""
    model, tp = on.model, on.layout.tp

    def kernel(width: float) -> Times:
        return times.elementwise_seconds(use.elementwise, use.device, rows * width * ACTIVATION_BYTES, warm=True)

    total = model.norms_per_layer * model.layers * kernel(4 * model.d_model)
    for shape in attention_shapes(model):
        if shape.layers:
            width = (shape.heads + 2 * shape.kv_heads) * shape.head_dim / tp
            total = total + shape.layers * kernel(2 * width)
            if model.qk_norm != "none":
                total = total + 2 * shape.layers * kernel(width)
    small = ROUTING_KERNELS * model.moe_layers + LATENT_KERNELS * model.attention_layers * model.is_mla
    small = small + INDEX_KERNELS * (model.index_layers or 0)
    inner = max(model.d_ff or 0, model.shared_width) / tp
    return total + (model.dense_layers + model.moe_layers) * kernel(3 * inner) + small * use.elementwise.floor_s
