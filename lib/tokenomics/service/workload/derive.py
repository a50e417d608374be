"""Fits compact statistics to traces and writes them to ``data/workloads``, which ships them instead of the traces."""

import csv
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tokenomics import paths
from tokenomics.errors import RunError, require
from tokenomics.facts import tables
from tokenomics.service.workload import arrivals as processes
from tokenomics.service.workload.arrivals import Constant, Gamma, Modulated, Process
from tokenomics.service.workload.conversations import Ties
from tokenomics.service.workload.fidelity import compare, dispersion, prefix_statistics, silent_share, statistics
from tokenomics.service.workload.lengths import Lengths
from tokenomics.service.workload.published import Workload
from tokenomics.service.workload.stream import Stream
from tokenomics.service.workload.traces import read_trace

FOLDER = paths.DATA / "workloads"
SHORT_S, LONG_S = 10.0, 60.0
"""Windows whose count dispersion is reproduced."""
LEAST_BUSY_SHARE = 0.02
SILENT_SHARE = 0.1
"""With more short windows empty than this, a quiet spell is silence."""
TIE_DRAWS, TIE_ROUNDS = 3, 4
DIGITS = 6
Record = TypeVar("Record", Constant, Ties)
Row = Mapping[str, object]


def measured(trace: Stream, name: str, tick_s: float = 0.0) -> Workload:
    """The workload of a trace: lengths, arrivals and, where it has blocks, sessions; numbers to six digits.

    Args:
        trace: requests with true arrival times, or rounded to ticks.
        name: of the workload.
        tick_s: seconds to which the trace's log rounds; 0: none.
    """
    lengths = Lengths.measured(trace.input_tokens, trace.output_tokens)
    times = (trace.spread(tick_s) if tick_s else trace).arrival_s
    fitted = Workload(name, lengths, _rounded(fit_arrivals(times)), None, tick_s)
    return fitted if trace.blocks is None else replace(fitted, ties=_rounded(fit_ties(trace, fitted)))


def _rounded(record: Record) -> Record:
    """A record with its fractions as the tables keep them."""
    return replace(record, **{k: float(f"{v:.{DIGITS}g}") for k, v in asdict(record).items() if isinstance(v, float)})


def fit_arrivals(arrival_s: NDArray[np.float64]) -> Process:
    """A two-state modulated Poisson process with the trace's rate and its count dispersion at 10 s and 60 s.

    The dispersion of such a process in windows of t is 1 + (2 v / s) (1 - (1 - exp(-s t)) / (s t)), with v the
    variance of the rate over its mean and s the sum of the two switching rates (Fischer and Meier-Hellstern, "The
    Markov-modulated Poisson process cookbook", 1993). Two windows give v and s, corrected for the variance that a
    sample does not see (that of its own mean). The share of time that is busy is free; it comes from the skewness of
    the rate, or, where many short windows are empty, from quiet spells being silent. Where the trace cannot be told
    from a Poisson process at 60 s (two standard errors) gamma gaps carry the little that is left.

    Raises:
        DataError: a trace shorter than ten minutes.
    """
    total_s = float(arrival_s[-1] - arrival_s[0])
    require(total_s >= 600, "fit_arrivals", "duration_s", total_s, ">= 600 s of arrivals")
    rate = len(arrival_s) / total_s
    short, long = dispersion(arrival_s, SHORT_S), dispersion(arrival_s, LONG_S)
    if long < 1 + 2 * np.sqrt(2 * LONG_S / total_s):
        unseen = [1 - window / total_s for window in (SHORT_S, LONG_S)]
        return Gamma(rate, float(np.sqrt(np.mean(np.array([short, long]) / unseen))))
    low, high = 1 / total_s, 10.0
    for _ in range(60):
        switching = np.sqrt(low * high)
        variance = (short - 1 + SHORT_S / total_s) / _seen(switching, SHORT_S, total_s)
        too_flat = 1 - LONG_S / total_s + variance * _seen(switching, LONG_S, total_s) < long
        low, high = (low, switching) if too_flat else (switching, high)
    level = variance / rate
    most = 1 / (1 + level)
    silent = silent_share(arrival_s, SHORT_S) > SILENT_SHARE
    busy = most if silent else float(np.clip(_busy_share(arrival_s, switching), LEAST_BUSY_SHARE, most))
    quiet = max(0.0, 1 - np.sqrt(level * busy / (1 - busy)))
    return Modulated(rate, busy, float(quiet), float(1 / (switching * busy * (1 - busy))))


def _excess(switching: float, window_s: float) -> float:
    """(Dispersion - 1) / v of a two-state process in windows of ``window_s``."""
    x = switching * window_s
    return 2 / switching * (1 + np.expm1(-x) / x)


def _seen(switching: float, window_s: float, total_s: float) -> float:
    """:func:`_excess` less what a sample of ``total_s`` loses by subtracting its own mean: the same of the total."""
    return _excess(switching, window_s) - window_s / total_s * _excess(switching, total_s)


def _busy_share(arrival_s: NDArray[np.float64], switching: float) -> float:
    """Share of time in the upper of two states with the skewness of the rate seen through short windows.

    Factorial cumulants of the counts are cumulants of the integrated rate.
    """
    window_s = float(np.clip(0.3 / switching, 1, 30))
    since = arrival_s - arrival_s[0]
    counts = np.bincount((since // window_s).astype(np.int64))[:-1].astype(float)
    centred = counts - counts.mean()
    second = np.mean(centred**2) - counts.mean()
    third = np.mean(centred**3) - 3 * np.mean(centred**2) + 2 * counts.mean()
    skewness = third / second**1.5
    return 0.5 * (1 - skewness / np.sqrt(4 + skewness**2))


def fit_ties(trace: Stream, untied: Workload) -> Ties:
    """Sessions with the trace's prefix hits and its median wait of a block for reuse.

    Mean turns by bisection and gaps by proportion, in turn, on streams as long as the trace. Blocks that more than half
    of all requests have count as shared by all.
    """
    found = statistics(trace)
    shared = int(np.sum(np.bincount(trace.blocks.ids) > len(trace) / 2))
    drawn = [untied.draw(duration_s=trace.duration_s, seed=seed) for seed in range(TIE_DRAWS)]
    ties = Ties(2.0, found["reuse_gap_p50_s"] / np.log(2), shared, trace.blocks.tokens)
    for _ in range(TIE_ROUNDS):
        low, high = 1.0, 100.0
        for _ in range(12):
            ties = replace(ties, turns=float(np.sqrt(low * high)))
            few = _mean("prefix_hit_share", ties, drawn) < found["prefix_hit_share"]
            low, high = (ties.turns, high) if few else (low, ties.turns)
        longer = found["reuse_gap_p50_s"] / _mean("reuse_gap_p50_s", ties, drawn)
        ties = replace(ties, gap_s=float(ties.gap_s * longer))
    return ties


def _mean(name: str, ties: Ties, drawn: list[Stream]) -> float:
    return float(np.mean([prefix_statistics(ties.tie(each))[name] for each in drawn]))


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
