"""The weight matrices of a model: the one list from which parameters, FLOP and bytes are counted.

A token costs two FLOP for each weight it is multiplied with, and a weight costs its bits, so a list of matrices with
how many of them a model holds and how many a token passes is all that counting needs. It also gives the shapes of the
matrix products whose time is modelled elsewhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from tokenomics.facts.models import Model

EMBEDDING, ATTENTION, MLP, EXPERTS, HEAD = "embedding", "attention", "mlp", "experts", "head"
"""Parts: token and position tables; attention and linear mixers; dense MLPs, shared experts and routers; routed
experts; the output head."""
ROUTER = "router"
"""The matrix that chooses experts; checkpoints keep it wide."""
CONVOLUTION, DECAY = "linear convolution", "linear decay"
"""Parameters of layers with a state that are applied value by value, not as a matrix product."""


@dataclass(frozen=True)
class Matrix:
    """A kind of weight matrix, ``inputs`` x ``outputs``.

    Attributes:
        part: one of the parts above.
        name: what it does.
        inputs, outputs: its sides; fractional only where the catalogue holds a mean over layers.
        copies: how many the whole model holds.
        used: how many of them a token is multiplied with; 0 for a table that is looked up.
        has_bias: adds ``outputs`` parameters a copy.
    """

    part: str
    name: str
    inputs: float
    outputs: float
    copies: float
    used: float
    has_bias: bool = False

    @property
    def weights(self) -> float:
        """Weights of one copy, without the bias."""
        return self.inputs * self.outputs

    @property
    def parameters(self) -> float:
        """Parameters of all copies, with biases."""
        return self.copies * (self.weights + (self.outputs if self.has_bias else 0))

    @property
    def flop_per_token(self) -> float:
        """FLOP of multiplying one token with every copy it passes (a multiply and an add a weight)."""
        return 2 * self.used * self.weights


@cache
def matrices(model: Model) -> tuple[Matrix, ...]:
    """Every weight matrix of a model, by part.

    Left out: gates of a single output (shared-expert gates), attention sinks and other vectors; for norms see
    :func:`tokenomics.compute.counts.parameters.parameters`. Tables and the short convolutions of linear layers are in
    the list to be counted; they are no matrix products.
    """
    return tuple(
        matrix
        for group in (_tables(model), _attention(model), _linear(model), _mlp(model), _experts(model))
        for matrix in group
        if matrix.copies > 0
    )


def _tables(model: Model) -> Iterator[Matrix]:
    width = embedding_width(model)
    yield Matrix(EMBEDDING, "token embedding", model.vocab, width, 1, 0)
    yield Matrix(EMBEDDING, "position embedding", model.positions, model.d_model, 1, 0)
    # A tied head multiplies with the embedding table: it costs FLOP but adds no parameters.
    if not model.tied_embeddings:
        yield Matrix(HEAD, "head", width, model.vocab, 1, 1)
    if width != model.d_model:
        yield Matrix(MLP, "embedding projection", width, model.d_model, 1, 1)
        yield Matrix(MLP, "output projection", model.d_model, width, 1, 1)


def embedding_width(model: Model) -> int:
    """Width of the token table and of the head: that of the model, unless both are projected (OPT-350M)."""
    return model.embedding_width or model.d_model


def head_flop(model: Model) -> float:
    """FLOP of the output head for one token, tied or not."""
    return 2.0 * embedding_width(model) * model.vocab


@dataclass(frozen=True)
class AttentionShape:
    """Heads of one kind of attention layer (full or sliding); ``layers`` of them."""

    layers: int
    heads: int
    kv_heads: float
    head_dim: int
    value_dim: int


@cache
def attention_shapes(model: Model) -> tuple[AttentionShape, AttentionShape]:
    """Shapes of the full and of the sliding layers."""
    full = AttentionShape(
        model.full_layers, model.heads, model.kv_heads, model.head_dim, model.value_head_dim or model.head_dim
    )
    sliding_dim = model.sliding_head_dim or model.head_dim
    sliding = AttentionShape(
        model.sliding_layers,
        model.sliding_heads or model.heads,
        model.sliding_kv_heads or model.kv_heads,
        sliding_dim,
        model.value_head_dim or sliding_dim,
    )
    return full, sliding


def _attention(model: Model) -> Iterator[Matrix]:
    for shape in attention_shapes(model):
        yield from _latent(model, shape) if model.is_mla else _grouped(model, shape)
    if model.cross_layers:  # keys and values are of the image: made once, not for each token
        for each in _grouped(model, replace(attention_shapes(model)[0], layers=model.cross_layers)):
            yield replace(each, used=0) if each.name in ("key", "value") else each
    if model.index_topk is not None:
        yield from _indexer(model)


def _grouped(model: Model, shape: AttentionShape) -> Iterator[Matrix]:
    """Multi-head, grouped-query and multi-query attention."""
    d, n = model.d_model, shape.layers
    query, key = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    value, mixed = shape.kv_heads * shape.value_dim, shape.heads * shape.value_dim
    bias, out_bias = model.attention_bias != "none", model.attention_bias == "all"
    yield Matrix(ATTENTION, "query", d, query, n, n, bias)
    yield Matrix(ATTENTION, "key", d, key, n, n, bias)
    yield Matrix(ATTENTION, "value", d, value, n, n, bias)
    yield Matrix(ATTENTION, "attention output", mixed, d, n, n, out_bias)
    if model.attention_gate:
        yield Matrix(ATTENTION, "attention gate", d, mixed, n, n, bias)


def _latent(model: Model, shape: AttentionShape) -> Iterator[Matrix]:
    """Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434, section 2.1 and appendix C)."""
    d, n = model.d_model, shape.layers
    query = shape.heads * shape.head_dim
    nope_and_value = shape.heads * (shape.head_dim - model.rope_head_dim + shape.value_dim)
    if model.q_lora_rank:
        yield Matrix(ATTENTION, "query down", d, model.q_lora_rank, n, n)
        yield Matrix(ATTENTION, "query up", model.q_lora_rank, query, n, n)
    else:
        yield Matrix(ATTENTION, "query", d, query, n, n)
    yield Matrix(ATTENTION, "latent down", d, model.kv_lora_rank + model.rope_head_dim, n, n)
    yield Matrix(ATTENTION, "latent up", model.kv_lora_rank, nope_and_value, n, n)
    mixed = shape.heads * shape.value_dim
    yield Matrix(ATTENTION, "attention output", mixed, d, n, n)
    if model.attention_gate:
        yield Matrix(ATTENTION, "attention gate", d, mixed, n, n)


def _indexer(model: Model) -> Iterator[Matrix]:
    """The indexer of DeepSeek's sparse attention: many small query heads, one shared key, a weight a head."""
    d, n = model.d_model, model.index_layers
    yield Matrix(ATTENTION, "index query", model.q_lora_rank or d, model.index_heads * model.index_head_dim, n, n)
    yield Matrix(ATTENTION, "index key", d, model.index_head_dim, n, n)
    yield Matrix(ATTENTION, "index weight", d, model.index_heads, n, n)


