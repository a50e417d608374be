"""What was measured: the share of the data sheet that kernels reach, and errors of held-out predictions."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tokenomics.compute.counts.precision import parse
from tokenomics.compute.inference.provision import Load
from tokenomics.compute.operators import times
from tokenomics.compute.operators.forms import PRECISIONS
from tokenomics.compute.operators.selection import completed, product_dtype
from tokenomics.facts import catalogue, tables
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.models import Model
from tokenomics.notebook.report import Metric
from tokenomics.rows import share_of_bound

SHOWN = {
    ("gemm", "bf16", "flop"): "products, 16 bit",
    ("gemm", "fp8", "flop"): "products, 8 bit",
    ("gemm", "bf16", "byte"): "weights, reading",
    ("all_reduce", "bf16", "byte"): "link, all-reduce",
}
"""Operator, data type and what its efficiency is a share of; its label in the figure."""
SIDE = 8192.0
"""Rows and columns of the weight matrix of the roofline's GEMM."""
OTHERS = "largest product, others"
QUANTITIES = {
    "ttft": "prefill, alone",
    "prefill_tok_s": "prefill, alone",
    "tpot": "decode, static",
    "decode_tok_s_per_user": "decode, static",
    "e2e_latency": "request, static",
    "total_throughput_in_plus_out": "request, static",
    "output_throughput_per_gpu": "request, static",
    "output_throughput_total": "saturated",
    "ttft_mean": "TTFT under load",
    "tpot_mean": "TPOT under load",
}
"""The quantity that a measured metric belongs to."""


def rows_with_bound() -> pd.DataFrame:
    """Published rows of inference that may serve validation, with the share of their bound."""
    rows = [share_of_bound.shares(kind) for kind in ("inference_throughput", "inference_latency")]
    return pd.concat(rows, ignore_index=True)


def kernel_efficiency() -> pd.DataFrame:
    """Share of the data sheet that the kernel of the best engine reaches on large shapes, by accelerator and operator;
    and the fastest GEMM measured by others, which also covers accelerators without operator tables."""
    rows = tables.read("calibration/operators")
    rows = rows[rows["main"].astype(bool)]
    parts = []
    for (operator, dtype, kind), name in SHOWN.items():
        part = rows[(rows["operator"] == operator) & (rows["dtype"] == dtype)]
        best = part.groupby("accelerator")[f"{kind}_efficiency"].max().dropna().astype(float)
        parts.append(pd.DataFrame({"accelerator": best.index, "operator": name, "share": best.to_numpy()}))
    return pd.concat([*parts, _fastest_gemms()], ignore_index=True)


def _fastest_gemms() -> pd.DataFrame:
    """Fastest 16-bit GEMM of any shape that others measured, as a share of the peak."""
    rows = tables.read("catalogue/accelerators").dropna(subset=["matmul_bf16_flop_per_s"])
    rows = rows[rows["device_class"] == "datacenter"]
    peaks = [catalogue.accelerator(name).peak_flop_per_s("bf16") for name in rows["name"]]
    share = rows["matmul_bf16_flop_per_s"].astype(float) / peaks
    return pd.DataFrame({"accelerator": rows["name"], "operator": OTHERS, "share": share})


def kernel_roof(model: Model, devices: Sequence[Accelerator], load: Load, intensity: np.ndarray) -> pd.DataFrame:
    """TFLOP/s of a GEMM with a square weight matrix at growing FLOP per byte: data sheet, and calibrated kernel.

    The matrix is stored in the format that a load gives the model's weights.

    A GEMM of ``m`` rows with weights of ``b`` bytes does ``2 m / b`` FLOP a byte of weights, which is the
    intensity here; so each intensity stands for a number of rows. At the ridge only the line of the data
    sheet has a point.
    """
    curves = []
    for device in map(completed, devices):
        dtype = product_dtype(model, parse(load.format_of(model)), device)
        p = times.parameters(device, "gemm", dtype)
        arithmetic, stored, _ = PRECISIONS[dtype]
        asked = np.unique(np.maximum(np.round(intensity * stored / 2), 1.0))
        rows = np.union1d(asked, np.round(device.ridge_flop_per_byte(arithmetic) * stored / 2))
        x = 2 * rows / stored
        sheet = np.minimum(device.peak_flop_per_s(arithmetic), x * device.bandwidth_bytes_per_s)
        reached = 2 * rows * SIDE**2 / times.gemm_seconds(p, device, rows, SIDE, SIDE)
        reached = np.where(np.isin(rows, asked), reached / 1e12, np.nan)
        columns = {"flop_per_byte": x, "sheet_tflop_per_s": sheet / 1e12, "kernel_tflop_per_s": reached}
        curves.append(pd.DataFrame({"accelerator": device.name, "borrowed": p.relation != "own"} | columns))
    return pd.concat(curves, ignore_index=True)


