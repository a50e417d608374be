"""Bytes of formats against published sizes of files, and what a checkpoint leaves in other bits."""

import dataclasses

import pytest

from tokenomics.compute.counts import precision
from tokenomics.compute.counts.parameters import decode_weight_bytes, expert_weight_bytes, parameters, weight_bytes
from tokenomics.compute.counts.precision import parse
from tokenomics.facts import catalogue
from tokenomics.facts.engines import published

# ggml-org/llama.cpp tools/quantize/README.md: bits per weight of Llama-3.1-8B.
BITS = {
    **{"IQ1_S": 2.0042, "IQ1_M": 2.1460, "IQ2_XXS": 2.3824, "IQ2_XS": 2.5882, "IQ2_S": 2.7403, "IQ2_M": 2.9294},
    **{"IQ3_XXS": 3.2548, "IQ3_XS": 3.4977, "IQ3_S": 3.6606, "IQ3_M": 3.7628, "IQ4_XS": 4.4597, "IQ4_NL": 4.6818},
    **{"Q2_K_S": 2.9697, "Q2_K": 3.1593, "Q3_K_S": 3.6429, "Q3_K_L": 4.2979, "Q4_K_S": 4.6672, "Q4_K_M": 4.8944},
    **{"Q5_K_S": 5.5704, "Q5_K_M": 5.7036, "Q6_K": 6.5633, "Q8_0": 8.5008},
}
# The same file's forerunner: Llama-2-70B, without the value projections of 5.5 bits that only a 70B has.
BITS_70B = {
    **{"Q3_K_M": 3.85, "Q3_K_L": 4.19, "Q4_K_S": 4.53, "Q4_K_M": 4.80, "Q5_K_S": 5.50, "Q5_K_M": 5.65, "Q6_K": 6.56},
}
GIB = 2**30


def stored(model: str, text: str) -> float:
    return float(weight_bytes(catalogue.model(model), parse(text).weights))


@pytest.mark.parametrize(("text", "bits"), BITS.items())
def test_gguf_files_have_the_published_bits_a_weight(text, bits):
    model = catalogue.model("Llama-3.1-8B")
    assert 8 * stored("Llama-3.1-8B", text) / parameters(model).total == pytest.approx(bits, rel=1e-3)


@pytest.mark.parametrize(("text", "bits"), BITS_70B.items())
def test_gguf_files_of_a_larger_model_have_the_published_bits_a_weight(text, bits):
    model = catalogue.model("Llama-2-70B")
    assert 8 * stored("Llama-2-70B", text) / parameters(model).total == pytest.approx(bits, rel=0.01)


@pytest.mark.parametrize(
    ("model", "text", "size"),
    [
        ("gpt-oss-20b", "mxfp4", 13.76e9),  # total_size of the checkpoint
        ("gpt-oss-120b", "mxfp4", 65.25e9),  # total_size of the checkpoint
        ("Llama-3.1-8B", "fp8", 9.08e9),  # tables and head in 16 bit
        ("Llama-3.1-405B", "fbgemm_fp8", 8 * 57.75 * GIB),  # vllm-project/vllm issue 6746, eight devices
        ("Qwen3-235B-A22B", "fp8", 4 * 55.0 * GIB),  # 235.1e9 in 8 bit, two tables of 622e6 in 16
        ("DeepSeek-V3", "fp8 block", 671e9 + 1.85e9),  # 671 GB in 8 bit, two tables of 927e6 in 16
    ],
)
def test_checkpoints_have_the_published_size(model, text, size):
    assert stored(model, text) == pytest.approx(size, rel=0.015)


@pytest.mark.parametrize("text", ["fp8", "nvfp4", "mxfp4", "AWQ", "int8", "int4 g128", "NF4", "fp8 block"])
def test_checkpoints_leave_tables_and_head_in_16_bit(text):
    model = catalogue.model("Llama-3.1-8B")
    wider = dataclasses.replace(model, vocab=model.vocab + 1000)
    weights = parse(text).weights
    assert weight_bytes(wider, weights) - weight_bytes(model, weights) == pytest.approx(2 * 1000 * 4096 * 2)


