"""What a published precision means in bits and data type: ``fp16``, ``FP8``, ``Q4_K_M``, ``SpinQuant int4`` ....

A text names how weights are stored (``data/catalogue/weight_formats.csv``): what a checkpoint leaves in 16 bit, scales,
the mixes of GGUF. What they are multiplied in follows by convention. Where the convention is open the faster type is
taken, so that a bound stays a bound: GGUF formats and plain ``int4``/``int8`` may run on integer units (llama.cpp
multiplies blocks of Q8), AWQ and GPTQ multiply in 16 bits, ``fp32`` may run on TF32 units.
"""

import re
from functools import cache

from tokenomics.compute.bounds import Precision
from tokenomics.compute.counts.parameters import WeightFormat
from tokenomics.errors import DataError
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.cache_formats import cache_bits
from tokenomics.facts.engines import GENERIC, Engine
from tokenomics.facts.formats import named
from tokenomics.facts.models import Model

ALLOWED = "fp32, bf16, fp16, fp8, int8, int4, AWQ, GPTQ, MXFP4, NVFP4, Q4_K_M ..."
KV_BITS = (
    (r"fp4|int4|q4", 4.0),
    (r"fp8|int8|e4m3|e5m2|q8", 8.0),
    (r"fp16|bf16|float16|bfloat16|\bf16\b|auto", 16.0),
    (r"fp32|float32", 32.0),
)
FASTEST = (("fp4", 4.0), ("fp8", 8.0), ("int8", 8.0))


@cache
def parse(text: str = "", kv_text: str = "", *, cache_bits: float | None = None) -> Precision:
    """Storage and arithmetic that a published precision stands for.

    Args:
        text: weights and activations; empty means 16 bit.
        kv_text: the cache; empty means as the engine keeps it.
        cache_bits: what the engine keeps it in; ``None``: as the weights where they are floating point, else 16 bit.

    Raises:
        DataError: a text that names no known format.
    """
    weights, dtype = _weights(text)
    kept = cache_bits if cache_bits and not kv_text.strip() else _kv_bits(kv_text, weights, dtype)
    return Precision(weights=weights, kv_bits=kept, dtype=dtype)


def kept(
    model: Model, device: Accelerator, engine: Engine, text: str, kv_text: str = ""
) -> tuple[Precision, list[str]]:
    """Formats of a deployment, the cache as its engine keeps it where ``kv_text`` is empty, and what was assumed of it.

    Raises:
        DataError: as for :func:`parse`.
    """
    found = named(text or "fp16")
    bits = found and cache_bits(engine.name, found.name, model.is_mla, device.generation or "")
    formats = parse(text, kv_text, cache_bits=bits)
    whose = "an engine not stated" if engine.name == GENERIC else engine.name
    notes = [] if kv_text.strip() else [f"KV cache in {formats.kv_bits:g} bit, as {whose} keeps it"]
    return formats, notes


def stored(model: Model, text: str = "", otherwise: str = "bf16") -> tuple[str, list[str]]:
    """The format in which a model is stored where a text may not say, and what was assumed in words.

    Nothing stated means the published checkpoint's format, else ``otherwise``.
    """
    if text:
        return text, []
    own = model.published_format
    return own or otherwise, [f"format {own}, as published" if own else f"format {otherwise}"]


def labelled(model: Model, text: str) -> tuple[str, list[str]]:
    """The format that a benchmark's label means, and what was assumed in words.

    A label of 8 bits on a checkpoint that is published in 4 names its activations or its cache.
    """
    own, told = named(model.published_format or ""), named(text)
    if text and own and told and own.bits < 8 == told.bits and told.arithmetic == "fp8":
        return model.published_format, [f"weights {model.published_format}, as published; {text} names activations"]
    return text, []


def fastest(peaks: frozenset[str]) -> Precision:
    """The least storage and fastest arithmetic of a device with these data types: for rows that do not say, where any
    precision is allowed (MLPerf's closed division)."""
    for dtype, bits in FASTEST:
        if dtype in peaks:
            return Precision(weights=WeightFormat(bits), kv_bits=8.0, dtype=dtype)
    return Precision(weights=WeightFormat(8), kv_bits=8.0, dtype="fp16")


def _weights(text: str) -> tuple[WeightFormat, str]:
    found = named(text or "fp16")
    if found is None:
        raise DataError(
            "precision", "precision", text, "fp32, bf16, fp16, fp8, int8, int4, AWQ, GPTQ, MXFP4, Q4_K_M ..."
        )
    stored = WeightFormat(
        bits=found.bits,
        group_size=found.group_size,
        scale_bits=found.scale_bits or 16,
        others=found.others,
        beside_experts=found.beside_experts,
        wide_layers=found.wide_layers,
        expert_multiple=found.expert_multiple,
    )
    return stored, found.arithmetic


def _kv_bits(text: str, weights: WeightFormat, dtype: str) -> float:
    name = text.strip().casefold()
    if not name:
        return float(weights.bits) if dtype in ("fp8", "bf16", "fp16", "tf32") and float(weights.bits) >= 8 else 16.0
    for pattern, bits in KV_BITS:
        if re.search(pattern, name):
            return bits
    raise DataError("precision", "kv_precision", text, "fp32, bf16, fp16, fp8, int8, int4")
