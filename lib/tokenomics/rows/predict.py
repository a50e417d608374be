"""Predict each row of a file of measurements without reading its value.

The scorer calls its models through ``predict`` only: it passes on the input columns, groups rows that differ in numbers
only, and converts SI to the unit of each row. A row that cannot be predicted gets a status, never an exception.
"""

from collections.abc import Mapping
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tokenomics.compute.bounds import Precision
from tokenomics.compute.counts.precision import fastest, labelled, parse, stored
from tokenomics.compute.inference.feasibility import joined
from tokenomics.errors import DataError
from tokenomics.facts import catalogue, names
from tokenomics.facts.accelerators import DTYPES, Accelerator
from tokenomics.facts.engines import published
from tokenomics.rows import feasibility, reading
from tokenomics.rows.case import USUAL, Case, Predictor, Setting
from tokenomics.rows.feasibility import Texts

MODELS = ("best", "bounds", "constant", "inference")
"""Models that ``tokenomics score --model`` accepts."""
OUTPUT = ["predicted", "low", "high"]
SHARED = ["metric", "load", "model", "hardware", "precision", "kv_precision", "engine"]
LOADS = ("static", "closed", "open", "max", "production", "training")
KNOWN_NUMBERS = frozenset(name for columns in reading.NUMBERS.values() for name in columns)
UNSTATED = {"mlperf_": ("isl",)}
"""Columns that results of such loads never state: a model assumes them, or does not predict the row."""


def predictors(model: str) -> Mapping[str, Predictor]:
    """The predictors of a model by metric; its module is imported on demand.

    Raises:
        DataError: an unknown model.
    """
    if model == "best":
        from tokenomics.rows.fallback import PREDICTORS
    elif model == "bounds":
        from tokenomics.rows.bounds import PREDICTORS
    elif model == "constant":
        from tokenomics.rows.constant import PREDICTORS
    elif model == "inference":
        from tokenomics.rows.inference import PREDICTORS
    else:
        raise DataError("score", "model", model, ", ".join(MODELS))
    return PREDICTORS


def predict(
    inputs: pd.DataFrame, model: str | Mapping[str, Predictor] = "bounds", setting: Setting = USUAL
) -> pd.DataFrame:
    """Predictions of rows in their own units.

    Args:
        inputs: ``Chunk.inputs``; other columns are ignored.
        model: one of :data:`MODELS`, or predictors of one's own by metric.
        setting: settings of the caller, for every row.

    Returns:
        One row an input row, same index: predicted, low, high (NaN where open or not predicted), status, and what was
        assumed.

    Raises:
        DataError: an unknown model.
    """
    by_metric = predictors(model) if isinstance(model, str) else model
    numbers = {name: inputs[name].to_numpy(float) for name in inputs if name in KNOWN_NUMBERS}
    values, status = np.full((len(inputs), 3), np.nan), np.full(len(inputs), "ok", dtype=object)
    assumed, units = np.full(len(inputs), "", dtype=object), inputs["unit"].to_numpy()
    for key, rows in inputs.groupby(SHARED, sort=False).indices.items():
        shared = dict(zip(SHARED, key, strict=True))
        reason = _refusal(by_metric, shared)
        if reason:
            status[rows] = reason
            continue
        columns = {name: column[rows] for name, column in numbers.items()}
        predictor = by_metric[shared["metric"]]
        values[rows], status[rows], assumed[rows] = _predict_group(predictor, shared, columns, units[rows], setting)
    result = pd.DataFrame(values, columns=OUTPUT, index=inputs.index)
    return result.assign(status=status, assumed=assumed)


def _refusal(by_metric: Mapping[str, Predictor], shared: dict[str, str]) -> str:
    """Why no row of a group can be predicted; empty if some can."""
    if record("model", shared["model"]) is None:
        return "unknown model"
    if record("accelerator", shared["hardware"]) is None:
        return "unknown accelerator"
    if _precision(shared, record("accelerator", shared["hardware"])) is None:
        return "unknown precision"
    if shared["load"] not in LOADS and not shared["load"].startswith("mlperf_"):
        return "unknown load"
    return "" if shared["metric"] in by_metric else "metric not modelled"


