"""``tokenomics score``: read, predict, write, report."""

import os
import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tokenomics import paths
from tokenomics.errors import DataError
from tokenomics.rows import case as registry
from tokenomics.rows import predict as score
from tokenomics.rows import reading, units
from tokenomics.scoring import report

PICTURES = (".png", ".pdf", ".svg")
BESIDE = "constant"
"""The null model, shown beside whatever is scored."""


@dataclass(frozen=True)
class Outcome:
    """What scoring a file gave.

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
    progress: Callable[[int], None] = lambda rows: None,
) -> Outcome:
    """Predict every row of a file, write the predictions and measure the errors.

    Args:
        path: CSV in the public input format; see :mod:`tokenomics.rows.reading`.
        out: where to write all input columns with predicted, low, high, unit and status; default ``NAME.pred.csv`` in
            the working directory.
        group_by: input columns that make the report's groups.
        plot: parity plot; default beside ``out`` as ``.png``. Only drawn where rows have values.
        model: what is written and drawn; the null model is reported beside it.
        progress: called with the rows done after every chunk of a file that has several.

    Raises:
        DataError: bad input (one line each), an unknown model, or a path that cannot be written.
    """
    _check_groups(path, group_by)
    registry.predictors(model)
    out, plot = _outputs(path, out, plot)
    models = list(dict.fromkeys((model, BESIDE)))
    made, statuses, notes, frames = beside(out), Counter(), _ignored(path), []
    odd, rows = [], 0
    try:
        for chunk, predictions in score.scored(path, models):
            made_here = predictions[model]
            score.output_text(chunk, made_here).to_csv(
                made, mode="a" if rows else "w", header=not rows, index=False, lineterminator="\n"
            )
            statuses.update(made_here["status"])
            odd.append(chunk.inputs[["model", "hardware"]].assign(status=made_here["status"])[_unresolved(made_here)])
            frames.append(_measured(chunk, predictions, group_by))
            rows += len(chunk.text)
            if rows > len(chunk.text) or len(chunk.text) == reading.ROWS:
                progress(rows)
        made.replace(out)
    finally:
        made.unlink(missing_ok=True)
    named = score.unknown_names(pd.concat(odd))
    errors, drawn = _report(pd.concat(frames), models, plot)
    outcome = Outcome(rows, statuses, errors, [*notes, *named], [out, *drawn])
    if named and set(statuses) <= set(score.NAME_STATUS):
        raise DataError(paths.shown(path), "no row predicted", named[0], "names that resolve (statuses are written)")
    return outcome


def _outputs(path: Path, out: Path | None, plot: Path | None) -> tuple[Path, Path]:
    """Where predictions and plot go, once it is sure that they can."""
    out = out or Path.cwd() / f"{path.stem}.pred.csv"
    score.check_writable("--out", out, path)
    plot = plot or out.with_suffix(".png")
    score.check_writable("--plot", plot, path)
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


def _unresolved(made: pd.DataFrame) -> pd.Series:
    return made["status"].isin(score.NAME_STATUS)


def _measured(chunk: reading.Chunk, predictions: dict[str, pd.DataFrame], group_by: Sequence[str]) -> pd.DataFrame:
    """Rows with a value: group, unit, verdict, measured and each model's predicted, low, high."""
    parts = [chunk.text[name].replace("", "(empty)") for name in group_by]
    group = parts[0].str.cat(parts[1:], sep=" | ")
    usual = chunk.inputs["metric"].map(units.usual)
    frame = pd.DataFrame({"group": group, "measured": chunk.measured})
    frame["unit"] = chunk.inputs["unit"].mask(chunk.inputs["unit"] == "", usual)
    frame["verdict"] = chunk.inputs["metric"] == "fits_in_memory"
    for model, made in predictions.items():
        for name in score.OUTPUT:
            frame[f"{model} {name}"] = made[name]
    return frame[~np.isnan(chunk.measured)]


def _report(frame: pd.DataFrame, models: list[str], plot: Path) -> tuple[pd.DataFrame | None, list[Path]]:
    if frame.empty:
        return None, []
    shared = frame[["group", "measured", "unit", "verdict"]]
    frames = {model: shared.assign(**{name: frame[f"{model} {name}"] for name in score.OUTPUT}) for model in models}
    from tokenomics.scoring.plot import parity

    made = beside(plot)
    drawn = parity(frames[models[0]], made, models[0])
    if drawn:
        made.replace(plot)
    return report.report(frames), [plot] if drawn else []


def beside(path: Path) -> Path:
    """A hidden sibling in which a file is made before it takes its name, so that none is ever half written."""
    return path.with_name(f".{os.getpid()}.{path.name}")
