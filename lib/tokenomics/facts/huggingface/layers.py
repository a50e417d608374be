"""The layers of a configuration: heads, latents and indexers; how many attend fully, slide, keep a state, are dense or
route, and how wide they are."""

from collections.abc import Iterable, Mapping
from typing import Any

from tokenomics.errors import DataError, require
from tokenomics.facts.huggingface.config import (
    CONTEXT,
    EVERY,
    EXPERT_INNER,
    EXPERTS,
    EXPERTS_OF_INNER_WIDTH,
    FIRST_EXPERTS,
    FOUR_WIDE,
    FULL_EVERY,
    HALF_WIDE,
    HEADS,
    INNER,
    KV_HEADS,
    LAYERS,
    MIXERS,
    ROUTED,
    SHARED,
    SHARED_WHOLE,
    WIDTH,
    WINDOW,
    Config,
)
from tokenomics.facts.huggingface.states import (
    CONVOLUTIONS,
    RECURRENT,
    SIDE_BY_SIDE,
    WITHOUT_ATTENTION,
    state_layers,
    state_shape,
)

FULL = ("full_attention", "attention", "global", "deepseek_sparse_attention", "*", 0)
SLIDING = ("sliding_attention", "chunked_attention", "local", 1)
LINEAR = ("linear_attention", "mamba", "M", "recurrent", "conv")
CROSS = ("cross_attention",)
NO_MIXER = ("moe", "mlp", "E", "-")


def attention(config: Config) -> dict[str, Any]:
    """Heads and their widths, those of sliding layers and of the indexer where they differ."""
    if config.type in WITHOUT_ATTENTION:  # whatever a layout divides by heads is divided by those of the state
        return {**dict.fromkeys(("heads", "kv_heads"), state_shape(config)["linear_value_heads"]), "head_dim": 1}
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
    kinds = config.each_layer("layers_block_type", "hybrid_override_pattern") or []
    experts = config.get(*EXPERTS, default=0)
    layers = len(kinds) if kinds else config.number(*LAYERS)
    if config.type in WITHOUT_ATTENTION:
        return {"moe_layers": 0, "dense_layers": 0}
    if any(kind in NO_MIXER for kind in kinds):
        moe, dense = sum(kind in ("moe", "E") for kind in kinds), sum(kind in ("mlp", "-") for kind in kinds)
    else:
        moe = _moe_layers(config, layers) if experts > 1 else 0
        dense = layers - moe
    parts: dict[str, Any] = {"moe_layers": moe, "dense_layers": dense}
    if dense:
        parts["d_ff"] = _inner_width(config)
    if moe:
        parts |= {"experts": experts, "experts_per_token": config.number(*ROUTED)}
        parts |= {"expert_width": _expert_width(config), "shared_width": _shared(config)}
        parts["expert_input_width"] = config.get("moe_latent_size", "routed_expert_hidden_size")
    return parts


def _inner_width(config: Config) -> int:
    if config.type == "granitemoehybrid":
        return config.number("shared_intermediate_size")
    named = ("intermediate_size_mlp", "dense_intermediate_size", *INNER)
    if config.get(*named) is None and config.type in FOUR_WIDE:
        return config.get("expansion_ratio", default=4) * config.number(*WIDTH)
    if config.type == "lfm2" and config.get("block_auto_adjust_ff_dim", default=True):
        return _adjusted(config)
    width = config.number(*(named if config.get(*named[:2]) else INNER))
    return width // 2 if config.type in HALF_WIDE else width


