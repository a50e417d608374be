"""The public input format: columns of a file of measurements, other names that are read, and those likely misspelt."""

import difflib
from collections.abc import Collection, Mapping

from tokenomics.errors import DataError

REQUIRED = ("model", "hardware", "metric")
TEXTS = (
    *(*REQUIRED, "unit", "load", "precision", "kv_precision", "engine"),
    *("role", "spec_method", "expert_routing"),
)
"""Columns of names that reach a model; ``engine`` with what ``engine_version`` and ``date`` say of it.

``role``: prefill, decode (a pool that does only this) or both. ``spec_method``: how tokens are drafted.
``expert_routing``: skewed (as real text routes tokens; the default) or balanced (by redundant experts: EPLB).
"""
LAYOUT = ("n_gpu", "tp", "pp", "dp", "ep")
SETTINGS = (
    *("redundant_experts", "draft_tokens", "max_num_seqs", "max_num_batched_tokens"),
    *("gpu_memory_utilization", "prefix_cached_tokens"),
)
"""What an engine is told, beside its layout: numbers that reach :class:`tokenomics.compute.deployment.Settings`."""
ATTENTION, SPREAD, POWER = "dp_attention", "length_spread", "power_limit_w"
"""Whether attention is data parallel (1 or 0); how far lengths lie from their mean at most, as a share of it (evenly
spread; 0: all alike); watts to which a device is limited."""
NUMBERS = {
    "inference": (
        *(*LAYOUT, "isl", "osl", "batch", "rate_qps", "requests"),
        *(*SETTINGS, ATTENTION, SPREAD, POWER),
    ),
    "energy": (*LAYOUT, "isl", "osl", "batch"),
    "training": (*LAYOUT, "seq_len", "micro_batch", "global_batch_seq", "tokens_b", "pue", "grid_kgco2_per_kwh"),
}
"""Columns of numbers that reach a model, by kind of row."""
BESIDE = ("engine_version", "date")
"""Texts that are read into ``engine``."""
IN_FLIGHT = ("concurrency", "max_concurrency", "in_flight", "num_concurrent_requests")
"""Names of a column of requests in flight: rows that state no load are closed loops."""
ALIASES = {
    **dict.fromkeys(("gpu", "gpu_name", "accelerator", "device", "xpu"), "hardware"),
    **dict.fromkeys(("model_name", "model_id"), "model"),
    **dict.fromkeys(("serving_engine", "inference_engine"), "engine"),
    **dict.fromkeys(("num_gpus", "gpus", "n_gpus", "num_gpu", "gpu_count"), "n_gpu"),
    **dict.fromkeys(("tensor_parallel_size", "tp_size", "tensor_parallel"), "tp"),
    **dict.fromkeys(("pipeline_parallel_size", "pp_size", "pipeline_parallel"), "pp"),
    **dict.fromkeys(("data_parallel_size", "dp_size", "data_parallel", "attention_dp_size"), "dp"),
    **dict.fromkeys(("expert_parallel_size", "ep_size", "expert_parallel", "moe_ep_size"), "ep"),
    **dict.fromkeys(("enable_dp_attention", "attention_dp", "enable_attention_dp"), ATTENTION),
    **dict.fromkeys(("ep_num_redundant_experts", "num_redundant_experts"), "redundant_experts"),
    **dict.fromkeys(("input_len", "input_tokens", "prompt_len", "prompt_tokens", "prompt_length"), "isl"),
    **dict.fromkeys(("input_sequence_length", "random_input_len"), "isl"),
    **dict.fromkeys(("output_len", "output_tokens", "output_length", "completion_tokens"), "osl"),
    **dict.fromkeys(("output_sequence_length", "random_output_len"), "osl"),
    **dict.fromkeys((*IN_FLIGHT, "batch_size"), "batch"),
    **dict.fromkeys(("request_rate", "rate", "qps"), "rate_qps"),
    **dict.fromkeys(("num_prompts", "num_requests", "n_requests"), "requests"),
    **dict.fromkeys(("dtype", "quantization", "weight_precision"), "precision"),
    **dict.fromkeys(("kv_cache_dtype", "kv_dtype", "kv_cache_precision"), "kv_precision"),
    **dict.fromkeys(("speculative_method", "speculative_algorithm"), "spec_method"),
    **dict.fromkeys(("num_speculative_tokens", "speculative_num_draft_tokens"), "draft_tokens"),
    **dict.fromkeys(("max_running_requests", "max_batch_size"), "max_num_seqs"),
    **dict.fromkeys(("chunked_prefill_size", "max_num_tokens"), "max_num_batched_tokens"),
    **dict.fromkeys(("mem_fraction_static", "free_gpu_memory_fraction"), "gpu_memory_utilization"),
    **dict.fromkeys(("cached_tokens", "prefix_tokens"), "prefix_cached_tokens"),
    **dict.fromkeys(("power_limit", "power_cap_w"), POWER),
    **dict.fromkeys(("units",), "unit"),
}
"""Other names of columns, as benchmark tools and launch commands write them."""
ELSEWHERE = {"engine": "framework"}
"""Inputs that stand in another column of ours where a file has none of that name."""
NEARLY, SHORTEST = 0.79, 4
"""How similar to a known column, and how long, the name of an unknown one must be to count as misspelt."""


def inputs() -> set[str]:
    """Columns that reach a model."""
    return {*TEXTS, *BESIDE, *(name for each in NUMBERS.values() for name in each)}


def meant(name: str, present: Collection[str]) -> str:
    """The input column that an unknown name nearly is, by any of its names, unless the file has it; empty for none."""
    if len(name) < SHORTEST:
        return ""
    names = {each: each for each in inputs()} | ALIASES | {"value": "value"}
    wanted = [each for each, column in names.items() if len(each) >= SHORTEST and column not in present]
    near = difflib.get_close_matches(name.casefold().replace(" ", "_"), wanted, 1, NEARLY)
    return names[near[0]] if near else ""


def refuse_misspelt(where: str, own: Collection[str], present: Collection[str]) -> None:
    """Stop at a column that is nearly one of the inputs, which would be predicted without it.

    Args:
        where: the file in the message.
        own: columns that nobody here knows.
        present: columns that are known.

    Raises:
        DataError: the first of them, with the column that may be meant.
    """
    for name in own:
        near = meant(name, present)
        if near and near != "value":
            raise DataError(where, "column", repr(name), f"a name not nearly that of an input; nearest: {near!r}")


def aliases(known: Collection[str]) -> Mapping[str, str]:
    """:data:`ALIASES` that are no columns of ours themselves."""
    return {alias: name for alias, name in ALIASES.items() if alias not in known}
