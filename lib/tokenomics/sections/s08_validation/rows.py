"""Measured rows beside their held-out predictions, with load, precision and the like of each row.

The tables of measurements state them; of the silicon sample lengths and data type are read from the id of a row, where
it names them.
"""

import re
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tokenomics import paths
from tokenomics.compute.counts.precision import parse
from tokenomics.compute.deployment import Deployment
from tokenomics.compute.inference import durations
from tokenomics.compute.inference.engines import NONE, Work
from tokenomics.compute.inference.intervals import keys
from tokenomics.compute.layout import Layout
from tokenomics.errors import DataError
from tokenomics.facts import catalogue, measurements, tables
from tokenomics.facts.engines import of_profile
from tokenomics.notebook.report import Metric
from tokenomics.rows import reading
from tokenomics.rows.inference import quantity
from tokenomics.rows.units import unit

FOLDS = ("family", "accelerator")
"""What is held out of the profile that predicts a row; the second also takes the operators of another accelerator."""
KEY = ["table", "case", "metric"]
KINDS = ("inference_throughput", "inference_latency")
SILICON, MEMORY = "silicon_sample", "memory"
KNOWN = ["load", "grade", "precision", "hardware", "parallelism", "early_software", "model", "isl", "osl", "batch"]
RATES = re.compile(r"throughput|tok_s")
LENGTHS = r"_(\d+)x(\d+)"
DATA_TYPE = r"_(?:nv)?fp([48])_"
NOT_NAMED = "not in the id"
VALUES = ["measured", "predicted", "low", "high"]


def held_out(fold: str) -> pd.DataFrame:
    """All rows of a fold.

    Args:
        fold: one of :data:`FOLDS`.

    Returns:
        The columns of ``held_out_*.csv``; those of :data:`KNOWN` where published (``isl``, ``osl`` also from ids);
        ``quantity``, ``bits`` (weights, as text), ``vendor``, ``verdict`` (False), ``error`` (relative, signed) and
        ``log_ratio`` (ln of predicted over measured duration: above zero is predicted too slow, whatever the metric).
    """
    rows = tables.read(f"calibration/held_out_{fold}")
    rows = rows.merge(_published(), on=["table", "case"], how="left", validate="many_to_one")
    sample = rows["table"] == SILICON
    lengths = rows.loc[sample, "case"].str.extract(LENGTHS).astype(float)
    rows.loc[sample, ["isl", "osl"]] = lengths.to_numpy()
    rows.loc[sample, ["load", "grade"]] = ("closed", "B")
    named = rows.loc[sample, "case"].str.extract(DATA_TYPE)[0]
    bits = rows["precision"].map(weight_bits).mask(sample, named.map("{} bit".format, na_action="ignore"))
    vendors = {name: catalogue.accelerator(name).vendor for name in rows["accelerator"].unique()}
    slower = np.where(is_rate(rows), -1.0, 1.0)
    return rows.assign(
        quantity=[quantity(*each) for each in zip(rows["metric"], rows["load"], strict=True)],
        bits=bits.fillna(NOT_NAMED),
        vendor=rows["accelerator"].map(vendors),
        experts=rows["experts"].astype(bool),
        verdict=False,
        error=rows["predicted"] / rows["measured"] - 1,
        log_ratio=slower * np.log(rows["predicted"] / rows["measured"]),
    )


