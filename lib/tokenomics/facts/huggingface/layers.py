"""The layers of a configuration: heads, latents and indexers; how many attend fully, slide, keep a state, are dense or
route, and how wide they are."""

from collections.abc import Iterable, Mapping
from typing import Any

from tokenomics.errors import DataError, require
from tokenomics.facts.huggingface.config import (
    CONTEXT,
    EXPERTS,
    EXPERTS_OF_INNER_WIDTH,
    FOUR_WIDE,
    FULL_EVERY,
    HEADS,
    INNER,
    KV_HEADS,
    LAYERS,
    ROUTED,
    SHARED,
    WIDTH,
    Config,
)

FULL = ("full_attention", "attention", "deepseek_sparse_attention", "*", 0)
SLIDING = ("sliding_attention", "chunked_attention", 1)
LINEAR = ("linear_attention", "mamba", "M")
NO_MIXER = ("moe", "mlp", "E", "-")


def attention(config: Config) -> dict[str, Any]:
    """Heads and their widths, those of sliding layers and of the indexer where they differ."""
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
    sizes = {
        "sliding_heads": config.get("swa_num_attention_heads", default=other.get("num_attention_heads")),
        "sliding_kv_heads": config.get("swa_num_key_value_heads", default=other.get("num_attention_groups")),
        "sliding_head_dim": config.get("swa_head_dim", default=other.get("head_dim")),
    }
    if config.get("global_head_dim"):
        sizes["sliding_head_dim"] = config.get("head_dim")
        sizes["sliding_kv_heads"] = config.get("num_key_value_heads")
    return {key: value for key, value in sizes.items() if value and value != full[key.removeprefix("sliding_")]}


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
    stated = {LAYERS[0]: config.get(*LAYERS), **config.get("sparse_attention_config", default={})}
    block = Config(stated, config.where)
    if block.get("use_sparse_attention"):
        chosen = block.each_layer("sparse_attention_freq")
        return {
            "index_heads": block.number("sparse_num_index_heads"),
            "index_head_dim": block.number("sparse_index_dim"),
            "index_topk": block.number("sparse_topk_blocks") * block.number("sparse_block_size"),
            "index_layers": sum(map(bool, chosen)) if chosen else block.number(LAYERS[0]),
        }
    if not config.get("index_topk"):
        return {}
    kinds = config.each_layer("indexer_types")
    return {
        "index_heads": config.number("index_n_heads"),
        "index_head_dim": config.number("index_head_dim"),
        "index_topk": config.number("index_topk"),
        "index_layers": kinds.count("full") if kinds else config.number(*LAYERS),
    }


def mlp(config: Config) -> dict[str, Any]:
    """How many layers are dense, how many route their tokens, and the widths of both."""
    kinds = config.each_layer("layers_block_type", "hybrid_override_pattern")
    experts = config.get(*EXPERTS, default=0)
    layers = len(kinds) if kinds else config.number(*LAYERS)
    if kinds:
        moe, dense = sum(kind in ("moe", "E") for kind in kinds), sum(kind in ("mlp", "-") for kind in kinds)
    else:
        moe = _moe_layers(config, layers) if experts else 0
        dense = layers - moe
    parts: dict[str, Any] = {"moe_layers": moe, "dense_layers": dense}
    if dense:
        parts["d_ff"] = _inner_width(config)
    if moe:
        parts |= {"experts": experts, "experts_per_token": config.number(*ROUTED)}
        width = INNER if config.type in EXPERTS_OF_INNER_WIDTH else ("moe_intermediate_size",)
        parts |= {"expert_width": config.number(*width), **_shared(config)}
        parts["expert_input_width"] = config.get("moe_latent_size", "routed_expert_hidden_size")
    return parts


def _inner_width(config: Config) -> int:
    named = ("intermediate_size_mlp", "dense_intermediate_size", *INNER)
    if config.get(*named) is None and config.type in FOUR_WIDE:
        return config.get("expansion_ratio", default=4) * config.number(*WIDTH)
    return config.number(*(named if config.get(*named[:2]) else INNER))


def _shared(config: Config) -> dict[str, Any]:
    if config.type == "llama4_text":
        return {"shared_width": config.number("intermediate_size")}
    if config.type == "gemma4_text":  # its dense MLP runs beside the experts of the same layer
        return {"shared_width": config.number("intermediate_size")}
    whole = config.get("shared_expert_intermediate_size", "share_expert_dim", "moe_shared_expert_intermediate_size")
    each = config.get(*SHARED, default=0)
    return {"shared_width": whole if whole is not None else each * config.get("moe_intermediate_size", default=0)}


