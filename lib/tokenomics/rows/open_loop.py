"""Rows that the model ``inference`` of the scorer predicts by simulating one replica: random arrivals, and percentiles
of closed loops.

``closed``: as many requests in flight at all times as the row states, ten times as many in all where it states no
number, lengths as stated and evenly spread where that is known. The first ones come together.
``open``: as many requests as the row states, Poisson at its rate, lengths as stated. ``mlperf_server``: the highest
Poisson rate that keeps the benchmark's limits, or latencies at the rate that a row states; MLPerf publishes mean
lengths only, and of answers only. Step times come from the profile fitted without the model family of the row. The ends
of an interval are the extremes of whole simulations in which all steps, of decodes and prompts, are as fast or as slow
as their held-out residuals allow; of a closed loop also those of its mean. The front end of the engine is left out of
open loads, where it adds to the upper end of a first token.
Replicas get their share of the requests at random.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tokenomics.compute.inference import memory
from tokenomics.compute.inference.intervals import interval
from tokenomics.compute.inference.server import Server
from tokenomics.errors import Infeasible
from tokenomics.estimate import ENDS
from tokenomics.rows import held_out
from tokenomics.rows.bounds import E2E, MLPERF, TTFT
from tokenomics.rows.case import Case, Prediction
from tokenomics.rows.columns import SPREAD
from tokenomics.rows.deployment import BEAMS, INTERACTIVE, SERVER, SINGLE, deployments, profile_of, simulated
from tokenomics.service.qoe import MLPERF as LIMITS
from tokenomics.service.qoe import Slo
from tokenomics.service.replica import Replica
from tokenomics.service.simulator import Outcome, Requests
from tokenomics.service.workload.arrivals import Poisson, arrival_times

REQUESTS, DRAWS = 500, 5
"""Requests of an open run where a row states none (as many as TensorRT-LLM's online runs), and streams drawn."""
SERVER_S, FEWEST, MOST = 600.0, 1000, 10_000
"""Seconds that LoadGen's server scenario lasts at least; how many requests of a replica are simulated."""
BACKLOG_S = 20.0
"""Seconds of arrivals waiting at which a rate is given up as too high: ten times the usual limit on a first token."""
SEED = 20240911
CLOSED = "closed"
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
WAVES = 10
"""Requests of a closed loop over those in flight where a row states none, as benchmark scripts send."""
SINGLE_REQUESTS, MOST_GAPS, MOST_IN_STAGES = 1000, 4e6, 2e5
"""Requests of a single stream; tokens of a closed loop whose gaps are looked at, and those that pass stages, slowly."""
SCENARIOS = {SERVER: "server", INTERACTIVE: "interactive"}
TOKEN_RATES = ("output_throughput_total", "output_throughput_per_gpu", "serving_output_tok_s")
RATES = ("request_throughput", *TOKEN_RATES, "total_throughput_in_plus_out")
"""What a replica delivers; replicas together deliver more."""


@dataclass(frozen=True)
class OfferedLoad:
    """What a replica is offered: a rate (requests/s, ``inf``: all at once), requests, and tokens of each.

    ``drawn`` lengths have the stated ones as means and follow the geometric law, the distribution on whole numbers
    that has the most entropy at a given mean; with a ``spread`` they lie evenly within that share of the mean; else
    every request has the stated lengths. With ``in_flight`` the loop is closed: so many at a time, the next sent when
    one ends.
    """

    rate: float
    requests: int
    isl: float
    osl: float
    drawn: bool = False
    spread: float = 0.0
    in_flight: int = 0

    def stream(self, seed: int) -> Requests:
        """Arrivals and lengths; the same seed gives the same requests, closer together at a higher rate."""
        clock, prompt, output = np.random.default_rng(seed).spawn(3)
        if np.isinf(self.rate):
            arrival = np.zeros(self.requests)
        else:
            arrival = arrival_times(Poisson(self.rate), self.requests, seed=clock)
        isl, osl = max(self.isl, 1.0), max(self.osl, 1.0)
        if self.spread and not self.drawn:
            shares = (of.uniform(1 - self.spread, 1 + self.spread, self.requests) for of in (prompt, output))
            lengths = (np.maximum(np.round(mean * share), 1.0) for mean, share in zip((isl, osl), shares, strict=True))
            return Requests(arrival, *lengths)
        if not self.drawn:
            return Requests(arrival, round(isl), round(osl))
        return Requests(arrival, prompt.geometric(1 / isl, self.requests), output.geometric(1 / osl, self.requests))


def predicted(case: Case) -> Prediction:
    """Rows in SI units (rates: tokens/s of all replicas); NaN where the metric or model is not simulated."""
    value, fits = np.full_like(case["n_gpu"], np.nan), np.ones(len(case["n_gpu"]), dtype=bool)
    low, high = value.copy(), value.copy()
    published, complete = held_out.published(case), _complete(case)
    for on, replicas, rows in deployments(case):
        fits[rows] = memory.weight_bytes_per_device(on) <= case.device.driver_memory_bytes
        for row in rows[fits[rows] & complete[rows]].tolist():
            without = held_out.family_of(case.model) if published[row] else ""
            profile = profile_of(case, without)
            ends = _at_ends(case, Server(on, profile), without)
            try:
                answers = [_answers(case, row, each, replicas) for each in ends]
            except Infeasible:
                fits[row] = False
                continue
            late, front_end = _front_end(case, profile.wait_s)
            value[row] = np.mean(answers[0]) + late
            low[row], high[row] = np.min(np.hstack(answers)) + late, np.max(np.hstack(answers)) + front_end
            if case.load == CLOSED and not case.setting.plain:  # admission and arrival err beside the steps
                quantity = "first_token" if case.metric in TTFT else "throughput"
                near, far = interval(value[row], on, profile, quantity, without)
                low[row], high[row] = min(low[row], near), max(high[row], far)
    return Prediction(value, low, high, fits)


def _front_end(case: Case, wait_s: float) -> tuple[float, float]:
    """What the front end adds to an answer, and to its upper end: in a closed loop, from whose means it was learned, it
    is part of every first token; where requests arrive at random it was learned together with their queue."""
    if case.load == CLOSED:
        each = wait_s if case.metric in (*TTFT, *E2E) else 0.0
        return each, each
    return 0.0, wait_s if case.metric in TTFT else 0.0


def _complete(case: Case) -> NDArray[np.bool_]:
    """Rows that state what is needed: lengths of answers and, unless it is predicted, a rate; no model with beams, or
    without limits in the benchmark."""
    known = (case["osl"] > 0) & ((case["rate_qps"] > 0) | (case.metric in MLPERF) | (case.load in (CLOSED, SINGLE)))
    known &= case.metric not in MLPERF or _limits(case) is not None
    if not case.load.startswith("mlperf"):
        return known & (case["isl"] > 0)
    return known & (not case.model.family.startswith(BEAMS))


def _at_ends(case: Case, server: Server, without: str) -> list[Replica]:
    """A replica as modelled, and with its steps at the two ends of their interval."""
    modelled = Replica(server)
    return [modelled.at(end, without) for end in (ENDS[:1] if case.setting.plain else ENDS)]


def _answers(case: Case, row: int, replica: Replica, replicas: float) -> NDArray[np.float64]:
    """One row's answers, one a stream; NaN for a metric without one.

    Raises:
        Infeasible: a request does not fit.
    """
    osl = float(case["osl"][row])
    isl = float(case["isl"][row])
    if case.metric in MLPERF:
        return np.array([highest_rate(replica, (isl, osl), _limits(case)) * replicas * osl])
    load, gaps = _offered(case, row, (isl, osl), replicas), case.metric.startswith("itl")
    if load.in_flight and (gaps or replica.server.on.layout.pp > 1):
        most = MOST_GAPS if gaps else MOST_IN_STAGES
        load = replace(load, requests=max(min(load.requests, int(most / osl)), load.in_flight))
    value = np.array(statistics(replica, load, gaps).get(case.metric, (np.nan,)))
    if case.metric not in RATES:
        return value
    return value * replicas / (case["n_gpu"][row] if case.metric == "output_throughput_per_gpu" else 1.0)


def _offered(case: Case, row: int, lengths: tuple[float, float], replicas: float) -> OfferedLoad:
    """What a row's requests offer to one of its replicas."""
    rate, spread = float(case.known("rate_qps", np.inf)[row]) / replicas, float(case.known(SPREAD, 0.0)[row])
    if case.load in SCENARIOS:
        return OfferedLoad(rate, server_requests(rate), *lengths, drawn=True)
    if case.load == SINGLE:
        return OfferedLoad(np.inf, int(simulated(SINGLE_REQUESTS, lengths[1])), *lengths, drawn=True, in_flight=1)
    if case.load == CLOSED:
        each = max(round(case["batch"][row] / replicas), 1)
        sent = case.known("requests", WAVES * case["batch"][row])[row] / replicas
        sent = max(int(simulated(sent, lengths[1])), each)
        return OfferedLoad(np.inf, sent, *lengths, spread=spread, in_flight=each)
    sent = case.known("requests", REQUESTS)[row]
    return OfferedLoad(rate, int(simulated(sent / replicas, lengths[1])), *lengths, spread=spread)


def _limits(case: Case) -> Slo | None:
    """Limits of MLPerf's server scenario for a model; ``None`` for a model that has none."""
    return LIMITS.get(f"{case.model.name} {SCENARIOS.get(case.load, '')}")


@lru_cache(maxsize=8)
def _streams(load: OfferedLoad) -> list[Requests]:
    """What is sent to a replica, the same at every end of its step times; drawn lengths make one long stream enough."""
    return [load.stream(seed) for seed in range(SEED, SEED + (1 if load.drawn or load.in_flight else DRAWS))]


@lru_cache(maxsize=4096)
def statistics(replica: Replica, load: OfferedLoad, gaps: bool = True) -> dict[str, tuple[float, ...]]:
    """Metrics of a replica by name, in SI units, one of each stream.

    Args:
        replica: the replica.
        load: what it is offered.
        gaps: whether percentiles of single gaps between tokens are wanted, which take the time of every token; drawn
            lengths have none.

    Raises:
        Infeasible: a request does not fit.
    """
    tokens = gaps and not load.drawn
    streams = [_summary(*_served(replica, load, each, tokens)) for each in _streams(load)]
    return {name: tuple(stream[name] for stream in streams) for name in streams[0]}


def _served(
    replica: Replica, load: OfferedLoad, requests: Requests, tokens: bool
) -> tuple[Outcome, NDArray[np.float64]]:
    """What a replica does, and when each request was sent.

    A closed loop is a queue that never empties in front of as many places as requests are in flight: a request is sent
    when one before it ends, in the order of the queue, which the first ones leave at once.
    """
    if not load.in_flight:
        return replica.run(requests, tokens=tokens), requests.arrival_s
    places = min(load.in_flight, replica.server.on.settings.max_num_seqs)
    outcome = replace(replica, server=replica.server.told(max_num_seqs=places)).run(requests, tokens=tokens)
    sent = np.zeros(len(requests.arrival_s))
    later = max(len(sent) - load.in_flight, 0)
    sent[len(sent) - later :] = np.sort(outcome.finish_s)[:later]
    return outcome, sent


def _summary(outcome: Outcome, sent: NDArray[np.float64]) -> dict[str, float]:
    output, ttft, e2e = outcome.requests.output, outcome.first_s - sent, outcome.finish_s - sent
    rate = float(output.sum() / (outcome.finish_s.max() - outcome.requests.arrival_s[0]))
    prompts = float(outcome.requests.prompt.sum() / output.sum())
    summary = {"e2e_latency": float(e2e.mean()), "output_tok_s_per_request": float((output / e2e).mean())}
    summary |= dict.fromkeys(TOKEN_RATES, rate) | {"total_throughput_in_plus_out": rate * (1 + prompts)}
    summary["request_throughput"] = rate * len(output) / float(output.sum())
    times = {"ttft": ttft, "e2e_latency": e2e}
    if np.any(output > 1):
        times["tpot"] = outcome.tpot_s[output > 1]
        summary["decode_tok_s_per_user"] = 1 / float(times["tpot"].mean())
        summary["itl_mean"] = float((outcome.finish_s - outcome.first_s).sum() / (output - 1).sum())
        if outcome.token_s is not None:
            times["itl"] = np.delete(np.diff(outcome.token_s), outcome.token_start[1:] - 1)
    for name, values in times.items():
        summary |= {name: float(values.mean()), f"{name}_mean": float(values.mean())}
        quantiles = np.quantile(values, list(PERCENTILES.values()))
        summary |= {f"{name}_{p}": float(each) for p, each in zip(PERCENTILES, quantiles, strict=True)}
    return summary


@lru_cache(maxsize=1024)
def highest_rate(replica: Replica, means: tuple[float, float], slo: Slo) -> float:
    """Requests/s of a replica at which the objective's share of first tokens, and of mean gaps, is within its limits;
    0 where no rate keeps them.

    Args:
        replica: the replica.
        means: tokens of prompts and answers, whose lengths are drawn.
        slo: limits in seconds and the share (MLPerf: 0.99).

    Raises:
        Infeasible: a request does not fit.
    """

    def offered(rate: float) -> Requests:
        return OfferedLoad(rate, server_requests(rate), *means, drawn=True).stream(SEED)

    crowd = offered(np.inf)
    saturated_rps = replica.saturated_tok_per_s(crowd) / float(crowd.output.mean())
    return replica.highest_rate(offered, slo, saturated_rps, backlog_s=BACKLOG_S)


def server_requests(rate: float) -> int:
    """Requests of a replica in a run of LoadGen's least duration, within what is simulated."""
    return int(np.clip(SERVER_S * rate, FEWEST, MOST))
