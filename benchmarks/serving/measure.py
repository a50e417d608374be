"""Simulated requests a second, memory, and how the cost of a request grows: ``python benchmarks/serving/measure.py``.

Lengths come from ``--trace`` (a CSV with ContextTokens and GeneratedTokens, such as Azure's conversation trace of
2023), else from log-normals of the same means; arrivals are Poisson. Warm: compiled before the clock starts. Beside the
clock on the wall stands the processor's, which does not run while others have the core.
``--growth`` only measures how the cost grows, and writes ``growth.csv`` and ``growth.png`` beside this file.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from tokenomics.compute.counts.parameters import kv_bytes_per_token
from tokenomics.compute.inference.server import server
from tokenomics.facts import catalogue
from tokenomics.service.simulator import (
    Pool,
    Prefixes,
    Requests,
    Rules,
    Scaling,
    Transfer,
    simulate,
    simulate_pools,
    step_tables,
)

REPEATS = 3
COUNTS = {1_000: 20, 10_000: 10, 100_000: 5, 1_000_000: 3, 10_000_000: 2}
"""Requests, and times to simulate them (the best counts)."""
COLUMNS = "requests", "us_a_request", "cpu_us_a_request", "peak_mb", "load"
TARGETS = {"bare": 200_000, "features": 30_000}
LINK_BYTES_PER_S = 50e9
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


def clocks() -> np.ndarray:
    """Seconds on the wall and of this process on the processor."""
    return np.array([time.perf_counter(), time.process_time()])


def timed(ask, run):
    """Requests a second on both clocks (best of a few) and the outcome."""
    best = np.full(2, np.inf)
    for _ in range(REPEATS):
        start = clocks()
        done = run(ask)
        best = np.minimum(best, clocks() - start)
    return len(ask) / best, done


def line(name, load, target, speed, done) -> None:
    """One row of the report."""
    totals, count = done.totals, len(done.requests)
    ends = max(float(np.nanmax(done.finish_s)), 1e-9)
    print(
        f"| {name} | {load:.0%} | {target:,} | {speed[0]:,.0f} | {speed[1]:,.0f} | {totals['steps'] / count:.1f} | "
        f"{totals['decode_tokens'] / totals['steps']:.1f} | {totals['preemptions'] / count:.3f} | "
        f"{np.mean(~done.finished):.3f} | {totals['cached_tokens'] / done.requests.prompt.sum():.0%} | "
        f"{totals['paid_s'] / ends:.2f} |",
        flush=True,
    )


def features(table, transfer, sizes, capacity: float, count: int) -> None:
    """Speed with what keeps the kernel from long stretches."""
    base, rng = POLICIES["chunked"], np.random.default_rng(2)
    short = np.maximum(sizes[0] // 10, 1), sizes[1]
    squeezed, swapped = Rules(**SQUEEZED), Rules(**SQUEEZED, preemption="swap", swap_block_s=1e-4)
    cached = Rules(max_tokens=512, kv_blocks=65_536)
    tight = count / simulate(requests(short, 1e6, count), table, squeezed).finish_s.max()
    prefix = {"prefix": shared(sizes)}
    scaling = Scaling(most=8, high=64, low=32, start_s=60)
    pools = [Pool(table, base, n, "least loaded") for n in (2, 6)]

    def fleet(rules=base, **more):
        return lambda ask: simulate(ask, table, rules, **more)

    def several(routing, rules=base):
        return fleet(rules, replicas=8, routing=routing)

    def apart(ask):
        return simulate_pools(ask, *pools, transfer)

    cases = [
        ("few blocks, recompute", tight, short, {}, fleet(squeezed)),
        ("few blocks, swap", tight, short, {}, fleet(swapped)),
        ("three priorities", capacity, sizes, {"priority": rng.integers(0, 3, count)}, fleet()),
        ("patience of 1 s", capacity, sizes, {"patience_s": rng.exponential(1.0, count)}, fleet()),
        ("time-out after 5 s", capacity, sizes, {"timeout_s": rng.exponential(5.0, count)}, fleet()),
        ("prefix cache, 65,536 blocks", capacity, sizes, prefix, fleet(cached)),
        ("8 replicas, least loaded", 8 * capacity, sizes, {}, several("least loaded")),
        ("8 replicas, prefix aware", 8 * capacity, sizes, prefix, several("prefix aware", cached)),
        ("up to 8 replicas, scaled", 4 * capacity, sizes, {}, fleet(routing="least loaded", scaling=scaling)),
        ("2 + 6 replicas, prefill and decode apart", 5 * capacity, sizes, {}, apart),
        ("log and token times", capacity, sizes, {}, fleet(log=True, tokens=True)),
    ]
    for name, most, tokens, each, run in cases:
        for load in (0.7, 0.95):
            line(name, load, TARGETS["features"], *timed(requests(tokens, load * most, count, **each), run))


def growth(trace: str | None) -> None:
    """Time of one request and peak memory against the number of requests, each in a process of its own."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = []
    print("| requests | us a request | on the processor | peak memory of the process, MB | load |")
    for count in COUNTS:
        more = ["--trace", trace] if trace else []
        found = subprocess.run(
            [sys.executable, __file__, "--memory", str(count), *more], check=True, capture_output=True, text=True
        )
        rows.append(dict(zip(COLUMNS, found.stdout.split(), strict=True)))
        last = rows[-1]
        print("| " + " | ".join([f"{count:,}", *(last[name] for name in COLUMNS[1:])]) + " |", flush=True)
    here = Path(__file__).parent
    pd.DataFrame(rows).to_csv(here / "growth.csv", index=False)
    drawn = pd.read_csv(here / "growth.csv")
    figure, axis = plt.subplots(figsize=(5, 3), layout="constrained")
    axis.plot(drawn.requests, drawn.us_a_request, marker="o", label="on the wall")
    axis.plot(drawn.requests, drawn.cpu_us_a_request, marker="s", label="on the processor")
    axis.legend(frameon=False)
    axis.set(xscale="log", ylim=(0, None), xlabel="requests simulated", ylabel="time of one request [us]")
    figure.savefig(here / "growth.png", dpi=150, metadata={"Software": None})