def linear_widths(model: Model) -> tuple[int, int]:
    """Widths of the keys (and queries) and of the values of a linear layer; 0, 0 without such layers."""
    if not model.linear_layers:
        return 0, 0
    return model.linear_key_heads * model.linear_key_dim, model.linear_value_heads * model.linear_value_dim


def _linear(model: Model) -> Iterator[Matrix]:
    """Mixers with a constant state: projections in and out, and a short convolution over a few tokens.

    Without a ``linear_kind``: Mamba-2 (arXiv:2405.21060), gated DeltaNet (arXiv:2412.06464) and lightning attention
    (arXiv:2501.08313), which project to queries and keys (C and B), values (x), an output gate as wide as the values
    (z) and a few scalars a head; the convolution runs over all but the gate. For the others see :data:`LINEAR_KINDS`.
    """
    if not model.linear_layers:
        return
    n, (_, values) = model.linear_layers, linear_widths(model)
    yield from LINEAR_KINDS.get(model.linear_kind, _gated)(model, n)
    yield Matrix(ATTENTION, "linear output", values, model.d_model, n, n)


def _gated(model: Model, n: int) -> Iterator[Matrix]:
    keys, values = linear_widths(model)
    gates = model.linear_gates * model.linear_value_heads
    yield Matrix(ATTENTION, "linear input", model.d_model, 2 * keys + 2 * values + gates, n, n)
    yield Matrix(ATTENTION, CONVOLUTION, model.linear_conv_width, 2 * keys + values, n, n)


