"""The model ``bounds`` of the scorer: floors of times and memory, ceilings of rates, from first principles.

Each metric of the measurement tables is the bound that it cannot cross; the other side stays open. Rows say how
requests arrive, and the bound follows: a static batch moves in lockstep; in any other load a request may find itself
alone, so its times are those of a batch of one, and rates are those of a queue never empty.
"""

import numpy as np
from numpy.typing import ArrayLike

from tokenomics.compute import bounds
from tokenomics.compute.counts.parameters import parameters
from tokenomics.rows.case import Case, Prediction, register

MLPERF_LOADS = ("mlperf_offline", "mlperf_server", "mlperf_interactive", "mlperf_singlestream")
TTFT = ("ttft", "ttft_mean", "ttft_p50", "ttft_p95", "ttft_p99")
TPOT = ("tpot", "tpot_mean", "tpot_p99", "itl_mean", "itl_p50", "itl_p95")
RATES = ("output_throughput_total", "output_throughput_per_gpu", "serving_output_tok_s")
MLPERF = ("mlperf_offline_throughput", "mlperf_server_throughput")
LOCKSTEP = "static"


def floor(case: Case, value: ArrayLike) -> Prediction:
    """A least value; the upper side is open."""
    return Prediction(value, low=value, fits=_fits(case))


def ceiling(case: Case, value: ArrayLike) -> Prediction:
    """A greatest value; the lower side is open."""
    return Prediction(value, high=value, fits=_fits(case))


def _fits(case: Case) -> ArrayLike:
    """Whether the weights alone fit; training is not judged, since it may offload."""
    return True if case.load == "training" else bounds.devices_to_hold(case.deployment, 0) <= case["n_gpu"]


def _batch(case: Case) -> ArrayLike:
    return case.known("batch", 1) if case.load == LOCKSTEP else np.ones_like(case["batch"])


@register("bounds", TTFT, needs=["isl"])
def _ttft(case: Case) -> Prediction:
    return floor(case, bounds.prefill_seconds(case.deployment, _batch(case), case["isl"]))


@register("bounds", TPOT)
def _tpot(case: Case) -> Prediction:
    return floor(case, _step_seconds(case))


def _step_seconds(case: Case) -> ArrayLike:
    """Decode step after the prompt (an unknown prompt counts as none): no later step is shorter."""
    return bounds.decode_step_seconds(case.deployment, _batch(case), case.known("isl", 0) + 1)


@register("bounds", ["decode_tok_s_per_user"])
def _user_rate(case: Case) -> Prediction:
    return ceiling(case, 1 / _step_seconds(case))


@register("bounds", ["prefill_tok_s"], needs=["isl"])
def _prefill_rate(case: Case) -> Prediction:
    batch = case.known("batch", 1)
    return ceiling(case, batch * case["isl"] / bounds.prefill_seconds(case.deployment, batch, case["isl"]))


def _request_seconds(case: Case) -> ArrayLike:
    """A request from arrival to last token; with a fixed number in flight also Little's law on the highest rate."""
    seconds = bounds.generate_seconds(case.deployment, _batch(case), case["isl"], case["osl"])
    if case.load != "closed":
        return seconds
    flight = case.known("batch", 1)
    rate = bounds.output_rate(case.deployment, case["isl"], case["osl"], flight)
    return np.maximum(seconds, flight * case["osl"] / np.where(rate > 0, rate, np.inf))


@register("bounds", ["e2e_latency"], needs=["isl", "osl"])
def _latency(case: Case) -> Prediction:
    return floor(case, _request_seconds(case))


@register("bounds", ["output_tok_s_per_request"], needs=["isl", "osl"])
def _request_rate(case: Case) -> Prediction:
    return ceiling(case, case["osl"] / _request_seconds(case))


def output_rate(case: Case) -> ArrayLike:
    """Output tokens a second of the group, at most: static batch, requests in flight, or what is offered."""
    if case.load == LOCKSTEP:
        return case.known("batch", 1) * case["osl"] / _request_seconds(case)
    flight = case.known("batch", np.inf) if case.load == "closed" else np.inf
    most = bounds.output_rate(case.deployment, case["isl"], case["osl"], flight)
    if case.load == "closed":
        most = np.minimum(most, flight * case["osl"] / _request_seconds(case))
    return np.minimum(most, case.known("rate_qps", np.inf) * case["osl"])


