"""Read a file of measurements: check every cell, set measured values aside.

A chunk holds the rows as published (text, to be written back), the inputs a model may see, and the measured values.
Only :data:`TEXTS` and :data:`NUMBERS` reach a model: no value, no note, no outcome of the same run. A row that cannot
be read as it stands is refused with a status of its own; the others are read all the same.

Values stay in the units in which they are published; :func:`tokenomics.rows.units.unit` says what one is in SI.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tokenomics import paths
from tokenomics.errors import DataError
from tokenomics.facts import measurements, tables
from tokenomics.facts.engines import dated
from tokenomics.facts.measurements import ANSWER_COLUMNS, METRICS
from tokenomics.facts.sources import keys_of, sources
from tokenomics.rows import columns, records
from tokenomics.rows.columns import ATTENTION, LAYOUT, NUMBERS, REQUIRED, SPREAD, TEXTS
from tokenomics.rows.records import Record, Records
from tokenomics.rows.units import unit

PUBLISHED = {
    "inference": {"batch": ("sequences", "batch"), "rate_qps": ("rate_qps", "arrival_qps")},
    "energy": {"isl": ("avg_isl", "isl"), "osl": ("avg_osl", "osl"), "batch": ("avg_batch", "batch")},
    "training": {},
}
"""Columns that give a number, the first non-empty one; its own name where none is listed."""
METRIC_ALIASES = dict.fromkeys(
    ("request_rate", "requests_per_s", "qps", "request_throughput_rps"), "request_throughput"
)
KIND_OF_METRIC = {"inference": "inference", "memory": "inference", "energy": "energy", "training": "training"}
ALSO_OF_TRAINING = ("fits_in_memory",)
"""Metrics that a training run has too, where a row states what only such a run has."""
TRAINING_ONLY, SERVING_ONLY = ("seq_len", "global_batch_seq", "micro_batch"), ("isl", "osl", "load", "batch")
MOST_NAMED = 20
"""Columns of a user's own that are named, and looked at for misspelt ones."""
NOTHING = ("", "na", "n/a", "#n/a", "nan", "null", "none", "-", "--", "?")
"""Cells that say that a number is not known."""
LEAST, MOST = 1e-6, 1e15
"""Numbers beyond these, zero aside, are no measurement of ours."""
MOST_OF = {**dict.fromkeys(LAYOUT, 1e6), **dict.fromkeys(("isl", "osl", "seq_len"), 1e7), ATTENTION: 1.0}
"""The same for devices, and for tokens of a sequence."""
VALUES = (1e-18, 1e18)
"""The same for measured values, in any unit."""
THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?")
DECIMAL_COMMA = re.compile(r"(\d+|\d{1,3}(\.\d{3})+),\d+([eE][+-]?\d+)?")
ROWS = 100_000
"""Rows of a chunk, which are in memory at a time."""
ONE_SEQUENCE = {"engine": r"^llama\.cpp", "source": r"LLM[-_]Inference[-_]Bench"}
"""Rows whose ``batch`` is the prompt chunk of llama-bench (option ``-b``): one sequence ran, as its scripts show."""


@dataclass(frozen=True)
class Chunk:
    """Some rows of a file.

    Attributes:
        text: all columns as published, under the names that are known where they are.
        inputs: :data:`TEXTS` as text (empty: unknown) and the kind's numbers as floats (NaN: unknown).
        measured: values in each row's unit, ``fits_in_memory`` as 1 (ok) or 0 (OOM), NaN where there is none.
        refused: status of each row that cannot be read; empty where it can.
        lines: where each row begins in its file.
    """

    text: pd.DataFrame
    inputs: pd.DataFrame
    measured: NDArray[np.float64]
    refused: NDArray
    lines: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.text)


@contextmanager
def opened(path: Path | str) -> Iterator[Records]:
    """The records of a file of measurements; errors as of :func:`tokenomics.rows.records.opened`, and a column that is
    nearly an input (:func:`tokenomics.rows.columns.refuse_misspelt`)."""
    known = known_columns()
    with records.opened(path, known, REQUIRED, columns.aliases(known)) as table:
        columns.refuse_misspelt(table.where, _own(table)[:MOST_NAMED], set(table.names) & known)
        yield table


def _own(table: Records) -> list[str]:
    """Columns of a user's own."""
    known = known_columns()
    return [name for name in table.names if name not in known and name.rpartition(".")[0] not in table.repeated]


