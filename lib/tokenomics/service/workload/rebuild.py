"""Writes ``data/workloads`` from the raw traces: lengths, arrivals, and each workload compared with its trace."""

import csv
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from tokenomics import paths
from tokenomics.errors import RunError, require
from tokenomics.facts import tables
from tokenomics.service.workload import arrivals as processes
from tokenomics.service.workload.derive import DIGITS, measured
from tokenomics.service.workload.fidelity import compare
from tokenomics.service.workload.lengths import Lengths
from tokenomics.service.workload.published import Workload
from tokenomics.service.workload.stream import Stream
from tokenomics.service.workload.traces import read_trace

FOLDER = paths.DATA / "workloads"
Row = Mapping[str, object]


def originals() -> Iterator[dict[str, object]]:
    """Rows of ``originals.csv``: which trace each workload comes from."""
    rows = tables.read(FOLDER / "originals.csv").astype(object)
    yield from rows.where(rows.notna(), None).to_dict("records")


def trace_of(original: Row, folder: Path) -> Stream:
    """The trace of one row, from the folder that holds the files; without arrivals, all requests come at once.

    Raises:
        RunError: no such file, or one with other contents than the row's hash says.
    """
    path = folder / str(original["file"])
    if not path.is_file():
        raise RunError(f"{path.name} is not in the folder: fetch it from {original['url']}")
    if hashlib.sha256(path.read_bytes()).hexdigest() != original["sha256"]:
        raise RunError(f"{path.name} is not the file that data/workloads/originals.csv means: its SHA-256 differs")
    if original["has_arrivals"]:
        return read_trace(path)
    with path.open(encoding="utf-8", newline="") as file:
        rows = [(row["num_prefill_tokens"], row["num_decode_tokens"]) for row in csv.DictReader(file)]
    lengths = np.array(rows, dtype=float).T
    return Stream(np.zeros(lengths.shape[1]), *lengths, name=path.name)


def derived_of(original: Row, trace: Stream) -> Workload:
    """The workload of a trace; lengths alone where it has no arrivals."""
    name = str(original["workload"])
    if not original["has_arrivals"]:
        return Workload(name, Lengths.measured(trace.input_tokens, trace.output_tokens))
    return measured(trace, name, float(original["tick_s"] or 0.0))


def rebuild(traces: Path, folder: Path = FOLDER) -> None:
    """Rewrite all tables but ``originals.csv``; the same traces and numpy give the same bytes.

    Raises:
        RunError: a trace is missing or is not the one meant.
    """
    require(traces.is_dir(), "workloads", "folder", str(traces), "a folder with the traces")
    made: dict[str, list[Row]] = {"length_quantiles": [], "length_pairs": [], "arrivals": [], "fidelity": []}
    for original in originals():
        trace = trace_of(original, traces)
        derived = derived_of(original, trace)
        rows = {
            "length_quantiles": quantile_rows(derived.lengths),
            "length_pairs": pair_rows(derived.lengths),
            "arrivals": arrival_rows(derived),
            "fidelity": compare(derived, trace),
        }
        named = {"workload": derived.name, "source": original["source"]}
        for table, found in rows.items():
            made[table] += [{**row, **named} for row in found]
    for table, rows in made.items():
        write(folder / f"{table}.csv", rows)


def quantile_rows(lengths: Lengths) -> Iterator[Row]:
    """Both quantile curves, a row a level."""
    curves = zip(lengths.levels, lengths.input_tokens, lengths.output_tokens, strict=True)
    for level, given, made in curves:
        yield {"level": float(level), "input_tokens": int(given), "output_tokens": int(made)}


def pair_rows(lengths: Lengths) -> Iterator[Row]:
    """The pairing of rank bins, a row a pair that occurs."""
    for row, column in np.argwhere(lengths.pairs):
        starts = {"input_from": float(lengths.edges[row]), "output_from": float(lengths.edges[column])}
        yield starts | {"requests": int(lengths.pairs[row, column])}


def arrival_rows(derived: Workload) -> Iterator[Row]:
    """The process of arrivals and the sessions, one row; none where the trace has no arrivals."""
    if derived.arrivals is not None:
        kinds = {made: name for name, made in processes.PROCESSES.items()}
        sessions = asdict(derived.ties) if derived.ties else {}
        timing = {"process": kinds[type(derived.arrivals)], "tick_s": derived.tick_s or None}
        yield timing | asdict(derived.arrivals) | sessions


def write(path: Path, rows: Iterable[Row]) -> None:
    """A table sorted by its key, numbers to six digits, columns as its metadata names them."""
    meta = tables.read_meta(FOLDER / path.name)
    rows = sorted(rows, key=lambda row: [str(row[each]) for each in meta.key])
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(meta.columns)
        out.writerows([_cell(row.get(each)) for each in meta.columns] for row in rows)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)
