"""Result files of benchmark tools as one table in the public input format of ``tokenomics score``.

What a file does not state is asked for by options, once for all files. An option with a name replaces the file's name;
one with a number only fills what is missing, and a line tells where a file states another.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tokenomics import paths
from tokenomics.errors import DataError, require
from tokenomics.rows.formats import content as contents
from tokenomics.rows.formats import options
from tokenomics.rows.formats.registry import NAMES, SYSTEM, recognised
from tokenomics.rows.formats.run import LAYOUT, Run

COLUMNS = (
    *("model", "hardware", *LAYOUT, "dp_attention", "redundant_experts", "precision", "kv_precision"),
    *("isl", "osl", "load", "batch", "rate_qps", "requests", "pue", "grid_kgco2_per_kwh"),
    *("spec_method", "draft_tokens", "max_num_seqs", "max_num_batched_tokens", "gpu_memory_utilization"),
    *("prefix_cached_tokens", "power_limit_w", "metric", "unit", "value", "engine", "engine_version", "date"),
    *("locator", "note"),
)
"""Columns of a table, in order; one that no file fills is left out."""
KINDS = ("inference", "energy", "training")
OF_ENERGY = {"isl": "avg_isl", "osl": "avg_osl", "batch": "avg_batch"}
"""What a table of energy calls its columns."""
LARGEST_SYSTEM = 65_536
"""Bytes of a system's description at most."""
MOST_NAMED = 8
"""Files of no known format that a note names."""
ALLOWED = "a table, or a result file of " + ", ".join(NAMES)


@dataclass(frozen=True)
class Converted:
    """A table and what was left out of it.

    Attributes:
        table: rows in the public input format, all text.
        notes: lines on files not recognised, rows of other kinds, and options that a file contradicts.
    """

    table: pd.DataFrame
    notes: tuple[str, ...]


def convert(*files: str | Path, kind: str | None = None, **given: Any) -> pd.DataFrame:
    """Result files of benchmark tools as rows in the public input format of ``score``.

    Args:
        files: files, or folders whose files are all read.
        kind: ``inference``, ``energy`` or ``training``, where files have rows of several; default the first there is.
        given: what the files do not state (names also replace theirs): ``model, xpu, n_gpu, tp, pp, dp, ep, precision,
            kv_precision, engine, prompt, output, batch, rate``.

    Returns:
        A row a measured metric: names as in :mod:`tokenomics.rows.reading`, units as the tool writes them.

    Raises:
        DataError: a file that cannot be read, is of no known format or ends early, or an unknown option.
        TokenomicsError: what the files do not state, with the line to type.
    """
    return converted(files, kind=kind, given=given).table


def converted(
    files: Sequence[str | Path],
    *,
    kind: str | None = None,
    given: Mapping[str, Any] | None = None,
    command: str = "convert",
) -> Converted:
    """As :func:`convert`, with notes.

    Args:
        files: files or folders.
        kind: see :func:`convert`.
        given: options by name.
        command: the command that a message tells to type.
    """
    given = given or {}
    columns = options.columns_of(given)
    require(kind in (None, *KINDS), "convert", "kind", kind, ", ".join(KINDS))
    require(len(files) > 0, "convert", "files", "none", "a file or a folder")
    found, notes = _runs([Path(file) for file in files])
    kept: dict[str, list[str]] = {}
    for name, run in found:
        for column, value in options.fill(run, columns).items():
            kept.setdefault(column, []).append(f"{_cell(value)} ({name})")
    notes += [f"{column} as files state it: {', '.join(dict.fromkeys(values))}" for column, values in kept.items()]
    kinds = [each for each in KINDS if any(run.kind == each for _, run in found)]
    kind = kind or kinds[0]
    require(kind in kinds, "convert", "kind", kind, ", ".join(kinds))
    if others := [each for each in kinds if each != kind]:
        notes.append(f"left out: rows of {', '.join(others)}, since a table has rows of one kind (convert --kind)")
    of_kind = [(name, run) for name, run in found if run.kind == kind]
    options.ask(of_kind, [command, *files], given)
    return Converted(_table(of_kind, kind), tuple(notes))


