"""SmolLM2 as plain tensor functions: packed sequences, a shared cached prefix, adapters, frozen lower layers.

Many short prompts lie one after another in a single *pack*; a token sees the tokens of its own prompt before it and
the shared prefix, if any. So nothing is padded, and a prefix (an instruction, a whole knowledge base) is read once.
Weights stay in the layout of the GGUF file: rotary pairs are neighbours (2i, 2i + 1), so that an adapter trained here
fits the file that llama.cpp reads. Arithmetic in 32 bits on the dequantised 4-bit
weights: without matrix units that is faster than 16 bits, and the same on more processors.

Shapes: T tokens, D model width, H heads, G key-value heads, h head width.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import torch
from torch.nn import functional

from tokenomics import paths
from tokenomics.experiment import packages

PROJECTIONS = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
SHARED = -1
"""Owner of a token that all prompts of a pack see."""


@dataclass(frozen=True)
class Shape:
    """What the file says of the architecture."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    rope_base: float
    norm_epsilon: float
    context: int

    @property
    def head_width(self) -> int:
        return self.width // self.heads


@dataclass(frozen=True)
class Model:
    """Weights by GGUF name, without the ``.weight``; ``token_embd`` is input and output matrix."""

    shape: Shape
    weights: dict[str, torch.Tensor]


@dataclass
class Cache:
    """Keys and values of one prefix or pack, by layer, each (G, T, h), with the owner of each token (T)."""

    owner: torch.Tensor
    keys: dict[int, torch.Tensor] = field(default_factory=dict)
    values: dict[int, torch.Tensor] = field(default_factory=dict)


Adapters = dict[str, tuple[torch.Tensor, torch.Tensor]]
"""By weight name, A (r, inputs) and B (outputs, r), the scale already in B."""


@cache
def load() -> Model:
    """The dequantised model; a copy is kept in ``scratch/``, so that later processes need not dequantise.

    Raises:
        RunError: the package is missing.
        DataError: a file of another hash.
    """
    from safetensors.torch import load_file, save_file

    source = packages.file(packages.SMOLLM2)
    kept = paths.SCRATCH / "experiment" / f"{packages.SHA256[packages.SMOLLM2][:12]}.safetensors"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        draft = kept.with_suffix(f".draft{os.getpid()}")
        save_file(_dequantised(source), draft)
        draft.replace(kept)
    return Model(_shape(), load_file(kept))


