"""The format of a checkpoint's weights, from the ``quantization_config`` of its configuration."""

from collections.abc import Mapping
from typing import Any

from tokenomics.errors import DataError
from tokenomics.facts.formats import named

KEY = "quantization_config"
BY_METHOD = {"fbgemm_fp8": "fbgemm fp8", "mxfp4": "mxfp4", "awq": "AWQ"}
ALLOWED = "fp8, fbgemm_fp8, mxfp4, awq, gptq, bitsandbytes, modelopt, compressed-tensors, or nothing"


def published_format(given: Any, where: str) -> str | None:
    """A text of ``data/catalogue/weight_formats.csv``; ``None`` for a checkpoint in 16 bit.

    Raises:
        DataError: a method or width that is not described there.
    """
    if not given:
        return None
    if not isinstance(given, Mapping):
        raise DataError(where, KEY, given, "a mapping")
    method = str(given.get("quant_method", "missing"))
    found = BY_METHOD.get(method) or _of_method(method, given)
    if found is None or named(found) is None:
        raise DataError(where, f"{KEY}.quant_method", found or method, ALLOWED)
    return found


def _of_method(method: str, given: Mapping[str, Any]) -> str | None:
    if method == "fp8":
        return "fp8 block" if given.get("weight_block_size") else "fp8"
    if method == "gptq":
        return {4: "GPTQ", 8: "int8"}.get(given.get("bits"))
    if method == "bitsandbytes":
        return "nf4" if given.get("load_in_4bit") else "int8"
    if method == "modelopt":
        algorithm = str(given.get("quant_algo") or given.get("quantization", {}).get("quant_algo", ""))
        return {"NVFP4": "nvfp4", "FP8": "fp8"}.get(algorithm) or _compressed(given)
    return _compressed(given) if method == "compressed-tensors" else None


def _compressed(given: Mapping[str, Any]) -> str | None:
    """Weights of the first group of ``compressed-tensors``, and whether attention is left out of it."""
    group = next(iter(given.get("config_groups", {}).values()), {})
    weights = group.get("weights") or {}
    bits, kind, size = weights.get("num_bits"), weights.get("type"), weights.get("group_size")
    if kind == "float":
        eight = "fp8 block" if weights.get("strategy") == "block" else "fp8"
        return {8: eight, 4: "nvfp4" if size == 16 else "mxfp4"}.get(bits)
    if bits == 8:
        return "int8"
    experts = any("self_attn" in str(each) for each in given.get("ignore", ()))
    text = {32: "w4a16 g32", 128: "int4 g128"}.get(size)
    return "int4 g32 experts" if experts and size == 32 else text