def _moe_layers(config: Config, layers: int) -> int:
    kinds = config.each_layer("mlp_layer_types")
    if kinds:
        return kinds.count("sparse")
    named = config.get("moe_layers", "moe_layers_enum")
    if named:
        return len(named.split(",")) if isinstance(named, str) else len(named)
    steps = ("moe_layer_freq", "decoder_sparse_step", "interleave_moe_layer_step", "moe_layer_interval")
    every = config.get(*steps, default=1)
    if not every:
        return 0
    if isinstance(every, Iterable):
        return sum(map(bool, config.each_layer(*steps)))
    first = config.get("first_k_dense_replace", "moe_layer_start_index", default=0)
    last = config.get("moe_layer_end_index", default=-1) % layers  # -1: the last layer
    plain = config.get("mlp_only_layers", default=())
    return sum(1 for i in range(first, last + 1) if (i + 1) % every == 0 and i not in plain)


def mixers(config: Config, parts: Mapping[str, Any]) -> dict[str, Any]:
    """How many layers attend to everything, to a window, or keep a constant state."""
    layers, window = parts["layers"], _window(config)
    kinds = _kinds(config)
    if kinds is not None:
        full, sliding, linear = (sum(kind in group for kind in kinds) for group in (FULL, SLIDING, LINEAR))
        if not window:
            full, sliding = full + sliding, 0
    else:
        every = config.get("sliding_window_pattern", default=FULL_EVERY.get(config.type))
        full = layers if every is None or not window else layers // every if every else 0
        sliding, linear = layers - full, 0
    counts = {"full_layers": full, "sliding_layers": sliding, "linear_layers": linear}
    if sliding:
        counts["sliding_window_tokens"] = window
    return counts | (_linear(config) if linear else {})


def _window(config: Config) -> int | None:
    """The sliding window (or chunk) where there is one and the context does not fit into it."""
    window = config.get("sliding_window", "attention_chunk_size")
    return window if window and window < config.get(*CONTEXT, default=window + 1) else None


def _kinds(config: Config) -> list | None:
    """The mixer of each layer where the configuration lists or implies it."""
    listed = config.each_layer("layer_types", "layers_block_type", "hybrid_layer_pattern", "hybrid_override_pattern")
    if listed:
        for kind in listed:
            if kind not in FULL + SLIDING + LINEAR + NO_MIXER:
                allowed = ", ".join(map(str, FULL + SLIDING + LINEAR + NO_MIXER))
                raise DataError(config.where, "layer_types", kind, allowed)
        return listed[: config.get(*LAYERS)]  # some list the prediction layers after the model's own
    pattern = config.get("sliding_window_pattern", default=0)
    letters = isinstance(pattern, str)  # one a layer, L local or G global, repeated
    good = set(pattern) <= {"L", "G"} if letters else isinstance(pattern, int) and pattern >= 0
    require(good, config.where, "sliding_window_pattern", pattern, "a whole number, or letters L and G")
    if letters and pattern:
        return [SLIDING[0] if pattern[i % len(pattern)] == "L" else FULL[0] for i in range(config.number(*LAYERS))]
    if config.get("linear_attn_config"):
        full = config.get("linear_attn_config").get("full_attn_layers", ())  # numbered from one
        require(isinstance(full, list | tuple), config.where, "full_attn_layers", full, "a list of layers")
        return [FULL[0] if i + 1 in full else LINEAR[0] for i in range(config.number(*LAYERS))]
    if config.get("full_attention_interval"):
        every = config.get("full_attention_interval")
        return [FULL[0] if (i + 1) % every == 0 else LINEAR[0] for i in range(config.number(*LAYERS))]
    return None


def _linear(config: Config) -> dict[str, Any]:
    if config.get("mamba_num_heads"):
        return {
            "linear_key_heads": config.number("n_groups"),
            "linear_value_heads": config.number("mamba_num_heads"),
            "linear_key_dim": config.number("ssm_state_size"),
            "linear_value_dim": config.number("mamba_head_dim"),
            "linear_gates": 1,
            "linear_conv_width": config.number("conv_kernel"),
        }
    if config.get("linear_attn_config"):  # Kimi delta attention; its low-rank decay gate is left out (0.01 %)
        delta = Config(config.get("linear_attn_config"), config.where)
        return {
            "linear_key_heads": delta.number("num_heads"),
            "linear_value_heads": delta.number("num_heads"),
            "linear_key_dim": delta.number("head_dim"),
            "linear_value_dim": delta.number("head_dim"),
            "linear_gates": 1,
            "linear_conv_width": delta.number("short_conv_kernel_size"),
        }
    return {
        "linear_key_heads": config.number("linear_num_key_heads"),
        "linear_value_heads": config.number("linear_num_value_heads"),
        "linear_key_dim": config.number("linear_key_head_dim"),
        "linear_value_dim": config.number("linear_value_head_dim"),
        "linear_gates": 2,
        "linear_conv_width": config.number("linear_conv_kernel_dim"),
    }