@contextmanager
def as_table(path: Path, given: Mapping[str, Any] | None = None) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """A file of rows to score: the file itself if it is a table, else its conversion, which lives within the context.

    Args:
        path: a table, a result file of a benchmark tool, or a folder of such.
        given: see :func:`convert`.

    Yields:
        The table's path, and notes.

    Raises:
        DataError: see :func:`convert`; options given with a table, which states its own columns.
    """
    given = {name: value for name, value in (given or {}).items() if value is not None}
    if not path.is_dir() and (not path.is_file() or contents.is_own(path) or not _known(path)):
        for name, value in given.items() if path.is_file() else ():
            raise DataError(paths.shown(path), name, value, "only with a result file: the columns of a table state it")
        yield path, ()
        return
    answer = converted([path], given=given, command="score")
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / path.resolve().name
        answer.table.to_csv(table, index=False, lineterminator="\n")
        yield table, answer.notes


def _known(path: Path) -> bool:
    """Whether a file is one of a benchmark tool; JSON of another kind is refused, any other text may be a table."""
    try:
        content = contents.Content(path)
    except DataError:
        return False
    known = recognised(content) is not None
    if not known and content.is_json:
        content.refuse(ALLOWED)
    return known


def _runs(files: Sequence[Path]) -> tuple[list[tuple[str, Run]], list[str]]:
    """All measured runs with the name of their file, and lines on files without one.

    Raises:
        DataError: no file has a measurement; a file given alone is of no known format.
    """
    found, systems, notes, unread = [], [], [], []
    for path in _files(files):
        try:
            name, runs = _read(path)
        except DataError as error:
            if path == files[0] and len(files) == 1:
                raise
            unread.append(f"{error.where} ({error.key} = {error.value})")
            continue
        if name == SYSTEM:
            systems += runs
            notes.append(f"{paths.shown(path)}: {name}, which states the system of the summaries beside it")
        elif not any(run.measured for run in runs):
            notes.append(f"{paths.shown(path)}: {name} without a metric that is known here")
        found += [(path, run) for run in runs if run.measured]
    if unread:
        more = f", and {len(unread) - MOST_NAMED} more" if len(unread) > MOST_NAMED else ""
        notes.append(f"not read: {', '.join(unread[:MOST_NAMED])}{more}")
    shown = ", ".join(paths.shown(path) for path in files)
    none = "none in a folder" if any(path.is_dir() for path in files) else "none"
    require(bool(found), shown, "measurements", none, ALLOWED)
    for path, run in found:
        if str(run.conditions.get("load")).startswith("mlperf"):
            _join_system(path, run, systems)
    return [(path.name, run) for path, run in found], notes


def _read(path: Path) -> tuple[str, list[Run]]:
    """Format and runs of a file.

    Raises:
        DataError: it cannot be read or is of no known format.
    """
    content = contents.Content(path)
    known = recognised(content)
    if known is None:
        content.refuse(ALLOWED)
    return known[0].name, list(known[0].read(known[1], content))


def _files(given: Sequence[Path]) -> Iterator[Path]:
    """Files in the order given, those of a folder by name, folders within it included; hidden ones are skipped."""
    for path in given:
        if not path.is_dir():
            yield path
            continue
        for each in sorted(path.rglob("*")):
            hidden = any(part.startswith(".") for part in each.relative_to(path).parts)
            if each.is_file() and not hidden:
                yield each


def _join_system(path: Path, run: Run, systems: Sequence[Run]) -> None:
    """Fill the system of an MLPerf summary: the only one given, else the only one in its folder."""
    described = list(systems)
    if not described:
        for beside in sorted(path.parent.glob("*.json")):
            if beside.stat().st_size <= LARGEST_SYSTEM:
                described += _system(beside)
    if len(described) == 1:
        run.conditions = {**described[0].conditions, **run.conditions}


def _system(path: Path) -> list[Run]:
    try:
        name, runs = _read(path)
    except DataError:
        return []
    return runs if name == SYSTEM else []


def _table(found: Sequence[tuple[str, Run]], kind: str) -> pd.DataFrame:
    """A row a metric, as text: conditions with 12 digits, values as the file gives them."""
    rows = []
    for name, run in found:
        conditions = {column: _cell(value) for column, value in run.conditions.items()} | {"locator": name}
        rows += [{**conditions, "metric": m, "value": repr(value), "unit": unit} for m, value, unit in run.measured]
    table = pd.DataFrame([{name: row.get(name, "") for name in COLUMNS} for row in rows], dtype="str")
    table = table.loc[:, (table != "").any()]
    return table.rename(columns=OF_ENERGY) if kind == "energy" else table


def _cell(value: Any) -> str:
    """A condition as text: whole numbers without a point, a text in one line."""
    return f"{value:.12g}" if isinstance(value, float) else " ".join(str(value).split())
