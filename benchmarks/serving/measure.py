"""Simulated requests a second, memory, and how the cost of a request grows: ``python benchmarks/serving/measure.py``.

Lengths come from ``--trace`` (a CSV with ContextTokens and GeneratedTokens, such as Azure's conversation trace of
2023), else from log-normals of the same means; arrivals are Poisson. Warm: compiled before the clock starts.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from tokenomics.compute.server import server
from tokenomics.facts import catalogue
from tokenomics.service.serving import Prefixes, Requests, Rules, simulate, tables

REPEATS = 3
LONGEST = 16_384
POLICIES = {
    "chunked": Rules(policy="chunked", max_batch=256, max_tokens=512),
    "prefill first": Rules(policy="prefill", max_batch=256, max_tokens=8192),
}
SQUEEZED = {"max_batch": 256, "max_tokens": 512, "kv_blocks": 400}
"""With prompts a tenth as long: caches that grow while their requests run, so that blocks run out."""


def lengths(trace: str | None, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Prompt and output tokens of ``count`` requests."""
    rng = np.random.default_rng(0)
    if trace:
        rows = pd.read_csv(trace, usecols=["ContextTokens", "GeneratedTokens"]).sample(
            count, replace=True, random_state=rng
        )
        return rows.ContextTokens.to_numpy(), np.maximum(rows.GeneratedTokens.to_numpy(), 1)
    drawn = rng.lognormal(np.log([690.0, 145.0]), [1.0, 0.85], size=(count, 2))
    prompt, output = np.clip(np.ceil(drawn), 1, [[LONGEST // 2, 2048]]).astype(int).T
    return prompt, output


def shared(sizes) -> Prefixes:
    """Prompts that begin with up to eight units of 128 tokens of one of a thousand popular beginnings."""
    rng, count = np.random.default_rng(3), len(sizes[0])
    families, depths = rng.zipf(1.3, count) % 1000, rng.integers(0, 9, count)
    own = 10_000 + 1000 * np.arange(count)
    level = np.arange(1000)
    full = sizes[0] // 128
    chains = (
        np.where(level[:n] < depth, 10 * family + level[:n], start + level[:n])
        for n, depth, family, start in zip(full, depths, families, own, strict=True)
    )
    return Prefixes.of(chains, 128)


def requests(sizes, rate: float, count: int, **more) -> Requests:
    """Poisson arrivals of the first ``count`` lengths."""
    arrivals = np.cumsum(np.random.default_rng(1).exponential(1 / rate, count))
    return Requests(arrivals, sizes[0][:count], sizes[1][:count], **more)


def timed(ask, table, rules, **more):
    """Requests a second (best of a few) and the outcome."""
    best = np.inf
    for _ in range(REPEATS):
        start = time.perf_counter()
        done = simulate(ask, table, rules, **more)
        best = min(best, time.perf_counter() - start)
    return len(ask) / best, done


def line(name, load, speed, done) -> None:
    """One row of the report."""
    totals, count = done.totals, len(done.requests)
    print(
        f"| {name} | {load:.0%} | {speed:,.0f} | {totals['passes'] / count:.1f} | "
        f"{totals['decode_tokens'] / totals['passes']:.1f} | {totals['preemptions'] / count:.3f} | "
        f"{np.mean(~done.finished):.3f} |",
        flush=True,
    )


def features(table, sizes, capacity: float, count: int) -> None:
    """Speed with what keeps the kernel from long stretches."""
    base, rng = POLICIES["chunked"], np.random.default_rng(2)
    short = np.maximum(sizes[0] // 10, 1), sizes[1]
    squeezed, swapped = Rules(**SQUEEZED), Rules(**SQUEEZED, preemption="swap", swap_block_s=1e-4)
    tight = count / simulate(requests(short, 1e6, count), table, squeezed).finish_s.max()
    ranks, patience = rng.integers(0, 3, count), rng.exponential(1.0, count)
    cases = [
        ("few blocks, recompute", tight, squeezed, {}, {}),
        ("few blocks, swap", tight, swapped, {}, {}),
        ("three priorities", capacity, base, {"priority": ranks}, {}),
        ("patience of 1 s", capacity, base, {"patience_s": patience}, {}),
        (
            "prefix cache, 65,536 blocks",
            capacity,
            Rules(max_tokens=512, kv_blocks=65_536),
            {"prefix": shared(sizes)},
            {},
        ),
        ("8 replicas, least loaded", 8 * capacity, base, {}, {"replicas": 8, "routing": "least loaded"}),
        ("log and token times", capacity, base, {}, {"log": True, "tokens": True}),
    ]
    for name, most, rules, each, more in cases:
        for load in (0.7, 0.95):
            tokens = short if rules in (squeezed, swapped) else sizes
            line(name, load, *timed(requests(tokens, load * most, count, **each), table, rules, **more))


def main() -> None:
    """Print the tables."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--trace")
    ask.add_argument("--count", type=int, default=200_000)
    ask.add_argument("--memory", type=int, help="only simulate so many requests at 70 %% load and print the peak")
    chosen = ask.parse_args()
    deployment = server(catalogue.model("Llama-3.1-8B"), catalogue.accelerator("H100-SXM-80GB"), engine="vLLM 0.19")
    table = tables.modelled(deployment, longest=LONGEST)
    first = lengths(chosen.trace, 20_000)
    capacity = {
        name: len(first[0]) / simulate(requests(first, 1e6, 20_000), table, rules).finish_s.max()
        for name, rules in POLICIES.items()
    }
    if chosen.memory:
        sizes = lengths(chosen.trace, chosen.memory)
        start = time.perf_counter()
        done = simulate(requests(sizes, 0.7 * capacity["chunked"], chosen.memory), table, POLICIES["chunked"])
        seconds, status = time.perf_counter() - start, Path("/proc/self/status").read_text(encoding="ascii")
        peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
        state = "stable" if done.load().stable else "unstable"
        print(f"| {chosen.memory:,} | {seconds / chosen.memory * 1e6:.2f} us | {peak:,.0f} MiB | {state} |", flush=True)
        return
    sizes = lengths(chosen.trace, chosen.count)
    print("| what | load | requests/s | passes a request | mean batch | preemptions a request | abandoned |")
    for name, rules in POLICIES.items():
        for load in (0.3, 0.7, 0.95):
            line(name, load, *timed(requests(sizes, load * capacity[name], chosen.count), table, rules))
    few = requests(sizes, 0.7 * capacity["chunked"], 2000)
    line("chunked, plain Python", 0.7, *timed(few, table, POLICIES["chunked"], loop="plain"))
    features(table, sizes, capacity["chunked"], chosen.count)
    print("| requests | time of one | peak memory of the process | load |")
    for count in (1_000, 10_000, 100_000, 1_000_000, 10_000_000):
        trace = ["--trace", chosen.trace] if chosen.trace else []
        subprocess.run([sys.executable, __file__, "--memory", str(count), *trace], check=True)


if __name__ == "__main__":
    main()
