"""``tokenomics score``: read, predict, write, report."""

import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tokenomics import outputs, paths
from tokenomics.errors import DataError
from tokenomics.facts import catalogue
from tokenomics.rows import reading
from tokenomics.rows.predict import OUTPUT, predict, predictors
from tokenomics.scoring import report

PICTURES = (".png", ".pdf", ".svg")
BASELINE = "constant"
"""The model reported beside the one that is scored."""
NAME_STATUS = {"unknown model": "model", "unknown accelerator": "accelerator"}
"""Statuses of rows whose names do not resolve, and what kind of name it is."""
MOST_NAMES = 5


@dataclass(frozen=True)
class Outcome:
    """The outcome of scoring a file.

    Attributes:
        rows: rows read.
        statuses: how many rows have each status.
        report: errors by group and model (see :mod:`tokenomics.scoring.report`); ``None`` without values.
        notes: lines on ignored columns and names that do not resolve.
        written: files written.
    """

    rows: int
    statuses: Counter
    report: pd.DataFrame | None
    notes: list[str]
    written: list[Path]

    @property
    def text(self) -> str:
        """The outcome as printed."""
        counts = ", ".join(f"{name} {count:,}" for name, count in self.statuses.most_common())
        lines = [f"{self.rows:,} rows: {counts}", *self.notes]
        if self.report is not None:
            lines += ["", report.as_text(self.report), "", *textwrap.wrap(report.LEGEND, 110)]
        lines += [f"written: {paths.shown(path)}" for path in self.written]
        return "\n".join(lines)


def score_file(
    path: Path,
    *,
    out: Path | None = None,
    group_by: Sequence[str] = ("metric",),
    plot: Path | None = None,
    model: str = "best",
    force: bool = False,
    progress: Callable[[int], None] = lambda rows: None,
) -> Outcome:
    """Predict every row of a file, write the predictions and measure the errors.

    Args:
        path: CSV in the public input format; see :mod:`tokenomics.rows.reading`.
        out: where to write all input columns with predicted, low, high, unit and status; default ``NAME.pred.csv`` in
            the working directory.
        group_by: input columns that make the report's groups.
        plot: parity plot; default beside ``out`` as ``.png``. Only drawn where rows have values.
        model: what is written and drawn; the baseline is reported beside it.
        force: replace files that this program did not make, or that were changed since.
        progress: called with the rows done after every chunk of a file that has several.

    Raises:
        DataError: bad input (one line each), an unknown model, or a path that may not be written (see
            :func:`tokenomics.outputs.check_file`).
    """
    _check_groups(path, group_by)
    predictors(model)
    out, plot = _outputs(path, out, plot, force)
    models = list(dict.fromkeys((model, BASELINE)))
    statuses, notes = Counter(), _ignored(path)
    unresolved, measured, rows = [], [], 0
    with outputs.file(out, "--out", force=force) as unfinished:
        for chunk in reading.chunks(path):
            predictions = {name: predict(chunk.inputs, name) for name in models}
            own = predictions[model]
            output_text(chunk, own).to_csv(
                unfinished, mode="a" if rows else "w", header=not rows, index=False, lineterminator="\n"
            )
            statuses.update(own["status"])
            names = chunk.inputs[["model", "hardware"]].assign(status=own["status"])
            unresolved.append(names[own["status"].isin(NAME_STATUS)])
            measured.append(_measured(chunk, predictions, group_by))
            rows += len(chunk.text)
            if rows > len(chunk.text) or len(chunk.text) == reading.ROWS:
                progress(rows)
    named = unknown_names(pd.concat(unresolved))
    errors, drawn = _report(pd.concat(measured), models, plot, force)
    outcome = Outcome(rows, statuses, errors, [*notes, *named], [out, *drawn])
    if named and set(statuses) <= set(NAME_STATUS):
        raise DataError(paths.shown(path), "no row predicted", named[0], "names that resolve (statuses are written)")
    return outcome


def _outputs(path: Path, out: Path | None, plot: Path | None, force: bool) -> tuple[Path, Path]:
    """Where predictions and plot are written, checked before anything is computed."""

    def checked(option: str, given: Path) -> Path:
        if given.exists() and given.samefile(path):
            raise DataError("score", option, paths.shown(given), "another file than the input")
        return outputs.check_file(given, option, force=force)

    out = checked("--out", out or Path.cwd() / f"{path.stem}.pred.csv")
    plot = checked("--plot", plot or out.with_suffix(".png"))
    if plot.suffix not in PICTURES or plot.resolve() == out.resolve():
        raise DataError("score", "--plot", paths.shown(plot), "another file, ending in " + ", ".join(PICTURES))
    return out, plot


def _check_groups(path: Path, group_by: Sequence[str]) -> None:
    names = reading.header(path)
    for name in group_by:
        if name not in names:
            raise DataError("score", "--group-by", name, ", ".join(names))


def _ignored(path: Path) -> list[str]:
    names = reading.ignored(reading.header(path))
    return [f"columns not used: {', '.join(names)}"] if names else []


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
    text["unit"] = given.mask(chunk.inputs["unit"] == "", chunk.inputs["metric"].map(reading.usual))
    return text.assign(status=predictions["status"], assumed=predictions["assumed"])


def _measured(chunk: reading.Chunk, predictions: dict[str, pd.DataFrame], group_by: Sequence[str]) -> pd.DataFrame:
    """Rows with a value: group, unit, verdict, measured and each model's predicted, low, high."""
    parts = [chunk.text[name].replace("", "(empty)") for name in group_by]
    group = parts[0].str.cat(parts[1:], sep=" | ")
    usual = chunk.inputs["metric"].map(reading.usual)
    frame = pd.DataFrame({"group": group, "measured": chunk.measured})
    frame["unit"] = chunk.inputs["unit"].mask(chunk.inputs["unit"] == "", usual)
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
