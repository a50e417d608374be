"""The first row that fits an engine, weights, attention and device tells the cache's format."""

import pytest

from tokenomics.facts import engines, tables
from tokenomics.facts.cache_formats import ANY, TABLE, cache_bits
from tokenomics.facts.formats import formats


@pytest.mark.parametrize(
    ("engine", "weights", "mla", "generation", "bits"),
    [
        ("trtllm", "FP8", False, "Hopper", 8),
        ("trtllm", "NVFP4", True, "Blackwell", 8),
        ("trtllm", "MXFP4", False, "Hopper", 16),
        ("trtllm", "MXFP4", False, "Blackwell", 8),
        ("trtllm", "BF16", False, "Hopper", None),
        ("vllm", "FP8", True, "Hopper", 16),
        ("sglang", "FP8", True, "Hopper", 16),
        ("nobody's", "FP8", False, "Ampere", None),
    ],
)
def test_rows_are_tried_in_order(engine, weights, mla, generation, bits):
    assert cache_bits(engine, weights, mla, generation) == bits


def test_every_name_is_known():
    known, stored = {each.name for each in engines.engines()}, {each.name for each in formats()}
    for row in tables.records(TABLE):
        assert row["engine"] in known | {ANY} and set(row["weights"].split(";")) <= stored | {ANY}
