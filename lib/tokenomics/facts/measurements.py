"""Published measurements: typed tables, what each metric means, and what must not be read or scored.

The tables keep the column names of the public input format, so each is itself an input of the scorer. A prediction may
read :func:`input_columns` only: all other columns hold the measured value or were measured together with it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenomics.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("inference_throughput", "inference_latency", "inference_energy", "training_runs")

ANSWER_COLUMNS = {
    "inference_throughput": ("value", "note", "e2e_latency_s", "completed_qps"),
    "inference_latency": (
        "value",
        "note",
        "completed_qps",
        "average_power_fraction_of_tdp",
        "peak_power_fraction_of_tdp",
    ),
    "inference_energy": (
        "value",
        "note",
        "itl_median_ms",
        "output_tok_s",
        "avg_power_w",
        "runtime_s",
        "cpu_energy_j",
        "gpu_memory_used_mb",
    ),
    "training_runs": ("value", "note"),
}
"""Columns of each table that hold the answer or an outcome of the same run (a note may quote one)."""

DOUBTS = ("unverified", "suspect", "early_software", "estimated", "adapters")
"""Why a row may not serve validation; ``adapters``: only adapters were trained, where models are of full training."""
ADAPTERS, SWEEP = "lora", "layout sweep"
"""Kinds of training runs: adapters only; and layouts tried on purpose, bad ones too."""


@dataclass(frozen=True)
class Metric:
    """What a metric is.

    Attributes:
        units: units in which rows give it; none for a verdict.
        better: "higher" or "lower"; empty where neither is better.
        kind: "inference", "memory", "energy" or "training".
        per: what one value stands for: request, device, group (all devices of the row), system, node, run.
    """

    units: tuple[str, ...]
    better: str
    kind: str
    per: str


LATENCIES = ("ttft", "tpot", "itl", "e2e_latency")
STATISTICS = ("mean", "p50", "p90", "p95", "p99")
"""Over the requests of a run; a latency without one is that of equal requests."""
METRICS = {
    "total_throughput_in_plus_out": Metric(("tok/s",), "higher", "inference", "group"),
    "output_throughput_total": Metric(("tok/s",), "higher", "inference", "group"),
    "output_throughput_per_gpu": Metric(("tok/s/GPU",), "higher", "inference", "device"),
    "decode_tok_s_per_user": Metric(("tok/s",), "higher", "inference", "request"),
    "prefill_tok_s": Metric(("tok/s",), "higher", "inference", "group"),
    "output_tok_s_per_request": Metric(("tok/s",), "higher", "inference", "request"),
    "serving_output_tok_s": Metric(("tok/s",), "higher", "inference", "group"),
    "mlperf_offline_throughput": Metric(("tok/s", "samples/s"), "higher", "inference", "system"),
    "mlperf_server_throughput": Metric(("tok/s", "samples/s"), "higher", "inference", "system"),
    "mlperf_interactive_throughput": Metric(("tok/s", "samples/s"), "higher", "inference", "system"),
    "prefill_tok_s_per_node": Metric(("tok/s/node",), "higher", "inference", "node"),
    "decode_tok_s_per_node": Metric(("tok/s/node",), "higher", "inference", "node"),
    **{
        name: Metric(("ms",), "lower", "inference", "request")
        for quantity in LATENCIES
        for name in (quantity, *(f"{quantity}_{statistic}" for statistic in STATISTICS))
    },
    "request_throughput": Metric(("requests/s",), "higher", "inference", "group"),
    "gpu_memory_used": Metric(("MB", "GB"), "lower", "memory", "device"),
    "weight_memory_per_gpu": Metric(("GiB", "GB"), "lower", "memory", "device"),
    "kv_memory_per_gpu": Metric(("GiB", "GB"), "higher", "memory", "device"),
    "kv_capacity_tokens": Metric(("token",), "higher", "memory", "group"),
    "fits_in_memory": Metric((), "", "memory", "group"),
    "energy_per_output_token": Metric(("J/token",), "lower", "energy", "group"),
    "gpu_energy_per_request": Metric(("J/request",), "lower", "energy", "request"),
    "mfu": Metric(("percent",), "higher", "training", "device"),
    "hfu": Metric(("percent",), "higher", "training", "device"),
    "tflops_model_per_gpu": Metric(("TFLOP/s/GPU",), "higher", "training", "device"),
    "tflops_hardware_per_gpu": Metric(("TFLOP/s/GPU",), "higher", "training", "device"),
    "tokens_per_s_per_gpu": Metric(("tok/s/GPU",), "higher", "training", "device"),
    "step_time": Metric(("s",), "lower", "training", "group"),
    "memory_per_gpu": Metric(("GB", "GiB"), "lower", "training", "device"),
    "gpu_hours": Metric(("GPU-hours",), "lower", "training", "run"),
    "energy": Metric(("MWh",), "lower", "training", "run"),
    "average_power_per_gpu": Metric(("W",), "lower", "training", "device"),
    "emissions": Metric(("tCO2e",), "lower", "training", "run"),
}
"""Every metric of the measurement tables, and those that benchmark tools state."""


def read(kind: str) -> "pd.DataFrame":
    """A measurement table, one row a measured number; ``value`` is a number, OOM 0 and ok 1 for ``fits_in_memory``.

    Raises:
        DataError: an unknown kind, or a table that breaks its metadata.
    """
    from tokenomics.facts import tables

    _check("kind", kind, KINDS)
    table = tables.read(f"measurements/{kind}")
    verdicts = {"OOM": "0", "ok": "1"}
    return table.assign(value=table["value"].replace(verdicts).astype("float64"))


def folds() -> "pd.DataFrame":
    """The fixed groups to hold out: table, case, model_family, accelerator (and finer names).

    Raises:
        DataError: a table that breaks its metadata.
    """
    from tokenomics.facts import tables

    return tables.read("measurements/folds")


def input_columns(kind: str) -> list[str]:
    """Columns of a measurement table that a prediction may read.

    Raises:
        DataError: an unknown kind.
    """
    from tokenomics import paths
    from tokenomics.facts import tables

    _check("kind", kind, KINDS)
    meta = tables.read_meta(paths.DATA / "measurements" / f"{kind}.csv")
    return [name for name in meta.columns if name not in ANSWER_COLUMNS[kind]]


def select(
    table: "pd.DataFrame",
    metric: str | Collection[str] | None = None,
    grade: str | Collection[str] | None = None,
    load: str | Collection[str] | None = None,
) -> "pd.DataFrame":
    """Rows with these metrics, grades and loads; ``None`` takes all.

    Raises:
        DataError: a value that no row of the table has, or a column that the table lacks.
    """
    for name, wanted in (("metric", metric), ("grade", grade), ("load", load)):
        if wanted is None:
            continue
        values = {wanted} if isinstance(wanted, str) else set(wanted)
        if name not in table:
            raise DataError("measurements", name, ", ".join(sorted(values)), "no choice: the table lacks this column")
        for value in sorted(values):
            _check(name, value, sorted(table[name].dropna().unique()))
        table = table[table[name].isin(values)]
    return table


def for_validation(table: "pd.DataFrame", without: Collection[str] = DOUBTS) -> "pd.DataFrame":
    """Rows that may serve to validate a model.

    Args:
        table: one of the tables of :func:`read`, or rows of it.
        without: which :data:`DOUBTS` exclude a row.

    Raises:
        DataError: an unknown doubt.
    """
    for doubt in without:
        _check("doubt", doubt, DOUBTS)
    keep = table["value"].notna()
    if "unverified" in without:
        keep &= table["verified"].astype(bool)
    if "suspect" in without:
        keep &= ~table["suspect"].astype(bool)
    if "early_software" in without and "early_software" in table:
        keep &= ~table["early_software"].astype(bool)
    if "estimated" in without and "basis" in table:
        keep &= table["basis"] != "estimated"
    if "adapters" in without and "kind" in table:
        keep &= table["kind"] != ADAPTERS
    return table[keep]


def _check(name: str, value: str, allowed: Collection[str]) -> None:
    if value not in allowed:
        raise DataError("measurements", name, value, ", ".join(allowed))
