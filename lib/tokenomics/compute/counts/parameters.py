"""Parameters and bytes of a model, counted from its shapes. FLOP are in :mod:`tokenomics.compute.counts.flops`.

Everything here is arithmetic on the record; contexts, batches and bit widths may be arrays and are broadcast.
Checked against published counts of every model in ``data/catalogue/models.csv``.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from tokenomics.compute.counts.matrices import (
    ATTENTION,
    EMBEDDING,
    EXPERTS,
    HEAD,
    MLP,
    ROUTER,
    Matrix,
    attention_shapes,
    linear_widths,
    matrices,
)
from tokenomics.errors import DataError
from tokenomics.facts.models import Model

COUNTING_RULES = ("all", "without_input_embedding", "without_embeddings")
VECTOR_BITS = 16
"""Norms stay 16 bit in published weight quantisations."""


@dataclass(frozen=True)
class ParameterCount:
    """Parameters by part, of the whole model unless said otherwise.

    Attributes:
        embedding: token and position tables.
        attention: attention and linear mixers, biases included.
        mlp: dense MLPs, shared experts, routers.
        experts: routed experts, all of them.
        experts_active: routed experts that one token passes.
        norm: norm weights and biases.
        head: output head; 0 where it is the embedding table.
        tied: the head is the embedding table.
    """

    embedding: float
    attention: float
    mlp: float
    experts: float
    experts_active: float
    norm: float
    head: float
    tied: bool

    @property
    def total(self) -> float:
        """All parameters; a tied table counts once."""
        return self.embedding + self.attention + self.mlp + self.experts + self.norm + self.head

    @property
    def active(self) -> float:
        """Parameters of a token's path, tables included: the total with only the experts it is routed to."""
        return self.total - self.experts + self.experts_active

    @property
    def multiplied(self) -> float:
        """Parameters that a token is multiplied with, the N of 2N FLOP: no table that is only looked up."""
        return self.active - (0 if self.tied else self.embedding)

    def counted(self, rule: str, active: bool = False) -> float:
        """The total (or active) number under a publisher's counting rule.

        Args:
            rule: ``all``; ``without_input_embedding`` (a tied table counts as the head);
                ``without_embeddings`` (neither tables nor head).
            active: count one token's path instead of the whole model.

        Raises:
            DataError: an unknown rule.
        """
        count = self.active if active else self.total
        if rule == "all":
            return count
        if rule == "without_input_embedding":
            return count - (0 if self.tied else self.embedding)
        if rule == "without_embeddings":
            return count - self.embedding - self.head
        raise DataError("ParameterCount.counted", "rule", rule, ", ".join(COUNTING_RULES))


@cache
def parameters(model: Model) -> ParameterCount:
    """Parameters of a model, total and active, by part.

    Exact up to vectors that no column describes: attention sinks, router correction biases, head biases, an
    embedding norm (together below 0.01 % in every catalogued model), and a full layer's value
    projection where it is the key's (Gemma 4, counted twice).
    """
    parts = dict.fromkeys((EMBEDDING, ATTENTION, MLP, EXPERTS, HEAD), 0.0)
    experts_active = 0.0
    for matrix in matrices(model):
        parts[matrix.part] += matrix.parameters
        if matrix.part == EXPERTS:
            experts_active += matrix.parameters * matrix.used / matrix.copies
    return ParameterCount(
        **parts,
        experts_active=experts_active,
        norm=float(_norm_parameters(model)),
        tied=model.tied_embeddings,
    )


def _norm_parameters(model: Model) -> float:
    """Norms over the residual width (with the final one), of queries and keys, and of latents."""
    vectors = 2 if model.norm_bias else 1
    count = vectors * model.d_model * (model.norms_per_layer * model.layers + 1)
    for shape in attention_shapes(model):
        if model.qk_norm == "head":
            count += shape.layers * 2 * shape.head_dim
        elif model.qk_norm == "full":
            count += shape.layers * (shape.heads + shape.kv_heads) * shape.head_dim
        if model.is_mla:
            count += shape.layers * (model.kv_lora_rank + (model.q_lora_rank or 0))
    return count


