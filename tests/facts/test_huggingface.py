"""Reading Hugging Face configurations and our own columns; the record behind both."""

import dataclasses
import itertools
import json

import pytest

from tokenomics.compute.counts.flops import flops_weights
from tokenomics.compute.counts.parameters import parameters
from tokenomics.errors import DataError
from tokenomics.facts import catalogue, tables
from tokenomics.facts.huggingface import model_from_mapping, read_model
from tokenomics.facts.huggingface.architectures import known_type
from tokenomics.facts.huggingface.config import LISTS, LISTS_OR_TEXT, MAPPINGS, TRAITS, WHOLE, Config
from tokenomics.facts.models import Model

TABLE = tables.read("catalogue/models")
MODELS = {row["name"]: Model.from_row(row) for row in TABLE.to_dict("records")}

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "hidden_act": "silu",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "max_position_embeddings": 131072,
    "mlp_bias": False,
    "model_type": "llama",
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "rope_theta": 500000.0,
    "tie_word_embeddings": False,
    "vocab_size": 128256,
}
# The sizes that published configurations state, by catalogued model (fields that change no size left out).
CONFIGS = {
    "Llama-3.1-8B": LLAMA,
    "Mistral-7B-v0.1": {
        "model_type": "mistral",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "max_position_embeddings": 32768,
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "num_key_value_heads": 8,
        "sliding_window": 4096,
        "tie_word_embeddings": False,
        "vocab_size": 32000,
    },
    "Mixtral-8x7B": {
        "model_type": "mixtral",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "max_position_embeddings": 32768,
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "num_key_value_heads": 8,
        "num_experts_per_tok": 2,
        "num_local_experts": 8,
        "sliding_window": None,
        "tie_word_embeddings": False,
        "vocab_size": 32000,
    },
    "Qwen2.5-7B": {
        "model_type": "qwen2",
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "max_position_embeddings": 131072,
        "max_window_layers": 28,
        "num_attention_heads": 28,
        "num_hidden_layers": 28,
        "num_key_value_heads": 4,
        "sliding_window": 131072,
        "use_sliding_window": False,
        "tie_word_embeddings": False,
        "vocab_size": 152064,
    },
    "Qwen3-4B": {
        "model_type": "qwen3",
        "head_dim": 128,
        "hidden_size": 2560,
        "intermediate_size": 9728,
        "max_position_embeddings": 40960,
        "num_attention_heads": 32,
        "num_hidden_layers": 36,
        "num_key_value_heads": 8,
        "sliding_window": None,
        "tie_word_embeddings": True,
        "vocab_size": 151936,
    },
    "Qwen3-30B-A3B": {
        "model_type": "qwen3_moe",
        "decoder_sparse_step": 1,
        "head_dim": 128,
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "max_position_embeddings": 40960,
        "mlp_only_layers": [],
        "moe_intermediate_size": 768,
        "num_attention_heads": 32,
        "num_experts": 128,
        "num_experts_per_tok": 8,
        "num_hidden_layers": 48,
        "num_key_value_heads": 4,
        "tie_word_embeddings": False,
        "vocab_size": 151936,
    },
    "DeepSeek-V3": {
        "model_type": "deepseek_v3",
        "first_k_dense_replace": 3,
        "hidden_size": 7168,
        "intermediate_size": 18432,
        "kv_lora_rank": 512,
        "max_position_embeddings": 163840,
        "moe_intermediate_size": 2048,
        "moe_layer_freq": 1,
        "n_routed_experts": 256,
        "n_shared_experts": 1,
        "num_attention_heads": 128,
        "num_experts_per_tok": 8,
        "num_hidden_layers": 61,
        "num_key_value_heads": 128,
        "num_nextn_predict_layers": 1,
        "q_lora_rank": 1536,
        "qk_nope_head_dim": 128,
        "qk_rope_head_dim": 64,
        "tie_word_embeddings": False,
        "v_head_dim": 128,
        "vocab_size": 129280,
    },
    "Gemma-2-9B": {
        "model_type": "gemma2",
        "head_dim": 256,
        "hidden_size": 3584,
        "intermediate_size": 14336,
        "max_position_embeddings": 8192,
        "num_attention_heads": 16,
        "num_hidden_layers": 42,
        "num_key_value_heads": 8,
        "sliding_window": 4096,
        "vocab_size": 256000,
    },
    "Gemma-3-4B": {  # leaves heads and vocabulary to the defaults of its code
        "model_type": "gemma3",
        "text_config": {
            "model_type": "gemma3_text",
            "hidden_size": 2560,
            "intermediate_size": 10240,
            "num_hidden_layers": 34,
            "max_position_embeddings": 131072,
            "sliding_window": 1024,
        },
        "vision_config": {"hidden_size": 1152, "num_hidden_layers": 27},
    },
    "GPT-2-1.5B": {
        "model_type": "gpt2",
        "n_embd": 1600,
        "n_head": 25,
        "n_inner": None,
        "n_layer": 48,
        "n_positions": 1024,
        "vocab_size": 50257,
    },
    "Pythia-6.9B": {
        "model_type": "gpt_neox",
        "hidden_size": 4096,
        "intermediate_size": 16384,
        "max_position_embeddings": 2048,
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "tie_word_embeddings": False,
        "use_parallel_residual": True,
        "vocab_size": 50432,
    },
    "OPT-6.7B": {
        "model_type": "opt",
        "do_layer_norm_before": True,
        "ffn_dim": 16384,
        "hidden_size": 4096,
        "max_position_embeddings": 2048,
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "vocab_size": 50272,
        "word_embed_proj_dim": 4096,
    },
    "Falcon-7B": {
        "model_type": "falcon",
        "bias": False,
        "hidden_size": 4544,
        "multi_query": True,
        "new_decoder_architecture": False,
        "num_attention_heads": 71,
        "num_hidden_layers": 32,
        "parallel_attn": True,
        "vocab_size": 65024,
    },
    "Falcon-40B": {
        "model_type": "falcon",
        "bias": False,
        "hidden_size": 8192,
        "new_decoder_architecture": True,
        "num_attention_heads": 128,
        "num_hidden_layers": 60,
        "num_kv_heads": 8,
        "parallel_attn": True,
        "vocab_size": 65024,
    },
    "gpt-oss-20b": {
        "model_type": "gpt_oss",
        "attention_bias": True,
        "head_dim": 64,
        "hidden_size": 2880,
        "intermediate_size": 2880,
        "layer_types": ["sliding_attention", "full_attention"] * 12,
        "max_position_embeddings": 131072,
        "num_attention_heads": 64,
        "num_experts_per_tok": 4,
        "num_hidden_layers": 24,
        "num_key_value_heads": 8,
        "num_local_experts": 32,
        "sliding_window": 128,
        "tie_word_embeddings": False,
        "vocab_size": 201088,
    },
    "Nemotron-H-56B": {  # one mixer or MLP a layer: Mamba-2 (M), attention (*), MLP (-); order simplified
        "model_type": "nemotron_h",
        "conv_kernel": 4,
        "head_dim": 128,
        "hidden_size": 8192,
        "hybrid_override_pattern": "M-" * 4 + "M*-" * 10 + "M-" * 40,
        "intermediate_size": 32768,
        "mamba_head_dim": 64,
        "mamba_num_heads": 256,
        "max_position_embeddings": 8192,
        "n_groups": 8,
        "num_attention_heads": 64,
        "num_hidden_layers": 118,
        "num_key_value_heads": 8,
        "ssm_state_size": 256,
        "tie_word_embeddings": False,
        "vocab_size": 131072,
    },
    "Qwen3.5-35B-A3B": {
        "model_type": "qwen3_5_moe",
        "text_config": {
            "model_type": "qwen3_5_moe_text",
            "attn_output_gate": True,
            "full_attention_interval": 4,
            "head_dim": 256,
            "hidden_size": 2048,
            "linear_conv_kernel_dim": 4,
            "linear_key_head_dim": 128,
            "linear_num_key_heads": 16,
            "linear_num_value_heads": 32,
            "linear_value_head_dim": 128,
            "max_position_embeddings": 262144,
            "moe_intermediate_size": 512,
            "num_attention_heads": 16,
            "num_experts": 256,
            "num_experts_per_tok": 8,
            "num_hidden_layers": 40,
            "num_key_value_heads": 2,
            "shared_expert_intermediate_size": 512,
            "vocab_size": 248320,
        },
        "tie_word_embeddings": False,
    },
    "Llama-4-Maverick-17B-128E": {
        "model_type": "llama4",
        "text_config": {
            "model_type": "llama4_text",
            "attention_chunk_size": 8192,
            "head_dim": 128,
            "hidden_size": 5120,
            "interleave_moe_layer_step": 2,
            "intermediate_size": 8192,
            "intermediate_size_mlp": 16384,
            "max_position_embeddings": 1048576,
            "num_attention_heads": 40,
            "num_experts_per_tok": 1,
            "num_hidden_layers": 48,
            "num_key_value_heads": 8,
            "num_local_experts": 128,
            "vocab_size": 202048,
        },
    },
    "MiMo-7B": {  # its layer that predicts further tokens is not counted
        "model_type": "mimo",
        "attention_bias": True,
        "head_dim": 128,
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "max_position_embeddings": 32768,
        "num_attention_heads": 32,
        "num_hidden_layers": 36,
        "num_key_value_heads": 8,
        "num_nextn_predict_layers": 1,
        "tie_word_embeddings": False,
        "vocab_size": 151680,
    },
    "Phi-3-mini-4k": {
        "model_type": "phi3",
        "hidden_size": 3072,
        "intermediate_size": 8192,
        "max_position_embeddings": 4096,
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "num_key_value_heads": 32,
        "sliding_window": 2047,
        "tie_word_embeddings": False,
        "vocab_size": 32064,
    },
}
# Published sizes of models that are not catalogued: billions of parameters, KiB of 16-bit cache a token if every layer
# that attends keeps all of it, and layers that attend fully.
ERNIE = {
    "model_type": "ernie4_5_moe",
    "hidden_size": 2560,
    "intermediate_size": 12288,
    "moe_intermediate_size": 1536,
    "moe_k": 6,
    "moe_layer_interval": 1,
    "moe_layer_start_index": 1,
    "moe_num_experts": 64,
    "moe_num_shared_experts": 2,
    "num_attention_heads": 20,
    "num_hidden_layers": 28,
    "num_key_value_heads": 4,
    "tie_word_embeddings": True,
    "vocab_size": 103424,
}
EXAONE = {
    "model_type": "exaone4",
    "head_dim": 128,
    "hidden_size": 5120,
    "intermediate_size": 27392,
    "max_position_embeddings": 131072,
    "num_attention_heads": 40,
    "num_hidden_layers": 64,
    "num_key_value_heads": 8,
    "sliding_window": 4096,
    "sliding_window_pattern": "LLLG",
    "tie_word_embeddings": False,
    "vocab_size": 102400,
}
PUBLISHED = {"ERNIE-4.5-21B-A3B": (ERNIE, 21.8, 56, 28), "EXAONE-4.0-32B": (EXAONE, 32.0, 256, 16)}
MAY_STAY_OPEN = {"context_tokens", "published_format", "tower_parameters"}


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_a_configuration_gives_the_catalogued_model(name):
    read, held = model_from_mapping(CONFIGS[name], name), MODELS[name]
    for field in dataclasses.fields(Model):
        if field.name != "family" and not (field.name in MAY_STAY_OPEN and getattr(read, field.name) is None):
            assert getattr(read, field.name) == getattr(held, field.name), field.name
    assert parameters(read) == parameters(held)


