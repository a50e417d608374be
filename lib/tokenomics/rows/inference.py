"""The model ``inference`` of the scorer: calibrated operators, an engine's profile, memory, and intervals.

Formulas predict rows of loads without a queue: static batches, closed loops, saturated replicas, MLPerf offline; rows
of random arrivals are simulated (:mod:`tokenomics.rows.open_loop`). Devices beyond a row's layout are replicas; a row
without a layout gets the fastest that fits. Every value is a duration, or a rate over one, so each row's prediction is
``value`` at the profile of its engine fitted without the row's model family.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.compute.deployment import Deployment
from tokenomics.compute.inference import durations, engines, memory, saturation
from tokenomics.compute.inference.engines import Profile, Work
from tokenomics.compute.inference.intervals import interval
from tokenomics.estimate import held
from tokenomics.facts.engines import DAY, before, version_told
from tokenomics.rows import held_out
from tokenomics.rows.bounds import E2E, LENGTHS, LONG, MLPERF, RATES, TPOT, TTFT
from tokenomics.rows.bounds import PREDICTORS as BOUNDS
from tokenomics.rows.case import Case, Prediction, Predictor
from tokenomics.rows.deployment import ACCEPTANCE, BEAMS, LEAST_ACCEPTANCE, OPEN, deployments, drafted, profile_of

LOADS = ("static", "closed", "max", "mlperf_offline")
"""Loads without a queue, to which engine profiles are fitted."""
PREFILL_POOL, DECODE_POOL = "prefill", "decode"
"""Roles of devices that only read prompts, or only write answers whose prompts were read elsewhere."""
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Group:
    """Rows of a case that share a layout: what a formula needs, one array each."""

    on: Deployment
    profile: Profile
    replicas: Values
    batch: Values
    isl: Values
    osl: Values

    @property
    def each(self) -> Values:
        """Sequences of a replica that has any."""
        return np.maximum(self.batch / self.replicas, 1.0)

    @property
    def busy(self) -> Values:
        """Replicas that have any."""
        return np.minimum(self.replicas, self.batch)


Formula = Callable[[Case, Group], Values]
"""Seconds (or bytes) of a case's rows."""


def predicted(case: Case, formula: Formula, quantity: str) -> Prediction:
    """A formula over all layouts of a case, with its interval.

    Rows in conditions that profiles were fitted to are predicted with their model family held out. Rows of a load that
    is not modelled, and of a model that runs with beams, are NaN.
    """
    value, fits = np.full_like(case["n_gpu"], np.nan), np.ones(len(case["n_gpu"]), dtype=bool)
    low, high = value.copy(), value.copy()
    beams = case.load.startswith("mlperf") and case.model.family.startswith(BEAMS)
    if case.load not in LOADS + OPEN or beams:
        return Prediction(value)
    published = held_out.published(case)
    for on, replicas, rows in deployments(case):
        fits[rows] = memory.weight_bytes_per_device(on) <= case.device.driver_memory_bytes
        family = held_out.family_of(case.model)
        for without, part in ((family, rows[published[rows]]), ("", rows[~published[rows]])):
            if not len(part):
                continue
            profile = profile_of(case, without)
            value[part] = formula(case, _group(case, on, profile, replicas, part))
            if not case.setting.plain:
                low[part], high[part] = interval(value[part], on, profile, quantity, without)
    if other := _version_before(case):
        versions = predicted(other, formula, quantity).value / value
        low, high = low * np.fmin(versions, 1.0), high * np.fmax(versions, 1.0)
    return Prediction(value, low, high * _fewer_accepted(case), fits)


def _fewer_accepted(case: Case) -> ArrayLike:
    """How much longer a token takes where no more drafts are accepted than the low end of what is usual."""
    if not drafted(case):
        return 1.0
    length = case.known("draft_tokens", 1.0)
    return durations.expected_tokens(ACCEPTANCE, length) / durations.expected_tokens(LEAST_ACCEPTANCE, length)


def _version_before(case: Case) -> Case | None:
    """The case on the version before the newest one, where a row states neither version nor day."""
    older = None if DAY.search(case.engine) or version_told(case.engine) else before(case.engine)
    if older is None or case.setting.plain:
        return None
    return replace(case, engine=f"{case.engine} {older.since}", setting=replace(case.setting, plain=True))


def _group(case: Case, on: Deployment, profile: Profile, replicas: float, rows: NDArray[np.int64]) -> Group:
    """The arrays that a formula needs for these rows; an open load gets the concurrency that follows from its rate."""
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
    osl = np.ones_like(g.osl) if case.role == PREFILL_POOL else g.osl
    return durations.closed_loop(g.on, g.profile, g.each, g.isl, osl).ttft_s