def is_rate(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether each row's value is a rate; else it is a duration in seconds."""
    return rows["metric"].str.contains(RATES).to_numpy()


def units(rows: pd.DataFrame) -> NDArray[np.str_]:
    """The unit of each row's measured and predicted value."""
    return np.where(rows["quantity"] == MEMORY, "byte", np.where(is_rate(rows), "tok/s", "s"))


def metrics(rows: pd.DataFrame) -> dict[str, Metric]:
    """How many rows, model families and accelerators there are."""
    return {
        "rows": Metric(len(rows), "1", "measured rows with a held-out prediction"),
        "families": Metric(rows["family"].nunique(), "1", "model families, each held out in turn"),
        "accelerators": Metric(rows["accelerator"].nunique(), "1", "accelerators, each held out in turn"),
    }


def published_si(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows that were published, with ``measured`` as in ``rows`` and ``published`` read anew, both in SI units."""
    table = all_inputs().merge(rows[[*KEY, "measured"]], on=KEY)
    si = [unit(*each).si for each in zip(table["metric"], table["unit"], strict=True)]
    return table.assign(published=table["value"] * si)


def seconds(rows: pd.DataFrame, columns: tuple[str, ...] = ("measured", "predicted")) -> pd.DataFrame:
    """Columns as durations in seconds, a rate as seconds a token."""
    values = rows[list(columns)].to_numpy(float)
    return pd.DataFrame(np.where(is_rate(rows)[:, None], 1 / values, values), rows.index, list(columns))


@cache
def weight_bits(text: object) -> str:
    """A published precision as ``16 bit``, ``8 bit`` or ``4 bit`` (of weights); empty or unknown is ``not stated``."""
    if not isinstance(text, str):
        return "not stated"
    try:
        bits = float(np.max(parse(text).weights.bits))
    except DataError:
        return "not stated"
    return "16 bit" if bits > 9 else "8 bit" if bits > 6 else "4 bit"


def inputs(kind: str) -> pd.DataFrame:
    """What a predictor may see of a table of measurements, with ``table, case, source, value`` beside it.

    Only rows that are verified and not suspect.
    """
    table = measurements.read(kind)
    chunk = next(reading.chunks(paths.DATA / "measurements" / f"{kind}.csv", rows=len(table)))
    keep = measurements.for_validation(table, without=("unverified", "suspect")).index
    about = {name: table.loc[keep, name] for name in ("case", "source", "grade")}
    # A verdict (fits or not) has a value too: 1 or 0.
    return chunk.inputs.loc[keep].assign(table=kind, **about, value=chunk.measured[keep])


def all_inputs() -> pd.DataFrame:
    """:func:`inputs` of both tables."""
    return pd.concat([inputs(kind) for kind in KINDS], ignore_index=True)


def seen_elsewhere(rows: pd.DataFrame) -> NDArray[np.float64]:
    """How many rows of other model families each row's engine profile was fitted to; NaN where the table lacks it.

    Zero for memory, to which no number is fitted.
    """
    fits = tables.read("calibration/engines")
    keys = zip(fits["name"], fits["experts"].astype(bool), fits["without"], strict=True)
    counts = dict(zip(keys, fits["rows"].astype(float), strict=True))
    asked = zip(rows["profile"], rows["experts"], rows["family"], strict=True)
    seen = np.array([counts.get((name, bool(moe), family), np.nan) for name, moe, family in asked])
    return np.where(rows["quantity"] == MEMORY, 0.0, seen)


def interval_left_out(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether the residuals behind each row's interval were taken without its family."""
    table = tables.read("calibration/intervals")
    names = zip(table["profile"], table["kind"], table["quantity"], table["without"], strict=True)
    filled = dict(zip(names, table["log_low"].notna(), strict=True))
    left_out = []
    for row in rows.itertuples():
        groups = keys(row.profile, row.kind, row.quantity, row.experts)
        used = [own for own in ((*group, row.family) for group in groups) if filled.get(own)]
        open_ones = [group for group in groups if (*group, row.family) not in filled and filled.get((*group, NONE))]
        first_open = min((groups.index(each) for each in open_ones), default=len(groups))
        left_out.append(bool(used) and groups.index(used[0][:3]) < first_open)
    return np.array(left_out)


def without_duplicates(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows without those of the silicon sample that equal an earlier one in all but the id, so were published twice."""
    same = ["table", "metric", "profile", "family", "accelerator", "isl", "osl", "measured"]
    return rows[~((rows["table"] == SILICON) & rows.duplicated(same))]


def _published() -> pd.DataFrame:
    frames = [measurements.read(kind).reindex(columns=["case", *KNOWN]).assign(table=kind) for kind in KINDS]
    published = pd.concat(frames, ignore_index=True)
    return published.astype({"isl": float, "osl": float, "batch": float, "early_software": object})


class StaticBatch(NamedTuple):
    """A held-out row, the work of its device (seconds, steps, sequence-steps), and the fit of its profile."""

    row: pd.Series
    work: Work
    fit: pd.Series


def static_batch(rows: pd.DataFrame) -> StaticBatch:
    """The first static batch of a dense model at 16 bit on a single device under TensorRT-LLM, in order of case.

    Args:
        rows: of :func:`held_out`, families held out.
    """
    simple = (rows["source"] == "llm_inference_bench") & (rows["profile"] == "trtllm 2024") & ~rows["experts"]
    simple &= (rows["parallelism"] == "single_device") & (rows["bits"] == "16 bit") & (rows["kind"] == "own")
    row = rows[simple].sort_values("case").iloc[0]
    model, device = catalogue.model(row["model"]), catalogue.accelerator(row["accelerator"])
    engine = of_profile(row["profile"])
    serving = Deployment(model, device, parse(row["precision"]), Layout(), engine.kernels, engine.fuses)
    work = durations.static_batch(serving, row["profile"], row["batch"], row["isl"], row["osl"])
    fits = tables.read("calibration/engines")
    same = (fits["name"] == row["profile"]) & (fits["without"] == row["family"]) & ~fits["experts"].astype(bool)
    return StaticBatch(row, work, fits[same].iloc[0])
