"""Heads, latents and indexers of a configuration."""

from collections.abc import Mapping
from typing import Any

from tokenomics.errors import DataError
from tokenomics.facts.huggingface.config import HEADS, KV_HEADS, LAYERS, WIDTH, Config


def attention(config: Config) -> dict[str, Any]:
    heads, width = config.number(*HEADS), config.number(*WIDTH)
    if config.get("kv_lora_rank"):
        return {"heads": heads, "kv_heads": heads, **_latent(config), **_indexer(config)}
    head_dim = config.get("global_head_dim", "head_dim", "kv_channels")
    if head_dim is None:
        if width % heads:
            raise DataError(config.where, "head_dim", "missing", f"a whole number > 0 ({width} / {heads} is none)")
        head_dim = width // heads
    parts = {"heads": heads, "kv_heads": _kv_heads(config, heads), "head_dim": head_dim}
    value_dim = config.get("v_head_dim")
    if value_dim and value_dim != head_dim:
        parts["value_head_dim"] = value_dim
    return parts | _sliding_shape(config, parts) | _indexer(config)


def _kv_heads(config: Config, heads: int) -> int:
    if config.type == "falcon" and not config.get("new_decoder_architecture"):
        return 1 if config.get("multi_query", default=True) else heads
    if config.type == "gpt_bigcode":
        return 1 if config.get("multi_query", default=True) else heads
    nested = config.get("attn_config", default={})
    inside = nested.get("kv_n_heads") if isinstance(nested, Mapping) else None
    return config.get(*KV_HEADS, default=inside or heads)


def _sliding_shape(config: Config, full: Mapping[str, Any]) -> dict[str, Any]:
    """Heads of sliding layers, where they differ from the full ones."""
    other = config.get("attention_other_setting", default={})
    found = {
        "sliding_heads": config.get("swa_num_attention_heads", default=other.get("num_attention_heads")),
        "sliding_kv_heads": config.get("swa_num_key_value_heads", default=other.get("num_attention_groups")),
        "sliding_head_dim": config.get("swa_head_dim", default=other.get("head_dim")),
    }
    if config.get("global_head_dim"):
        found["sliding_head_dim"] = config.get("head_dim")
        found["sliding_kv_heads"] = config.get("num_key_value_heads")
    return {key: value for key, value in found.items() if value and value != full[key.removeprefix("sliding_")]}


def _latent(config: Config) -> dict[str, Any]:
    rope = config.get("qk_rope_head_dim", default=0)
    return {
        "head_dim": config.number("qk_nope_head_dim") + rope,
        "value_head_dim": config.number("v_head_dim"),
        "q_lora_rank": config.get("q_lora_rank"),
        "kv_lora_rank": config.number("kv_lora_rank"),
        "rope_head_dim": rope,
    }


def _indexer(config: Config) -> dict[str, Any]:
    block = Config(config.get("sparse_attention_config", default={}), config.where)
    if block.get("use_sparse_attention"):
        return {
            "index_heads": block.number("sparse_num_index_heads"),
            "index_head_dim": block.number("sparse_index_dim"),
            "index_topk": block.number("sparse_topk_blocks") * block.number("sparse_block_size"),
            "index_layers": sum(map(bool, block.get("sparse_attention_freq", default=[1] * config.number(*LAYERS)))),
        }
    if not config.get("index_topk"):
        return {}
    kinds = config.get("indexer_types")
    return {
        "index_heads": config.number("index_n_heads"),
        "index_head_dim": config.number("index_head_dim"),
        "index_topk": config.number("index_topk"),
        "index_layers": kinds.count("full") if kinds else config.number(*LAYERS),
    }