def per_token(case: Case, g: Group) -> Values:
    """Seconds per output token after the first; the context halfway where lengths are known."""
    isl, osl = np.nan_to_num(g.isl, nan=1.0), np.nan_to_num(g.osl, nan=1.0)
    if case.load == "static":
        return _seconds(g, durations.decode_step(g.on, g.batch, isl + 1 + osl / 2))
    if case.role == DECODE_POOL:
        return _seconds(g, durations.decode_step(g.on, _running(g), isl + 1 + osl / 2))
    return _seconds(g, durations.closed_loop(g.on, g.profile, g.each, isl, osl).step)


def request(case: Case, g: Group) -> Values:
    """Seconds of a whole request, or of a static batch."""
    if case.load == "static":
        return _seconds(g, durations.static_batch(g.on, g.profile.name, g.batch, g.isl, g.osl))
    return first_token(case, g) + (g.osl - 1) * per_token(case, g)


def per_output_token(case: Case, g: Group) -> Values:
    """Seconds for one output token of all replicas together."""
    if case.load == "static":
        seconds = _seconds(g, durations.static_batch(g.on, g.profile.name, g.each, g.isl, g.osl))
        return seconds / (g.batch * g.osl)
    running = _running(g)
    if case.role == DECODE_POOL:
        return _seconds(g, durations.decode_step(g.on, running, g.isl + 1 + g.osl / 2)) / (running * g.busy)
    cycle = _seconds(g, saturation.saturated_cycle(g.on, g.profile, g.isl, g.osl, g.each))
    return cycle / (running * g.osl * g.busy)


def _running(g: Group) -> Values:
    """Sequences of a replica that its memory and engine let run."""
    return durations.in_flight(g.on, g.profile.name, g.each, g.isl, g.osl)


def prefill_token(case: Case, g: Group) -> Values:
    """Seconds for one prompt token of all devices together; saturated replicas fill every step with prompts."""
    if np.isinf(g.batch).all():
        full = np.maximum(np.floor(g.on.settings.max_num_batched_tokens / g.isl), 1.0)
        return _seconds(g, durations.prefill(g.on, full, g.isl)) / (full * g.isl * g.replicas)
    return _seconds(g, durations.prefill(g.on, g.batch, g.isl)) / (g.batch * g.isl)


def memory_taken(case: Case, g: Group) -> Values:
    """Bytes that an engine takes of a device: all it may use if it fills memory with its cache, else what it needs."""
    keep = memory.reserve(g.profile.name)
    context = np.nan_to_num(g.isl) + np.nan_to_num(g.osl)
    parts = memory.used(g.on, g.profile.name, np.nan_to_num(g.batch, nan=1.0), context, np.nan_to_num(g.isl)).total
    return (
        np.full_like(parts, memory.usable(g.on, g.profile.name) * g.on.device.driver_memory_bytes)
        if keep.fills
        else parts
    )


def bounded(case: Case, prediction: Prediction) -> Prediction:
    """A prediction that does not cross the row's bound, nor does its interval."""
    if case.setting.plain:
        return prediction
    limit = BOUNDS[case.metric].predict(case)
    ends = held(prediction.value, prediction.low, prediction.high, limit.low, limit.high)
    return Prediction(*ends, prediction.fits)


QUANTITY = {
    **dict.fromkeys((*TTFT, "prefill_tok_s"), "prefill"),
    **dict.fromkeys((*TPOT, "decode_tok_s_per_user"), "decode"),
    **dict.fromkeys((*E2E, "output_tok_s_per_request", "request_throughput"), "throughput"),
    **dict.fromkeys((*RATES, "total_throughput_in_plus_out", *MLPERF), "throughput"),
    **dict.fromkeys(("gpu_memory_used", "weight_memory_per_gpu"), "memory"),
}
"""The quantity of a metric, by which its interval is chosen."""
QUEUED = ("closed", *OPEN)
PERCENTILES = frozenset(name for name in (*TTFT, *TPOT, *E2E) if name.rpartition("_")[2].startswith("p"))
"""Metrics that no formula gives where requests queue: the loop is simulated (a fit asks the formula of the mean)."""


def quantity(metric: str, load: str) -> str:
    """The quantity of a metric under a load: a first token that waits for others is not a plain prefill."""
    return "first_token" if metric in TTFT and load in QUEUED else QUANTITY[metric]


def _duration(formula: Formula, needs: tuple[str, ...] = ()) -> Predictor:
    """A duration by a formula, or by simulation where requests arrive at random or a percentile is asked."""

    def predict(case: Case) -> Prediction:
        if case.load in OPEN:
            return _simulated(case)
        mean = bounded(case, predicted(case, formula, quantity(case.metric, case.load)))
        if case.load != "closed" or case.metric not in PERCENTILES or case.setting.plain:
            return mean
        return _where_simulated(_simulated(case), mean)

    return Predictor(predict, needs)


def _rate(formula: Formula, needs: tuple[str, ...] = (), scale: Callable[[Case], ArrayLike] = lambda case: 1.0):
    """A rate, ``scale`` over a formula's duration, or by simulation where requests arrive at random."""

    def predict(case: Case) -> Prediction:
        if case.load in OPEN:
            return _simulated(case)
        duration, factor = predicted(case, formula, quantity(case.metric, case.load)), scale(case)
        ends = (factor / seconds for seconds in (duration.value, duration.high, duration.low))
        return bounded(case, Prediction(*ends, duration.fits))

    return Predictor(predict, needs)


