"""A ``config.json``: the many names of a size, and what a ``model_type`` fixes in code so that no file says it.

What types fix was read in the reference implementations (package ``transformers``, 5.23.0,
``models/*/modeling_*.py``). The reader checks none of it against weights; ``tests/facts/test_huggingface.py`` checks
the resulting counts.
"""

from collections.abc import Mapping
from typing import Any

from tokenomics.errors import DataError

LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
WIDTH = ("hidden_size", "n_embd", "d_model")
VOCAB = ("vocab_size", "padded_vocab_size")
HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
KV_HEADS = (
    *("num_global_key_value_heads", "num_key_value_heads", "num_kv_heads", "num_attention_groups"),
    *("multi_query_group_num", "n_kv_heads"),
)
INNER = ("intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size")
EXPERT_INNER = ("moe_intermediate_size", "expert_ffn_hidden_size", "moe_ffn_hidden_size")
CONTEXT = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "max_sequence_length")
EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
ROUTED = (
    *("num_experts_per_tok", "num_experts_per_token", "top_k_experts", "moe_top_k", "moe_k", "moe_topk"),
    "num_selected_experts",
)
SHARED = ("n_shared_experts", "num_shared_experts", "moe_num_shared_experts", "num_shared_expert")
SHARED_WHOLE = (
    *("shared_expert_intermediate_size", "share_expert_dim", "moe_shared_expert_intermediate_size"),
    "shared_intermediate_size",
)
FIRST_EXPERTS = (
    *("first_k_dense_replace", "moe_layer_start_index", "num_dense_layers", "moe_layer_num_skipped"),
    *("n_dense_layers", "num_first_dense_layers"),
)
WINDOW = ("sliding_window", "attention_chunk_size", "attention_window_size", "sliding_window_size", "window_size")
MIXERS = (
    *("layer_types", "layers_block_type", "hybrid_layer_pattern", "hybrid_override_pattern"),
    "attention_layers",
)
EVERY = ("sliding_window_pattern", "_sliding_window_pattern", "layer_switch")
TEXT = ("text_config", "llm_config", "language_config", "text_model_config")

