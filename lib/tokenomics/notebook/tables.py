"""Tables under the same contract as figures: rounded, written, shown as written, with caption and units beside."""

import os
from collections.abc import Mapping

import pandas as pd

from tokenomics.facts.sources import cite
from tokenomics.notebook import report, rounding, units
from tokenomics.notebook.context import current
from tokenomics.notebook.figures import FORMATS_VARIABLE
from tokenomics.notebook.report import Metric


def save(
    frame: pd.DataFrame,
    slug: str,
    caption: str,
    source: str = "",
    *,
    metrics: Mapping[str, Metric] | None = None,
) -> pd.DataFrame:
    """Write a table as CSV with a JSON of caption and units (LaTeX too when asked for); returns it for display.

    Args:
        frame: tidy, rows in their final order; units follow from the columns' names (:mod:`tokenomics.notebook.units`).
        slug: name of the table, without the notebook's number.
        caption: one or two sentences that stand without the text around them.
        source: source keys joined by ``;``.
        metrics: numbers of the table that prose refers to.

    Raises:
        RunError: a column whose name tells no unit, or (in a committed run) an empty frame.
    """
    context = current()
    if frame.empty:
        context.complain(f"table {slug}: no rows")
    report.record(metrics or {})
    path = context.out / "tables" / f"{context.number}_{slug}.csv"
    shown = rounding.write_csv(frame, path)
    entry = {
        "caption": caption,
        "units": units.units(frame),
        "source": cite(source),
        "notebook": context.name,
        "parameters": context.parameters_hash,
    }
    rounding.write_json(entry, path.with_suffix(".json"))
    if "tex" in os.environ.get(FORMATS_VARIABLE, "").split(","):
        path.with_suffix(".tex").write_text(shown.to_latex(index=False, caption=caption, escape=True), encoding="utf-8")
    context.add("tables", path.stem, {"caption": caption})
    return shown