REQUIRED = {
    "Llama-3.1-8B": ["hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers", "vocab_size"],
    "DeepSeek-V3": ["qk_nope_head_dim", "v_head_dim", "num_experts_per_tok", "moe_intermediate_size"],
    "gpt-oss-20b": ["num_experts_per_tok", "intermediate_size"],
    "OPT-6.7B": ["max_position_embeddings", "ffn_dim"],
}


@pytest.mark.parametrize(("name", "field"), [(name, field) for name, fields in REQUIRED.items() for field in fields])
def test_a_missing_field_is_named_in_one_line(name, field):
    config = {key: value for key, value in CONFIGS[name].items() if key != field}
    with pytest.raises(DataError) as raised:
        model_from_mapping(config, where="mine/config.json")
    text = str(raised.value)
    assert "\n" not in text
    assert text.startswith("mine/config.json: ")
    assert "= missing; allowed: a whole number > 0" in text
    assert field in text


@pytest.mark.parametrize(
    ("field", "value"), [("num_hidden_layers", 0), ("hidden_size", "wide"), ("vocab_size", -1), ("hidden_size", True)]
)
def test_a_broken_value_is_shown(field, value):
    with pytest.raises(DataError, match=rf"^my.json: {field} = {value}; allowed: a whole number > 0"):
        model_from_mapping({**LLAMA, field: value}, where="my.json")


