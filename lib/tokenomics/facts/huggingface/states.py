"""The layers of a configuration that keep a constant state: which of them there are, and their shapes.

Mamba-2, Mamba, gated DeltaNet, Kimi delta attention, lightning attention, Griffin's recurrence and the gated
convolutions of LFM2, under the names that each architecture's configuration gives its sizes (package ``transformers``,
5.23.0, ``models/*/configuration_*.py``).
"""

from typing import Any

from tokenomics.errors import DataError, require
from tokenomics.facts.huggingface.config import HEADS, LAYERS, WIDTH, Config

MAMBA1 = ("jamba", "mamba", "falcon_mamba")
MAMBA2 = ("bamba", "falcon_h1", "granitemoehybrid", "mamba2", "nemotron_h")
LIGHTNING = ("bailing_moe_linear", "minimax", "minimax_text_01", "minimax_m1")
CONVOLUTIONS = ("lfm2", "lfm2_moe")
RECURRENT = ("recurrent_gemma",)
WITHOUT_ATTENTION = ("mamba", "mamba2", "falcon_mamba")
SIDE_BY_SIDE = ("falcon_h1",)
"""Types that attend and keep a state in every layer."""

# The names of Mamba-2's sizes: heads, width of a head, groups, width of the state, width of the convolution.
NAMES = (
    ("mamba_num_heads", "mamba_head_dim", "n_groups", "ssm_state_size", "conv_kernel"),
    ("mamba_n_heads", "mamba_d_head", "mamba_n_groups", "mamba_d_state", "mamba_d_conv"),
    ("num_heads", "head_dim", "n_groups", "state_size", "conv_kernel"),
)
SHAPE = (
    *("linear_value_heads", "linear_value_dim", "linear_key_heads", "linear_key_dim", "linear_conv_width"),
    *("linear_gates", "linear_kind", "linear_rank"),
)


def state_layers(config: Config) -> list[bool] | None:
    """Whether each layer keeps a state, where the type's own fields say so; ``None`` where they do not.

    Raises:
        DataError: such a field of a wrong type.
    """
    layers = config.number(*LAYERS)
    if config.type in WITHOUT_ATTENTION:
        return [True] * layers
    attending = _attending(config, layers)
    return None if attending is None else [i not in attending for i in range(layers)]


def _attending(config: Config, layers: int) -> set[int] | None:
    """Numbers, from zero, of the layers that attend."""
    for key, first in (("attn_layer_indices", 0), ("full_attn_idxs", 0), ("full_attn_layers", 1)):
        listed = config.get("linear_attn_config", default={}).get(key) if first else config.get(key)
        if listed is not None:
            require(isinstance(listed, list | tuple), config.where, key, listed, "a list of layers")
            return {each - first for each in listed}
    if config.get("attn_layer_period"):
        period, offset = config.number("attn_layer_period"), config.get("attn_layer_offset", default=0)
        return {i for i in range(layers) if i % period == offset}
    if config.get("layer_group_size"):  # the last of each group attends, and what remains after the last whole group
        size = config.number("layer_group_size")
        return {i for i in range(layers) if (i + 1) % size == 0 or i >= layers // size * size}
    if config.get("full_attention_interval"):
        every = config.get("full_attention_interval")
        return {i for i in range(layers) if (i + 1) % every == 0}
    listed = config.each_layer("attn_type_list")
    return None if listed is None else {i for i, each in enumerate(listed[:layers]) if each == 1}


def state_shape(config: Config) -> dict[str, Any]:
    """Shapes of the layers with a state, as columns of the catalogue.

    Raises:
        DataError: a size that is missing, or heads that do not divide a width.
    """
    if config.get("linear_attn_config"):
        return _kimi_delta(config)
    for types, shape in (
        (MAMBA1, _mamba1),
        (MAMBA2, _mamba2),
        (LIGHTNING, _lightning),
        (CONVOLUTIONS, _convolution),
        (RECURRENT, _recurrence),
    ):
        if config.type in types:
            return shape(config)
    value_heads, value_dim = config.number("linear_num_value_heads"), config.number("linear_value_head_dim")
    key_heads, key_dim = config.number("linear_num_key_heads"), config.number("linear_key_head_dim")
    return _shape(value_heads, value_dim, key_heads, key_dim, config.number("linear_conv_kernel_dim"), gates=2)


def _shape(*sizes: int, gates: int = 0, kind: str | None = None, rank: int | None = None) -> dict[str, Any]:
    return dict(zip(SHAPE, (*sizes, gates, kind, rank), strict=True))


def _kimi_delta(config: Config) -> dict[str, Any]:
    """Its gate as wide as the values where the configuration says so; else it and the decay have rank ``head_dim``.

    The decay's narrow waist beside a full gate is left out (0.01 % of Kimi-K3).
    """
    delta = Config(config.get("linear_attn_config"), config.where)
    heads, width = delta.number("num_heads"), delta.number("head_dim")
    low = {} if delta.get("use_full_rank_gate") else {"kind": "kda", "rank": width}
    return _shape(heads, width, heads, width, delta.number("short_conv_kernel_size"), gates=1, **low)


def _mamba2(config: Config) -> dict[str, Any]:
    names = next((each for each in NAMES if config.get(each[0])), NAMES[1])
    heads, inner = config.number(names[0]), config.get("mamba_d_ssm")
    width = config.get(names[1])
    if inner or width in (None, "auto"):
        expand = config.get("mamba_expand", "expand", default=2)
        width = _divided(config, inner or int(expand * config.number(*WIDTH)), heads, names[0])
    return _shape(heads, width, config.get(names[2], default=1), *(config.number(each) for each in names[3:]), gates=1)


def _mamba1(config: Config) -> dict[str, Any]:
    """Every channel is a head of width one."""
    width = config.number(*WIDTH)
    inner = int(config.get("mamba_expand", "expand", default=2) * width)
    rank = config.get("mamba_dt_rank", "time_step_rank", default="auto")
    rank = -(-width // 16) if rank == "auto" else rank
    state, conv = config.number("mamba_d_state", "state_size"), config.number("mamba_d_conv", "conv_kernel")
    return _shape(inner, 1, 0, state, conv, kind="mamba1", rank=rank)


def _lightning(config: Config) -> dict[str, Any]:
    heads = config.number(*HEADS)
    width = config.get("head_dim") or _divided(config, config.number(*WIDTH), heads, HEADS[0])
    return _shape(heads, width, heads, width, 0)


def _recurrence(config: Config) -> dict[str, Any]:
    heads, inner = config.number(*HEADS), config.get("lru_width") or config.number(*WIDTH)
    block = _divided(config, inner, heads, HEADS[0])
    return _shape(heads, block, 0, 1, config.get("conv1d_width", default=4), kind="rglru")


def _convolution(config: Config) -> dict[str, Any]:
    return _shape(config.get("conv_dim") or config.number(*WIDTH), 1, 0, 0, config.number("conv_L_cache"), kind="conv")


def _divided(config: Config, width: int, heads: int, key: str) -> int:
    if width % heads:
        raise DataError(config.where, key, heads, f"a divisor of {width}")
    return width // heads
