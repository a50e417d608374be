"""Does it match *my* benchmark? Predict each row of a file of measurements without looking at its value.

``predict`` is the judge's only way to a model: it hands over input columns, groups rows that differ in numbers only,
and turns SI into each row's unit. A row that cannot be predicted gets a status, never an exception.
"""

import os
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from tokenomics import paths
from tokenomics.compute.bounds import Precision
from tokenomics.compute.counts.precision import fastest, parse
from tokenomics.errors import DataError
from tokenomics.facts import catalogue, names
from tokenomics.facts.accelerators import DTYPES, Accelerator
from tokenomics.rows import reading
from tokenomics.rows.case import Case, Entry, predictors
from tokenomics.rows.units import unit, usual

OUTPUT = ["predicted", "low", "high"]
SHARED = ["metric", "load", "model", "hardware", "precision", "kv_precision", "engine"]
LOADS = ("static", "closed", "open", "max", "production", "training")
KNOWN_NUMBERS = frozenset(name for each in reading.NUMBERS.values() for name in each)
UNSTATED = {"mlperf_": ("isl",)}
"""Columns that results of such loads never state: a model assumes them, or has no answer."""
NAME_STATUS = {"unknown model": "model", "unknown accelerator": "accelerator"}


def predict(inputs: pd.DataFrame, model: str = "bounds") -> pd.DataFrame:
    """Predictions of rows in their own units.

    Args:
        inputs: ``Chunk.inputs``; columns other than those are not looked at.
        model: a model of :mod:`tokenomics.rows.case`.

    Returns:
        One row an input row, same index: predicted, low, high (NaN where open or not predicted) and status.

    Raises:
        DataError: an unknown model.
    """
    entries = predictors(model)
    numbers = {name: inputs[name].to_numpy(float) for name in inputs if name in KNOWN_NUMBERS}
    made, status = np.full((len(inputs), 3), np.nan), np.full(len(inputs), "ok", dtype=object)
    units = inputs["unit"].to_numpy()
    for key, rows in inputs.groupby(SHARED, sort=False).indices.items():
        shared = dict(zip(SHARED, key, strict=True))
        reason = _refusal(entries, shared)
        if reason:
            status[rows] = reason
            continue
        columns = {name: column[rows] for name, column in numbers.items()}
        made[rows], status[rows] = _predict_group(entries[shared["metric"]], shared, columns, units[rows])
    result = pd.DataFrame(made, columns=OUTPUT, index=inputs.index)
    return result.assign(status=status)


def _refusal(entries: dict[str, Entry], shared: dict[str, str]) -> str:
    """Why no row of a group can be predicted; empty if some can."""
    if record("model", shared["model"]) is None:
        return "unknown model"
    if record("accelerator", shared["hardware"]) is None:
        return "unknown accelerator"
    if _precision(shared, record("accelerator", shared["hardware"])) is None:
        return "unknown precision"
    if shared["load"] not in LOADS and not shared["load"].startswith("mlperf_"):
        return "unknown load"
    return "" if shared["metric"] in entries else "metric not modelled"


def _predict_group(entry: Entry, shared: dict[str, str], columns: dict, units: np.ndarray) -> tuple:
    """Values (rows x 3) and statuses of rows that share everything but numbers."""
    made, status = np.full((len(units), 3), np.nan), np.full(len(units), "ok", dtype=object)
    unstated = next((names for start, names in UNSTATED.items() if shared["load"].startswith(start)), ())
    for name in dict.fromkeys(("n_gpu", *(each for each in entry.needs if each not in unstated))):
        lacks = ~(columns[name] > 0)
        status[lacks] = np.where(status[lacks] == "ok", f"columns missing: {name}", status[lacks] + f", {name}")
    some = np.flatnonzero(status == "ok")
    if not some.size:
        return made, status
    device = record("accelerator", shared["hardware"])
    columns = {name: column[some] for name, column in columns.items()}
    names = (shared["metric"], shared["load"], shared["engine"])
    case = Case(*names, record("model", shared["model"]), device, _precision(shared, device), columns)
    with np.errstate(divide="ignore", invalid="ignore"):
        try:
            found = entry.predict(case)
        except DataError as reason:  # the device publishes no such peak, the layout cannot be ...
            status[some] = f"not possible: {reason.key} {reason.value}"
            return made, status
        values = [np.broadcast_to(np.asarray(each, float), some.shape) for each in (found.value, found.low, found.high)]
        made[some] = _in_units(case, np.stack(values, axis=1), units[some])
    missing = np.isnan(made[some, 0])
    status[some[missing]] = "metric not modelled"
    unfit = ~np.broadcast_to(np.asarray(found.fits, bool), some.shape)
    status[some[unfit]] = "does not fit"
    made[status != "ok"] = np.nan
    return made, status