def test_heads_that_do_not_divide_the_width_need_a_head_dim():
    with pytest.raises(DataError, match=r"^my.json: head_dim = missing; allowed: .*4096 / 30"):
        model_from_mapping({**LLAMA, "num_attention_heads": 30}, where="my.json")


def test_more_kv_heads_than_heads_are_refused():
    with pytest.raises(DataError, match=r"^my.json: kv_heads = 64; allowed: at most 32"):
        model_from_mapping({**LLAMA, "num_key_value_heads": 64}, where="my.json")


def test_an_unknown_layer_type_is_refused():
    with pytest.raises(DataError, match=r"^my.json: layer_types = conv; allowed: full_attention"):
        model_from_mapping({**LLAMA, "layer_types": ["conv"] * 32}, where="my.json")


@pytest.mark.parametrize(
    ("name", "field", "entries"),
    [
        ("Llama-3.1-8B", "layer_types", ["full_attention"] * 10),
        ("Llama-3.1-8B", "layers_block_type", ["attention"] * 10),
        ("DeepSeek-V3", "mlp_layer_types", ["sparse"] * 10),
        ("DeepSeek-V3", "moe_layer_freq", [1] * 10),
    ],
)
def test_a_list_that_lacks_layers_is_refused(name, field, entries):
    with pytest.raises(DataError, match=rf"^my.json: {field} = 10 entries; allowed: \d+, one for each layer"):
        model_from_mapping({**CONFIGS[name], field: entries}, where="my.json")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("num_hidden_layers", 10**12, "layers = 1000000000000; allowed: integer, >= 1, <= 1000; nearest: 1000"),
        ("hidden_size", 4096 * 10**6, "d_model = 4096000000; allowed: integer, >= 1, <= 1e+06"),
        ("vocab_size", 10**9, "vocab = 1000000000; allowed: integer, >= 1, <= 1e+07"),
        ("head_dim", 10**7, "head_dim = 10000000; allowed: integer, >= 1, <= 10000; nearest: 10000"),
        ("max_position_embeddings", -1, "context_tokens = -1; allowed: integer, >= 1, <= 1e+09; nearest: 1"),
    ],
)
def test_sizes_beyond_the_tables_limits_are_refused_in_one_line(field, value, message):
    with pytest.raises(DataError) as raised:
        model_from_mapping({**LLAMA, field: value}, where="my.json")
    assert str(raised.value).startswith(f"my.json: {message}")


