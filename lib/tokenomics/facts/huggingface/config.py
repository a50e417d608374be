"""A ``config.json`` with the many names under which model types store the same size."""

from collections.abc import Mapping
from typing import Any

from tokenomics.errors import DataError
from tokenomics.facts.huggingface.traits import DEFAULTS

LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
WIDTH = ("hidden_size", "n_embd", "d_model")
HEADS = ("num_attention_heads", "n_head", "n_heads")
KV_HEADS = ("num_global_key_value_heads", "num_key_value_heads", "num_kv_heads", "num_attention_groups")
INNER = ("intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size")
CONTEXT = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
ROUTED = ("num_experts_per_tok", "num_experts_per_token", "top_k_experts", "moe_top_k")


class Config:
    """A configuration and the file to name when one of its fields is missing.

    Of a multimodal model it is the text part. Null means absent. What a type leaves to its code's defaults is there.
    """

    def __init__(self, values: Mapping[str, Any], where: str):
        text = values.get("text_config")
        if isinstance(text, Mapping):
            values = {**values, **text}
        self.type = str(values.get("model_type") or "")
        known = {key: value for key, value in values.items() if value is not None}
        self.values, self.where = {**DEFAULTS.get(self.type, {}), **known}, where

    def get(self, *keys: str, default: Any = None) -> Any:
        """The first of ``keys`` that is there and not null."""
        return next((self.values[key] for key in keys if key in self.values), default)

    def number(self, *keys: str) -> Any:
        """As :meth:`get`; the field must be there and be a positive whole number."""
        value = self.get(*keys)
        if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
            shown = "missing" if value is None else value
            raise DataError(self.where, keys[0], shown, "a whole number > 0" + _or_called(keys[1:]))
        return value


def _or_called(others: tuple[str, ...]) -> str:
    return f" (also called {', '.join(others)})" if others else ""
