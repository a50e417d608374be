"""``params.json``, the file that Mistral and Meta publish beside their own weights, as a Hugging Face configuration.

Keys as read in mistral-inference (``args.py``) and in Meta's llama (``model.py``), whose MLP is two thirds of four
times the width, times ``ffn_dim_multiplier``, up to a multiple of ``multiple_of``.
"""

from collections.abc import Mapping
from typing import Any

from tokenomics.errors import DataError

SAME = {
    "dim": "hidden_size",
    "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "n_kv_heads": "num_key_value_heads",
    "hidden_dim": "intermediate_size",
    "tied_embeddings": "tie_word_embeddings",
    "max_position_embeddings": "max_position_embeddings",
    "max_seq_len": "max_position_embeddings",
}
EXPERTS = {
    "num_experts": "n_routed_experts",
    "num_experts_per_tok": "num_experts_per_tok",
    "num_shared_experts": "n_shared_experts",
    "expert_hidden_dim": "moe_intermediate_size",
    "first_k_dense_replace": "first_k_dense_replace",
}
KEPT = (
    *("head_dim", "vocab_size", "sliding_window", "q_lora_rank", "kv_lora_rank", "qk_nope_head_dim"),
    *("qk_rope_head_dim", "v_head_dim"),
)


def is_native(values: Mapping[str, Any]) -> bool:
    """Whether a mapping is a ``params.json``: it names no architecture and its width ``dim``."""
    return "dim" in values and "n_layers" in values and "model_type" not in values and "architectures" not in values


def as_configuration(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The same sizes under the names of a Hugging Face configuration.

    Raises:
        DataError: a vocabulary left to the tokenizer (-1), neither a width of the MLP nor a rule for it, or experts
            that are no mapping.
    """
    found = {SAME[key]: values[key] for key in SAME if values.get(key) is not None}
    found |= {key: values[key] for key in KEPT if values.get(key) is not None}
    if found.get("vocab_size", 1) == -1:
        raise DataError(where, "vocab_size", -1, "the rows of the embedding table, which the tokenizer holds")
    if "intermediate_size" not in found:
        found["intermediate_size"] = _inner_width(values, where)
    experts = values.get("moe")
    if experts:
        if not isinstance(experts, Mapping):
            raise DataError(where, "moe", experts, "a mapping of key: value")
        found |= {EXPERTS[key]: experts[key] for key in EXPERTS if experts.get(key) is not None}
        found.setdefault("moe_intermediate_size", found["intermediate_size"])
    sliding = found.get("sliding_window")
    if isinstance(sliding, list):  # a window for each layer in turn, none where it attends to everything
        found["sliding_window"] = next((each for each in sliding if each), None)
        kinds = ["sliding_attention" if each else "full_attention" for each in sliding]
        found["layer_types"] = [kinds[i % len(kinds)] for i in range(int(values["n_layers"]))]
    kind = "deepseek_v3" if experts else "mistral"
    return {**found, "model_type": kind}


def _inner_width(values: Mapping[str, Any], where: str) -> int:
    if not values.get("multiple_of"):
        raise DataError(where, "hidden_dim", "missing", "a whole number > 0, or multiple_of")
    multiple = int(values["multiple_of"])
    width = int(int(2 * 4 * values["dim"] / 3) * float(values.get("ffn_dim_multiplier") or 1))
    return -(-width // multiple) * multiple
