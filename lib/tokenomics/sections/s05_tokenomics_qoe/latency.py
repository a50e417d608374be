"""Latency = TTFT + TPOT (N - 1): where constants describe a request, and where queues and others' prompts do not let
them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokenomics.sections.s05_tokenomics_qoe.case import Case
from tokenomics.service import workload
from tokenomics.service.simulator import Requests, Rules, StepTable, simulate
from tokenomics.service.timeline import quantiles

BINS = 8
"""Groups of like replies in which simulated latency is averaged."""
FLIGHT = np.geomspace(1, 4096, 241)


def closed(case: Case, rates: Sequence[float]) -> pd.DataFrame:
    """Mean TTFT and TPOT of the closed form at open loads: the number in flight ``a`` of a closed loop whose requests
    leave at the rate, ``rate = a / E2E(a)`` (Little's law); below one in flight, those of a request alone.

    Returns:
        ``rate_rps, flight, ttft_s, tpot_ms, e2e_s``; missing where no number that fits the copy leaves so fast.
    """
    server, prompt, output = case.server, case.prompt, case.output
    most = min(float(server.capacity(prompt + output / 2)), case.rules.max_batch)
    flight = FLIGHT[max(most, 1.0) >= FLIGHT]
    ttft = server.loaded_ttft(flight, prompt, output).value
    tpot = server.loaded_tpot(flight, prompt, output).value
    leaves = np.maximum.accumulate(flight / (ttft + tpot * (output - 1)))
    at = np.asarray(rates, dtype=float)
    found = np.interp(at, leaves, flight, left=1.0, right=np.nan)
    rows = {"rate_rps": at, "flight": np.where(at < leaves[0], at / leaves[0], found)}
    rows |= {"ttft_s": np.interp(found, flight, ttft), "tpot_ms": 1e3 * np.interp(found, flight, tpot)}
    return pd.DataFrame(rows).assign(e2e_s=lambda x: x["ttft_s"] + x["tpot_ms"] / 1e3 * (output - 1))


def alone(case: Case) -> tuple[float, float]:
    """TTFT and TPOT in seconds of a mean request on an idle copy: the constants of the formula."""
    ttft = case.server.ttft(case.prompt).value
    return float(ttft), float(case.server.tpot(1, case.prompt + case.output / 2).value)


def against_load(case: Case, shares: Sequence[float]) -> pd.DataFrame:
    """Simulated latency beside both closed forms at shares of the saturated rate.

    Returns:
        A row a share: simulated means and 99 % quantiles, ``constants_e2e_s`` with the constants of an idle copy,
        ``loop_e2e_s`` with those of the closed loop, and simulated means over each; ``p99_stretch``: what the slowest
        in a hundred wait over what a reply of their length takes on an idle copy.
    """
    ttft, tpot = alone(case)
    rates = np.asarray(shares) * case.saturated_rps
    loop = closed(case, rates)
    rows = []
    for share, rate in zip(shares, rates, strict=True):
        done = case.run(rate)
        mean = {"ttft_s": np.nanmean(done.ttft_s), "tpot_ms": 1e3 * np.nanmean(done.tpot_s), "e2e_s": done.e2e_s.mean()}
        own = case.server.ttft(done.requests.prompt).value + tpot * (done.requests.output - 1)
        late = {
            "e2e_p99_s": float(quantiles(done.e2e_s, 0.99)),
            "p99_stretch": float(quantiles(done.e2e_s / own, 0.99)),
        }
        rows.append({"share": share, "rate_rps": rate} | mean | late)
    table = pd.DataFrame(rows)
    table["constants_e2e_s"] = ttft + tpot * (case.output - 1)
    table["loop_ttft_s"], table["loop_tpot_ms"], table["loop_e2e_s"] = loop["ttft_s"], loop["tpot_ms"], loop["e2e_s"]
    table["over_constants"] = table["e2e_s"] / table["constants_e2e_s"]
    table["over_loop"] = table["e2e_s"] / table["loop_e2e_s"]
    return table


def against_length(case: Case, shares: Sequence[float]) -> pd.DataFrame:
    """Mean simulated latency of replies of like length, and both closed forms for that length and its prompts.

    Returns:
        ``share, output_tokens, e2e_s, constants_e2e_s, loop_e2e_s``, a row a share and group of replies.
    """
    ttft, tpot = alone(case)
    loop = closed(case, np.asarray(shares) * case.saturated_rps)
    output = case.stream.output_tokens
    edges = np.unique(np.quantile(output, np.linspace(0, 1, BINS + 1)))
    group = np.clip(np.searchsorted(edges, output, side="right") - 1, 0, len(edges) - 2)
    size = np.bincount(group)
    length = np.bincount(group, output) / size
    found = []
    for row, share in zip(loop.itertuples(), shares, strict=True):
        e2e = np.bincount(group, case.run(row.rate_rps).e2e_s) / size
        both = {"constants_e2e_s": ttft + tpot * (length - 1)}
        both["loop_e2e_s"] = row.ttft_s + row.tpot_ms / 1e3 * (length - 1)
        found.append(pd.DataFrame({"share": share, "output_tokens": length, "e2e_s": e2e} | both))
    return pd.concat(found, ignore_index=True)


@dataclass(frozen=True)
class Wait:
    """Mean seconds that prompts waited, and what M/D/1 says."""

    waited_s: float
    formula_s: float


def single_queue(count: int, load: float, seed: int) -> Wait:
    """Prompts of one size, one at a time, Poisson arrivals: the simulated mean wait beside ``load S / (2 (1 - load))``
    (Pollaczek and Khinchine, constant service time ``S``)."""
    service_s = 0.1
    table = StepTable(decode_s=np.zeros((2, 2)), linear_s=np.array([0.0, *[service_s] * 64]))
    arrivals = workload.arrival_times(workload.Poisson(load / service_s), count, seed=seed)
    done = simulate(Requests(arrivals, 16, 1), table, Rules(policy="prefill", max_batch=1))
    return Wait(float(done.queue_s.mean()), load * service_s / (2 * (1 - load)))
