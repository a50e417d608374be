"""Read a file of measurements: recognise its kind from the header, check every cell, set measured values aside.

A chunk holds the rows as published (text, to be written back), the inputs a model may see, and the measured values.
Only :data:`TEXTS` and :data:`NUMBERS` reach a model: no value, no note, no outcome of the same run.

Values stay in the units in which they are published; :func:`unit` says what one is in SI. A metric stands for one
device, all devices, one request or one run (``METRICS[...].per``); ``tok/s/GPU`` of a metric of all devices divides by
their number, ``samples/s`` by the tokens of a sample.
"""

import csv
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tokenomics import paths
from tokenomics.errors import DataError
from tokenomics.facts import measurements
from tokenomics.facts.measurements import ANSWER_COLUMNS, METRICS

REQUIRED = ("model", "hardware", "metric")
TEXTS = ("model", "hardware", "metric", "unit", "load", "precision", "kv_precision", "engine")
LAYOUT = ("n_gpu", "tp", "pp", "dp", "ep")
NUMBERS = {
    "inference": (*LAYOUT, "isl", "osl", "batch", "rate_qps", "requests"),
    "energy": (*LAYOUT, "isl", "osl", "batch"),
    "training": (*LAYOUT, "seq_len", "micro_batch", "global_batch_seq", "tokens_b", "pue", "grid_kgco2_per_kwh"),
}
PUBLISHED = {
    "inference": {"batch": ("sequences", "batch"), "rate_qps": ("rate_qps", "arrival_qps")},
    "energy": {"isl": ("avg_isl",), "osl": ("avg_osl",), "batch": ("avg_batch",)},
    "training": {},
}
"""Columns that give a number, the first non-empty one; its own name where none is listed."""
MARKS = {
    "inference": {"isl", "osl", "load", "batch", "rate_qps", "kv_precision"},
    "energy": {"avg_isl", "avg_osl", "avg_batch", "max_num_seqs", "energy_scope"},
    "training": {"seq_len", "global_batch_seq", "micro_batch", "tokens_b", "recompute"},
}
"""Columns that only one kind has."""
KIND_OF_METRIC = {"inference": "inference", "memory": "inference", "energy": "energy", "training": "training"}
ALSO_OF = {"fits_in_memory": "training"}
"""A second kind in which a metric is measured: whether a model fits, or whether its training ran."""
NEARLY, SHORTEST_MISSPELT = 0.79, 4
"""How similar to a known column, and how long, the name of an unknown one must be to count as misspelt."""
ROWS = 100_000
"""Rows of a chunk, which are in memory at a time."""
MEASURED = {"OOM": 0.0, "ok": 1.0}
MLPERF_OUTPUT_TOKENS = {"llama-2-70b": 294.45, "gpt-j-6b": 30.0}
"""Output tokens a sample where the row gives none: Open-Orca's mean (mlcommons/inference language/llama2-70b/README,
accuracy target); CNN/DailyMail's enforced least (language/gpt-j/backend_PyTorch.py, ``min_new_tokens``)."""

