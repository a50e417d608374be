"""Formats of weights: which text means which, and that the table holds together."""

import pytest

from tokenomics.compute.counts import matrices
from tokenomics.facts import catalogue
from tokenomics.facts.formats import BESIDE, PARTS, formats, named


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Q4_K_M", "Q4_K_M"),
        ("llama-3.1-8b-instruct-Q4_K_S.gguf", "Q4_K_S"),
        ("UD-Q4_K_XL", "Q4_K_M"),
        ("Q8_0", "Q8_0"),
        ("IQ4_XS", "IQ4_XS"),
        ("iq2_xxs", "IQ2_XXS"),
        ("nvfp4", "NVFP4"),
        ("MXFP4", "MXFP4"),
        ("mxfp4 experts, fp8 rest", "MXFP4 experts, FP8 rest"),
        ("fbgemm_fp8", "FBGEMM FP8"),
        ("fp8 (matmul), bf16 (attention)", "FP8"),
        ("float8_e4m3fn", "FP8"),
        ("bnb-4bit", "NF4"),
        ("float16", "FP16"),
    ],
)
def test_texts_mean_formats(text, name):
    assert named(text).name == name


def test_an_unknown_text_means_none():
    assert named("posit8x") is None


def test_every_format_is_found_by_its_own_name():
    for each in formats():
        if each.name not in ("W4A16 g32", "AWQ or GPTQ"):
            assert named(each.name).name == each.name


def test_parts_in_other_bits_are_parts_of_models():
    known = {matrices.EMBEDDING, matrices.HEAD, matrices.ATTENTION, matrices.MLP, matrices.ROUTER}
    for name in ("Llama-3.1-8B", "DeepSeek-V3", "gpt-oss-20b"):
        known |= {each.name for each in matrices.matrices(catalogue.model(name))}
    assert {part for parts in PARTS.values() for part in parts} | set(BESIDE.values()) <= known