def _adjusted(config: Config) -> int:
    """Two thirds of the stated width, up to a multiple (LFM2, and LLaMA's own files)."""
    multiple = config.get("block_multiple_of", default=256)
    width = int(config.get("block_ffn_dim_multiplier", default=1) * int(2 * config.number("block_ff_dim", *INNER) / 3))
    return -(-width // multiple) * multiple


def _expert_width(config: Config) -> int:
    by_inner = config.type in EXPERTS_OF_INNER_WIDTH and not (config.type == "grok1" and config.get(EXPERT_INNER[0]))
    return config.number(*(INNER if by_inner else EXPERT_INNER))


def _shared(config: Config) -> int:
    """The width of the MLPs that every token of a layer with experts passes: shared experts, or one beside them."""
    if config.type in ("llama4_text", "gemma4_text"):  # Gemma 4's dense MLP runs beside the experts of the same layer
        return config.number("intermediate_size")
    if config.get("residual_moe"):
        return config.number("intermediate_size")
    if config.type == "arctic":
        return config.number(*WIDTH) if config.get("use_residual", default=True) else 0
    each = config.get(*SHARED, default=0)
    if config.type.startswith("bailing"):
        return each * config.number("moe_intermediate_size")
    whole = config.get(*SHARED_WHOLE)
    return whole if whole is not None else each * config.get("moe_intermediate_size", default=0)


def _moe_layers(config: Config, layers: int) -> int:
    kinds = config.each_layer("mlp_layer_types")
    if kinds:
        return kinds.count("sparse")
    named = config.get("moe_layers", "moe_layers_enum")
    if named:
        return len(named.split(",")) if isinstance(named, str) else len(named)
    if config.get("expert_layer_period"):
        period, offset = config.number("expert_layer_period"), config.get("expert_layer_offset", default=0)
        return sum(i % period == offset for i in range(layers))
    steps = ("moe_layer_freq", "decoder_sparse_step", "interleave_moe_layer_step", "moe_layer_interval")
    steps = (*steps, "moe_layer_frequency", "moe_every_n_layers")
    every = config.get(*steps, default=1)
    if not every:
        return 0
    if isinstance(every, Iterable):
        return sum(map(bool, config.each_layer(*steps)))
    first = config.get(*FIRST_EXPERTS, default=0)
    last = config.get("moe_layer_end_index", default=-1) % layers  # -1: the last layer
    plain = config.get("mlp_only_layers", default=())
    return sum(1 for i in range(first, last + 1) if (i + 1) % every == 0 and i not in plain)


def mixers(config: Config, parts: Mapping[str, Any]) -> dict[str, Any]:
    """How many layers attend to everything, to a window, to an image, or keep a constant state."""
    layers, window = parts["layers"], _window(config)
    kinds = _kinds(config)
    if kinds is not None:
        full, sliding, linear, cross = (sum(kind in each for kind in kinds) for each in (FULL, SLIDING, LINEAR, CROSS))
        if not window:
            full, sliding = full + sliding, 0
    else:
        every = config.get(*EVERY, default=FULL_EVERY.get(config.type))
        full = layers if every is None or not window else layers // every if every else 0
        sliding, linear, cross = layers - full, 0, 0
    if config.type in SIDE_BY_SIDE:
        linear = layers
    counts = {"full_layers": full, "sliding_layers": sliding, "linear_layers": linear, "cross_layers": cross}
    if sliding:
        counts["sliding_window_tokens"] = window
    return counts | (state_shape(config) if linear else {})


def _window(config: Config) -> int | None:
    """The sliding window (or chunk) where there is one and the context does not fit into it."""
    if config.get("use_sliding_window") is False:
        return None
    window = config.get(*WINDOW)
    return window if window and 0 < window < config.get(*CONTEXT, default=window + 1) else None


def _kinds(config: Config) -> list | None:
    """The mixer of each layer where the configuration lists or implies it."""
    layers = config.number(*LAYERS) if config.get(*LAYERS) else 0
    listed = config.each_layer(*MIXERS)
    if listed:
        known = (
            FULL + SLIDING + NO_MIXER + tuple(each for each in LINEAR if each != "conv" or config.type in CONVOLUTIONS)
        )
        for kind in listed:
            if kind not in known:
                raise DataError(config.where, "layer_types", kind, ", ".join(map(str, known)))
        return listed[: config.get(*LAYERS)]  # some list the prediction layers after the model's own
    for kinds in (_repeated(config, layers), _pattern(config, layers), _numbered(config, layers)):
        if kinds is not None:
            return kinds
    states = state_layers(config)
    return None if states is None else [LINEAR[0] if each else FULL[0] for each in states]


def _repeated(config: Config, layers: int) -> list | None:
    """Mixers that repeat until the last layer: Griffin's blocks; or pairs of mixers and how often (GPT-Neo)."""
    blocks, pairs = config.get("block_types", "_block_types"), config.get("attention_types")
    if pairs:
        blocks = [kind for kinds, times in pairs for _ in range(times) for kind in kinds]
    if not blocks:
        return None
    known = {"attention": SLIDING[0] if config.type in RECURRENT else FULL[0], "global": FULL[0], "local": SLIDING[0]}
    blocks = [known.get(each, each) for each in blocks]
    for each in blocks:
        require(each in FULL + SLIDING + LINEAR, config.where, "block_types", each, "attention, recurrent")
    return [blocks[i % len(blocks)] for i in range(layers)]


def _pattern(config: Config, layers: int) -> list | None:
    """Letters, one a layer, L local or G global, repeated."""
    pattern = config.get("sliding_window_pattern", default=0)
    letters = isinstance(pattern, str)
    good = set(pattern) <= {"L", "G"} if letters else isinstance(pattern, int) and pattern >= 0
    require(good, config.where, "sliding_window_pattern", pattern, "a whole number, or letters L and G")
    if not letters or not pattern:
        return None
    return [SLIDING[0] if pattern[i % len(pattern)] == "L" else FULL[0] for i in range(layers)]


def _numbered(config: Config, layers: int) -> list | None:
    """Layers named by their numbers: those that attend to an image, or (Qwen2) the first that has a window."""
    crossing = config.get("cross_attention_layers")
    if crossing is not None:
        require(
            isinstance(crossing, list | tuple), config.where, "cross_attention_layers", crossing, "a list of layers"
        )
        return [CROSS[0] if i in crossing else FULL[0] for i in range(layers)]
    if config.get("use_sliding_window") and config.get("max_window_layers") is not None:
        first = config.get("max_window_layers")
        return [SLIDING[0] if i >= first else FULL[0] for i in range(layers)]
    return None
