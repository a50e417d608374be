"""Predict each row of a file of measurements without reading its value.

The scorer calls its models through ``predict`` only: it passes on the input columns, groups rows that differ in numbers
only, and converts SI to the unit of each row. A row that cannot be predicted gets a status, never an exception.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tokenomics.compute.bounds import Precision
from tokenomics.compute.counts.precision import fastest, kept, labelled, stored
from tokenomics.compute.inference.feasibility import joined
from tokenomics.errors import DataError, one_of
from tokenomics.facts import catalogue, names
from tokenomics.facts.accelerators import DTYPES, Accelerator
from tokenomics.facts.engines import published
from tokenomics.facts.measurements import METRICS
from tokenomics.facts.mlperf import dataset
from tokenomics.rows import feasibility
from tokenomics.rows.case import USUAL, Case, Predictor, Setting
from tokenomics.rows.columns import NUMBERS
from tokenomics.rows.feasibility import Texts
from tokenomics.rows.units import unit

MODELS = ("best", "bounds", "constant", "inference")
"""Models that ``tokenomics score --scorer`` accepts."""
OUTPUT = ["predicted", "low", "high"]
CONDITIONS = ("role", "spec_method", "expert_routing")
SHARED = ["model", "hardware", "precision", "kv_precision", "engine", *CONDITIONS, "load", "metric"]
"""Texts by which rows are grouped; in this order, so that rows of one deployment come together and share its tables."""
LOADS = ("static", "closed", "open", "max", "production", "training")
KNOWN_NUMBERS = frozenset(name for columns in NUMBERS.values() for name in columns)
NEEDS = {"closed": ("batch", "isl", "osl"), "open": ("isl", "osl"), "max": ("isl", "osl")}
"""Columns without which a load says nothing, beside what a metric needs: no length is taken to be zero or one."""
PIECES = {"open": 16}
"""Rows of a group that are predicted at a time, of loads that are simulated row by row: progress is told between."""
VERDICT = "fits_in_memory"


def predictors(model: str) -> Mapping[str, Predictor]:
    """The predictors of a model by metric; its module is imported on demand.

    Raises:
        DataError: an unknown model.
    """
    one_of("score", "model", model, MODELS)
    if model == "best":
        from tokenomics.rows.fallback import PREDICTORS
    elif model == "bounds":
        from tokenomics.rows.bounds import PREDICTORS
    elif model == "constant":
        from tokenomics.rows.constant import PREDICTORS
    else:
        from tokenomics.rows.inference import PREDICTORS
    return PREDICTORS


def predict(
    inputs: pd.DataFrame,
    model: str | Mapping[str, Predictor] = "bounds",
    setting: Setting = USUAL,
    *,
    refused: NDArray | None = None,
    told: Callable[[int], None] = lambda rows: None,
) -> pd.DataFrame:
    """Predictions of rows in their own units.

    Args:
        inputs: ``Chunk.inputs``; other columns are ignored.
        model: one of :data:`MODELS`, or predictors of one's own by metric.
        setting: settings of the caller, for every row.
        refused: ``Chunk.refused``: the status of rows that are not to be predicted; empty for all others.
        told: called with the number of rows done since it was called last, again and again.

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
    if refused is not None:
        status = np.where(refused == "", status, refused)
    good = np.flatnonzero(status == "ok")
    done = len(inputs) - len(good)
    for shared, rows in _groups(inputs, good):
        told(done)
        done = len(rows)
        reason = _refusal(by_metric, shared)
        if reason:
            status[rows] = reason
            continue
        columns = {name: column[rows] for name, column in numbers.items()}
        predictor = by_metric[shared["metric"]]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # what comes of it has a status
            values[rows], status[rows], assumed[rows] = _predict_group(predictor, shared, columns, units[rows], setting)
    told(done)
    result = pd.DataFrame(values, columns=OUTPUT, index=inputs.index)
    return result.assign(status=status, assumed=assumed)


def _groups(inputs: pd.DataFrame, good: NDArray[np.int64]) -> Iterator[tuple[dict[str, str], NDArray[np.int64]]]:
    """What rows share, and their numbers, a piece at a time."""
    texts = pd.DataFrame({name: inputs[name].fillna("") if name in inputs else "" for name in SHARED}, inputs.index)
    for key, places in texts.iloc[good].groupby(SHARED).indices.items():
        shared = dict(zip(SHARED, key, strict=True))
        rows = good[places]
        size = PIECES.get(shared["load"], len(rows))
        for start in range(0, len(rows), size):
            yield shared, rows[start : start + size]


def _refusal(by_metric: Mapping[str, Predictor], shared: dict[str, str]) -> str:
    """Why no row of a group can be predicted; empty if some can."""
    if record("model", shared["model"]) is None:
        return "unknown model"
    if record("accelerator", shared["hardware"]) is None:
        return "unknown accelerator"
    if _formats(shared, record("accelerator", shared["hardware"])) is None:
        return "unknown precision"
    if shared["load"] not in LOADS and not shared["load"].startswith("mlperf_"):
        return "unknown load"
    other_kind = shared["load"] == "training" and METRICS[shared["metric"]].kind != "training"
    return "metric not modelled" if other_kind or shared["metric"] not in by_metric else ""


