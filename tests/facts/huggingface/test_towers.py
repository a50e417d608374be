"""Towers of multimodal configurations against published counts."""

import pytest

from tokenomics.facts.huggingface.config import Config
from tokenomics.facts.huggingface.towers import tower_parameters

SIGLIP = {"model_type": "siglip_vision_model", "hidden_size": 1152, "intermediate_size": 4304}
SIGLIP |= {"num_hidden_layers": 27, "patch_size": 14, "image_size": 896}
CLIP = {"model_type": "clip_vision_model", "hidden_size": 1024, "intermediate_size": 4096}
CLIP |= {"num_hidden_layers": 24, "patch_size": 14, "image_size": 336}


def counted(vision):
    return tower_parameters(Config({"model_type": "x", "vision_config": vision}, "my.json"))


def test_the_towers_of_gemma_3_and_llava():
    assert counted(SIGLIP) == pytest.approx(417e6, rel=0.002)  # Gemma 3, technical report: 417M
    assert counted(CLIP) == pytest.approx(303.5e6, rel=0.005)  # CLIP ViT-L/14 at 336 pixels: 304M


@pytest.mark.parametrize(
    "vision",
    [None, 3, {}, {**SIGLIP, "model_type": "brand_new"}, {**SIGLIP, "patch_size": [14]}, {**CLIP, "hidden_size": None}],
)
def test_another_tower_is_not_known(vision):
    assert counted(vision) is None
