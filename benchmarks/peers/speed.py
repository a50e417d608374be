"""Evaluations per second of several predictors on one core, in one run: ``python benchmarks/peers/speed.py``.

One evaluation is a decode step of Llama-3.1-8B on one H100 at some batch and context; model, device and layout are
fixed and everything that can be kept is kept. Add a predictor of your own that takes arrays:

    python benchmarks/peers/speed.py --also PACKAGE.MODULE:FACTORY

FACTORY(point) returns a callable of two arrays, batch and context, that returns milliseconds.
"""

import argparse
import importlib
import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from rows import Point
from with_aiconfigurator import AIConfigurator, config
from with_genz import GenZ
from with_llm_analysis import LLMAnalysisPeer

POINT = Point("Llama-3.1-8B", "H100-SXM-80GB", 1, "16", 16, "vLLM", 1, 1024, 2)
"""What stays fixed; batch and context vary."""
BATCHES, CONTEXTS = (1, 128), (128, 2048)
"""Half-open ranges; the largest point fits on the device, which two of the peers check."""
SECONDS = 3.0
VECTOR = 200_000
"""Points of one call of a predictor that takes arrays."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
Step = Callable[[ArrayLike, ArrayLike], ArrayLike]


@dataclass(frozen=True)
class Candidate:
    """A predictor to time.

    Attributes:
        name: what to print.
        step: milliseconds of a decode step at batch and context, one by one or on arrays.
        vectorised: whether ``step`` takes arrays.
    """

    name: str
    step: Step
    vectorised: bool = False


def aiconfigurator() -> Step:
    """The latency of one decode step alone, from a session kept."""
    peer = AIConfigurator()
    session = peer.session(POINT)

    def step(batch: int, context: int, keep=peer) -> float:
        runtime = config.RuntimeConfig(batch_size=batch, isl=context, osl=2)
        return session.run_static_latency_only(runtime, "static_gen")

    return step


def of_peer(peer) -> Step:
    """A decode step through a peer's adapter (llm-analysis computes the prefill along with it)."""
    return lambda batch, context: peer.step_ms(replace(POINT, batch=batch, isl=context))


def candidates(also: Iterable[str] = ()) -> list[Candidate]:
    """The peers, and predictors named as MODULE:FACTORY."""
    found = [
        Candidate("aiconfigurator", aiconfigurator()),
        Candidate("llm-analysis", of_peer(LLMAnalysisPeer())),
        Candidate("genz", of_peer(GenZ())),
    ]
    for text in also:
        module, _, factory = text.partition(":")
        step = getattr(importlib.import_module(module), factory)(POINT)
        found += [Candidate(f"{text} on arrays", step, vectorised=True), Candidate(f"{text} one by one", step)]
    return found


def points(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Random batches and contexts, the same in every run; few repeat, so no cache of answers helps."""
    rng = np.random.default_rng(0)
    return rng.integers(*BATCHES, count), rng.integers(*CONTEXTS, count)


def rate(candidate: Candidate, seconds: float) -> tuple[float, float]:
    """Evaluations a second over at least ``seconds``, and seconds of the first call."""
    batches, contexts = points(VECTOR)
    many = candidate.vectorised
    start = time.perf_counter()
    candidate.step(batches, contexts) if many else candidate.step(int(batches[0]), int(contexts[0]))
    first, done, start = time.perf_counter() - start, 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        if many:
            candidate.step(batches, contexts)
            done += VECTOR
        else:
            done += 1
            candidate.step(int(batches[done % VECTOR]), int(contexts[done % VECTOR]))
    return done / elapsed, first


def stay_on_one_core() -> None:
    """Start anew on the first core, with one thread a library, unless that is so already."""
    if hasattr(os, "sched_setaffinity") and len(cores := os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {min(cores)})
        os.environ.update(dict.fromkeys(THREADS, "1"))
        os.execv(sys.executable, [sys.executable, *sys.argv])


def main() -> None:
    """Print a line for each predictor."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--also", action="append", default=[], metavar="MODULE:FACTORY", help="one more, on arrays")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="time for each")
    arguments = parser.parse_args()
    stay_on_one_core()
    for candidate in candidates(arguments.also):
        per_second, first = rate(candidate, arguments.seconds)
        print(f"{candidate.name:40} {per_second:14,.0f} evaluations/s   first call {first * 1e3:8,.1f} ms", flush=True)
    GenZ().tidy()


if __name__ == "__main__":
    main()