def _predict_group(
    predictor: Predictor, shared: dict[str, str], columns: dict[str, NDArray], units: NDArray, setting: Setting
) -> tuple[NDArray[np.float64], Texts, Texts]:
    """Values (rows x 3), statuses and assumptions of rows that share everything but numbers."""
    values, status = np.full((len(units), 3), np.nan), np.full(len(units), "ok", dtype=object)
    assumed = np.full(len(units), "", dtype=object)
    filled = _dataset_lengths(shared, columns, setting.prompts)
    of_load = (
        NEEDS.get(shared["load"], ()) if METRICS[shared["metric"]].kind == "inference" and predictor.loaded else ()
    )
    for name in dict.fromkeys(("n_gpu", *predictor.needs, *of_load)):
        lacks = np.isnan(columns[name]) if name == "batch" else ~(columns[name] > 0)
        status[lacks] = np.where(status[lacks] == "ok", f"columns missing: {name}", status[lacks] + f", {name}")
    if shared["load"].startswith("mlperf_") and filled is None:
        status[status != "ok"] = f"not judgeable: lengths of MLPerf's data set for {shared['model']} are not known"
    complete = np.flatnonzero(status == "ok")
    if not complete.size:
        return values, status, assumed
    device = record("accelerator", shared["hardware"])
    precision, notes = _formats(shared, device)
    case = Case(
        metric=shared["metric"],
        load=shared["load"],
        engine=shared["engine"],
        model=record("model", shared["model"]),
        device=device,
        precision=precision,
        columns={name: column[complete] for name, column in columns.items()},
        setting=setting,
        **{name: shared[name] for name in CONDITIONS},
    )
    status[complete], assumed[complete] = feasibility.judge(case)
    if filled:
        notes = [*notes, filled]
    if notes:
        assumed[complete] = [joined([*notes, *filter(None, [each])]) for each in assumed[complete]]
    feasible = status[complete] == "ok"
    if feasible.any():
        case, complete = case.only(np.flatnonzero(feasible)), complete[feasible]
        values[complete], status[complete] = _answers(predictor, case, units[complete])
    return values, status, assumed


def _dataset_lengths(shared: dict[str, str], columns: dict[str, NDArray], prompts: float) -> str | None:
    """Fill the lengths that results of MLPerf do not state with the means of the model's data set; what was filled in
    words, empty where nothing was, ``None`` where no data set is known."""
    if not shared["load"].startswith("mlperf_"):
        return ""
    model = record("model", shared["model"])
    known = dataset(shared["model"]) or dataset(model.name)
    if known is None:
        return None
    means, filled = {"isl": prompts * known.input_tokens, "osl": known.output_tokens}, []
    for name, tokens in means.items():
        empty = np.isnan(columns[name])
        if empty.any():
            columns[name] = np.where(empty, tokens, columns[name])
            filled.append(f"{name} {tokens:g}")
    return f"{' and '.join(filled)} of {known.name}" if filled else ""


def _answers(predictor: Predictor, case: Case, units: NDArray) -> tuple[NDArray[np.float64], Texts]:
    """Values (rows x 3) and statuses of feasible rows."""
    count = len(units)
    nothing, status = np.full((count, 3), np.nan), np.full(count, "ok", dtype=object)
    try:
        prediction = predictor.predict(case)
    except DataError as reason:  # the device publishes no such peak
        status[:] = f"not judgeable: {reason.key} {reason.value}"
        return nothing, status
    ends = (prediction.value, prediction.low, prediction.high)
    ends = [np.broadcast_to(np.asarray(each, float), count) for each in ends]
    values = _in_units(case, np.stack(ends, axis=1), units)
    status[np.isnan(values[:, 0])] = "metric not modelled"
    if not case.setting.plain:  # a fit asks for rates of no time
        _refuse_impossible(case, values, status)
    status[~np.broadcast_to(np.asarray(prediction.fits, bool), count)] = "infeasible: weights do not fit"
    return np.where((status == "ok")[:, None], values, np.nan), status


def _refuse_impossible(case: Case, values: NDArray[np.float64], status: Texts) -> None:
    """Rows whose answer is no number that could be measured: without end, or nothing at all."""
    value = values[:, 0]
    status[np.isinf(value)] = f"not judgeable: {case.metric} under load {case.load} has no end"
    if case.metric == VERDICT:
        return
    none = "no rate keeps the limits" if case.metric.startswith("mlperf_server") else f"{case.metric} of nothing"
    status[value <= 0] = f"not judgeable: {none}"


def _in_units(case: Case, values: NDArray[np.float64], names: NDArray) -> NDArray[np.float64]:
    result = np.empty_like(values)
    for name in dict.fromkeys(names):
        rows = np.flatnonzero(names == name)
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
    canonical = names.lookup(name, kind, known)
    return None if canonical is None else known[canonical]


@cache
def _peaks(device: Accelerator) -> frozenset[str]:
    suffix = {dtype: f"peak_{dtype}_{'op' if dtype == 'int8' else 'flop'}_per_s" for dtype in DTYPES}
    return frozenset(dtype for dtype in DTYPES if getattr(device, suffix[dtype]))


def _formats(shared: dict[str, str], device: Accelerator) -> tuple[Precision, list[str]] | None:
    """Storage and arithmetic, and what was assumed of them; ``None`` for an unknown text.

    MLPerf rows that give none may use the fastest.
    """
    if not shared["precision"] and shared["load"].startswith("mlperf_"):
        return fastest(_peaks(device)), ["the fastest format of the device"]
    text, notes = _format(shared)
    try:
        formats, of_cache = kept(
            record("model", shared["model"]), device, published(shared["engine"]), text, shared["kv_precision"]
        )
    except DataError:
        return None
    serves = METRICS[shared["metric"]].kind in ("inference", "memory") and shared["load"] != "training"
    return formats, [*notes, *(of_cache if serves else [])]


def _format(shared: dict[str, str]) -> tuple[str, list[str]]:
    """The format of the weights, and what was assumed of it; training keeps 16 bit, and MLPerf names its own."""
    model = record("model", shared["model"])
    if shared["precision"]:
        return labelled(model, shared["precision"])
    if shared["load"] == "training" or shared["load"].startswith("mlperf_"):
        return "bf16", []
    return stored(model, otherwise="fp16")
