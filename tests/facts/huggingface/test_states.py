"""Which layers attend and which keep a state or see an image, in every spelling that configurations have for it."""

import pytest

from tokenomics.compute.counts.parameters import parameters, state_bytes
from tokenomics.errors import DataError
from tokenomics.facts.huggingface import model_from_mapping

SIZES = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 8, "num_attention_heads": 8}
SIZES |= {"num_key_value_heads": 2, "vocab_size": 32000, "max_position_embeddings": 65536}
MAMBA = {"mamba_d_conv": 4, "mamba_d_state": 16, "mamba_n_heads": 32, "mamba_expand": 2}
LIGHTNING = {"num_local_experts": 4, "num_experts_per_tok": 2}
WINDOW = {"sliding_window": 4096}


def layers(model_type, **fields):
    read = model_from_mapping({**SIZES, "model_type": model_type, **fields}, "mine")
    return read.full_layers, read.sliding_layers, read.linear_layers, read.cross_layers


@pytest.mark.parametrize(
    ("model_type", "fields", "counted"),
    [
        ("bamba", {**MAMBA, "attn_layer_indices": [3]}, (1, 0, 7, 0)),
        ("bamba", {**MAMBA, "layers_block_type": ["mamba"] * 6 + ["attention"] * 2}, (2, 0, 6, 0)),
        ("granitemoehybrid", {**MAMBA, "shared_intermediate_size": 9, "layer_types": ["attention"] * 8}, (8, 0, 0, 0)),
        ("jamba", {**MAMBA, "attn_layer_period": 4, "attn_layer_offset": 1}, (2, 0, 6, 0)),
        ("falcon_h1", {**MAMBA, "mamba_d_ssm": 1536}, (8, 0, 8, 0)),
        ("mamba2", {"num_heads": 32, "head_dim": 64, "state_size": 128, "conv_kernel": 4}, (0, 0, 8, 0)),
        ("minimax_text_01", {**LIGHTNING, "attn_type_list": [0, 0, 0, 1] * 2}, (2, 0, 6, 0)),
        ("minimax", {**LIGHTNING, "layer_types": ["linear_attention", "full_attention"] * 4}, (4, 0, 4, 0)),
        ("minimax_m2", {**LIGHTNING, "attn_type_list": [1] * 8}, (8, 0, 0, 0)),
        ("bailing_moe_linear", {"layer_group_size": 3}, (4, 0, 4, 0)),  # 3, 6, and the two after the last whole group
        ("recurrent_gemma", {"block_types": ["recurrent", "attention"], "attention_window_size": 99}, (0, 4, 4, 0)),
        ("lfm2", {"conv_L_cache": 3, "full_attn_idxs": [2, 5]}, (2, 0, 6, 0)),
        ("lfm2", {"conv_L_cache": 3, "layer_types": ["conv"] * 7 + ["full_attention"]}, (1, 0, 7, 0)),
        ("mllama_text_model", {"cross_attention_layers": [3, 6]}, (6, 0, 0, 2)),
        ("gpt_neo", {"window_size": 256, "attention_types": [[["global", "local"], 4]]}, (4, 4, 0, 0)),
        ("gpt_neo", {"window_size": 256, "attention_layers": ["local"] * 8}, (0, 8, 0, 0)),
        ("cohere2", {**WINDOW, "layer_switch": 4}, (2, 6, 0, 0)),
        ("gemma3_text", {**WINDOW, "_sliding_window_pattern": 2}, (4, 4, 0, 0)),
        ("exaone4", {**WINDOW, "sliding_window_pattern": "LLLG"}, (2, 6, 0, 0)),
        ("qwen2", {**WINDOW, "use_sliding_window": True, "max_window_layers": 5}, (5, 3, 0, 0)),
        ("qwen2", {**WINDOW, "use_sliding_window": False, "max_window_layers": 5}, (8, 0, 0, 0)),
        ("olmo3", {**WINDOW, "layer_types": ["sliding_attention", "full_attention"] * 4}, (4, 4, 0, 0)),
    ],
)
def test_layers_are_counted(model_type, fields, counted):
    assert layers(model_type, **fields) == counted


def test_attention_beside_a_state_is_held_twice():
    both = model_from_mapping({**SIZES, **MAMBA, "model_type": "falcon_h1"}, "mine")
    plain = model_from_mapping({**SIZES, "model_type": "llama"}, "mine")
    # in 1024 x (2 x 2048 + 2 x 16 + 32), convolution 4 x (2048 + 32), out 2048 x 1024, in eight layers
    mixer = 1024 * (2 * 2048 + 2 * 16 + 32) + 4 * (2048 + 32) + 2048 * 1024
    assert parameters(both).total - parameters(plain).total == 8 * mixer


def test_cross_attention_has_weights_and_no_cache():
    crossing = model_from_mapping({**SIZES, "model_type": "mllama_text_model", "cross_attention_layers": [3]}, "mine")
    plain = model_from_mapping({**SIZES, "model_type": "llama"}, "mine")
    assert parameters(crossing).total == parameters(plain).total
    assert crossing.attention_layers == plain.attention_layers - 1 and state_bytes(crossing) == 0


@pytest.mark.parametrize(
    ("model_type", "fields", "message"),
    [
        ("bamba", {**MAMBA, "attn_layer_indices": 3}, "attn_layer_indices = 3; allowed: a list of layers"),
        ("bamba", {**MAMBA, "mamba_n_heads": 31, "attn_layer_indices": [1]}, "mamba_n_heads = 31; allowed: a divisor"),
        ("bamba", {"attn_layer_indices": [1], "mamba_n_heads": 32}, "mamba_d_state = missing"),
        ("lfm2", {"layer_types": ["conv"] * 8}, "conv_L_cache = missing"),
        ("recurrent_gemma", {"block_types": ["swirl"]}, "block_types = swirl; allowed: attention, recurrent"),
        ("mllama_text_model", {"cross_attention_layers": 3}, "cross_attention_layers = 3; allowed: a list of layers"),
        ("minimax_text_01", {**LIGHTNING, "attn_type_list": [0, 1]}, "attn_type_list = 2 entries; allowed: 8"),
    ],
)
def test_what_cannot_be_is_one_line(model_type, fields, message):
    with pytest.raises(DataError) as raised:
        model_from_mapping({**SIZES, "model_type": model_type, **fields}, "mine", "my.json")
    assert str(raised.value).startswith(f"my.json: {message}") and "\n" not in str(raised.value)


WRAPPERS = ["InternVLChatModel", "LlavaForConditionalGeneration", "KimiVLForConditionalGeneration"]


@pytest.mark.parametrize("key", ["text_config", "llm_config", "language_config"])
@pytest.mark.parametrize(
    "class_name", ["InternVLChatModel", "LlavaForConditionalGeneration", "KimiVLForConditionalGeneration"]
)
def test_a_tower_may_stand_before_any_known_text_model(class_name, key):
    text = {
        **SIZES,
        "model_type": "qwen3",
        "head_dim": 128,
        "rope_parameters": {"rope_theta": 1e6},
        "dtype": "bfloat16",
    }
    outer = {"architectures": [class_name], "model_type": "outer", key: text, "vision_config": {"hidden_size": 7}}
    plain = model_from_mapping({**text, "architectures": ["Qwen3ForCausalLM"]}, "mine")
    assert parameters(model_from_mapping(outer, "mine")) == parameters(plain)
    with pytest.raises(DataError, match="not known of type brand_new"):
        model_from_mapping({**outer, key: {**text, "model_type": "brand_new"}}, "mine")
