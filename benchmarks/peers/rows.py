"""Which measured rows a peer is asked for, as operating points; a measured value is never read here.

A row is a point (model, device, layout, precision, batch, lengths) and a metric. Peers give at most three quantities of
a point, all for the whole tensor-parallel group: time of the prefill, mean time of a decode step, and greatest output
rate. :func:`value` turns them into the metric of the row, alike for every peer.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from tokenomics.compute.counts import precision
from tokenomics.facts import catalogue, measurements
from tokenomics.facts.models import Model

TABLES = ("inference_latency", "inference_throughput")
PREFILL_ONLY = ("ttft", "prefill_tok_s")
STEP_ONLY = ("tpot", "decode_tok_s_per_user")
WHOLE_BATCH = (
    "e2e_latency",
    "total_throughput_in_plus_out",
    "output_throughput_total",
    "output_throughput_per_gpu",
)
METRICS = (*PREFILL_ONLY, *STEP_ONLY, *WHOLE_BATCH)
LOADS = ("static", "max")
VENDOR = "NVIDIA"
PLAIN_16 = ("fp16", "bf16")


class CannotDoError(Exception):
    """A row that a peer cannot predict; the text is a status of the table, never a sentence."""


@dataclass(frozen=True)
class Point:
    """An operating point of one tensor-parallel group.

    Attributes:
        model, accelerator: canonical names of the catalogue.
        tp: devices of the group.
        weights: "16", "fp8", "w8a16" (8-bit weights, 16-bit arithmetic) or "w4a16".
        kv_bits: bits of a cached number.
        engine: inference engine as published, without version.
        batch: sequences decoded together; 0 under a load of ``max``, where the peer chooses.
        isl, osl: input and output tokens a sequence.
    """

    model: str
    accelerator: str
    tp: int
    weights: str
    kv_bits: int
    engine: str
    batch: int
    isl: int
    osl: int


@dataclass(frozen=True)
class Times:
    """What a peer says of a point, asked for only where a metric needs it.

    Attributes:
        prefill_ms: milliseconds from the start to the first token of all sequences.
        step_ms: milliseconds of a decode step, mean over the output.
        max_output_tok_s: output tokens a second of the group with in-flight batching, at its best batch.
    """

    prefill_ms: Callable[[], float]
    step_ms: Callable[[], float]
    max_output_tok_s: Callable[[], float]


def asked() -> pd.DataFrame:
    """Rows to predict, of both tables: input columns, canonical names, ``table``; sorted by table and case."""
    parts = []
    for name in TABLES:
        rows = measurements.read(name)[measurements.input_columns(name)]
        groups = measurements.folds()
        groups = groups[groups["table"] == name].rename(columns={"model": "model_name", "accelerator": "device"})
        parts.append(rows.merge(groups[["table", "case", "model_name", "device"]], on="case"))
    rows = pd.concat(parts, ignore_index=True)
    devices = catalogue.accelerators()
    ours = rows["device"].map(lambda name: name in devices and devices[name].vendor == VENDOR)
    rows = rows[ours & rows["load"].isin(LOADS) & rows["metric"].isin(METRICS) & rows["model_name"].notna()]
    return rows.sort_values(["table", "case"], ignore_index=True)


def point(row: pd.Series) -> Point:
    """The operating point of a row.

    A prompt of unstated length counts as one token where only decode steps matter.

    Raises:
        CannotDoError: no tensor-parallel group, a length that the metric needs is unstated, or a quantised file format.
    """
    devices = int(row["n_gpu"])
    if row["parallelism"] not in ("single_device", "tensor_parallel") or _number(row["pp"], 1) != 1:
        raise CannotDoError("layout")
    weights, kv_bits = _precision(row)
    return Point(
        row["model_name"],
        row["device"],
        int(_number(row["tp"], devices)),
        weights,
        kv_bits,
        "" if pd.isna(row["engine_name"]) else row["engine_name"],
        0 if row["load"] == "max" else int(_number(row.get("sequences"), _number(row["batch"], 1))),
        _length(row, "isl", optional=row["metric"] in STEP_ONLY),
        _length(row, "osl", optional=row["metric"] in PREFILL_ONLY),
    )


def value(row: pd.Series, at: Point, times: Times) -> float:
    """The metric of a row in its published unit (ms, tok/s, tok/s/GPU) from a peer's times.

    The prefill gives the first token, so ``osl - 1`` steps follow, as in ``compute.bounds.generate_seconds``.
    """
    metric = row["metric"]
    if row["load"] == "max":
        return times.max_output_tok_s()
    if metric in PREFILL_ONLY:
        ms = times.prefill_ms()
        return ms if metric == "ttft" else 1e3 * at.batch * at.isl / ms
    if metric in STEP_ONLY:
        ms = times.step_ms()
        return ms if metric == "tpot" else 1e3 / ms
    ms = times.prefill_ms() + ((at.osl - 1) * times.step_ms() if at.osl > 1 else 0.0)
    if metric == "e2e_latency":
        return ms
    tokens = at.isl + at.osl if metric == "total_throughput_in_plus_out" else at.osl
    devices = int(row["n_gpu"]) if metric == "output_throughput_per_gpu" else 1
    return 1e3 * at.batch * tokens / ms / devices


def plain(model: Model) -> Model:
    """The model, if it is one that all peers' shapes can express: whole heads, no latent or linear attention.

    A sliding window is left out: no row's context exceeds the window of its model.

    Raises:
        CannotDoError: any other architecture.
    """
    mixed = model.is_moe and model.dense_layers > 0
    if model.is_mla or model.linear_layers or mixed or model.shared_width or float(model.kv_heads) % 1:
        raise CannotDoError("model")
    return model


def _precision(row: pd.Series) -> tuple[str, int]:
    """How weights are stored and multiplied, and bits of the cache; integer weights are weight-only (gpt-fast's)."""
    text, cache = ("" if pd.isna(row[name]) else row[name] for name in ("precision", "kv_precision"))
    parsed = precision.parse(text, cache)
    bits = float(parsed.weights.bits)
    if bits == 16 and parsed.dtype in PLAIN_16:
        return "16", int(parsed.kv_bits)
    if bits == 8 and parsed.dtype == "fp8":
        return "fp8", int(parsed.kv_bits)
    if bits in (4, 8) and parsed.dtype == "int8" and row["engine_name"] == "gpt-fast":
        return f"w{int(bits)}a16", int(parsed.kv_bits)
    raise CannotDoError("precision")


def _length(row: pd.Series, name: str, optional: bool) -> int:
    length = _number(row[name], 1 if optional else math.nan)
    if math.isnan(length):
        raise CannotDoError("length")
    return round(length)


def _number(cell: object, default: float) -> float:
    return default if cell is None or pd.isna(cell) else float(cell)
