"""One replica under requests that arrive by themselves, through the serving simulator on modelled step times.

The simulator's table comes from the calibrated operators and the engine's profile; how the engine schedules and how
much cache it has come with the profile's name. Left out: the engine's front end (a profile's ``wait_s`` was learned
together with the queue that is simulated here), prefixes shared between requests, whatever a submitter tuned.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from tokenomics.compute.inference.durations import MOST_SEQUENCES, STEP_TOKENS
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
"""Halvings of the interval between a rate and twice that rate; share of a saturated replica's rate that counts as none.
"""
BACKLOG_S = 20.0
"""Seconds of arrivals waiting at which a rate is given up as too high: ten times the usual limit on a first token."""
SHORTEST = 2048
SEED = 20240911
PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
RATES = ("output_throughput_total", "output_throughput_per_gpu", "serving_output_tok_s", "total_throughput_in_plus_out")
"""What a replica delivers; replicas together deliver more."""


@dataclass(frozen=True)
class EngineReplica:
    """A replica and its engine, whose steps may be slower than modelled by a factor on decodes and one on prompts."""

    on: Serving
    profile: Profile
    decode: float = 1.0
    prompt: float = 1.0


@dataclass(frozen=True)
class OfferedLoad:
    """What a replica is offered: a rate (requests/s, ``inf``: all at once), requests, and tokens of each.

    ``drawn`` lengths have the stated ones as means and follow the geometric law, the distribution on whole numbers
    that has the most entropy at a given mean; else every request has the stated lengths.
    """

    rate: float
    requests: int
    isl: float
    osl: float
    drawn: bool = False

    def stream(self, seed: int) -> Requests:
        """Arrivals and lengths; the same seed gives the same requests, closer together at a higher rate."""
        clock, prompt, output = np.random.default_rng(seed).spawn(3)
        if np.isinf(self.rate):
            arrival = np.zeros(self.requests)
        else:
            arrival = arrival_times(Poisson(self.rate), self.requests, seed=clock)
        isl, osl = max(self.isl, 1.0), max(self.osl, 1.0)
        if not self.drawn:
            return Requests(arrival, round(isl), round(osl))
        return Requests(arrival, prompt.geometric(1 / isl, self.requests), output.geometric(1 / osl, self.requests))


@lru_cache(maxsize=16)
def steps_and_rules(replica: EngineReplica, longest: int) -> tuple[StepTable, Rules] | None:
    """Step times and rules of a replica; ``None`` where its cache does not hold one sequence of ``longest`` tokens."""
    it = Server(replica.on, replica.profile)
    try:
        blocks = step_tables.cache_blocks(it, longest=longest)
    except DataError:
        return None
    policy = of_profile(replica.profile.name).policy
    most = {"max_batch": MOST_SEQUENCES, "max_tokens": int(STEP_TOKENS)}
    rules = Rules(policy, kv_blocks=blocks, stages=replica.on.layout.pp, **most)
    if longest > (blocks - rules.kept_blocks) * rules.block_tokens:
        return None
    return step_tables.modelled(it, longest=longest, **most).scaled(replica.decode, replica.prompt), rules


def simulated(
    replica: EngineReplica, requests: Requests, most_waiting: int = 0, tokens: bool = False
) -> Outcome | None:
    """Requests through a replica; ``None`` where one does not fit in its cache.

    Args:
        replica: the replica.
        requests: what arrives.
        most_waiting: requests waiting at which the simulation stops; 0: never.
        tokens: keep every token's time.
    """
    longest = int((requests.prompt + requests.output).max())
    known = steps_and_rules(replica, max(SHORTEST, 1 << (longest - 1).bit_length()))
    if known is None:
        return None
    table, rules = known
    rules = replace(rules, most_waiting=most_waiting) if most_waiting else rules
    return simulate(requests, table, rules, tokens=tokens)


@lru_cache(maxsize=4096)
def statistics(replica: EngineReplica, load: OfferedLoad) -> dict[str, tuple[float, ...]] | None:
    """Metrics of a replica by name, in SI units, one of each stream; ``None`` where a request does not fit.

    Streams with drawn lengths are long, and one is enough; they have no percentiles of single gaps between tokens.
    """
    streams = []
    for draw in range(1 if load.drawn else DRAWS):
        outcome = simulated(replica, load.stream(SEED + draw), tokens=not load.drawn)
        if outcome is None:
            return None
        streams.append(_summary(outcome))
    return {name: tuple(stream[name] for stream in streams) for name in streams[0]}


def _summary(outcome: Outcome) -> dict[str, float]:
    output, ttft, e2e = outcome.requests.output, outcome.ttft_s, outcome.e2e_s
    rate = float(output.sum() / (outcome.finish_s.max() - outcome.requests.arrival_s[0]))
    prompts = float(outcome.requests.prompt.sum() / output.sum())
    summary = {"e2e_latency": float(e2e.mean()), "output_tok_s_per_request": float((output / e2e).mean())}
    summary |= dict.fromkeys(RATES, rate) | {"total_throughput_in_plus_out": rate * (1 + prompts)}
    times = {"ttft": ttft}
    if np.any(output > 1):
        times["tpot"] = outcome.tpot_s[output > 1]
        summary["decode_tok_s_per_user"] = 1 / float(times["tpot"].mean())
        summary["itl_mean"] = float((outcome.finish_s - outcome.first_s).sum() / (output - 1).sum())
        if outcome.token_s is not None:
            times["itl"] = np.delete(np.diff(outcome.token_s), outcome.token_start[1:] - 1)
    for name, values in times.items():
        summary |= {name: float(values.mean()), f"{name}_mean": float(values.mean())}
        summary |= {f"{name}_{percentile}": float(np.quantile(values, q)) for percentile, q in PERCENTILES.items()}
    return summary


@lru_cache(maxsize=1024)
def highest_rate(replica: EngineReplica, means: tuple[float, float], slo: Slo) -> float:
    """Requests/s of a replica at which the objective's share of first tokens, and of mean gaps, is within its limits.

    Bisection on the rate of one stream; 0 where no rate keeps them, NaN where a request does not fit.

    Args:
        replica: the replica.
        means: tokens of prompts and answers, whose lengths are drawn.
        slo: limits in seconds and the share (MLPerf: 0.99).
    """
    saturated = statistics(replica, OfferedLoad(np.inf, FEWEST, *means, drawn=True))
    if saturated is None:
        return np.nan

    def keeps(rate: float) -> bool:
        requests = OfferedLoad(rate, server_requests(rate), *means, drawn=True).stream(SEED)
        outcome = simulated(replica, requests, max(int(BACKLOG_S * rate), 1))
        if outcome is None or not outcome.finished.all():
            return False
        tpot = np.nanquantile(outcome.tpot_s, slo.share)
        return bool(np.quantile(outcome.ttft_s, slo.share) <= slo.ttft_s and tpot <= slo.tpot_s)

    most = saturated[RATES[0]][0] / means[1]
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
