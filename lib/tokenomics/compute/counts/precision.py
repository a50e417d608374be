"""What a published precision means in bits and data type: ``fp16``, ``FP8``, ``Q4_K_M``, ``SpinQuant int4`` ....

A text names how weights are stored; what they are multiplied in follows by convention, and where the convention is open
the faster type is taken, so that a bound stays a bound: GGUF formats and plain ``int4``/``int8`` may run on integer
units (llama.cpp multiplies blocks of Q8), AWQ and GPTQ multiply in 16 bits, ``fp32`` may run on TF32 units.
Bits of the GGUF formats are those of their blocks with scales (ggml's ``block_q4_K`` ...: 144 bytes a 256 weights);
a mixed format such as ``Q4_K_M`` counts as its smaller block, so it too is a lower bound.
"""

import re
from functools import cache

from tokenomics.compute.bounds import Precision
from tokenomics.compute.counts.parameters import WeightFormat
from tokenomics.errors import DataError

GGUF_BITS = {
    **{"q2_k": 2.625, "q3_k": 3.4375, "q4_k": 4.5, "q5_k": 5.5, "q6_k": 6.5625},
    **{"q4_0": 4.5, "q4_1": 5.0, "q5_0": 5.5, "q5_1": 6.0, "q8_0": 8.5, "iq4_nl": 4.5, "iq4_xs": 4.25},
}
"""Bits a weight of a block with its scales."""

FORMATS = (
    (r"spinquant|qlora", WeightFormat(4, embedding_bits=8, group_size=32), "int8"),
    (r"awq|gptq", WeightFormat(4, embedding_bits=16, group_size=128), "fp16"),
    (r"mxfp4", WeightFormat(4, group_size=32, scale_bits=8), "fp4"),
    (r"nvfp4", WeightFormat(4, group_size=16, scale_bits=8), "fp4"),
    (r"fp4|e2m1", WeightFormat(4), "fp4"),
    (r"fp8.?block|block.?fp8", WeightFormat(8, group_size=128 * 128, scale_bits=32), "fp8"),
    (r"fp8|float8|e4m3|e5m2", WeightFormat(8), "fp8"),
    (r"w4a16 ?g ?32", WeightFormat(4, embedding_bits=16, group_size=32), "bf16"),
    (r"(int4|w4a\d+) ?g ?32", WeightFormat(4, embedding_bits=16, group_size=32), "int8"),
    (r"(int4|w4a\d+) ?g ?128", WeightFormat(4, embedding_bits=16, group_size=128), "int8"),
    (r"int4|w4a\d+|4.?bit|nf4", WeightFormat(4), "int8"),
    (r"int8|w8a\d+|8.?bit|llm\.int8", WeightFormat(8), "int8"),
    (r"bf16|bfloat16", WeightFormat(16), "bf16"),
    (r"fp16|float16|\bf16\b|half|16.?bit", WeightFormat(16), "fp16"),
    (r"fp32|float32|\bf32\b|tf32", WeightFormat(32), "tf32"),
)
"""Patterns in the order in which they are tried, with storage and the type matrices are multiplied in."""

KV_BITS = (
    (r"fp4|int4|q4", 4.0),
    (r"fp8|int8|e4m3|e5m2|q8", 8.0),
    (r"fp16|bf16|float16|bfloat16|\bf16\b|auto", 16.0),
    (r"fp32|float32", 32.0),
)
FASTEST = (("fp4", 4.0), ("fp8", 8.0), ("int8", 8.0))


@cache
def parse(text: str = "", kv_text: str = "") -> Precision:
    """Storage and arithmetic that a published precision stands for.

    Args:
        text: weights and activations; empty means 16 bit.
        kv_text: the cache; empty means as the weights where they are floating point, else 16 bit.

    Raises:
        DataError: a text that names no known format.
    """
    weights, dtype = _weights(text)
    return Precision(weights=weights, kv_bits=_kv_bits(kv_text, weights, dtype), dtype=dtype)


def fastest(peaks: frozenset[str]) -> Precision:
    """The least storage and fastest arithmetic of a device with these data types: for rows that do not say, where any
    precision is allowed (MLPerf's closed division)."""
    for dtype, bits in FASTEST:
        if dtype in peaks:
            return Precision(weights=WeightFormat(bits), kv_bits=8.0, dtype=dtype)
    return Precision(weights=WeightFormat(8), kv_bits=8.0, dtype="fp16")


def _weights(text: str) -> tuple[WeightFormat, str]:
    name = text.strip().casefold() or "fp16"
    for gguf, bits in GGUF_BITS.items():
        if re.search(rf"\b{gguf}", name):
            return WeightFormat(bits), "int8"
    for pattern, weights, dtype in FORMATS:
        if re.search(pattern, name):
            return weights, dtype
    raise DataError("precision", "precision", text, "fp32, bf16, fp16, fp8, int8, int4, AWQ, GPTQ, MXFP4, Q4_K_M ...")


def _kv_bits(text: str, weights: WeightFormat, dtype: str) -> float:
    name = text.strip().casefold()
    if not name:
        return float(weights.bits) if dtype in ("fp8", "bf16", "fp16", "tf32") and float(weights.bits) >= 8 else 16.0
    for pattern, bits in KV_BITS:
        if re.search(pattern, name):
            return bits
    raise DataError("precision", "kv_precision", text, "fp32, bf16, fp16, fp8, int8, int4")
