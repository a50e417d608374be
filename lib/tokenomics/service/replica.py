"""One replica under requests that arrive by themselves, through the serving simulator on modelled step times.

The simulator's table comes from the calibrated operators and the engine's profile; how the engine schedules and how
much cache it has come with the profile's name. Left out: the engine's front end (a profile's ``wait_s`` was learned
together with the queue that is simulated here), prefixes shared between requests, whatever a submitter tuned.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from tokenomics.compute.inference.durations import MOST_SEQUENCES, PASS_TOKENS
from tokenomics.compute.inference.engines import Profile
from tokenomics.compute.inference.server import Server
from tokenomics.compute.operators.selection import Serving
from tokenomics.errors import DataError
from tokenomics.facts.engines import of_profile
from tokenomics.service.qoe import Slo
from tokenomics.service.simulator import Outcome, Requests, Rules, StepTable, simulate, step_tables
from tokenomics.service.workload.arrivals import Poisson, arrival_times

REQUESTS, DRAWS = 500, 5
"""Requests of an open run where a row states none (as many as TensorRT-LLM's online runs), and streams drawn."""
SERVER_S, FEWEST, MOST = 600.0, 1000, 10_000
"""Seconds that LoadGen's server scenario lasts at least; how many requests of a replica are simulated."""
HALVINGS, LEAST = 7, 2.0**-10
"""Steps of the bisection between a rate and twice that rate; share of what a full queue delivers that counts as none.
"""
BACKLOG_S = 20.0
"""Seconds of arrivals waiting at which a rate is given up as too high: ten times the usual limit on a first token."""
SHORTEST = 2048
SEED = 20240911
PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
RATES = ("output_throughput_total", "output_throughput_per_gpu", "serving_output_tok_s", "total_throughput_in_plus_out")
"""What a replica delivers; replicas together deliver more."""


@dataclass(frozen=True)
class Copy:
    """A replica and its engine, whose steps may be slower than modelled by a factor on decodes and one on prompts."""

    on: Serving
    profile: Profile
    decode: float = 1.0
    prompt: float = 1.0


@dataclass(frozen=True)
class Asked:
    """What a replica is asked: its rate (requests/s, ``inf``: all at once), requests, and tokens of each.

    ``drawn`` lengths have the stated ones as means and follow the geometric law, of all laws with a mean the one that
    says nothing more; else every request has the stated lengths.
    """

    rate: float
    requests: int
    isl: float
    osl: float
    drawn: bool = False

    def stream(self, seed: int) -> Requests:
        """Arrivals and lengths; the same seed gives the same requests, closer together at a higher rate."""
        clock, *tokens = np.random.default_rng(seed).spawn(3)
        if np.isinf(self.rate):
            arrival = np.zeros(self.requests)
        else:
            arrival = arrival_times(Poisson(self.rate), self.requests, seed=clock)
        means = max(self.isl, 1.0), max(self.osl, 1.0)
        if not self.drawn:
            return Requests(arrival, *(round(mean) for mean in means))
        return Requests(arrival, *(r.geometric(1 / m, self.requests) for r, m in zip(tokens, means, strict=True)))


@lru_cache(maxsize=16)
def ready(copy: Copy, longest: int) -> tuple[StepTable, Rules] | None:
    """Step times and rules of a replica; ``None`` where its cache does not hold one sequence of ``longest`` tokens."""
    it = Server(copy.on, copy.profile)
    try:
        blocks = step_tables.cache_blocks(it, longest=longest)
    except DataError:
        return None
    policy = of_profile(copy.profile.name).policy
    most = {"max_batch": MOST_SEQUENCES, "max_tokens": int(PASS_TOKENS)}
    rules = Rules(policy, kv_blocks=blocks, stages=copy.on.layout.pp, **most)
    if longest > (blocks - rules.kept_blocks) * rules.block_tokens:
        return None
    return step_tables.modelled(it, longest=longest, **most).scaled(copy.decode, copy.prompt), rules


def simulated(copy: Copy, requests: Requests, most_waiting: int = 0, tokens: bool = False) -> Outcome | None:
    """Requests through a replica; ``None`` where one does not fit in its cache.

    Args:
        copy: the replica.
        requests: what arrives.
        most_waiting: requests waiting at which the simulation stops; 0: never.
        tokens: keep every token's time.
    """
    longest = int((requests.prompt + requests.output).max())
    found = ready(copy, max(SHORTEST, 1 << (longest - 1).bit_length()))
    if found is None:
        return None
    table, rules = found
    rules = replace(rules, most_waiting=most_waiting) if most_waiting else rules
    return simulate(requests, table, rules, tokens=tokens)


@lru_cache(maxsize=4096)
def statistics(copy: Copy, asked: Asked) -> dict[str, tuple[float, ...]] | None:
    """Metrics of a replica by name, in SI units, one of each stream; ``None`` where a request does not fit.

    Streams with drawn lengths are long, and one is enough; they have no percentiles of single gaps between tokens.
    """
    found = []
    for draw in range(1 if asked.drawn else DRAWS):
        done = simulated(copy, asked.stream(SEED + draw), tokens=not asked.drawn)
        if done is None:
            return None
        found.append(_summary(done))
    return {name: tuple(each[name] for each in found) for name in found[0]}


def _summary(done: Outcome) -> dict[str, float]:
    output, ttft = done.requests.output, done.ttft_s
    rate = float(output.sum() / (done.finish_s.max() - done.requests.arrival_s[0]))
    prompts = float(done.requests.prompt.sum() / output.sum())
    found = {"e2e_latency": float(done.e2e_s.mean()), "output_tok_s_per_request": float((output / done.e2e_s).mean())}
    found |= dict.fromkeys(RATES, rate) | {"total_throughput_in_plus_out": rate * (1 + prompts)}
    times = {"ttft": ttft}
    if np.any(output > 1):
        times["tpot"] = done.tpot_s[output > 1]
        found["decode_tok_s_per_user"] = 1 / float(times["tpot"].mean())
        found["itl_mean"] = float((done.finish_s - done.first_s).sum() / (output - 1).sum())
        if done.token_s is not None:
            times["itl"] = np.delete(np.diff(done.token_s), done.token_start[1:] - 1)
    for name, values in times.items():
        found |= {name: float(values.mean()), f"{name}_mean": float(values.mean())}
        found |= {f"{name}_{each}": float(np.quantile(values, share)) for each, share in PERCENTILES.items()}
    return found


@lru_cache(maxsize=1024)
def highest_rate(copy: Copy, means: tuple[float, float], slo: Slo) -> float:
    """Requests/s of a replica at which the objective's share of first tokens, and of mean gaps, is within its limits.

    Bisection on the rate of one stream; 0 where no rate keeps them, NaN where a request does not fit.

    Args:
        copy: the replica.
        means: tokens of prompts and answers, whose lengths are drawn.
        slo: limits in seconds and the share (MLPerf: 0.99).
    """
    full = statistics(copy, Asked(np.inf, FEWEST, *means, drawn=True))
    if full is None:
        return np.nan

    def keeps(rate: float) -> bool:
        requests = Asked(rate, server_requests(rate), *means, drawn=True).stream(SEED)
        done = simulated(copy, requests, max(int(BACKLOG_S * rate), 1))
        if done is None or not done.finished.all():
            return False
        tpot = np.nanquantile(done.tpot_s, slo.share)
        return bool(np.quantile(done.ttft_s, slo.share) <= slo.ttft_s and tpot <= slo.tpot_s)

    most = full[RATES[0]][0] / means[1]
    low = most
    while not keeps(low):
        low /= 2
        if low < LEAST * most:
            return 0.0
    while low >= most and keeps(2 * low):
        low *= 2
    high = 2 * low
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if keeps(middle) else (low, middle)
    return low


def server_requests(rate: float) -> int:
    """Requests of a replica in a run of LoadGen's least duration, within what is simulated."""
    return int(np.clip(SERVER_S * rate, FEWEST, MOST))