# --- Which architectures are counted --------------------------------------------------------------------------------

TINY = {key: value for key, value in LLAMA.items() if key not in ("architectures", "model_type")}
SSM = "state-space layers are not counted here"
ENCODER = "an encoder-decoder is not counted"
CROSS = "cross-attention layers are not counted here"


def refused(config):
    with pytest.raises(DataError) as raised:
        model_from_mapping(config, where="my.json")
    text = str(raised.value)
    assert "\n" not in text and "..., nearest" not in text
    return text


@pytest.mark.parametrize(
    ("class_name", "model_type", "fields", "reason"),
    [
        ("Zamba2ForCausalLM", "zamba2", {"mamba_d_state": 64, "hybrid_layer_ids": [6, 12]}, SSM),
        ("Plamo2ForCausalLM", "plamo2", {"mamba_d_state": 64}, SSM),
        ("RwkvForCausalLM", "rwkv", {}, "recurrent layers are not counted here"),
        ("LongcatFlashForCausalLM", "longcat_flash", {}, "experts that do nothing are not counted"),
        ("Gemma3nForConditionalGeneration", "gemma3n", {}, "layers inside other layers are not counted"),
        ("DeciLMForCausalLM", "nemotron-nas", {"block_configs": [{}]}, "layers of unlike widths are not counted"),
        ("T5ForConditionalGeneration", "t5", {"is_encoder_decoder": True, "d_model": 1024}, ENCODER),
        ("SwitchTransformersForConditionalGeneration", "switch_transformers", {}, ENCODER),
        ("BertForMaskedLM", "bert", {}, "encoder-only models are not read"),
        ("LlamaForSequenceClassification", "llama", {}, "a classifier is not counted"),
        ("MistralModel", "mistral", {}, "a model without a head of words is not counted"),
        ("LlamaForCausalLMEagle3", "llama", {}, "not known to be counted right"),
        ("BrandNewForCausalLM", "brand_new", {}, "not known to be counted right"),
        ("BrandNewForCausalLM", "llama", {}, "not known to be counted right"),
        ("BrandNewForCausalLM", "brand_new", {"ssm_cfg": {"d_state": 16}}, SSM),
        ("LlamaForCausalLM", "brand_new", {}, "not known of type brand_new"),
    ],
)
def test_what_is_not_counted_is_refused_by_the_name_of_its_class(class_name, model_type, fields, reason):
    config = {**TINY, "architectures": [class_name], "model_type": model_type, **fields}
    said = f"my.json: architecture = {class_name}: {reason}"
    assert refused(config).startswith(said)
    bare = {key: config[key] for key in ("architectures", "model_type", *fields)}  # before any missing size is named
    assert refused(bare).startswith(said)
    inside = {"architectures": [class_name], "model_type": "outer", "text_config": {**config, "architectures": None}}
    assert refused(inside).startswith(said)


