"""The model ``inference`` of the scorer: calibrated operators, an engine's profile, memory, and intervals.

Rows of loads that need no queue: static batches, closed loops, full queues, MLPerf offline; rows of random arrivals are
simulated (:mod:`tokenomics.rows.open_loop`). Devices beyond a row's layout are replicas; a row without a layout
gets the fastest that fits. Every value is a duration, or a rate over one, so each row's prediction is ``value`` at the
profile of its engine fitted without the row's model family.
"""

import importlib
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.compute import bounds
from tokenomics.compute.inference import durations, memory
from tokenomics.compute.inference.engines import Profile, Work
from tokenomics.compute.inference.intervals import interval
from tokenomics.compute.operators.selection import Serving
from tokenomics.rows import held_out
from tokenomics.rows.bounds import MLPERF, RATES, TPOT, TTFT
from tokenomics.rows.case import Case, Prediction, Predictor, predictors, register
from tokenomics.rows.constant import family_of
from tokenomics.rows.deployment import BEAMS, OPEN, active, layouts, profile_of, serving

NAME = "inference"
LOADS = ("static", "closed", "max", "mlperf_offline")
"""Loads that need no queue: engine profiles are learned from these."""
SIMULATED = f"{__package__}.open_loop"
"""What answers for loads of random arrivals; imported when asked, so that learning, which asks for none, does not
depend on the simulator. Their memory is that of as many requests in flight as the rate amounts to."""
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Group:
    """Rows of a case that share a layout: what a formula needs, one array each."""

    on: Serving
    profile: Profile
    replicas: Values
    batch: Values
    isl: Values
    osl: Values


Formula = Callable[[Case, Group], Values]
"""Seconds (or bytes) of a case's rows."""


def predicted(case: Case, formula: Formula, quantity: str) -> Prediction:
    """A formula over all layouts of a case, with its interval.

    Conditions that profiles were learned from are predicted by what has not seen their model family.
    """
    value, fits = np.full_like(case["n_gpu"], np.nan), np.ones(len(case["n_gpu"]), dtype=bool)
    low, high = value.copy(), value.copy()
    beams = case.load.startswith("mlperf") and case.model.family.startswith(BEAMS)
    if case.load not in LOADS + OPEN or beams:
        return Prediction(value)
    learned = held_out.learned(case)
    for layout, replicas, rows in layouts(case):
        on = serving(case, layout)
        fits[rows] = memory.weight_bytes_per_device(on) <= case.device.memory_bytes * bounds.LARGEST_GB
        for without, some in ((family_of(case.model), rows[learned[rows]]), ("", rows[~learned[rows]])):
            if not len(some):
                continue
            profile = profile_of(case, without)
            value[some] = formula(case, _group(case, on, profile, replicas, some))
            if not active().plain:
                low[some], high[some] = interval(value[some], on, profile, quantity, without)
    return Prediction(value, low, high, fits)


def _group(case: Case, on: Serving, profile: Profile, replicas: float, rows: NDArray[np.int64]) -> Group:
    """What a formula needs of some rows; an open load gets the concurrency that its rate amounts to."""
    batch, isl, osl, rate = (column[rows] for column in (_batch(case), case["isl"], case["osl"], case["rate_qps"]))
    if case.load in OPEN:
        one = durations.open_loop_concurrency(on, profile, rate / replicas, np.nan_to_num(isl, nan=1.0), osl)
        batch = np.maximum(one * replicas, 1.0)
    return Group(on, profile, np.full(len(rows), replicas), batch, isl, osl)


def _batch(case: Case) -> Values:
    return case.known("batch", 1) if case.load in ("static", "closed") else np.full_like(case["batch"], np.inf)


def _seconds(group: Group, work: Work) -> Values:
    return work.seconds(group.profile)


def first_token(case: Case, g: Group) -> Values:
    """Seconds to the first token."""
    if case.load == "static":
        return _seconds(g, durations.prefill(g.on, g.batch, g.isl))
    return durations.closed_loop(g.on, g.profile, g.batch / g.replicas, g.isl, g.osl).ttft_s


def per_token(case: Case, g: Group) -> Values:
    """Seconds per output token after the first; the context halfway where lengths are known."""
    isl, osl = np.nan_to_num(g.isl, nan=1.0), np.nan_to_num(g.osl, nan=1.0)
    if case.load == "static":
        return _seconds(g, durations.decode_step(g.on, g.batch, isl + 1 + osl / 2))
    return _seconds(g, durations.closed_loop(g.on, g.profile, g.batch / g.replicas, isl, osl).step)


def request(case: Case, g: Group) -> Values:
    """Seconds of a whole request, or of a static batch."""
    if case.load == "static":
        return _seconds(g, durations.static_batch(g.on, g.profile.name, g.batch, g.isl, g.osl))
    return first_token(case, g) + (g.osl - 1) * per_token(case, g)


def per_output_token(case: Case, g: Group) -> Values:
    """Seconds of a whole copy, and of all replicas together, for one output token of the group."""
    if case.load == "static":
        seconds = _seconds(g, durations.static_batch(g.on, g.profile.name, g.batch / g.replicas, g.isl, g.osl))
        return seconds / (g.batch * g.osl)
    most = g.batch / g.replicas
    isl = np.where(np.isnan(g.isl), active().prompt, g.isl)
    running = durations.in_flight(g.on, g.profile.name, most, isl, g.osl)
    cycle = _seconds(g, durations.full_queue_cycle(g.on, g.profile.name, isl, g.osl, most))
    return cycle / (running * g.osl * g.replicas)