@register("bounds", ["output_throughput_total", "serving_output_tok_s"], needs=["isl", "osl"])
def _output_rate(case: Case) -> Prediction:
    return ceiling(case, output_rate(case))


@register("bounds", ["output_throughput_per_gpu"], needs=["isl", "osl"])
def _output_rate_per_device(case: Case) -> Prediction:
    return ceiling(case, output_rate(case) / case["n_gpu"])


@register("bounds", ["total_throughput_in_plus_out"], needs=["isl", "osl"])
def _total_rate(case: Case) -> Prediction:
    return ceiling(case, output_rate(case) * (case["isl"] + case["osl"]) / case["osl"])


@register("bounds", MLPERF, needs=["osl"])
def _mlperf(case: Case) -> Prediction:
    """Prompt lengths are not published with the results: one token, so that this stays a ceiling."""
    return ceiling(case, bounds.output_rate(case.deployment, case.known("isl", 1), case["osl"]))


@register("bounds", ["gpu_memory_used"])
def _memory(case: Case) -> Prediction:
    return floor(case, _serving_bytes(case) / case["n_gpu"])


@register("bounds", ["fits_in_memory"], needs=["isl", "osl"])
def _fits_in_memory(case: Case) -> Prediction:
    """A verdict, no bound: the memory on the data sheet, of which weights and caches may take all."""
    return Prediction(_serving_bytes(case) <= case["n_gpu"] * case.device.memory_bytes)


def _serving_bytes(case: Case) -> ArrayLike:
    """Weights and caches after the last step, which needs no cache of its own token; unknown lengths count as none."""
    context = np.maximum(case.known("isl", 0) + case.known("osl", 0) - 1, 0)
    return bounds.memory_bytes(case.deployment, case.known("batch", 1), context)


@register("bounds", ["mfu", "hfu"])
def _utilisation(case: Case) -> Prediction:
    return ceiling(case, np.ones_like(case["n_gpu"]))


@register("bounds", ["tflops_model_per_gpu", "tflops_hardware_per_gpu"])
def _flop_rate(case: Case) -> Prediction:
    return ceiling(case, np.full_like(case["n_gpu"], _peak(case)))


@register("bounds", ["tokens_per_s_per_gpu"])
def _training_rate(case: Case) -> Prediction:
    return ceiling(case, _peak(case) / bounds.training_flop(case.model, 1, case.known("seq_len", 1)))


@register("bounds", ["step_time"], needs=["global_batch_seq", "seq_len"])
def _step_time(case: Case) -> Prediction:
    tokens = case["global_batch_seq"] * case["seq_len"]
    return floor(case, _device_seconds(case, tokens) / case["n_gpu"])


@register("bounds", ["gpu_hours"], needs=["tokens_b"])
def _gpu_hours(case: Case) -> Prediction:
    return floor(case, training_device_seconds(case))


def training_device_seconds(case: Case) -> ArrayLike:
    """Device-seconds of a whole training run at peak."""
    return _device_seconds(case, case["tokens_b"] * 1e9)


def _device_seconds(case: Case, tokens: ArrayLike) -> ArrayLike:
    return bounds.training_flop(case.model, tokens, case.known("seq_len", 1)) / _peak(case)


@register("bounds", ["memory_per_gpu"])
def _training_memory(case: Case) -> Prediction:
    """Weights, gradients and Adam's state in mixed precision, shared evenly by all devices; no activations."""
    return floor(case, parameters(case.model).total * bounds.TRAINING_BYTES_PER_PARAMETER / case["n_gpu"])


@register("bounds", ["average_power_per_gpu"])
def _power(case: Case) -> Prediction:
    """The power limit holds on average; NaN where the vendor states none."""
    return ceiling(case, np.full_like(case["n_gpu"], case.device.tdp_w or np.nan))


def _peak(case: Case) -> float:
    return case.device.peak_flop_per_s(case.precision.dtype)
