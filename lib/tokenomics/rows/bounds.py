"""The model ``bounds`` of the scorer: lower bounds of times and memory, upper bounds of rates, from first principles.

Each metric is predicted by the bound that it cannot cross; the other side is open. The bound depends on how requests
arrive: a static batch runs in lockstep; under any other load a request may run alone, so times are those of a batch of
one, and rates are those of a saturated replica.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from tokenomics.compute import bounds
from tokenomics.compute.counts.parameters import parameters
from tokenomics.facts.measurements import STATISTICS
from tokenomics.rows.case import Case, Prediction, Predictor


def statistics_of(*quantities: str) -> tuple[str, ...]:
    """Metrics of latencies, with every statistic over requests and without one."""
    return tuple(f"{name}{end}" for name in quantities for end in ("", *(f"_{each}" for each in STATISTICS)))


TTFT, TPOT, E2E = statistics_of("ttft"), statistics_of("tpot", "itl"), statistics_of("e2e_latency")
RATES = ("output_throughput_total", "output_throughput_per_gpu", "serving_output_tok_s")
MLPERF = ("mlperf_offline_throughput", "mlperf_server_throughput", "mlperf_interactive_throughput")
LOCKSTEP = "static"
LONG = 131_072
"""Tokens at which the cache of a token is looked at, where layers with a window keep little of a long context."""


def lower_bound(case: Case, value: ArrayLike) -> Prediction:
    """A least value; the upper side is open."""
    return Prediction(value, low=value, fits=_weights_fit(case))


def upper_bound(case: Case, value: ArrayLike) -> Prediction:
    """A greatest value; the lower side is open."""
    return Prediction(value, high=value, fits=_weights_fit(case))


def _weights_fit(case: Case) -> ArrayLike:
    """Whether the weights alone fit; training is not judged, since it may offload."""
    return True if case.load == "training" else bounds.devices_to_hold(case.deployment, 0) <= case["n_gpu"]


def _batch(case: Case) -> ArrayLike:
    return case.known("batch", 1) if case.load == LOCKSTEP else np.ones_like(case["batch"])


def _ttft(case: Case) -> Prediction:
    return lower_bound(case, bounds.prefill_seconds(case.deployment, _batch(case), case["isl"]))


def _tpot(case: Case) -> Prediction:
    return lower_bound(case, _step_seconds(case))


def _step_seconds(case: Case) -> ArrayLike:
    """Decode step after the prompt (an unknown prompt counts as none): no later step is shorter."""
    return bounds.decode_step_seconds(case.deployment, _batch(case), case.known("isl", 0) + 1)


def _decode_rate_per_user(case: Case) -> Prediction:
    return upper_bound(case, 1 / _step_seconds(case))


def _prefill_rate(case: Case) -> Prediction:
    batch = case.known("batch", 1)
    return upper_bound(case, batch * case["isl"] / bounds.prefill_seconds(case.deployment, batch, case["isl"]))


def _request_seconds(case: Case) -> ArrayLike:
    """A request from arrival to last token; with a fixed number in flight also Little's law on the highest rate."""
    seconds = bounds.generate_seconds(case.deployment, _batch(case), case["isl"], case["osl"])
    if case.load != "closed":
        return seconds
    in_flight = case.known("batch", 1)
    rate = bounds.output_rate(case.deployment, case["isl"], case["osl"], in_flight)
    return np.maximum(seconds, in_flight * case["osl"] / np.where(rate > 0, rate, np.inf))


def _latency(case: Case) -> Prediction:
    return lower_bound(case, _request_seconds(case))


def _rate_per_request(case: Case) -> Prediction:
    return upper_bound(case, case["osl"] / _request_seconds(case))


def _output_tok_per_s(case: Case) -> ArrayLike:
    """Upper bound of output tokens a second of all devices, by static batch, requests in flight or request rate."""
    if case.load == LOCKSTEP:
        return case.known("batch", 1) * case["osl"] / _request_seconds(case)
    in_flight = case.known("batch", np.inf) if case.load == "closed" else np.inf
    most = bounds.output_rate(case.deployment, case["isl"], case["osl"], in_flight)
    if case.load == "closed":
        most = np.minimum(most, in_flight * case["osl"] / _request_seconds(case))
    return np.minimum(most, case.known("rate_qps", np.inf) * case["osl"])


def _output_rate(case: Case) -> Prediction:
    return upper_bound(case, _output_tok_per_s(case))


def _request_rate(case: Case) -> Prediction:
    return upper_bound(case, _output_tok_per_s(case) / case["osl"])


def _output_rate_per_device(case: Case) -> Prediction:
    return upper_bound(case, _output_tok_per_s(case) / case["n_gpu"])


def _total_rate(case: Case) -> Prediction:
    return upper_bound(case, _output_tok_per_s(case) * (case["isl"] + case["osl"]) / case["osl"])


def _mlperf(case: Case) -> Prediction:
    """Prompt lengths are not published with the results: one token, so that this stays an upper bound."""
    return upper_bound(case, bounds.output_rate(case.deployment, case.known("isl", 1), case["osl"]))


