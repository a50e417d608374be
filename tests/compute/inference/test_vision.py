"""Images as tokens: published counts of tokens and parameters, seconds above physics, prompts that grow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics.compute.counts.parameters import parameters
from tokenomics.compute.inference.server import server
from tokenomics.compute.inference.vision import ENCODERS, Sighted, encoder, picture
from tokenomics.errors import DataError
from tokenomics.facts import catalogue

H100 = catalogue.accelerator("H100-SXM-80GB")
BASE = server(catalogue.model("Llama-3.1-70B"), H100, precision="fp8", engine="vLLM 0.19", tp=8)
sides = st.integers(28, 5000)


@pytest.mark.parametrize(
    ("name", "height", "width", "tokens", "source"),
    [
        ("LLaVA-1.5", 336, 336, 576, "arXiv:2310.03744"),
        ("LLaVA-1.5", 1000, 200, 576, "arXiv:2310.03744"),
        ("Qwen2-VL", 224, 224, 66, "arXiv:2409.12191, section 2.1"),
        ("InternVL-1.5", 448, 448, 256, "arXiv:2404.16821"),
        ("InternVL-1.5", 896, 1344, 7 * 256, "arXiv:2404.16821: two by three tiles and the whole"),
    ],
)
def test_published_counts_of_tokens(name, height, width, tokens, source):
    assert picture(encoder(name), height, width).tokens == tokens, source


def test_published_counts_of_parameters():
    vit = parameters(encoder("InternVL-1.5").transformer).total
    assert vit == pytest.approx(5.54e9, rel=0.002)
    projector = sum(a * b for a, b in encoder("InternVL-1.5").projector(6144))  # InternLM2-20B
    assert projector == pytest.approx(116.43e6, rel=0.001)
    assert encoder("Qwen2-VL").parameters(3584) == pytest.approx(675e6, rel=0.003)  # Qwen2-7B
    assert parameters(encoder("LLaVA-1.5").transformer).total == pytest.approx(304e6, rel=0.01)


@given(sides, sides)
def test_an_image_is_cut_within_the_limits(height, width):
    seen = {name: picture(each, height, width) for name, each in ENCODERS.items()}
    assert seen["LLaVA-1.5"].tokens == 576
    assert 4 <= seen["Qwen2-VL"].tokens - 2 <= max(1280, 4 * max(height, width) / min(height, width))
    assert seen["Qwen2-VL"].patches == 4 * (seen["Qwen2-VL"].tokens - 2)
    assert seen["InternVL-1.5"].crops in {1, *range(3, 14)}
    assert seen["InternVL-1.5"].tokens == 256 * seen["InternVL-1.5"].crops
    assert picture(encoder("Qwen2-VL"), width, height) == seen["Qwen2-VL"]


@pytest.mark.parametrize("name", list(ENCODERS))
def test_encoding_is_no_faster_than_physics_and_grows_with_images(name):
    it = Sighted(BASE, encoder(name))
    one = picture(it.encoder, 1024, 1024)
    images = np.array([0.0, 1, 8, 64])
    took = it.encode_seconds(images, 1024, 1024)
    pairs = 4 * it.encoder.layers * it.encoder.width * one.patches**2
    flop = one.crops * (2 * one.patches * 0.98 * parameters(it.encoder.transformer).total + pairs)
    at_most = 8 * H100.peak_flop_per_s("bf16")
    assert took[0] == 0 and (took >= images * flop / at_most).all()
    assert (np.diff(took) >= 0).all() and 4 * took[2] < took[3] < 8.2 * took[2]
    assert took[3] < 4 * 64 * flop / at_most


def test_all_patches_see_each_other():
    """Of a large picture in one piece attention costs nearly twice what it would if patches saw only earlier ones."""
    from tokenomics.compute.inference.steps import device_seconds

    it = Sighted(BASE, encoder("Qwen2-VL"))
    causal, full = (device_seconds(it.encoding, new=4900, past=past).attention for past in (0, 2450))
    assert 1.4 * causal < full < 2 * causal
    assert full > 4 * 32 * 1280 * 4900**2 / H100.peak_flop_per_s("bf16")


@pytest.mark.parametrize("name", list(ENCODERS))
def test_images_lengthen_prompt_and_first_token(name):
    it, images = Sighted(BASE, encoder(name)), np.array([0.0, 1, 2, 4, 8])
    tokens = it.prompt(500, images, 768, 1024)
    assert tokens[0] == 500 and tokens[2] - tokens[1] == picture(it.encoder, 768, 1024).tokens
    seen = it.ttft(500, images, 768, 1024)
    read = BASE.ttft(tokens)
    assert seen.value[0] == pytest.approx(read.value[0]) and (seen.value[1:] > read.value[1:]).all()
    assert (np.diff(seen.value) > 0).all() and ((seen.low < seen.value) & (seen.value < seen.high)).all()
    four = it.ttft(500, images, 768, 1024, batch=4).value
    assert (four > 2 * seen.value).all()


def test_images_and_encoder_take_memory():
    it = Sighted(BASE, encoder("InternVL-1.5"))
    assert it.encoder_bytes == pytest.approx(2 * it.encoder.parameters(8192))
    assert it.capacity(2048, 0, 448, 448) < BASE.capacity(2048)
    assert it.capacity(2048, 1, 448, 448) < it.capacity(2048, 0, 448, 448)


def test_unknown_encoders_and_empty_images_are_refused():
    with pytest.raises(DataError, match=r"encoder = CLIP; allowed: LLaVA-1\.5, Qwen2-VL"):
        encoder("CLIP")
    with pytest.raises(DataError, match="width = 0; allowed: >= 1 pixel"):
        picture(encoder("LLaVA-1.5"), 10, 0)