def _kimi_delta(model: Model, n: int) -> Iterator[Matrix]:
    """Kimi delta attention (arXiv:2510.26692): decay a key channel and output gate come through a narrow waist."""
    keys, values = linear_widths(model)
    d, rank, gates = model.d_model, model.linear_rank, model.linear_gates * model.linear_value_heads
    yield Matrix(ATTENTION, "linear input", d, 2 * keys + values + gates, n, n)
    yield Matrix(ATTENTION, CONVOLUTION, model.linear_conv_width, 2 * keys + values, n, n)
    yield Matrix(ATTENTION, "linear gates down", d, 2 * rank, n, n)
    yield Matrix(ATTENTION, "linear gates up", rank, keys + values, n, n)


def _mamba1(model: Model, n: int) -> Iterator[Matrix]:
    """Mamba (arXiv:2312.00752): every channel keeps a state of ``linear_key_dim``; B, C and the step depend on x."""
    _, values = linear_widths(model)
    rank, state = model.linear_rank, model.linear_key_dim
    yield Matrix(ATTENTION, "linear input", model.d_model, 2 * values, n, n)
    yield Matrix(ATTENTION, CONVOLUTION, model.linear_conv_width, values, n, n, True)
    yield Matrix(ATTENTION, "linear selection", values, rank + 2 * state, n, n)
    yield Matrix(ATTENTION, "linear step", rank, values, n, n, True)
    yield Matrix(ATTENTION, DECAY, state + 1, values, n, n)  # with the skip D


def _rglru(model: Model, n: int) -> Iterator[Matrix]:
    """Real-gated linear recurrence of Griffin (arXiv:2402.19427): two block-diagonal gates, one state a channel."""
    _, values = linear_widths(model)
    heads, block = model.linear_value_heads, model.linear_value_dim
    yield Matrix(ATTENTION, "linear input", model.d_model, 2 * values, n, n, True)
    yield Matrix(ATTENTION, CONVOLUTION, model.linear_conv_width, values, n, n, True)
    yield Matrix(ATTENTION, "linear block gates", block, block, 2 * heads * n, 2 * heads * n, True)
    yield Matrix(ATTENTION, DECAY, 1, values, n, n)


def _gated_convolution(model: Model, n: int) -> Iterator[Matrix]:
    """A short convolution between two gates (LFM2, arXiv:2511.23404); nothing is kept but its tail."""
    _, values = linear_widths(model)
    yield Matrix(ATTENTION, "linear input", model.d_model, 3 * values, n, n)
    yield Matrix(ATTENTION, CONVOLUTION, model.linear_conv_width, values, n, n)


LINEAR_KINDS = {"kda": _kimi_delta, "mamba1": _mamba1, "rglru": _rglru, "conv": _gated_convolution}
"""Matrices of the kinds that are not plainly gated, by ``linear_kind``."""


def _mlp(model: Model) -> Iterator[Matrix]:
    """Dense layers, shared experts and routers: what every token passes, however it is routed."""
    d, bias = model.d_model, model.mlp_bias
    up = 2 if model.gated_mlp else 1
    if model.dense_layers and model.d_ff:
        n = model.dense_layers
        yield Matrix(MLP, "mlp up", d, model.d_ff, up * n, up * n, bias)
        yield Matrix(MLP, "mlp down", model.d_ff, d, n, n, bias)
    n = model.moe_layers
    if n:
        yield Matrix(MLP, ROUTER, d, model.experts, n, n, bias)
    if n and model.shared_width:
        yield Matrix(MLP, "shared expert up", d, model.shared_width, up * n, up * n)
        yield Matrix(MLP, "shared expert down", model.shared_width, d, n, n)
    if n and model.expert_input_width:
        yield Matrix(MLP, "latent down", d, model.expert_input_width, n, n)
        yield Matrix(MLP, "latent up", model.expert_input_width, d, n, n)


def _experts(model: Model) -> Iterator[Matrix]:
    if not model.is_moe:
        return
    n, held, used = model.moe_layers, model.experts, model.experts_per_token
    d, width, bias = model.expert_input_width or model.d_model, model.expert_width, model.mlp_bias
    up = 2 if model.gated_mlp else 1
    yield Matrix(EXPERTS, "expert up", d, width, up * n * held, up * n * used, bias)
    yield Matrix(EXPERTS, "expert down", width, d, n * held, n * used, bias)