def _in_units(case: Case, values: np.ndarray, units: np.ndarray) -> np.ndarray:
    result = np.empty_like(values)
    for name in dict.fromkeys(units):
        rows = np.flatnonzero(units == name)
        columns = {key: column[rows][:, None] for key, column in case.columns.items()}
        result[rows] = unit(case.metric, name).from_si(values[rows], case.metric, columns)
    return result


@cache
def record(kind: str, name: str):
    """The model or accelerator that a published name means, or ``None``."""
    if name.endswith(catalogue.FILE_ENDINGS):
        try:
            return getattr(catalogue, kind)(name)
        except DataError:
            return None
    known = getattr(catalogue, kind + "s")()
    found = names.lookup(name, kind, known)
    return None if found is None else known[found]


@cache
def _peaks(device: Accelerator) -> frozenset[str]:
    suffix = {dtype: f"peak_{dtype}_{'op' if dtype == 'int8' else 'flop'}_per_s" for dtype in DTYPES}
    return frozenset(dtype for dtype in DTYPES if getattr(device, suffix[dtype]))


def _precision(shared: dict[str, str], device: Accelerator) -> Precision | None:
    """Storage and arithmetic; ``None`` for an unknown text. MLPerf rows that give none may use the fastest."""
    if not shared["precision"] and shared["load"].startswith("mlperf_"):
        return fastest(_peaks(device))
    default = "bf16" if shared["load"] == "training" else "fp16"
    try:
        return parse(shared["precision"] or default, shared["kv_precision"])
    except DataError:
        return None


def scored(path: Path, models: Iterable[str], rows: int = reading.ROWS) -> Iterator[tuple]:
    """Chunks of a file with each model's predictions: (chunk, {model: predictions})."""
    for chunk in reading.chunks(path, rows):
        yield chunk, {model: predict(chunk.inputs, model) for model in models}


def unknown_names(statuses: pd.DataFrame) -> list[str]:
    """One line a name that does not resolve, with the nearest known ones; at most five, then how many more."""
    lines = []
    for status, kind in NAME_STATUS.items():
        column = "model" if kind == "model" else "hardware"
        odd = statuses.loc[statuses["status"] == status, column].value_counts()
        for name, count in odd.head(5).items():
            try:
                getattr(catalogue, kind)(name)
            except DataError as error:
                lines.append(f"{count} rows: {error}")
        if len(odd) > 5:
            lines.append(f"and {len(odd) - 5} more names of {kind}s that do not resolve")
    return lines


def output_text(chunk: reading.Chunk, made: pd.DataFrame) -> pd.DataFrame:
    """All input columns as published, then predicted, low, high, unit (unless the input has it) and status.

    An empty unit is filled with the metric's usual one, in which the prediction is given.
    """
    text = chunk.text.drop(columns=[c for c in (*OUTPUT, "status") if c in chunk.text])
    verdict = (chunk.inputs["metric"] == "fits_in_memory").to_numpy()
    for name in OUTPUT:
        cells = made[name].map(lambda x: "" if np.isnan(x) else f"{x:.6g}")
        if name == "predicted":
            cells = cells.mask(verdict, cells.replace({"1": "ok", "0": "OOM"}))
        text[name] = cells
    given = text.get("unit", pd.Series("", index=text.index))
    text["unit"] = given.mask(chunk.inputs["unit"] == "", chunk.inputs["metric"].map(usual))
    return text.assign(status=made["status"])


def check_writable(option: str, path: Path, given: Path) -> None:
    """Refuse an output that cannot be written or that would replace the input.

    Raises:
        DataError: the folder is missing or read-only, the path is a folder, or it is the input.
    """
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise DataError("score", option, paths.shown(path), "a file in a folder that exists and can be written")
    if path.resolve() == given.resolve():
        raise DataError("score", option, paths.shown(path), "another file than the input")