# Model fields that the code of the model type fixes. Whatever is not named keeps the plain default of a Llama:
# RMS norms before attention and MLP, gated MLP, no biases, no norm of queries and keys, untied head.
PLAIN_GPT = {"gated_mlp": False, "mlp_bias": True, "attention_bias": "all", "norm_bias": True}
TRAITS: dict[str, dict[str, Any]] = {
    "apertus": {"gated_mlp": False, "qk_norm": "head"},
    "arcee": {"gated_mlp": False},
    "arctic": {},
    "baichuan": {},
    "bailing_moe": {},
    "bailing_moe_linear": {"qk_norm": "head"},
    "bailing_moe_v2": {"qk_norm": "head"},
    "bamba": {},
    "bloom": {**PLAIN_GPT, "tied_embeddings": True},
    "chatglm": {"attention_bias": "qkv"},
    "cohere": {"norms_per_layer": 1, "parallel_block": True, "tied_embeddings": True},
    "cohere2": {"norms_per_layer": 1, "parallel_block": True, "tied_embeddings": True},
    "dbrx": {},
    "deepseek": {},
    "deepseek_v2": {},
    "deepseek_v3": {},
    "deepseek_v32": {},
    "dots1": {"qk_norm": "head"},
    "ernie4_5": {"tied_embeddings": True},
    "ernie4_5_moe": {"tied_embeddings": True},
    "exaone": {},
    "exaone4": {"qk_norm": "head"},
    "falcon": {"gated_mlp": False, "norm_bias": True, "parallel_block": True, "tied_embeddings": True},
    "falcon_h1": {},
    "falcon_mamba": {"norms_per_layer": 1},
    "gemma": {"tied_embeddings": True},
    "gemma2": {"tied_embeddings": True, "norms_per_layer": 4},
    "gemma3_text": {"tied_embeddings": True, "norms_per_layer": 4, "qk_norm": "head"},
    "gemma4_text": {"tied_embeddings": True, "norms_per_layer": 4, "qk_norm": "head"},
    "glm": {"attention_bias": "qkv"},
    "glm4": {"norms_per_layer": 4},
    "glm4_moe": {},
    "glm4v_moe_text": {"attention_bias": "qkv"},
    "glm_moe_dsa": {},
    "gpt2": {**PLAIN_GPT, "tied_embeddings": True},
    "gpt_bigcode": {**PLAIN_GPT, "tied_embeddings": True},
    "gpt_neo": {**PLAIN_GPT, "attention_bias": "none", "tied_embeddings": True},
    "gpt_neox": PLAIN_GPT,
    "gpt_oss": {"mlp_bias": True, "attention_bias": "all"},
    "gptj": {**PLAIN_GPT, "attention_bias": "none", "norms_per_layer": 1, "parallel_block": True},
    "granite": {},
    "granitemoe": {},
    "granitemoehybrid": {},
    "granitemoeshared": {},
    "grok1": {"norms_per_layer": 4},
    "hunyuan_v1_dense": {"qk_norm": "head"},
    "hunyuan_v1_moe": {"qk_norm": "head"},
    "internlm2": {},
    "internlm3": {},
    "jamba": {},
    "kimi_k2": {},
    "kimi_linear": {},
    "lfm2": {"qk_norm": "head", "tied_embeddings": True},
    "lfm2_moe": {"qk_norm": "head", "tied_embeddings": True},
    "llama": {},
    "llama4_text": {},
    "mamba": {"norms_per_layer": 1, "tied_embeddings": True},
    "mamba2": {"norms_per_layer": 1},
    "mimo": {"attention_bias": "qkv"},
    "mimo_v2_flash": {},
    "minicpm": {"tied_embeddings": True},
    "minicpm3": {"tied_embeddings": True},
    "minimax": {},
    "minimax_m1": {},
    "minimax_m2": {"qk_norm": "full"},
    "minimax_m3": {"qk_norm": "head"},
    "minimax_text_01": {},
    "ministral3": {},
    "mistral": {},
    "mixtral": {},
    "mllama_text_model": {},
    "mpt": {"gated_mlp": False, "tied_embeddings": True},
    "nemotron": {"gated_mlp": False, "norm_bias": True},
    "nemotron_h": {"gated_mlp": False, "norms_per_layer": 1},
    "olmo": {"norms_per_layer": 0},
    "olmo2": {"qk_norm": "full"},
    "olmo3": {"qk_norm": "full"},
    "olmoe": {"qk_norm": "full"},
    "opt": {**PLAIN_GPT, "tied_embeddings": True},
    "persimmon": {**PLAIN_GPT, "qk_norm": "head"},
    "phi": {**PLAIN_GPT, "norms_per_layer": 1, "parallel_block": True},
    "phi3": {},
    "phimoe": {"attention_bias": "all", "norm_bias": True},
    "qwen": {"attention_bias": "qkv"},
    "qwen2": {"attention_bias": "qkv"},
    "qwen2_5_vl_text": {"attention_bias": "qkv"},
    "qwen2_moe": {"attention_bias": "qkv"},
    "qwen2_vl_text": {"attention_bias": "qkv"},
    "qwen3": {"qk_norm": "head"},
    "qwen3_5_moe_text": {"qk_norm": "head", "attention_gate": True},
    "qwen3_5_text": {"qk_norm": "head", "attention_gate": True},
    "qwen3_moe": {"qk_norm": "head"},
    "qwen3_next": {"qk_norm": "head", "attention_gate": True},
    "qwen3_vl_moe_text": {"qk_norm": "head"},
    "qwen3_vl_text": {"qk_norm": "head"},
    "recurrent_gemma": {"tied_embeddings": True},
    "seed_oss": {"attention_bias": "qkv"},
    "smollm3": {"tied_embeddings": True},
    "stablelm": {"norm_bias": True},
    "starcoder2": {**PLAIN_GPT, "tied_embeddings": True},
    "step3p5": {"qk_norm": "head"},
    "step3p7": {"qk_norm": "head"},
}

# Every n-th layer attends to the whole context, the others to the window; 0: all layers have the window where the
# configuration states one. A type that is not named uses no window unless its configuration lists the layers.
FULL_EVERY = {
    "cohere2": 4,
    "gemma2": 2,
    "gemma3_text": 6,
    "gpt_oss": 2,
    "llama4_text": 4,
    "mistral": 0,
    "mixtral": 0,
    "phi3": 0,
    "recurrent_gemma": 0,
    "starcoder2": 0,
}

# Types whose inner width is four times the residual width where the configuration is silent.
FOUR_WIDE = ("bloom", "falcon", "gpt2", "gpt_bigcode", "gpt_neo", "gptj", "mpt")

