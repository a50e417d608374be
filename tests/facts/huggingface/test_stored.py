"""Formats of checkpoints as configurations state them."""

import pytest

from tokenomics.errors import DataError
from tokenomics.facts.huggingface.stored import published_format


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (None, None),
        ({}, None),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, "fp8 block"),
        ({"quant_method": "fp8"}, "fp8"),
        ({"quant_method": "fbgemm_fp8", "modules_to_not_convert": ["lm_head"]}, "fbgemm fp8"),
        ({"quant_method": "mxfp4"}, "mxfp4"),
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, "AWQ"),
        ({"quant_method": "gptq", "bits": 4}, "GPTQ"),
        ({"quant_method": "gptq", "bits": 8}, "int8"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "nf4"),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "nvfp4"),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {"group_0": {"weights": {"num_bits": 4, "type": "int", "group_size": 32}}},
                "ignore": ["lm_head", "re:.*self_attn.*", "re:.*shared_experts.*"],
            },
            "int4 g32 experts",
        ),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "float", "strategy": "channel"}}},
                "ignore": ["lm_head"],
            },
            "fp8",
        ),
    ],
)
def test_methods_mean_formats(given, text):
    assert published_format(given, "config.json") == text


@pytest.mark.parametrize("given", [{"quant_method": "aqlm"}, {"quant_method": "gptq", "bits": 3}, {"bits": 4}, "fp8"])
def test_what_is_not_described_is_refused(given):
    with pytest.raises(DataError, match="quantization_config"):
        published_format(given, "config.json")
