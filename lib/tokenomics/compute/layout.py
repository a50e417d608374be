"""How a model is cut over devices, and the matrix products that one device then computes.

Tensor parallelism (TP) cuts heads and widths, pipeline parallelism (PP) cuts layers, data parallelism of attention (DP)
gives each group of TP devices its own sequences, and expert parallelism (EP) spreads whole experts. Sizes follow
Megatron (Shoeybi et al. 2019, arXiv:1909.08053): the first product of a block is cut by columns, the second by rows.
"""

from dataclasses import dataclass
from functools import cache

from tokenomics.compute.counts.matrices import CONVOLUTION, DECAY, attention_shapes, embedding_width, matrices
from tokenomics.errors import DataError, whole
from tokenomics.facts.models import Model

PROJECTION, ROUTER, HEAD = "projection", "router", "head"


@dataclass(frozen=True, order=True)
class Layout:
    """Devices of one replica of a model.

    Attributes:
        tp: devices that share heads and widths.
        pp: stages that share layers.
        dp: attention groups of ``tp`` devices each, with sequences of their own and shared experts.
        ep: devices over which whole experts are spread; the other ``tp dp / ep`` cut each expert's width.
        redundant_experts: experts held twice, beside those that a model needs anyway to spread evenly over ``ep``.

    Raises:
        DataError: a size that is no whole number or below one, or ``ep`` that does not divide ``tp dp``.
    """

    tp: int = 1
    pp: int = 1
    dp: int = 1
    ep: int = 1
    redundant_experts: int = 0

    def __post_init__(self):
        for name in ("tp", "pp", "dp", "ep"):
            whole("Layout", name, getattr(self, name))
        whole("Layout", "redundant_experts", self.redundant_experts, 0)
        if (self.tp * self.dp) % self.ep:
            raise DataError("Layout", "ep", self.ep, f"a divisor of tp x dp = {self.tp * self.dp}")

    @property
    def devices(self) -> int:
        """Devices of one replica."""
        return self.tp * self.pp * self.dp

    @property
    def expert_tp(self) -> int:
        """Devices that share the width of one expert."""
        return self.tp * self.dp // self.ep

    def fullest_stage(self, layers: int) -> float:
        """Share of the layers that the fullest pipeline stage holds; it sets the pace and the need of memory."""
        return -(-layers // self.pp) / layers

    def held_experts(self, experts: int) -> int:
        """Routed experts with the redundant ones: at least as many as can be spread evenly."""
        return -(-(experts + self.redundant_experts) // self.ep) * self.ep


@dataclass(frozen=True)
class Product:
    """A matrix product of one device: ``rows`` x ``inputs`` times ``inputs`` x ``outputs``.

    Attributes:
        kind: ``projection``, ``router`` (kept in 16 bit) or ``head`` (one row a sequence, kept in 16 bit).
        inputs, outputs: its sides on this device.
        count: how many of them a step through all layers computes.
    """

    kind: str
    inputs: float
    outputs: float
    count: float


@cache
def products(model: Model, layout: Layout) -> tuple[Product, ...]:
    """Products with weights, fused as engines fuse them (query, key and value; gate and up), without routed experts.

    Key and value heads are replicated where there are more devices than heads. The latent projections of MLA are not
    cut; its up-projection costs the same absorbed or expanded.
    """
    tp = layout.tp
    found = [*_attention(model, tp), *_linear(model, tp), *_mlp(model, tp)]
    width = embedding_width(model)
    if width != model.d_model:  # small: every device holds both projections
        found += [Product(PROJECTION, width, model.d_model, 1), Product(PROJECTION, model.d_model, width, 1)]
    found.append(Product(HEAD, width, model.vocab / tp, 1))
    return tuple(each for each in found if each.count > 0)


def _attention(model: Model, tp: int) -> list[Product]:
    d, found = model.d_model, []
    for shape in attention_shapes(model):
        n, heads = shape.layers, shape.heads / tp
        mixed = heads * shape.value_dim
        gate = mixed if model.attention_gate else 0.0
        if model.is_mla:
            query = heads * shape.head_dim
            down = model.kv_lora_rank + model.rope_head_dim + (model.q_lora_rank or 0)
            found.append(Product(PROJECTION, d, down, n))
            found.append(Product(PROJECTION, model.q_lora_rank or d, query, n))
            expanded = heads * (shape.head_dim - model.rope_head_dim + shape.value_dim)
            found.append(Product(PROJECTION, model.kv_lora_rank, expanded, n))
            found += [Product(PROJECTION, d, gate, n)] if gate else []
        else:
            keys = max(shape.kv_heads / tp, min(1.0, shape.kv_heads))
            found.append(
                Product(PROJECTION, d, heads * shape.head_dim + keys * (shape.head_dim + shape.value_dim) + gate, n)
            )
        found.append(Product(PROJECTION, mixed, d, n))
    if model.cross_layers:
        heads = model.heads / tp
        found.append(Product(PROJECTION, d, heads * model.head_dim, model.cross_layers))
        found.append(Product(PROJECTION, heads * (model.value_head_dim or model.head_dim), d, model.cross_layers))
    if model.index_topk is not None:
        inputs, outputs = model.q_lora_rank or d, model.index_heads * model.index_head_dim
        found.append(Product(PROJECTION, inputs, outputs, model.index_layers))
        found.append(Product(PROJECTION, d, model.index_head_dim + model.index_heads, model.index_layers))
    return found


def _linear(model: Model, tp: int) -> list[Product]:
    """Heads or channels are cut: a projection's outputs where it widens the stream, its inputs where it narrows it."""
    found = []
    for each in matrices(model):
        if each.name.startswith("linear ") and each.name not in (CONVOLUTION, DECAY):
            cut_inputs = each.name in ("linear output", "linear selection")
            inputs, outputs = (each.inputs / tp, each.outputs) if cut_inputs else (each.inputs, each.outputs / tp)
            found.append(Product(PROJECTION, inputs, outputs, each.used))
    return found


def _mlp(model: Model, tp: int) -> list[Product]:
    d, up, found = model.d_model, 2 if model.gated_mlp else 1, []
    for width, n in ((model.d_ff or 0, model.dense_layers), (model.shared_width, model.moe_layers)):
        if width and n:
            found.append(Product(PROJECTION, d, up * width / tp, n))
            found.append(Product(PROJECTION, width / tp, d, n))
    if model.moe_layers:
        found.append(Product(ROUTER, d, model.experts, model.moe_layers))
        if model.expert_input_width:
            found.append(Product(PROJECTION, d, model.expert_input_width, model.moe_layers))
            found.append(Product(PROJECTION, model.expert_input_width, d, model.moe_layers))
    return found