def _dequantised(source: Path) -> dict[str, torch.Tensor]:
    import numpy as np
    from gguf import GGUFReader
    from gguf.quants import dequantize

    found = {}
    for tensor in GGUFReader(source).tensors:
        values = np.array(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
        found[tensor.name.removesuffix(".weight")] = torch.from_numpy(values)
    return found


@cache
def _shape() -> Shape:
    from gguf import GGUFReader

    fields = GGUFReader(packages.file(packages.SMOLLM2)).fields
    names = {
        "layers": "block_count",
        "width": "embedding_length",
        "heads": "attention.head_count",
        "kv_heads": "attention.head_count_kv",
        "rope_base": "rope.freq_base",
        "norm_epsilon": "attention.layer_norm_rms_epsilon",
        "context": "context_length",
    }
    return Shape(**{name: fields[f"llama.{key}"].contents() for name, key in names.items()})


def embed(model: Model, tokens: torch.Tensor) -> torch.Tensor:
    """Input rows (T, D) of tokens (T)."""
    return functional.embedding(tokens, model.weights["token_embd"])


def logits(model: Model, hidden: torch.Tensor) -> torch.Tensor:
    """Next-token logits (T, vocabulary) of the last layer's output (T, D)."""
    normed = _norm(hidden, model.weights["output_norm"], model.shape.norm_epsilon)
    return functional.linear(normed, model.weights["token_embd"])


def run_layers(
    model: Model,
    hidden: torch.Tensor,
    owner: torch.Tensor,
    position: torch.Tensor,
    *,
    first: int = 0,
    last: int | None = None,
    before: Cache | None = None,
    keep: Cache | None = None,
    adapters: Adapters | None = None,
) -> torch.Tensor:
    """Output (T, D) of layers ``first`` to ``last`` (exclusive).

    Args:
        hidden: input of layer ``first``.
        owner: (T) which prompt each token belongs to; :data:`SHARED` is seen by all.
        position: (T) place of each token in its own prompt, the prefix counted.
        before: keys and values of earlier tokens.
        keep: receives ``before`` and these tokens' keys and values.
        adapters: added to the projections they name.
    """
    known = before.owner if before is not None else owner[:0]
    attend = _alone(owner) if before is None else _after(owner, known)
    turn = _rotation(model.shape, position)
    if keep is not None:
        keep.owner = torch.cat([known, owner])
    for layer in range(first, model.shape.layers if last is None else last):
        hidden = _layer(model, layer, hidden, turn, attend, before=before, keep=keep, adapters=adapters or {})
    return hidden


def _layer(model, layer, hidden, turn, attend, *, before, keep, adapters) -> torch.Tensor:
    shape, weights, prefix = model.shape, model.weights, f"blk.{layer}."

    def project(name: str, x: torch.Tensor) -> torch.Tensor:
        y = functional.linear(x, weights[prefix + name])
        if (pair := adapters.get(prefix + name)) is not None:
            y = y + functional.linear(functional.linear(x, pair[0]), pair[1])
        return y

    def heads(x: torch.Tensor, count: int) -> torch.Tensor:
        return x.view(len(x), count, shape.head_width).transpose(0, 1)

    normed = _norm(hidden, weights[prefix + "attn_norm"], shape.norm_epsilon)
    q = _rotate(heads(project("attn_q", normed), shape.heads), turn)
    k = _rotate(heads(project("attn_k", normed), shape.kv_heads), turn)
    v = heads(project("attn_v", normed), shape.kv_heads)
    if before is not None:
        k = torch.cat([before.keys[layer], k], dim=1)
        v = torch.cat([before.values[layer], v], dim=1)
    if keep is not None:
        keep.keys[layer], keep.values[layer] = k, v
    seen = attend(q, k, v)
    hidden = hidden + project("attn_output", seen.transpose(0, 1).reshape(len(hidden), shape.width))
    normed = _norm(hidden, weights[prefix + "ffn_norm"], shape.norm_epsilon)
    return hidden + project("ffn_down", functional.silu(project("ffn_gate", normed)) * project("ffn_up", normed))


def _norm(x: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
    return functional.rms_norm(x, (x.shape[-1],), weight, epsilon)


def _rotation(shape: Shape, position: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    pairs = torch.arange(0, shape.head_width, 2, dtype=torch.float32)
    angle = position[:, None].float() * shape.rope_base ** (-pairs / shape.head_width)
    return angle.cos(), angle.sin()


def _rotate(x: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    even, odd = x[..., 0::2], x[..., 1::2]
    cos, sin = turn
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)


Attend = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""Queries (H, T, h), keys and values (G, keys, h) to what each token gathers (H, T, h)."""


def _after(owner: torch.Tensor, known: torch.Tensor) -> Attend:
    """Attention to a shared prefix and to the own tokens so far, in one softmax.

    Args:
        owner: (T) of the new tokens, those of a prompt together.
        known: owners of the earlier keys, shared ones first.
    """
    shared = int((known == SHARED).sum())
    owners, counts = torch.unique_consecutive(owner, return_counts=True)
    queries, is_query = _rows(owner, owners)
    keys, is_key = _rows(torch.cat([known[shared:], owner]), owners)
    place = is_key.sum(1)[:, None] - counts[:, None] + torch.arange(queries.shape[1])
    hidden = ~(is_key[:, None] & (torch.arange(keys.shape[1]) <= place[..., None]))  # (prompts, L, keys)

    def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        alike, scaled = len(q) // len(k), q / q.shape[-1] ** 0.5
        stacked = (len(k), alike * q.shape[1])  # queries that share keys stand below each other
        common = scaled.reshape(*stacked, q.shape[-1])
        to_prefix = (common @ k[:, :shared].transpose(1, 2)).view(*q.shape[:2], shared)
        own_k, own_v = (x[:, shared + keys].repeat_interleave(alike, 0).transpose(0, 1) for x in (k, v))
        to_own = scaled[:, queries].transpose(0, 1) @ own_k.transpose(2, 3)
        to_own = to_own.masked_fill(hidden[:, None], float("-inf")).transpose(0, 1)[:, is_query]
        weights = torch.cat([to_prefix, to_own], -1).softmax(-1)
        from_prefix = weights[..., :shared].reshape(*stacked, shared) @ v[:, :shared]
        from_own = weights[..., shared:][:, queries].transpose(0, 1) @ own_v
        return from_prefix.view(q.shape) + from_own.transpose(0, 1)[:, is_query]

    return attend


def _rows(owner: torch.Tensor, owners: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Places of each owner's tokens, one row an owner, in order; and which places are real, not filling."""
    order = torch.argsort(owner, stable=True)
    ends = torch.searchsorted(owner[order].contiguous(), owners, right=True)
    starts = torch.searchsorted(owner[order].contiguous(), owners)
    within = starts[:, None] + torch.arange(int((ends - starts).max()))
    real = within < ends[:, None]
    return order[torch.where(real, within, starts[:, None])], real


def _alone(owner: torch.Tensor) -> Attend:
    """Attention within each prompt with nothing before it: causal, cut into one row a prompt."""
    index, real = _rows(owner, torch.unique_consecutive(owner))

    def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        alike = len(q) // len(k)
        rows = (each[:, index].transpose(0, 1) for each in (q, *(x.repeat_interleave(alike, 0) for x in (k, v))))
        seen = functional.scaled_dot_product_attention(*rows, is_causal=True)
        return seen.transpose(0, 1)[:, real]

    return attend


def joined(first: Cache, second: Cache, skip: int) -> Cache:
    """Two caches as one, without the first ``skip`` tokens of the second (a prefix that both hold)."""
    if not first.keys:
        return second

    def both(a: dict[int, torch.Tensor], b: dict[int, torch.Tensor]) -> dict[int, torch.Tensor]:
        return {layer: torch.cat([a[layer], b[layer][:, skip:]], dim=1) for layer in a}

    owner = torch.cat([first.owner, second.owner[skip:]])
    return Cache(owner, both(first.keys, second.keys), both(first.values, second.values))


def merged(model: Model, adapters: Adapters) -> Model:
    """The model with adapters added to its weights."""
    changed = {name: model.weights[name] + b @ a for name, (a, b) in adapters.items()}
    return Model(model.shape, model.weights | changed)


def shared_layers(models: Sequence[Model]) -> int:
    """How many of the lowest layers all models have in common, as the very same tensors."""
    first, shape = models[0].weights, models[0].shape
    for layer in range(shape.layers):
        names = [f"blk.{layer}.{name}" for name in PROJECTIONS]
        if any(model.weights[name] is not first[name] for model in models for name in names):
            return layer
    return shape.layers


def digest(tensors: dict[str, torch.Tensor]) -> str:
    """SHA-256 of tensors by name, to tell whether two runs made the same weights."""
    made = hashlib.sha256()
    for name in sorted(tensors):
        made.update(name.encode())
        made.update(tensors[name].detach().contiguous().view(torch.uint8).numpy().tobytes())
    return made.hexdigest()