def _memory(case: Case) -> Prediction:
    return lower_bound(case, _serving_bytes(case) / case["n_gpu"])


def _weights(case: Case) -> Prediction:
    return lower_bound(case, bounds.memory_bytes(case.deployment, 1, 0) / case["n_gpu"])


def _room(case: Case) -> Prediction:
    """What the weights leave of the memory of the data sheet."""
    return upper_bound(case, case.device.memory_bytes - bounds.memory_bytes(case.deployment, 1, 0) / case["n_gpu"])


def _cache_tokens(case: Case) -> Prediction:
    """Tokens of one long sequence for which that has room."""
    one = bounds.memory_bytes(case.deployment, 1, LONG) - bounds.memory_bytes(case.deployment, 1, 0)
    return upper_bound(case, _room(case).value * case["n_gpu"] / (one / LONG))


def _fits_in_memory(case: Case) -> Prediction:
    """Whether weights and caches fit into the memory of the data sheet; a verdict, not a bound."""
    return Prediction(_serving_bytes(case) <= case["n_gpu"] * case.device.memory_bytes)


def _serving_bytes(case: Case) -> ArrayLike:
    """Weights and caches after the last step, which needs no cache of its own token; unknown lengths count as none."""
    context = np.maximum(case.known("isl", 0) + case.known("osl", 0) - 1, 0)
    return bounds.memory_bytes(case.deployment, case.known("batch", 1), context)


def _utilisation(case: Case) -> Prediction:
    return upper_bound(case, np.ones_like(case["n_gpu"]))


def _flop_rate(case: Case) -> Prediction:
    return upper_bound(case, np.full_like(case["n_gpu"], _peak(case)))


def _training_rate(case: Case) -> Prediction:
    return upper_bound(case, _peak(case) / bounds.training_flop(case.model, 1, case.known("seq_len", 1)))


def _step_time(case: Case) -> Prediction:
    tokens = case["global_batch_seq"] * case["seq_len"]
    return lower_bound(case, _device_seconds(case, tokens) / case["n_gpu"])


def _gpu_hours(case: Case) -> Prediction:
    return lower_bound(case, training_device_seconds(case))


def training_device_seconds(case: Case) -> ArrayLike:
    """Device-seconds of a whole training run at peak."""
    return _device_seconds(case, case["tokens_b"] * 1e9)


def _device_seconds(case: Case, tokens: ArrayLike) -> ArrayLike:
    return bounds.training_flop(case.model, tokens, case.known("seq_len", 1)) / _peak(case)


def _training_memory(case: Case) -> Prediction:
    """Weights, gradients and Adam's state in mixed precision, shared evenly by all devices; no activations."""
    return lower_bound(case, parameters(case.model).total * bounds.TRAINING_BYTES_PER_PARAMETER / case["n_gpu"])


def _power(case: Case) -> Prediction:
    """The power limit holds on average; NaN where the vendor states none."""
    return upper_bound(case, np.full_like(case["n_gpu"], case.device.tdp_w or np.nan))


def _peak(case: Case) -> float:
    return case.device.peak_flop_per_s(case.precision.dtype)


LENGTHS = ("isl", "osl")
PREDICTORS: Mapping[str, Predictor] = {
    **dict.fromkeys(TTFT, Predictor(_ttft, needs=("isl",))),
    **dict.fromkeys(TPOT, Predictor(_tpot)),
    "decode_tok_s_per_user": Predictor(_decode_rate_per_user),
    "prefill_tok_s": Predictor(_prefill_rate, needs=("isl",)),
    **dict.fromkeys(E2E, Predictor(_latency, needs=LENGTHS)),
    "request_throughput": Predictor(_request_rate, needs=LENGTHS),
    "output_tok_s_per_request": Predictor(_rate_per_request, needs=LENGTHS),
    "output_throughput_total": Predictor(_output_rate, needs=LENGTHS),
    "serving_output_tok_s": Predictor(_output_rate, needs=LENGTHS),
    "output_throughput_per_gpu": Predictor(_output_rate_per_device, needs=LENGTHS),
    "total_throughput_in_plus_out": Predictor(_total_rate, needs=LENGTHS),
    **dict.fromkeys(MLPERF, Predictor(_mlperf, needs=("osl",))),
    "gpu_memory_used": Predictor(_memory),
    "weight_memory_per_gpu": Predictor(_weights, loaded=False),
    "kv_memory_per_gpu": Predictor(_room, loaded=False),
    "kv_capacity_tokens": Predictor(_cache_tokens, loaded=False),
    "fits_in_memory": Predictor(_fits_in_memory, needs=LENGTHS),
    **dict.fromkeys(("mfu", "hfu"), Predictor(_utilisation)),
    **dict.fromkeys(("tflops_model_per_gpu", "tflops_hardware_per_gpu"), Predictor(_flop_rate)),
    "tokens_per_s_per_gpu": Predictor(_training_rate),
    "step_time": Predictor(_step_time, needs=("global_batch_seq", "seq_len")),
    "gpu_hours": Predictor(_gpu_hours, needs=("tokens_b",)),
    "memory_per_gpu": Predictor(_training_memory),
    "average_power_per_gpu": Predictor(_power),
}