ONE_SEQUENCE = {"engine": r"^llama\.cpp", "source": r"LLM[-_]Inference[-_]Bench"}
"""Rows whose ``batch`` is the prompt chunk of llama-bench (option ``-b``): one sequence ran, as its scripts show."""
TIME = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0}
BYTES = {"byte": 1.0, "B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
BYTES |= {"KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40}
TOKENS = {"tok/s": 1.0, "token/s": 1.0, "tokens/s": 1.0}
PER_DEVICE = {"tok/s/GPU": 1.0, "tokens/s/GPU": 1.0, "tok/s/device": 1.0}
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
    "MB": BYTES,
    "GB": BYTES,
    "percent": {"percent": 0.01, "%": 0.01, "fraction": 1.0, "1": 1.0},
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
class Chunk:
    """Some rows of a file.

    Attributes:
        text: all columns as published.
        inputs: :data:`TEXTS` as text (empty: unknown) and the kind's numbers as floats (NaN: unknown).
        measured: values in each row's unit, ``fits_in_memory`` as 1 (ok) or 0 (OOM), NaN where there is none.
    """

    text: pd.DataFrame
    inputs: pd.DataFrame
    measured: NDArray[np.float64]


def header(path: Path) -> list[str]:
    """Column names of a file.

    Raises:
        DataError: no file, not UTF-8, empty, a column twice, or a required column missing.
    """
    where = paths.shown(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            names = next(csv.reader(file), [])
            first = file.readline()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise DataError(where, "file", str(reason), "a readable CSV with a header line") from None
    if not names or not first.strip():
        raise DataError(where, "file", "empty", "a header line and at least one row")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(where, "column", repeated[0], "every column once")
    for name in REQUIRED:
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            hint = f" (is {near[0]!r} meant to be it?)" if near else ""
            raise DataError(where, "column", f"{name} is missing", ", ".join(REQUIRED) + " are needed" + hint)
    _refuse_misspelt(names, where)
    return names


def _refuse_misspelt(names: list[str], where: str) -> None:
    """Refuse an unknown column that is nearly one which the file lacks: ignoring it would change predictions."""
    wanted = [name for name in _inputs() | {"value"} if name not in names and len(name) >= SHORTEST_MISSPELT]
    for name in ignored(names):
        near = difflib.get_close_matches(name.casefold(), wanted, 1, cutoff=NEARLY)
        if near and len(name) >= SHORTEST_MISSPELT:
            raise DataError(where, "column", name, f"{near[0]}, if that is meant; else rename or drop it")


def _inputs() -> set[str]:
    return {*TEXTS, *(name for each in NUMBERS.values() for name in each)}


def kind_of(path: Path, names: list[str], metrics: pd.Series) -> str:
    """Kind of a file: inference, energy or training, from columns that only one kind has, else from its metrics.

    Raises:
        DataError: columns or metrics of two kinds.
    """
    evidence = {kind: sorted(marks & set(names)) for kind, marks in MARKS.items()}
    evidence = {kind: marks for kind, marks in evidence.items() if marks}
    asked = {KIND_OF_METRIC[METRICS[each].kind]: each for each in metrics.unique() if each in METRICS}
    if not evidence:
        evidence = {kind: [metric] for kind, metric in asked.items()}
    kinds = list(evidence)
    if len(kinds) > 1:
        named = " and ".join(f"{evidence[kind][0]} ({kind})" for kind in kinds)
        raise DataError(paths.shown(path), "columns", named, "one kind a file: inference, energy or training")
    kind = kinds[0] if kinds else "inference"
    for other, metric in asked.items():
        if other != kind and ALSO_OF.get(metric) != kind:
            raise DataError(paths.shown(path), "metric", metric, f"metrics of one kind; the columns are of {kind}")
    return kind


def ignored(names: list[str]) -> list[str]:
    """Columns that are neither read nor known answers, conditions or citations of the measurement tables."""
    known = _inputs() | {"predicted", "low", "high", "status"}
    for kind in measurements.KINDS:
        known |= {*measurements.input_columns(kind), *ANSWER_COLUMNS[kind]}
    return [name for name in names if name not in known]


def chunks(path: Path, rows: int = ROWS) -> Iterator[Chunk]:
    """A file in pieces, so that a million rows need no more memory than one piece.

    Raises:
        DataError: see :func:`header` and :func:`kind_of`; a row of another length, an unknown metric, a unit that does
            not measure it, or a cell that is no number: with line and value.
    """
    names, kind = header(path), None
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            next(reader)
            while piece := list(islice(_rows(path, names, reader), rows)):
                where = _Where(paths.shown(path), [line for line, _ in piece])
                text = pd.DataFrame([cells for _, cells in piece], columns=names, dtype="str")
                kind = kind or kind_of(path, names, text["metric"])
                yield _chunk(kind, text, where)
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(paths.shown(path), "rows", str(error), "UTF-8 text, quotes closed") from None
    if kind is None:
        raise DataError(paths.shown(path), "file", "empty", "a header line and at least one row")


def published(kind: str) -> Chunk:
    """A table of :data:`tokenomics.facts.measurements.KINDS` as one chunk, in the rows of ``measurements.read``."""
    return next(chunks(paths.DATA / "measurements" / f"{kind}.csv", rows=len(measurements.read(kind))))


def _rows(path: Path, names: list[str], reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of every row that is not blank."""
    for cells in reader:
        if not cells:
            continue
        if len(cells) != len(names):
            where = f"{paths.shown(path)}, line {reader.line_num}"
            raise DataError(where, "fields", len(cells), f"{len(names)}, as many fields as the header")
        yield reader.line_num, cells


def _chunk(kind: str, text: pd.DataFrame, where: "_Where") -> Chunk:
    inputs = pd.DataFrame({name: text[name].str.strip() if name in text else "" for name in TEXTS}, index=text.index)
    _check_metrics(inputs, kind, where)
    for name in NUMBERS[kind]:
        inputs[name] = _number(text, PUBLISHED[kind].get(name, (name,)), where)
    if "n_gpu" not in text:
        inputs["n_gpu"] = inputs[["tp", "pp", "dp"]].fillna(1).prod(axis=1)
    if kind == "inference" and set(ONE_SEQUENCE) <= set(text) and "sequences" not in text:
        one = [text[name].str.contains(pattern, case=False) for name, pattern in ONE_SEQUENCE.items()]
        inputs.loc[one[0] & one[1], "batch"] = 1.0
    _fill(inputs, kind)
    return Chunk(text, inputs, _measured(text, where))


@dataclass(frozen=True)
class _Where:
    """Names the line of a row in an error."""

    file: str
    lines: list[int]

    def of(self, row: int) -> str:
        return f"{self.file}, line {self.lines[row]}"


def _check_metrics(inputs: pd.DataFrame, kind: str, where: _Where) -> None:
    """Every metric known and of the file's kind, every unit one of its metric."""
    for (metric, name), rows in inputs.groupby(["metric", "unit"], sort=False).indices.items():
        try:
            unit(metric, name)
        except DataError as error:
            raise DataError(where.of(rows[0]), error.key, error.value or "empty", error.allowed) from None
        if kind not in (KIND_OF_METRIC[METRICS[metric].kind], ALSO_OF.get(metric)):
            raise DataError(where.of(rows[0]), "metric", metric, f"a metric of {kind}: one kind a file")


def _number(text: pd.DataFrame, columns: tuple[str, ...], where: _Where) -> NDArray[np.float64]:
    result = np.full(len(text), np.nan)
    for column in columns:
        if column in text:
            numbers = _parsed(text[column], where, endless=column.endswith("_qps"))
            result = np.where(np.isnan(result), numbers, result)
    return result


def _parsed(cells: pd.Series, where: _Where, endless: bool = False, least: str = ">= 0") -> NDArray[np.float64]:
    cells = cells.str.strip()
    numbers = pd.to_numeric(cells, errors="coerce").to_numpy(float)
    with np.errstate(invalid="ignore"):
        wrong = (cells != "").to_numpy() & ~((numbers >= 0) & (np.isfinite(numbers) | endless))
        if least != ">= 0":
            wrong |= numbers == 0
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(where.of(row), str(cells.name), cells.iloc[row], f"a number {least}, or empty")
    return numbers


def _measured(text: pd.DataFrame, where: _Where) -> NDArray[np.float64]:
    """Values; a verdict for ``fits_in_memory``, a number for everything else."""
    if "value" not in text:
        return np.full(len(text), np.nan)
    cells, verdict = text["value"].str.strip(), (text["metric"].str.strip() == "fits_in_memory").to_numpy()
    wrong = verdict & ~cells.isin(["", *MEASURED]).to_numpy()
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(where.of(row), "value", cells.iloc[row], "OOM or ok for fits_in_memory")
    numbers = _parsed(cells.mask(verdict, ""), where, least="> 0")
    return np.where(verdict, cells.map(MEASURED).to_numpy(float), numbers)


def _fill(inputs: pd.DataFrame, kind: str) -> None:
    """Documented defaults of cells left empty: devices from the layout, load from what is given, lengths of MLPerf.

    A file without ``n_gpu`` is of single devices unless it gives a layout; an empty cell means that nobody knows.
    """
    layout = inputs[["tp", "pp", "dp"]].fillna(1).prod(axis=1).where(inputs["tp"].notna())
    inputs["n_gpu"] = inputs["n_gpu"].fillna(layout).replace(0.0, 1.0)  # a host's own processor is one device
    inputs["pp"] = inputs["pp"].fillna(1)
    groups = inputs["pp"] * inputs["dp"].fillna(1)
    shared = (inputs["n_gpu"] / groups).where((inputs["n_gpu"] % groups == 0) & inputs["dp"].notna())
    inputs["tp"] = inputs["tp"].fillna(shared).fillna(inputs["n_gpu"])
    if kind != "inference":
        inputs["load"] = "training" if kind == "training" else "closed"
        return
    empty = inputs["load"] == ""
    inputs.loc[empty, "load"] = np.where(inputs.loc[empty, "rate_qps"].notna(), "open", "static")
    mlperf = inputs["load"].str.startswith("mlperf") & inputs["osl"].isna()
    for start, tokens in MLPERF_OUTPUT_TOKENS.items():
        name = inputs["model"].str.casefold().str.replace(r"[^a-z0-9]", "", regex=True)
        inputs.loc[mlperf & name.str.contains(start.replace("-", "").removesuffix("6b")), "osl"] = tokens


@dataclass(frozen=True)
class Unit:
    """One unit of one metric: SI value of 1, and whether a group's value is shared out by device or by sample."""

    si: float
    per_device: bool = False
    per_sample: bool = False

    def from_si(self, value: NDArray, metric: str, columns: Mapping[str, NDArray]) -> NDArray[np.float64]:
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
    return Unit(table[key], per_device=shared and key in PER_DEVICE, per_sample=key in PER_SAMPLE)


def usual(metric: str) -> str:
    """The unit in which a metric is usually given; empty where it has none."""
    return (METRICS[metric].units or ("",))[0]


def _fold(name: str) -> str:
    return name.strip().casefold().replace(" ", "")