@pytest.mark.parametrize(
    ("model_type", "field", "value", "reason"),
    [
        ("gemma4_text", "num_kv_shared_layers", 20, "caches that layers share are not counted"),
        ("gemma4_text", "hidden_size_per_layer_input", 256, "embeddings in every layer are not counted"),
        ("llama", "is_encoder_decoder", True, ENCODER),
        ("llama", "cross_attention_layers", [3, 8], CROSS),
        ("llama", "mamba_d_state", 16, SSM),
        ("brand_new", "attn_layer_period", 8, SSM),
    ],
)
def test_a_field_of_other_architectures_is_refused_by_name(model_type, field, value, reason):
    text = refused({**TINY, "model_type": model_type, field: value})
    assert text.startswith(f"my.json: architecture = {model_type}: {reason}; allowed: ") and f"without {field}," in text


def test_the_nearest_known_types_are_named():
    assert "nearest: qwen3" in refused({**TINY, "architectures": ["Qwen33ForCausalLM"], "model_type": "qwen33"})
    assert "or a YAML of our columns" in refused({**TINY, "model_type": "zzz"})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "architecture = missing; allowed: a config.json with architectures and model_type, or our columns"),
        (TINY, "architecture = missing; allowed: a config.json"),
        ({"architectures": "LlamaForCausalLM"}, "architectures = LlamaForCausalLM; allowed: a list of class names"),
        ({"architectures": [7]}, "architectures = [7]; allowed: a list of class names"),
        ({"backend": "vllm", "mean_ttft_ms": 31.5}, "file = the result of a benchmark (has mean_ttft_ms); allowed: "),
    ],
)
def test_what_names_no_architecture_is_no_configuration(config, message):
    assert refused(config).startswith(f"my.json: {message}")