def _simulated(case: Case) -> Prediction:
    from tokenomics.rows import open_loop  # the simulator is loaded only by who needs it

    return bounded(case, open_loop.predicted(case))


def _where_simulated(found: Prediction, mean: Prediction) -> Prediction:
    """What was simulated, and the mean's formula where memory, as computed, holds no such request though it ran."""
    simulated = np.isfinite(found.value)
    ends = (np.where(simulated, getattr(found, end), getattr(mean, end)) for end in ("value", "low", "high"))
    return Prediction(*ends, mean.fits)


def _memory(case: Case) -> Prediction:
    return predicted(case, memory_taken, "memory")


def _weight_memory(case: Case) -> Prediction:
    """Bytes of weights on the fullest device, as far off as what engines leave for the cache."""
    value = np.full_like(case["n_gpu"], np.nan)
    for on, _, rows in deployments(case):
        value[rows] = memory.weight_bytes_per_device(on)
    fits = value <= case.device.driver_memory_bytes
    return Prediction(value, value * (1 - memory.SPREAD), value * (1 + memory.SPREAD), fits)


def _cache_memory(case: Case) -> Prediction:
    """Bytes of a device that the engine keeps for its cache; of a sequence of the stated length where it fills none."""
    return _of_cache(case, lambda on, free, context, replicas: free)


def _cache_tokens(case: Case) -> Prediction:
    """Tokens whose caches fit at a time on all devices, in sequences of the stated length, else of a long one."""

    def tokens(on: Deployment, free: Values, context: Values, replicas: float) -> Values:
        return free / memory.cache_bytes_per_device(on, context) * context * on.layout.dp * replicas

    return _of_cache(case, tokens)


def _of_cache(case: Case, quantity: Callable[[Deployment, Values, Values, float], Values]) -> Prediction:
    """Something of the memory that is free for the cache, with the interval of that memory."""
    value, low, high = (np.full_like(case["n_gpu"], np.nan) for _ in range(3))
    fits, name = np.ones(len(value), dtype=bool), engines.profile_name(case.engine, case.device)
    context = case.known("isl", 0.0) + case.known("osl", 0.0)
    context = np.where(context > 0, context, float(min(case.model.context_tokens or LONG, LONG)))
    for on, replicas, rows in deployments(case):
        free = np.full(len(rows), float(memory.free_bytes(on, name)))
        spread = memory.spread_bytes(on, free)
        fits[rows] = free > 0
        for ends, each in ((value, free), (low, free - spread), (high, free + spread)):
            ends[rows] = quantity(on, np.maximum(each, 0.0), context[rows], replicas)
    return Prediction(value, low, high, fits)


def _fits(case: Case) -> Prediction:
    """Whether weights, all caches, activations and what the engine keeps back fit on every device."""
    verdict = np.zeros(len(case["n_gpu"]))
    profile = profile_of(case)
    for on, _, rows in deployments(case):
        context = case["isl"][rows] + case["osl"][rows]
        taken = memory.used(on, profile.name, _batch(case)[rows], context, case["isl"][rows]).total
        usable = memory.usable(on, profile.name) * case.device.driver_memory_bytes
        verdict[rows] = taken <= usable
    return Prediction(verdict)


PREDICTORS: Mapping[str, Predictor] = {
    **dict.fromkeys(TTFT, _duration(first_token, ("isl",))),
    **dict.fromkeys(TPOT, _duration(per_token)),
    **dict.fromkeys(E2E, _duration(request, LENGTHS)),
    "request_throughput": _rate(per_output_token, LENGTHS, lambda case: 1 / case["osl"]),
    "decode_tok_s_per_user": _rate(per_token),
    "prefill_tok_s": _rate(prefill_token, ("isl",)),
    "output_tok_s_per_request": _rate(request, LENGTHS, lambda case: case["osl"]),
    "output_throughput_total": _rate(per_output_token, LENGTHS),
    "serving_output_tok_s": _rate(per_output_token, LENGTHS),
    "output_throughput_per_gpu": _rate(per_output_token, LENGTHS, lambda case: 1 / case["n_gpu"]),
    "total_throughput_in_plus_out": _rate(
        per_output_token, LENGTHS, lambda case: (case["isl"] + case["osl"]) / case["osl"]
    ),
    **dict.fromkeys(MLPERF, _rate(per_output_token, ("osl",))),
    "gpu_memory_used": Predictor(_memory),
    "fits_in_memory": Predictor(_fits, LENGTHS),
    "weight_memory_per_gpu": Predictor(_weight_memory, loaded=False),
    "kv_memory_per_gpu": Predictor(_cache_memory, loaded=False),
    "kv_capacity_tokens": Predictor(_cache_tokens, loaded=False),
}
