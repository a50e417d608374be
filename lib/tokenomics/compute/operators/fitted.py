"""Calibrated parameters of operators: read from ``data/calibration``, or borrowed from the nearest relative.

A row holds what :mod:`tokenomics.calibration.operators` found for one operator on one accelerator in one data type with
one engine's kernel, and how far the formula was off on shapes that the fit had not seen. An accelerator without a row
takes a relative's efficiencies with its own data sheet; the interval is then the one seen when measured accelerators
were left out and predicted the same way.
"""

import csv
import dataclasses
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics import paths
from tokenomics.errors import DataError
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.engines import measured_kernels

TABLE = paths.DATA / "calibration" / "operators.csv"
TRANSFER = paths.DATA / "calibration" / "transfer.csv"
COLLECTIVES = "nccl"
"""The vendor's library, whose all-to-all every engine uses."""
RELATIONS = ("own", "generation", "vendor", "other")
TEXT = ("accelerator", "operator", "dtype", "engine", "engine_version", "kernel", "relation")


@dataclass(frozen=True)
class OperatorParameters:
    """What the formulas of ``operators.times`` need; fields an operator does not use keep the default.

    Attributes:
        accelerator, operator, dtype, engine, engine_version, kernel: what was measured.
        compute_units: multiprocessors of the device; a given, not fitted.
        floor_s: seconds of the smallest call.
        flop_efficiency: share of the dense peak that large products reach, in (0, 1].
        byte_efficiency: share of the memory (or link) bandwidth that large transfers reach, in (0, 1].
        exponent: of the smooth maximum; 1 adds, large takes the longer time.
        wave: how much of an incomplete last wave of tiles is lost, in [0, 1].
        partial_wave: the same when there are fewer tiles than units (splitting the depth hides it).
        ramp: depth (inner dimension or head dimension) at which half the time is start-up.
        tile_rows, tile_columns: tile of a product; chosen among a few.
        extra_traffic: bytes moved apart from the product per activation element (quantising, permuting).
        extra_floor_s: more floor from :data:`tokenomics.compute.operators.forms.SWITCH_ROWS` rows on.
        wave_s: seconds of each wave of query tiles.
        block_tokens: tokens by which a causal or cached range is padded.
        head_s, kv_head_s: seconds per sequence and query head, and per sequence and key head.
        fill: waves' worth of key blocks needed to fill half the memory pipeline.
        cache_bytes, cache_gain: last-level cache (given), and what is left of the reading time of a working set that
            stays there when a benchmark repeats a call; serving does not find it there.
        expert_s: seconds per expert of the layer (sorting, scheduling).
        expert_rows: rows by which each touched expert's batch is padded, on average twice over.
        skew_distinct, skew_load: with skewed routing, share of choices that reach another expert, and the exponent of
            the fullest device's load in the number of devices.
        device_s: seconds per participating device.
        log_q10, log_q90: quantiles of log(measured / predicted) on held-out shapes.
        relation: whose parameters these are: ``own``, or borrowed within the ``generation``, the ``vendor``, ``other``.
    """

    accelerator: str
    operator: str
    dtype: str
    engine: str
    engine_version: str = ""
    kernel: str = ""
    compute_units: float = 1.0
    floor_s: float = 0.0
    flop_efficiency: float = 1.0
    byte_efficiency: float = 1.0
    exponent: float = 1.0
    wave: float = 0.0
    partial_wave: float = 0.0
    ramp: float = 0.0
    tile_rows: float = 128.0
    tile_columns: float = 128.0
    extra_traffic: float = 0.0
    extra_floor_s: float = 0.0
    wave_s: float = 0.0
    block_tokens: float = 0.0
    head_s: float = 0.0
    kv_head_s: float = 0.0
    fill: float = 0.0
    cache_bytes: float = 1.0
    cache_gain: float = 1.0
    expert_s: float = 0.0
    expert_rows: float = 0.0
    skew_distinct: float = 1.0
    skew_load: float = 0.0
    device_s: float = 0.0
    log_q10: float = 0.0
    log_q90: float = 0.0
    relation: str = "own"

    def interval(self, seconds: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Low and high seconds between which 80 % of held-out measurements lay around ``seconds``."""
        seconds = np.asarray(seconds, dtype=float)
        return seconds * np.exp(self.log_q10), seconds * np.exp(self.log_q90)


@cache
def parameters(
    device: Accelerator, operator: str, dtype: str, engine: str | None = None, *, left_out: bool = False
) -> OperatorParameters:
    """Parameters of an operator on a device: its own, else those of the nearest relative with a wider interval.

    Args:
        device: the accelerator; one that shares only its name with a measured one is not measured.
        operator: ``gemm``, ``prefill_attention``, ``decode_attention`` (query heads share key heads),
            ``decode_attention_mha`` (they do not), ``prefill_mla``, ``decode_mla``, ``expert_gemm``, ``all_reduce``,
            ``all_to_all`` or ``elementwise``.
        dtype: key of :data:`tokenomics.compute.operators.forms.PRECISIONS`.
        engine: whose kernels; where it was not measured, another engine's stand in.
        left_out: behave as if this device had not been measured.

    Raises:
        DataError: an operator, data type or engine that no row has.
    """
    if engine is not None and engine not in measured_kernels():
        raise DataError("operators.parameters", "engine", engine, ", ".join(measured_kernels()))
    rows = [row for row in _rows() if row.operator == operator and row.dtype == dtype]
    if not rows:
        known = sorted({(row.operator, row.dtype) for row in _rows()})
        raise DataError("operators.parameters", "operator, dtype", f"{operator}, {dtype}", str(known))
    from tokenomics.facts import catalogue

    measured = device.name if catalogue.holds(device) else None
    own = [row for row in rows if row.accelerator == measured]
    others = [row for row in rows if row.accelerator != measured]
    if own and not (left_out and others):
        return _of_engine(own, engine)
    known = catalogue.accelerators()
    donor = nearest(device, [known[name] for name in sorted({row.accelerator for row in others})])
    given = _of_engine([row for row in others if row.accelerator == donor.name], engine)
    low, high = _transfer_quantiles()[operator, relation(device, donor)]
    widened = {"log_q10": min(low, given.log_q10), "log_q90": max(high, given.log_q90)}
    return borrowed(given, donor, device, **widened)


def _of_engine(rows: list[OperatorParameters], engine: str | None) -> OperatorParameters:
    order = (engine, *measured_kernels(), COLLECTIVES)
    return min(rows, key=lambda row: order.index(row.engine))


def nearest(device: Accelerator, donors: list[Accelerator]) -> Accelerator:
    """The donor most like a device: generation, else vendor and kind, then class, memory bandwidth and name."""

    def distance(donor: Accelerator) -> tuple:
        differs = [
            relation(device, donor) != "generation",
            (device.vendor, device.kind) != (donor.vendor, donor.kind),
            device.device_class != donor.device_class,
        ]
        ratio = abs(np.log(device.bandwidth_bytes_per_s / donor.bandwidth_bytes_per_s))
        return *differs, ratio, donor.name

    return min(donors, key=distance)


def relation(device: Accelerator, donor: Accelerator) -> str:
    """How near two accelerators are: ``generation`` (and class), ``vendor`` or ``other``.

    Within one generation data-centre and consumer chips differ in kind (Blackwell with HBM or GDDR), so a shared
    generation counts only within a class.
    """
    if device.vendor != donor.vendor:
        return "other"
    same = (device.generation, device.device_class) == (donor.generation, donor.device_class)
    return "generation" if same else "vendor"


def borrowed(
    given: OperatorParameters, donor: Accelerator, device: Accelerator, **changes: float
) -> OperatorParameters:
    """A donor's parameters for another device; within a generation, units scale with the 16-bit peak."""
    near = relation(device, donor)
    units = given.compute_units
    if near == "generation":
        units = max(1.0, round(units * device.peak_flop_per_s("bf16") / donor.peak_flop_per_s("bf16")))
    return dataclasses.replace(given, compute_units=units, relation=near, **changes)


@cache
def _rows() -> tuple[OperatorParameters, ...]:
    """Main kernels of the table; the others are there to be read."""
    names = {each.name for each in dataclasses.fields(OperatorParameters)}
    found = []
    for row in read_table(TABLE):
        if row["main"] == "true":
            kept = {key: value for key, value in row.items() if key in names and value != ""}
            found.append(OperatorParameters(**{k: v if k in TEXT else float(v) for k, v in kept.items()}))
    return tuple(found)


@cache
def _transfer_quantiles() -> dict[tuple[str, str], tuple[float, float]]:
    rows = read_table(TRANSFER)
    return {(row["operator"], row["relation"]): (float(row["log_q10"]), float(row["log_q90"])) for row in rows}


def read_table(path) -> list[dict[str, str]]:
    """A calibration table, without pandas: this module is imported by code that must start fast."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        raise DataError(paths.shown(path), "file", "missing", "a table written by make calibrate") from None