def chunks(path: Path | str, rows: int | None = None) -> Iterator[Chunk]:
    """A file in pieces; errors as of :func:`pieces`."""
    with opened(path) as table:
        yield from pieces(table, rows)


def pieces(table: Records, rows: int | None = None) -> Iterator[Chunk]:
    """A table in pieces, so that a million rows need no more memory than one piece.

    Args:
        table: an open table.
        rows: of a piece; default :data:`ROWS`.

    Raises:
        DataError: there is no row.
    """
    each, none = iter(table), True
    while piece := list(islice(each, rows or ROWS)):
        none = False
        yield _chunk(table, piece)
    if none:
        raise DataError(table.where, "file", "empty", records.ALLOWED)


@cache
def published(kind: str) -> Chunk:
    """A table of :data:`tokenomics.facts.measurements.KINDS` as one chunk, in the rows of ``measurements.read``."""
    return next(chunks(paths.DATA / "measurements" / f"{kind}.csv", rows=len(measurements.read(kind))))


def known_columns() -> set[str]:
    """Columns that are read, and answers, conditions and citations of the measurement tables."""
    known = columns.inputs() | {"predicted", "low", "high", "status", "assumed"}
    for kind in measurements.KINDS:
        known |= {*measurements.input_columns(kind), *ANSWER_COLUMNS[kind]}
    return known


def notes(table: Records) -> list[str]:
    """One line on what was taken for granted, and one on columns of a user's own."""
    own = _own(table)
    if not own:
        return table.notes
    near = {name for name in own[:MOST_NAMED] if columns.meant(name, table.names) == "value"}
    shown = [f"{name} (did you mean value?)" if name in near else name for name in own[:MOST_NAMED]]
    more = f" and {len(own) - MOST_NAMED:,} more" if len(own) > MOST_NAMED else ""
    return [*table.notes, f"columns not used: {', '.join(shown)}{more}"]


def _chunk(table: Records, piece: list[Record]) -> Chunk:
    text = pd.DataFrame([each.cells for each in piece], columns=table.names, dtype="str")
    refused = np.array([f"not judgeable: {each.fault}" if each.fault else "" for each in piece], dtype=object)
    _refuse_contradictions(text, table.repeated, refused)
    stands = {name: name if name in text else columns.ELSEWHERE.get(name, name) for name in TEXTS}
    cells = {name: text[column].str.strip() if column in text else "" for name, column in stands.items()}
    inputs = pd.DataFrame(cells, index=text.index)
    _known_words(inputs)
    inputs["engine"] = _engines(text, inputs["engine"])
    _refuse_names(inputs, refused)
    parts = []
    for kind, rows in text.groupby(_kinds(text, inputs["metric"]), sort=False):
        parts.append(_of_kind(kind, rows, inputs.loc[rows.index], table, refused))
    measured = _measured(text, inputs["metric"], table.delimiter, refused)
    lines = np.array([each.line for each in piece])
    return Chunk(text, pd.concat(parts).loc[text.index], measured, refused, lines)


def _kinds(text: pd.DataFrame, metric: pd.Series) -> pd.Series:
    """Inference, energy or training, of each row."""
    kinds = metric.map(lambda name: KIND_OF_METRIC[METRICS[name].kind] if name in METRICS else "inference")
    either = metric.isin(ALSO_OF_TRAINING)
    if either.any():
        training, serving = (_states(text, columns) for columns in (TRAINING_ONLY, SERVING_ONLY))
        kinds = kinds.mask(either & training & ~serving, "training")
    return kinds


def _states(text: pd.DataFrame, columns: tuple[str, ...]) -> pd.Series:
    """Whether each row fills any of these columns."""
    cells = text.reindex(columns=list(columns), fill_value="")
    return cells.apply(lambda each: each.str.strip() != "").any(axis=1)


def _of_kind(
    kind: str, text: pd.DataFrame, inputs: pd.DataFrame, table: Records, refused: NDArray[np.object_]
) -> pd.DataFrame:
    """Inputs of the rows of one kind."""
    in_flight = not table.as_written.isdisjoint(columns.IN_FLIGHT)
    numbers = {}
    for name in NUMBERS[kind]:
        published_as = PUBLISHED[kind].get(name, (name,))
        numbers[name] = np.full(len(text), np.nan)
        for column in (each for each in published_as if each in text):
            cells = text[column] if name != ATTENTION else _switch(text[column])
            found = _parsed(cells, table.delimiter, refused, name)
            numbers[name] = np.where(np.isnan(numbers[name]), found, numbers[name])
    if SPREAD in numbers and "source" in text:
        numbers[SPREAD] = np.where(np.isnan(numbers[SPREAD]), text["source"].map(_spread_of), numbers[SPREAD])
    inputs = inputs.assign(**numbers)
    devices = _devices(inputs)
    inputs["n_gpu"] = inputs["n_gpu"].fillna(devices if "n_gpu" in text else devices.fillna(1.0))
    if kind == "inference" and set(ONE_SEQUENCE) <= set(text) and "sequences" not in text:
        one = [text[name].str.contains(pattern, case=False) for name, pattern in ONE_SEQUENCE.items()]
        inputs.loc[one[0] & one[1], "batch"] = 1.0
    _fill(inputs, kind, in_flight)
    return inputs