@dataclass(frozen=True)
class WeightFormat:
    """How weights are stored.

    Attributes:
        bits: bits per weight of the matrices (16 BF16, 8 FP8 or INT8 ...), without scales; may be an array.
        group_size: weights that share one scale; no scales where ``None``.
        scale_bits: bits of a group's scale (and zero point).
        others: parts or matrices (``embedding``, ``head``, ``router``, ``mlp down`` ...) that are stored in other bits,
            scales included; a matrix goes before its part.
        beside_experts: the same, for what is no expert in a model that has experts.
        wide_layers: layers whose dense MLP stays in 16 bit.
        expert_multiple: kernels fill the width of an expert on a device up to a multiple of it, in memory.
    """

    bits: ArrayLike = 16
    group_size: int | None = None
    scale_bits: int = 16
    others: tuple[tuple[str, float], ...] = ()
    beside_experts: tuple[tuple[str, float], ...] = ()
    wide_layers: int = 0
    expert_multiple: int | None = None

    def bits_of(self, matrix: Matrix, model: Model) -> np.ndarray:
        """Bits per weight of one matrix of a model, scales included."""
        known = dict(self.others) | (dict(self.beside_experts) if model.is_moe else {})
        scale = self.scale_bits / self.group_size if self.group_size else 0.0
        part = HEAD if matrix.part == EMBEDDING and model.tied_embeddings else matrix.part
        bits = known.get(matrix.name, known.get(part, np.asarray(self.bits, dtype=float) + scale))
        if matrix.part == MLP and matrix.name != ROUTER:
            bits = bits + (VECTOR_BITS - bits) * min(self.wide_layers / model.layers, 1.0)
        return np.asarray(bits, dtype=float)

    def dense_bits(self, model: Model) -> float:
        """Mean bits per weight of the dense products: attention, MLPs and shared experts, scales included."""
        found = [each for each in matrices(model) if each.part in (ATTENTION, MLP) and each.name != ROUTER]
        weights = [each.parameters for each in found]
        return float(np.average([self.bits_of(each, model) for each in found], weights=weights))


Stored = ArrayLike | WeightFormat
"""Bits per weight of everything, or a :class:`WeightFormat` that leaves some parts in other bits."""


def weight_bytes(model: Model, bits: Stored = 16) -> np.ndarray:
    """Bytes of all weights in memory, in the shape of the bit widths."""
    return sum(_stored_bytes(model, bits).values()) + float(_norm_parameters(model)) * VECTOR_BITS / 8


def expert_weight_bytes(model: Model, bits: Stored = 16) -> np.ndarray:
    """Bytes of all routed experts, in the shape of the bit widths; 0 for a dense model."""
    return _stored_bytes(model, bits)[EXPERTS]


def decode_weight_bytes(model: Model, batch: ArrayLike, bits: Stored = 16) -> np.ndarray:
    """Bytes of weights that one decode step reads: all but untouched experts and the table that is only looked up.

    Args:
        model: the architecture.
        batch: tokens in the step (one a sequence).
        bits: as for :func:`weight_bytes`.

    Returns:
        Bytes, in the broadcast shape of ``batch`` and the bit widths.
    """
    stored = _stored_bytes(model, bits)
    touched = expected_distinct_experts(model, batch) / max(model.experts, 1)
    head = _token_table_bytes(model, _format(bits)) if model.tied_embeddings else stored[HEAD]
    norms = float(_norm_parameters(model)) * VECTOR_BITS / 8
    return stored[ATTENTION] + stored[MLP] + stored[EXPERTS] * touched + head + norms


def _stored_bytes(model: Model, bits: Stored) -> dict[str, np.ndarray]:
    """Bytes by part of the model."""
    stored = _format(bits)
    return _part_bytes(model, stored) if np.ndim(stored.bits) == 0 else _part_bytes.__wrapped__(model, stored)


@cache
def _part_bytes(model: Model, stored: WeightFormat) -> dict[str, np.ndarray]:
    found = dict.fromkeys((EMBEDDING, ATTENTION, MLP, EXPERTS, HEAD), np.asarray(0.0))
    for matrix in matrices(model):
        found[matrix.part] = found[matrix.part] + matrix.parameters * stored.bits_of(matrix, model) / 8
    return found


def _token_table_bytes(model: Model, stored: WeightFormat) -> np.ndarray:
    """Bytes of the embedding table, which is the head too where both are tied."""
    table = next(matrix for matrix in matrices(model) if matrix.part == EMBEDDING)
    return table.parameters * stored.bits_of(table, model) / 8


def _format(bits: Stored) -> WeightFormat:
    return bits if isinstance(bits, WeightFormat) else WeightFormat(bits)


def expected_distinct_experts(model: Model, tokens: ArrayLike) -> np.ndarray:
    """Routed experts of a layer that a batch of tokens touches, on average.

    With E experts, k per token and independent uniform routing, one token misses an expert with probability
    1 - k/E, hence ``E (1 - (1 - k/E)^tokens)``. Real routing is skewed and correlated, so it touches fewer.

    Returns:
        Experts, in the shape of ``tokens``; 0 for a dense model.
    """
    tokens = np.asarray(tokens, dtype=float)
    if not model.is_moe:
        return np.zeros_like(tokens)
    return model.experts * (1 - (1 - model.experts_per_token / model.experts) ** tokens)


