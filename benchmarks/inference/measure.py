"""Operating points and layout searches a second: ``python benchmarks/inference/measure.py``.

``step`` is also what ``benchmarks/peers/speed.py --also`` takes to time this project beside other tools in one run:

    PYTHONPATH=benchmarks/inference .venv-peers/bin/python benchmarks/peers/speed.py --also measure:step
"""

import time
from collections.abc import Callable

import numpy as np

from tokenomics.compute.inference.search import search
from tokenomics.compute.inference.server import server
from tokenomics.facts import catalogue

POINTS, REPEATS, CALLS = 1_000_000, 5, 1_000
TRILLION = {"prompt": 4096, "output": 1024, "precision": "fp8", "engine": "SGLang 0.5", "most_tpot_s": 0.05}


def step(point) -> Callable:
    """Milliseconds of a decode step with its interval, on arrays of batch and context."""
    one = server(catalogue.model(point.model), catalogue.accelerator(point.accelerator), engine="vLLM 0.19")
    return lambda batch, context: one.tpot(batch, context).value * 1e3


def best(call: Callable[[], object], repeats: int = REPEATS) -> float:
    """Seconds of the fastest of a few calls."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return min(taken)


def main() -> None:
    """Print one line a figure."""
    device = catalogue.accelerator("H100-SXM-80GB")
    one = server(catalogue.model("Llama-3.1-8B"), device, engine="vLLM 0.19")
    rng = np.random.default_rng(0)
    batch, context = rng.integers(1, 257, POINTS), rng.integers(1, 32_768, POINTS)
    print(f"decode steps with interval, arrays  {POINTS / best(lambda: one.tpot(batch, context)) / 1e6:6.2f} million/s")
    scalar = best(lambda: [one.tpot(8, 1024) for _ in range(CALLS)])
    print(f"decode steps with interval, single  {CALLS / scalar:6.0f} /s")
    model, device = catalogue.model("Kimi-K2.5"), catalogue.accelerator("H200-SXM-141GB")
    count = len(search(model, device, 512, **TRILLION))
    seconds = best(lambda: search(model, device, 512, **TRILLION), 3)
    print(f"layouts of 1T experts on 512 devices  {seconds:6.2f} s ({count} layouts that fit)")


if __name__ == "__main__":
    main()