def _switch(cells: pd.Series) -> pd.Series:
    """Yes as 1 and no as 0."""
    return (
        cells.str.strip()
        .str.casefold()
        .replace({"true": "1", "yes": "1", "on": "1", "false": "0", "no": "0", "off": "0"})
    )


def _known_words(inputs: pd.DataFrame) -> None:
    """Metrics and loads as they are known, whatever their case."""
    metric = inputs["metric"].str.casefold().str.replace(r"[\s-]+", "_", regex=True)
    inputs["metric"] = metric.where(metric.isin(list(METRICS)), inputs["metric"])
    inputs["metric"] = inputs["metric"].replace(METRIC_ALIASES)
    for name in ("load", "role", "spec_method", "expert_routing"):
        inputs[name] = inputs[name].str.casefold()


def _engines(text: pd.DataFrame, engine: pd.Series) -> pd.Series:
    """Engines with their version, or, where nobody states it, the day of the run: the last of the source's year, where
    the row names a source of ours and no day."""
    beside = {name: text.get(name, pd.Series("", index=text.index)).str.strip() for name in ("engine_version", "date")}
    years = text.get("source", pd.Series("", index=text.index)).map(_last_day)
    beside["date"] = beside["date"].where(beside["date"] != "", years)
    rows = zip(engine, beside["engine_version"], beside["date"], strict=True)
    return pd.Series([dated(*row) for row in rows], index=text.index, dtype="str")


@cache
def _spread_of(source: str) -> float:
    """How far lengths of a source's requests lie from their mean; NaN where nobody knows."""
    known = {row["source"]: row["spread"] for row in tables.records("catalogue/length_spreads")}
    return next((known[key] for key in keys_of(source) if key in known), np.nan)


@cache
def _last_day(source: str) -> str:
    """The last day of the year in which a source was published; empty for none of ours."""
    years = [year for key in keys_of(source) if (year := sources().get(key, {}).get("year", "")).isdigit()]
    return f"{max(years)}-12-31" if years else ""


def _refuse_contradictions(text: pd.DataFrame, repeated: dict[str, list[str]], refused: NDArray[np.object_]) -> None:
    """Refuse rows whose cells differ in columns of one name."""
    for name, others in repeated.items():
        for other in others:
            differ = (text[name].str.strip() != text[other].str.strip()).to_numpy()
            _refuse(refused, differ, lambda row, name=name: f"not judgeable: column {name} stands twice and differs")


def _refuse_names(inputs: pd.DataFrame, refused: NDArray[np.object_]) -> None:
    """Refuse rows without a name, with a metric that nobody knows, or a unit that does not measure it."""
    lacking = inputs[list(REQUIRED)] == ""
    texts = lacking.apply(lambda row: f"columns missing: {', '.join(lacking.columns[row])}", axis=1, raw=True)
    _refuse(refused, lacking.any(axis=1).to_numpy(), texts.iloc.__getitem__)
    for (metric, name), rows in inputs.groupby(["metric", "unit"], sort=False).indices.items():
        reason = _unit_refusal(metric, name)
        if reason:
            some = np.zeros(len(inputs), dtype=bool)
            some[rows] = True
            _refuse(refused, some, lambda row, reason=reason: reason)


def _unit_refusal(metric: str, name: str) -> str:
    if metric not in METRICS:
        return "metric not modelled"
    try:
        unit(metric, name)
    except DataError as error:
        return f"unknown unit {error.value} of {metric}; allowed: {error.allowed}"
    return ""


def _refuse(refused: NDArray[np.object_], rows: NDArray[np.bool_], reason) -> None:
    """Give rows that are not refused yet their reason, a function of the row's number."""
    for row in np.flatnonzero(rows & (refused == "")):
        refused[row] = reason(row)