@pytest.mark.parametrize("model_type", sorted(TRAITS))
def test_a_known_type_is_counted_under_the_class_of_its_name(model_type):
    words = model_type.removesuffix("_text").split("_")
    class_name = "".join(word.capitalize() for word in words) + "ForCausalLM"
    for given in ({"model_type": model_type, "architectures": [class_name]}, {"model_type": model_type}):
        assert known_type(Config(given, "my.json")) == model_type
    assert known_type(Config({"architectures": [class_name]}, "my.json")) == model_type


@pytest.mark.parametrize(
    ("class_name", "model_type"),
    [
        ("GPT2LMHeadModel", "gpt2"),
        ("RWForCausalLM", "falcon"),
        ("DeepseekV3ForCausalLM", "kimi_k2"),
        ("Gemma3ForConditionalGeneration", "gemma3_text"),
        ("Qwen3_5MoeForConditionalGeneration", "qwen3_5_moe_text"),
        ("Mistral3ForConditionalGeneration", "mistral"),
    ],
)
def test_classes_of_another_name_are_counted_too(class_name, model_type):
    assert known_type(Config({"architectures": [class_name], "model_type": model_type}, "my.json")) == model_type


@pytest.mark.parametrize(
    ("model_type", "sizes", "total", "cache_kib"),
    [  # published: SmolLM3-3B exactly; Seed-OSS-36B 36.15, Granite-3.3-8B 8.17, OLMoE-1B-7B 6.92 billion
        ("smollm3", (2048, 11008, 36, 16, 4, None, 128256, True), 3_075_098_624, 72),
        ("seed_oss", (5120, 27648, 64, 80, 8, 128, 155136, False), 36.15e9, 256),
        ("granite", (4096, 12800, 40, 32, 8, None, 49159, True), 8.17e9, 160),
        ("olmoe", (2048, 1024, 16, 16, 16, None, 50304, False), 6.92e9, 128),
    ],
)
def test_counts_of_known_types_are_those_published(model_type, sizes, total, cache_kib):
    keys = "hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads head_dim vocab_size"
    experts = {"num_experts": 64, "num_experts_per_tok": 8} if model_type == "olmoe" else {}
    config = dict(zip((*keys.split(), "tie_word_embeddings"), sizes, strict=True)) | {"model_type": model_type}
    read = model_from_mapping(config | experts, "mine")
    assert parameters(read).total == pytest.approx(total, rel=0 if isinstance(total, int) else 0.0015)
    assert read.full_layers * 2 * read.kv_heads * read.head_dim * 2 == cache_kib * 1024


@pytest.mark.parametrize("change", [{"layer_types": 3}, {"num_key_value_heads": "eight"}, {"hidden_size": [4096]}])
def test_a_wrong_type_is_one_line(change):
    with pytest.raises(DataError, match=r"^my.json: ") as raised:
        model_from_mapping({**LLAMA, "model_type": "mistral", "architectures": None, **change}, where="my.json")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("keys", "wrong", "allowed"),
    [
        (WHOLE, ["wide", [4096], {"a": 1}, 0.5, [None]], "a whole number"),
        (LISTS, [3, "3", True, {"a": 1}], "a list"),
        (LISTS_OR_TEXT, [3, True, {"a": 1}], "a list, or text with commas"),
        (MAPPINGS, [3, "x", [1], True], "a mapping of key: value"),
    ],
)
def test_an_optional_field_of_a_wrong_type_is_named(keys, wrong, allowed):
    for name in ("Llama-3.1-8B", "Mistral-7B-v0.1", "Qwen3-30B-A3B", "DeepSeek-V3"):
        for key, value in itertools.product(keys, wrong):
            with pytest.raises(DataError) as raised:
                model_from_mapping({**CONFIGS[name], key: value}, where="my.json")
            assert str(raised.value).startswith(f"my.json: {key} = ")
            assert str(raised.value).endswith(f"; allowed: {allowed}")