def test_a_table_that_is_the_head_is_stored_like_one():
    model = catalogue.model("Llama-3.2-1B")
    assert model.tied_embeddings
    wider = dataclasses.replace(model, vocab=model.vocab + 1000)
    weights = parse("Q4_K_M").weights
    each = weight_bytes(wider, weights) - weight_bytes(model, weights)
    assert each == pytest.approx(1000 * 2048 * 6.5625 / 8)
    read = decode_weight_bytes(wider, 1, weights) - decode_weight_bytes(model, 1, weights)
    assert read == pytest.approx(each)


def test_mxfp4_is_for_experts_alone_where_there_are_any():
    dense, mixed = catalogue.model("Llama-3.1-8B"), catalogue.model("gpt-oss-20b")
    weights = parse("mxfp4").weights
    assert weights.dense_bits(dense) == 4.25
    assert weights.dense_bits(mixed) == 16
    experts = parameters(mixed).experts
    assert expert_weight_bytes(mixed, weights) == pytest.approx(experts * 4.25 / 8)


def test_formats_with_other_bits_beside_experts():
    model = catalogue.model("DeepSeek-V4-Flash")
    assert parse("mxfp4 experts, fp8 rest").weights.dense_bits(model) == 8
    assert parse("int4 g32 experts").weights.dense_bits(catalogue.model("Kimi-K2.6")) == 16
    assert 4.5 < parse("nvfp4").weights.dense_bits(catalogue.model("DeepSeek-V3")) < 16
    assert parse("nvfp4").weights.dense_bits(catalogue.model("Llama-3.1-70B")) == 4.5


@pytest.mark.parametrize(
    ("model", "text", "found", "note"),
    [
        ("gpt-oss-20b", "", "mxfp4", ["format mxfp4, as published"]),
        ("DeepSeek-V3", "", "fp8 block", ["format fp8 block, as published"]),
        ("Llama-3.1-8B", "", "bf16", ["format bf16"]),
        ("gpt-oss-20b", "bf16", "bf16", []),
    ],
)
def test_nothing_stated_means_the_published_checkpoint(model, text, found, note):
    assert precision.stored(catalogue.model(model), text) == (found, note)


def test_a_label_of_eight_bits_on_a_checkpoint_of_four_names_activations():
    weights, notes = precision.labelled(catalogue.model("gpt-oss-120b"), "fp8")
    assert weights == "mxfp4" and notes
    for model, text in (("DeepSeek-V3", "fp8"), ("gpt-oss-120b", "bf16"), ("gpt-oss-120b", "Q8_0")):
        assert precision.labelled(catalogue.model(model), text) == (text, [])


def test_every_published_format_is_a_known_one():
    for name, model in catalogue.models().items():
        assert model.published_format is None or parse(model.published_format), name


def test_an_engine_may_keep_a_cache_in_16_bit_under_weights_of_8():
    assert (parse("fp8").kv_bits, parse("fp8", cache_bits=16.0).kv_bits) == (8, 16)
    assert parse("fp8", "fp8", cache_bits=16.0).kv_bits == 8


@pytest.mark.parametrize(
    ("model", "device", "engine", "weights", "bits"),
    [
        ("Llama-3.1-70B", "H100-SXM-80GB", "TensorRT-LLM 0.17", "fp8", 8),
        ("Llama-3.1-70B", "B200", "TensorRT-LLM 1.1", "nvfp4", 8),
        ("Llama-3.1-70B", "H100-SXM-80GB", "TensorRT-LLM 1.1", "bf16", 16),
        ("Llama-3.1-70B", "H100-SXM-80GB", "vLLM 0.19", "fp8", 16),
        ("DeepSeek-V3", "H200-SXM-141GB", "SGLang", "fp8", 16),
        ("gpt-oss-120b", "H200-SXM-141GB", "TensorRT-LLM 1.1", "mxfp4", 16),
        ("gpt-oss-120b", "B200", "TensorRT-LLM 1.1", "mxfp4", 8),
        ("Llama-3.1-8B", "H100-SXM-80GB", "", "fp8", 8),
    ],
)
def test_a_cache_not_stated_is_as_the_engine_keeps_it(model, device, engine, weights, bits):
    asked = catalogue.model(model), catalogue.accelerator(device), published(engine), weights
    formats, notes = precision.kept(*asked)
    assert formats.kv_bits == bits and notes == [notes[0]] and f"{bits} bit" in notes[0]
    assert precision.kept(*asked, "fp8") == (dataclasses.replace(formats, kv_bits=8.0), [])
