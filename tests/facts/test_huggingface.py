"""Reading Hugging Face configurations and our own columns; the record behind both."""

import dataclasses
import json

import pytest

from tokenomics.compute.counts.parameters import parameters
from tokenomics.errors import DataError
from tokenomics.facts import tables
from tokenomics.facts.huggingface import model_from_mapping, read_model
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


def test_an_unknown_type_with_all_fields_of_a_llama_is_one():
    read = model_from_mapping({**LLAMA, "model_type": "brand_new"}, "new")
    assert parameters(read) == parameters(MODELS["Llama-3.1-8B"])


@pytest.mark.parametrize("change", [{"num_key_value_heads": None}, {"intermediate_size": None}, {"kv_lora_rank": 512}])
def test_an_unknown_type_that_needs_guessing_is_refused(change):
    with pytest.raises(DataError, match=r"^my.json: model_type = brand_new .*; allowed: a known type"):
        model_from_mapping({**LLAMA, "model_type": "brand_new", **change}, where="my.json")


@pytest.mark.parametrize(
    ("model_type", "change"),
    [
        ("gemma4_text", {"num_kv_shared_layers": 20}),
        ("gemma4_text", {"hidden_size_per_layer_input": 256}),
        ("llama", {"is_encoder_decoder": True}),
    ],
)
def test_what_our_columns_cannot_describe_is_refused(model_type, change):
    with pytest.raises(DataError, match=rf"^my.json: {next(iter(change))} = .*; allowed: nothing"):
        model_from_mapping({**LLAMA, "model_type": model_type, **change}, where="my.json")


@pytest.mark.parametrize("change", [{"layer_types": 3}, {"num_key_value_heads": "eight"}, {"sliding_window": "wide"}])
def test_a_wrong_type_is_one_line(change):
    with pytest.raises(DataError, match=r"^my.json: ") as raised:
        model_from_mapping({**LLAMA, "model_type": "mistral", **change}, where="my.json")
    assert "\n" not in str(raised.value)


def test_a_window_beyond_the_context_is_none():
    read = model_from_mapping({**CONFIGS["Phi-3-mini-4k"], "sliding_window": 262144})
    assert (read.full_layers, read.sliding_layers) == (32, 0)


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