def kv_bytes_per_token(model: Model, bits: ArrayLike = 16) -> np.ndarray:
    """Bytes that one more token adds to the cache while no sliding window is full yet.

    Cross-attention layers add nothing: they keep the keys of an image, however long the text. MLA caches one latent
    and the shared rotary key a layer; sparse attention adds the indexer's key.
    """
    full, sliding = _kv_values_per_token(model)
    return (full + sliding) * np.asarray(bits, dtype=float) / 8


def kv_bytes(
    model: Model,
    context: ArrayLike,
    bits: ArrayLike = 16,
    *,
    state_bits: ArrayLike = 32,
    sliding_tokens: ArrayLike | None = None,
) -> np.ndarray:
    """Bytes that one sequence of ``context`` tokens keeps between steps.

    Full layers grow with the context, sliding layers stop at their window, linear layers hold a constant
    state.

    Args:
        model: the architecture.
        context: tokens in the sequence.
        bits: bits of a cached key or value.
        state_bits: bits of a value of the linear layers' state (engines keep 32).
        sliding_tokens: tokens that sliding layers keep, at most; their window where ``None``.

    Returns:
        Bytes, in the broadcast shape of the arguments.
    """
    full, sliding = _kv_values_per_token(model)
    context, bits = np.asarray(context, dtype=float), np.asarray(bits, dtype=float)
    window = model.sliding_window_tokens or np.inf
    kept = np.minimum(context, window if sliding_tokens is None else sliding_tokens)
    return (full * context + sliding * kept) * bits / 8 + state_bytes(model, state_bits)


def state_bytes(model: Model, bits: ArrayLike = 32) -> np.ndarray:
    """Bytes of the linear layers' state of one sequence: a key x value matrix a head, and the convolution's tail.

    Mamba keeps ``linear_key_dim`` values a channel, Griffin's recurrence one (keys of no heads, one wide), a bare
    convolution its tail alone.

    Returns:
        Bytes, in the shape of ``bits``; 0 without linear layers.
    """
    keys, values = linear_widths(model)
    state = values * (model.linear_key_dim or 0)
    tail = max((model.linear_conv_width or 0) - 1, 0) * (2 * keys + values)
    return model.linear_layers * (state + tail) * np.asarray(bits, dtype=float) / 8


def _kv_values_per_token(model: Model) -> tuple[float, float]:
    """Cached values a token: in all full layers, in all sliding layers."""
    if model.is_mla:
        latent = model.kv_lora_rank + model.rope_head_dim
        values = [latent * shape.layers for shape in attention_shapes(model)]
    else:
        values = [s.layers * s.kv_heads * (s.head_dim + s.value_dim) for s in attention_shapes(model)]
    index = model.index_layers * model.index_head_dim if model.index_topk else 0
    return values[0] + index, values[1]


def activation_bytes(model: Model, tokens: ArrayLike, bits: ArrayLike = 16, *, tp: float = 1) -> np.ndarray:
    """Peak bytes of intermediate values on a device while ``tokens`` pass the model without gradients.

    Counted are the residual stream and its normed copy, plus the widest stage of a layer: queries, keys, values and
    mixed values of attention, or the inner values of the MLP (of all experts that a token passes). Attention scores
    are not stored (fused kernels). Left out: logits and an engine's own workspace.

    Args:
        model: the architecture.
        tokens: of the step.
        bits: of a value.
        tp: devices that share heads and inner widths; each holds the residual stream, and the routed experts' inputs
            and outputs, for itself.

    Returns:
        Bytes, in the broadcast shape of the arguments.
    """
    keys, values = linear_widths(model)
    shared = max(_attention_width(model), 2 * keys + 3 * values, _mlp_width(model)) / tp
    routed = model.experts_per_token * (model.expert_input_width or model.d_model) if model.is_moe else 0.0
    tokens, bits = np.asarray(tokens, dtype=float), np.asarray(bits, dtype=float)
    return tokens * (2 * model.d_model + max(shared, routed + _expert_width(model) / tp)) * bits / 8


def _attention_width(model: Model) -> float:
    widths = [0.0]
    for shape in attention_shapes(model):
        if shape.layers:
            kv_heads = shape.heads if model.is_mla else shape.kv_heads  # the latent is expanded in prefill
            widths.append((shape.heads + kv_heads) * (shape.head_dim + shape.value_dim))
    return max(widths)


def _mlp_width(model: Model) -> float:
    return _stages(model) * model.d_ff if model.dense_layers else 0.0


def _expert_width(model: Model) -> float:
    """Inner values of the experts that a token passes, shared ones included."""
    if not model.is_moe:
        return 0.0
    return _stages(model) * (model.experts_per_token * model.expert_width + model.shared_width)


def _stages(model: Model) -> int:
    return 3 if model.gated_mlp else 2  # gate, up and their product; or up and its activation