# Types whose intermediate_size is that of gate and up together.
HALF_WIDE = ("qwen", "recurrent_gemma")

# Types whose experts, not their dense layers, have the width called intermediate_size.
EXPERTS_OF_INNER_WIDTH = (
    *("arctic", "dbrx", "gpt_oss", "granitemoe", "granitemoehybrid", "granitemoeshared", "grok1", "jamba"),
    *("llama4_text", "minimax", "minimax_m1", "minimax_m2", "minimax_text_01", "mixtral", "olmoe", "phimoe"),
)

# Sizes that published configurations of a type leave to the defaults of its code.
DEFAULTS: dict[str, dict[str, Any]] = {
    "gemma3_text": {"vocab_size": 262208, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256},
    "gpt2": {"vocab_size": 50257, "n_layer": 12, "n_embd": 768, "n_head": 12, "n_positions": 1024},
}

# Rows that the position table has beyond the longest context (OPT starts counting at two).
EXTRA_POSITIONS = {"gpt2": 0, "gpt_bigcode": 0, "gpt_neo": 0, "opt": 2}

# What the optional fields hold that are calculated with; the others are checked where they are read.
WHOLE = (
    *("sliding_window", "attention_chunk_size", "full_attention_interval", "qk_rope_head_dim", "expansion_ratio"),
    *("first_k_dense_replace", "moe_layer_start_index", "moe_layer_end_index", "moe_intermediate_size", *SHARED),
)
LISTS, LISTS_OR_TEXT = ("mlp_only_layers",), ("moe_layers", "moe_layers_enum")
MAPPINGS = ("linear_attn_config", "sparse_attention_config", "attention_other_setting", "attn_config")


class Config:
    """A configuration and the file to name when one of its fields is missing.

    Of a multimodal model it is the text part. Null means absent. What a type leaves to its code's defaults is there.

    Attributes:
        type: the model type of the text part.
        inner: the classes that the text part names for itself, where it stands inside another's configuration.
    """

    def __init__(self, values: Mapping[str, Any], where: str):
        self.inner: Any = None
        text = next((values[key] for key in TEXT if isinstance(values.get(key), Mapping)), None)
        if text is not None:
            inner = {key: value for key, value in text.items() if value is not None}
            self.inner = inner.get("architectures")
            values = {**values, **inner, "architectures": values.get("architectures") or self.inner}
        self.type = str(values.get("model_type") or "")
        known = {key: value for key, value in values.items() if value is not None}
        if self.type == "dbrx" and isinstance(known.get("ffn_config"), Mapping):
            known = {**known["ffn_config"], **known}
        if self.type.startswith("hunyuan"):
            known = {key: _one(value) for key, value in known.items()}
        self.values, self.where = {**DEFAULTS.get(self.type, {}), **known}, where

    def check_types(self) -> None:
        """Refuse an optional field of another type than its kind.

        Raises:
            DataError: the first one, with what it should hold.
        """
        for keys, kind, allowed in (
            (WHOLE, int, "a whole number"),
            (LISTS, list | tuple, "a list"),
            (LISTS_OR_TEXT, list | tuple | str, "a list, or text with commas"),
            (MAPPINGS, Mapping, "a mapping of key: value"),
        ):
            for key in keys:
                if key in self.values and not isinstance(self.values[key], kind):
                    raise DataError(self.where, key, self.values[key], allowed)

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

    def each_layer(self, *keys: str) -> list | None:
        """As :meth:`get`, of a list with an entry a layer; some go on with the layers that predict further tokens.

        Raises:
            DataError: no list, or fewer entries than the layers that the configuration states.
        """
        key = next((each for each in keys if self.values.get(each)), None)
        if key is None:
            return None
        listed, layers = self.values[key], self.get(*LAYERS, default=0)
        if not isinstance(listed, list | tuple | str):
            raise DataError(self.where, key, listed, "a list with an entry for each layer")
        if len(listed) < layers:
            raise DataError(self.where, key, f"{len(listed)} entries", f"{layers}, one for each layer")
        return list(listed)


def _one(value: Any) -> Any:
    """The entry of a list that holds the same number for every layer; anything else as it is."""
    alike = isinstance(value, list) and value and all(each == value[0] for each in value)
    return value[0] if alike and isinstance(value[0], int) else value


def _or_called(others: tuple[str, ...]) -> str:
    return f" (also called {', '.join(others)})" if others else ""
