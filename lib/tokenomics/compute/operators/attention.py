"""Seconds of attention: prefill and decode, grouped heads, sliding windows and multi-head latent attention."""

import numpy as np
from numpy.typing import ArrayLike

from tokenomics.compute.operators.fitted import OperatorParameters
from tokenomics.compute.operators.forms import (
    ROW_TILE,
    Times,
    arrays,
    precision,
    read_seconds,
    smooth_maximum,
    wave_loss,
)
from tokenomics.facts.accelerators import Accelerator

KEY_BLOCK = 128.0
"""Keys of a block that one unit streams."""
GROUP, MLA_GROUP = 16.0, 64.0
"""Query heads that share a key head (all of them, in MLA) are padded to the height of a matrix instruction."""
MLA_DIMS = {"nope": 128.0, "rope": 64.0, "latent": 512.0, "value": 128.0}
"""DeepSeek-V2 and V3, and what the tables measured."""


def prefill_attention_seconds(
    p: OperatorParameters,
    device: Accelerator,
    batch: ArrayLike,
    tokens: ArrayLike,
    *,
    heads: ArrayLike,
    kv_heads: ArrayLike,
    head_dim: ArrayLike,
    past: ArrayLike = 0,
    window: ArrayLike = np.inf,
) -> Times:
    """Causal attention of ``tokens`` new tokens of each of ``batch`` sequences over themselves and ``past`` ones.

    Heads are those on this device: with more devices than key heads, pass at least one key head, since it is
    replicated. Measured without past tokens; with them the same rate is assumed.

    Args:
        p: parameters of ``prefill_attention``.
        device: the accelerator.
        batch, tokens, heads, kv_heads, head_dim: shape of the call.
        past: tokens already cached.
        window: tokens of a sliding window.
    """
    batch, tokens, heads, kv_heads, head_dim = arrays(batch, tokens, heads, kv_heads, head_dim)
    pairs = _padded_pairs(p, tokens, *arrays(past, window))
    flop = 4 * batch * heads * head_dim * pairs
    elements = batch * head_dim * (tokens * (2 * heads + 2 * kv_heads) + np.minimum(past, window) * 2 * kv_heads)
    return _prefill(p, device, batch=batch, tokens=tokens, heads=heads, head_dim=head_dim, flop=flop, elements=elements)


def mla_prefill_seconds(
    p: OperatorParameters,
    device: Accelerator,
    batch: ArrayLike,
    tokens: ArrayLike,
    heads: ArrayLike,
    *,
    past: ArrayLike = 0,
) -> Times:
    """Multi-head latent attention over expanded keys and values (prefill), shapes of :data:`MLA_DIMS`."""
    batch, tokens, heads, past = arrays(batch, tokens, heads, past)
    key, value = MLA_DIMS["nope"] + MLA_DIMS["rope"], MLA_DIMS["value"]
    flop = 2 * batch * heads * (key + value) * _padded_pairs(p, tokens, past, np.inf)
    elements = batch * heads * (tokens * 2 + past) * (key + value)
    return _prefill(p, device, batch=batch, tokens=tokens, heads=heads, head_dim=value, flop=flop, elements=elements)


def _padded_pairs(p: OperatorParameters, tokens: Times, past: Times, window: ArrayLike) -> Times:
    """Pairs of query and key that tiles compute: the causal triangle with its diagonal padded by ``block_tokens``."""
    inside = np.clip(window - past, 0, tokens)
    beyond = np.where(tokens > inside, (tokens - inside) * (np.minimum(window, past + tokens) + p.block_tokens), 0.0)
    return inside * (past + (inside + p.block_tokens) / 2) + beyond


def _prefill(p, device, *, batch, tokens, heads, head_dim, flop, elements) -> Times:
    dtype, _, activation_bytes = precision(p)
    tiles = np.maximum(batch * heads * np.ceil(tokens / ROW_TILE), 1.0)
    compute = flop * (1 + p.ramp / head_dim) * wave_loss(p, tiles)
    compute = compute / (p.flop_efficiency * device.peak_flop_per_s(dtype))
    memory = elements * activation_bytes / (p.byte_efficiency * device.bandwidth_bytes_per_s)
    apart = p.wave_s * np.ceil(tiles / p.compute_units)
    apart = apart + p.extra_traffic * elements / device.bandwidth_bytes_per_s
    return p.floor_s + apart + smooth_maximum(p, compute, memory)


def decode_attention_seconds(
    p: OperatorParameters,
    device: Accelerator,
    batch: ArrayLike,
    context: ArrayLike,
    *,
    heads: ArrayLike,
    kv_heads: ArrayLike,
    head_dim: ArrayLike,
    window: ArrayLike = np.inf,
    warm: bool = False,
) -> Times:
    """Attention of one new token of each sequence over ``context`` cached ones, itself included.

    Heads are those on this device; a device holds at least one key head, so tensor parallelism beyond the key
    heads replicates them: pass ``max(1, kv_heads / devices)``.

    Args:
        p: parameters of ``decode_attention``; its data type names the cache (``bf16``, ``bf16_kv8``).
        device: the accelerator.
        batch, context, heads, kv_heads, head_dim: shape of the call.
        window: tokens of a sliding window.
        warm: as in a benchmark that repeats one call and finds a small cache on chip; serving does not.
    """
    batch, context, heads, kv_heads, head_dim = arrays(batch, context, heads, kv_heads, head_dim)
    _, cache_bytes, query_bytes = precision(p)
    seen = np.minimum(context, window)
    moved = 2 * batch * kv_heads * (seen + p.block_tokens) * head_dim * cache_bytes
    moved = moved + 2 * batch * heads * head_dim * query_bytes
    flop = 4 * batch * kv_heads * np.ceil(heads / kv_heads / GROUP) * GROUP * seen * head_dim
    return _decode(p, device, batch=batch, heads=heads, kv_heads=kv_heads, seen=seen, moved=moved, flop=flop, warm=warm)


def mla_decode_seconds(
    p: OperatorParameters,
    device: Accelerator,
    batch: ArrayLike,
    context: ArrayLike,
    heads: ArrayLike,
    *,
    warm: bool = False,
) -> Times:
    """Latent attention of one new token, absorbed: every head reads the one cached latent (:data:`MLA_DIMS`)."""
    batch, context, heads = arrays(batch, context, heads)
    _, cache_bytes, query_bytes = precision(p)
    latent, width = MLA_DIMS["latent"], MLA_DIMS["latent"] + MLA_DIMS["rope"]
    moved = batch * (context + p.block_tokens) * width * cache_bytes + batch * heads * (latent + width) * query_bytes
    flop = 2 * batch * np.ceil(heads / MLA_GROUP) * MLA_GROUP * (latent + width) * context
    return _decode(p, device, batch=batch, heads=heads, kv_heads=1.0, seen=context, moved=moved, flop=flop, warm=warm)


def _decode(p, device, *, batch, heads, kv_heads, seen, moved, flop, warm) -> Times:
    memory = read_seconds(p, device.bandwidth_bytes_per_s, moved, warm)
    # Too few blocks of keys leave the memory pipeline half empty.
    memory = memory * (1 + p.fill * p.compute_units / (batch * kv_heads * np.ceil(seen / KEY_BLOCK)))
    compute = flop / (p.flop_efficiency * device.peak_flop_per_s(precision(p)[0]))
    apart = p.kv_head_s * batch * kv_heads + p.head_s * batch * heads
    return p.floor_s + apart + smooth_maximum(p, compute, memory)