def one_growth(trace: str | None, table, capacity: float, count: int) -> None:
    """Print count, microseconds a request, peak megabytes and whether the load was stable."""
    ask, best = requests(lengths(trace, count), 0.7 * capacity, count), np.full(2, np.inf)
    for _ in range(COUNTS.get(count, 1)):
        start = clocks()
        done = simulate(ask, table, POLICIES["chunked"])
        best = np.minimum(best, clocks() - start)
        state = "stable" if done.load().stable else "unstable"
        del done
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    wall, processor = best / count * 1e6
    print(count, f"{wall:.3f} {processor:.3f} {peak:.0f} {state}")


def main() -> None:
    """Print the tables."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--trace")
    ask.add_argument("--count", type=int, default=200_000)
    ask.add_argument("--growth", action="store_true")
    ask.add_argument("--memory", type=int, help="only simulate so many requests at 70 %% load and print the peak")
    chosen = ask.parse_args()
    model = catalogue.model("Llama-3.1-8B")
    table = step_tables.modelled(
        server(model, catalogue.accelerator("H100-SXM-80GB"), engine="vLLM 0.19"), longest=LONGEST
    )
    first = lengths(chosen.trace, 20_000)
    capacity = {
        name: len(first[0]) / simulate(requests(first, 1e6, 20_000), table, rules).finish_s.max()
        for name, rules in POLICIES.items()
    }
    if chosen.memory:
        one_growth(chosen.trace, table, capacity["chunked"], chosen.memory)
        return
    if not chosen.growth:
        sizes = lengths(chosen.trace, chosen.count)
        print(
            "| what | load | target | requests/s | a processor-second | steps | mean batch | preemptions | unfinished "
            "| cached | replicas paid |"
        )
        for name, rules in POLICIES.items():
            for load in (0.3, 0.7, 0.95):
                at = requests(sizes, load * capacity[name], chosen.count)
                line(name, load, TARGETS["bare"], *timed(at, lambda ask, rules=rules: simulate(ask, table, rules)))
        few = requests(sizes, 0.7 * capacity["chunked"], 2000)
        reference = timed(few, lambda ask: simulate(ask, table, POLICIES["chunked"], loop="reference"))
        line("chunked, reference loop", 0.7, 0, *reference)
        transfer = Transfer.over(float(kv_bytes_per_token(model)), LINK_BYTES_PER_S, 1e-3)
        features(table, transfer, sizes, capacity["chunked"], chosen.count)
    growth(chosen.trace)


if __name__ == "__main__":
    main()
