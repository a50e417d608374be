"""Counts of parameters, FLOP and bytes: against published numbers, by hand, and by their properties."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenomics.compute.counts import flops
from tokenomics.compute.counts.matrices import matrices
from tokenomics.compute.counts.parameters import (
    WeightFormat,
    activation_bytes,
    decode_weight_bytes,
    expected_distinct_experts,
    kv_bytes,
    kv_bytes_per_token,
    parameters,
    state_bytes,
    weight_bytes,
)
from tokenomics.errors import DataError
from tokenomics.facts import tables
from tokenomics.facts.models import Model

TABLE = tables.read("catalogue/models")
ROWS = TABLE.set_index("name")
MODELS = {row["name"]: Model.from_row(row) for row in TABLE.to_dict("records")}

# Rows whose published number our count misses by more than 0.5 % and more than half its last digit, and why.
EXCEPTIONS = {
    ("total", "GLM-4.5"): "352.8 billion, published with the layer that predicts further tokens",
    ("total", "GLM-4.5-Air"): "106.85 billion, published cut off to 106",
    ("active", "Qwen3-30B-A3B"): "3.35 billion, published cut off to 3.3",
    ("active", "Nemotron-3-Super-120B-A12B"): "12.77 billion, published cut off to 12.7",
    ("total", "XLM-R-large"): "559 million, published rounded down to 550",
}
TOLERANCE = 0.005
REFERENCE_TOLERANCE = 1e-4
REFERENCE_EXCEPTIONS = {
    "Gemma-4-26B-A4B": "its full layers use one projection for keys and values",
    "Gemma-4-31B": "its full layers use one projection for keys and values",
}


def misses(name: str, active: bool) -> bool:
    """Whether our count disagrees with the published one."""
    row, suffix = ROWS.loc[name], "_active" if active else ""
    published, quantum = row[f"params_official{suffix}"], row[f"params_official{suffix}_quantum"]
    rule = row["params_active_counted" if active else "params_counted"]
    off = abs(parameters(MODELS[name]).counted(rule, active) - published)
    return off > max(TOLERANCE * published, quantum / 2)


def with_value(column: str) -> list[str]:
    return list(ROWS.index[ROWS[column].notna()])


@pytest.mark.parametrize("name", with_value("params_official"))
def test_total_agrees_with_the_published_number(name):
    assert misses(name, active=False) == (("total", name) in EXCEPTIONS)


@pytest.mark.parametrize("name", with_value("params_official_active"))
def test_active_agrees_with_the_published_number(name):
    assert misses(name, active=True) == (("active", name) in EXCEPTIONS)


def test_exceptions_are_few_and_name_catalogued_models():
    assert len(EXCEPTIONS) <= 8
    assert {name for _, name in EXCEPTIONS} <= set(ROWS.index)


@pytest.mark.parametrize("name", with_value("params_reference"))
def test_total_agrees_with_the_instantiated_reference_implementation(name):
    off = abs(parameters(MODELS[name]).total / ROWS.loc[name, "params_reference"] - 1)
    assert off < (TOLERANCE if name in REFERENCE_EXCEPTIONS else REFERENCE_TOLERANCE)


@pytest.mark.parametrize("name", list(ROWS.index[ROWS["params_official_quantum"] == 1]))
def test_total_agrees_with_a_number_published_to_the_last_digit(name):
    row = ROWS.loc[name]
    assert parameters(MODELS[name]).counted(row["params_counted"]) == pytest.approx(row["params_official"], rel=1e-4)


def test_every_published_number_says_what_it_counts():
    for suffix, rule in (("", "params_counted"), ("_active", "params_active_counted")):
        rows = ROWS[ROWS[f"params_official{suffix}"].notna()]
        assert rows[f"params_official{suffix}_quantum"].notna().all()
        assert rows[rule].notna().all()
        assert rows["params_rule"].notna().all()


def test_one_family_is_one_size():
    sizes = {name: parameters(model).total for name, model in MODELS.items()}
    for _, group in ROWS.groupby("family"):
        held = [sizes[name] for name in group.index]
        assert max(held) < 1.02 * min(held), list(group.index)


# --- By hand -------------------------------------------------------------------------------------------------------


def test_gpt3_by_hand():
    # A layer: attention 4 d^2 + 4 d, MLP 8 d^2 + 5 d, two norms 4 d = 12 d^2 + 13 d; d = 12288: 1 812 099 072.
    # 96 layers 173 961 510 912; tokens 50257 d = 617 558 016; positions 2048 d = 25 165 824; last norm 2 d = 24 576.
    count = parameters(MODELS["GPT-3-175B"])
    assert count.total == count.active == 174_604_259_328
    assert count.embedding == 617_558_016 + 25_165_824
    assert count.head == 0


def test_llama_70b_by_hand():
    # Attention d (8192 + 1024 + 1024 + 8192) = 150 994 944, MLP 3 d 28672 = 704 643 072, norms 2 d = 16 384;
    # 80 layers of 855 654 400 = 68 452 352 000; two tables of 128256 d = 2 101 346 304; last norm 8192.
    model = MODELS["Llama-3.1-70B"]
    assert parameters(model).total == 70_553_706_496
    # Multiplied: without one table (1 050 673 152) and the norms (161 x 8192 = 1 318 912): 69 501 714 432, twice.
    assert flops.flops_weights(model) == 139_003_428_864
    # A pair costs 4 x 64 heads x 128 FLOP in 80 layers.
    assert flops.flops_decode(model, 1000) == 139_003_428_864 + 2_621_440 * 1000
    # Keys and values: 2 x 80 layers x 8 heads x 128 x 2 bytes.
    assert kv_bytes_per_token(model, 16) == 327_680
    assert kv_bytes(model, 4096, 8) == 4096 * 163_840
    assert weight_bytes(model, 16) == 2 * 70_553_706_496


def test_mixtral_by_hand():
    # Attention d (4096 + 1024 + 1024 + 4096) = 41 943 040; an expert 3 d 14336 = 176 160 768; router 8 d = 32 768;
    # norms 2 d = 8192. Eight experts: a layer has 1 451 270 144, two: 394 305 536; 32 layers; two tables of 32000 d =
    # 262 144 000; last norm 4096.
    count = parameters(MODELS["Mixtral-8x7B"])
    assert count.total == 46_702_792_704
    assert count.active == 12_879_925_248
    assert count.experts == 4 * count.experts_active


def test_deepseek_v3_by_hand():
    # Attention: query down 7168 x 1536, up 1536 x 128 x 192; latent down 7168 x 576, up 512 x 128 x 256; output
    # 16384 x 7168: 187 105 280, its norms 2048. Layer norms 14 336. An expert 3 x 7168 x 2048 = 44 040 192.
    # 61 (187 107 328 + 14 336) + 3 (3 x 7168 x 18432) + 58 (257 experts + router 1 835 008) + tables + last norm.
    count = parameters(MODELS["DeepSeek-V3"])
    assert count.total == 671_026_404_352
    assert count.active == 37_552_282_624
    # The published 37 B leave out the table that is only looked up (926 679 040).
    assert count.counted("without_input_embedding", active=True) == 36_625_603_584


def test_deepseek_v3_attends_over_latents_when_it_decodes():
    model = MODELS["DeepSeek-V3"]
    # Cached: 61 layers x (512 + 64) values of 2 bytes.
    assert kv_bytes_per_token(model, 16) == 70_272
    # Absorbed, a pair costs 2 x 128 heads x (512 + 64 + 512); expanded, 2 x 128 x (192 + 128); in 61 layers.
    assert flops.flops_attention(model, 1, 9, absorbed=True) == 10 * 61 * 278_528
    assert flops.flops_attention(model, 4, 0, absorbed=False) == 10 * 61 * 81_920


def test_gpt_oss_windows_by_hand():
    model = MODELS["gpt-oss-120b"]  # 18 of 36 layers slide over 128 tokens; 8 KV heads of 64: 2048 bytes a layer
    assert kv_bytes_per_token(model) == 36 * 2048
    assert kv_bytes(model, 128) == 128 * 36 * 2048
    assert kv_bytes(model, 1128) == 1128 * 18 * 2048 + 128 * 18 * 2048


def test_hybrid_keeps_a_constant_state():
    model = MODELS["Qwen3.5-27B"]  # 48 of 64 layers: 48 value heads of 128 x 128, 16 key heads, convolution of 4
    state = 48 * (48 * 128 * 128 + 3 * (2 * 16 * 128 + 48 * 128)) * 4
    assert state_bytes(model) == state
    assert kv_bytes(model, 0) == state
    assert kv_bytes(model, 1000) - state == 1000 * 16 * 2 * 4 * 256 * 2


# --- Properties ----------------------------------------------------------------------------------------------------

WIDTHS = ("d_model", "d_ff", "vocab", "heads", "head_dim", "kv_heads", "expert_width", "experts", "shared_width")
STEADY = settings(deadline=None, derandomize=True)
small = st.integers(1, 8)


@st.composite
def any_model(draw) -> Model:
    """Small models of every kind: dense, experts, windows, latents, linear layers, tied or not."""
    full, sliding, linear = draw(st.tuples(st.integers(1, 4), st.integers(0, 4), st.integers(0, 4)))
    layers = full + sliding + linear
    moe = draw(st.integers(0, layers))
    kv_heads, experts = draw(small), draw(st.integers(1, 16))
    latent = {
        "kv_lora_rank": draw(small),
        "rope_head_dim": 1,
        "value_head_dim": draw(small),
        "q_lora_rank": draw(small),
    }
    return Model(
        name="any",
        family="any",
        layers=layers,
        full_layers=full,
        sliding_layers=sliding,
        linear_layers=linear,
        dense_layers=layers - moe,
        moe_layers=moe,
        d_model=draw(small),
        vocab=draw(small),
        positions=draw(st.integers(0, 8)),
        tied_embeddings=draw(st.booleans()),
        heads=kv_heads * draw(small),
        kv_heads=kv_heads,
        head_dim=1 + draw(small),
        **(latent if draw(st.booleans()) else {}),
        sliding_window_tokens=draw(st.integers(1, 40)),
        linear_key_heads=draw(small),
        linear_value_heads=draw(small),
        linear_key_dim=draw(small),
        linear_value_dim=draw(small),
        linear_gates=draw(st.integers(0, 2)),
        linear_conv_width=draw(st.integers(0, 4)),
        attention_bias=draw(st.sampled_from(["none", "qkv", "all"])),
        qk_norm=draw(st.sampled_from(["none", "head", "full"])),
        d_ff=draw(small),
        gated_mlp=draw(st.booleans()),
        mlp_bias=draw(st.booleans()),
        experts=experts,
        experts_per_token=draw(st.integers(1, experts)),
        expert_width=draw(small),
        shared_width=draw(st.integers(0, 4)),
        norm_bias=draw(st.booleans()),
    )


@STEADY
@given(any_model(), st.sampled_from(WIDTHS))
def test_counts_grow_with_every_width(model, width):
    if width == "kv_heads":
        wider = dataclasses.replace(model, kv_heads=model.kv_heads + 1, heads=model.heads + 1)
    else:
        wider = dataclasses.replace(model, **{width: getattr(model, width) + 1})
    assert parameters(wider).total >= parameters(model).total
    assert flops.flops_decode(wider, 7) >= flops.flops_decode(model, 7)
    assert activation_bytes(wider, 3) >= activation_bytes(model, 3)
    unused = {"d_ff": model.dense_layers, "expert_width": model.moe_layers, "experts": model.moe_layers}
    if unused.get(width, 1) and not (width == "kv_heads" and model.is_mla) and width != "shared_width":
        assert parameters(wider).total > parameters(model).total


@STEADY
@given(any_model(), small)
def test_layers_add_up(model, more):
    def longer(times: int) -> Model:
        moe = model.moe_layers == model.layers
        return dataclasses.replace(
            model,
            layers=model.layers + times * more,
            full_layers=model.full_layers + times * more,
            moe_layers=model.moe_layers + (times * more if moe else 0),
            dense_layers=model.dense_layers + (0 if moe else times * more),
        )

    for count in (
        lambda m: parameters(m).total,
        lambda m: parameters(m).active,
        lambda m: flops.flops_decode(m, 100),
        lambda m: flops.flops_prefill(m, 50),
        lambda m: kv_bytes(m, 33),
    ):
        first, second, third = (float(count(longer(times))) for times in (0, 1, 2))
        assert second > first
        assert third - second == pytest.approx(second - first, rel=1e-12)


@STEADY
@given(any_model())
def test_parts_add_up_and_active_is_a_part_of_total(model):
    count = parameters(model)
    assert 0 < count.multiplied <= count.active <= count.total
    body = sum(m.parameters for m in matrices(model))
    assert count.total == pytest.approx(body + count.norm, rel=1e-12)
    by_part = flops.flops_by_part(model)
    assert sum(by_part.values()) == pytest.approx(flops.flops_weights(model), rel=1e-12)


@STEADY
@given(any_model(), st.integers(1, 60), st.integers(1, 60))
def test_kv_bytes_are_linear_until_the_window_and_slower_after(model, context, more):
    window = model.sliding_window_tokens
    start = float(kv_bytes(model, 0))
    inside = min(context, window)
    assert kv_bytes(model, inside) - start == pytest.approx(inside * float(kv_bytes_per_token(model)))
    without = dataclasses.replace(model, full_layers=1 + model.full_layers, layers=1 + model.layers)
    grown = float(kv_bytes(model, window + more) - kv_bytes(model, window))
    a_layer = float(kv_bytes(without, more) - kv_bytes(model, more))
    assert grown == pytest.approx(model.full_layers * a_layer)


@STEADY
@given(st.integers(0, 30), st.integers(0, 30), st.one_of(st.none(), st.integers(1, 40)))
def test_causal_pairs_match_the_count_one_by_one(new, past, window):
    one_by_one = sum(min(past + i, window or past + i) for i in range(1, new + 1))
    assert flops.causal_pairs(new, past, window) == one_by_one


@STEADY
@given(any_model(), st.integers(1, 40), st.integers(1, 40))
def test_prefill_in_chunks_costs_the_same_plus_one_head(model, first, second):
    whole = flops.flops_prefill(model, first + second)
    chunks = flops.flops_prefill(model, first) + flops.flops_prefill(model, second, past=first)
    assert chunks - whole == pytest.approx(2 * model.d_model * model.vocab)


@STEADY
@given(any_model(), st.integers(1, 30))
def test_prefill_is_decode_of_every_token_without_the_heads(model, prompt):
    plain = dataclasses.replace(model, kv_lora_rank=None, q_lora_rank=None)
    tokens = flops.flops_decode(plain, np.arange(1, prompt + 1))
    heads = (prompt - 1) * 2 * plain.d_model * plain.vocab
    assert flops.flops_prefill(plain, prompt) == pytest.approx(tokens.sum() - heads)


@pytest.mark.parametrize("name", ["DeepSeek-V3.2", "gpt-oss-20b", "Llama-4-Scout-17B-16E", "Qwen3.5-35B-A3B"])
def test_arrays_give_what_scalars_give(name):
    model, contexts = MODELS[name], np.array([1, 100, 5_000, 100_000])
    for count in (flops.flops_decode, flops.flops_prefill, kv_bytes, expected_distinct_experts, decode_weight_bytes):
        assert count(model, contexts) == pytest.approx([float(count(model, int(c))) for c in contexts])
    table = kv_bytes(model, contexts[:, None], np.array([8, 16]))
    assert table.shape == (4, 2)


def test_sparse_attention_stops_growing_but_its_indexer_does_not():
    dense, sparse = MODELS["DeepSeek-V3"], MODELS["DeepSeek-V3.2"]
    step = flops.flops_decode(sparse, 50_001) - flops.flops_decode(sparse, 50_000)
    assert step == 61 * 2 * 64 * 128  # indexer: 64 heads of 128, in 61 layers
    assert flops.flops_decode(sparse, 50_000) < flops.flops_decode(dense, 50_000)


# --- Experts and bytes ---------------------------------------------------------------------------------------------


@STEADY
@given(any_model(), st.integers(1, 200))
def test_distinct_experts_lie_between_one_token_and_all(model, tokens):
    if not model.is_moe:
        assert expected_distinct_experts(model, tokens) == 0
        return
    touched = float(expected_distinct_experts(model, tokens))
    assert expected_distinct_experts(model, 1) == pytest.approx(model.experts_per_token)
    assert (
        model.experts_per_token * (1 - 1e-9) <= touched <= min(model.experts, tokens * model.experts_per_token) + 1e-9
    )


def test_distinct_experts_match_a_drawing_of_experts():
    model, tokens, rng = MODELS["DeepSeek-V3"], 64, np.random.default_rng(7)
    drawn = [len({e for _ in range(tokens) for e in rng.choice(256, 8, replace=False)}) for _ in range(200)]
    assert float(expected_distinct_experts(model, tokens)) == pytest.approx(np.mean(drawn), rel=0.005)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_decode_step_reads_between_the_active_and_all_weights(name):
    model = MODELS[name]
    count = parameters(model)
    one, many = decode_weight_bytes(model, [1, 1e9])
    head = model.d_model * model.vocab
    assert one == pytest.approx(2 * (count.active - count.embedding - count.head + head))
    assert many == pytest.approx(2 * (count.total - count.embedding - count.head + head))


def test_weight_formats():
    model = MODELS["Llama-3.1-70B"]
    count = parameters(model)
    tables, norms = count.embedding + count.head, count.norm
    body = count.total - tables - norms
    assert weight_bytes(model, 8) == body + tables + 2 * norms
    # 4 bits with a 16-bit scale for 128 weights, embeddings left at 16 bit
    awq = WeightFormat(4, group_size=128, others=(("embedding", 16), ("head", 16)))
    assert weight_bytes(model, awq) == body * 4.125 / 8 + 2 * tables + 2 * norms
    assert decode_weight_bytes(model, 1, awq) == weight_bytes(model, awq) - 2 * count.embedding
    assert list(weight_bytes(model, [8, 16])) == [weight_bytes(model, 8), weight_bytes(model, 16)]


def test_activations_by_hand():
    # Llama-3.1-8B: residual and its norm 2 x 4096; gate, up and product 3 x 14336; 2 bytes
    model = MODELS["Llama-3.1-8B"]
    assert activation_bytes(model, 10) == 10 * 2 * (2 * 4096 + 3 * 14336)
    assert activation_bytes(model, 10, tp=4) == 10 * 2 * (2 * 4096 + 3 * 14336 / 4)
    # Mixtral-8x7B: two experts' inputs on every device, their inner values shared
    mixture = MODELS["Mixtral-8x7B"]
    assert activation_bytes(mixture, 10, tp=4) == 10 * 2 * (2 * 4096 + 2 * 4096 + 3 * 2 * 14336 / 4)


def test_unknown_counting_rule_is_refused():
    with pytest.raises(DataError, match=r"rule = body; allowed: all"):
        parameters(MODELS["gpt-oss-20b"]).counted("body")
