"""FLOP of a forward pass, counted from a model's shapes: a multiply and an add are two.

Two kinds of work: products with weights, two FLOP a weight and token, and attention over the tokens before,
counted pair by pair. Left out, since they are a fraction of a percent: norms, activations, rotary positions,
softmax, sampling.
"""

import numpy as np
from numpy.typing import ArrayLike

from tokenomics.compute.counts.matrices import ATTENTION, HEAD, AttentionShape, attention_shapes, head_flop, matrices
from tokenomics.facts.models import Model

STATE_FLOP_PER_VALUE = 6
"""Decay, update and read of a linear layer's state: about a multiply and an add each, for every value of it."""


def flops_weights(model: Model, *, head: bool = True) -> float:
    """FLOP of one token with all the weights it passes.

    MLA's up-projection of the latent costs the same whether keys and values are expanded (prefill) or it is
    absorbed into queries and outputs (decode), so one number serves both.

    Args:
        model: the architecture.
        head: with the output head (every decoded token; of a prompt only the last).
    """
    body = sum(matrix.flop_per_token for matrix in matrices(model) if matrix.part != HEAD)
    return body + (head_flop(model) if head else 0.0)


def flops_by_part(model: Model) -> dict[str, float]:
    """FLOP of one token with weights, by part: attention, mlp, experts, head."""
    parts: dict[str, float] = {}
    for matrix in matrices(model):
        if matrix.part != HEAD and matrix.used:
            parts[matrix.part] = parts.get(matrix.part, 0.0) + matrix.flop_per_token
    return {ATTENTION: 0.0, **parts, HEAD: head_flop(model)}


def flops_decode(model: Model, context: ArrayLike) -> np.ndarray:
    """FLOP of generating one token of one sequence.

    Args:
        model: the architecture.
        context: tokens that the new token attends to, itself included.

    Returns:
        FLOP, in the shape of ``context``. MLA counts as absorbed: scores and sums run over the cached latent.
    """
    context = np.asarray(context, dtype=float)
    return flops_weights(model) + flops_attention(model, 1.0, context - 1, absorbed=True)


def flops_prefill(model: Model, prompt: ArrayLike, past: ArrayLike = 0) -> np.ndarray:
    """FLOP of reading a prompt of one sequence, the head for its last token included.

    Args:
        model: the architecture.
        prompt: new tokens.
        past: tokens already in the cache (an earlier chunk or a cached prefix).

    Returns:
        FLOP, in the broadcast shape of the arguments. Causal attention counts exactly the pairs that are
        needed; MLA counts naively, with keys and values expanded.
    """
    prompt, past = np.asarray(prompt, dtype=float), np.asarray(past, dtype=float)
    body = prompt * flops_weights(model, head=False)
    return body + head_flop(model) + flops_attention(model, prompt, past, absorbed=False)


def flops_attention(model: Model, new: ArrayLike, past: ArrayLike = 0, *, absorbed: bool = False) -> np.ndarray:
    """FLOP of scores and weighted sums (and of linear layers' states) for ``new`` tokens after ``past`` ones.

    Args:
        model: the architecture.
        new: tokens that attend.
        past: tokens before them.
        absorbed: for MLA, attend over latents (decode) instead of expanded keys and values (prefill).

    Returns:
        FLOP of all layers, in the broadcast shape of the arguments.
    """
    new, past = np.asarray(new, dtype=float), np.asarray(past, dtype=float)
    full, sliding = attention_shapes(model)
    pairs = causal_pairs(new, past)
    attended = causal_pairs(new, past, model.index_topk)
    flop = full.layers * _flop_per_pair(model, full, absorbed) * attended
    flop = flop + sliding.layers * _flop_per_pair(model, sliding, absorbed) * causal_pairs(
        new, past, model.sliding_window_tokens
    )
    if model.index_topk:
        flop = flop + model.index_layers * 2 * model.index_heads * model.index_head_dim * pairs
    return flop + new * _state_flop(model)


def _flop_per_pair(model: Model, shape: AttentionShape, absorbed: bool) -> float:
    """A query with a key, and the key's value into the sum: two products, in all query heads."""
    if model.is_mla and absorbed:
        return 2.0 * shape.heads * (2 * model.kv_lora_rank + model.rope_head_dim)
    return 2.0 * shape.heads * (shape.head_dim + shape.value_dim)


def _state_flop(model: Model) -> float:
    if not model.linear_layers:
        return 0.0
    state = model.linear_value_heads * model.linear_value_dim * model.linear_key_dim
    return float(model.linear_layers * STATE_FLOP_PER_VALUE * state)


def causal_pairs(new: ArrayLike, past: ArrayLike = 0, window: float | None = None) -> np.ndarray:
    """Pairs of query and key when ``new`` tokens follow ``past`` ones.

    The i-th new token sees ``min(past + i, window)`` keys, itself included, hence without a window
    ``new * past + new (new + 1) / 2`` pairs.

    Returns:
        Pairs, in the broadcast shape of the arguments.
    """
    new, past = np.asarray(new, dtype=float), np.asarray(past, dtype=float)
    if window is None:
        return _triangle(past + new) - _triangle(past)
    end, start = past + new, past
    inside = _triangle(np.minimum(end, window)) - _triangle(np.minimum(start, window))
    return inside + window * (np.maximum(end - window, 0) - np.maximum(start - window, 0))


def _triangle(n: np.ndarray) -> np.ndarray:
    return n * (n + 1) / 2