def _predict_group(
    predictor: Predictor, shared: dict[str, str], columns: dict[str, NDArray], units: NDArray, setting: Setting
) -> tuple[NDArray[np.float64], Texts, Texts]:
    """Values (rows x 3), statuses and assumptions of rows that share everything but numbers."""
    values, status = np.full((len(units), 3), np.nan), np.full(len(units), "ok", dtype=object)
    assumed = np.full(len(units), "", dtype=object)
    unstated = next((names for start, names in UNSTATED.items() if shared["load"].startswith(start)), ())
    for name in dict.fromkeys(("n_gpu", *(name for name in predictor.needs if name not in unstated))):
        lacks = ~(columns[name] > 0)
        status[lacks] = np.where(status[lacks] == "ok", f"columns missing: {name}", status[lacks] + f", {name}")
    complete = np.flatnonzero(status == "ok")
    if not complete.size:
        return values, status, assumed
    device = record("accelerator", shared["hardware"])
    case = Case(
        metric=shared["metric"],
        load=shared["load"],
        engine=shared["engine"],
        model=record("model", shared["model"]),
        device=device,
        precision=_precision(shared, device),
        columns={name: column[complete] for name, column in columns.items()},
        setting=setting,
    )
    status[complete], assumed[complete] = feasibility.judge(case)
    if notes := _format(shared)[1]:
        assumed[complete] = [joined([*notes, *filter(None, [each])]) for each in assumed[complete]]
    feasible = status[complete] == "ok"
    if feasible.any():
        case, complete = case.only(np.flatnonzero(feasible)), complete[feasible]
        values[complete], status[complete] = _answers(predictor, case, units[complete])
    return values, status, assumed


def _answers(predictor: Predictor, case: Case, units: NDArray) -> tuple[NDArray[np.float64], Texts]:
    """Values (rows x 3) and statuses of feasible rows."""
    count = len(units)
    nothing, status = np.full((count, 3), np.nan), np.full(count, "ok", dtype=object)
    with np.errstate(divide="ignore", invalid="ignore"):
        try:
            prediction = predictor.predict(case)
        except DataError as reason:  # the device publishes no such peak
            status[:] = f"not judgeable: {reason.key} {reason.value}"
            return nothing, status
        ends = (prediction.value, prediction.low, prediction.high)
        ends = [np.broadcast_to(np.asarray(each, float), count) for each in ends]
        values = _in_units(case, np.stack(ends, axis=1), units)
    nothing_known = (
        np.isnan if case.setting.plain else lambda value: ~np.isfinite(value)
    )  # a fit asks for rates of no time
    status[nothing_known(values[:, 0])] = "metric not modelled"
    status[~np.broadcast_to(np.asarray(prediction.fits, bool), count)] = "infeasible: weights do not fit"
    return np.where((status == "ok")[:, None], values, np.nan), status


def _in_units(case: Case, values: NDArray[np.float64], units: NDArray) -> NDArray[np.float64]:
    result = np.empty_like(values)
    for name in dict.fromkeys(units):
        rows = np.flatnonzero(units == name)
        columns = {key: column[rows][:, None] for key, column in case.columns.items()}
        result[rows] = reading.unit(case.metric, name).from_si(values[rows], case.metric, columns)
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
    canonical = names.lookup(name, kind, known)
    return None if canonical is None else known[canonical]


@cache
def _peaks(device: Accelerator) -> frozenset[str]:
    suffix = {dtype: f"peak_{dtype}_{'op' if dtype == 'int8' else 'flop'}_per_s" for dtype in DTYPES}
    return frozenset(dtype for dtype in DTYPES if getattr(device, suffix[dtype]))


def _precision(shared: dict[str, str], device: Accelerator) -> Precision | None:
    """Storage and arithmetic; ``None`` for an unknown text. MLPerf rows that give none may use the fastest."""
    if not shared["precision"] and shared["load"].startswith("mlperf_"):
        return fastest(_peaks(device))
    try:
        return parse(_format(shared)[0], shared["kv_precision"], wide_cache=published(shared["engine"]).wide_cache)
    except DataError:
        return None


def _format(shared: dict[str, str]) -> tuple[str, list[str]]:
    """The format of the weights, and what was assumed of it; training keeps 16 bit, and MLPerf names its own."""
    model = record("model", shared["model"])
    if shared["precision"]:
        return labelled(model, shared["precision"])
    if shared["load"] == "training" or shared["load"].startswith("mlperf_"):
        return "bf16", []
    return stored(model, otherwise="fp16")
