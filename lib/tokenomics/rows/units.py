"""Units of metrics: which ones measure it, and what one of each is in SI.

A metric stands for one device, all devices, one request or one run (``METRICS[...].per``); ``tok/s/GPU`` of a metric of
all devices divides by their number, ``samples/s`` by the tokens of a sample.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from numpy.typing import NDArray

from tokenomics.errors import DataError
from tokenomics.facts.measurements import METRICS

TIME = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0}
BYTES = {"byte": 1.0, "B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
BYTES |= {"KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40}
SECOND = ("s", "sec", "second")
TOKENS = {f"{token}/{second}": 1.0 for token in ("tok", "token", "tokens", "t") for second in SECOND}
PER_DEVICE = {f"{each}/{device}": 1.0 for each in TOKENS for device in ("GPU", "device")}
PER_SAMPLE = {"samples/s": 1.0, "requests/s": 1.0, "req/s": 1.0, "qps": 1.0}
RATE = TOKENS | PER_DEVICE | PER_SAMPLE
FLOPS = {f"{p}FLOP/s{s}": f for p, f in (("G", 1e9), ("T", 1e12), ("P", 1e15)) for s in ("", "/GPU")}
FLOPS |= {"TFLOPS": 1e12, "TFLOPs": 1e12}
PER_TOKEN = {"J/token": 1.0, "mJ/token": 1e-3, "Wh/token": 3600.0, "kWh/Mtoken": 3.6, "J/Mtoken": 1e-6}
DIMENSIONS: Mapping[str, Mapping[str, float]] = {
    "ms": TIME,
    "s": TIME,
    "tok/s": RATE,
    "tok/s/GPU": RATE,
    "tok/s/node": {"tok/s/node": 1.0},
    "requests/s": {"requests/s": 1.0, "req/s": 1.0, "qps": 1.0},
    "MB": BYTES,
    "GB": BYTES,
    "GiB": BYTES,
    "token": {"token": 1.0, "tokens": 1.0, "tok": 1.0},
    "percent": {"percent": 0.01, "per cent": 0.01, "%": 0.01, "fraction": 1.0, "1": 1.0},
    "TFLOP/s/GPU": FLOPS,
    "J/token": PER_TOKEN,
    "J/request": {"J/request": 1.0, "kJ/request": 1e3, "Wh/request": 3600.0},
    "GPU-hours": {"GPU-hours": 3600.0, "GPU-h": 3600.0, "GPU hours": 3600.0, "kGPU-hours": 3.6e6},
    "MWh": {"J": 1.0, "Wh": 3600.0, "kWh": 3.6e6, "MWh": 3.6e9, "GWh": 3.6e12},
    "W": {"W": 1.0, "kW": 1e3},
    "tCO2e": {"kgCO2e": 1.0, "tCO2e": 1e3, "gCO2e": 1e-3},
}
"""Units that go with a metric's first unit of :data:`METRICS`, and one of each in SI (token, byte, s, J, kg ...)."""


@dataclass(frozen=True)
class Unit:
    """One unit of one metric: SI value of 1, and whether a group's value is shared out by device or by sample."""

    si: float
    per_device: bool = False
    per_sample: bool = False

    def from_si(self, value: NDArray, metric: str, columns: Mapping[str, NDArray]) -> NDArray:
        """Values in this unit; NaN where a sample's tokens are not known."""
        value = value / self.si
        if self.per_device:
            value = value / columns["n_gpu"]
        if self.per_sample:
            prompt = columns["isl"] if metric == "total_throughput_in_plus_out" else 0.0
            value = value / (columns["osl"] + prompt)
        return value


def unit(metric: str, name: str) -> Unit:
    """A unit of a metric; an empty name means the metric's usual one. Case and spaces do not matter.

    Raises:
        DataError: an unknown metric, or a unit that does not measure it.
    """
    if metric not in METRICS:
        raise DataError("score", "metric", metric, ", ".join(METRICS))
    if not METRICS[metric].units:
        if name.strip():
            raise DataError("score", f"unit of {metric}", name, "none: it is OOM or ok")
        return Unit(1.0)
    table = DIMENSIONS[METRICS[metric].units[0]]
    folded = {_fold(each): each for each in table}
    key = folded.get(_fold(name or METRICS[metric].units[0]))
    if key is None:
        raise DataError("score", f"unit of {metric}", name, ", ".join(table))
    shared = METRICS[metric].per in ("group", "system")
    sampled = table is RATE and key in PER_SAMPLE
    return Unit(table[key], per_device=shared and key in PER_DEVICE, per_sample=sampled)


def usual(metric: str) -> str:
    """The unit in which a metric is usually given; empty where it has none, or nobody knows it."""
    return (METRICS[metric].units or ("",))[0] if metric in METRICS else ""


def _fold(name: str) -> str:
    return name.strip().casefold().replace(" ", "")
