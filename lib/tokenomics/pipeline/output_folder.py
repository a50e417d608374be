"""Which folder a run may replace: a new or empty one, or the output of an earlier run, never a user's own files."""

import os
from pathlib import Path

from tokenomics import paths
from tokenomics.errors import DataError

OF_A_RUN = {"notebook.ipynb", "metrics.json", "figures", "tables"}
"""All that a run leaves in its folder."""


def check(out: Path) -> None:
    """Refuse a folder whose replacement would delete what no run made, or that cannot be made.

    Raises:
        DataError: a file, a folder that holds other things, or a place that cannot be written.
    """
    held = {each.name for each in out.iterdir()} if out.is_dir() else set()
    if (out.exists() and not out.is_dir()) or held - OF_A_RUN:
        odd = f" (holds {min(held - OF_A_RUN)})" if held else ""
        raise DataError("run", "--out", f"{paths.shown(out)}{odd}", "a new or empty folder, or one that a run made")
    above = next(each for each in out.absolute().parents if each.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise DataError("run", "--out", paths.shown(out), "a folder below one that can be written")