def _parsed(cells: pd.Series, delimiter: str, refused: NDArray[np.object_], name: str = "") -> NDArray[np.float64]:
    """Numbers of a column; NaN where a cell is empty, and where its row is refused for it.

    Args:
        cells: texts, with the rows of ``refused`` as index.
        delimiter: what parts the cells of the file; where it is no comma, a comma may be a decimal one.
        refused: statuses, to which those of these cells are added.
        name: what the column gives; empty: a measured value, which is above zero.
    """
    cells = cells.str.strip()
    rows, empty = cells.index.to_numpy(), cells.str.casefold().isin(NOTHING).to_numpy()
    numbers = pd.to_numeric(cells, errors="coerce").to_numpy(float, copy=True)
    for place in np.flatnonzero(cells.str.contains(",", regex=False).to_numpy()):
        numbers[place] = _with_comma(cells.iloc[place], delimiter)
    least, most = (LEAST, MOST_OF.get(name, MOST)) if name else VALUES
    with np.errstate(invalid="ignore"):
        good = (numbers >= least) & (numbers <= most)
    good |= ((numbers == 0) & bool(name)) | ((numbers == np.inf) & (name == "rate_qps"))
    allowed = f"a number from {least:g} to {most:g}"
    wrong = np.zeros(len(refused), dtype=bool)
    wrong[rows] = ~empty & ~good
    _refuse(refused, wrong, lambda row: f"not judgeable: {cells.name} = {_short(cells[row])}, not {allowed}")
    return np.where(good & ~empty, numbers, np.nan)


def _with_comma(cell: str, delimiter: str) -> float:
    """A number with commas, of thousands or a decimal one; NaN where it may be either or is neither."""
    decimal = delimiter != "," and DECIMAL_COMMA.fullmatch(cell)
    thousands = THOUSANDS.fullmatch(cell)
    if decimal and (delimiter == ";" or not thousands):  # lists are parted by semicolons where commas are decimal
        return float(cell.replace(".", "").replace(",", "."))
    return float(cell.replace(",", "")) if thousands and not decimal else np.nan


def _short(cell: str) -> str:
    return cell if len(cell) <= 40 else cell[:37] + "..."


def _measured(
    text: pd.DataFrame, metric: pd.Series, delimiter: str, refused: NDArray[np.object_]
) -> NDArray[np.float64]:
    """Values; a verdict for ``fits_in_memory``, a number for everything else."""
    if "value" not in text:
        return np.full(len(text), np.nan)
    cells, verdict = text["value"].str.strip(), (metric == "fits_in_memory").to_numpy()
    known = cells.str.casefold().map({"oom": 0.0, "ok": 1.0}).to_numpy(float)
    wrong = verdict & np.isnan(known) & ~cells.str.casefold().isin(NOTHING).to_numpy()
    _refuse(refused, wrong, lambda row: f"not judgeable: value = {_short(cells[row])}, not OOM or ok")
    return np.where(verdict, known, _parsed(cells.mask(verdict, ""), delimiter, refused))


def _devices(inputs: pd.DataFrame) -> pd.Series:
    """Devices of the layout that rows state, NaN where they state none.

    They are tp x pp x dp; attention's data parallel groups may be counted within tp; without tp, as many as share
    attention or experts.
    """
    one = {name: inputs[name].fillna(1) for name in ("tp", "pp", "dp", "ep")}
    groups = one["dp"].where(inputs["tp"].notna(), np.fmax(one["dp"], one["ep"]))
    if ATTENTION in inputs:
        groups = groups.mask((inputs[ATTENTION] == 1) & (one["dp"] > 1) & (one["tp"] % one["dp"] == 0), 1)
    return (one["tp"] * one["pp"] * groups).where(inputs[["tp", "pp", "dp", "ep"]].notna().any(axis=1))


def _fill(inputs: pd.DataFrame, kind: str, in_flight: bool) -> None:
    """Documented defaults of cells left empty: load from what is given.

    Args:
        inputs: of one kind of rows.
        kind: of the rows.
        in_flight: whether the file's batch is a number of requests in flight.
    """
    inputs["n_gpu"] = inputs["n_gpu"].replace(0.0, 1.0)  # a host's own processor is one device
    inputs["pp"] = inputs["pp"].fillna(1)
    if kind != "inference":
        inputs["load"] = "training" if kind == "training" else "closed"
        return
    empty = inputs["load"] == ""
    counted = "closed" if in_flight else "static"
    inputs.loc[empty, "load"] = np.where(inputs.loc[empty, "rate_qps"].notna(), "open", counted)
