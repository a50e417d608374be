"""``tokenomics score``: read, predict, write, report."""

import contextlib
import difflib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tokenomics import outputs, paths
from tokenomics.errors import DataError
from tokenomics.facts import catalogue
from tokenomics.facts.measurements import METRICS
from tokenomics.rows import reading
from tokenomics.rows.predict import OUTPUT, predict, predictors
from tokenomics.rows.records import STDIN, Records
from tokenomics.rows.units import usual
from tokenomics.scoring import report
from tokenomics.scoring.outcome import Outcome

PICTURES = (".png", ".pdf", ".svg")
BASELINE = "constant"
"""The model reported beside the one that is scored."""
NAME_STATUS = {"unknown model": "model", "unknown accelerator": "accelerator"}
"""Statuses of rows whose names do not resolve, and what kind of name it is."""
NOT_MODELLED = "metric not modelled"
MOST_NAMES = 5
MOST_COLUMNS = 100
"""Columns of a file that a message names."""
LONGEST_NAME = 80


def score_file(
    path: Path | str,
    *,
    out: Path | str | None = None,
    group_by: Sequence[str] = ("metric",),
    plot: Path | str | None = None,
    model: str = "best",
    force: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Outcome:
    """Predict every row of a file, write the predictions and measure the errors.

    Args:
        path: CSV in the public input format, see :mod:`tokenomics.rows.reading`; ``-`` is standard input.
        out: where to write all input columns with predicted, low, high, unit and status; default ``NAME.pred.csv`` in
            the working directory.
        group_by: input columns that make the report's groups.
        plot: parity plot; default beside ``out`` as ``.png``. Only drawn where rows have values.
        model: what is written and drawn; the baseline is reported beside it.
        force: replace files that this program did not make, or that were changed since.
        progress: called with the rows done and the rows in all, as far as known, again and again.

    Raises:
        DataError: bad input (one line each), an unknown model, or a path that may not be written (see
            :func:`tokenomics.outputs.check_file`).
    """
    predictors(model)
    models = list(dict.fromkeys((model, BASELINE)))
    statuses, unresolved, measured, faults, rows = Counter(), [], [], [], 0
    with contextlib.ExitStack() as stack:
        table = stack.enter_context(reading.opened(path))
        _check_groups(table, group_by)
        out, plot = _outputs(path, out, plot, force)
        unfinished = stack.enter_context(outputs.file(out, "--out", force=force))
        for chunk in reading.pieces(table):
            predictions = _predictions(chunk, models, _counter(progress, rows, len(chunk), table.share_read()))
            own = predictions[model]
            output_text(chunk, own).to_csv(
                unfinished, mode="a" if rows else "w", header=not rows, index=False, lineterminator="\n"
            )
            statuses.update(own["status"])
            names = chunk.inputs[["model", "hardware", "metric"]].assign(status=own["status"])
            unresolved.append(names[own["status"].isin([*NAME_STATUS, NOT_MODELLED])])
            measured.append(_measured(chunk, predictions, group_by))
            faults += _faults(table.where, chunk)[: MOST_NAMES - len(faults)]
            rows += len(chunk)
        notes = [*reading.notes(table), *faults]
    unresolved = pd.concat(unresolved)
    named = unknown_names(unresolved)
    errors, drawn = _report(pd.concat(measured), models, plot, force)
    outcome = Outcome(rows, statuses, errors, [*notes, *named, *unknown_metrics(unresolved)], [out, *drawn])
    if named and set(statuses) <= set(NAME_STATUS):
        raise DataError(table.where, "no row predicted", named[0], "names that resolve (statuses are written)")
    return outcome


def _predictions(chunk: reading.Chunk, models: Sequence[str], told: Callable[[int], None]) -> dict[str, pd.DataFrame]:
    """Predictions of each model, of which the first tells how far it is."""
    made = {}
    for name in reversed(models):
        told_of = {"told": told} if name == models[0] else {}
        made[name] = predict(chunk.inputs, name, refused=chunk.refused, **told_of)
    return made


def _faults(where: str, chunk: reading.Chunk) -> list[str]:
    """One line a row that cannot be read, an unknown metric aside, with its place in the file; the first few."""
    rows = np.flatnonzero((chunk.refused != "") & (chunk.refused != NOT_MODELLED))[:MOST_NAMES]
    return [f"{where}, line {chunk.lines[row]}: {chunk.refused[row]}" for row in rows]


def _counter(progress: Callable[[int, int], None], before: int, rows: int, share: float) -> Callable[[int], None]:
    """Adds up rows of a chunk for ``progress``; the rest of the file is taken to be like what was read of it."""
    done, total = before, max(before + rows, round((before + rows) / max(share, 1e-9)))
    if not before:
        progress(0, total)

    def told(more: int) -> None:
        nonlocal done
        done += more
        progress(done, total)

    return told


def _outputs(path: Path | str, out: Path | str | None, plot: Path | str | None, force: bool) -> tuple[Path, Path]:
    """Where predictions and plot are written, checked before anything is computed."""

    def checked(option: str, given: Path | str) -> Path:
        given = Path(given)
        if given.exists() and str(path) != STDIN and given.samefile(path):
            raise DataError("score", option, paths.shown(given), "another file than the input")
        return outputs.check_file(given, option, force=force)

    name = "stdin" if str(path) == STDIN else Path(path).stem
    out = checked("--out", out or Path.cwd() / f"{name}.pred.csv")
    plot = checked("--plot", plot or out.with_suffix(".png"))
    if plot.suffix not in PICTURES or plot == out:
        raise DataError("score", "--plot", paths.shown(plot), "another file, ending in " + ", ".join(PICTURES))
    return out, plot


def _check_groups(table: Records, group_by: Sequence[str]) -> None:
    for name in group_by:
        if name not in table.names:
            near = difflib.get_close_matches(name, table.names[:MOST_COLUMNS], 1)
            allowed = ", ".join(table.names[:MOST_COLUMNS]) + (f"; nearest: {near[0]}" if near else "")
            raise DataError("score", "--group-by", name, allowed)
    if not group_by:
        raise DataError("score", "--group-by", "empty", "one column or more")


def unknown_names(rows: pd.DataFrame) -> list[str]:
    """One line a name that does not resolve, with the nearest known ones; at most five, then how many more.

    Args:
        rows: model, hardware and status of rows with a status of :data:`NAME_STATUS`.
    """
    lines = []
    for status, kind in NAME_STATUS.items():
        column = "model" if kind == "model" else "hardware"
        counts = rows.loc[rows["status"] == status, column].value_counts()
        for name, count in counts.head(MOST_NAMES).items():
            try:
                getattr(catalogue, kind)(name)
            except DataError as error:
                lines.append(f"{count} rows: {error}")
        if len(counts) > MOST_NAMES:
            lines.append(f"and {len(counts) - MOST_NAMES} more names of {kind}s that do not resolve")
    return lines


def unknown_metrics(rows: pd.DataFrame) -> list[str]:
    """One line a metric that nobody knows, with the nearest known one; at most five, then how many more.

    Args:
        rows: metric and status of rows that are not predicted.
    """
    unknown = rows[(rows["status"] == NOT_MODELLED) & ~rows["metric"].isin(list(METRICS))]
    counts = unknown["metric"].value_counts()
    lines = []
    for name, count in counts.head(MOST_NAMES).items():
        near = difflib.get_close_matches(name.casefold(), METRICS, 1, 0.5) if len(name) <= LONGEST_NAME else []
        hint = f"did you mean {near[0]}?" if near else "see `tokenomics list metrics`"
        lines.append(f"{count} rows: metric = {name[:LONGEST_NAME]} is unknown; {hint}")
    return lines + ([f"and {len(counts) - MOST_NAMES} more unknown metrics"] if len(counts) > MOST_NAMES else [])


def output_text(chunk: reading.Chunk, predictions: pd.DataFrame) -> pd.DataFrame:
    """All input columns as published, then predicted, low, high, unit (unless the input has it), status, assumed.

    An empty unit is filled with the metric's usual one, in which the prediction is given.
    """
    text = chunk.text.drop(columns=[name for name in (*OUTPUT, "status", "assumed") if name in chunk.text])
    verdict = (chunk.inputs["metric"] == "fits_in_memory").to_numpy()
    for name in OUTPUT:
        cells = predictions[name].map(lambda x: "" if np.isnan(x) else f"{x:.6g}")
        if name == "predicted":
            cells = cells.mask(verdict, cells.replace({"1": "ok", "0": "OOM"}))
        text[name] = cells
    given = text.get("unit", pd.Series("", index=text.index))
    text["unit"] = given.mask(chunk.inputs["unit"] == "", chunk.inputs["metric"].map(usual))
    return text.assign(status=predictions["status"], assumed=predictions["assumed"])


def _measured(chunk: reading.Chunk, predictions: dict[str, pd.DataFrame], group_by: Sequence[str]) -> pd.DataFrame:
    """Rows with a value: group, unit, verdict, measured and each model's predicted, low, high."""
    parts = [chunk.text[name].replace("", "(empty)") for name in group_by]
    group = parts[0].str.cat(parts[1:], sep=" | ")
    frame = pd.DataFrame({"group": group, "measured": chunk.measured})
    frame["unit"] = chunk.inputs["unit"].mask(chunk.inputs["unit"] == "", chunk.inputs["metric"].map(usual))
    frame["verdict"] = chunk.inputs["metric"] == "fits_in_memory"
    for model, answers in predictions.items():
        for name in OUTPUT:
            frame[f"{model} {name}"] = answers[name]
    return frame[~np.isnan(chunk.measured)]


def _report(frame: pd.DataFrame, models: list[str], plot: Path, force: bool) -> tuple[pd.DataFrame | None, list[Path]]:
    if frame.empty:
        return None, []
    shared = frame[["group", "measured", "unit", "verdict"]]
    frames = {model: shared.assign(**{name: frame[f"{model} {name}"] for name in OUTPUT}) for model in models}
    from tokenomics.scoring.plot import parity

    with outputs.file(plot, "--plot", force=force) as unfinished:
        drawn = parity(frames[models[0]], unfinished, models[0])
    return report.report(frames), [plot] if drawn else []
