"""Biases and norms that a configuration switches on or off, by model type."""

from typing import Any

from tokenomics.facts.huggingface.config import Config

HEAD_NORM, QKV, ALL, NONE = (
    {"qk_norm": "head"},
    {"attention_bias": "qkv"},
    {"attention_bias": "all"},
    {"attention_bias": "none"},
)
ONE_NORM = {"norms_per_layer": 1, "parallel_block": True}

# Types, names of the switch, what it is where the configuration is silent, and the parts of the model that it turns on
# and off (read in the package ``transformers``, 5.23.0, and in the code beside checkpoints).
SWITCHES: tuple[tuple[tuple[str, ...], tuple[str, ...], bool, dict[str, Any], dict[str, Any]], ...] = (
    (("falcon",), ("new_decoder_architecture",), False, {"norms_per_layer": 2}, {"norms_per_layer": 1}),
    (("falcon",), ("bias",), False, {**ALL, "mlp_bias": True}, {}),
    (("gpt_neox",), ("use_parallel_residual",), True, {"parallel_block": True}, {"parallel_block": False}),
    (("starcoder2",), ("use_bias",), True, {}, {**NONE, "mlp_bias": False}),
    (("gemma4_text",), ("enable_moe_block",), False, {"norms_per_layer": 7}, {}),
    (("kimi_linear",), ("mla_use_output_gate",), False, {"attention_gate": True}, {"attention_gate": False}),
    (("glm4_moe", "glm4v_moe_text", "bailing_moe"), ("use_qk_norm",), False, HEAD_NORM, {}),
    (("bailing_moe_linear", "bailing_moe_v2"), ("use_qk_norm",), True, {}, {"qk_norm": "none"}),
    (("hunyuan_v1_dense", "hunyuan_v1_moe"), ("use_qk_norm",), True, {}, {"qk_norm": "none"}),
    (("glm4_moe", "hunyuan_v1_dense", "hunyuan_v1_moe"), ("attention_bias",), False, QKV, {}),
    (("glm4v_moe_text",), ("attention_bias",), True, {}, NONE),
    (("bailing_moe", "bailing_moe_linear", "bailing_moe_v2"), ("use_qkv_bias",), False, QKV, {}),
    (("chatglm",), ("add_qkv_bias",), True, {}, NONE),
    (("internlm2", "internlm3", "ernie4_5", "ernie4_5_moe"), ("bias", "use_bias"), False, ALL, {}),
    (("internlm3", "stablelm"), ("qkv_bias", "use_qkv_bias"), False, QKV, {}),
    (("stablelm",), ("use_parallel_residual",), False, ONE_NORM, {}),
    (("llama", "granite", "granitemoe", "granitemoehybrid", "bamba"), ("attention_bias",), False, ALL, {}),
    (("llama", "nemotron"), ("mlp_bias",), False, {"mlp_bias": True}, {}),
)


def switched(config: Config) -> dict[str, Any]:
    """Columns of the catalogue that the configuration's own switches decide."""
    parts: dict[str, Any] = {}
    for types, names, default, on, off in SWITCHES:
        if config.type in types:
            parts |= on if config.get(*names, default=default) else off
    return parts
