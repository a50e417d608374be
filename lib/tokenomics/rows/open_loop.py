"""Rows of random arrivals, which the model ``inference`` of the scorer predicts by simulating one replica.

``open``: as many requests as the row states, Poisson at its rate, lengths as stated. ``mlperf_server``: the highest
Poisson rate that keeps the benchmark's limits, or latencies at the rate that a row states; MLPerf publishes mean
lengths only, and of answers only. Step times come from the profile fitted without the model family of the row. The ends
of an interval are the extremes of whole simulations in which all steps, of decodes and prompts, are as fast or as slow
as their held-out residuals allow. The front end of the engine is left out; it adds to the upper end of a first token.
Replicas get their share of the requests at random.
"""

import numpy as np
from numpy.typing import NDArray

from tokenomics.compute import bounds
from tokenomics.compute.inference import memory
from tokenomics.compute.inference.engines import Profile
from tokenomics.compute.inference.intervals import kind_of, quantiles_of
from tokenomics.compute.operators.selection import Serving
from tokenomics.rows import held_out
from tokenomics.rows.bounds import MLPERF, TTFT
from tokenomics.rows.case import Case, Prediction
from tokenomics.rows.deployment import BEAMS, SERVER, layouts, profile_of, serving
from tokenomics.service import replica as service
from tokenomics.service.qoe import MLPERF as LIMITS
from tokenomics.service.qoe import Slo
from tokenomics.service.replica import EngineReplica, OfferedLoad


def predicted(case: Case) -> Prediction:
    """Rows in SI units (rates: tokens/s of all replicas); NaN where the metric or model is not simulated."""
    value, fits = np.full_like(case["n_gpu"], np.nan), np.ones(len(case["n_gpu"]), dtype=bool)
    low, high = value.copy(), value.copy()
    published, complete = held_out.published(case), _complete(case)
    for layout, replicas, rows in layouts(case):
        on = serving(case, layout)
        fits[rows] = memory.weight_bytes_per_device(on) <= case.device.memory_bytes * bounds.LARGEST_GB
        for row in rows[fits[rows] & complete[rows]].tolist():
            without = held_out.family_of(case.model) if published[row] else ""
            profile = profile_of(case, without)
            answers = [_answers(case, row, each, replicas) for each in _at_ends(case, on, profile, without)]
            fits[row] = answers[0] is not None
            if fits[row]:
                front_end = profile.wait_s if case.metric in TTFT else 0.0
                value[row] = np.mean(answers[0])
                low[row], high[row] = np.min(np.hstack(answers)), np.max(np.hstack(answers)) + front_end
    return Prediction(value, low, high, fits)


def _complete(case: Case) -> NDArray[np.bool_]:
    """Rows that state what is needed: lengths of answers and, unless it is predicted, a rate; no model with beams, or
    without limits in the benchmark."""
    known = (case["osl"] > 0) & ((case["rate_qps"] > 0) | (case.metric in MLPERF))
    if case.load != SERVER:
        return known & (case["isl"] > 0)
    limited = case.metric not in MLPERF or _limits(case) is not None
    return known & limited & (not case.model.family.startswith(BEAMS))


def _at_ends(case: Case, on: Serving, profile: Profile, without: str) -> list[EngineReplica]:
    """A replica as modelled, and with its steps at the two ends of their interval."""
    modelled = EngineReplica(on, profile)
    if case.setting.plain:
        return [modelled]
    kind, moe = kind_of(on, profile), on.model.is_moe
    decode, prompt = (np.exp(quantiles_of(profile.name, kind, name, moe, without)) for name in ("decode", "prefill"))
    return [modelled, *(EngineReplica(on, profile, float(d), float(p)) for d, p in zip(decode, prompt, strict=True))]


def _answers(case: Case, row: int, replica: EngineReplica, replicas: float) -> NDArray[np.float64] | None:
    """One row's answers, one a stream; NaN for a metric without one, ``None`` where a request does not fit."""
    osl = float(case["osl"][row])
    isl = float(case.known("isl", case.setting.prompt)[row])
    if case.metric in MLPERF:
        rate = service.highest_rate(replica, (isl, osl), _limits(case))
        return None if np.isnan(rate) else np.array([rate * replicas * osl])
    statistics = service.statistics(replica, _offered(case, row, (isl, osl), replicas))
    if statistics is None:
        return None
    value = np.array(statistics.get(case.metric, (np.nan,)))
    if case.metric not in service.RATES:
        return value
    return value * replicas / (case["n_gpu"][row] if case.metric == "output_throughput_per_gpu" else 1.0)


def _offered(case: Case, row: int, lengths: tuple[float, float], replicas: float) -> OfferedLoad:
    """What a row's requests offer to one of its replicas."""
    rate = float(case["rate_qps"][row]) / replicas
    if case.load == SERVER:
        return OfferedLoad(rate, service.server_requests(rate), *lengths, drawn=True)
    sent = case.known("requests", service.REQUESTS)[row] if "requests" in case.columns else service.REQUESTS
    return OfferedLoad(rate, max(round(sent / replicas), 1), *lengths)


def _limits(case: Case) -> Slo | None:
    """Limits of MLPerf's server scenario for a model; ``None`` for a model that has none."""
    return LIMITS.get(f"{case.model.name} server")
