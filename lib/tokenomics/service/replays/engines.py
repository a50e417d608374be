"""Runs of a real engine (vLLM 0.19) replayed: as modelled, and with two numbers fitted on a run's first third.

The numbers are factors on the times of decodes and of prompts. Arrivals are the times at which the engine's core queued
the requests, so no front end is asked for. A fit sees the first third of the requests only, and is judged on the rest;
it is also carried over to the other run, another model on another accelerator.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tokenomics.compute.deployment import Settings
from tokenomics.compute.inference.server import server
from tokenomics.facts import catalogue, yaml_file
from tokenomics.service.replica import Replica
from tokenomics.service.simulator import Outcome, Requests

FOLDER = "serving_runs"
SOURCE = "llmservingsim_runs"
RUNS = {
    "rtx4090_llama31_8b": ("Llama-3.1-8B", "RTX 4090"),
    "rtxpro6000_qwen3_32b": ("Qwen3-32B", "RTX PRO 6000"),
}
ENGINE = "vLLM 0.19"
MODELLED, FITTED, ELSEWHERE = "modelled", "fitted on first third", "fitted on other run"
METRICS = ("ttft_s", "tpot_s", "e2e_s")
DECODES, PROMPTS = np.arange(0.60, 1.62, 0.04), np.arange(0.4, 2.6, 0.1)
"""Factors among which a fit chooses."""
PARTS = 3
LONGEST = 16384
"""Tokens of the longest sequence that step times are made for."""
Factors = tuple[float, float]


@dataclass(frozen=True)
class Run:
    """A run as it can be replayed.

    Attributes:
        name: of its files.
        rows: requests in order of arrival, with measured times in seconds.
        replica: model, devices and settings of the engine; blocks of cache as recorded, else as modelled.
    """

    name: str
    rows: pd.DataFrame
    replica: Replica

    @property
    def first(self) -> int:
        """Requests of the first third."""
        return len(self.rows) // PARTS

    def replay(self, factors: Factors = (1.0, 1.0)) -> Outcome:
        """All requests with slower steps."""
        arrival = self.rows["queued_s"] - self.rows["queued_s"].min()
        requests = Requests(arrival, self.rows["isl"], self.rows["osl"])
        decode, prompt = factors
        return replace(self.replica, decode=decode, prompt=prompt).run(requests)

    def errors(self, done: Outcome, part: slice) -> np.ndarray:
        """Relative errors of the means of :data:`METRICS` over some of the requests."""
        pairs = ((getattr(done, name)[part], self.rows[name].to_numpy()[part]) for name in METRICS)
        return np.array([np.nanmean(ours) / np.nanmean(theirs) - 1 for ours, theirs in pairs])

    def fitted(self) -> Factors:
        """The two factors with the smallest sum of errors of the three means over the first third."""
        grid = [(float(a), float(b)) for a in DECODES for b in PROMPTS]
        seen = slice(self.first)
        return min(grid, key=lambda factors: float(np.abs(self.errors(self.replay(factors), seen)).sum()))


def run(folder: Path, name: str) -> Run:
    """One run and the engine's settings."""
    engine: dict[str, Any] = yaml_file.read(folder / FOLDER / f"{name}.yaml")["engine"]
    rows = pd.read_csv(folder / FOLDER / f"{name}.csv").sort_values("queued_s", kind="stable")
    model, device = RUNS[name]
    tp = engine["tensor_parallel_size"]
    most = engine["max_num_seqs"], engine["max_num_batched_tokens"]
    told = {"engine": ENGINE, "tp": tp, "settings": Settings(*most, watermark=0.0)}
    deployment = server(catalogue.model(model), catalogue.accelerator(device), **told)
    replica = Replica(deployment, max_model_len=LONGEST, kv_blocks=engine["num_gpu_blocks"])
    return Run(name, rows.reset_index(drop=True), replica)


def replayed(folder: Path) -> Iterator[tuple[Run, str, Factors, Outcome]]:
    """Run, which step times, their factors, what came out."""
    runs = [run(folder, name) for name in RUNS]
    fits = {each.name: each.fitted() for each in runs}
    for each in runs:
        other = next(name for name in fits if name != each.name)
        for how, factors in ((MODELLED, (1.0, 1.0)), (FITTED, fits[each.name]), (ELSEWHERE, fits[other])):
            yield each, how, factors, each.replay(factors)
