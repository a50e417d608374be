"""Operator times per second, on arrays and one by one: ``python benchmarks/operators/measure.py``."""

import time

import numpy as np

from tokenomics.compute.operators import times
from tokenomics.facts import catalogue

POINTS, REPEATS = 200_000, 5


def calls(device, batch, context):
    """One call of each operator of a decode step of a Llama-3.1-8B layer."""
    p = {
        name: times.parameters(device, name, "bf16", "vllm")
        for name in ("gemm", "decode_attention", "expert_gemm", "all_reduce")
    }
    shape = {"heads": 32, "kv_heads": 8, "head_dim": 128}
    sizes = {"hidden": 4096, "width": 1536, "experts": 128, "top_k": 8}
    return {
        "gemm": lambda: times.gemm_seconds(p["gemm"], device, batch, 6144, 4096),
        "decode attention": lambda: times.decode_attention_seconds(
            p["decode_attention"], device, batch, context, **shape
        ),
        "expert gemm": lambda: times.expert_gemm_seconds(p["expert_gemm"], device, batch, **sizes),
        "all-reduce": lambda: times.all_reduce_seconds(p["all_reduce"], device, 8192 * batch, 8),
    }


def best(call, points: int) -> float:
    """Points per second, best of a few repeats."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return points / min(seconds)


def main() -> None:
    """Print one line an operator."""
    device = catalogue.accelerator("H100-SXM-80GB")
    rng = np.random.default_rng(0)
    batch, context = rng.integers(1, 512, POINTS), rng.integers(1, 32_768, POINTS)
    many, one = calls(device, batch, context), calls(device, 8, 1024)
    for name, call in many.items():
        print(f"{name:17} {best(call, POINTS) / 1e6:6.1f} M/s on arrays {best(one[name], 1) / 1e3:6.0f} k/s one by one")


if __name__ == "__main__":
    main()