def held_out() -> pd.DataFrame:
    """Measured rows predicted without their model family: quantity, error, and whether the interval holds them."""
    rows = tables.read("calibration/held_out_family")
    rows = rows.assign(quantity=rows["metric"].map(QUANTITIES))
    ratio = rows["predicted"].astype(float) / rows["measured"].astype(float)
    inside = (rows["low"] <= rows["measured"]) & (rows["measured"] <= rows["high"])
    rows = rows.assign(error=(ratio - 1).abs(), inside=inside.astype(float), bias=ratio - 1)
    return rows.dropna(subset=["quantity"]).reset_index(drop=True)


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Median and 90 % error, bias and coverage by quantity and by whether the model has experts."""
    rows = rows.assign(model=np.where(rows["experts"].astype(bool), "experts", "dense"))
    grouped = rows.groupby(["quantity", "model"])
    table = grouped.agg(
        rows=("error", "size"), median_error=("error", "median"), bias=("bias", "median"), coverage=("inside", "mean")
    )
    table.insert(2, "p90_error", grouped["error"].quantile(0.9))
    return table.reset_index()


def efficiency_metrics(efficiencies: pd.DataFrame) -> dict[str, Metric]:
    """Median share of the data sheet that GEMMs, reading of weights and links reach; the lowest as low end."""
    metrics = {}
    for key, name in (("gemm", "products, 16 bit"), ("weights", "weights, reading"), ("link", "link, all-reduce")):
        shares = efficiencies.loc[efficiencies["operator"] == name, "share"]
        meaning = f"median share of the data sheet, {name}"
        metrics[f"efficiency_{key}"] = Metric(shares.median(), "1", meaning, low=shares.min())
    return metrics


def share_metrics(rows: pd.DataFrame) -> dict[str, Metric]:
    """Median share of the bound by phase; the largest as high end."""
    return {
        f"share_{phase.replace(' ', '_')}": Metric(
            part["share"].median(), "1", f"median share of the bound, {phase}", high=part["share"].max()
        )
        for phase, part in rows.groupby("phase")
    }


def often_measured(rows: pd.DataFrame, least: int = 10) -> list[str]:
    """Accelerators with so many rows or more, the highest median share first."""
    order = rows.groupby("accelerator")["share"].agg(["median", "size"])
    return order[order["size"] >= least].sort_values("median", ascending=False).index.tolist()


def held_out_metrics(held: pd.DataFrame) -> dict[str, Metric]:
    """Rows, coverage and median error of all held-out predictions, and the error by quantity."""
    metrics = {
        "held_out_rows": Metric(len(held), "1", "measured rows with a held-out prediction"),
        "covered": Metric(held["inside"].mean(), "1", "share of these inside their 80 % interval"),
        "error": Metric(held["error"].median(), "1", "median error of all of them", high=held["error"].quantile(0.9)),
    }
    for quantity, rows in held.groupby("quantity"):
        key = "error_" + "_".join(quantity.lower().replace(",", "").split())
        metrics[key] = Metric(rows["error"].median(), "1", f"median error, {quantity}")
    return metrics


def drawn_errors(errors: pd.DataFrame, least: int = 10) -> pd.DataFrame:
    """Lines of :func:`summary` over ``least`` rows or more; the whisker goes from median to p90 error."""
    rows = errors[errors["rows"] >= least]
    return pd.DataFrame(
        {
            "quantity": rows["quantity"] + ", " + rows["model"],
            "rows": rows["rows"],
            "error": rows["median_error"],
            "low_error": rows["median_error"],
            "high_error": rows["p90_error"],
            "bias": rows["bias"],
            "inside_share": rows["coverage"],
        }
    )


def data_metrics(
    rows: pd.DataFrame,
    efficiencies: pd.DataFrame,
    models: Sequence[Model],
    devices: Sequence[Accelerator],
    engine: str,
) -> dict[str, Metric]:
    """How much data stands behind the notebook, and the engine it asks for (empty: the generic profile)."""
    fitted = efficiencies[efficiencies["operator"] != OTHERS]["accelerator"]
    return {
        "rows": Metric(len(rows), "1", "measured rows with a bound"),
        "models": Metric(len(models), "1", "models in the tables"),
        "xpus": Metric(len(devices), "1", "accelerators in the tables"),
        "measured_xpus": Metric(fitted.nunique(), "1", "accelerators with measured operators"),
        "engine": Metric(engine or "the generic profile", "text", "engine"),
    }


def beyond_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Published rows that contradict a bound, with the columns that the table shows."""
    return rows[["model", "hardware", "metric", "ratio", "reason", "source"]]
