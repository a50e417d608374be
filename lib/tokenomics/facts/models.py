"""The shapes of a language model as a frozen record: where every count of parameters, FLOP and bytes starts."""

import math
import sys
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from numbers import Integral, Real
from typing import Any, get_args, get_type_hints

from tokenomics.errors import DataError

BIASES = ("none", "qkv", "all")
QK_NORMS = ("none", "head", "full")
LINEAR_KINDS = (None, "mamba1", "rglru", "kda", "conv")
EMPTY = ("", "nan", "<NA>")
"""How an empty cell reads in plain text, in numpy and in pandas."""
TRUTHS = {"true": True, "false": False}
WORDS = {str: "a text", bool: "true or false", int: "an integer", float: "a number"}
MAY_BE_ZERO = {
    *("full_layers", "sliding_layers", "linear_layers", "dense_layers", "moe_layers", "positions", "rope_head_dim"),
    *("linear_key_heads", "linear_key_dim", "linear_gates", "linear_conv_width", "cross_layers", "d_ff"),
    *("experts", "experts_per_token", "shared_width", "norms_per_layer"),
}


@dataclass(frozen=True)
class Model:
    """A decoder-only model, possibly with experts, sliding windows, latent attention or layers of constant state.

    A layer has one mixer (attention, cross-attention to an image, or a constant state) or none; only where all layers
    have both, attention and a state stand side by side in each (Falcon-H1).

    Fields are the architecture columns of ``data/catalogue/models.csv``, in their order and with the meaning given in
    ``models.meta.yaml``. ``None`` means that the model has no such part, or that it equals the plain one
    (``value_head_dim``, ``sliding_heads`` ...).

    Raises:
        DataError: a value of the wrong type or sign, a missing partner (``kv_lora_rank`` without ``rope_head_dim``,
            experts without ``expert_width`` ...), or layers that do not add up.
    """

    name: str
    family: str
    layers: int
    full_layers: int
    sliding_layers: int
    linear_layers: int
    dense_layers: int
    moe_layers: int
    d_model: int
    vocab: int
    positions: int
    tied_embeddings: bool
    heads: int
    kv_heads: float
    head_dim: int
    value_head_dim: int | None = None
    q_lora_rank: int | None = None
    kv_lora_rank: int | None = None
    rope_head_dim: int | None = None
    index_heads: int | None = None
    index_head_dim: int | None = None
    index_layers: int | None = None
    index_topk: int | None = None
    sliding_window_tokens: int | None = None
    sliding_heads: int | None = None
    sliding_kv_heads: float | None = None
    sliding_head_dim: int | None = None
    linear_key_heads: int | None = None
    linear_value_heads: int | None = None
    linear_key_dim: int | None = None
    linear_value_dim: int | None = None
    linear_gates: int | None = None
    linear_conv_width: int | None = None
    linear_kind: str | None = None
    linear_rank: int | None = None
    cross_layers: int = 0
    embedding_width: int | None = None
    attention_gate: bool = False
    attention_bias: str = "none"
    qk_norm: str = "none"
    d_ff: float | None = None
    gated_mlp: bool = True
    mlp_bias: bool = False
    experts: int = 0
    experts_per_token: int = 0
    expert_width: int | None = None
    expert_input_width: int | None = None
    shared_width: int = 0
    norms_per_layer: int = 2
    norm_bias: bool = False
    parallel_block: bool = False
    encoder_only: bool = False
    context_tokens: int | None = None
    published_format: str | None = None
    tower_parameters: float | None = None

    def __post_init__(self):
        for field in fields(self):
            _check_number(self.name, field.name, getattr(self, field.name))
        for key, allowed in (("attention_bias", BIASES), ("qk_norm", QK_NORMS), ("linear_kind", LINEAR_KINDS)):
            if getattr(self, key) not in allowed:
                raise DataError(f"model {self.name}", key, getattr(self, key), ", ".join(filter(None, allowed)))
        _check_layers(self)
        _check_partners(self)

    @classmethod
    def from_row(cls, row: Mapping[str, Any], where: str = "models") -> "Model":
        """A record from one row of the table (extra columns are ignored; empty, NaN and missing mean ``None``).

        Args:
            row: column name to value; text such as ``"80"`` or ``"true"`` is converted.
            where: the file to name in an error.

        Raises:
            DataError: a required column is missing or a value cannot be read as its column's type.
        """
        values = {}
        for field in fields(cls):
            value = _converted(row.get(field.name), _types()[field.name], where, field.name)
            if value is not None:
                values[field.name] = value
        for field in fields(cls):
            if field.default is MISSING and field.name not in values:
                raise DataError(where, field.name, "missing", WORDS[_types()[field.name]])
        return cls(**values)

    @property
    def is_mla(self) -> bool:
        """Multi-head latent attention: one compressed latent is cached instead of keys and values."""
        return self.kv_lora_rank is not None

    @property
    def is_moe(self) -> bool:
        """At least one layer routes its tokens to experts."""
        return self.moe_layers > 0

    @property
    def attention_layers(self) -> int:
        """Layers that keep keys and values of past tokens."""
        return self.full_layers + self.sliding_layers