ODD = [None, [], {}, [1], {"a": 1}, "x", "", True, -1, 0, 0.5, float("nan"), float("inf"), 10**30, [None], ["a"] * 99]


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_whatever_a_field_holds_the_answer_is_a_model_or_one_line(name):
    outer = CONFIGS[name]
    inner = outer.get("text_config", {})
    changed = [{**outer, key: odd} for key in outer for odd in ODD]
    changed += [{**outer, "text_config": {**inner, key: odd}} for key in inner for odd in ODD]
    for config in changed:
        try:
            assert isinstance(model_from_mapping(config, name), Model)
        except DataError as error:
            assert "\n" not in str(error)


def test_a_narrow_embedding_is_projected():
    opt = CONFIGS["OPT-6.7B"] | {"hidden_size": 1024, "ffn_dim": 4096, "num_hidden_layers": 24}
    read = model_from_mapping(opt | {"num_attention_heads": 16, "word_embed_proj_dim": 512}, "OPT-350M")
    # published: 331,196,416 parameters; its code has no last norm
    assert read.embedding_width == 512 and parameters(read).total == 331_196_416 + 2 * 1024
    wide = model_from_mapping(opt | {"num_attention_heads": 16, "word_embed_proj_dim": 1024}, "wide")
    assert wide.embedding_width is None
    assert flops_weights(wide) - flops_weights(read) == 2 * (512 * 50272 - 2 * 512 * 1024)


def test_a_window_beyond_the_context_is_none():
    read = model_from_mapping({**CONFIGS["Phi-3-mini-4k"], "sliding_window": 262144})
    assert (read.full_layers, read.sliding_layers) == (32, 0)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_counts_are_those_published(name):
    config, billions, cache_kib, full = PUBLISHED[name]
    read = model_from_mapping(config, name)
    assert parameters(read).total / 1e9 == pytest.approx(billions, abs=0.05)
    assert (read.full_layers + read.sliding_layers) * 2 * read.kv_heads * read.head_dim * 2 == cache_kib * 1024
    assert read.full_layers == full


@pytest.mark.parametrize("pattern", ["LLXG", [1, 2], -3, 0.5])
def test_a_pattern_of_windows_is_letters_or_a_number(pattern):
    with pytest.raises(DataError, match=r"^my.json: sliding_window_pattern = .*; allowed: .*letters L and G"):
        model_from_mapping({**EXAONE, "sliding_window_pattern": pattern}, where="my.json")


def test_experts_end_where_the_configuration_says():
    assert model_from_mapping({**ERNIE, "moe_layer_end_index": 9}).moe_layers == 9
    assert model_from_mapping({**ERNIE, "moe_layer_end_index": -1}).moe_layers == 27


# --- Files and our own columns -------------------------------------------------------------------------------------