def prefill_token(case: Case, g: Group) -> Values:
    """Seconds for one prompt token of the group."""
    return _seconds(g, durations.prefill(g.on, g.batch, g.isl)) / (g.batch * g.isl)


def bounded(case: Case, found: Prediction) -> Prediction:
    """A prediction that does not cross the row's bound, nor does its interval."""
    if active().plain:
        return found
    limit = predictors("bounds")[case.metric].predict(case)

    def inside(values: ArrayLike) -> Values:
        return np.where(np.isnan(values), values, np.fmin(np.fmax(values, limit.low), limit.high))

    return Prediction(inside(found.value), inside(found.low), inside(found.high), found.fits)


def _time(formula: Formula, quantity: str) -> Callable[[Case], Prediction]:
    return lambda case: bounded(case, predicted(case, formula, quantity))


def _rate(formula: Formula, quantity: str, scale: Callable[[Case], ArrayLike]) -> Callable[[Case], Prediction]:
    def rate(case: Case) -> Prediction:
        found, factor = predicted(case, formula, quantity), scale(case)
        ends = (factor / each for each in (found.value, found.high, found.low))
        return bounded(case, Prediction(*ends, found.fits))

    return rate


def _one(case: Case) -> float:
    return 1.0


QUANTITY = {
    **dict.fromkeys((*TTFT, "prefill_tok_s"), "prefill"),
    **dict.fromkeys((*TPOT, "decode_tok_s_per_user"), "decode"),
    **dict.fromkeys(("e2e_latency", "output_tok_s_per_request"), "throughput"),  # a request's whole time is its inverse
    **dict.fromkeys((*RATES, "total_throughput_in_plus_out", *MLPERF), "throughput"),
    "gpu_memory_used": "memory",
}
"""What a metric is an instance of, for its interval."""
QUEUED = ("closed", *OPEN)


def quantity(metric: str, load: str) -> str:
    """What a metric under a load is an instance of: a first token that waits for others is no plain prefill."""
    return "first_token" if metric in TTFT and load in QUEUED else QUANTITY[metric]


def _register(metrics: Collection[str], needs: Collection[str], known: Predictor) -> None:
    """Metrics whose rows of random arrivals are simulated, and whose others a formula knows."""

    def either(case: Case) -> Prediction:
        if case.load not in OPEN:
            return known(case)
        return bounded(case, importlib.import_module(SIMULATED).predicted(case))

    register(NAME, metrics, needs)(either)


_register(TTFT, ["isl"], lambda case: bounded(case, predicted(case, first_token, quantity(case.metric, case.load))))
_register(TPOT, [], _time(per_token, "decode"))
_register(["e2e_latency"], ["isl", "osl"], _time(request, "throughput"))
_register(["decode_tok_s_per_user"], [], _rate(per_token, "decode", _one))
_register(["prefill_tok_s"], ["isl"], _rate(prefill_token, "prefill", _one))
_register(["output_tok_s_per_request"], ["isl", "osl"], _rate(request, "throughput", lambda case: case["osl"]))
for _metrics, _per_token in (
    (["output_throughput_total", "serving_output_tok_s"], _one),
    (["output_throughput_per_gpu"], lambda case: 1 / case["n_gpu"]),
    (["total_throughput_in_plus_out"], lambda case: (case["isl"] + case["osl"]) / case["osl"]),
):
    _register(_metrics, ["isl", "osl"], _rate(per_output_token, "throughput", _per_token))
_register(MLPERF, ["osl"], _rate(per_output_token, "throughput", _one))


@register(NAME, ["gpu_memory_used"])
def _memory(case: Case) -> Prediction:
    """What an engine has taken: all it may where it fills memory with its cache, else the parts."""

    def taken(case: Case, g: Group) -> Values:
        keep = memory.reserve(g.profile.name)
        context = np.nan_to_num(g.isl) + np.nan_to_num(g.osl)
        parts = memory.used(g.on, g.profile.name, np.nan_to_num(g.batch, nan=1.0), context, np.nan_to_num(g.isl)).total
        return np.full_like(parts, keep.usable * g.on.device.memory_bytes * bounds.LARGEST_GB) if keep.fills else parts

    return predicted(case, taken, "memory")


@register(NAME, ["fits_in_memory"], ["isl", "osl"])
def _fits(case: Case) -> Prediction:
    """Whether weights, all caches, activations and what the engine keeps back fit on every device."""
    verdict = np.zeros(len(case["n_gpu"]))
    profile = profile_of(case)
    for layout, _, rows in layouts(case):
        on = serving(case, layout)
        context = case["isl"][rows] + case["osl"][rows]
        taken = memory.used(on, profile.name, _batch(case)[rows], context, case["isl"][rows]).total
        usable = memory.reserve(profile.name).usable * case.device.memory_bytes * bounds.LARGEST_GB
        verdict[rows] = taken <= usable
    return Prediction(verdict)