@cache
def _types() -> dict[str, type]:
    hints = get_type_hints(Model)
    return {f.name: _plain(hints[f.name]) for f in fields(Model)}


def _plain(hint: Any) -> type:
    return get_args(hint)[0] if isinstance(hint, types.UnionType) else hint


def _converted(value: Any, kind: type, where: str, key: str) -> Any:
    """``value`` as ``kind``; ``None`` where it is empty."""
    if _is_empty(value):
        return None
    if kind is str:
        return str(value)
    if kind is bool:
        found = TRUTHS.get(str(value).lower())
        if found is None:
            raise DataError(where, key, value, WORDS[bool])
        return found
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or isinstance(value, bool) or (kind is int and not number.is_integer()):
        raise DataError(where, key, value, WORDS[kind])
    return int(number) if number.is_integer() else number


def _is_empty(value: Any) -> bool:
    return value is None or str(value) in EMPTY


def _check_number(model: str, key: str, value: Any) -> None:
    kind = _types()[key]
    if value is None or kind not in (int, float):
        return
    if isinstance(value, bool) or not isinstance(value, Integral if kind is int else Real):
        raise DataError(f"model {model}", key, value, WORDS[kind])
    allowed = "a number >= 0" if key in MAY_BE_ZERO else "a number > 0"
    if not 0 <= value <= sys.float_info.max or (value == 0 and key not in MAY_BE_ZERO):
        raise DataError(f"model {model}", key, value, allowed)


def _check_layers(model: Model) -> None:
    where = f"model {model.name}"
    mixers = model.attention_layers + model.linear_layers + model.cross_layers
    side_by_side = model.attention_layers == model.linear_layers == model.layers
    if not (0 < mixers <= model.layers or side_by_side):
        raise DataError(where, "full_layers + sliding_layers + linear_layers", mixers, f"1 to {model.layers} (layers)")
    mlps = model.dense_layers + model.moe_layers
    if mlps > model.layers:
        raise DataError(where, "dense_layers + moe_layers", mlps, f"at most {model.layers} (layers)")
    if model.experts_per_token > model.experts:
        raise DataError(where, "experts_per_token", model.experts_per_token, f"at most {model.experts} (experts)")
    if not model.is_mla and model.heads < model.kv_heads:
        raise DataError(where, "kv_heads", model.kv_heads, f"at most {model.heads} (heads)")


def _check_partners(model: Model) -> None:
    """A part of the model that is there needs all its shapes."""
    needs = (
        (model.dense_layers > 0, ("d_ff",)),
        (model.sliding_layers > 0, ("sliding_window_tokens",)),
        (model.is_moe, ("expert_width", "experts", "experts_per_token")),
        (model.is_mla, ("rope_head_dim", "value_head_dim")),
        (model.index_topk is not None, ("index_heads", "index_head_dim", "index_layers")),
        (model.linear_layers > 0, ("linear_key_heads", "linear_value_heads", "linear_key_dim")),
        (model.linear_layers > 0, ("linear_value_dim", "linear_gates", "linear_conv_width")),
        (model.linear_kind in ("mamba1", "kda"), ("linear_rank",)),
    )
    for present, keys in needs:
        for key in keys:
            if present and (getattr(model, key) is None or (key.startswith("experts") and not getattr(model, key))):
                raise DataError(f"model {model.name}", key, "missing", "a number: the model has such layers")
