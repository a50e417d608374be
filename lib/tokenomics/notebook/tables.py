"""Tables under the same contract as figures: rounded, written, shown as written, with caption and units beside."""

import os
from collections.abc import Mapping

import pandas as pd

from tokenomics.errors import RunError
from tokenomics.facts.sources import cite
from tokenomics.notebook import rounding
from tokenomics.notebook.context import current
from tokenomics.notebook.figures import FORMATS_VARIABLE


def save(frame: pd.DataFrame, slug: str, caption: str, units: Mapping[str, str], source: str = "") -> pd.DataFrame:
    """Write a table as CSV with a JSON of caption and units (LaTeX too when asked for); returns it for display.

    Raises:
        RunError: an empty frame, or a column without unit.
    """
    if frame.empty:
        raise RunError(f"table {slug}: no rows")
    if set(units) != set(frame.columns):
        raise RunError(f"table {slug}: units for {sorted(set(units) ^ set(frame.columns))} are missing or extra")
    context = current()
    path = context.out / "tables" / f"{context.number}_{slug}.csv"
    shown = rounding.write_csv(frame, path)
    entry = {
        "caption": caption,
        "units": dict(units),
        "source": cite(source),
        "notebook": context.name,
        "parameters": context.parameters_hash,
    }
    rounding.write_json(entry, path.with_suffix(".json"))
    if "tex" in os.environ.get(FORMATS_VARIABLE, ""):
        path.with_suffix(".tex").write_text(shown.to_latex(index=False, caption=caption, escape=True), encoding="utf-8")
    context.add("tables", path.stem, {"caption": caption})
    return shown