def test_files_of_both_kinds(tmp_path):
    folder = tmp_path / "My-Model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(LLAMA), encoding="utf-8")
    own = tmp_path / "small.yaml"
    own.write_text("layers: 2\nd_model: 64\nheads: 4\nd_ff: 128\nvocab: 1000\n", encoding="utf-8")
    assert read_model(folder / "config.json").name == "My-Model"
    small = read_model(own)
    assert (small.name, small.head_dim, small.kv_heads, small.full_layers, small.dense_layers) == ("small", 16, 4, 2, 2)
    # 2 x (4 x 64 x 64 + 3 x 64 x 128 + 2 x 64) + 2 x 1000 x 64 + 64
    assert parameters(small).total == 210_240


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"d_ff": None}, "d_ff = missing"),
        ({"heads": None}, "heads = missing"),
        ({"heads": 3}, "head_dim = 21.333"),
        ({"vocab": "many"}, "vocab = many; allowed: integer, >= 1, <= 1e+07"),
        ({"layer": 2}, "layer = 2; allowed: a column of data/catalogue/models.csv; nearest: layers"),
        ({"moe_layers": 1}, "expert_width = missing"),
        ({"sliding_layers": 3}, "full_layers = -1"),
        ({"tied_embeddings": "perhaps"}, "tied_embeddings = perhaps; allowed: true or false"),
        ({"tied_embeddings": 1}, "tied_embeddings = 1; allowed: true or false"),
        ({"heads": -4}, "heads = -4; allowed: integer, >= 1, <= 10000; nearest: 1"),
        ({"heads": "4"}, "heads = 4; allowed: integer"),
        ({"layers": 10**9}, "layers = 1000000000; allowed: integer, >= 1, <= 1000; nearest: 1000"),
        ({"d_model": 64.5}, "d_model = 64.5; allowed: integer, >= 1, <= 1e+06; nearest: 64"),
        ({"d_model": float("inf")}, "d_model = inf; allowed: integer"),
        ({"attention_bias": "some"}, "attention_bias = some; allowed: string, one of none, qkv, all"),
    ],
)
def test_our_own_columns_are_checked(change, message):
    values = {"layers": 2, "d_model": 64, "heads": 4, "d_ff": 128, "vocab": 1000, **change}
    with pytest.raises(DataError) as raised:
        model_from_mapping({key: value for key, value in values.items() if value is not None}, "mine", "mine.yaml")
    assert message in str(raised.value)


@pytest.mark.parametrize("ending", ["json", "yaml"])
@pytest.mark.parametrize(
    "text",
    [
        *("", "  \n", "null", "42", "text", "[1, 2]", "- a\n- b\n", "<html></html>", '{"model_type": "llama", "hidden'),
        *("layers: [1", "name: x\n\tlayers: 2\n", '{"a": 1, "a": 2}', "{1: 2}", "a: 1\n---\nb: 2\n", "layers: 2\n"),
        *("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", '{"model_type": "llama"}', "\0\1"),
        *('{"x": ' + "[" * 3000, '{"date": "20260101", "backend": "vllm", "request_throughput": 1.5}'),
    ],
)
def test_a_file_that_describes_nothing_is_one_line_for_models_and_accelerators(tmp_path, ending, text):
    path = tmp_path / f"mine.{ending}"
    path.write_text(text, encoding="utf-8")
    for read in (catalogue.model, catalogue.accelerator):
        with pytest.raises(DataError) as raised:
            read(str(path))
        said = str(raised.value)
        assert "\n" not in said and said.startswith(str(path)) and "; allowed: " in said and "object has no" not in said


def test_an_empty_file_is_called_empty(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(" ", encoding="utf-8")
    for read in (catalogue.model, catalogue.accelerator):
        with pytest.raises(DataError, match=r": file = empty; allowed: "):
            read(str(path))


def test_the_record_has_the_architecture_columns_of_the_table():
    columns = list(TABLE.columns)
    fields = [field.name for field in dataclasses.fields(Model)]
    assert fields == columns[: columns.index("vendor")]


def test_a_row_survives_the_way_through_text():
    for row in TABLE.astype(str).to_dict("records"):
        assert Model.from_row(row) == MODELS[row["name"]]


def test_a_row_without_a_required_column_is_refused():
    row = dict(TABLE.iloc[0])
    del row["d_model"]
    with pytest.raises(DataError, match=r"^models.csv: d_model = missing; allowed: a int|an integer"):
        Model.from_row(row, "models.csv")
